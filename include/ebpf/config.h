/* SPDX-License-Identifier: MIT */
/*
 * Limits of the library. Each can be set on the compiler's command line (-DEBPF_CONFIG_...=n) when
 * the library and everything that includes its headers is built; a value out of range stops the
 * build. No knob changes the signature of a public function or the layout of a public struct.
 */
#ifndef EBPF_CONFIG_H
#define EBPF_CONFIG_H

/* Harts that the library keeps per-hart state for: ebpf_os_cpu_id() must stay below it. */
#ifndef EBPF_CONFIG_MAX_CPUS
#define EBPF_CONFIG_MAX_CPUS 8
#endif
#if EBPF_CONFIG_MAX_CPUS < 1 || EBPF_CONFIG_MAX_CPUS > 256
#error "EBPF_CONFIG_MAX_CPUS must be 1 to 256"
#endif

/* Bytes of stack that programs and helpers run on, one per hart: 8 frames of 512 bytes, what the
 * JIT saves around them, and room for a helper that calls the kernel's hooks, or a trap taken
 * inside one. */
#ifndef EBPF_CONFIG_STACK_SIZE
#define EBPF_CONFIG_STACK_SIZE 16384
#endif
#if EBPF_CONFIG_STACK_SIZE < 12288 || EBPF_CONFIG_STACK_SIZE % 16
#error "EBPF_CONFIG_STACK_SIZE must be at least 12288 and a multiple of 16"
#endif

/* Longest program in instruction slots (Linux: BPF_COMPLEXITY_LIMIT_INSNS for capable callers). */
#ifndef EBPF_CONFIG_MAX_INSNS
#define EBPF_CONFIG_MAX_INSNS 1000000
#endif
#if EBPF_CONFIG_MAX_INSNS < 4096 || EBPF_CONFIG_MAX_INSNS > 1000000
#error "EBPF_CONFIG_MAX_INSNS must be 4096 to 1000000"
#endif

/* File descriptors in the library's own table, used when the kernel gives no fd hooks. */
#ifndef EBPF_CONFIG_MAX_FDS
#define EBPF_CONFIG_MAX_FDS 256
#endif
#if EBPF_CONFIG_MAX_FDS < 8 || EBPF_CONFIG_MAX_FDS > 65536
#error "EBPF_CONFIG_MAX_FDS must be 8 to 65536"
#endif

/* The lowest number in that table: above the kernel's own fds, so that close(2) can tell them
 * apart. */
#ifndef EBPF_CONFIG_FD_BASE
#define EBPF_CONFIG_FD_BASE 1024
#endif
#if EBPF_CONFIG_FD_BASE < 0 || EBPF_CONFIG_FD_BASE > 1000000000
#error "EBPF_CONFIG_FD_BASE must be 0 to 1000000000"
#endif

/* Values that each map of task storage lays by for programs to take. */
#ifndef EBPF_CONFIG_TASK_RESERVE
#define EBPF_CONFIG_TASK_RESERVE 64
#endif
#if EBPF_CONFIG_TASK_RESERVE < 1 || EBPF_CONFIG_TASK_RESERVE > 65536
#error "EBPF_CONFIG_TASK_RESERVE must be 1 to 65536"
#endif

/* Ticks a second of what bpf_jiffies64() counts (Linux: CONFIG_HZ). */
#ifndef EBPF_CONFIG_HZ
#define EBPF_CONFIG_HZ 250
#endif
#if EBPF_CONFIG_HZ < 1 || EBPF_CONFIG_HZ > 10000
#error "EBPF_CONFIG_HZ must be 1 to 10000"
#endif

/* Buckets of the index from a trap's pc to its probe: a power of two. */
#ifndef EBPF_CONFIG_KPROBE_BUCKETS
#define EBPF_CONFIG_KPROBE_BUCKETS 256
#endif
#if EBPF_CONFIG_KPROBE_BUCKETS < 1 || \
    (EBPF_CONFIG_KPROBE_BUCKETS & (EBPF_CONFIG_KPROBE_BUCKETS - 1))
#error "EBPF_CONFIG_KPROBE_BUCKETS must be a power of two"
#endif

/* Longest line that the library hands to ebpf_os_console(), with its final NUL; it lives on the
 * caller's stack. */
#ifndef EBPF_CONFIG_LOG_LINE
#define EBPF_CONFIG_LOG_LINE 160
#endif
#if EBPF_CONFIG_LOG_LINE < 80 || EBPF_CONFIG_LOG_LINE > 1024
#error "EBPF_CONFIG_LOG_LINE must be 80 to 1024"
#endif

/* 0: no verifier. Only callers that hold EBPF_CAP_TRUST may load programs then. */
#ifndef EBPF_CONFIG_VERIFIER
#define EBPF_CONFIG_VERIFIER 1
#endif
#if EBPF_CONFIG_VERIFIER != 0 && EBPF_CONFIG_VERIFIER != 1
#error "EBPF_CONFIG_VERIFIER must be 0 or 1"
#endif

#endif /* EBPF_CONFIG_H */
