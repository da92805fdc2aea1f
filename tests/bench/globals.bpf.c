/* SPDX-License-Identifier: MIT */
/* Global variables and a constant table: .data, .bss and .rodata. */
#include "common.h"

__u64 total;
__u32 hits[32];
const volatile __u32 scale = 3;
static const __u8 tbl[32] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3,
                             2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5};
SEC("xdp") int globals(struct xdp_md *ctx)
{
    __u32 s = 0;
    for (int i = 0; i < 32; i++) {
        s += tbl[i] * scale;
        hits[i & 31] += s & 1;
    }
    total += s;
    return s;
}
