/* SPDX-License-Identifier: MIT */
/* Helpers 197 to 203: dynptrs over memory and over ring buffers' records. */
#include "helpers/dynptr.h"

#include "helpers/helper.h"
#include "helpers/types.h"
#include "maps/ringbuf.h"
#include "src/base/mem.h"

/* Are those bytes inside? NULL: they are not, or there is no memory. */
static uint8_t *inside(const struct ebpf_dynptr *dynptr, uint64_t offset, uint64_t len, int *err)
{
    *err = !dynptr->data ? -EINVAL : -E2BIG;
    if (!dynptr->data || len > dynptr->size || offset > dynptr->size - len)
        return NULL;
    return dynptr->data + offset;
}

/* r1: memory, r2: its size, r3: flags, r4: the dynptr */
EBPF_HELPER_FN(dynptr_from_mem)
{
    struct ebpf_dynptr *dynptr = ebpf_reg_ptr(r4);
    uint32_t size = (uint32_t)r2;

    ebpf_dynptr_clear(dynptr);
    if (size > EBPF_DYNPTR_MAX)
        return ebpf_reg_int(-E2BIG);
    if (r3)
        return ebpf_reg_int(-EINVAL);
    *dynptr = (struct ebpf_dynptr){ebpf_reg_ptr(r1), size, EBPF_DYNPTR_LOCAL};
    return 0;
}

const struct ebpf_helper ebpf_helper_dynptr_from_mem = {
    .name = "dynptr_from_mem",
    .fn = dynptr_from_mem,
    .arg = {ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING, ARG_DYNPTR_UNINIT_MEM},
    .caps = EBPF_CAP_BPF,
};

/* r1: destination, r2: its size, r3: the dynptr, r4: offset in it, r5: flags. The two may
 * overlap. */
EBPF_HELPER_FN(dynptr_read)
{
    const uint8_t *from;
    int err = -EINVAL;

    if (r5)
        return ebpf_reg_int(-EINVAL);
    from = inside(ebpf_reg_ptr(r3), (uint32_t)r4, (uint32_t)r2, &err);
    if (!from)
        return ebpf_reg_int(err);
    memmove(ebpf_reg_ptr(r1), from, (uint32_t)r2);
    return 0;
}

const struct ebpf_helper ebpf_helper_dynptr_read = {
    .name = "dynptr_read",
    .fn = dynptr_read,
    .arg = {ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_DYNPTR, ARG_ANYTHING, ARG_ANYTHING},
    .caps = EBPF_CAP_BPF,
};

/* r1: the dynptr, r2: offset in it, r3: source, r4: its size, r5: flags */
EBPF_HELPER_FN(dynptr_write)
{
    uint8_t *to;
    int err;

    to = inside(ebpf_reg_ptr(r1), (uint32_t)r2, (uint32_t)r4, &err);
    if (!to)
        return ebpf_reg_int(err);
    if (r5)
        return ebpf_reg_int(-EINVAL);
    memmove(to, ebpf_reg_ptr(r3), (uint32_t)r4);
    return 0;
}

const struct ebpf_helper ebpf_helper_dynptr_write = {
    .name = "dynptr_write",
    .fn = dynptr_write,
    .arg = {ARG_DYNPTR, ARG_ANYTHING, ARG_MEM_RD, ARG_SIZE_OR_ZERO, ARG_ANYTHING},
    .caps = EBPF_CAP_BPF,
};

/* r1: the dynptr, r2: offset in it, r3: size. The memory itself, or NULL. */
EBPF_HELPER_FN(dynptr_data)
{
    int err;

    return (uintptr_t)inside(ebpf_reg_ptr(r1), (uint32_t)r2, (uint32_t)r3, &err);
}

const struct ebpf_helper ebpf_helper_dynptr_data = {
    .name = "dynptr_data",
    .fn = dynptr_data,
    .arg = {ARG_DYNPTR, ARG_ANYTHING, ARG_RESERVE_SIZE},
    .ret = RET_DYNPTR_MEM_OR_NULL,
    .caps = EBPF_CAP_BPF,
};

/* ---- ring buffers -------------------------------------------------------------------------- */

static int reserve(struct ebpf_map *map, uint32_t size, uint64_t flags, void **record)
{
    if (map->type != BPF_MAP_TYPE_RINGBUF || flags)
        return -EINVAL;
    if (size > EBPF_DYNPTR_MAX)
        return -E2BIG;
    *record = ebpf_ringbuf_reserve(map, size, 0);
    return *record ? 0 : -EINVAL;
}

/* r1: map, r2: size, r3: flags, r4: the dynptr, to be submitted or discarded whatever is
 * returned */
EBPF_HELPER_FN(ringbuf_reserve_dynptr)
{
    struct ebpf_dynptr *dynptr = ebpf_reg_ptr(r4);
    void *record;
    int err;

    ebpf_dynptr_clear(dynptr);
    err = reserve(ebpf_reg_ptr(r1), (uint32_t)r2, r3, &record);
    if (!err)
        *dynptr = (struct ebpf_dynptr){record, (uint32_t)r2, EBPF_DYNPTR_RINGBUF};
    return ebpf_reg_int(err);
}

const struct ebpf_helper ebpf_helper_ringbuf_reserve_dynptr = {
    .name = "ringbuf_reserve_dynptr",
    .fn = ringbuf_reserve_dynptr,
    .arg = {ARG_MAP, ARG_ANYTHING, ARG_ANYTHING, ARG_DYNPTR_UNINIT_RINGBUF},
    .caps = EBPF_CAP_BPF,
    .maps = MAP(RINGBUF),
};

static void commit(struct ebpf_dynptr *dynptr, uint64_t flags, bool discard)
{
    if (dynptr->data)
        ebpf_ringbuf_commit(dynptr->data, flags, discard ? BPF_RINGBUF_DISCARD_BIT : 0);
    ebpf_dynptr_clear(dynptr);
}

EBPF_HELPER_FN(ringbuf_submit_dynptr)
{
    commit(ebpf_reg_ptr(r1), r2, false);
    return 0;
}

const struct ebpf_helper ebpf_helper_ringbuf_submit_dynptr = {
    .name = "ringbuf_submit_dynptr",
    .fn = ringbuf_submit_dynptr,
    .arg = {ARG_DYNPTR_RINGBUF, ARG_ANYTHING},
    .ret = RET_VOID,
    .caps = EBPF_CAP_BPF,
};

EBPF_HELPER_FN(ringbuf_discard_dynptr)
{
    commit(ebpf_reg_ptr(r1), r2, true);
    return 0;
}

const struct ebpf_helper ebpf_helper_ringbuf_discard_dynptr = {
    .name = "ringbuf_discard_dynptr",
    .fn = ringbuf_discard_dynptr,
    .arg = {ARG_DYNPTR_RINGBUF, ARG_ANYTHING},
    .ret = RET_VOID,
    .caps = EBPF_CAP_BPF,
};
