// SPDX-License-Identifier: GPL-2.0
/*
 * The path of the multi-gen LRU's walks: they must find exactly those pages young
 * that the guest has used.
 *
 * All that can be seen of it is how many pages of a cgroup a walk has found.  So each
 * page belongs to one of two cgroups, at random, and the guest also uses just the
 * pages of one of them: an answer for one page that is taken for another's makes the
 * counts wrong.  And a walk for one cgroup must leave the pages of the other young.
 */
#include "paths.h"

#define TABLE		512ul		/* pages of a page table of the host */
#define GUEST_PAGES	(2 * TABLE)
#define HOST_PAGES	(3 * TABLE)
#define HOST_FIRST	40		/* where the host's mapping begins */
#define LAST_TABLE	(HOST_PAGES - TABLE)

#define FIRST_SLOT	(CTRL_SLOT + 1)

/*
 * Each of these memslots begins in the middle of a page table of the host, with a gap
 * before it.  The first two are in the same one, the second before the first, and are
 * not aligned like the host's memory, so that nothing in them is mapped as huge.  The
 * last one is, and has all of the last page table.
 */
static const struct {
	size_t first;		/* page of the guest */
	size_t n;
	size_t host;		/* where it is in the host's memory */
} slots[] = {
	{ 0,	100,	300 },
	{ 100,	150,	120 },
	{ 250,	774,	762 },
};

/* Which pages the guest uses: those of one cgroup, or */
enum {
	ALL_PAGES = NR_CGROUPS,
	SOME_PAGES,
};

/* The one that is entered last: new huge pages belong to it. */
#define HUGE_OWNER	(NR_CGROUPS - 1)

static struct {
	void *mem;
	bool huge;			/* one page is, that of the last page table */
	uint8_t owner[HOST_PAGES];	/* the cgroup that the page is charged to */
	size_t charged[NR_CGROUPS];
	size_t used[NR_CGROUPS];	/* what the guest has used of them */
	size_t found[NR_CGROUPS];
	size_t strays[NR_CGROUPS];	/* pages that are not of the memory above */
} young;

/* Puts the memslots above in the place of the usual one, or the other way round. */
static void set_memslots(bool ours)
{
	struct kvm_userspace_memory_region2 *usual;
	size_t i;

	usual = &memslot2region(test.vm, DATA_SLOT)->region;
	/* To set a size of 0 deletes a memslot. */
	if (ours)
		vm_set_user_memory_region(test.vm, DATA_SLOT, 0, DATA_GPA, 0, NULL);
	for (i = 0; i < ARRAY_SIZE(slots); i++)
		vm_set_user_memory_region(test.vm, FIRST_SLOT + i, usual->flags,
					  gpa_of(slots[i].first),
					  ours ? slots[i].n * PAGE_SIZE : 0,
					  page_at(young.mem, slots[i].host));
	if (!ours)
		vm_set_user_memory_region(test.vm, DATA_SLOT, usual->flags,
					  DATA_GPA, usual->memory_size,
					  (void *)usual->userspace_addr);
}

static size_t host_page(size_t page)
{
	size_t i = 0;

	while (page >= slots[i].first + slots[i].n)
		i++;
	return slots[i].host + page - slots[i].first;
}

/* The pages that @cgroup is to own come into being. */
static void charge_pages(unsigned int cgroup)
{
	size_t h;

	if (!enter_cgroup(cgroup))
		fail("cannot enter a cgroup");
	young.charged[cgroup] = 0;
	for (h = HOST_FIRST; h < HOST_PAGES; h++) {
		if (young.owner[h] != cgroup)
			continue;
		WRITE_ONCE(*(char *)page_at(young.mem, h), 0);
		young.charged[cgroup]++;
	}
}

/* New memory, all zeros; if @huge, with a huge page at its end if there is one. */
static void renew_memory(bool huge)
{
	void *first = page_at(young.mem, HOST_FIRST);
	void *last = page_at(young.mem, LAST_TABLE);
	size_t size = (HOST_PAGES - HOST_FIRST) * PAGE_SIZE, h;
	unsigned int cgroup;

	map_anonymous(first, size);
	if (thp_configured()) {
		must(madvise(first, size, MADV_NOHUGEPAGE));
		if (huge)
			must(madvise(last, TABLE * PAGE_SIZE, MADV_HUGEPAGE));
	}
	for (h = 0; h < HOST_PAGES; h++)
		young.owner[h] = huge && h >= LAST_TABLE ? HUGE_OWNER :
							   rnd(NR_CGROUPS);
	for (cgroup = 0; cgroup < NR_CGROUPS; cgroup++)
		charge_pages(cgroup);
	young.huge = huge && !madvise(last, TABLE * PAGE_SIZE, MADV_COLLAPSE);
}

static bool is_used(size_t h, unsigned int which)
{
	switch (which) {
	case ALL_PAGES:
		return true;
	case SOME_PAGES:
		return rnd(2);
	default:
		return young.owner[h] == which;
	}
}

static void choose_pages(unsigned int which)
{
	struct control *c = test.control;
	size_t p, h, huge_used = 0;

	c->npages = 0;
	memset(young.used, 0, sizeof(young.used));
	for (p = 0; p < GUEST_PAGES; p++) {
		h = host_page(p);
		if (!is_used(h, which))
			continue;
		c->page[c->npages++].visit = p;
		if (young.huge && h >= LAST_TABLE)
			huge_used = TABLE;
		else
			young.used[young.owner[h]]++;
	}
	young.used[HUGE_OWNER] += huge_used;
}

/*
 * Young bits are cleared without a flush.  They are set again only by what isn't in a
 * TLB, so let KVM flush them: it does when any page is unmapped.
 */
static void flush_guest_tlbs(void)
{
	must(mprotect(test.control, PAGE_SIZE, PROT_READ));
	must(mprotect(test.control, PAGE_SIZE, PROT_READ | PROT_WRITE));
}

static void let_guest_use(unsigned int which)
{
	choose_pages(which);
	flush_guest_tlbs();
	resume_vcpus(test.nvcpus);
	wait_passes(2);
	park_vcpus();
}

/*
 * Pages of the program itself may be charged to the cgroup as well, but not many.
 * They may be young, too.
 */
#define MAX_STRAYS	32

/* Returns whether a walk finds what the guest has used. */
static bool walk(unsigned int cgroup)
{
	const char *name = enter_cgroup(cgroup);
	size_t all;

	/*
	 * Moves pages off the lists of the CPUs, where walks can't find them.  The
	 * first one is to keep it out of the log.
	 */
	if (!write_file("/proc/sys/vm/drop_caches", "4") ||
	    !write_file("/proc/sys/vm/drop_caches", "1"))
		fail("cannot drop caches");
	if (!name || !new_generation(name))
		fail("no new generation");
	young.found[cgroup] = count_found(name, &all);
	/* Of numbers without a sign, those below 0 are large. */
	young.strays[cgroup] = all - young.charged[cgroup];
	return young.strays[cgroup] <= MAX_STRAYS &&
	       young.found[cgroup] - young.used[cgroup] <= young.strays[cgroup];
}

static bool walk_all(void)
{
	unsigned int cgroup;
	bool right = true;

	for (cgroup = 0; cgroup < NR_CGROUPS; cgroup++)
		right &= walk(cgroup);
	return right;
}

/* A page that the host happens to migrate is not young any more: try again. */
static void check_found(unsigned int which)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		let_guest_use(which);
		if (walk_all()) {
			test.count += young.used[0] + young.used[1];
			return;
		}
	}
	fail("used %lu and %lu of %lu and %lu pages, found %lu and %lu young, %ld and %ld strays",
	     young.used[0], young.used[1], young.charged[0], young.charged[1],
	     young.found[0], young.found[1], (long)young.strays[0],
	     (long)young.strays[1]);
}

static void check_memory(bool huge)
{
	unsigned int which;

	test.doing = "new memory";
	renew_memory(huge);
	/* The guest has all of it mapped, and nobody has used it since the walks. */
	let_guest_use(ALL_PAGES);
	walk_all();
	test.doing = young.huge ? "use a part, and a huge page" : "use a part";
	for (which = 0; which < NR_CGROUPS; which++)
		check_found(which);
	check_found(SOME_PAGES);
	check_found(ALL_PAGES);
}

const char *path_young(void)
{
	size_t size = (HOST_PAGES + TABLE) * PAGE_SIZE;
	void *area;
	int i;

	if (test.npages < GUEST_PAGES)
		return "there is too little memory";
	if (!lru_gen_begin())
		return "there is no multi-gen LRU";
	if (!enter_cgroup(0)) {
		lru_gen_end();
		return "there are no memory cgroups";
	}
	area = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		fail("mmap: %s", strerror(errno));

	test.counted = "pages found young";
	young.mem = align_ptr_up(area, TABLE * PAGE_SIZE);
	set_memslots(true);
	/* The guest sees zeros. */
	announce(all_pages(), 1);
	withdraw(all_pages());
	set_guest(false, true, false);
	for (i = 0; i < test.iterations; i++)
		check_memory(i & 1);
	set_memslots(false);
	munmap(area, size);
	leave_cgroup();
	lru_gen_end();
	return NULL;
}
