/* SPDX-License-Identifier: MIT */
/* Several maps and several programs, two of them in one section. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 100);
    __uint(key_size, 4);
    __uint(value_size, 24);
} by_pid SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2);
    __type(key, int);
    __type(value, char[5]);
} per_cpu SEC(".maps");

static __always_inline __u64 count(__u32 index)
{
    __u64 *n = bpf_map_lookup_elem(&counts, &index);

    return n ? ++*n : 0;
}

SEC("socket")
int first(void *ctx)
{
    return (int)count(0) + 10;
}

SEC("socket")
int second(void *ctx)
{
    __u32 key = 1;

    return (int)count(1) + (bpf_map_lookup_elem(&by_pid, &key) ? 200 : 20);
}

SEC("kprobe/do_something")
int on_entry(void *ctx)
{
    return (int)count(2);
}

SEC("kprobe/do_something+0x8")
int inside(void *ctx)
{
    return (int)count(3);
}

SEC("kretprobe/do_something")
int on_return(void *ctx)
{
    return 0;
}

SEC("?xdp")
int not_wanted(struct xdp_md *ctx)
{
    return bpf_map_lookup_elem(&per_cpu, &(int){0}) ? XDP_PASS : XDP_DROP;
}

SEC("?nonsense/here")
int of_unknown_type(void *ctx)
{
    return 7;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
