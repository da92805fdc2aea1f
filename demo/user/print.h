/* SPDX-License-Identifier: MIT */
/* Printing for the user programs, a part of lib.h: one write(2) per call as long as the text fits
 * 512 bytes. */
#ifndef DEMO_USER_PRINT_H
#define DEMO_USER_PRINT_H

#include <stdarg.h>
#include <stddef.h>

/* %d %i %u %x %X %o %c %s %p %% with -, 0, + and space, width, .precision, * and the lengths hh h l
 * ll z. */
int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int dprintf(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
int puts(const char *line); /* with a newline */

#endif /* DEMO_USER_PRINT_H */
