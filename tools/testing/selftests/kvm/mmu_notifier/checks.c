// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest has written, seen by the host: in the memory, in the dirty log,
 * and not at all while the guest must not write.
 */
#include "host.h"

/* The lines of all pages, one vCPU after another in each */
static uint64_t *snapshot;
static uint64_t *logged;	/* when the dirty log was last checked */
static unsigned long *last_log;	/* the bitmap that KVM gave last */
static unsigned long *dirty;	/* the bitmaps since it was forgotten */

static size_t nlines(void)
{
	return test.npages * test.nvcpus;
}

static size_t log_size(void)
{
	return (test.npages / 64 + 1) * sizeof(unsigned long);
}

void create_checks(void)
{
	snapshot = calloc(nlines(), sizeof(*snapshot));
	logged = calloc(nlines(), sizeof(*logged));
	last_log = calloc(1, log_size());
	dirty = calloc(1, log_size());
}

/* All lines are zero again.  Only while the vCPUs are parked. */
void forget_lines(void)
{
	memset(commit_of(test.control, 0, 0), 0, nlines() * sizeof(uint64_t));
	if (test.dirty_log)
		memset(logged, 0, nlines() * sizeof(*logged));
}

/* All that the guest has written must be in the memory that the host sees. */
void check_lines(struct range r)
{
	uint64_t commit, seen;
	uint32_t v;
	size_t p;

	for (p = r.first; p < r.first + r.n; p++) {
		for (v = 0; v < test.nvcpus; v++) {
			commit = READ_ONCE(*commit_of(test.control, v, p));
			seen = READ_ONCE(*line_of(page_at(test.mem, p), v));
			if (seen < commit || (seen && seen >> 32 !=
					      line_value(v, p, 0) >> 32))
				fail("gpa %#lx: vCPU %u wrote %#lx, the host sees %#lx",
				     gpa_of(p), v, commit, seen);
		}
	}
}

static void copy_lines(struct range r, void *base, uint64_t *to)
{
	uint32_t v;
	size_t i;

	for (i = 0; i < r.n; i++)
		for (v = 0; v < test.nvcpus; v++)
			*to++ = READ_ONCE(*line_of(page_at(base, i), v));
}

/* Takes a snapshot of the lines of @r, which is mapped at @base. */
void snapshot_lines(struct range r, void *base)
{
	copy_lines(r, base, snapshot);
}

static uint64_t *line_number(void *base, size_t i)
{
	return line_of(page_at(base, i / test.nvcpus), i % test.nvcpus);
}

/* Returns the number of the first line that differs from the snapshot. */
size_t first_changed(struct range r, void *base)
{
	size_t n = r.n * test.nvcpus;
	size_t i;

	for (i = 0; i < n; i++)
		if (READ_ONCE(*line_number(base, i)) != snapshot[i])
			break;
	return i;
}

/* The log is as if empty until more of it is added. */
void forget_dirty_log(void)
{
	memset(dirty, 0, log_size());
}

void add_dirty_log(void)
{
	size_t i;

	kvm_vm_get_dirty_log(test.vm, DATA_SLOT, last_log);
	for (i = 0; i <= test.npages / 64; i++)
		dirty[i] |= last_log[i];
}

bool is_logged(size_t page)
{
	return dirty[page / 64] & (1ul << (page % 64));
}

/* Clears what was added last, where reading the log doesn't. */
void clear_dirty_log(void)
{
	kvm_vm_clear_dirty_log(test.vm, DATA_SLOT, last_log, 0, test.npages);
}

/* Returns the number of a line that has changed in a page without a log entry. */
static size_t first_unlogged(void)
{
	size_t i;

	for (i = 0; i < nlines(); i++)
		if (snapshot[i] != logged[i] && !is_logged(i / test.nvcpus))
			break;
	return i;
}

/*
 * Pages that the guest wrote to between two reads of the log are in the second.
 * KVM's fast page fault makes an spte writable before it marks the page, and
 * another vCPU may write in between: such a page is in the log once the vCPU
 * that faulted has gone on.
 */
static void check_dirty_log(void)
{
	size_t i;

	if (!test.dirty_log)
		return;

	snapshot_lines(all_pages(), test.mem);
	forget_dirty_log();
	add_dirty_log();
	if (first_unlogged() < nlines()) {
		wait_passes(1);
		add_dirty_log();
	}
	i = first_unlogged();
	if (i < nlines())
		fail("gpa %#lx: vCPU %lu wrote %#lx, but the page isn't in the dirty log",
		     gpa_of(i / test.nvcpus), i % test.nvcpus, snapshot[i]);
	copy_lines(all_pages(), test.mem, logged);
}

/* The guest must use what the host has made of the range. */
void check_range(struct range r)
{
	host_writes(r);
	wait_passes(1);
	check_lines(all_pages());
	check_dirty_log();
}

/*
 * The guest can't write to the range: each vCPU gets stuck in it after
 * get_stuck(@stuck).  The lines at @base, if the host can read them, must not
 * change.
 */
void check_stuck(struct range r, void *base, const uint64_t *stuck)
{
	size_t i;

	if (base)
		snapshot_lines(r, base);
	wait_stuck(r, stuck);
	if (!base)
		return;
	i = first_changed(r, base);
	if (i < r.n * test.nvcpus)
		fail("gpa %#lx: vCPU %lu must not write: expected %#lx, seen %#lx",
		     gpa_of(r.first + i / test.nvcpus), i % test.nvcpus,
		     snapshot[i], READ_ONCE(*line_number(base, i)));
}

/* The same for accesses that fail, as the vCPUs repeat these. */
void check_frozen(struct range r, void *base)
{
	uint64_t stuck[MAX_VCPUS];

	get_stuck(stuck);
	check_stuck(r, base, stuck);
}
