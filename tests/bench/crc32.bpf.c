/* SPDX-License-Identifier: MIT */
/* CRC-32 of the packet, bit by bit: 32-bit arithmetic and byte loads. */
#include "common.h"

SEC("xdp") int crc32(struct xdp_md *ctx)
{
    __u8 *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    __u32 crc = ~0u;
    if (p + 64 > end)
        return 0;
    for (int i = 0; i < 64; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? (crc >> 1) ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}
