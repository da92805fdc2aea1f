/* SPDX-License-Identifier: MIT */
/*
 * The machine: address-space layout, Sv39 page-table entries, CSRs and interrupt state. Names and
 * numbers are those of the RISC-V Privileged Architecture manual. The part before __ASSEMBLER__ is
 * for .S files too.
 */
#ifndef DEMO_RISCV_H
#define DEMO_RISCV_H

#define PAGE_SIZE 4096
#define MAX_HARTS 8

/*
 * Virtual memory (Sv39). Every process has the kernel's half too.
 *   0 .. USER_END             the process; page 0 is never mapped
 *   KERNEL_BASE + pa          all physical memory that the kernel uses, its own image included:
 *                             text R-X, read-only data R--, everything else RW-
 *   FIXMAP                    one page, the temporary writable alias of text (text_poke)
 *   STACK_AREA                kernel stacks, 8 KiB each: a page never mapped, then the stack
 * The trap entry recognizes a stack overflow by two bits of sp: STACK_AREA_BIT is set in no other
 * kernel address, and bit 12 is clear in the unmapped pages.
 */
#define USER_END 0x4000000000
#define KERNEL_BASE 0xffffffc000000000
#define FIXMAP 0xffffffd000000000
#define STACK_AREA 0xffffffe000000000
#define STACK_AREA_BIT 37
#define STACK_SIZE PAGE_SIZE
#define PHYS_END (FIXMAP - KERNEL_BASE)

/* Physical addresses of QEMU's virt machine. */
#define RTC_PHYS 0x101000
#define UART_PHYS 0x10000000
#define UART_IRQ 10
#define PLIC_PHYS 0x0c000000

#define PTE_V 0x01
#define PTE_R 0x02
#define PTE_W 0x04
#define PTE_X 0x08
#define PTE_U 0x10
#define PTE_A 0x40
#define PTE_D 0x80
#define PTE_SHARED 0x100 /* for software: the page is not the address space's own */

#define SSTATUS_SIE (1 << 1)
#define SSTATUS_SPIE (1 << 5)
#define SSTATUS_SPP (1 << 8)
#define SSTATUS_FS (3 << 13)
#define SSTATUS_SUM (1 << 18)

#define SIE_SSIE (1 << 1)
#define SIE_STIE (1 << 5)
#define SIE_SEIE (1 << 9)

/* scause */
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_ECALL_U 8
#define CAUSE_INTERRUPT (1ul << 63)
#define IRQ_SOFTWARE 1
#define IRQ_TIMER 5
#define IRQ_EXTERNAL 9

/* Offsets that trap.S and head.S use; sched.c and trap.c assert that the structs agree. */
#define THREAD_KERNEL_SP 0
#define THREAD_SCRATCH 8
#define THREAD_CPU 16
#define THREAD_CONTEXT 24
#define CPU_OVERFLOW_SP 0
#define CPU_HARTID 16
#define CPU_IDLE 24
#define CPU_SIZE 72
#define FRAME_PC 0
#define FRAME_STATUS 256
#define FRAME_CAUSE 264
#define FRAME_TVAL 272
#define FRAME_SIZE 288

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t pte_t;

#define csr_read(csr)                                                \
    ({                                                               \
        unsigned long csr_v_;                                        \
        __asm__ volatile("csrr %0, " #csr : "=r"(csr_v_)::"memory"); \
        csr_v_;                                                      \
    })
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" ::"rK"(v) : "memory")
#define csr_set(csr, v) __asm__ volatile("csrs " #csr ", %0" ::"rK"(v) : "memory")
#define csr_clear(csr, v) __asm__ volatile("csrc " #csr ", %0" ::"rK"(v) : "memory")

/* Interrupts off on this hart; the return value brings back the state from before. */
static inline unsigned long irq_save(void)
{
    unsigned long old;

    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(old)::"memory");
    return old & SSTATUS_SIE;
}

static inline void irq_restore(unsigned long state)
{
    csr_set(sstatus, state);
}

static inline void irq_enable(void)
{
    csr_set(sstatus, SSTATUS_SIE);
}

static inline void irq_disable(void)
{
    csr_clear(sstatus, SSTATUS_SIE);
}

static inline void sfence_vma(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

static inline uint64_t phys(const void *va)
{
    return (uint64_t)va - KERNEL_BASE;
}

static inline void *virt(uint64_t pa)
{
    return (void *)(pa + KERNEL_BASE);
}
#endif /* __ASSEMBLER__ */

#endif /* DEMO_RISCV_H */
