/* SPDX-License-Identifier: MIT */
/*
 * Copying values that other harts read and write at the same time. Linux promises programs that
 * an aligned 64-bit (or 32-bit) number inside a value is never seen half written; memcpy()
 * promises nothing, may be the kernel's own, and may carry a probe. So: word by word, with single
 * loads and stores. Context A, no call leaves the library.
 */
#ifndef EBPF_MAPS_VALUE_H
#define EBPF_MAPS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/order.h"

/* Memory as words, whatever the program that owns it declared it to be. */
struct ebpf_word {
    uint64_t v;
} __attribute__((may_alias));
struct ebpf_half_word {
    uint32_t v;
} __attribute__((may_alias));

/* The aligned word at p. */
static inline uint64_t ebpf_word_at(const void *p)
{
    return __atomic_load_n(&((const struct ebpf_word *)p)->v, __ATOMIC_RELAXED);
}

/* The 1 to 8 bytes at p as a little-endian number, zero-extended; p may be unaligned (a key on a
 * program's stack). */
static inline uint64_t ebpf_word_load(const void *p, size_t len)
{
    const uint8_t *byte = p;
    uint64_t word = 0;

    if (len == 8 && !((uintptr_t)p % 8))
        return ebpf_word_at(p);
    if (len == 4 && !((uintptr_t)p % 4))
        return __atomic_load_n(&((const struct ebpf_half_word *)p)->v, __ATOMIC_RELAXED);
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)__atomic_load_n(byte + i, __ATOMIC_RELAXED) << (8 * i);
    return word;
}

/* The other way round: the low len bytes of word to p. */
static inline void ebpf_word_store(void *p, uint64_t word, size_t len)
{
    uint8_t *byte = p;

    if (len == 8 && !((uintptr_t)p % 8)) {
        ebpf_store_relaxed(&((struct ebpf_word *)p)->v, word);
    } else if (len == 4 && !((uintptr_t)p % 4)) {
        ebpf_store_relaxed(&((struct ebpf_half_word *)p)->v, (uint32_t)word);
    } else {
        for (size_t i = 0; i < len; i++)
            ebpf_store_relaxed(byte + i, (uint8_t)(word >> (8 * i)));
    }
}

/* Copies len bytes; a number of 8 or 4 bytes that is aligned moves as one at that side. In line,
 * since the callers are fast because they call nobody. */
static inline __attribute__((always_inline)) void ebpf_value_copy(void *dst, const void *src,
                                                                  size_t len)
{
    uint8_t *to = dst;
    const uint8_t *from = src;
    bool aligned = !(((uintptr_t)dst | (uintptr_t)src) % 8);

    for (; len >= 8; to += 8, from += 8, len -= 8) {
        if (__builtin_expect(aligned, 1))
            ebpf_store_relaxed(&((struct ebpf_word *)(void *)to)->v, ebpf_word_at(from));
        else
            ebpf_word_store(to, ebpf_word_load(from, 8), 8);
    }
    if (len >= 4) {
        ebpf_word_store(to, ebpf_word_load(from, 4), 4);
        to += 4, from += 4, len -= 4;
    }
    if (len)
        ebpf_word_store(to, ebpf_word_load(from, len), len);
}

#endif /* EBPF_MAPS_VALUE_H */
