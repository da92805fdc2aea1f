/* SPDX-License-Identifier: MIT */
/* What guest_maps.c runs on one hart and on four: sixteen operations on one hash map, each hart's
 * keys its own. */
#include "common.h"

#define KEYS 64 /* a hart; half of them stay */
#define OPERATIONS 16

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, __u64);
    __type(value, __u64);
} map SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} turns SEC(".maps");

static __always_inline __u64 next_key(void)
{
    __u32 zero = 0;
    __u64 *turn = bpf_map_lookup_elem(&turns, &zero);

    return turn ? (__u64)bpf_get_smp_processor_id() << 32 | (++*turn * 7 % (KEYS / 2)) : 0;
}

/* A counter: the key is there but for the first time. */
static __always_inline void count(__u64 key)
{
    __u64 one = 1, *v = bpf_map_lookup_elem(&map, &key);

    if (v)
        __sync_fetch_and_add(v, 1);
    else
        bpf_map_update_elem(&map, &key, &one, BPF_NOEXIST);
}

static __always_inline void update(__u64 key)
{
    __u64 value = key;

    bpf_map_update_elem(&map, &key, &value, BPF_ANY);
}

/* Two operations. */
static __always_inline void come_and_go(__u64 key)
{
    __u64 value = key;

    key += KEYS / 2; /* none of those that stay */
    bpf_map_update_elem(&map, &key, &value, BPF_NOEXIST);
    bpf_map_delete_elem(&map, &key);
}

SEC("xdp") int lookup(struct xdp_md *ctx)
{
    (void)ctx;
#pragma clang loop unroll(full)
    for (int i = 0; i < OPERATIONS; i++)
        count(next_key());
    return 0;
}

SEC("xdp") int replace(struct xdp_md *ctx)
{
    (void)ctx;
#pragma clang loop unroll(full)
    for (int i = 0; i < OPERATIONS; i++)
        update(next_key());
    return 0;
}

SEC("xdp") int churn(struct xdp_md *ctx)
{
    (void)ctx;
#pragma clang loop unroll(full)
    for (int i = 0; i < OPERATIONS / 2; i++)
        come_and_go(next_key());
    return 0;
}

/* Half lookups, a quarter updates, a quarter insertions and deletions. */
SEC("xdp") int hash(struct xdp_md *ctx)
{
    (void)ctx;
#pragma clang loop unroll(full)
    for (int i = 0; i < OPERATIONS / 8; i++) {
        count(next_key());
        update(next_key());
        count(next_key());
        come_and_go(next_key());
        count(next_key());
        update(next_key());
        count(next_key());
    }
    return 0;
}
