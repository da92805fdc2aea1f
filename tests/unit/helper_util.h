/* SPDX-License-Identifier: MIT */
/* Calling helpers as the engines do: five registers in, one out. */
#ifndef TESTS_UNIT_HELPER_UTIL_H
#define TESTS_UNIT_HELPER_UTIL_H

#include <ebpf/ebpf.h>

#include "helpers/helper.h"
#include "tests/unit/test.h"

static inline int64_t helper_call(uint32_t id, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                                  uint64_t r5)
{
    const struct ebpf_helper *helper = ebpf_helper_find(id);

    if (!helper) {
        test_fail(__FILE__, __LINE__, "helper %u is not there", id);
        return -ENOSYS;
    }
    return (int64_t)helper->fn(r1, r2, r3, r4, r5);
}

static inline uint64_t reg(const void *ptr)
{
    return (uintptr_t)ptr;
}

#endif /* TESTS_UNIT_HELPER_UTIL_H */
