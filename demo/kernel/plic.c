/* SPDX-License-Identifier: MIT */
/* The platform-level interrupt controller: the UART's interrupt, for one hart. Context 2 * hart + 1
 * is the hart's S-mode on QEMU's virt machine. */
#include "kernel.h"

static volatile uint32_t *plic_reg(uint64_t offset)
{
    return (volatile uint32_t *)(KERNEL_BASE + PLIC_PHYS + offset);
}

static uint64_t context(uint64_t hartid)
{
    return 2 * hartid + 1;
}

void plic_init(uint64_t hartid)
{
    *plic_reg(4 * UART_IRQ) = 1; /* priority */
    *plic_reg(0x2000 + 0x80 * context(hartid)) = 1u << UART_IRQ;
    *plic_reg(0x200000 + 0x1000 * context(hartid)) = 0; /* threshold */
}

/* The pending interrupt's number, 0 if there is none (any more). */
unsigned plic_claim(uint64_t hartid)
{
    return *plic_reg(0x200004 + 0x1000 * context(hartid));
}

void plic_complete(uint64_t hartid, unsigned irq)
{
    *plic_reg(0x200004 + 0x1000 * context(hartid)) = irq;
}
