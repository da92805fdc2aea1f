/* SPDX-License-Identifier: MIT */
/*
 * Formatting without libc, for log lines: %d %i %u %x %X %c %s %p %% with flags '-', '0', '#', a
 * width, a precision for %s, and the lengths hh h l ll z. Anything else is printed as it stands.
 * Context A, no allocation.
 */
#ifndef EBPF_BASE_FMT_H
#define EBPF_BASE_FMT_H

#include <stdarg.h>
#include <stddef.h>

/* Writes at most size bytes, NUL included, and returns the length that the whole text has without
 * NUL. */
int ebpf_vformat(char *out, size_t size, const char *format, va_list args);
__attribute__((format(printf, 3, 4))) int ebpf_format(char *out, size_t size, const char *format,
                                                      ...);

#endif /* EBPF_BASE_FMT_H */
