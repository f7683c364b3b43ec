/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entries of the guest's exception vectors: they come first in the code,
 * GUEST_VECTOR_SIZE bytes each.  They complete a struct exception on the stack
 * (some exceptions push an error code themselves, the others get 0) and hand it
 * to the host, which does not come back.
 */
	.set has_error_code, 0x60227d00		/* one bit for each vector */
	.set vector, 0

	.section .vectors, "ax"
	.rept 32				/* GUEST_VECTORS */
	.balign 16
	.if ((has_error_code >> vector) & 1) == 0
	pushq $0
	.endif
	pushq $vector
	jmp exception
	.set vector, vector + 1
	.endr

	.balign 16
exception:
	movq %rsp, %rdi
	outb %al, $0x12				/* GUEST_PORT_EXCEPTION */
	hlt
	.section .note.GNU-stack, "", @progbits
