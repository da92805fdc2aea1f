/* SPDX-License-Identifier: MIT */
/* Two tail calls, one after the other; the runner fills the array jt. */
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __array(values, int(void *));
} jt SEC(".maps");
SEC("xdp") int tail_two(struct xdp_md *ctx)
{
    return 42;
}
SEC("xdp") int tail_one(struct xdp_md *ctx)
{
    bpf_tail_call(ctx, &jt, 1);
    return 7;
}
SEC("xdp") int tailcall(struct xdp_md *ctx)
{
    bpf_tail_call(ctx, &jt, 0);
    return 8;
}
