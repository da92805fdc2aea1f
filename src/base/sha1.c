/* SPDX-License-Identifier: MIT */
/* SHA-1 as FIPS 180-4 writes it, one pass over a buffer. */
#include "src/base/sha1.h"

#include "src/base/mem.h"

static uint32_t rotl(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

/* FIPS 180-4, 4.1.1: the function of round t */
static uint32_t mix(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20)
        return (b & c) ^ (~b & d);
    if (t >= 40 && t < 60)
        return (b & c) ^ (b & d) ^ (c & d);
    return b ^ c ^ d;
}

static void block(uint32_t state[5], const uint8_t *data)
{
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    uint32_t w[16];

    for (unsigned t = 0; t < 80; t++) {
        uint32_t x;

        if (t < 16)
            x = (uint32_t)data[4 * t] << 24 | (uint32_t)data[4 * t + 1] << 16 |
                (uint32_t)data[4 * t + 2] << 8 | data[4 * t + 3];
        else
            x = rotl(w[(t - 3) & 15] ^ w[(t - 8) & 15] ^ w[(t - 14) & 15] ^ w[t & 15], 1);
        w[t & 15] = x;
        x += rotl(a, 5) + mix(t, b, c, d) + e + k[t / 20];
        e = d;
        d = c;
        c = rotl(b, 30);
        b = a;
        a = x;
    }
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
