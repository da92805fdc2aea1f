/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_PERF_EVENT_ARRAY, and what programs do with its perf events: they write to those of
 * PERF_COUNT_SW_BPF_OUTPUT, each with a ring that user mode maps, and read the counters of any.
 */
#ifndef EBPF_MAPS_PERF_EVENT_ARRAY_H
#define EBPF_MAPS_PERF_EVENT_ARRAY_H

#include "maps/map.h"

/*
 * bpf_perf_event_output(), and its forms for packets: writes one PERF_RECORD_SAMPLE of size bytes
 * at data followed by tail_size bytes at tail to the event at an index. flags: the index, or
 * BPF_F_CURRENT_CPU; nothing else may be set: packet helpers take their upper half off before.
 * Returns 0, -EINVAL (flags, another type of map or event), -E2BIG (index, or more than a record holds:
 * 65535 bytes with all headers), -ENOENT (no event there), -EOPNOTSUPP (the event is another
 * hart's, or disabled), -ENOSPC (no ring is mapped, or it is full: counted, and told by a PERF_RECORD_LOST when
 * there is room again). A, interrupts off, in an epoch section.
 */
int ebpf_perf_output(struct ebpf_map *map, uint64_t flags, const void *data, uint64_t size,
                     const void *tail, uint64_t tail_size);

/*
 * bpf_perf_event_read_value(): the event's counter and times; bpf_perf_event_read(): counter alone.
 * Returns 0, -EINVAL (flags, type of map, an event of another hart), -E2BIG, -ENOENT, what
 * ebpf_os_perf_counter() returned. The counter of an event that programs write to is 0, as on
 * Linux. A, interrupts off, in an epoch section.
 */
int ebpf_perf_read(struct ebpf_map *map, uint64_t flags, struct bpf_perf_event_value *out);

#endif /* EBPF_MAPS_PERF_EVENT_ARRAY_H */
