/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_USER_RINGBUF: samples from user mode to programs, in the layout of maps/ringbuf.h
 * with the roles of the pages changed: user mode writes the producer's position and the data.
 * Nothing that it writes is believed.
 */
#ifndef EBPF_MAPS_USER_RINGBUF_H
#define EBPF_MAPS_USER_RINGBUF_H

#include "maps/map.h"

/*
 * bpf_user_ringbuf_drain(): calls fn for each sample that is there, oldest first, until fn returns
 * something but 0, 131072 samples at most. A sample is size linear bytes that fn may read and write
 * until it returns; user mode may change them meanwhile. flags: BPF_RB_NO_WAKEUP,
 * BPF_RB_FORCE_WAKEUP. Returns how many times fn was called, or -EINVAL (flags, another type of
 * map, a position or length that makes no sense), -EBUSY (a drain is on its way), -E2BIG (a length
 * that no sample has: above the ring, or 2^24 - 1). A, interrupts off, in an epoch section.
 */
int64_t ebpf_user_ringbuf_drain(struct ebpf_map *map,
                                uint64_t (*fn)(void *ctx, void *sample, uint32_t size), void *ctx,
                                uint64_t flags);

#endif /* EBPF_MAPS_USER_RINGBUF_H */
