/* SPDX-License-Identifier: MIT */
/* Divisions and remainders: 64-bit by a variable and by a constant, 32-bit by a constant. */
#include "common.h"

SEC("xdp") int divmod(struct xdp_md *ctx)
{
    __u64 n = 0x123456789abcdefULL;
    __u64 d = ctx->data_end - ctx->data;
    __u32 s = 0;
    for (int i = 0; i < 32; i++) {
        s += n % (d + i);
        n = n / 3 + i * d;
        s ^= (__u32)n / 7;
    }
    return s;
}
