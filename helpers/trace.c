/* SPDX-License-Identifier: MIT */
/* Helpers 6 and 177: bpf_trace_printk() and bpf_trace_vprintk(), from a program to
 * ebpf_os_trace(). */
#include "helpers/bprintf.h"
#include "helpers/helper.h"
#include "src/base/bits.h"

#define MAX_ARGS 3u /* Linux: MAX_TRACE_PRINTK_VARARGS */

/* One more than the format gets, for the newline. */
static char texts[EBPF_CONFIG_MAX_CPUS][EBPF_BPRINTF_TEXT + 1];

/* Each call is a line of its own on Linux, where the trace buffer adds the newline. */
static void trace_line(char *text)
{
    size_t len = ebpf_strnlen(text, EBPF_BPRINTF_TEXT - 1);

    if (!len || text[len - 1] != '\n') {
        text[len++] = '\n';
        text[len] = 0;
    }
    ebpf_os_trace(text, len);
}

static int trace(uint64_t fmt, uint64_t fmt_size, const uint64_t *args, unsigned count)
{
    struct ebpf_bprintf *out = ebpf_bprintf_get();
    int len;

    if (!out)
        return -EBUSY;
    out->text = texts[ebpf_os_cpu_id()];
    out->size = EBPF_BPRINTF_TEXT;
    len = ebpf_bprintf(out, ebpf_reg_ptr(fmt), (uint32_t)fmt_size, args, count);
    if (len >= 0)
        trace_line(out->text);
    ebpf_bprintf_put(out);
    return len;
}

/* r1: format, r2: its size with NUL, r3 to r5: arguments */
EBPF_HELPER_FN(trace_printk)
{
    const uint64_t args[MAX_ARGS] = {r3, r4, r5};

    return ebpf_reg_int(trace(r1, r2, args, MAX_ARGS));
}

const struct ebpf_helper ebpf_helper_trace_printk = {
    .name = "trace_printk",
    .fn = trace_printk,
    .arg = {ARG_MEM_RD, ARG_SIZE, ARG_UNCHECKED, ARG_UNCHECKED, ARG_UNCHECKED},
    .gpl_only = true,
    .caps = EBPF_CAP_PERFMON,
};

/* r1: format, r2: its size with NUL, r3: array of arguments, r4: its size */
EBPF_HELPER_FN(trace_vprintk)
{
    int count = ebpf_bprintf_count(ebpf_reg_ptr(r3), (uint32_t)r4);

    return ebpf_reg_int(count < 0 ? count : trace(r1, r2, ebpf_reg_ptr(r3), (unsigned)count));
}

const struct ebpf_helper ebpf_helper_trace_vprintk = {
    .name = "trace_vprintk",
    .fn = trace_vprintk,
    .arg = {ARG_MEM_RD, ARG_SIZE, ARG_MEM_RD_OR_NULL, ARG_SIZE_OR_ZERO},
    .gpl_only = true,
    .caps = EBPF_CAP_PERFMON,
};
