/* SPDX-License-Identifier: MIT */
/* Helpers 22, 25, 27, 55 and 67: perf events and stacks. */
#include <ebpf/kprobe.h>

#include "helpers/helper.h"
#include "helpers/types.h"
#include "maps/perf_event_array.h"
#include "maps/stack_trace.h"
#include "src/base/mem.h"
#include "src/core/prog.h"
#include "src/core/skb.h"
#include "src/core/xdp.h"

#define STACK_PROGS (TRACING_PROGS & ~PROG(SYSCALL))

/* ---- perf events --------------------------------------------------------------------------- */

/* What the context of the program that runs has as a packet, which flags may ask for. */
static uint64_t packet_of(const void *ctx, const uint8_t **data)
{
    const struct ebpf_run *run = ebpf_run_current();
    const struct ebpf_xdp *xdp = ctx;
    const struct ebpf_skb *skb = ctx;

    *data = NULL;
    if (run && run->prog->type->id == BPF_PROG_TYPE_XDP) {
        *data = xdp->data;
        return (uint64_t)(xdp->data_end - xdp->data);
    }
    if (run && run->prog->type->packet_loads) {
        *data = skb->data;
        return skb->len;
    }
    return 0;
}

/* r1: context, r2: map, r3: index and flags, r4: data, r5: its size. With a packet as context the
 * upper half of the flags says how many of its bytes follow the data. */
EBPF_HELPER_FN(perf_event_output)
{
    const uint8_t *packet;
    uint64_t room = packet_of(ebpf_reg_ptr(r1), &packet), tail = 0;

    if (packet) {
        tail = (r3 & BPF_F_CTXLEN_MASK) >> 32;
        r3 &= ~BPF_F_CTXLEN_MASK;
    }
    if (r3 & ~(uint64_t)BPF_F_INDEX_MASK)
        return ebpf_reg_int(-EINVAL);
    if (tail > room)
        return ebpf_reg_int(-EFAULT);
    return ebpf_reg_int(ebpf_perf_output(ebpf_reg_ptr(r2), r3, ebpf_reg_ptr(r4), r5, packet, tail));
}

const struct ebpf_helper ebpf_helper_perf_event_output = {
    .name = "perf_event_output",
    .fn = perf_event_output,
    .arg = {ARG_CTX, ARG_MAP, ARG_ANYTHING, ARG_MEM_RD, ARG_SIZE_OR_ZERO},
    .gpl_only = true,
    .types = STACK_PROGS | SOCKET_PROGS | PROG(CGROUP_SOCK) | PROG(CGROUP_DEVICE) |
             PROG(CGROUP_SYSCTL) | PROG(CGROUP_SOCKOPT),
    .maps = MAP(PERF_EVENT_ARRAY),
};

/* r1: map, r2: index. Counters from -4095 to -1 cannot be told from errors: Linux's interface. */
EBPF_HELPER_FN(perf_event_read)
{
    struct bpf_perf_event_value value = {0};
    int err = ebpf_perf_read(ebpf_reg_ptr(r1), r2, &value);

    return err ? ebpf_reg_int(err) : value.counter;
}

const struct ebpf_helper ebpf_helper_perf_event_read = {
    .name = "perf_event_read",
    .fn = perf_event_read,
    .arg = {ARG_MAP, ARG_ANYTHING},
    .gpl_only = true,
    .types = TRACING_PROGS,
    .maps = MAP(PERF_EVENT_ARRAY),
};

/* r1: map, r2: index, r3: struct bpf_perf_event_value, r4: its size */
EBPF_HELPER_FN(perf_event_read_value)
{
    struct bpf_perf_event_value *value = ebpf_reg_ptr(r3);
    int err =
        (uint32_t)r4 == sizeof(*value) ? ebpf_perf_read(ebpf_reg_ptr(r1), r2, value) : -EINVAL;

    if (err)
        memset(ebpf_reg_ptr(r3), 0, (uint32_t)r4);
    return ebpf_reg_int(err);
}

const struct ebpf_helper ebpf_helper_perf_event_read_value = {
    .name = "perf_event_read_value",
    .fn = perf_event_read_value,
    .arg = {ARG_MAP, ARG_ANYTHING, ARG_MEM_WR, ARG_SIZE},
    .gpl_only = true,
    .types = TRACING_PROGS,
    .maps = MAP(PERF_EVENT_ARRAY),
};

/* ---- stacks -------------------------------------------------------------------------------- */

static bool stacks_available(void)
{
    return ebpf_os_stack(NULL, false, 0, NULL, 0) != 0;
}

/* Where the walk starts: only a kprobe's context is registers. */
static const struct ebpf_regs *regs_of(uint64_t ctx)
{
    const struct ebpf_run *run = ebpf_run_current();

    return run && run->prog->type->id == BPF_PROG_TYPE_KPROBE ? ebpf_reg_ptr(ctx) : NULL;
}

/* r1: context, r2: map, r3: flags */
EBPF_HELPER_FN(get_stackid)
{
    return ebpf_reg_int(ebpf_stack_trace_id(ebpf_reg_ptr(r2), regs_of(r1), r3));
}

const struct ebpf_helper ebpf_helper_get_stackid = {
    .name = "get_stackid",
    .fn = get_stackid,
    .arg = {ARG_CTX, ARG_MAP, ARG_ANYTHING},
    .gpl_only = true,
    .types = STACK_PROGS,
    .maps = MAP(STACK_TRACE),
    .available = stacks_available,
};

/* r1: context, r2: buffer, r3: its size, r4: flags */
EBPF_HELPER_FN(get_stack)
{
    return ebpf_reg_int(ebpf_stack_trace_get(regs_of(r1), ebpf_reg_ptr(r2), (uint32_t)r3, r4));
}

const struct ebpf_helper ebpf_helper_get_stack = {
    .name = "get_stack",
    .fn = get_stack,
    .arg = {ARG_CTX, ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING},
    .gpl_only = true,
    .types = STACK_PROGS,
    .available = stacks_available,
};
