/* SPDX-License-Identifier: MIT */
/*
 * Formatting for programs by Linux's rules (bpf_bprintf_prepare() and bstr_printf()): the format
 * is not trusted, each argument is a 64-bit number, and strings are read from addresses that
 * nobody has checked. Context A.
 */
#ifndef EBPF_HELPERS_BPRINTF_H
#define EBPF_HELPERS_BPRINTF_H

#include <stddef.h>
#include <stdint.h>

#define EBPF_BPRINTF_TEXT 1024u /* Linux: MAX_BPRINTF_BUF */
#define EBPF_BPRINTF_ARGS 512u  /* Linux: MAX_BPRINTF_BIN_ARGS */

struct ebpf_bprintf {
    char text[EBPF_BPRINTF_TEXT + 1]; /* one more, for the caller's newline */
    char args[EBPF_BPRINTF_ARGS];     /* strings on their way into text */
};

/*
 * Formats fmt[0..fmt_size) into out->text, cut to fit and ended by NUL. Returns the length of the
 * whole text or
 *   -EINVAL  no NUL in fmt, a control or non-ASCII character, an unknown conversion, more
 *            conversions than args
 *   -ENOSPC  the arguments' strings are too long together.
 */
int ebpf_bprintf(struct ebpf_bprintf *out, const char *fmt, uint32_t fmt_size, const uint64_t *args,
                 unsigned arg_count);

#endif /* EBPF_HELPERS_BPRINTF_H */
