/* SPDX-License-Identifier: MIT */
/* SipHash over a constant message: 64-bit rotations and additions. */
#include "common.h"

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define ROUND              \
    do {                   \
        v0 += v1;          \
        v1 = ROTL(v1, 13); \
        v1 ^= v0;          \
        v0 = ROTL(v0, 32); \
        v2 += v3;          \
        v3 = ROTL(v3, 16); \
        v3 ^= v2;          \
        v0 += v3;          \
        v3 = ROTL(v3, 21); \
        v3 ^= v0;          \
        v2 += v1;          \
        v1 = ROTL(v1, 17); \
        v1 ^= v2;          \
        v2 = ROTL(v2, 32); \
    } while (0)
__u64 msg[8] = {0x0706050403020100, 0x0f0e0d0c0b0a0908, 3, 4, 5, 6, 7, 8};
SEC("xdp") int siphash(struct xdp_md *ctx)
{
    __u64 v0 = 0x736f6d6570736575ULL, v1 = 0x646f72616e646f6dULL, v2 = 0x6c7967656e657261ULL,
          v3 = 0x7465646279746573ULL;
    for (int i = 0; i < 8; i++) {
        __u64 m = msg[i];
        v3 ^= m;
        ROUND;
        ROUND;
        v0 ^= m;
    }
    v3 ^= 64ULL << 56;
    ROUND;
    ROUND;
    v0 ^= 64ULL << 56;
    v2 ^= 0xff;
    ROUND;
    ROUND;
    ROUND;
    ROUND;
    return (int)(v0 ^ v1 ^ v2 ^ v3);
}
