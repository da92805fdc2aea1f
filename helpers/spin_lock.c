/* SPDX-License-Identifier: MIT */
/* Helpers 93 and 94: the lock of a map's value. Programs run with interrupts off, so that a hart
 * cannot meet its own lock. */
#include "maps/spin_lock.h"

#include "helpers/helper.h"

EBPF_HELPER_FN(spin_lock)
{
    ebpf_spin_lock(ebpf_reg_ptr(r1));
    return 0;
}

const struct ebpf_helper ebpf_helper_spin_lock = {
    .name = "spin_lock",
    .fn = spin_lock,
    .arg = {ARG_SPIN_LOCK},
    .ret = RET_VOID,
    .caps = EBPF_CAP_BPF,
};

EBPF_HELPER_FN(spin_unlock)
{
    ebpf_spin_unlock(ebpf_reg_ptr(r1));
    return 0;
}

const struct ebpf_helper ebpf_helper_spin_unlock = {
    .name = "spin_unlock",
    .fn = spin_unlock,
    .arg = {ARG_SPIN_LOCK},
    .ret = RET_VOID,
    .caps = EBPF_CAP_BPF,
};
