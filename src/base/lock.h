/* SPDX-License-Identifier: MIT */
/*
 * Two locks. Spin lock: context A, interrupts off while held, never held while a program or a hook
 * that may wait runs. Mutex: context T only, interrupts stay as they are, waits by ebpf_os_yield();
 * may be held across allocation, text writes and grace periods. Order: a mutex is never taken with
 * a spin lock held. Among mutexes: kprobe -> (none); object ids and the fd table are leaves.
 */
#ifndef EBPF_BASE_LOCK_H
#define EBPF_BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct ebpf_lock {
    uint32_t held;
};

unsigned long ebpf_lock(struct ebpf_lock *lock); /* returns the interrupt state for ebpf_unlock() */
void ebpf_unlock(struct ebpf_lock *lock, unsigned long irq);

struct ebpf_mutex {
    uint32_t held;
};

void ebpf_mutex_lock(struct ebpf_mutex *mutex);
void ebpf_mutex_unlock(struct ebpf_mutex *mutex);

#endif /* EBPF_BASE_LOCK_H */
