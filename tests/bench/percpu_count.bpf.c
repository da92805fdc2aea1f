/* SPDX-License-Identifier: MIT */
/* A counter in a per-CPU array map at a constant key. */
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} c SEC(".maps");
SEC("xdp") int percpu_count(struct xdp_md *ctx)
{
    __u32 key = 1;
    __u64 *v = bpf_map_lookup_elem(&c, &key);
    if (v)
        (*v)++;
    return 0;
}
