/* SPDX-License-Identifier: MIT */
/* Linux's program types: what they may return, and what else the verifier must know of them. */
#include "tools/linux/linux.h"

#include "src/base/bits.h"

#define LOADS 1u  /* BPF_ABS and BPF_IND */
#define WRITES 2u /* into the packet */
#define BOOL 4u   /* returns 0 or 1 */
#define PERFMON 8u
#define NET 16u

static const struct {
    const char *name;
    unsigned traits;
} types[] = {
    [BPF_PROG_TYPE_SOCKET_FILTER] = {"socket_filter", LOADS},
    [BPF_PROG_TYPE_KPROBE] = {"kprobe", PERFMON},
    [BPF_PROG_TYPE_SCHED_CLS] = {"sched_cls", LOADS | WRITES | NET},
    [BPF_PROG_TYPE_SCHED_ACT] = {"sched_act", LOADS | WRITES | NET},
    [BPF_PROG_TYPE_TRACEPOINT] = {"tracepoint", PERFMON},
    [BPF_PROG_TYPE_XDP] = {"xdp", WRITES | NET},
    [BPF_PROG_TYPE_PERF_EVENT] = {"perf_event", PERFMON},
    [BPF_PROG_TYPE_CGROUP_SKB] = {"cgroup_skb", BOOL},
    [BPF_PROG_TYPE_CGROUP_SOCK] = {"cgroup_sock", BOOL | NET},
    [BPF_PROG_TYPE_LWT_IN] = {"lwt_in", NET},
    [BPF_PROG_TYPE_LWT_OUT] = {"lwt_out", NET},
    [BPF_PROG_TYPE_LWT_XMIT] = {"lwt_xmit", WRITES | NET},
    [BPF_PROG_TYPE_SOCK_OPS] = {"sock_ops", BOOL | NET},
    [BPF_PROG_TYPE_SK_SKB] = {"sk_skb", WRITES | NET},
    [BPF_PROG_TYPE_CGROUP_DEVICE] = {"cgroup_device", BOOL | NET},
    [BPF_PROG_TYPE_SK_MSG] = {"sk_msg", WRITES | NET},
    [BPF_PROG_TYPE_RAW_TRACEPOINT] = {"raw_tracepoint", PERFMON},
    [BPF_PROG_TYPE_CGROUP_SOCK_ADDR] = {"cgroup_sock_addr", BOOL | NET},
    [BPF_PROG_TYPE_LWT_SEG6LOCAL] = {"lwt_seg6local", NET},
    [BPF_PROG_TYPE_LIRC_MODE2] = {"lirc_mode2", NET},
    [BPF_PROG_TYPE_SK_REUSEPORT] = {"sk_reuseport", NET},
    [BPF_PROG_TYPE_FLOW_DISSECTOR] = {"flow_dissector", NET},
    [BPF_PROG_TYPE_CGROUP_SYSCTL] = {"cgroup_sysctl", BOOL | NET},
    [BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE] = {"raw_tracepoint_writable", PERFMON},
    [BPF_PROG_TYPE_CGROUP_SOCKOPT] = {"cgroup_sockopt", BOOL | WRITES | NET},
    [BPF_PROG_TYPE_SK_LOOKUP] = {"sk_lookup", BOOL | NET},
    [BPF_PROG_TYPE_SYSCALL] = {"syscall", 0},
    [BPF_PROG_TYPE_NETFILTER] = {"netfilter", BOOL | NET},
};

/* Where the attach type says more than 0 or 1. */
static void set_returns(struct ebpf_prog_type *type, uint32_t attach)
{
    switch (attach) {
    case BPF_CGROUP_INET_EGRESS:
        if (type->id == BPF_PROG_TYPE_CGROUP_SKB)
            type->ret_max = 3;
        break;
    case BPF_CGROUP_INET4_BIND:
    case BPF_CGROUP_INET6_BIND:
        type->ret_max = 3;
        break;
    case BPF_CGROUP_UDP4_RECVMSG:
    case BPF_CGROUP_UDP6_RECVMSG:
    case BPF_CGROUP_UNIX_RECVMSG:
    case BPF_CGROUP_INET4_GETPEERNAME:
    case BPF_CGROUP_INET6_GETPEERNAME:
    case BPF_CGROUP_UNIX_GETPEERNAME:
    case BPF_CGROUP_INET4_GETSOCKNAME:
    case BPF_CGROUP_INET6_GETSOCKNAME:
    case BPF_CGROUP_UNIX_GETSOCKNAME:
        type->ret_min = 1;
        break;
    default:
        break;
    }
}

const struct ebpf_prog_type *linux_prog_type(uint32_t id, uint32_t attach_type)
{
    static struct ebpf_prog_type made[EBPF_ARRAY_SIZE(types)];
    struct ebpf_prog_type *type;
    unsigned traits;

    if (id >= EBPF_ARRAY_SIZE(types) || !types[id].name)
        return NULL;
    traits = types[id].traits;
    type = &made[id];
    *type = (struct ebpf_prog_type){
        .id = id,
        .name = types[id].name,
        .caps = (traits & PERFMON ? EBPF_CAP_PERFMON : 0) | (traits & NET ? EBPF_CAP_NET_ADMIN : 0),
        .packet_loads = traits & LOADS,
        .packet_writes = traits & WRITES,
        .ret_max = traits & BOOL ? 1 : 0,
    };
    type->ctx_access = linux_ctx(id, &type->ctx_size);
    if (traits & BOOL)
        set_returns(type, attach_type);
    else if (id == BPF_PROG_TYPE_KPROBE && attach_type == BPF_TRACE_KPROBE_SESSION)
        type->ret_max = 1;
    return type;
}
