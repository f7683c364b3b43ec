/* SPDX-License-Identifier: GPL-2.0 */
	.section .rodata
	.globl guest_code, guest_code_end
guest_code:
	.incbin "code.bin"
guest_code_end:
	.section .note.GNU-stack, "", @progbits
