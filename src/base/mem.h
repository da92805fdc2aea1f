/* SPDX-License-Identifier: MIT */
/* The four memory functions that compilers call by themselves (the library carries weak ones, a
 * kernel's own win), and the few string functions that the library needs. Context A. */
#ifndef EBPF_BASE_MEM_H
#define EBPF_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
void *memset(void *dst, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);

size_t ebpf_strlen(const char *s);
size_t ebpf_strnlen(const char *s, size_t max);
bool ebpf_streq(const char *a, const char *b);
bool ebpf_starts_with(const char *s, const char *prefix);
/* Copies at most size - 1 bytes of src and always ends dst with NUL; returns the length of src.
 * size > 0. */
size_t ebpf_strlcpy(char *dst, const char *src, size_t size);
/* Is the whole of [mem, mem+len) zero? */
bool ebpf_all_zero(const void *mem, size_t len);

#endif /* EBPF_BASE_MEM_H */
