/* SPDX-License-Identifier: MIT */
/* BPF_PROG_TYPE_SOCKET_FILTER: sees a packet's metadata. There is no network here: programs run by
 * BPF_PROG_TEST_RUN. */
#include "src/core/prog.h"
#include "src/core/skb.h"
#include "src/core/test_run.h"

#define FIELD(name, may_write)                                                \
    {                                                                         \
        .off = offsetof(struct __sk_buff, name), .size = 4, .kernel_size = 4, \
        .kernel_off = offsetof(struct ebpf_skb, name), .writable = may_write  \
    }

/* As Linux's sk_filter_is_valid_access(): no packet pointers, no socket, only cb[] can be
 * written. */
static const struct ebpf_ctx_field fields[] = {
    FIELD(len, false),      FIELD(pkt_type, false),
    FIELD(mark, false),     FIELD(queue_mapping, false),
    FIELD(protocol, false), FIELD(vlan_present, false),
    FIELD(vlan_tci, false), FIELD(vlan_proto, false),
    FIELD(priority, false), FIELD(ingress_ifindex, false),
    FIELD(ifindex, false),  FIELD(tc_index, false),
    FIELD(cb[0], true),     FIELD(cb[1], true),
    FIELD(cb[2], true),     FIELD(cb[3], true),
    FIELD(cb[4], true),     FIELD(hash, false),
    FIELD(napi_id, false),  FIELD(gso_segs, false),
    FIELD(gso_size, false),
};

/* What Linux's convert___skb_to_skb() takes from the caller; everything else must be zero. */
static int take_ctx(const struct __sk_buff *in, struct ebpf_skb *skb)
{
    struct __sk_buff rest = *in;

    rest.mark = rest.priority = rest.ingress_ifindex = rest.ifindex = 0;
    rest.gso_segs = rest.gso_size = 0;
    memset(rest.cb, 0, sizeof(rest.cb));
    if (!ebpf_all_zero(&rest, sizeof(rest)))
        return -EINVAL;
    if (in->ifindex >
        1) /* Linux's test runs come in by the loopback device, number 1; there are no others */
        return -ENODEV;
    skb->mark = in->mark;
    skb->priority = in->priority;
    skb->ingress_ifindex = in->ingress_ifindex;
    skb->gso_segs = in->gso_segs;
    skb->gso_size = in->gso_size;
    memcpy(skb->cb, in->cb, sizeof(skb->cb));
    return 0;
}

static void give_ctx(const struct ebpf_skb *skb, struct __sk_buff *out)
{
    out->len = skb->len;
    out->mark = skb->mark;
    out->priority = skb->priority;
    out->ingress_ifindex = skb->ingress_ifindex;
    out->ifindex = skb->ifindex;
    out->gso_segs = skb->gso_segs;
    out->gso_size = skb->gso_size;
    memcpy(out->cb, skb->cb, sizeof(out->cb));
}

static int test_run(struct ebpf_prog *prog, union bpf_attr *attr, const struct ebpf_caller *caller)
{
    struct ebpf_test_data data = {.max = 4096};
    struct __sk_buff ctx = {0};
    struct ebpf_skb skb = {.ifindex = 1};
    int err;

    if (attr->test.flags || attr->test.cpu || attr->test.batch_size)
        return -EINVAL;
    err = ebpf_test_ctx_in(attr, caller, &ctx, sizeof(ctx));
    if (!err)
        err = take_ctx(&ctx, &skb);
    if (!err)
        err = ebpf_test_data_in(attr, caller, &data);
    if (err)
        return err;
    memcpy(&skb.protocol, data.start + 12, 2); /* big-endian in the packet and in skb->protocol */
    /* a socket sees what comes behind the link layer */
    skb.data = data.start + EBPF_ETH_HLEN;
    skb.len = data.size - EBPF_ETH_HLEN;
    err = ebpf_test_repeat(prog, attr, &skb);
    if (!err)
        err = ebpf_test_data_out(attr, caller, skb.data, skb.len);
    give_ctx(&skb, &ctx);
    if (!err || err == -ENOSPC) {
        int ctx_err = ebpf_test_ctx_out(attr, caller, &ctx, sizeof(ctx));

        err = err ? err : ctx_err;
    }
    ebpf_test_data_free(&data);
    return err;
}

const struct ebpf_prog_type ebpf_prog_type_socket_filter = {
    .id = BPF_PROG_TYPE_SOCKET_FILTER,
    .name = "socket_filter",
    .fields = fields,
    .field_cnt = sizeof(fields) / sizeof(fields[0]),
    .ctx_size = sizeof(struct __sk_buff),
    .packet_loads = true,
    .test_run = test_run,
};
