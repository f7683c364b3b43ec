// SPDX-License-Identifier: GPL-2.0
/*
 * The guest: its vCPUs read, check and write the pages.
 */
#include "guest.h"

size_t control_size(size_t pages, uint32_t vcpus)
{
	return sizeof(struct control) + pages * sizeof(struct page_state) +
	       pages * vcpus * sizeof(uint64_t);
}

uint64_t *commit_of(struct control *c, uint32_t vcpu, uint64_t page)
{
	return (uint64_t *)&c->page[c->total] + vcpu * (uint64_t)c->total + page;
}

/* Contents are never 0, which stands for a page of zeros. */
#define MAGIC 0x5a00000000000000ull

uint64_t page_value(struct control *c, uint64_t page, uint64_t gen)
{
	if (gen & 1)
		return 0;
	return MAGIC ^ ((READ_ONCE(c->same) ? 0 : page) << 32) ^ gen;
}

uint64_t line_value(uint32_t vcpu, uint64_t page, uint32_t count)
{
	return (page << 40) | ((uint64_t)(vcpu + 1) << 32) | count;
}

uint64_t *line_of(void *page, uint32_t vcpu)
{
	return page + 64 * (vcpu + 1);
}

static bool value_fits(struct control *c, uint64_t page, uint64_t value,
		       uint64_t low, uint64_t high)
{
	if (!value)
		return READ_ONCE(c->zero_ok) && ((low & 1) || low < high);

	value ^= page_value(c, page, 0);
	return value >= low && value <= high && !(value & 1);
}

static void guest_report(uint64_t kind, uint64_t page, uint64_t low,
			 uint64_t high, uint64_t seen)
{
	GUEST_SYNC5(kind, page, low, high, seen);
}

static void guest_read(struct control *c, uint64_t page)
{
	uint64_t *words = (uint64_t *)(DATA_GPA + page * PAGE_SIZE);
	uint64_t low, high, first, last;

	low = READ_ONCE(c->page[page].low);
	first = READ_ONCE(words[0]);
	last = READ_ONCE(words[PAGE_WORDS - 1]);
	high = READ_ONCE(c->page[page].high);

	if (!value_fits(c, page, first, low, high))
		guest_report(GUEST_READ_BAD, page, low, high, first);
	if (!value_fits(c, page, last, low, high))
		guest_report(GUEST_READ_BAD, page, low, high, last);
}

static void guest_write(struct control *c, uint32_t id, uint64_t page)
{
	uint64_t *line = line_of((void *)(DATA_GPA + page * PAGE_SIZE), id);
	uint64_t *commit = commit_of(c, id, page);
	uint64_t was = *commit, seen = READ_ONCE(*line);

	if (seen != was)
		guest_report(GUEST_WRITE_LOST, page, was, 0, seen);
	was = line_value(id, page, (uint32_t)was + 1);
	WRITE_ONCE(*line, was);
	WRITE_ONCE(*commit, was);
}

static void guest_sweep(struct control *c, uint32_t id)
{
	uint32_t n = READ_ONCE(c->npages);
	/* vCPUs start at different pages. */
	uint32_t place = id * n / MAX_VCPUS;
	uint64_t page;
	uint32_t i;

	if (READ_ONCE(c->flush_tlb))
		__asm__ __volatile__("mov %0, %%cr3" : : "r" (get_cr3()) : "memory");

	for (i = 0; i < n && READ_ONCE(c->run); i++) {
		page = READ_ONCE(c->page[place].visit);
		guest_read(c, page);
		if (READ_ONCE(c->writes))
			guest_write(c, id, page);
		if (++place == n)
			place = 0;
	}
	if (i == n)
		WRITE_ONCE(c->pass[id], c->pass[id] + 1);
	/* An emulator that runs one CPU at a time goes on with the next. */
	cpu_relax();
}

/*
 * Writes first: after a read fault KVM looks the page up once more, to see if it
 * can be mapped writable.
 */
static void guest_step(struct control *c, uint32_t id)
{
	uint64_t page = READ_ONCE(c->ack);
	uint64_t value = line_value(id, page, 1);

	if (page == READ_ONCE(c->go)) {
		cpu_relax();
		return;
	}
	WRITE_ONCE(*line_of((void *)(DATA_GPA + page * PAGE_SIZE), id), value);
	WRITE_ONCE(*commit_of(c, id, page), value);
	guest_read(c, page);
	WRITE_ONCE(c->ack, page + 1);
}

/* No exit may come between the write and the read, or the TLB would be flushed. */
static void guest_private(struct control *c)
{
	uint64_t *word = (uint64_t *)DATA_GPA;
	uint64_t n = c->ack + 1, seen;

	WRITE_ONCE(*word, n);
	WRITE_ONCE(c->ack, n);
	while (READ_ONCE(c->go) < n && READ_ONCE(c->run))
		cpu_relax();
	if (READ_ONCE(c->go) < n)
		return;
	seen = READ_ONCE(*word);
	if (seen)
		guest_report(GUEST_READ_BAD, 0, 1, 1, seen);
}

void guest_code(uint32_t id)
{
	struct control *c = (struct control *)CTRL_GPA;

	for (;;) {
		if (!READ_ONCE(c->run)) {
			GUEST_SYNC1(GUEST_PARKED);
			continue;
		}
		switch (READ_ONCE(c->mode)) {
		case GUEST_SWEEP:
			guest_sweep(c, id);
			break;
		case GUEST_STEP:
			guest_step(c, id);
			break;
		case GUEST_PRIVATE:
			guest_private(c);
			break;
		}
	}
}
