/* SPDX-License-Identifier: MIT */
/* Sixteen updates that insert and sixteen deletions in a hash map. */
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u64);
} m SEC(".maps");
SEC("xdp") int hash_churn(struct xdp_md *ctx)
{
    for (__u32 i = 0; i < 16; i++) {
        __u32 k = i * 7;
        __u64 v = i;
        bpf_map_update_elem(&m, &k, &v, BPF_ANY);
    }
    for (__u32 i = 0; i < 16; i++) {
        __u32 k = i * 7;
        bpf_map_delete_elem(&m, &k);
    }
    return 0;
}
