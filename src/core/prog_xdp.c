/* SPDX-License-Identifier: MIT */
/* BPF_PROG_TYPE_XDP: packets before the network stack. There is no network here: programs run by
 * BPF_PROG_TEST_RUN. */
#include "src/core/prog.h"
#include "src/core/test_run.h"
#include "src/core/xdp.h"

#define POINTER(name, ctx_kind)                                            \
    {                                                                      \
        .off = offsetof(struct xdp_md, name), .size = 4, .kernel_size = 8, \
        .kernel_off = offsetof(struct ebpf_xdp, name), .kind = ctx_kind    \
    }
#define NUMBER(name)                                                       \
    {                                                                      \
        .off = offsetof(struct xdp_md, name), .size = 4, .kernel_size = 4, \
        .kernel_off = offsetof(struct ebpf_xdp, name), .whole = true       \
    }
/* Packets have it only where Linux redirects them to a device: xdp_is_valid_access() */
#define EGRESS(name)                                                                           \
    {                                                                                          \
        .off = offsetof(struct xdp_md, name), .size = 4, .kernel_size = 4,                     \
        .kernel_off = offsetof(struct ebpf_xdp, name), .whole = true, .attach = BPF_XDP_DEVMAP \
    }

static const struct ebpf_ctx_field fields[] = {
    POINTER(data, EBPF_CTX_PACKET),
    POINTER(data_end, EBPF_CTX_PACKET_END),
    POINTER(data_meta, EBPF_CTX_PACKET_META),
    NUMBER(ingress_ifindex),
    NUMBER(rx_queue_index),
    EGRESS(egress_ifindex),
};

/* Linux: XDP_PACKET_HEADROOM, and the tail of the page that struct skb_shared_info takes there. */
#define HEADROOM 256u
#define TAILROOM 320u
#define MAX_META 32u

/* The caller's struct xdp_md: data counts the metadata in front of the packet, data_end is the
 * whole size, as Linux's xdp_convert_md_to_buff() has it. *meta: bytes of metadata. */
static int take_ctx(const struct xdp_md *md, uint32_t size, uint32_t *meta)
{
    if (md->data_meta || md->data_end != size || md->data > md->data_end)
        return -EINVAL;
    if (md->data % 4 || md->data > MAX_META)
        return -EINVAL;
    if (md->egress_ifindex || md->ingress_ifindex || md->rx_queue_index)
        return -EINVAL; /* Linux looks the device up: there is none */
    *meta = md->data;
    return 0;
}

static int test_run(struct ebpf_prog *prog, union bpf_attr *attr, const struct ebpf_caller *caller)
{
    struct ebpf_test_data data = {
        .headroom = HEADROOM, .max = 4096 - HEADROOM - TAILROOM, .grows = true};
    struct ebpf_xdp buff = {0};
    struct xdp_md md = {0};
    uint32_t meta = 0;
    int err;

    if (attr->test.flags || attr->test.cpu || attr->test.batch_size)
        return -EINVAL;
    err = ebpf_test_ctx_in(attr, caller, &md, sizeof(md));
    if (!err && attr->test.ctx_in)
        err = take_ctx(&md, attr->test.data_size_in, &meta);
    data.headroom -= meta; /* it lies in the headroom */
    data.max += meta;
    if (!err)
        err = ebpf_test_data_in(attr, caller, &data);
    if (err)
        return err;
    buff.hard_start = data.start - data.headroom;
    buff.hard_end = data.mem + data.mem_size;
    buff.data_meta = data.start;
    buff.data = data.start + meta;
    buff.data_end = data.start + data.size;
    err = ebpf_test_repeat(prog, attr, &buff);
    if (!err)
        err = ebpf_test_data_out(attr, caller, buff.data_meta,
                                 (uint32_t)(buff.data_end - buff.data_meta));
    md.data = (uint32_t)(buff.data - buff.data_meta);
    md.data_end = (uint32_t)(buff.data_end - buff.data_meta);
    if (!err || err == -ENOSPC) {
        int ctx_err = ebpf_test_ctx_out(attr, caller, &md, sizeof(md));

        err = err ? err : ctx_err;
    }
    ebpf_test_data_free(&data);
    return err;
}

const struct ebpf_prog_type ebpf_prog_type_xdp = {
    .id = BPF_PROG_TYPE_XDP,
    .name = "xdp",
    .caps = EBPF_CAP_NET_ADMIN,
    .fields = fields,
    .field_cnt = sizeof(fields) / sizeof(fields[0]),
    .ctx_size = sizeof(struct xdp_md),
    .packet_writes = true,
    .test_run = test_run,
};
