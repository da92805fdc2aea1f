/* SPDX-License-Identifier: MIT */
/* Helpers 130 to 134: ring buffers. */
#include "helpers/helper.h"
#include "helpers/types.h"
#include "maps/ringbuf.h"
#include "maps/value.h"

#define WAKEUP_FLAGS (BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)

static struct ebpf_map *ring_arg(uint64_t reg)
{
    struct ebpf_map *map = ebpf_reg_ptr(reg);

    return map->type == BPF_MAP_TYPE_RINGBUF ? map : NULL;
}

EBPF_HELPER_FN(ringbuf_output)
{
    struct ebpf_map *map = ring_arg(r1);
    void *record;

    if (!map || r4 & ~(uint64_t)WAKEUP_FLAGS)
        return ebpf_reg_int(-EINVAL);
    record = ebpf_ringbuf_reserve(map, r3, 0);
    if (!record)
        return ebpf_reg_int(-EAGAIN);
    ebpf_value_copy(record, ebpf_reg_ptr(r2), r3);
    return ebpf_ringbuf_commit(record, r4, 0);
}

const struct ebpf_helper ebpf_helper_ringbuf_output = {
    .name = "ringbuf_output",
    .fn = ringbuf_output,
    .arg = {ARG_MAP, ARG_MEM_RD, ARG_SIZE_OR_ZERO, ARG_ANYTHING},
    .maps = MAP(RINGBUF),
};

EBPF_HELPER_FN(ringbuf_reserve)
{
    struct ebpf_map *map = ring_arg(r1);

    return map ? (uintptr_t)ebpf_ringbuf_reserve(map, r2, r3) : 0;
}

const struct ebpf_helper ebpf_helper_ringbuf_reserve = {
    .name = "ringbuf_reserve",
    .fn = ringbuf_reserve,
    .arg = {ARG_MAP, ARG_RESERVE_SIZE, ARG_ANYTHING},
    .ret = RET_RECORD_OR_NULL,
    .maps = MAP(RINGBUF),
    .acquires = true,
};

EBPF_HELPER_FN(ringbuf_submit)
{
    return ebpf_ringbuf_commit(ebpf_reg_ptr(r1), r2, 0);
}

const struct ebpf_helper ebpf_helper_ringbuf_submit = {
    .name = "ringbuf_submit",
    .fn = ringbuf_submit,
    .arg = {ARG_RECORD, ARG_ANYTHING},
    .ret = RET_VOID,
};

EBPF_HELPER_FN(ringbuf_discard)
{
    return ebpf_ringbuf_commit(ebpf_reg_ptr(r1), r2, BPF_RINGBUF_DISCARD_BIT);
}

const struct ebpf_helper ebpf_helper_ringbuf_discard = {
    .name = "ringbuf_discard",
    .fn = ringbuf_discard,
    .arg = {ARG_RECORD, ARG_ANYTHING},
    .ret = RET_VOID,
};

EBPF_HELPER_FN(ringbuf_query)
{
    struct ebpf_map *map = ring_arg(r1);

    return map ? ebpf_ringbuf_query(map, r2) : 0;
}

const struct ebpf_helper ebpf_helper_ringbuf_query = {
    .name = "ringbuf_query",
    .fn = ringbuf_query,
    .arg = {ARG_MAP, ARG_ANYTHING},
    .maps = MAP(RINGBUF),
};
