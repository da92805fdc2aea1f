/* SPDX-License-Identifier: MIT */
/*
 * Stores that other harts see as a whole. GCC before 13 makes an exchange in memory (amoswap) of
 * __atomic_store_n() on RISC-V, where a store does: to an aligned word of at most 8 bytes sw and sd
 * are atomic (Unprivileged ISA, RVWMO: single-copy atomicity of aligned accesses), and a volatile
 * access is one instruction. ThreadSanitizer knows no fences and wants to see the real thing.
 * Context A.
 */
#ifndef EBPF_BASE_ORDER_H
#define EBPF_BASE_ORDER_H

#if defined(__riscv) && !defined(__SANITIZE_THREAD__)
#define ebpf_store_relaxed(p, v) ((void)(*(volatile __typeof__(*(p)) *)(p) = (v)))
#else
#define ebpf_store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#endif

/* Also a release fence for what is stored behind it. */
#if defined(__SANITIZE_THREAD__)
#define ebpf_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#else
#define ebpf_store_release(p, v) (__atomic_thread_fence(__ATOMIC_RELEASE), ebpf_store_relaxed(p, v))
#endif

#endif /* EBPF_BASE_ORDER_H */
