/* SPDX-License-Identifier: MIT */
/* What a section's name says: what the loader does with it, and which type of program it holds. */
#include "src/loader/loader.h"

#include "src/base/bits.h"

/* ---- kinds ----------------------------------------------------------------------------------- */

/* family: NAME and NAME.anything; otherwise there may be one such section only */
static const struct {
    const char *name;
    enum ebpf_elf_kind kind;
    bool family;
} kinds[] = {
    {".data", EBPF_SEC_DATA, true},        {".bss", EBPF_SEC_DATA, true},
    {".rodata", EBPF_SEC_RODATA, true},    {".maps", EBPF_SEC_MAPS, false},
    {"maps", EBPF_SEC_LEGACY_MAPS, false}, {"license", EBPF_SEC_LICENSE, false},
    {".BTF", EBPF_SEC_BTF, false},         {".BTF.ext", EBPF_SEC_BTF_EXT, false},
};

static bool kind_matches(size_t row, const char *name)
{
    size_t len = ebpf_strlen(kinds[row].name);

    if (!ebpf_starts_with(name, kinds[row].name))
        return false;
    return !name[len] || (kinds[row].family && name[len] == '.');
}

static int classify(struct ebpf_elf *elf, uint32_t index, bool *seen)
{
    struct ebpf_elf_section *sec = &elf->sections[index];

    if (sec->type != EBPF_SHT_PROGBITS && sec->type != EBPF_SHT_NOBITS)
        return 0;
    if (sec->flags & EBPF_SHF_EXECINSTR)
        sec->kind = EBPF_SEC_CODE;
    for (size_t row = 0; !sec->kind && row < EBPF_ARRAY_SIZE(kinds); row++) {
        if (!kind_matches(row, sec->name))
            continue;
        if (seen[row] && !kinds[row].family)
            return ebpf_elf_refuse(elf, index, 0, -EINVAL, "second section of this name");
        seen[row] = true;
        sec->kind = kinds[row].kind;
    }
    if (!sec->kind)
        return 0;
    if (sec->flags & EBPF_SHF_COMPRESSED)
        return ebpf_elf_refuse(elf, index, 0, -EOPNOTSUPP, "compressed");
    if (!sec->data && sec->kind != EBPF_SEC_DATA && sec->kind != EBPF_SEC_RODATA)
        return ebpf_elf_refuse(elf, index, 0, -ENOEXEC, "holds no bytes (SHT_NOBITS)");
    return 0;
}

int ebpf_loader_classify(struct ebpf_elf *elf)
{
    bool seen[EBPF_ARRAY_SIZE(kinds)] = {false};
    int err = 0;

    for (uint32_t i = 1; !err && i < elf->section_cnt; i++)
        err = classify(elf, i, seen);
    return err;
}

uint32_t ebpf_loader_section(const struct ebpf_elf *elf, enum ebpf_elf_kind kind)
{
    for (uint32_t i = 1; i < elf->section_cnt; i++) {
        if (elf->sections[i].kind == kind)
            return i;
    }
    return 0;
}

/* ---- program types --------------------------------------------------------------------------- */

/*
 * libbpf's names (Documentation/bpf/libbpf/program_types.rst): the section is called NAME, or
 * NAME/something, and the first row that fits wins. libbpf is stricter about the something, but
 * "xdp/name", "classifier/name" and the like are older spellings that Aya and iproute2 objects
 * still have. Types that this library has not got are refused at load.
 */
#define SEC(section, prog, ...)                                      \
    {                                                                \
        .name = section, .type = BPF_PROG_TYPE_##prog, ##__VA_ARGS__ \
    }

static const struct ebpf_loader_sec_def sec_defs[] = {
    SEC("socket", SOCKET_FILTER),
    SEC("sk_reuseport/migrate", SK_REUSEPORT, .attach_type = BPF_SK_REUSEPORT_SELECT_OR_MIGRATE),
    SEC("sk_reuseport", SK_REUSEPORT, .attach_type = BPF_SK_REUSEPORT_SELECT),
    SEC("kprobe", KPROBE, .attach = EBPF_ATTACH_KPROBE),
    SEC("uprobe", KPROBE),
    SEC("uprobe.s", KPROBE, .flags = BPF_F_SLEEPABLE),
    SEC("kretprobe", KPROBE),
    SEC("uretprobe", KPROBE),
    SEC("uretprobe.s", KPROBE, .flags = BPF_F_SLEEPABLE),
    SEC("kprobe.multi", KPROBE, .attach_type = BPF_TRACE_KPROBE_MULTI),
    SEC("kretprobe.multi", KPROBE, .attach_type = BPF_TRACE_KPROBE_MULTI),
    SEC("kprobe.session", KPROBE, .attach_type = BPF_TRACE_KPROBE_SESSION),
    SEC("uprobe.multi", KPROBE, .attach_type = BPF_TRACE_UPROBE_MULTI),
    SEC("uretprobe.multi", KPROBE, .attach_type = BPF_TRACE_UPROBE_MULTI),
    SEC("uprobe.multi.s", KPROBE, .attach_type = BPF_TRACE_UPROBE_MULTI, .flags = BPF_F_SLEEPABLE),
    SEC("uretprobe.multi.s", KPROBE, .attach_type = BPF_TRACE_UPROBE_MULTI,
        .flags = BPF_F_SLEEPABLE),
    SEC("ksyscall", KPROBE),
    SEC("kretsyscall", KPROBE),
    SEC("usdt", KPROBE),
    SEC("usdt.s", KPROBE, .flags = BPF_F_SLEEPABLE),
    SEC("tc/ingress", SCHED_CLS, .attach_type = BPF_TCX_INGRESS),
    SEC("tc/egress", SCHED_CLS, .attach_type = BPF_TCX_EGRESS),
    SEC("tcx/ingress", SCHED_CLS, .attach_type = BPF_TCX_INGRESS),
    SEC("tcx/egress", SCHED_CLS, .attach_type = BPF_TCX_EGRESS),
    SEC("tc", SCHED_CLS),
    SEC("classifier", SCHED_CLS),
    SEC("action", SCHED_ACT),
    SEC("netkit/primary", SCHED_CLS, .attach_type = BPF_NETKIT_PRIMARY),
    SEC("netkit/peer", SCHED_CLS, .attach_type = BPF_NETKIT_PEER),
    SEC("tracepoint", TRACEPOINT),
    SEC("tp", TRACEPOINT),
    SEC("raw_tracepoint", RAW_TRACEPOINT),
    SEC("raw_tp", RAW_TRACEPOINT),
    SEC("raw_tracepoint.w", RAW_TRACEPOINT_WRITABLE),
    SEC("raw_tp.w", RAW_TRACEPOINT_WRITABLE),
    SEC("tp_btf", TRACING, .attach_type = BPF_TRACE_RAW_TP),
    SEC("fentry", TRACING, .attach_type = BPF_TRACE_FENTRY),
    SEC("fmod_ret", TRACING, .attach_type = BPF_MODIFY_RETURN),
    SEC("fexit", TRACING, .attach_type = BPF_TRACE_FEXIT),
    SEC("fentry.s", TRACING, .attach_type = BPF_TRACE_FENTRY, .flags = BPF_F_SLEEPABLE),
    SEC("fmod_ret.s", TRACING, .attach_type = BPF_MODIFY_RETURN, .flags = BPF_F_SLEEPABLE),
    SEC("fexit.s", TRACING, .attach_type = BPF_TRACE_FEXIT, .flags = BPF_F_SLEEPABLE),
    SEC("freplace", EXT),
    SEC("lsm", LSM, .attach_type = BPF_LSM_MAC),
    SEC("lsm.s", LSM, .attach_type = BPF_LSM_MAC, .flags = BPF_F_SLEEPABLE),
    SEC("lsm_cgroup", LSM, .attach_type = BPF_LSM_CGROUP),
    SEC("iter", TRACING, .attach_type = BPF_TRACE_ITER),
    SEC("iter.s", TRACING, .attach_type = BPF_TRACE_ITER, .flags = BPF_F_SLEEPABLE),
    SEC("syscall", SYSCALL, .flags = BPF_F_SLEEPABLE),
    SEC("xdp.frags/devmap", XDP, .attach_type = BPF_XDP_DEVMAP, .flags = BPF_F_XDP_HAS_FRAGS),
    SEC("xdp/devmap", XDP, .attach_type = BPF_XDP_DEVMAP),
    SEC("xdp.frags/cpumap", XDP, .attach_type = BPF_XDP_CPUMAP, .flags = BPF_F_XDP_HAS_FRAGS),
    SEC("xdp/cpumap", XDP, .attach_type = BPF_XDP_CPUMAP),
    SEC("xdp.frags", XDP, .attach_type = BPF_XDP, .flags = BPF_F_XDP_HAS_FRAGS),
    SEC("xdp", XDP, .attach_type = BPF_XDP),
    SEC("perf_event", PERF_EVENT),
    SEC("lwt_in", LWT_IN),
    SEC("lwt_out", LWT_OUT),
    SEC("lwt_xmit", LWT_XMIT),
    SEC("lwt_seg6local", LWT_SEG6LOCAL),
    SEC("sockops", SOCK_OPS, .attach_type = BPF_CGROUP_SOCK_OPS),
    SEC("sk_skb/stream_parser", SK_SKB, .attach_type = BPF_SK_SKB_STREAM_PARSER),
    SEC("sk_skb/stream_verdict", SK_SKB, .attach_type = BPF_SK_SKB_STREAM_VERDICT),
    SEC("sk_skb/verdict", SK_SKB, .attach_type = BPF_SK_SKB_VERDICT),
    SEC("sk_skb", SK_SKB),
    SEC("sk_msg", SK_MSG, .attach_type = BPF_SK_MSG_VERDICT),
    SEC("lirc_mode2", LIRC_MODE2, .attach_type = BPF_LIRC_MODE2),
    SEC("flow_dissector", FLOW_DISSECTOR, .attach_type = BPF_FLOW_DISSECTOR),
    SEC("cgroup_skb/ingress", CGROUP_SKB, .attach_type = BPF_CGROUP_INET_INGRESS),
    SEC("cgroup_skb/egress", CGROUP_SKB, .attach_type = BPF_CGROUP_INET_EGRESS),
    SEC("cgroup/skb", CGROUP_SKB),
    SEC("cgroup/sock_create", CGROUP_SOCK, .attach_type = BPF_CGROUP_INET_SOCK_CREATE),
    SEC("cgroup/sock_release", CGROUP_SOCK, .attach_type = BPF_CGROUP_INET_SOCK_RELEASE),
    SEC("cgroup/sock", CGROUP_SOCK, .attach_type = BPF_CGROUP_INET_SOCK_CREATE),
    SEC("cgroup/post_bind4", CGROUP_SOCK, .attach_type = BPF_CGROUP_INET4_POST_BIND),
    SEC("cgroup/post_bind6", CGROUP_SOCK, .attach_type = BPF_CGROUP_INET6_POST_BIND),
    SEC("cgroup/bind4", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_INET4_BIND),
    SEC("cgroup/bind6", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_INET6_BIND),
    SEC("cgroup/connect4", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_INET4_CONNECT),
    SEC("cgroup/connect6", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_INET6_CONNECT),
    SEC("cgroup/connect_unix", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_UNIX_CONNECT),
    SEC("cgroup/sendmsg4", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_UDP4_SENDMSG),
    SEC("cgroup/sendmsg6", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_UDP6_SENDMSG),
    SEC("cgroup/sendmsg_unix", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_UNIX_SENDMSG),
    SEC("cgroup/recvmsg4", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_UDP4_RECVMSG),
    SEC("cgroup/recvmsg6", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_UDP6_RECVMSG),
    SEC("cgroup/recvmsg_unix", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_UNIX_RECVMSG),
    SEC("cgroup/getpeername4", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_INET4_GETPEERNAME),
    SEC("cgroup/getpeername6", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_INET6_GETPEERNAME),
    SEC("cgroup/getpeername_unix", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_UNIX_GETPEERNAME),
    SEC("cgroup/getsockname4", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_INET4_GETSOCKNAME),
    SEC("cgroup/getsockname6", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_INET6_GETSOCKNAME),
    SEC("cgroup/getsockname_unix", CGROUP_SOCK_ADDR, .attach_type = BPF_CGROUP_UNIX_GETSOCKNAME),
    SEC("cgroup/sysctl", CGROUP_SYSCTL, .attach_type = BPF_CGROUP_SYSCTL),
    SEC("cgroup/getsockopt", CGROUP_SOCKOPT, .attach_type = BPF_CGROUP_GETSOCKOPT),
    SEC("cgroup/setsockopt", CGROUP_SOCKOPT, .attach_type = BPF_CGROUP_SETSOCKOPT),
    SEC("cgroup/dev", CGROUP_DEVICE, .attach_type = BPF_CGROUP_DEVICE),
    SEC("struct_ops", STRUCT_OPS),
    SEC("struct_ops.s", STRUCT_OPS, .flags = BPF_F_SLEEPABLE),
    SEC("sk_lookup", SK_LOOKUP, .attach_type = BPF_SK_LOOKUP),
    SEC("netfilter", NETFILTER, .attach_type = BPF_NETFILTER),
};

const struct ebpf_loader_sec_def *ebpf_loader_sec_def(const char *name)
{
    for (size_t i = 0; i < EBPF_ARRAY_SIZE(sec_defs); i++) {
        size_t len = ebpf_strlen(sec_defs[i].name);

        if (ebpf_starts_with(name, sec_defs[i].name) && (!name[len] || name[len] == '/'))
            return &sec_defs[i];
    }
    return NULL;
}
