/* SPDX-License-Identifier: MIT */
/*
 * What a program's struct xdp_md stands for. The packet lies in a buffer of its own:
 *
 *     hard_start -> the driver's part, EBPF_XDP_FRAME bytes
 *                   headroom
 *     data_meta  -> metadata, up to EBPF_XDP_META bytes
 *     data       -> the packet
 *     data_end   -> room to grow
 *     hard_end
 */
#ifndef EBPF_CORE_XDP_H
#define EBPF_CORE_XDP_H

#include <stdint.h>

#define EBPF_XDP_FRAME 40u /* Linux: sizeof(struct xdp_frame) */
#define EBPF_XDP_META 252u /* Linux counts it in a byte, and in words */

struct ebpf_xdp {
    uint8_t *data, *data_end, *data_meta;
    uint8_t *hard_start, *hard_end;
    uint32_t ingress_ifindex, rx_queue_index, egress_ifindex;
};

#endif /* EBPF_CORE_XDP_H */
