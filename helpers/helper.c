/* SPDX-License-Identifier: MIT */
/* The table from a helper's number to what is known about it. */
#include "helpers/helper.h"

#include "src/base/bits.h"

#define EBPF_HELPER(id, name) extern const struct ebpf_helper ebpf_helper_##name;
#include "helpers/helpers.def"
#undef EBPF_HELPER

static const struct ebpf_helper *const helpers[] = {
#define EBPF_HELPER(id, name) [id] = &ebpf_helper_##name,
#include "helpers/helpers.def"
#undef EBPF_HELPER
};

const struct ebpf_helper *ebpf_helper_find(uint32_t id)
{
    return id < EBPF_ARRAY_SIZE(helpers) ? helpers[id] : NULL;
}

uint64_t ebpf_helper_call(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
                          uint64_t id)
{
    const struct ebpf_helper *helper = id <= UINT32_MAX ? ebpf_helper_find((uint32_t)id) : NULL;

    return helper ? helper->fn(r1, r2, r3, r4, r5) : ebpf_reg_int(-EINVAL);
}
