/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of each hart. OpenSBI starts one hart at _start with the MMU off, a0 =
 * hart id, a1 = device tree; the kernel starts the others at _start_secondary (SBI HSM), a1 = the
 * hart's idle thread.
 */
#include "riscv.h"

    .section .text.head, "ax"
    .globl _start
    .type _start, @function
_start:
    csrw sie, zero
    mv s1, a0
    mv s2, a1
    la t0, booted
    li t1, 1
    amoswap.w t1, t1, (t0)
    bnez t1, started_here
    la t0, __bss_start
    la t1, __bss_end
1:  sd zero, (t0)
    addi t0, t0, 8
    bltu t0, t1, 1b
    call enable_mmu
    la sp, boot_stack + PAGE_SIZE
    la tp, boot_thread
    li fp, 0
    mv a0, s1
    mv a1, s2
    tail kernel_main

/* OpenSBI 1.1 marks a hart as to be started before it stores the address for it: one that looks in
 * between comes here a second time. Its idle thread is in its struct cpu, as start_harts() put it
 * there before. */
started_here:
    la t0, cpus
    li t1, MAX_HARTS
1:  ld t2, CPU_HARTID(t0)
    ld a1, CPU_IDLE(t0)
    bne t2, a0, 2f
    bnez a1, _start_secondary
2:  addi t0, t0, CPU_SIZE
    addi t1, t1, -1
    bnez t1, 1b
3:  wfi
    j 3b

    .globl _start_secondary
    .type _start_secondary, @function
_start_secondary:
    csrw sie, zero
    mv tp, a1
    call enable_mmu
    ld t0, kernel_satp
    csrw satp, t0
    sfence.vma
    ld sp, THREAD_KERNEL_SP(tp)
    li fp, 0
    tail hart_main

/* Turns paging on and returns to the virtual alias of the caller. The next instruction after the
 * write to satp is fetched through early_root's identity mapping. */
enable_mmu:
    li t0, KERNEL_BASE
    add ra, ra, t0
    la t0, early_root
    srli t0, t0, 12
    li t1, 8 << 60 /* Sv39 */
    or t0, t0, t1
    sfence.vma
    csrw satp, t0
    sfence.vma
    ret

/* Gigabyte pages: RAM's first at its physical address, and all up to PHYS_END at KERNEL_BASE.
 * Everything is writable and executable here; vm_init() builds the real table. */
    .section .rodata
    .balign PAGE_SIZE
early_root:
    .zero 2 * 8
    .quad (0x80000000 >> 2) | 0xcf
    .zero 253 * 8
    .set gigabyte, 0
    .rept 64
    .quad gigabyte | 0xcf
    .set gigabyte, gigabyte + (0x40000000 >> 2)
    .endr
    .zero 192 * 8

    .data
    .balign 4
booted:
    .word 0

    .bss
    .balign PAGE_SIZE
boot_stack:
    .zero PAGE_SIZE
