// SPDX-License-Identifier: GPL-2.0
/*
 * Reads debugfs and the kernel log.
 */
#include "observe.h"

#define FIGURES_SIZE	(1024 * 1024)
#define LOG_SIZE	(256 * 1024)

/*
 * Not in the program: all of that is loaded into the guest, which is small.  What
 * was allocated for one path goes with the process that runs it.
 */
static char *room_for(char *text, size_t size)
{
	if (!text)
		text = malloc(size);
	if (!text)
		fail("out of memory");
	return text;
}

/* The file is a line "mm TGID COMM" for each mm, with lines that belong to it. */
static char *figures;

static void read_figures(void)
{
	int fd = open(FIGURES, O_RDONLY);
	size_t size = 0;
	ssize_t n;

	figures = room_for(figures, FIGURES_SIZE);
	if (fd < 0)
		fail("%s: %s", FIGURES, strerror(errno));
	while ((n = read(fd, figures + size, FIGURES_SIZE - 1 - size)) > 0)
		size += n;
	if (n < 0)
		fail("reading %s: %s", FIGURES, strerror(errno));
	close(fd);
	if (size == FIGURES_SIZE - 1)
		fail("%s is too long", FIGURES);
	figures[size] = 0;
}

static bool is_ours(const char *line)
{
	int tgid;

	return sscanf(line, "mm %d", &tgid) == 1 && tgid == getpid();
}

static char *behind(char *line)
{
	char *end = strchr(line, '\n');

	return end ? end + 1 : NULL;
}

/*
 * Returns what follows @keyword in a line of this process, the first one or the one
 * behind @last, or NULL.
 */
static char *find(const char *keyword, char *last)
{
	size_t length = strlen(keyword);
	bool ours = !!last;
	char *line;

	if (!last)
		read_figures();
	for (line = last ? behind(last) : figures; line; line = behind(line)) {
		if (!strncmp(line, "mm ", 3))
			ours = is_ours(line);
		if (!ours)
			continue;
		line += strspn(line, " \t");
		if (!strncmp(line, keyword, length) && line[length] == ' ')
			return line + length + 1;
	}
	return NULL;
}

/* Returns the first number that follows @keyword. */
uint64_t figure(const char *keyword)
{
	char *value = find(keyword, NULL);
	char *end = value;
	uint64_t n = 0;

	if (value)
		n = strtoul(value, &end, 10);
	if (end == value)
		fail("%s has no line '%s' for this process", FIGURES, keyword);
	return n;
}

/* Whether the task is in a callback whose name begins with @callback. */
bool in_callback(pid_t tid, const char *callback)
{
	char *line = NULL;
	int in;

	while ((line = find("call", line)))
		if (!strncmp(line, callback, strlen(callback)) &&
		    sscanf(line, "%*s %*d %d", &in) == 1 && in == tid)
			return true;
	return false;
}

/* Whether a range is in progress that the task has started, at @start. */
bool in_range(pid_t tid, char *start)
{
	unsigned long from;
	char *line = NULL;
	int by;

	while ((line = find("range", line)))
		if (sscanf(line, "%lx-%*lx %*s %*s %*d %d", &from, &by) == 2 &&
		    from == (unsigned long)start && by == tid)
			return true;
	return false;
}

static char *said;	/* since log_begin() */
static size_t length;
static int kmsg = -1;

void log_begin(void)
{
	if (kmsg < 0) {
		kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
		must(kmsg);
	}
	must(lseek(kmsg, 0, SEEK_END));
	said = room_for(said, LOG_SIZE);
	length = 0;
	said[0] = 0;
}

static void read_log(void)
{
	/* A stack that grows needs mmap_lock, which a range may hold. */
	static char record[8192];
	ssize_t n;

	for (;;) {
		n = read(kmsg, record, sizeof(record));
		/* Records that were overwritten are lost. */
		if (n < 0 && errno == EPIPE)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			fail("reading /dev/kmsg: %s", strerror(errno));
		if (length + n >= LOG_SIZE)
			fail("the kernel says too much");
		memcpy(said + length, record, n);
		length += n;
		said[length] = 0;
	}
}

/* Whether the kernel has said all of the words since log_begin(). */
bool log_has(const char *const *words)
{
	read_log();
	for (; *words; words++)
		if (!strstr(said, *words))
			return false;
	return true;
}
