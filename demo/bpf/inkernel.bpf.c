/* SPDX-License-Identifier: MIT */
/* Linked into the kernel's image and loaded from inside it (demo/kernel/selftest_bpf.c): no user
 * mode takes part. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

__u64 calls = 0;

/* counts each time that the kernel's function busy() is entered */
SEC("kprobe/busy")
int count_calls(void *ctx)
{
    (void)ctx;
    __sync_fetch_and_add(&calls, 1);
    return 0;
}

/* says who asks */
SEC("kprobe/thread_count")
int hello(void *ctx)
{
    (void)ctx;
    bpf_printk("hello from thread %d", (__u32)bpf_get_current_pid_tgid());
    return 0;
}

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(key_size, 4);
    __uint(value_size, 4);
    __uint(max_entries, 8);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __type(key, __u32);
    __type(value, struct bpf_perf_event_value);
    __uint(max_entries, 1);
} counted SEC(".maps");

/* reads this hart's event */
SEC("kprobe/busy")
int read_counter(void *ctx)
{
    __u32 key = 0;
    struct bpf_perf_event_value *value = bpf_map_lookup_elem(&counted, &key);

    (void)ctx;
    if (value)
        bpf_perf_event_read_value(&events, BPF_F_CURRENT_CPU, value, sizeof(*value));
    return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
