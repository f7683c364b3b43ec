// SPDX-License-Identifier: GPL-2.0
/*
 * mmu_notifier_top: which address spaces keep their MMU notifiers busy, and who is
 * stuck there. This is the table, on a terminal or printed once.
 *
 * No byte of a task's name gets to a terminal unless it is printable.
 *
 * Compile with:
 *
 * gcc -Wall -Wextra -o mmu_notifier_top mmu_notifier_top*.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "mmu_notifier_top.h"

#define EXIT_USAGE	2
#define KEYS		"sort by: t time, r ranges, l longest; space: now; q: quit"

#define BOLD		"\033[1m"
#define REVERSE		"\033[7m"
#define ALARM		"\033[1;31m"

static const char *const sorts[] = { "time", "ranges", "longest" };

struct options opt;

static void leave_screen(void);

void die(const char *fmt, ...)
{
	va_list args;

	leave_screen();
	fflush(stdout);
	fputs(NAME ": ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

/*
 * The screen. What is not shown live is as wide and as long as it has to be.
 */

static struct {
	bool live;		/* the terminal is ours */
	bool attributes;
	int rows;
	int columns;
	int used;		/* rows, so far */
	int lost;		/* lines that there was no row for */
	struct termios saved;
	bool have_saved;
} screen;

static void enter_screen(void)
{
	struct termios keys;

	/* the other screen, and no cursor */
	fputs("\033[?1049h\033[?25l", stdout);
	screen.live = true;
	if (tcgetattr(STDIN_FILENO, &screen.saved))
		return;
	screen.have_saved = true;
	keys = screen.saved;
	keys.c_lflag &= ~(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &keys);
}

static void leave_screen(void)
{
	if (!screen.live)
		return;
	screen.live = false;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (screen.have_saved)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen.saved);
}

static void measure_screen(void)
{
	struct winsize size;

	screen.rows = 24;
	screen.columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
		return;
	screen.rows = size.ws_row;
	screen.columns = size.ws_col;
}

/* Prints one line, of which it replaces what is not printable. */
static void __printf(2, 3) line(const char *attribute, const char *fmt, ...)
{
	va_list args;
	char *text, *c;
	int len;

	/* The last row is for the keys. */
	if (screen.live && screen.used >= screen.rows - 1) {
		screen.lost++;
		return;
	}
	screen.used++;
	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		die("out of memory");
	for (c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	/* In the last column, some terminals would clear what has just been written. */
	if (screen.live && len >= screen.columns)
		text[screen.columns - 1] = '\0';
	if (*attribute && screen.attributes)
		printf("%s%s\033[0m", attribute, text);
	else
		fputs(text, stdout);
	fputs(screen.live ? "\033[K\n" : "\n", stdout);
	free(text);
}

struct text {
	char s[32];
};

/* Both fit into seven columns. */
static struct text duration(double ns)
{
	struct text t;

	if (ns < 999.5)
		snprintf(t.s, sizeof(t.s), "%.0fns", ns);
	else if (ns < 999.95e3)
		snprintf(t.s, sizeof(t.s), "%.1fus", ns / 1e3);
	else if (ns < 999.95e6)
		snprintf(t.s, sizeof(t.s), "%.1fms", ns / 1e6);
	else if (ns < 999.995e9)
		snprintf(t.s, sizeof(t.s), "%.2fs", ns / 1e9);
	else if (ns < 999999e9)
		snprintf(t.s, sizeof(t.s), "%.0fs", ns / 1e9);
	else
		snprintf(t.s, sizeof(t.s), "%.0fd", ns / 86400e9);
	return t;
}

static struct text amount(const struct sample *sample, double n)
{
	struct text t;

	if (sample->seconds && n < 999.95)
		snprintf(t.s, sizeof(t.s), "%.1f", n);
	else if (n < 1e7 - 0.5)
		snprintf(t.s, sizeof(t.s), "%.0f", n);
	else if (n < 1e9)
		snprintf(t.s, sizeof(t.s), "%.0fk", n / 1e3);
	else if (n < 1e12)
		snprintf(t.s, sizeof(t.s), "%.0fM", n / 1e6);
	else
		snprintf(t.s, sizeof(t.s), "%.3gT", n / 1e12);
	return t;
}

static void row(const char *pid, const char *comm, const struct sample *sample,
		const double *n, u64 longest_ns)
{
	line(BOLD, "%7s %-15.15s %7s %8s %7s %7s %7s %7s %7s", pid, comm,
	     duration(n[CALLBACK_NS]).s, amount(sample, n[RANGES]).s,
	     amount(sample, n[CALLBACKS]).s, amount(sample, n[YOUNG]).s,
	     duration(longest_ns).s, duration(n[WAIT_US] * 1e3).s,
	     amount(sample, n[RETRIES]).s);
}

static void show_total(const struct sample *sample)
{
	const struct mm *mms = sample->mms.items;
	double sum[FIGURES] = { 0 };
	u64 longest_ns = 0;
	size_t i;
	int f;

	for (i = 0; i < sample->mms.nr; i++) {
		for (f = 0; f < FIGURES; f++)
			sum[f] += shown(sample, mms[i].now[f], mms[i].was[f]);
		if (mms[i].longest_ns > longest_ns)
			longest_ns = mms[i].longest_ns;
	}
	row("total", "", sample, sum, longest_ns);
}

static void show_events(const struct sample *sample, const struct mm *mm)
{
	const struct event *events = mm->events.items;
	char *text = NULL;
	size_t i, size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		die("out of memory");
	for (i = 0; i < mm->events.nr; i++)
		if (events[i].now > events[i].was)
			fprintf(f, " %s %s", events[i].name,
				amount(sample, shown(sample, events[i].now, events[i].was)).s);
	if (fclose(f))
		die("out of memory");
	if (*text)
		line("", "        ranges:%s", text);
	free(text);
}

static void show_activities(const struct list *list)
{
	const struct activity *a = list->items;
	const char *attribute, *mark;
	struct text age;
	size_t i;

	for (i = 0; i < list->nr; i++, a++) {
		attribute = is_stuck(a) ? ALARM : "";
		mark = is_stuck(a) ? "STUCK" : "";
		age = duration(a->age_us * 1e3);
		if (a->callback)
			line(attribute, "%7s in %s for %s, task %llu/%llu %s", mark,
			     a->callback, age.s, a->pid, a->tid, a->comm);
		else
			line(attribute, "%7s range %llx-%llx %s%s for %s, task %llu/%llu %s",
			     mark, a->start, a->end, a->event, a->blockable ? "" : " nonblock",
			     age.s, a->pid, a->tid, a->comm);
	}
}

static void show_mm(const struct sample *sample, const struct mm *mm)
{
	char **subscribers = mm->subscribers.items;
	double n[FIGURES];
	char pid[24];
	size_t i;

	for (i = 0; i < FIGURES; i++)
		n[i] = shown(sample, mm->now[i], mm->was[i]);
	snprintf(pid, sizeof(pid), "%llu", mm->pid);
	row(pid, mm->comm, sample, n, mm->longest_ns);
	show_activities(&mm->ranges);
	show_activities(&mm->calls);
	for (i = 0; i < mm->subscribers.nr; i++)
		line("", "        %s", subscribers[i]);
	if (mm->intervals)
		line("", "        %llu intervals in %llx-%llx",
		     mm->intervals, mm->first, mm->last);
	if (mm->longest)
		line("", "        longest: %s", mm->longest);
	show_events(sample, mm);
}

static void show_table(const struct sample *sample)
{
	const struct mm *mms = sample->mms.items;
	bool rates = sample->seconds;
	size_t i, stuck = 0;

	for (i = 0; i < sample->mms.nr; i++)
		stuck += mms[i].stuck;
	if (rates)
		line(stuck ? ALARM : "", "mms: %zu, stuck: %zu; by %s, over %.1f s",
		     sample->mms.nr, stuck, sorts[opt.sort], sample->seconds);
	else
		line(stuck ? ALARM : "", "mms: %zu, stuck: %zu; by %s, since first subscribed to",
		     sample->mms.nr, stuck, sorts[opt.sort]);
	line(REVERSE, "%7s %-15s %7s %8s %7s %7s %7s %7s %7s", "PID", "COMMAND",
	     rates ? "TIME/s" : "TIME", rates ? "RANGES/s" : "RANGES",
	     rates ? "CALLS/s" : "CALLS", rates ? "YOUNG/s" : "YOUNG", "LONGEST",
	     rates ? "WAIT/s" : "WAIT", rates ? "RETRY/s" : "RETRIES");
	show_total(sample);
	for (i = 0; i < sample->mms.nr; i++)
		show_mm(sample, &mms[i]);
	if (sample->unreadable)
		line(ALARM, "lines that could not be read: %llu", sample->unreadable);
}

static void draw(struct sample *sample)
{
	char keys[128] = KEYS;

	measure_screen();
	sort_mms(sample);
	screen.used = 0;
	screen.lost = 0;
	fputs("\033[H", stdout);
	show_table(sample);
	if (screen.lost)
		snprintf(keys, sizeof(keys), "%d more lines; " KEYS, screen.lost);
	printf("\033[J%.*s", screen.columns - 1, keys);
	fflush(stdout);
}

/*
 * Loops
 */

/* Neither a full disk nor a closed pipe must look like success. */
static void check_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		die("can't write the output: %s", strerror(errno));
}

static void show(struct sample *sample)
{
	sort_mms(sample);
	if (opt.json)
		print_json(sample);
	else
		show_table(sample);
	check_output();
}

static void pause_for(double seconds)
{
	struct timespec left;

	left.tv_sec = seconds;
	left.tv_nsec = (seconds - left.tv_sec) * 1e9;
	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static void run_once(void)
{
	struct sample sample;

	take_sample(&sample);
	if (opt.interval) {
		pause_for(opt.interval);
		next_sample(&sample);
	}
	show(&sample);
	free_sample(&sample);
}

static void run_json(double interval)
{
	struct sample sample;

	take_sample(&sample);
	for (;;) {
		pause_for(interval);
		next_sample(&sample);
		show(&sample);
	}
}

/* The signals that end or stop the program, or change its window, to be polled for */
static int open_signals(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };
	struct sigaction action;
	size_t i;
	int fd;

	sigemptyset(set);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		/* as by nohup */
		if (!sigaction(signals[i], NULL, &action) && action.sa_handler == SIG_IGN)
			continue;
		sigaddset(set, signals[i]);
	}
	sigprocmask(SIG_BLOCK, set, NULL);
	fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die("signalfd: %s", strerror(errno));
	return fd;
}

/* Stops, or dies, as if the program didn't handle the signal. */
static void take_signal(int fd, const sigset_t *set)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info) || info.ssi_signo == SIGWINCH)
		return;
	leave_screen();
	raise(info.ssi_signo);
	sigprocmask(SIG_UNBLOCK, set, NULL);
	/* SIGCONT */
	sigprocmask(SIG_BLOCK, set, NULL);
	enter_screen();
}

enum key { NOTHING, REDRAW, UPDATE, QUIT };

static enum key take_key(void)
{
	char c;

	if (read(STDIN_FILENO, &c, 1) != 1)
		return NOTHING;
	switch (c) {
	case 't':
		opt.sort = BY_TIME;
		return REDRAW;
	case 'r':
		opt.sort = BY_RANGES;
		return REDRAW;
	case 'l':
		opt.sort = BY_LONGEST;
		return REDRAW;
	case ' ':
		return UPDATE;
	case 'q':
		return QUIT;
	default:
		return REDRAW;
	}
}

/* Waits for a key, a signal, or the time @until. */
static enum key wait_for(struct pollfd *fds, const sigset_t *set, u64 until)
{
	u64 now = now_ns();
	enum key key;
	int n;

	n = now < until ? poll(fds, 2, (until - now + 999999) / 1000000) : 0;
	if (!n)
		return UPDATE;
	if (n < 0)
		return NOTHING;
	if (fds[1].revents)
		take_signal(fds[1].fd, set);
	if (!fds[0].revents)
		return REDRAW;
	key = take_key();
	if (key == NOTHING)
		fds[0].fd = -1;		/* there is no keyboard */
	return key;
}

static void run_live(double interval)
{
	struct pollfd fds[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .events = POLLIN },
	};
	struct sample sample;
	enum key key = REDRAW;
	sigset_t set;

	take_sample(&sample);
	fds[1].fd = open_signals(&set);
	enter_screen();
	while (key != QUIT) {
		if (key == UPDATE)
			next_sample(&sample);
		if (key != NOTHING)
			draw(&sample);
		key = wait_for(fds, &set, sample.ns + interval * 1e9);
	}
	leave_screen();
	free_sample(&sample);
}

static void usage(FILE *to)
{
	fputs("Usage: " NAME " [OPTION]...\n"
	      "Show which address spaces keep their MMU notifiers busy, and who is stuck.\n\n"
	      "  -s, --sort KEY          time in callbacks (the default), ranges, or longest\n"
	      "                          callback; keys: t, r, l\n"
	      "  -i, --interval SECONDS  between two samples (default: 2)\n"
	      "  -1, --once              print one table of totals, or, with --interval, of\n"
	      "                          rates over that time\n"
	      "  -j, --json              print JSON, one object a line\n"
	      "  -p, --pid PID           only this process\n"
	      "  -f, --file FILE         read a copy of " MMS "\n"
	      "  -h, --help              print this\n", to);
}

static void __noreturn misused(const char *what, const char *value)
{
	fprintf(stderr, NAME ": %s '%s': try " NAME " --help\n", what, value);
	exit(EXIT_USAGE);
}

static void set_sort(const char *value)
{
	size_t i;

	for (i = 0; i < sizeof(sorts) / sizeof(*sorts); i++)
		if (!strcmp(value, sorts[i])) {
			opt.sort = i;
			return;
		}
	misused("can't sort by", value);
}

static void set_interval(const char *value)
{
	char *end;

	opt.interval = strtod(value, &end);
	if (end == value || *end || !(opt.interval >= 0.1 && opt.interval <= 86400))
		misused("an interval is 0.1 to 86400 seconds, not", value);
}

static void set_pid(const char *value)
{
	if (!is_number(value, 10, '\0', &opt.pid) || !opt.pid)
		misused("not a PID:", value);
}

static void options(int argc, char **argv)
{
	static const struct option all[] = {
		{ "sort", required_argument, NULL, 's' },
		{ "interval", required_argument, NULL, 'i' },
		{ "once", no_argument, NULL, '1' },
		{ "json", no_argument, NULL, 'j' },
		{ "pid", required_argument, NULL, 'p' },
		{ "file", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "s:i:1jp:f:h", all, NULL)) != -1) {
		switch (c) {
		case 's':
			set_sort(optarg);
			break;
		case 'i':
			set_interval(optarg);
			break;
		case '1':
			opt.once = true;
			break;
		case 'j':
			opt.json = true;
			break;
		case 'p':
			set_pid(optarg);
			break;
		case 'f':
			opt.file = optarg;
			break;
		case 'h':
			usage(stdout);
			check_output();
			exit(EXIT_SUCCESS);
		default:
			exit(EXIT_USAGE);	/* getopt has said why */
		}
	}
	if (optind < argc)
		misused("no such argument:", argv[optind]);
}

int main(int argc, char **argv)
{
	const char *term = getenv("TERM");
	bool terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
	double interval;

	options(argc, argv);
	interval = opt.interval ? opt.interval : 2;
	screen.attributes = terminal && !getenv("NO_COLOR");
	if (opt.once)
		run_once();
	else if (opt.json)
		run_json(interval);
	else if (terminal)
		run_live(interval);
	else
		die("there is no terminal to draw on: use --once or --json");
	return EXIT_SUCCESS;
}
