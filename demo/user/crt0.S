/* SPDX-License-Identifier: MIT */
/* The first instructions of a user program: sp points to argc, argv, envp and the auxiliary vector. */
    .section .text.start, "ax"
    .globl _start
_start:
    mv a0, sp
    andi sp, sp, -16
    li fp, 0
    li ra, 0
    tail lib_start
