/* SPDX-License-Identifier: MIT */
/* The classic walk over Ethernet, IPv4 and TCP headers, with the IPv4 checksum. */
#include "common.h"

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
SEC("xdp") int parse(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    if ((void *)(eth + 1) > end)
        return 1;
    if (eth->h_proto != bpf_htons(ETH_P_IP))
        return 2;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end)
        return 3;
    if (ip->ihl != 5 || ip->protocol != 6)
        return 4;
    __u32 sum = 0;
    __u16 *w = (void *)ip;
    for (int i = 0; i < 10; i++)
        sum += w[i];
    sum = (sum & 0xffff) + (sum >> 16);
    struct tcphdr *tcp = (void *)(ip + 1);
    if ((void *)(tcp + 1) > end)
        return 5;
    return sum + bpf_ntohs(tcp->dest) + (bpf_ntohl(ip->daddr) & 0xff);
}
