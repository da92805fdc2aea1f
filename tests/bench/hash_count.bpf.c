/* SPDX-License-Identifier: MIT */
/* A counter for each flow in a hash map: in all runs but the first, the key exists. */
#include "common.h"

struct flow {
    __u32 saddr, daddr;
    __u16 sport, dport;
    __u32 proto;
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct flow);
    __type(value, __u64);
} flows SEC(".maps");
SEC("xdp") int hash_count(struct xdp_md *ctx)
{
    struct flow f = {0x0a000001, 0x0a000002, 1234, 80, ctx->data_end - ctx->data};
    __u64 one = 1, *v = bpf_map_lookup_elem(&flows, &f);
    if (v)
        __sync_fetch_and_add(v, 1);
    else
        bpf_map_update_elem(&flows, &f, &one, BPF_NOEXIST);
    return 0;
}
