/* SPDX-License-Identifier: MIT */
/*
 * struct bpf_spin_lock: a word in a map's value that programs (bpf_spin_lock()) and copies with
 * BPF_F_LOCK take. Held with interrupts off only, and never across a hook, so that its hart cannot
 * meet itself. Context A.
 */
#ifndef EBPF_MAPS_SPIN_LOCK_H
#define EBPF_MAPS_SPIN_LOCK_H

#include <stdint.h>

#include "src/base/relax.h"

/* Interrupts are off already. */
static inline void ebpf_spin_lock(uint32_t *lock)
{
    while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) {
        while (__atomic_load_n(lock, __ATOMIC_RELAXED))
            ebpf_cpu_relax();
    }
}

static inline void ebpf_spin_unlock(uint32_t *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif /* EBPF_MAPS_SPIN_LOCK_H */
