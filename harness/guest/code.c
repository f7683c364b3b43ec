// SPDX-License-Identifier: GPL-2.0
/*
 * The code that runs in the guest: it carries out one order after the other.
 *
 * It runs in 64-bit mode on identity page tables, with interrupts off and no
 * device.  It expects no exception, and tells the host of any.
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

/*
 * The vectors' entries come first in the code, each of the same size.  They
 * make a struct exception on the stack: some exceptions push an error code
 * themselves, the others get 0.
 */
asm(".section .vectors, \"ax\"\n"
    "vector = 0\n"
    ".rept 32\n"
    "	.balign 16\n"
    "	.if ((0x60227d00 >> vector) & 1) == 0\n"
    "	pushq $0\n"
    "	.endif\n"
    "	pushq $vector\n"
    "	jmp exception\n"
    "	vector = vector + 1\n"
    ".endr\n"
    "	.balign 16\n"
    "exception:\n"
    "	movq %rsp, %rdi\n"
    "	outb %al, $0x12\n"		/* GUEST_PORT_EXCEPTION */
    "	hlt\n"
    ".previous\n");

__attribute__((section(".entry"), noreturn))
void guest_main(struct order *order)
{
	for (;;) {
		carry_out((char *)0, order, step);
		out(GUEST_PORT_DONE);
	}
}
