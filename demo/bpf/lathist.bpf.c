/* SPDX-License-Identifier: MIT */
/*
 * How long does opening a file take? Two kprobes on the way of openat(2): sys_openat() begins,
 * fd_install() ends it. The time between goes into a histogram of powers of two. There is one start
 * time per CPU, with the thread that it belongs to: a thread that was preempted in between finds
 * another's start, or is on another CPU, and is counted as missed. (One that finds an older start
 * of its own there makes a sample that is too long: rare, and harmless in a histogram.)
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#define MAX_CPUS 256
#define BUCKETS 32
#define MAX_WORKERS 8

struct start {
    __u64 ns; /* 0: none */
    __u64 thread;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, MAX_CPUS);
    __type(key, __u32);
    __type(value, struct start);
} starts SEC(".maps");

/* bucket n: 2^n <= nanoseconds < 2^(n+1); the last one also what took longer */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BUCKETS);
    __type(key, __u32);
    __type(value, __u64);
} buckets SEC(".maps");

/* The processes to watch, set by the user side before it loads; 0 is none of them. */
volatile const __u32 workers[MAX_WORKERS] = {0};

__u64 missed = 0;

static __always_inline int is_ours(void)
{
    __u32 tgid = bpf_get_current_pid_tgid() >> 32;

#pragma clang loop unroll(full)
    for (int i = 0; i < MAX_WORKERS; i++)
        if (workers[i] == tgid)
            return 1;
    return 0;
}

static __always_inline __u32 log2_of(__u64 value)
{
    __u32 result = 0;

    if (value >> 32)
        return BUCKETS - 1;
    if (value >= 1u << 16) {
        value >>= 16;
        result += 16;
    }
    if (value >= 1u << 8) {
        value >>= 8;
        result += 8;
    }
    if (value >= 1u << 4) {
        value >>= 4;
        result += 4;
    }
    if (value >= 1u << 2) {
        value >>= 2;
        result += 2;
    }
    return result + (value >= 2);
}

SEC("kprobe/sys_openat")
int open_begins(void *ctx)
{
    __u32 cpu = bpf_get_smp_processor_id();
    struct start *start = bpf_map_lookup_elem(&starts, &cpu);

    (void)ctx;
    if (start && is_ours()) {
        start->thread = bpf_get_current_pid_tgid();
        start->ns = bpf_ktime_get_ns();
    }
    return 0;
}

SEC("kprobe/fd_install")
int open_ends(void *ctx)
{
    __u64 now = bpf_ktime_get_ns(), *count;
    __u32 cpu = bpf_get_smp_processor_id(), bucket;
    struct start *start = bpf_map_lookup_elem(&starts, &cpu);

    (void)ctx;
    if (!start || !is_ours())
        return 0;
    if (!start->ns || start->thread != bpf_get_current_pid_tgid()) {
        __sync_fetch_and_add(&missed, 1);
        return 0;
    }
    bucket = log2_of(now - start->ns);
    start->ns = 0;
    count = bpf_map_lookup_elem(&buckets, &bucket);
    if (count)
        __sync_fetch_and_add(count, 1);
    return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
