/* SPDX-License-Identifier: MIT */
/* SHA-1 as FIPS 180-4 writes it, one pass over a buffer. */
#include "src/base/sha1.h"

#include "src/base/mem.h"

static uint32_t rotl(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

/* FIPS 180-4, 4.1.1: the functions of rounds 0 to 19, 20 to 39 and 60 to 79, 40 to 59 */
static uint32_t choose(uint32_t b, uint32_t c, uint32_t d)
{
    return d ^ (b & (c ^ d));
}

static uint32_t parity(uint32_t b, uint32_t c, uint32_t d)
{
    return b ^ c ^ d;
}

static uint32_t majority(uint32_t b, uint32_t c, uint32_t d)
{
    return (b & c) | (d & (b | c));
}

/* 6.1.2, 1: the message schedule */
static void schedule(uint32_t w[80], const uint8_t *data)
{
    for (unsigned t = 0; t < 16; t++, data += 4)
        w[t] = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
    for (unsigned t = 16; t < 80; t++)
        w[t] = rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
}

/* 6.1.2, 3: a round; that the variables change places is in the order of ROUNDS's. */
#define ROUND(a, b, c, d, e, f, k, w) (e += rotl(a, 5) + f(b, c, d) + (k) + (w), b = rotl(b, 30))
#define ROUNDS(first, f, k)                              \
    for (unsigned t = first; t < (first) + 20; t += 5) { \
        ROUND(a, b, c, d, e, f, k, w[t]);                \
        ROUND(e, a, b, c, d, f, k, w[t + 1]);            \
        ROUND(d, e, a, b, c, f, k, w[t + 2]);            \
        ROUND(c, d, e, a, b, f, k, w[t + 3]);            \
        ROUND(b, c, d, e, a, f, k, w[t + 4]);            \
    }

static void block(uint32_t state[5], const uint8_t *data)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    uint32_t w[80];

    schedule(w, data);
    ROUNDS(0, choose, 0x5a827999)
    ROUNDS(20, parity, 0x6ed9eba1)
    ROUNDS(40, majority, 0x8f1bbcdc)
    ROUNDS(60, parity, 0xca62c1d6)
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void ebpf_sha1(const void *data, size_t len, uint8_t digest[20])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    const uint8_t *bytes = data;
    uint8_t tail[128] = {0};
    size_t rest = len % 64, tail_len = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)len * 8;

    for (size_t i = 0; i + 64 <= len; i += 64)
        block(state, bytes + i);
    memcpy(tail, bytes + (len - rest), rest);
    tail[rest] = 0x80;
    for (unsigned i = 0; i < 8; i++)
        tail[tail_len - 1 - i] = (uint8_t)(bits >> 8 * i);
    for (size_t i = 0; i < tail_len; i += 64)
        block(state, tail + i);
    for (unsigned i = 0; i < 20; i++)
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
