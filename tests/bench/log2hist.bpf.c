/* SPDX-License-Identifier: MIT */
/* A histogram by powers of two of a time difference, as tracing tools make. */
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u64);
} hist SEC(".maps");
static __always_inline __u32 log2u(__u32 v)
{
    __u32 r, s;
    r = (v > 0xFFFF) << 4;
    v >>= r;
    s = (v > 0xFF) << 3;
    v >>= s;
    r |= s;
    s = (v > 0xF) << 2;
    v >>= s;
    r |= s;
    s = (v > 0x3) << 1;
    v >>= s;
    r |= s;
    return r | (v >> 1);
}
static __always_inline __u32 log2l(__u64 v)
{
    __u32 hi = v >> 32;
    return hi ? log2u(hi) + 32 : log2u(v);
}
SEC("xdp") int log2hist(struct xdp_md *ctx)
{
    __u64 t0 = bpf_ktime_get_ns(),
          dt = bpf_ktime_get_ns() - t0 + (ctx->data_end - ctx->data) * 1000;
    __u32 key = log2l(dt);
    __u64 *v = bpf_map_lookup_elem(&hist, &key);
    if (v)
        __sync_fetch_and_add(v, 1);
    return 0;
}
