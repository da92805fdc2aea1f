/* SPDX-License-Identifier: MIT */
/*
 * Grace periods. Each hart has a sequence number: odd while it is inside a section. A writer that
 * has unpublished something waits for every odd number to change; who enters later cannot see the
 * old pointer, because the writer's fence and the reader's fence order "unpublish, then look at the
 * number" against "number odd, then look".
 */
#include "src/base/epoch.h"

#include <stdint.h>

#include <ebpf/config.h>
#include <ebpf/os.h>

#include "src/base/relax.h"

/* A section is short and runs with interrupts off, so it ends soon: look often before giving the
 * processor away, which may take a turn of the whole run queue to come back. */
#define SPINS 4096

struct hart {
    uint64_t seq;
    uint32_t depth; /* only this hart looks at it */
} __attribute__((aligned(64)));

static struct hart harts[EBPF_CONFIG_MAX_CPUS];

void ebpf_epoch_enter(unsigned cpu)
{
    struct hart *hart = &harts[cpu];

    if (hart->depth++)
        return;
    __atomic_store_n(&hart->seq, hart->seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void ebpf_epoch_exit(unsigned cpu)
{
    struct hart *hart = &harts[cpu];

    if (--hart->depth)
        return;
    __atomic_store_n(&hart->seq, hart->seq + 1, __ATOMIC_RELEASE);
}

void ebpf_epoch_synchronize(void)
{
    unsigned count = ebpf_os_cpu_count();

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned cpu = 0; cpu < count; cpu++) {
        uint64_t seq = __atomic_load_n(&harts[cpu].seq, __ATOMIC_ACQUIRE);

        for (unsigned spins = 1;
             (seq & 1) && __atomic_load_n(&harts[cpu].seq, __ATOMIC_ACQUIRE) == seq; spins++) {
            if (spins % SPINS)
                ebpf_cpu_relax();
            else
                ebpf_os_yield();
        }
    }
}
