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
