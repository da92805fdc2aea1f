/* SPDX-License-Identifier: MIT */
/* Insertion sort on the stack: stack slots at variable offsets. */
#include "common.h"

SEC("xdp") int sort(struct xdp_md *ctx)
{
    __u32 a[16];
    __u32 x = 12345;
    for (int i = 0; i < 16; i++) {
        x = x * 1664525u + 1013904223u;
        a[i] = x >> 8;
    }
    for (int i = 1; i < 16; i++)
        for (int j = i; j > 0 && j < 16; j--) {
            if (a[j - 1] <= a[j])
                break;
            __u32 t = a[j];
            a[j] = a[j - 1];
            a[j - 1] = t;
        }
    return a[0] ^ a[8] ^ a[15];
}
