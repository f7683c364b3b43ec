// SPDX-License-Identifier: GPL-2.0
/*
 * What tracefs shows of a secondary MMU while a mapping comes and goes: each event,
 * in its order and with the right fields.
 *
 * A tracing instance records the events of this process only.  Among them may be
 * those of other memory, such as a stack that is copied on write; their starts and
 * ends must pair up, but nothing else is asked of them.
 */
#include <stdarg.h>
#include <sys/stat.h>

#include "mmu_notifier_harness.h"

#define INSTANCE	"/sys/kernel/tracing/instances/mmu_notifier_test"
#define GROUP		INSTANCE "/events/mmu_notifier"

#define LINE		256
#define MOST_LINES	64

/* Events as they are printed, without what isn't known in advance */
struct lines {
	char line[MOST_LINES][LINE];
	unsigned int nr;
};

static struct lines expected, seen;
static unsigned int starts, ends;
static char mm[32];

FIXTURE(trace)
{
	struct mn mn;
};

/* How a secondary MMU appears in events */
struct names {
	const char *kind;		/* of its subscription */
	const char *ops;
	const char *start, *end;	/* callbacks; an interval has one */
	const char *young;		/* for accessed bits, or NULL */
};

FIXTURE_VARIANT(trace)
{
	unsigned int class;
	unsigned int kind;
	struct names names;
};

FIXTURE_VARIANT_ADD(trace, page_table)
{
	.class = TEST_MN_PAGE_TABLE,
	.kind = TEST_MN_HLIST,
	.names = {
		.kind = "list",
		.ops = "page_table_ops",
		.start = "test_range_start",
		.end = "test_range_end",
		.young = "test_clear_young",
	},
};

FIXTURE_VARIANT_ADD(trace, page_table_interval)
{
	.class = TEST_MN_PAGE_TABLE,
	.kind = TEST_MN_INTERVAL,
	.names = {
		.kind = "interval",
		.ops = "interval_ops",
		.start = "test_invalidate",
	},
};

FIXTURE_VARIANT_ADD(trace, tlb)
{
	.class = TEST_MN_TLB,
	.kind = TEST_MN_HLIST,
	.names = {
		.kind = "list",
		.ops = "tlb_ops",
		.start = "test_range_start",
		.end = "test_range_end",
		.young = "tlb_clear_young",
	},
};

FIXTURE_VARIANT_ADD(trace, remote)
{
	.class = TEST_MN_REMOTE,
	.kind = TEST_MN_HLIST,
	.names = {
		.kind = "list",
		.ops = "remote_ops",
		.start = "test_range_start",
		.end = "test_range_end",
	},
};

FIXTURE_SETUP(trace)
{
	open_device(_metadata, &self->mn, variant->class, variant->kind);
	if (self->mn.fd < 0)
		return;
	rmdir(INSTANCE);
	if (mkdir(INSTANCE, 0755) || access(GROUP, X_OK))
		SKIP(return, "no events in tracefs: it isn't mounted, or lacks them");
}

FIXTURE_TEARDOWN(trace)
{
	close(self->mn.fd);
	rmdir(INSTANCE);
}

static void __printf(1, 2) expect(const char *fmt, ...)
{
	va_list args;

	if (expected.nr == MOST_LINES)
		return;
	va_start(args, fmt);
	vsnprintf(expected.line[expected.nr++], LINE, fmt, args);
	va_end(args);
}

static void expect_callback(const char *callback, unsigned long start,
			    unsigned long end, int result)
{
	expect("callback callback=%s start=%#lx end=%#lx result=%d", callback,
	       start, end, result);
}

/* What an invalidation leaves in the trace */
static void expect_range(const struct names *by, const char *event, char *from,
			 size_t len)
{
	unsigned long start = (unsigned long)from, end = start + len;
	bool interval = !by->end;

	expect("range_start start=%#lx end=%#lx event=%s blockable", start, end,
	       event);
	expect_callback(by->start, start, end, interval);
	if (interval)
		expect("interval ops=%s first=%#lx last=%#lx result=1", by->ops,
		       ALL_START, ALL_START + ALL_LEN - 1);
	else
		expect_callback(by->end, start, end, 0);
	expect("range_end start=%#lx end=%#lx event=%s blockable", start, end,
	       event);
}

/* The hexadecimal number that follows @key, or 0 */
static unsigned long number(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoul(at + strlen(key), NULL, 16) : 0;
}

/*
 * Whether it is of other memory than the arena.  An event of an interval does not
 * say which range it is for, but follows the callback, which does.
 */
static bool is_elsewhere(const char *name, const char *fields, char *arena)
{
	static bool last_callback_was;
	unsigned long from = (unsigned long)arena;
	bool is = strstr(fields, " start=") &&
		  (number(fields, " start=") >= from + SMALL ||
		   number(fields, " end=") <= from);

	if (!strcmp(name, "callback"))
		last_callback_was = is;
	return is || (!strcmp(name, "interval") && last_callback_was);
}

/* A range may be in progress whenever somebody looks up a page. */
static bool is_unforeseeable(const char *name, const char *fields)
{
	return !strcmp(name, "wait") && strstr(fields, " kind=read ");
}

/* Keeps the fields that are known in advance, and has a look at the others. */
static void keep(struct __test_metadata *_metadata, const char *name,
		 char *fields)
{
	char *line = seen.line[seen.nr++], *word, *rest;
	int n = snprintf(line, LINE, "%s", name);

	for (word = strtok_r(fields, " ", &rest); word && n < LINE;
	     word = strtok_r(NULL, " ", &rest)) {
		if (!strncmp(word, "mm=", 3)) {
			if (!*mm)
				snprintf(mm, sizeof(mm), "%s", word);
			EXPECT_STREQ(mm, word);
			EXPECT_NE(0, strtoul(word + 3, NULL, 16));
		} else if (!strncmp(word, "duration=", 9)) {
			EXPECT_TRUE(word[9] >= '0' && word[9] <= '9');
		} else if (!strncmp(word, "seq=", 4)) {
			EXPECT_NE(0, strtoul(word + 4, NULL, 10));
		} else {
			n += snprintf(line + n, LINE - n, " %s", word);
		}
	}
}

static void read_trace(struct __test_metadata *_metadata, char *arena)
{
	FILE *f = fopen(INSTANCE "/trace", "r");
	char line[2 * LINE], name[32], fields[LINE];
	const char *at;
	int n;

	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, ": mmu_notifier_");
		if (line[0] == '#' || !at)
			continue;
		/* The blank before the first field stays. */
		n = sscanf(at, ": mmu_notifier_%31[a-z_]:%255[^\n]", name,
			   fields);
		ASSERT_EQ(2, n);
		starts += !strcmp(name, "range_start");
		ends += !strcmp(name, "range_end");
		if (is_elsewhere(name, fields, arena) ||
		    is_unforeseeable(name, fields))
			continue;
		ASSERT_GT(MOST_LINES, seen.nr);
		keep(_metadata, name, fields);
	}
	fclose(f);
}

static void compare(struct __test_metadata *_metadata)
{
	unsigned int i;

	for (i = 0; i < expected.nr || i < seen.nr; i++)
		EXPECT_STREQ(expected.line[i], seen.line[i]);
	EXPECT_LT(0, starts);
	EXPECT_EQ(starts, ends);
}

static void begin_trace(struct __test_metadata *_metadata)
{
	char filter[64];

	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	ASSERT_EQ(0, write_text(GROUP "/filter", filter));
	ASSERT_EQ(0, write_text(GROUP "/enable", "1"));
}

static void use_and_age(struct __test_metadata *_metadata, struct mn *mn,
			const char *young, char *page)
{
	unsigned long start = (unsigned long)page, end = start + PAGE;

	if (!can_mark_idle())
		return;
	ASSERT_EQ(0, mn_touch(mn, page));
	ASSERT_LE(0, page_idle(page, true));
	if (!young)
		return;
	expect_callback(young, start, end, 1);
	expect("young which=clear_young start=%#lx end=%#lx young=1", start, end);
}

TEST_F_TIMEOUT(trace, mapping, FOR_EVER)
{
	char *p = map_aligned(SMALL);
	const struct names *names = &variant->names;

	ASSERT_NE(NULL, p);
	fill(p, SMALL, BY_CPU);
	drain_batches();
	begin_trace(_metadata);

	ASSERT_EQ(0, attach(self->mn.fd, variant->class, variant->kind));
	expect("wait kind=locks");
	expect("register kind=%s ops=%s", names->kind, names->ops);

	use_and_age(_metadata, &self->mn, names->young, p);

	ASSERT_EQ(0, mprotect(p + PAGE, 2 * PAGE, PROT_READ));
	expect_range(names, "PROTECTION_VMA", p + PAGE, 2 * PAGE);

	ASSERT_EQ(0, madvise(p + 8 * PAGE, 4 * PAGE, MADV_DONTNEED));
	expect_range(names, "CLEAR", p + 8 * PAGE, 4 * PAGE);

	ASSERT_EQ(0, munmap(p, SMALL));
	expect_range(names, "UNMAP", p, SMALL);

	ASSERT_EQ(0, ioctl(self->mn.fd, TEST_MN_DETACH));
	expect("unregister kind=%s ops=%s", names->kind, names->ops);
	if (variant->kind == TEST_MN_HLIST) {
		expect("release kind=list ops=%s", names->ops);
		expect("callback callback=test_release start=0x0 end=%#lx result=0",
		       -1UL);
		expect("wait kind=callbacks");
	}

	ASSERT_EQ(0, write_text(GROUP "/enable", "0"));
	read_trace(_metadata, p);
	compare(_metadata);
}

TEST_HARNESS_MAIN
