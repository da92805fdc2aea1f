/* SPDX-License-Identifier: MIT */
/*
 * struct bpf_spin_lock: a word in a map's value that programs (bpf_spin_lock()) and copies with
 * BPF_F_LOCK take; the locks inside of maps are the same. Held with interrupts off only, and never
 * across a hook, so that its hart cannot meet itself. Context A.
 */
#ifndef EBPF_MAPS_SPIN_LOCK_H
#define EBPF_MAPS_SPIN_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/order.h"
#include "src/base/relax.h"

/* How often ebpf_spin_try() looks: longer than anybody holds a map's lock, who makes progress. */
#define EBPF_SPIN_PATIENCE (1u << 24)

/* Interrupts are off already. */
static inline void ebpf_spin_lock(uint32_t *lock)
{
    while (__builtin_expect(__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE), 0)) {
        while (__atomic_load_n(lock, __ATOMIC_RELAXED))
            ebpf_cpu_relax();
    }
}

/* The same, but gives up where whoever has it does not let go: that is what interrupted code on
 * this very hart looks like from inside of what has interrupted it. */
static inline bool ebpf_spin_try(uint32_t *lock)
{
    uint32_t left = EBPF_SPIN_PATIENCE;

    while (__builtin_expect(__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE), 0)) {
        while (__atomic_load_n(lock, __ATOMIC_RELAXED)) {
            ebpf_cpu_relax();
            if (!--left)
                return false;
        }
    }
    return true;
}

static inline void ebpf_spin_unlock(uint32_t *lock)
{
    ebpf_store_release(lock, 0);
}

#endif /* EBPF_MAPS_SPIN_LOCK_H */
