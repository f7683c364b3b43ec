// SPDX-License-Identifier: GPL-2.0
/*
 * The code that runs in the guest: it carries out orders, one by one.
 *
 * It runs in 64-bit mode on identity page tables, with interrupts off and no
 * device.  It expects no exception; vectors.S reports any to the host.
 */
#include "work.h"

static inline void out(unsigned short port)
{
	asm volatile("outb %%al, %0" : : "Nd"(port), "a"(0) : "memory");
}

static void step(void)
{
	out(GUEST_PORT_STEP);
}

__attribute__((section(".entry"), noreturn))
void guest_main(struct order *order)
{
	for (;;) {
		carry_out((char *)0, order, step);
		out(GUEST_PORT_DONE);
	}
}
