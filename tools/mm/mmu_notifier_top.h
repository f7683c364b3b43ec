/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sample of what MMU notifiers have counted: mmu_notifier/mms of debugfs.
 *
 * It is one block of text, cut into words in place. Whatever is a string below
 * points into the sample it is from, and is gone with it.
 *
 * The names of tasks are chosen by others. They stay as the kernel has escaped them
 * until they are printed.
 */
#ifndef MMU_NOTIFIER_TOP_H
#define MMU_NOTIFIER_TOP_H

#include <stdbool.h>
#include <stddef.h>

#define NAME		"mmu_notifier_top"
#define MMS		"mmu_notifier/mms"

#define __noreturn		__attribute((__noreturn__))
#define __printf(format, args)	__attribute((__format__(__printf__, format, args)))

typedef unsigned long long u64;

/* What is counted, from the first subscription on; there are rates of all these. */
enum { RANGES, CALLBACKS, CALLBACK_NS, YOUNG, WAITS, WAIT_US, RETRIES, FIGURES };

/* @nr items of one type */
struct list {
	void *items;
	size_t nr;
};

/* A range in progress, or, with @callback, a callback that is running */
struct activity {
	char *callback;
	char *event;
	u64 start;
	u64 end;
	bool blockable;
	u64 pid;		/* the task that is in it */
	u64 tid;
	char *comm;
	u64 age_us;
};

struct event {
	char *name;
	u64 now;
	u64 was;
};

struct mm {
	u64 pid;
	char *comm;
	struct list subscribers;	/* char * */
	struct list ranges;		/* struct activity */
	struct list calls;		/* struct activity */
	struct list events;		/* struct event */
	u64 intervals;
	u64 first;
	u64 last;
	u64 longest_ns;
	char *longest;			/* NULL if there is none */
	u64 now[FIGURES];
	u64 was[FIGURES];		/* in the sample before, or 0 */
	bool stuck;			/* one of ranges and calls is */
	bool matched;			/* with an mm of the next sample */
};

struct sample {
	char *text;
	struct list mms;		/* struct mm */
	u64 unreadable;			/* lines */
	u64 ns;				/* when it was taken */
	double seconds;			/* since the sample before; 0: there is none */
};

enum sort { BY_TIME, BY_RANGES, BY_LONGEST };

extern struct options {
	bool once;
	bool json;
	enum sort sort;
	double interval;		/* 0: not given */
	u64 pid;			/* 0: all */
	const char *file;		/* NULL: that of debugfs */
} opt;

void __noreturn __printf(1, 2) die(const char *fmt, ...);

u64 now_ns(void);
bool is_number(const char *w, int base, char end, u64 *n);
void take_sample(struct sample *sample);
void next_sample(struct sample *sample);
void free_sample(struct sample *sample);
void sort_mms(struct sample *sample);
double shown(const struct sample *sample, u64 now, u64 was);
bool is_stuck(const struct activity *activity);

void print_json(const struct sample *sample);

#endif
