// SPDX-License-Identifier: GPL-2.0
/*
 * Samples of mmu_notifier/mms: read, taken apart, and compared with the one before.
 *
 * The file can be one of a later kernel, or a copy that somebody has cut or edited:
 * keywords that are not known are passed over, and lines that can't be read are
 * counted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mmu_notifier_top.h"

#ifndef MOUNTS				/* A test has a table of its own. */
#define MOUNTS		"/proc/mounts"
#endif
#define DEBUGFS		"/sys/kernel/debug"	/* where it usually is */

#define STUCK_US	1000000
#define MAX_SAMPLE	((size_t)1 << 28)	/* What is longer is something else. */

/*
 * Lists
 */

/* A new item, zeroed. There is room for a power of two of them. */
static void *add(struct list *list, size_t size)
{
	char *item;

	if (!(list->nr & (list->nr - 1))) {
		list->items = reallocarray(list->items, list->nr ? 2 * list->nr : 1, size);
		if (!list->items)
			die("out of memory");
	}
	item = (char *)list->items + list->nr++ * size;
	return memset(item, 0, size);
}

static void clear(struct list *list)
{
	free(list->items);
	list->items = NULL;
	list->nr = 0;
}

static void free_mm(struct mm *mm)
{
	clear(&mm->subscribers);
	clear(&mm->ranges);
	clear(&mm->calls);
	clear(&mm->events);
}

void free_sample(struct sample *sample)
{
	struct mm *mms = sample->mms.items;
	size_t i;

	for (i = 0; i < sample->mms.nr; i++)
		free_mm(&mms[i]);
	clear(&sample->mms);
	free(sample->text);
	sample->text = NULL;
}

/*
 * Words and numbers. Each of these takes something off the beginning of @s.
 */

static char *word(char **s)
{
	char *w = *s + strspn(*s, " \t");

	if (!*w)
		return NULL;
	*s = w + strcspn(w, " \t");
	if (**s)
		*(*s)++ = '\0';
	return w;
}

/* The name of a function; if it is in a module, "function [module]" */
static char *symbol(char **s)
{
	char *w = word(s), *end = strchr(*s, ']');

	if (!w || **s != '[' || !end)
		return w;
	(*s)[-1] = ' ';
	*s = end + 1;
	if (**s)
		*(*s)++ = '\0';
	return w;
}

/* Is @w a number, up to the character @end? If not, *@n stays as it is. */
bool is_number(const char *w, int base, char end, u64 *n)
{
	char *behind;
	u64 value;

	if (!strchr("0123456789abcdef", w[0]))
		return false;
	errno = 0;
	value = strtoull(w, &behind, base);
	if (errno || behind == w || *behind != end)
		return false;
	*n = value;
	return true;
}

static bool number(char **s, u64 *n)
{
	char *w = word(s);

	return w && is_number(w, 10, '\0', n);
}

/* START-END, hexadecimal */
static bool bounds(char **s, u64 *start, u64 *end)
{
	char *w = word(s), *dash = w ? strchr(w, '-') : NULL;

	return dash && is_number(w, 16, '-', start) && is_number(dash + 1, 16, '\0', end);
}

/* PID TID COMM AGE, to the end of the line. COMM can be empty. */
static bool task(char *s, struct activity *activity)
{
	char *age;

	if (!number(&s, &activity->pid) || !number(&s, &activity->tid))
		return false;
	age = strrchr(s, ' ');
	if (!age || !is_number(age + 1, 10, '\0', &activity->age_us))
		return false;
	*age = '\0';
	activity->comm = s;
	return true;
}

bool is_stuck(const struct activity *activity)
{
	return activity->age_us > STUCK_US;
}

/*
 * Lines: each of these reads what follows a keyword, and returns false if it can't.
 */

static bool subscriber_line(struct mm *mm, char *s)
{
	char *name = symbol(&s);

	if (!name)
		return false;
	*(char **)add(&mm->subscribers, sizeof(char *)) = name;
	return true;
}

static bool intervals_line(struct mm *mm, char *s)
{
	u64 n, first, last;

	if (!number(&s, &n) || !bounds(&s, &first, &last))
		return false;
	mm->intervals = n;
	mm->first = first;
	mm->last = last;
	return true;
}

static bool range_line(struct mm *mm, char *s)
{
	struct activity range = { 0 };
	char *mode;

	if (!bounds(&s, &range.start, &range.end))
		return false;
	range.event = word(&s);
	mode = word(&s);
	if (!mode || !task(s, &range))
		return false;
	range.blockable = !strcmp(mode, "blockable");
	if (!range.blockable && strcmp(mode, "nonblock"))
		return false;
	*(struct activity *)add(&mm->ranges, sizeof(range)) = range;
	mm->stuck |= is_stuck(&range);
	return true;
}

static bool call_line(struct mm *mm, char *s)
{
	struct activity call = { 0 };

	call.callback = symbol(&s);
	if (!call.callback || !task(s, &call))
		return false;
	*(struct activity *)add(&mm->calls, sizeof(call)) = call;
	mm->stuck |= is_stuck(&call);
	return true;
}

static struct event *find_event(const struct mm *mm, const char *name)
{
	struct event *events = mm->events.items;
	size_t i;

	for (i = 0; i < mm->events.nr; i++)
		if (!strcmp(events[i].name, name))
			return &events[i];
	return NULL;
}

/* EVENT=N ...: those that can be read count, even if another can't. */
static bool ranges_line(struct mm *mm, char *s)
{
	struct event *event;
	bool good = true;
	char *name, *n;
	u64 now;

	while ((name = word(&s))) {
		n = strchr(name, '=');
		if (!n || n == name || !is_number(n + 1, 10, '\0', &now)) {
			good = false;
			continue;
		}
		*n = '\0';
		event = find_event(mm, name);
		if (!event)
			event = add(&mm->events, sizeof(*event));
		mm->now[RANGES] += now - event->now;
		event->name = name;
		event->now = now;
	}
	return good;
}

static bool callbacks_line(struct mm *mm, char *s)
{
	u64 n, ns, longest;
	char *name;

	if (!number(&s, &n) || !number(&s, &ns) || !number(&s, &longest))
		return false;
	name = symbol(&s);
	if (!name)
		return false;
	mm->now[CALLBACKS] = n;
	mm->now[CALLBACK_NS] = ns;
	mm->longest_ns = longest;
	mm->longest = strcmp(name, "-") ? name : NULL;
	return true;
}

static bool young_line(struct mm *mm, char *s)
{
	return number(&s, &mm->now[YOUNG]);
}

static bool waits_line(struct mm *mm, char *s)
{
	u64 n, us;

	if (!number(&s, &n) || !number(&s, &us))
		return false;
	mm->now[WAITS] = n;
	mm->now[WAIT_US] = us;
	return true;
}

static bool retries_line(struct mm *mm, char *s)
{
	return number(&s, &mm->now[RETRIES]);
}

static const struct {
	const char *keyword;
	bool (*read)(struct mm *mm, char *s);
} lines[] = {
	{ "subscriber", subscriber_line },
	{ "intervals", intervals_line },
	{ "range", range_line },
	{ "call", call_line },
	{ "ranges", ranges_line },
	{ "callbacks", callbacks_line },
	{ "young", young_line },
	{ "waits", waits_line },
	{ "retries", retries_line },
};

/*
 * One line of the block of @mm, or the first of a new one. Unknown keywords are
 * those of a later kernel. Returns false if the line can't be read.
 */
static bool read_line(struct sample *sample, struct mm **mm, char *s)
{
	char *keyword = word(&s);
	u64 pid;
	size_t i;

	if (!keyword)
		return true;
	if (!strcmp(keyword, "mm")) {
		*mm = NULL;
		if (!number(&s, &pid))
			return false;
		*mm = add(&sample->mms, sizeof(**mm));
		(*mm)->pid = pid;
		(*mm)->comm = s;
		return true;
	}
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (!strcmp(keyword, lines[i].keyword))
			return *mm && lines[i].read(*mm, s);
	return true;
}

/* The last line is cut off if it doesn't end: 12 may have been 1234. */
static void read_lines(struct sample *sample)
{
	char *line = sample->text, *end;
	struct mm *mm = NULL;

	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		if (!read_line(sample, &mm, line))
			sample->unreadable++;
		line = end + 1;
	}
	if (*line)
		sample->unreadable++;
}

/*
 * Samples
 */

/* The file of debugfs, wherever that is mounted; NULL if it is not */
static char *mms_file(void)
{
	FILE *mounts = setmntent(MOUNTS, "r");
	const char *dir = mounts ? NULL : DEBUGFS;
	struct mntent *mount;
	char *file = NULL;

	while (!dir && (mount = getmntent(mounts)))
		if (!strcmp(mount->mnt_type, "debugfs"))
			dir = mount->mnt_dir;
	if (dir && asprintf(&file, "%s/%s", dir, MMS) < 0)
		die("out of memory");
	if (mounts)
		endmntent(mounts);
	return file;
}

static int open_mms(void)
{
	char *file = mms_file();
	int fd;

	if (!file)
		die("debugfs is not mounted: as root, mount -t debugfs none " DEBUGFS);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		free(file);
		return fd;
	}
	if ((errno == EACCES || errno == EPERM) && geteuid())
		die("only root may read %s: try sudo " NAME, file);
	if (errno == EPERM)
		die("%s: the kernel is locked down: see kernel_lockdown(7)", file);
	if (errno == ENOENT)
		die("there is no %s: build the kernel with CONFIG_MMU_NOTIFIER_STATS=y", file);
	die("%s: %s", file, strerror(errno));
}

/* All of a file, as a string in which no byte is 0 */
static char *read_all(int fd, const char *name)
{
	size_t size = 0, room = 64 * 1024, i;
	char *text = NULL;
	ssize_t n = 1;

	while (n) {
		if (!text || size == room - 1) {
			room *= 2;
			text = realloc(text, room);
			if (!text)
				die("out of memory");
		}
		n = read(fd, text + size, room - 1 - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("%s: %s", name, strerror(errno));
		size += n;
		if (size > MAX_SAMPLE)
			die("%s: too long to be a copy of " MMS, name);
	}
	for (i = 0; i < size; i++)
		if (!text[i])
			text[i] = '?';
	text[size] = '\0';
	return text;
}

u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Forgets all other processes. */
static void keep_pid(struct list *list, u64 pid)
{
	struct mm *mms = list->items;
	size_t i, kept = 0;

	for (i = 0; i < list->nr; i++) {
		if (mms[i].pid == pid)
			mms[kept++] = mms[i];
		else
			free_mm(&mms[i]);
	}
	list->nr = kept;
}

void take_sample(struct sample *sample)
{
	int fd = opt.file ? open(opt.file, O_RDONLY | O_CLOEXEC) : open_mms();

	if (fd < 0)
		die("%s: %s", opt.file, strerror(errno));
	memset(sample, 0, sizeof(*sample));
	sample->ns = now_ns();
	sample->text = read_all(fd, opt.file ? opt.file : MMS);
	close(fd);
	read_lines(sample);
	if (opt.file && *sample->text && !sample->mms.nr)
		die("%s: there is no mm in it: it takes a copy of " MMS, opt.file);
	if (opt.pid)
		keep_pid(&sample->mms, opt.pid);
}

/*
 * Is it the same mm? A process has another one after exec, and a PID can be
 * reused; what has been counted never decreases.
 */
static bool same(const struct mm *new, const struct mm *old)
{
	int i;

	if (old->matched || new->pid != old->pid)
		return false;
	for (i = 0; i < FIGURES; i++)
		if (new->now[i] < old->now[i])
			return false;
	return true;
}

static void set_was(struct mm *new, const struct mm *old)
{
	struct event *events = new->events.items, *event;
	size_t i;

	memcpy(new->was, old->now, sizeof(new->was));
	for (i = 0; i < new->events.nr; i++) {
		event = find_event(old, events[i].name);
		if (event && event->now <= events[i].now)
			events[i].was = event->now;
	}
}

/*
 * An mm that is not in the old sample is new: all that it has counted was since
 * then. Both samples have the mms in much the same order.
 */
static void compare(struct sample *new, struct sample *old)
{
	struct mm *mms = new->mms.items, *olds = old->mms.items;
	size_t i, j, k, at = 0;

	new->seconds = (new->ns - old->ns) / 1e9;
	for (i = 0; i < new->mms.nr; i++) {
		for (k = 0; k < old->mms.nr; k++) {
			j = (at + k) % old->mms.nr;
			if (!same(&mms[i], &olds[j]))
				continue;
			set_was(&mms[i], &olds[j]);
			olds[j].matched = true;
			at = j + 1;
			break;
		}
	}
}

/* The next sample takes the place of *@sample. */
void next_sample(struct sample *sample)
{
	struct sample old = *sample;

	take_sample(sample);
	compare(sample, &old);
	free_sample(&old);
}

/* What is shown: a rate if there was a sample before */
double shown(const struct sample *sample, u64 now, u64 was)
{
	return sample->seconds ? (now - was) / sample->seconds : now;
}

static u64 rank(const struct mm *mm)
{
	if (opt.sort == BY_LONGEST)
		return mm->longest_ns;
	if (opt.sort == BY_RANGES)
		return mm->now[RANGES] - mm->was[RANGES];
	return mm->now[CALLBACK_NS] - mm->was[CALLBACK_NS];
}

/*
 * The highest first; in the table, before them those where something is stuck, which
 * is why they have no rate. Those that are equal must not swap places all the time.
 */
static int by_rank(const void *a, const void *b)
{
	const struct mm *m = a, *n = b;
	u64 rm = rank(m), rn = rank(n);

	if (!opt.json && m->stuck != n->stuck)
		return m->stuck ? -1 : 1;
	if (rm != rn)
		return rm < rn ? 1 : -1;
	return (m->pid > n->pid) - (m->pid < n->pid);
}

void sort_mms(struct sample *sample)
{
	if (sample->mms.nr)
		qsort(sample->mms.items, sample->mms.nr, sizeof(struct mm), by_rank);
}

