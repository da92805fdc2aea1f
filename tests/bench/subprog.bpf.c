/* SPDX-License-Identifier: MIT */
/* Calls of subprograms two levels deep. */
#include "common.h"

static __attribute__((noinline)) __u64 mix(__u64 a, __u64 b)
{
    a ^= b * 0x9e3779b97f4a7c15ULL;
    return a ^ (a >> 29);
}
static __attribute__((noinline)) __u64 fold(__u64 a)
{
    return mix(a, 3) + mix(a, 5);
}
SEC("xdp") int subprog(struct xdp_md *ctx)
{
    __u64 x = ctx->data_end - ctx->data;
    for (int i = 0; i < 16; i++)
        x = fold(x + i);
    return (int)x;
}
