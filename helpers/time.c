/* SPDX-License-Identifier: MIT */
/* Helpers 5, 118, 125, 160 and 208: clocks. Kernels that use this library do not suspend, and their
 * one clock is quick to read: time since boot, without suspension, and coarse are the same here. */
#include "helpers/helper.h"
#include "helpers/types.h"

EBPF_HELPER_FN(ktime_get_ns)
{
    return ebpf_os_time_ns();
}

const struct ebpf_helper ebpf_helper_ktime_get_ns = {
    .name = "ktime_get_ns",
    .fn = ktime_get_ns,
};

const struct ebpf_helper ebpf_helper_ktime_get_boot_ns = {
    .name = "ktime_get_boot_ns",
    .fn = ktime_get_ns,
};

const struct ebpf_helper ebpf_helper_ktime_get_coarse_ns = {
    .name = "ktime_get_coarse_ns",
    .fn = ktime_get_ns,
    .types = SOCKET_PROGS | PROG(CGROUP_SOCK) | PROG(CGROUP_SYSCTL) | PROG(SK_REUSEPORT),
};

EBPF_HELPER_FN(ktime_get_tai_ns)
{
    return ebpf_os_time_tai_ns();
}

static bool tai_available(void)
{
    return ebpf_os_time_tai_ns() != 0;
}

const struct ebpf_helper ebpf_helper_ktime_get_tai_ns = {
    .name = "ktime_get_tai_ns",
    .fn = ktime_get_tai_ns,
    .available = tai_available,
};

EBPF_HELPER_FN(jiffies64)
{
    return ebpf_os_time_ns() / (1000000000u / EBPF_CONFIG_HZ);
}

const struct ebpf_helper ebpf_helper_jiffies64 = {
    .name = "jiffies64",
    .fn = jiffies64,
    .caps = EBPF_CAP_BPF,
};
