/* SPDX-License-Identifier: MIT */
/* The program stacks: how deep programs and their helpers went. For tests and for tuning
 * EBPF_CONFIG_STACK_SIZE. */
#ifndef EBPF_CORE_RUN_H
#define EBPF_CORE_RUN_H

#include <stddef.h>

#define EBPF_STACK_PAINT 0xb7

void ebpf_run_init(void);             /* T: part of ebpf_init() */
void ebpf_stack_paint(void);          /* T, no program running: done by ebpf_run_init() */
size_t ebpf_stack_used(unsigned cpu); /* bytes used at most since then; any context */

#endif /* EBPF_CORE_RUN_H */
