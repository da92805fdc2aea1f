/* SPDX-License-Identifier: MIT */
/* Small arithmetic that C lacks: rounding, minimum, overflow-checked sizes, bit-exact loads from
 * unaligned memory. */
#ifndef EBPF_BASE_BITS_H
#define EBPF_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/mem.h"

/* A function whose locals shall not lie on the stack of those that its caller calls next. */
#define EBPF_NOINLINE __attribute__((noinline))

#define EBPF_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define EBPF_CONTAINER_OF(ptr, type, member) \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* multiple: a power of two; the caller knows that value + multiple does not wrap */
#define EBPF_ROUND_UP(value, multiple) (((value) + (multiple)-1) & ~((multiple)-1))

static inline size_t ebpf_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* *out = a * b, or a + b: false when the result does not fit. */
static inline bool ebpf_mul_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool ebpf_add_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* Byte swaps by hand: without Zbb, compilers call libgcc for their builtins. */
static inline uint16_t ebpf_bswap16(uint16_t x)
{
    return (uint16_t)(x << 8 | x >> 8);
}

static inline uint32_t ebpf_bswap32(uint32_t x)
{
    return (uint32_t)ebpf_bswap16((uint16_t)x) << 16 | ebpf_bswap16((uint16_t)(x >> 16));
}

static inline uint64_t ebpf_bswap64(uint64_t x)
{
    return (uint64_t)ebpf_bswap32((uint32_t)x) << 32 | ebpf_bswap32((uint32_t)(x >> 32));
}

#endif /* EBPF_BASE_BITS_H */
