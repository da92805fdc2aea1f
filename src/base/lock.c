/* SPDX-License-Identifier: MIT */
/* Spin lock and mutex; the rules are in lock.h. */
#include "src/base/lock.h"

#include <ebpf/os.h>

#include "src/base/relax.h"

unsigned long ebpf_lock(struct ebpf_lock *lock)
{
    unsigned long irq = ebpf_os_irq_save();

    while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE)) {
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
            ebpf_cpu_relax();
    }
    return irq;
}

void ebpf_unlock(struct ebpf_lock *lock, unsigned long irq)
{
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
    ebpf_os_irq_restore(irq);
}

void ebpf_mutex_lock(struct ebpf_mutex *mutex)
{
    while (__atomic_exchange_n(&mutex->held, 1, __ATOMIC_ACQUIRE))
        ebpf_os_yield();
}

void ebpf_mutex_unlock(struct ebpf_mutex *mutex)
{
    __atomic_store_n(&mutex->held, 0, __ATOMIC_RELEASE);
}
