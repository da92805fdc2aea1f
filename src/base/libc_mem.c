/* SPDX-License-Identifier: MIT */
/*
 * memcpy, memmove, memset and memcmp for kernels that have none: compilers call them for struct
 * copies and loops that look like them. Weak, so that a kernel's own win. Words where both pointers
 * are aligned, else bytes.
 */
#include "src/base/mem.h"

#include <stdint.h>

#define WEAK __attribute__((weak))

/* May alias what the caller copies. */
typedef uint64_t __attribute__((may_alias)) word;

static bool aligned(const void *a, const void *b)
{
    return (((uintptr_t)a | (uintptr_t)b) & (sizeof(word) - 1)) == 0;
}

/* The empty asm keeps compilers from turning the byte loops back into a call of the function they
 * are in. */
static inline void keep(void)
{
    __asm__ volatile("");
}

WEAK void *memcpy(void *restrict dst, const void *restrict src, size_t len)
{
    unsigned char *d = dst;
    const unsigned char *s = src;

    if (aligned(d, s)) {
        for (; len >= sizeof(word); len -= sizeof(word)) {
            *(word *)(void *)d = *(const word *)(const void *)s;
            d += sizeof(word);
            s += sizeof(word);
            keep();
        }
    }
    while (len--) {
        *d++ = *s++;
        keep();
    }
    return dst;
}

WEAK void *memmove(void *dst, const void *src, size_t len)
{
    unsigned char *d = dst;
    const unsigned char *s = src;

    if ((uintptr_t)d - (uintptr_t)s >= len)
        return memcpy(dst, src, len);
    while (len--) {
        d[len] = s[len];
        keep();
    }
    return dst;
}

WEAK void *memset(void *dst, int byte, size_t len)
{
    unsigned char *d = dst;
    word pattern = (unsigned char)byte * 0x0101010101010101ull;

    if (aligned(d, d)) {
        for (; len >= sizeof(word); len -= sizeof(word)) {
            *(word *)(void *)d = pattern;
            d += sizeof(word);
            keep();
        }
    }
    while (len--) {
        *d++ = (unsigned char)byte;
        keep();
    }
    return dst;
}

WEAK int memcmp(const void *a, const void *b, size_t len)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < len; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
        keep();
    }
    return 0;
}
