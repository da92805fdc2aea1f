/* SPDX-License-Identifier: MIT */
/* Masks for .types and .maps of struct ebpf_helper: which programs Linux 6.12 gives a helper to, by
 * the families that its *_func_proto() functions make. */
#ifndef EBPF_HELPERS_TYPES_H
#define EBPF_HELPERS_TYPES_H

#include <ebpf/uapi.h>

#define PROG(name) (1ull << BPF_PROG_TYPE_##name)
#define MAP(name) (1ull << BPF_MAP_TYPE_##name)

/* bpf_tracing_func_proto() */
#define TRACING_PROGS                                                            \
    (PROG(KPROBE) | PROG(TRACEPOINT) | PROG(PERF_EVENT) | PROG(RAW_TRACEPOINT) | \
     PROG(RAW_TRACEPOINT_WRITABLE) | PROG(TRACING) | PROG(LSM) | PROG(SYSCALL))
#define TC_PROGS (PROG(SCHED_CLS) | PROG(SCHED_ACT))
#define LWT_PROGS (PROG(LWT_IN) | PROG(LWT_OUT) | PROG(LWT_XMIT) | PROG(LWT_SEG6LOCAL))
/* cgroup_current_func_proto(), cgroup_common_func_proto() */
#define CGROUP_PROGS                                                                        \
    (PROG(CGROUP_DEVICE) | PROG(CGROUP_SYSCTL) | PROG(CGROUP_SOCKOPT) | PROG(CGROUP_SOCK) | \
     PROG(CGROUP_SOCK_ADDR))
/* those that fall back on bpf_sk_base_func_proto() */
#define SOCKET_PROGS                                                                          \
    (PROG(SOCKET_FILTER) | PROG(CGROUP_SKB) | PROG(CGROUP_SOCK_ADDR) | TC_PROGS | PROG(XDP) | \
     PROG(SOCK_OPS) | PROG(SK_MSG) | PROG(SK_SKB) | PROG(FLOW_DISSECTOR) | LWT_PROGS |        \
     PROG(SK_LOOKUP))

#endif /* EBPF_HELPERS_TYPES_H */
