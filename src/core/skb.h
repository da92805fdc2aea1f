/* SPDX-License-Identifier: MIT */
/* What a program's struct __sk_buff stands for. */
#ifndef EBPF_CORE_SKB_H
#define EBPF_CORE_SKB_H

#include <stdint.h>

#define EBPF_ETH_HLEN 14u

struct ebpf_skb {
    uint8_t *data; /* behind the link layer's header, which has EBPF_ETH_HLEN bytes before it */
    uint32_t len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto;
    uint32_t priority, ingress_ifindex, ifindex, tc_index, hash, napi_id, gso_segs, gso_size;
    uint32_t cb[5];
};

#endif /* EBPF_CORE_SKB_H */
