/* SPDX-License-Identifier: MIT */
/*
 * Loads and stores of words that other harts see as a whole. GCC before 13 makes an exchange in
 * memory (amoswap) of __atomic_store_n() on RISC-V, where a store does, and extends twice what
 * __atomic_load_n() gave: an aligned lw, lwu, ld, sw or sd is atomic (Unprivileged ISA, RVWMO memory
 * model: memory operations), and a volatile access is one instruction. ThreadSanitizer knows no
 * fences and wants to see the real thing. Context A.
 */
#ifndef EBPF_BASE_ORDER_H
#define EBPF_BASE_ORDER_H

#if defined(__riscv) && !defined(__SANITIZE_THREAD__)
#define ebpf_load_relaxed(p) (*(const volatile __typeof__(*(p)) *)(p))
#define ebpf_store_relaxed(p, v) ((void)(*(volatile __typeof__(*(p)) *)(p) = (v)))
#else
#define ebpf_load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define ebpf_store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#endif

/* Also a release fence for what is stored behind it. */
#if defined(__SANITIZE_THREAD__)
#define ebpf_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#else
#define ebpf_store_release(p, v) (__atomic_thread_fence(__ATOMIC_RELEASE), ebpf_store_relaxed(p, v))
#endif

#endif /* EBPF_BASE_ORDER_H */
