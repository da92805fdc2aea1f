/* SPDX-License-Identifier: MIT */
/*
 * Legacy packet access (RFC 9669, section 5.5): BPF_ABS and BPF_IND, which the engines do as a call
 * of this function. Context A.
 *
 * Offsets count from the packet's data. Negative ones are Linux's (SKF_NET_OFF, SKF_LL_OFF): from
 * the network header, and from the link layer's. Its SKF_AD_OFF, metadata for classic filters, is
 * out of range here as it is there.
 */
#include "src/core/prog.h"
#include "src/core/skb.h"

#define NET_OFF (-0x100000)
#define LINK_OFF (-0x200000)

int64_t ebpf_packet_load(const void *ctx, uint64_t offset, uint32_t size)
{
    const struct ebpf_skb *skb = ctx;
    int64_t at = (int32_t)(uint32_t)offset; /* bytes from skb->data */
    uint64_t value = 0;

    if (at < 0 && at >= NET_OFF)
        at -= NET_OFF;
    else if (at < 0 && at >= LINK_OFF)
        at -= LINK_OFF + (int64_t)EBPF_ETH_HLEN;
    else if (at < 0)
        return -1;
    if (at + size > skb->len)
        return -1;
    for (uint32_t i = 0; i < size; i++) /* packets are big-endian */
        value = value << 8 | skb->data[at + i];
    return (int64_t)value;
}
