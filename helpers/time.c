/* SPDX-License-Identifier: MIT */
/* Helper 5: the clock. */
#include "helpers/helper.h"

EBPF_HELPER_FN(ktime_get_ns)
{
    return ebpf_os_time_ns();
}

const struct ebpf_helper ebpf_helper_ktime_get_ns = {
    .name = "ktime_get_ns",
    .fn = ktime_get_ns,
};
