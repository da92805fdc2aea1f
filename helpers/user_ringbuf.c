/* SPDX-License-Identifier: MIT */
/* Helper 209: bpf_user_ringbuf_drain(), what user mode sends to programs. */
#include "helpers/dynptr.h"
#include "helpers/helper.h"
#include "helpers/types.h"
#include "maps/user_ringbuf.h"

struct drain {
    uint64_t func, ctx;
};

static uint64_t visit(void *ctx, void *sample, uint32_t size)
{
    struct ebpf_dynptr dynptr = {sample, size, EBPF_DYNPTR_LOCAL};
    const struct drain *drain = ctx;
    const uint64_t args[5] = {(uintptr_t)&dynptr, drain->ctx};

    return ebpf_call_back(drain->func, args);
}

/* r1: map, r2: function, r3: its context, r4: flags. Returns how many samples it was called for. */
EBPF_HELPER_FN(user_ringbuf_drain)
{
    struct drain drain = {.func = r2, .ctx = r3};

    return ebpf_reg_int(ebpf_user_ringbuf_drain(ebpf_reg_ptr(r1), visit, &drain, r4));
}

const struct ebpf_helper ebpf_helper_user_ringbuf_drain = {
    .name = "user_ringbuf_drain",
    .fn = user_ringbuf_drain,
    .arg = {ARG_MAP, ARG_FUNC, ARG_STACK_OR_NULL, ARG_ANYTHING},
    .caps = EBPF_CAP_BPF,
    .maps = MAP(USER_RINGBUF),
    .callback = CALLBACK_USER_RINGBUF,
};
