/* SPDX-License-Identifier: MIT */
/* The few string functions that the library needs. */
#include "src/base/mem.h"

size_t ebpf_strlen(const char *s)
{
    size_t len = 0;

    while (s[len])
        len++;
    return len;
}

size_t ebpf_strnlen(const char *s, size_t max)
{
    size_t len = 0;

    while (len < max && s[len])
        len++;
    return len;
}

bool ebpf_streq(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool ebpf_starts_with(const char *s, const char *prefix)
{
    while (*prefix && *s == *prefix) {
        s++;
        prefix++;
    }
    return !*prefix;
}

size_t ebpf_strlcpy(char *dst, const char *src, size_t size)
{
    size_t len = ebpf_strlen(src);
    size_t part = len < size ? len : size - 1;

    memcpy(dst, src, part);
    dst[part] = 0;
    return len;
}

bool ebpf_all_zero(const void *mem, size_t len)
{
    const unsigned char *bytes = mem;

    for (size_t i = 0; i < len; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}
