/* SPDX-License-Identifier: MIT */
/* Helpers 44, 54, 65 and 188 to 190: packets of XDP programs, see src/core/xdp.h. */
#include "src/core/xdp.h"

#include "helpers/helper.h"
#include "helpers/types.h"
#include "src/base/mem.h"

#define MIN_PACKET 14 /* Linux: ETH_HLEN */
#define MAX_ACCESS 0xffffu

/* The metadata moves along with the packet's start. */
EBPF_HELPER_FN(xdp_adjust_head)
{
    struct ebpf_xdp *xdp = ebpf_reg_ptr(r1);
    int64_t by = (int32_t)r2, meta = xdp->data - xdp->data_meta;
    int64_t start = xdp->data - xdp->hard_start + by;

    if (start < (int64_t)EBPF_XDP_FRAME + meta ||
        start > xdp->data_end - xdp->hard_start - MIN_PACKET)
        return ebpf_reg_int(-EINVAL);
    memmove(xdp->data_meta + by, xdp->data_meta, (size_t)meta);
    xdp->data_meta += by;
    xdp->data += by;
    return 0;
}

EBPF_HELPER_FN(xdp_adjust_tail)
{
    struct ebpf_xdp *xdp = ebpf_reg_ptr(r1);
    int64_t by = (int32_t)r2;

    if (by > xdp->hard_end - xdp->data_end || xdp->data_end - xdp->data + by < MIN_PACKET)
        return ebpf_reg_int(-EINVAL);
    if (by > 0)
        memset(xdp->data_end, 0, (size_t)by);
    xdp->data_end += by;
    return 0;
}

EBPF_HELPER_FN(xdp_adjust_meta)
{
    struct ebpf_xdp *xdp = ebpf_reg_ptr(r1);
    int64_t start = xdp->data_meta - xdp->hard_start + (int32_t)r2;
    int64_t size = xdp->data - xdp->hard_start - start;

    if (start < (int64_t)EBPF_XDP_FRAME || size < 0)
        return ebpf_reg_int(-EINVAL);
    if (size % 4 || size > EBPF_XDP_META)
        return ebpf_reg_int(-EACCES);
    xdp->data_meta = xdp->hard_start + start;
    return 0;
}

#define ADJUST(fn_name)                                \
    const struct ebpf_helper ebpf_helper_##fn_name = { \
        .name = #fn_name,                              \
        .fn = fn_name,                                 \
        .arg = {ARG_CTX, ARG_ANYTHING},                \
        .types = PROG(XDP),                            \
        .packet = true,                                \
    }

ADJUST(xdp_adjust_head);
ADJUST(xdp_adjust_tail);
ADJUST(xdp_adjust_meta);

EBPF_HELPER_FN(xdp_get_buff_len)
{
    const struct ebpf_xdp *xdp = ebpf_reg_ptr(r1);

    return (uint64_t)(xdp->data_end - xdp->data);
}

const struct ebpf_helper ebpf_helper_xdp_get_buff_len = {
    .name = "xdp_get_buff_len",
    .fn = xdp_get_buff_len,
    .arg = {ARG_CTX},
    .types = PROG(XDP),
};

/* len bytes at offset of the packet: 0, -EFAULT (no packet is so long), -EINVAL (this one is
 * not). */
static int inside(const struct ebpf_xdp *xdp, uint32_t offset, uint32_t len)
{
    if (offset > MAX_ACCESS || len > MAX_ACCESS)
        return -EFAULT;
    return offset + len <= (uint64_t)(xdp->data_end - xdp->data) ? 0 : -EINVAL;
}

/* r1: context, r2: offset, r3: destination, r4: its size */
EBPF_HELPER_FN(xdp_load_bytes)
{
    const struct ebpf_xdp *xdp = ebpf_reg_ptr(r1);
    int err = inside(xdp, (uint32_t)r2, (uint32_t)r4);

    if (!err)
        memcpy(ebpf_reg_ptr(r3), xdp->data + (uint32_t)r2, (uint32_t)r4);
    return ebpf_reg_int(err);
}

const struct ebpf_helper ebpf_helper_xdp_load_bytes = {
    .name = "xdp_load_bytes",
    .fn = xdp_load_bytes,
    .arg = {ARG_CTX, ARG_ANYTHING, ARG_MEM_WR, ARG_SIZE},
    .types = PROG(XDP),
};

EBPF_HELPER_FN(xdp_store_bytes)
{
    struct ebpf_xdp *xdp = ebpf_reg_ptr(r1);
    int err = inside(xdp, (uint32_t)r2, (uint32_t)r4);

    if (!err)
        memcpy(xdp->data + (uint32_t)r2, ebpf_reg_ptr(r3), (uint32_t)r4);
    return ebpf_reg_int(err);
}

const struct ebpf_helper ebpf_helper_xdp_store_bytes = {
    .name = "xdp_store_bytes",
    .fn = xdp_store_bytes,
    .arg = {ARG_CTX, ARG_ANYTHING, ARG_MEM_RD, ARG_SIZE},
    .types = PROG(XDP),
};
