// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: ranges of it, what the host writes to them, and the ways to
 * replace them that several paths share.
 */
#include <linux/falloc.h>

#include "host.h"

static unsigned int kind_of(enum vm_mem_backing_src_type src)
{
	if (src == VM_MEM_SRC_SHMEM)
		return SHMEM;
	if (src == VM_MEM_SRC_SHARED_HUGETLB)
		return SHUGE;
	return is_backing_src_hugetlb(src) ? HUGE : ANON;
}

/* Settles what the memory is like.  A @size of 0 stands for the default. */
void choose_memory(size_t size)
{
	size_t page_size = get_backing_src_pagesz(test.src);

	test.kind = kind_of(test.src);
	test.unit = test.kind & (HUGE | SHUGE) ? page_size / PAGE_SIZE : 1;
	if (!size)
		size = test.unit > 1 ? 4 * test.unit * PAGE_SIZE : 4 << 20;
	test.npages = align_up(size, page_size) / PAGE_SIZE;
}

void create_memory(void)
{
	size_t size = test.npages * PAGE_SIZE, huge = test.unit * PAGE_SIZE;
	enum vm_mem_backing_src_type src = test.src;
	struct userspace_mem_region *region;

	/* Small pages need the alignment of huge ones to be collapsed. */
	if (src == VM_MEM_SRC_ANONYMOUS && thp_configured())
		src = VM_MEM_SRC_ANONYMOUS_THP;
	vm_mem_add(test.vm, src, DATA_GPA, DATA_SLOT, test.npages,
		   test.dirty_log ? KVM_MEM_LOG_DIRTY_PAGES : 0, -1, 0);
	virt_map(test.vm, DATA_GPA, DATA_GPA, test.npages);
	region = memslot2region(test.vm, DATA_SLOT);
	test.mem = region->host_mem;
	test.fd = region->fd;
	test.alias = region->host_alias;

	test.control = add_control(test.vm,
				   control_size(test.npages, test.nvcpus));
	test.control->total = test.npages;

	test.aside = mmap(NULL, size + huge, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	TEST_ASSERT(test.aside != MAP_FAILED, "mmap");
	test.aside = align_ptr_up(test.aside, huge);
}

/* Maps new memory, as one mapping, without a trace of what a path did to it. */
static void map_again(size_t size)
{
	int flags = vm_mem_backing_src_alias(test.src)->flag;
	bool thp = test.src == VM_MEM_SRC_ANONYMOUS_THP;

	if (test.fd >= 0)
		drop_pages(all_pages());
	if (mmap(test.mem, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		 test.fd, 0) != test.mem)
		fail("mmap: %s", strerror(errno));
	if (test.kind == ANON && thp_configured())
		must(madvise(test.mem, size, thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
	/* Whatever was moved aside goes as well. */
	if (mmap(test.aside, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_NORESERVE | MAP_FIXED, -1, 0) != test.aside)
		fail("mmap: %s", strerror(errno));
}

/* Only while the vCPUs are parked. */
void reset_memory(void)
{
	struct control *c = test.control;
	size_t i;

	map_again(test.npages * PAGE_SIZE);
	memset(c->page, 0, test.npages * sizeof(c->page[0]));
	for (i = 0; i < test.npages; i++)
		c->page[i].visit = i;
	memset(c->pass, 0, sizeof(c->pass));
	forget_lines();
	c->mode = GUEST_SWEEP;
	c->npages = test.npages;
	c->same = 0;
	c->flush_tlb = 0;
	host_writes(all_pages());
}

/* A random range of up to a quarter of the memory */
struct range some_pages(void)
{
	size_t units = test.npages / test.unit;
	size_t n = 1 + rnd(units / 4 ?: 1);
	size_t first = rnd(units - n + 1);

	return (struct range){ first * test.unit, n * test.unit };
}

struct range all_pages(void)
{
	return (struct range){ 0, test.npages };
}

uint64_t gpa_of(uint64_t page)
{
	return DATA_GPA + page * PAGE_SIZE;
}

void *page_at(void *base, size_t page)
{
	return base + page * PAGE_SIZE;
}

void *mem_of(struct range r)
{
	return page_at(test.mem, r.first);
}

size_t bytes_of(struct range r)
{
	return r.n * PAGE_SIZE;
}

void announce(struct range r, unsigned int generations)
{
	struct page_state *p = &test.control->page[r.first];
	struct page_state *end = p + r.n;

	for (; p < end; p++)
		WRITE_ONCE(p->high, p->low + generations);
}

void withdraw(struct range r)
{
	struct page_state *p = &test.control->page[r.first];
	struct page_state *end = p + r.n;

	for (; p < end; p++)
		WRITE_ONCE(p->low, p->high);
}

static void fill_page(void *page, size_t number)
{
	uint64_t gen = READ_ONCE(test.control->page[number].high);
	uint64_t value = page_value(test.control, number, gen);
	uint64_t *words = page;

	WRITE_ONCE(words[0], value);
	WRITE_ONCE(words[PAGE_WORDS - 1], value);
}

/* Writes what was announced to the pages of @r, which are mapped at @base. */
void fill_pages(struct range r, void *base)
{
	size_t i;

	for (i = 0; i < r.n; i++)
		fill_page(page_at(base, i), r.first + i);
}

/* The host writes to the memory, and the guest must see it. */
void host_writes(struct range r)
{
	announce(r, 2);
	fill_pages(r, mem_of(r));
	withdraw(r);
}

void drop_pages(struct range r)
{
	if (test.fd >= 0)
		must(fallocate(test.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       r.first * PAGE_SIZE, bytes_of(r)));
	else
		must(madvise(mem_of(r), bytes_of(r), MADV_DONTNEED));
}

/* The guest must see zeros in place of the pages, until renew_pages(). */
void zero_pages(struct range r)
{
	announce(r, 1);
	drop_pages(r);
	withdraw(r);
}

void renew_pages(struct range r)
{
	announce(r, 1);
	fill_pages(r, mem_of(r));
	withdraw(r);
}

/* Maps new memory of the same kind aside. */
void map_aside(size_t length)
{
	int flags = vm_mem_backing_src_alias(test.src)->flag;

	if (mmap(test.aside, length, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		 -1, 0) != test.aside)
		fail("mmap: %s", strerror(errno));
}

void move_pages_to(void *from, void *to, size_t length)
{
	if (mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		fail("mremap: %s", strerror(errno));
}
