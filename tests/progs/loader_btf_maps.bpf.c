/* SPDX-License-Identifier: MIT */
/* What BTF map definitions can say about sizes. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

enum colour { RED, GREEN };
typedef const volatile struct {
    __u8 bytes[3];
    __u32 word;
} packed_t;
typedef packed_t table_t[5];
union either {
    __u64 wide;
    char text[20];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8);
    __type(key, enum colour);
    __type(value, table_t);
} of_typedef SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8);
    __type(key, void *);
    __type(value, union either);
} of_union SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8);
    __uint(key_size, 2);
    __type(key, short);
    __type(value, double);
    __uint(value_size, 8);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(pinning, 0);
} both SEC(".maps");

static struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 5000); /* rounded up to two pages */
} ring SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(key_size, 4);
    __uint(value_size, 4);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 3);
    __type(key, __u32);
    __array(values, int(void *));
} jumps SEC(".maps");

SEC("?socket")
int use(void *ctx)
{
    bpf_ringbuf_output(&ring, &(int){1}, 4, 0);
    bpf_tail_call(ctx, &jumps, 1);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
