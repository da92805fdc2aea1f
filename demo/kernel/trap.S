/* SPDX-License-Identifier: MIT */
/*
 * Trap entry and exit, the switch between threads, and copies that survive a bad address.
 *
 * tp is the current thread while the kernel runs. sscratch is 0 then, and holds the thread while
 * user code runs, so that the entry knows where it comes from. The frame (struct trap_frame) goes
 * onto the thread's kernel stack; from the kernel, onto the interrupted stack. Nothing in
 * .text.trap may be probed: it runs before the breakpoint handler can.
 */
#include "riscv.h"

    .macro save_regs
    sd x1, 8(sp)
    sd x3, 24(sp)
    .irp n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd x\n, 8*\n(sp)
    .endr
    .endm

    .section .text.trap, "ax"
    .globl trap_entry
    .type trap_entry, @function
    .balign 4
trap_entry:
    csrrw tp, sscratch, tp
    bnez tp, from_user

    /* From the kernel: sscratch holds tp, tp is free. Would the frame lie in an unmapped guard
     * page? */
    addi sp, sp, -FRAME_SIZE
    slli tp, sp, 63 - STACK_AREA_BIT
    bgez tp, 1f             /* not one of the thread stacks: a program's, or boot's */
    slli tp, sp, 63 - 12
    bgez tp, stack_overflow
1:  sd t0, 8*5(sp)
    addi t0, sp, FRAME_SIZE
    sd t0, 8*2(sp)
    csrr tp, sscratch
    j save

from_user:
    sd sp, THREAD_SCRATCH(tp)
    ld sp, THREAD_KERNEL_SP(tp)
    addi sp, sp, -FRAME_SIZE
    sd t0, 8*5(sp)
    ld t0, THREAD_SCRATCH(tp)
    sd t0, 8*2(sp)

save:
    ld t0, 8*5(sp)
    save_regs
    csrr t0, sscratch       /* the interrupted tp, from either side */
    sd t0, 8*4(sp)
    csrw sscratch, zero
    li t0, SSTATUS_SUM
    csrrc t0, sstatus, t0   /* a copy to or from user memory may have been interrupted */
    sd t0, FRAME_STATUS(sp)
    csrr t0, sepc
    sd t0, FRAME_PC(sp)
    csrr t0, scause
    sd t0, FRAME_CAUSE(sp)
    csrr t0, stval
    sd t0, FRAME_TVAL(sp)
    li fp, 0
    mv a0, sp
    call trap_handler
    .globl trap_handled
trap_handled:
    mv a0, sp

/* void trap_return(struct trap_frame *frame): interrupts are off. */
    .globl trap_return
    .type trap_return, @function
trap_return:
    mv sp, a0
    ld t0, FRAME_STATUS(sp)
    ld t1, FRAME_PC(sp)
    csrw sstatus, t0
    csrw sepc, t1
    andi t0, t0, SSTATUS_SPP
    bnez t0, 1f
    csrw sscratch, tp       /* to user: tp is kept for the next entry */
1:  ld x1, 8(sp)
    ld x3, 24(sp)
    ld x4, 32(sp)
    .irp n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld x\n, 8*\n(sp)
    .endr
    ld sp, 16(sp)
    sret

/* The kernel stack is full. Report from this hart's spare stack; there is no way back. */
stack_overflow:
    csrr tp, sscratch
    addi sp, sp, FRAME_SIZE
    sd sp, THREAD_SCRATCH(tp)
    ld sp, THREAD_CPU(tp)
    ld sp, CPU_OVERFLOW_SP(sp)
    addi sp, sp, -FRAME_SIZE
    save_regs
    sd tp, 8*4(sp)
    ld t0, THREAD_SCRATCH(tp)
    sd t0, 8*2(sp)
    csrw sscratch, zero
    csrr t0, sstatus
    sd t0, FRAME_STATUS(sp)
    csrr t0, sepc
    sd t0, FRAME_PC(sp)
    csrr t0, scause
    sd t0, FRAME_CAUSE(sp)
    csrr t0, stval
    sd t0, FRAME_TVAL(sp)
    mv a0, sp
    call trap_stack_overflow

/* void switch_to(struct thread *prev, struct thread *next): returns when prev is switched to
 * again. */
    .globl switch_to
    .type switch_to, @function
switch_to:
    sd ra, THREAD_CONTEXT + 0(a0)
    sd sp, THREAD_CONTEXT + 8(a0)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd s\n, THREAD_CONTEXT + 16 + 8*\n(a0)
    .endr
    ld ra, THREAD_CONTEXT + 0(a1)
    ld sp, THREAD_CONTEXT + 8(a1)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld s\n, THREAD_CONTEXT + 16 + 8*\n(a1)
    .endr
    mv tp, a1
    ret

/* The first code of every thread. Nobody has called it: that ends walks up its stack. */
    .globl thread_begin
    .type thread_begin, @function
thread_begin:
    li ra, 0
    li fp, 0
    tail thread_main

/*
 * long copy_user_raw(void *dst, const void *src, size_t len): either side may be user memory. long
 * copy_kernel_raw(...): the same without access to user memory. 0, or -EFAULT at the first byte
 * that cannot be read or written: each load and store has a row in .ex_table, which the trap
 * handler consults.
 */
    .macro fallible insn:vararg
8:  \insn
    .pushsection .ex_table, "a"
    .quad 8b, 9f
    .popsection
    .endm

    .macro copy_body
    or t0, a0, a1
    andi t0, t0, 7
    bnez t0, 2f
    li t1, 8
1:  bltu a2, t1, 2f
    fallible ld t0, (a1)
    fallible sd t0, (a0)
    addi a0, a0, 8
    addi a1, a1, 8
    addi a2, a2, -8
    j 1b
2:  beqz a2, 3f
    fallible lbu t0, (a1)
    fallible sb t0, (a0)
    addi a0, a0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j 2b
3:  li a0, 0
    j 4f
9:  li a0, -14 /* EFAULT */
4:
    .endm

    .text
    .globl copy_user_raw
    .type copy_user_raw, @function
copy_user_raw:
    li t2, SSTATUS_SUM
    csrs sstatus, t2
    copy_body
    csrc sstatus, t2
    ret
    .size copy_user_raw, . - copy_user_raw

    .globl copy_kernel_raw
    .type copy_kernel_raw, @function
copy_kernel_raw:
    copy_body
    ret
    .size copy_kernel_raw, . - copy_kernel_raw
