/* SPDX-License-Identifier: MIT */
/* Calls to the firmware below the kernel (RISC-V SBI specification): timers, interrupts and fences
 * on other harts, starting harts, power. Context A. */
#include "kernel.h"

#define EXT_TIME 0x54494d45
#define EXT_IPI 0x735049
#define EXT_RFENCE 0x52464e43
#define EXT_HSM 0x48534d
#define EXT_SRST 0x53525354
#define ALL_HARTS (-1ul) /* as hart_mask_base */

static long sbi_call(unsigned long ext, unsigned long fid, unsigned long arg0, unsigned long arg1,
                     unsigned long arg2, unsigned long arg3)
{
    register unsigned long a0 __asm__("a0") = arg0;
    register unsigned long a1 __asm__("a1") = arg1;
    register unsigned long a2 __asm__("a2") = arg2;
    register unsigned long a3 __asm__("a3") = arg3;
    register unsigned long a6 __asm__("a6") = fid;
    register unsigned long a7 __asm__("a7") = ext;

    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
    return (long)a0;
}

void sbi_set_timer(uint64_t time)
{
    sbi_call(EXT_TIME, 0, time, 0, 0, 0);
}

void sbi_send_ipi(uint64_t hartid)
{
    sbi_call(EXT_IPI, 0, 1, hartid, 0, 0);
}

/* The firmware interrupts the other harts in machine mode, whether or not they have interrupts off,
 * and waits. */
void sbi_remote_fence_i(void)
{
    sbi_call(EXT_RFENCE, 0, 0, ALL_HARTS, 0, 0);
}

void sbi_remote_sfence_vma(void)
{
    sbi_call(EXT_RFENCE, 1, 0, ALL_HARTS, 0, -1ul);
}

long sbi_hart_start(uint64_t hartid, uint64_t start, uint64_t opaque)
{
    return sbi_call(EXT_HSM, 0, hartid, start, opaque, 0);
}

void sbi_shutdown(bool failure)
{
    sbi_call(EXT_SRST, 0, 0, failure, 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}

void sbi_reboot(void)
{
    sbi_call(EXT_SRST, 0, 1, 0, 0, 0); /* cold reboot */
    for (;;)
        __asm__ volatile("wfi");
}
