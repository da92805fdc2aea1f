/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions, which there is no libc for. gcc calls the mem* ones by itself, and
 * the library uses them on its way to a probe's handler: they are in .text.trap and cannot be
 * probed. Context A.
 */
#include "kernel.h"

trap_text void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    char *d = dst;
    const char *s = src;

    if ((((uintptr_t)d | (uintptr_t)s) & 7) == 0)
        for (; n >= 8; n -= 8, d += 8, s += 8)
            *(uint64_t *)d = *(const uint64_t *)s;
    while (n--)
        *d++ = *s++;
    return dst;
}

trap_text void *memmove(void *dst, const void *src, size_t n)
{
    char *d = dst;
    const char *s = src;

    if (d <= s || d >= s + n)
        return memcpy(dst, src, n);
    while (n--)
        d[n] = s[n];
    return dst;
}

trap_text void *memset(void *dst, int c, size_t n)
{
    char *d = dst;
    uint64_t word = (unsigned char)c * 0x0101010101010101ul;

    for (; n && ((uintptr_t)d & 7); n--)
        *d++ = (char)c;
    for (; n >= 8; n -= 8, d += 8)
        *(uint64_t *)d = word;
    while (n--)
        *d++ = (char)c;
    return dst;
}

trap_text int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++)
        if (*a != *b || !*a)
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

void strcopy(char *dst, const char *src, size_t size)
{
    size_t n = MIN(strlen(src), size - 1);

    memcpy(dst, src, n);
    dst[n] = 0;
}
