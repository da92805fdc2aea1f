/* SPDX-License-Identifier: MIT */
/* 64-bit shifts and xor in a loop. */
#include "common.h"

SEC("xdp") int xorshift(struct xdp_md *ctx)
{
    __u64 x = 88172645463325252ULL;
    for (int i = 0; i < 256; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return (int)x;
}
