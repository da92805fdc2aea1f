/* SPDX-License-Identifier: MIT */
/* Helper 165: bpf_snprintf(). */
#include "helpers/bprintf.h"
#include "helpers/helper.h"

/* r1: text, r2: its size, r3: format, r4: array of arguments, r5: its size. Returns the size that
 * the whole text needs, with NUL. */
EBPF_HELPER_FN(snprintf)
{
    int len, count = ebpf_bprintf_count(ebpf_reg_ptr(r4), (uint32_t)r5);
    struct ebpf_bprintf *out;

    if (count < 0)
        return ebpf_reg_int(count);
    out = ebpf_bprintf_get();
    if (!out)
        return ebpf_reg_int(-EBUSY);
    out->text = ebpf_reg_ptr(r1);
    out->size = (uint32_t)r2;
    /* the format is a constant that has been seen to end */
    len = ebpf_bprintf(out, ebpf_reg_ptr(r3), UINT32_MAX, ebpf_reg_ptr(r4), (unsigned)count);
    ebpf_bprintf_put(out);
    return ebpf_reg_int(len < 0 ? len : len + 1);
}

const struct ebpf_helper ebpf_helper_snprintf = {
    .name = "snprintf",
    .fn = snprintf,
    .arg = {ARG_MEM_WR_OR_NULL, ARG_SIZE_OR_ZERO, ARG_CONST_STR, ARG_MEM_RD_OR_NULL,
            ARG_SIZE_OR_ZERO},
    .check_format = ebpf_bprintf_check,
    .gpl_only = true,
    .caps = EBPF_CAP_PERFMON,
};
