/* SPDX-License-Identifier: MIT */
/* A counter in an array map, found by a key that is not constant, raised by an atomic add. */
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");
SEC("xdp") int array_count(struct xdp_md *ctx)
{
    __u32 key = ctx->data_end - ctx->data;
    __u64 *v = bpf_map_lookup_elem(&counts, &key);
    if (v)
        __sync_fetch_and_add(v, 1);
    return 0;
}
