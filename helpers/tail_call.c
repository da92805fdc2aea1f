/* SPDX-License-Identifier: MIT */
/* bpf_tail_call(): its prototype. The engines carry it out themselves (src/core/tail_call.c), since
 * it is no call; whoever calls this function gets the answer of one that failed. */
#include "helpers/helper.h"
#include "helpers/types.h"

EBPF_HELPER_FN(tail_call)
{
    return ebpf_reg_int(-EINVAL);
}

const struct ebpf_helper ebpf_helper_tail_call = {
    .name = "tail_call",
    .fn = tail_call,
    .arg = {ARG_CTX, ARG_MAP, ARG_ANYTHING},
    .ret = RET_VOID,
    .maps = MAP(PROG_ARRAY),
    .packet = true, /* who knows what the other program does to it */
};
