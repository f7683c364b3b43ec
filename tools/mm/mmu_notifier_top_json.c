// SPDX-License-Identifier: GPL-2.0
/*
 * A sample as JSON. Whatever the names of tasks are made of, it is valid: what is not
 * UTF-8 becomes U+FFFD.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mmu_notifier_top.h"

static const char *const figure_names[FIGURES] = {
	"ranges", "callbacks", "callback_ns", "young", "waits", "wait_us", "retries",
};

/* The length of the character of UTF-8 that @s begins with, or 0 */
static size_t utf8(const unsigned char *s, size_t n)
{
	size_t i, len;

	if (s[0] < 0x80)
		return 1;
	len = s[0] < 0xc2 || s[0] > 0xf4 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (!len || len > n)
		return 0;
	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Too long for what it is, a surrogate, or beyond Unicode */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static void json_bytes(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len;

	putchar('"');
	for (; n; n -= len, s += len) {
		len = utf8(s, n);
		if (!len) {
			fputs("\\ufffd", stdout);
			len = 1;
		} else if (*s == '"' || *s == '\\') {
			printf("\\%c", *s);
		} else if (*s < ' ' || *s == 0x7f) {
			printf("\\u%04x", *s);
		} else {
			fwrite(s, 1, len, stdout);
		}
	}
	putchar('"');
}

static void json_string(const char *s)
{
	if (s)
		json_bytes(s, strlen(s));
	else
		fputs("null", stdout);
}

/* Digits of @base behind a backslash: one byte, or -1 */
static int escaped_byte(const char **s, int base, int max)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at;
	int n, byte = 0;

	for (n = 0; n < max && **s; n++, (*s)++) {
		at = strchr(digits, **s);
		if (!at || (at - digits) % 16 >= base)
			break;
		byte = byte * base + (at - digits) % 16;
	}
	return n ? byte & 0xff : -1;
}

/* A name of a task, without what the kernel's string_escape_mem() has put in */
static void json_comm(const char *s)
{
	static const char letters[] = "n\nr\rt\tv\vf\fa\ae\033\\\\\"\"";
	char *text = malloc(strlen(s) + 1);
	const char *from, *at;
	size_t n = 0;
	int byte;

	if (!text)
		die("out of memory");
	while (*s) {
		if (*s != '\\' || !s[1]) {
			text[n++] = *s++;
			continue;
		}
		from = ++s;
		for (at = letters; *at && *at != *s; at += 2)
			;
		if (*at) {
			byte = (unsigned char)at[1];
			s++;
		} else if (*s == 'x') {
			s++;
			byte = escaped_byte(&s, 16, 2);
		} else {
			byte = escaped_byte(&s, 8, 3);
		}
		if (byte < 0) {		/* no escape after all */
			s = from;
			byte = '\\';
		}
		text[n++] = byte;
	}
	json_bytes(text, n);
	free(text);
}

static void json_activities(const char *key, const struct list *list)
{
	const struct activity *a = list->items;
	size_t i;

	printf(",\"%s\":[", key);
	for (i = 0; i < list->nr; i++, a++) {
		fputs(i ? ",{" : "{", stdout);
		if (a->callback) {
			fputs("\"callback\":", stdout);
			json_string(a->callback);
		} else {
			printf("\"start\":\"0x%llx\",\"end\":\"0x%llx\",\"event\":",
			       a->start, a->end);
			json_string(a->event);
			printf(",\"blockable\":%s", a->blockable ? "true" : "false");
		}
		printf(",\"pid\":%llu,\"tid\":%llu,\"comm\":",
		       a->pid, a->tid);
		json_comm(a->comm);
		printf(",\"age_us\":%llu,\"stuck\":%s}",
		       a->age_us, is_stuck(a) ? "true" : "false");
	}
	putchar(']');
}

/* All figures and events: the totals, or the rates */
static void json_figures(const char *key, const struct sample *sample, const struct mm *mm,
			 bool rates)
{
	const struct event *events = mm->events.items;
	size_t i;

	printf(",\"%s\":{", key);
	for (i = 0; i < FIGURES; i++) {
		printf("\"%s\":", figure_names[i]);
		if (rates)
			printf("%.3f,", shown(sample, mm->now[i], mm->was[i]));
		else
			printf("%llu,", mm->now[i]);
	}
	fputs("\"events\":{", stdout);
	for (i = 0; i < mm->events.nr; i++) {
		if (i)
			putchar(',');
		json_string(events[i].name);
		if (rates)
			printf(":%.3f", shown(sample, events[i].now, events[i].was));
		else
			printf(":%llu", events[i].now);
	}
	fputs("}}", stdout);
}

static void json_mm(const struct sample *sample, const struct mm *mm)
{
	char **subscribers = mm->subscribers.items;
	size_t i;

	printf("{\"pid\":%llu,\"comm\":", mm->pid);
	json_comm(mm->comm);
	fputs(",\"subscribers\":[", stdout);
	for (i = 0; i < mm->subscribers.nr; i++) {
		if (i)
			putchar(',');
		json_string(subscribers[i]);
	}
	fputs("],\"intervals\":", stdout);
	if (mm->intervals)
		printf("{\"count\":%llu,\"first\":\"0x%llx\",\"last\":\"0x%llx\"}",
		       mm->intervals, mm->first, mm->last);
	else
		fputs("null", stdout);
	json_activities("in_progress", &mm->ranges);
	json_activities("running", &mm->calls);
	printf(",\"longest\":{\"ns\":%llu,\"callback\":", mm->longest_ns);
	json_string(mm->longest);
	putchar('}');
	json_figures("totals", sample, mm, false);
	if (sample->seconds)
		json_figures("rates", sample, mm, true);
	else
		fputs(",\"rates\":null", stdout);
	putchar('}');
}

void print_json(const struct sample *sample)
{
	const struct mm *mms = sample->mms.items;
	struct timespec now;
	size_t i;

	clock_gettime(CLOCK_REALTIME, &now);
	printf("{\"time\":%lld.%03ld,\"seconds\":", (long long)now.tv_sec, now.tv_nsec / 1000000);
	if (sample->seconds)
		printf("%.3f", sample->seconds);
	else
		fputs("null", stdout);
	printf(",\"unreadable\":%llu,\"mms\":[", sample->unreadable);
	for (i = 0; i < sample->mms.nr; i++) {
		if (i)
			putchar(',');
		json_mm(sample, &mms[i]);
	}
	fputs("]}\n", stdout);
}

