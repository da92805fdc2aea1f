/* SPDX-License-Identifier: MIT */
/*
 * The tables of bpf-check --linux against the kernel of this machine: which program type may call
 * which helper, and read and write which bytes of its context. Programs are loaded, never attached
 * or run. Skipped where bpf(2) is not to be had, or where the kernel is not of the tables' version.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/unit/insn.h"
#include "tests/unit/test.h"
#include "tools/linux/linux.h"

#include "tools/linux/ctx.c"
#undef T
#undef NARROW
#undef ANY
#include "tools/linux/helpers.c"
#include "tools/linux/types.c"

#define HELPERS 211u

/* Linux wants one of these to know what may be done. */
static const struct {
    uint8_t type, attach;
} kinds[] = {
    {BPF_PROG_TYPE_SOCKET_FILTER, 0},
    {BPF_PROG_TYPE_KPROBE, 0},
    {BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_SESSION},
    {BPF_PROG_TYPE_SCHED_CLS, 0},
    {BPF_PROG_TYPE_SCHED_ACT, 0},
    {BPF_PROG_TYPE_TRACEPOINT, 0},
    {BPF_PROG_TYPE_XDP, 0},
    {BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP},
    {BPF_PROG_TYPE_PERF_EVENT, 0},
    {BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS},
    {BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS},
    {BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE},
    {BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE},
    {BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET4_POST_BIND},
    {BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET6_POST_BIND},
    {BPF_PROG_TYPE_LWT_IN, 0},
    {BPF_PROG_TYPE_LWT_OUT, 0},
    {BPF_PROG_TYPE_LWT_XMIT, 0},
    {BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS},
    {BPF_PROG_TYPE_SK_SKB, 0},
    {BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE},
    {BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT},
    {BPF_PROG_TYPE_RAW_TRACEPOINT, 0},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_RECVMSG},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_GETPEERNAME},
    {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_GETSOCKNAME},
    {BPF_PROG_TYPE_LWT_SEG6LOCAL, 0},
    {BPF_PROG_TYPE_SK_REUSEPORT, 0},
    {BPF_PROG_TYPE_FLOW_DISSECTOR, 0},
    {BPF_PROG_TYPE_CGROUP_SYSCTL, 0},
    {BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0},
    {BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT},
    {BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT},
    {BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP},
    {BPF_PROG_TYPE_SYSCALL, 0},
    {BPF_PROG_TYPE_NETFILTER, BPF_NETFILTER},
};
static uint32_t attach; /* of the programs that are loaded now */

static char log_text[65536];

/* 0, or -errno and log_text. */
static int linux_load(uint32_t type, const struct bpf_insn *insns, uint32_t count)
{
    union bpf_attr attr = {.prog_type = type,
                           .insns = (uintptr_t)insns,
                           .insn_cnt = count,
                           .license = (uintptr_t) "GPL",
                           .log_level = 1,
                           .log_buf = (uintptr_t)log_text,
                           .log_size = sizeof(log_text),
                           .expected_attach_type = attach,
                           .prog_flags = type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0};
    long fd;

    log_text[0] = 0;
    fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
    if (fd < 0)
        return -errno;
    close((int)fd);
    return 0;
}

/* Does this machine's kernel have the type? */
static bool linux_has(uint32_t type)
{
    const struct bpf_insn insns[] = {BPF_MOV64_IMM(BPF_REG_0, 1), BPF_EXIT_INSN()};
    uint32_t size;

    return linux_ctx(type, &size) && linux_load(type, insns, 2) == 0;
}

static bool can_ask(void)
{
    struct utsname name;

    attach = 0;
    if (uname(&name) || strncmp(name.release, "6.18", 4) || !linux_has(BPF_PROG_TYPE_XDP)) {
        test_skip("the tables of Linux: bpf(2) of Linux 6.18 is not to be had");
        return false;
    }
    return true;
}

static bool linux_lets_call(uint32_t type, uint32_t helper)
{
    const struct bpf_insn insns[] = {
        {.code = BPF_JMP | BPF_CALL, .imm = (int32_t)helper},
        BPF_MOV64_IMM(BPF_REG_0, 1),
        BPF_EXIT_INSN(),
    };

    return linux_load(type, insns, 3) == 0 || !strstr(log_text, "cannot use helper");
}

/* What depends on the machine's configuration and lock-down, not on the type. */
static bool depends(uint32_t helper)
{
    return helper == 36 /* probe_write_user */ || helper == 58 /* override_return */;
}

/* The table knows types, and what the first attach type of each may call. */
static bool attach_decides(uint32_t type)
{
    return (type == BPF_PROG_TYPE_CGROUP_SOCK_ADDR && attach != BPF_CGROUP_INET6_CONNECT) ||
           (type == BPF_PROG_TYPE_CGROUP_SOCKOPT && attach != BPF_CGROUP_SETSOCKOPT);
}

TEST(linux_table_of_helpers_is_that_of_this_kernel)
{
    if (!can_ask())
        return;
    for (size_t i = 0; i < EBPF_ARRAY_SIZE(kinds); i++) {
        uint32_t type = kinds[i].type;

        attach = kinds[i].attach;
        if (!linux_has(type) || attach_decides(type))
            continue;
        for (uint32_t helper = 1; helper <= HELPERS; helper++) {
            const struct ebpf_helper *row = linux_helper(helper, type);
            bool ours = row && row->types >> type & 1;

            if (!depends(helper) && ours != linux_lets_call(type, helper))
                test_fail(__FILE__, __LINE__, "type %u helper %u (%s): we say %d", type, helper,
                          row ? row->name : "?", ours);
        }
    }
}

/* 6.12, which the library follows, gives these to tracing programs, 6.18 to nearly all. */
static bool for_more_by_now(uint32_t helper)
{
    static const uint8_t more[] = {15, 16, 22, 55, 109, 117, 148, 156, 157};

    return memchr(more, (int)helper, sizeof(more)) != NULL;
}

/* The library's own rows say of its program types what the tables say of them, which are compared
 * with the kernel above. */
static void compare_row(uint32_t type, uint32_t id)
{
    const struct ebpf_helper *ours = ebpf_helper_find(id), *theirs = linux_helper(id, type);
    bool may = !ours->types || ours->types >> type & 1;

    if (may != (theirs->types >> type & 1) && (may || !for_more_by_now(id)))
        test_fail(__FILE__, __LINE__, "type %u helper %u (%s): we say %d", type, id, ours->name,
                  may);
    if (!may)
        return;
    if (ours->gpl_only != theirs->gpl_only || ours->ret != theirs->ret ||
        ours->packet != theirs->packet || ours->packet_args != theirs->packet_args ||
        ours->callback != theirs->callback || ours->sleeps != theirs->sleeps ||
        !ours->check_format != !theirs->check_format)
        test_fail(__FILE__, __LINE__, "helper %u (%s): gpl %d %d, ret %d %d, packet %d %d %d %d",
                  id, ours->name, ours->gpl_only, theirs->gpl_only, ours->ret, theirs->ret,
                  ours->packet, theirs->packet, ours->packet_args, theirs->packet_args);
    for (unsigned n = 0; n < 5; n++) {
        if (ours->arg[n] != theirs->arg[n] && (ours->arg[n] != ARG_UNCHECKED || theirs->arg[n]))
            test_fail(__FILE__, __LINE__, "helper %u (%s): argument %u is %d here, %d there", id,
                      ours->name, n + 1, ours->arg[n], theirs->arg[n]);
    }
}

TEST(helpers_of_the_library_are_linux_s)
{
    for (uint32_t type = 0; type < 63; type++) {
        for (uint32_t id = 1; ebpf_prog_type_find(type) && id <= HELPERS; id++) {
            if (ebpf_helper_find(id))
                compare_row(type, id);
        }
    }
}

static bool linux_lets_access(uint32_t type, int off, unsigned size, bool write)
{
    static const uint8_t codes[9] = {[1] = BPF_B, [2] = BPF_H, [4] = BPF_W, [8] = BPF_DW};
    struct bpf_insn insns[] = {
        BPF_MOV64_IMM(BPF_REG_2, 0),
        {.code = (uint8_t)(BPF_LDX | BPF_MEM | codes[size]),
         .dst_reg = 2,
         .src_reg = 1,
         .off = (int16_t)off},
        BPF_MOV64_IMM(BPF_REG_0, 1),
        BPF_EXIT_INSN(),
    };

    if (write)
        insns[1] = (struct bpf_insn){.code = (uint8_t)(BPF_STX | BPF_MEM | codes[size]),
                                     .dst_reg = 1,
                                     .src_reg = 2,
                                     .off = (int16_t)off};
    return linux_load(type, insns, 4) == 0;
}

static void compare_access(uint32_t type, linux_ctx_access access, int off, unsigned size,
                           bool write)
{
    enum ebpf_ctx_kind kind;
    bool ours = access(attach, off, size, write, &kind);

    if (ours != linux_lets_access(type, off, size, write))
        test_fail(__FILE__, __LINE__, "type %u: %s of %u at %d: we say %d: %.100s", type,
                  write ? "write" : "read", size, off, ours, log_text);
}

TEST(linux_tables_of_contexts_are_those_of_this_kernel)
{
    if (!can_ask())
        return;
    for (size_t i = 0; i < EBPF_ARRAY_SIZE(kinds); i++) {
        uint32_t type = kinds[i].type, ctx_size = 0;
        linux_ctx_access access = linux_ctx(type, &ctx_size);

        attach = kinds[i].attach;
        if (!linux_has(type))
            continue;
        for (int off = 0; off < 240; off++) {
            for (unsigned size = 1; size <= 8; size *= 2) {
                compare_access(type, access, off, size, false);
                compare_access(type, access, off, size, true);
            }
        }
        for (int off = (int)ctx_size - 8; off < (int)ctx_size + 8 && off < 32760; off++)
            compare_access(type, access, off, 1, false);
    }
}

TEST(linux_types_may_return_what_this_kernel_lets_them)
{
    if (!can_ask())
        return;
    for (size_t i = 0; i < EBPF_ARRAY_SIZE(kinds); i++) {
        const struct ebpf_prog_type *type = linux_prog_type(kinds[i].type, kinds[i].attach);

        attach = kinds[i].attach;
        if (!type || !linux_has(type->id))
            continue;
        for (int value = -1; value <= 4; value++) {
            const struct bpf_insn insns[] = {BPF_MOV64_IMM(BPF_REG_0, value), BPF_EXIT_INSN()};
            bool any = !type->ret_min && !type->ret_max;
            bool ours = any || (value >= type->ret_min && value <= type->ret_max);

            if (ours != (linux_load(type->id, insns, 2) == 0))
                test_fail(__FILE__, __LINE__, "type %u attach %u returns %d: we say %d", type->id,
                          attach, value, ours);
        }
    }
}
