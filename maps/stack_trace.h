/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_STACK_TRACE: return addresses by a number that follows from them. The walk itself is
 * the kernel's: ebpf_os_stack() of <ebpf/os.h>.
 */
#ifndef EBPF_MAPS_STACK_TRACE_H
#define EBPF_MAPS_STACK_TRACE_H

#include <ebpf/kprobe.h>

#include "maps/map.h"

#define EBPF_MAX_STACK 127u /* Linux: sysctl perf_event_max_stack, its default */

/*
 * bpf_get_stackid(): walks from regs (NULL: from here) and puts the frames into the map: addresses,
 * or in a map with BPF_F_STACK_BUILD_ID struct bpf_stack_build_id. flags:
 * BPF_F_SKIP_FIELD_MASK, BPF_F_USER_STACK, BPF_F_FAST_STACK_CMP, BPF_F_REUSE_STACKID. Returns the
 * number, or -EINVAL (other flags, another type of map), -EFAULT (no stack, or all of it skipped),
 * -EEXIST (another stack has the number, and no BPF_F_REUSE_STACKID), -ENOMEM (full), -EBUSY (this
 * hart is inside already). A, interrupts off, in an epoch section.
 */
int64_t ebpf_stack_trace_id(struct ebpf_map *map, const struct ebpf_regs *regs, uint64_t flags);

/*
 * bpf_get_stack(): the frames themselves to buf, the rest of buf zeroed. flags:
 * BPF_F_SKIP_FIELD_MASK, BPF_F_USER_STACK, and with it BPF_F_USER_BUILD_ID for frames of struct
 * bpf_stack_build_id. Returns the bytes, or -EINVAL (other flags, build ids of the kernel's stack,
 * size not a multiple of a frame's), -EFAULT (fewer frames than are to be skipped): buf is zero then.
 * A, interrupts off.
 */
int64_t ebpf_stack_trace_get(const struct ebpf_regs *regs, void *buf, uint32_t size,
                             uint64_t flags);

#endif /* EBPF_MAPS_STACK_TRACE_H */
