/* SPDX-License-Identifier: MIT */
/* What programs have around them when they touch elements, for task context: interrupts off, and an
 * epoch section. T. */
#ifndef EBPF_MAPS_SECTION_H
#define EBPF_MAPS_SECTION_H

#include <ebpf/os.h>

#include "src/base/epoch.h"

struct ebpf_section {
    unsigned long irq;
    unsigned cpu;
};

static inline struct ebpf_section ebpf_section_begin(void)
{
    struct ebpf_section s;

    s.irq = ebpf_os_irq_save();
    s.cpu = ebpf_os_cpu_id();
    ebpf_epoch_enter(s.cpu);
    return s;
}

static inline void ebpf_section_end(struct ebpf_section s)
{
    ebpf_epoch_exit(s.cpu);
    ebpf_os_irq_restore(s.irq);
}

#endif /* EBPF_MAPS_SECTION_H */
