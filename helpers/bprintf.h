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

#define EBPF_BPRINTF_TEXT 1024u /* of traces; Linux: MAX_BPRINTF_BUF */
#define EBPF_BPRINTF_ARGS 512u  /* Linux: MAX_BPRINTF_BIN_ARGS */

struct ebpf_bprintf {
    char *text; /* the caller's, size bytes; may be NULL where that is 0 */
    size_t size;
    char args[EBPF_BPRINTF_ARGS]; /* strings on their way into text */
};

#define EBPF_BPRINTF_ARGS_MAX 12u /* Linux: MAX_BPRINTF_VARARGS */

/* The arguments that data, size bytes of it, has for a format: their number, or -EINVAL. */
int ebpf_bprintf_count(const void *data, uint32_t size);

/* This hart's, too large for a program's stack; NULL: the hart is formatting already. */
struct ebpf_bprintf *ebpf_bprintf_get(void);
void ebpf_bprintf_put(struct ebpf_bprintf *out);

/*
 * Formats fmt[0..fmt_size) into out->text, cut to fit and, unless its size is 0, ended by NUL.
 * Returns the length of the whole text or
 *   -EINVAL  no NUL in fmt, a control or non-ASCII character, an unknown conversion, more
 *            conversions than args
 *   -ENOSPC  the arguments' strings are too long together.
 */
int ebpf_bprintf(struct ebpf_bprintf *out, const char *fmt, uint32_t fmt_size, const uint64_t *args,
                 unsigned arg_count);

/* Would it take that format with so many arguments? 0, -EINVAL. For .check_format. */
int ebpf_bprintf_check(const char *fmt, unsigned arg_count);

#endif /* EBPF_HELPERS_BPRINTF_H */
