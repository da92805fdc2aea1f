/* SPDX-License-Identifier: MIT */
/* Helpers 26, 28 and 68: packets of socket filters, checksums. */
#include "helpers/helper.h"
#include "helpers/types.h"
#include "src/base/mem.h"
#include "src/core/skb.h"

#define MAX_OFFSET 0x7fffffffu
#define MAX_DIFF 512u /* bytes of both parts: Linux: sizeof(struct bpf_scratchpad) */

/* len bytes from start on, a distance from skb->data: -EFAULT, and zeros, where they are not all
 * there. */
static int load(const struct ebpf_skb *skb, int64_t start, void *to, uint32_t len)
{
    if (start + len > skb->len) {
        memset(to, 0, len);
        return -EFAULT;
    }
    memcpy(to, skb->data + start, len);
    return 0;
}

static int fail(void *to, uint32_t len)
{
    memset(to, 0, len);
    return -EFAULT;
}

/* r1: context, r2: offset, r3: destination, r4: its size */
EBPF_HELPER_FN(skb_load_bytes)
{
    uint32_t offset = (uint32_t)r2;

    if (offset > MAX_OFFSET)
        return ebpf_reg_int(fail(ebpf_reg_ptr(r3), (uint32_t)r4));
    return ebpf_reg_int(load(ebpf_reg_ptr(r1), offset, ebpf_reg_ptr(r3), (uint32_t)r4));
}

const struct ebpf_helper ebpf_helper_skb_load_bytes = {
    .name = "skb_load_bytes",
    .fn = skb_load_bytes,
    .arg = {ARG_CTX, ARG_ANYTHING, ARG_MEM_WR, ARG_SIZE},
    .types = PROG(SOCKET_FILTER) | PROG(CGROUP_SKB) | TC_PROGS | PROG(SK_SKB) |
             PROG(FLOW_DISSECTOR) | LWT_PROGS | PROG(SK_REUSEPORT),
};

/* The same from a header: r5 is 0 for the link layer's, 1 for the network's, where skb->data is. */
EBPF_HELPER_FN(skb_load_bytes_relative)
{
    int64_t offset = (uint32_t)r2;

    if (offset > MAX_OFFSET || (uint32_t)r5 > 1)
        return ebpf_reg_int(fail(ebpf_reg_ptr(r3), (uint32_t)r4));
    if ((uint32_t)r5 == 0)
        offset -= EBPF_ETH_HLEN;
    return ebpf_reg_int(load(ebpf_reg_ptr(r1), offset, ebpf_reg_ptr(r3), (uint32_t)r4));
}

const struct ebpf_helper ebpf_helper_skb_load_bytes_relative = {
    .name = "skb_load_bytes_relative",
    .fn = skb_load_bytes_relative,
    .arg = {ARG_CTX, ARG_ANYTHING, ARG_MEM_WR, ARG_SIZE, ARG_ANYTHING},
    .types = PROG(SOCKET_FILTER) | PROG(CGROUP_SKB) | TC_PROGS | PROG(SK_REUSEPORT),
};

/* ---- checksums ----------------------------------------------------------------------------- */

/* RFC 1071: one's complement sums, here of 32-bit words in the machine's order, as Linux has
 * them. */
static uint32_t add(uint64_t a, uint64_t b)
{
    uint64_t total = a + b;

    while (total >> 32)
        total = (uint32_t)total + (total >> 32);
    return (uint32_t)total;
}

static uint32_t sum(const uint8_t *bytes, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i += 4)
        seed = add(seed, bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 |
                             (uint32_t)bytes[i + 3] << 24);
    return seed;
}

static uint64_t fold(uint32_t total)
{
    total = (total & 0xffff) + (total >> 16);
    return (total & 0xffff) + (total >> 16);
}

/*
 * r1, r2: what was there, r3, r4: what takes its place, r5: the sum so far. Either may be missing.
 * Returns the sum in 16 bits, as Linux does since 6.13; before, it was folded less, which comes to
 * the same when the program folds it.
 */
EBPF_HELPER_FN(csum_diff)
{
    uint32_t from = (uint32_t)r2, to = (uint32_t)r4, seed = (uint32_t)r5;

    if ((from | to) % 4 || from > MAX_DIFF || to > MAX_DIFF || from + to > MAX_DIFF)
        return ebpf_reg_int(-EINVAL);
    if (!from && !to)
        return fold(seed);
    if (!to)
        return fold(~sum(ebpf_reg_ptr(r1), from, ~seed));
    seed = sum(ebpf_reg_ptr(r3), to, seed);
    return fold(from ? add(seed, ~sum(ebpf_reg_ptr(r1), from, 0)) : seed);
}

const struct ebpf_helper ebpf_helper_csum_diff = {
    .name = "csum_diff",
    .fn = csum_diff,
    .arg = {ARG_MEM_RD_OR_NULL, ARG_SIZE_OR_ZERO, ARG_MEM_RD_OR_NULL, ARG_SIZE_OR_ZERO,
            ARG_ANYTHING},
    .types = TC_PROGS | PROG(XDP) | LWT_PROGS,
    .packet_args = true,
};
