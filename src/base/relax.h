/* SPDX-License-Identifier: MIT */
/* The hint that a hart is waiting in a loop. Context A. */
#ifndef EBPF_BASE_RELAX_H
#define EBPF_BASE_RELAX_H

static inline void ebpf_cpu_relax(void)
{
#if defined(__riscv)
    /* pause (Zihintpause): a fence hint, nothing elsewhere */
    __asm__ volatile(".4byte 0x0100000f" ::: "memory");
#elif defined(__x86_64__)
    __asm__ volatile("pause" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

#endif /* EBPF_BASE_RELAX_H */
