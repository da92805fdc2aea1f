/* SPDX-License-Identifier: MIT */
/* Helper 6: bpf_trace_printk(), from a program to ebpf_os_trace(). */
#include "helpers/bprintf.h"
#include "helpers/helper.h"
#include "src/base/bits.h"

#define MAX_ARGS 3u /* Linux: MAX_TRACE_PRINTK_VARARGS */

/* Too large for a program's stack. */
struct hart {
    struct ebpf_bprintf buf;
    bool busy;
} __attribute__((aligned(64)));

static struct hart harts[EBPF_CONFIG_MAX_CPUS];

/* Each call is a line of its own on Linux, where the trace buffer adds the newline. */
static void trace_line(struct ebpf_bprintf *buf)
{
    size_t len = ebpf_strnlen(buf->text, EBPF_BPRINTF_TEXT - 1);

    if (!len || buf->text[len - 1] != '\n') {
        buf->text[len++] = '\n';
        buf->text[len] = 0;
    }
    ebpf_os_trace(buf->text, len);
}

/* r1: format, r2: its size with NUL, r3 to r5: arguments */
EBPF_HELPER_FN(trace_printk)
{
    const uint64_t args[MAX_ARGS] = {r3, r4, r5};
    struct hart *hart = &harts[ebpf_os_cpu_id()];
    int len;

    if (hart->busy)
        return ebpf_reg_int(-EBUSY);
    hart->busy = true;
    len = ebpf_bprintf(&hart->buf, ebpf_reg_ptr(r1), (uint32_t)r2, args, MAX_ARGS);
    if (len >= 0)
        trace_line(&hart->buf);
    hart->busy = false;
    return ebpf_reg_int(len);
}

const struct ebpf_helper ebpf_helper_trace_printk = {
    .name = "trace_printk",
    .fn = trace_printk,
    .arg = {ARG_MEM_RD, ARG_SIZE, ARG_UNCHECKED, ARG_UNCHECKED, ARG_UNCHECKED},
    .gpl_only = true,
    .caps = EBPF_CAP_PERFMON,
};
