/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The 64-bit mode in which our guests start, with flat segments and no BIOS: what a
 * processor has after its first steps.
 */
#ifndef GUEST_LONG_MODE_H
#define GUEST_LONG_MODE_H

#include <linux/kvm.h>

/* @pml4: where the guest has its page tables */
static inline void set_long_mode(struct kvm_sregs *sregs, unsigned long pml4)
{
	const struct kvm_segment code = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1,
		.l = 1, .g = 1,
	};
	const struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1,
		.db = 1, .g = 1,
	};

	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->cr3 = pml4;
	sregs->cr4 = 1 << 5;			/* PAE */
	sregs->cr0 = 1u << 31 | 1 << 16 | 1;	/* PG, WP, PE */
	sregs->efer = 1 << 10 | 1 << 8;		/* LMA, LME */
}

#endif /* GUEST_LONG_MODE_H */
