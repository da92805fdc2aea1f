/* SPDX-License-Identifier: MIT */
/*
 * Grace periods: how memory that another hart may still be looking at is freed.
 *
 * A reader (a probe hit, a program run) stands between enter and exit, pinned to its hart with
 * interrupts off. A writer unpublishes a pointer, calls ebpf_epoch_synchronize(), and may then
 * free: every section that could have seen the pointer has ended. Sections nest (a probe inside a
 * program).
 */
#ifndef EBPF_BASE_EPOCH_H
#define EBPF_BASE_EPOCH_H

void ebpf_epoch_enter(unsigned cpu); /* A, interrupts off */
void ebpf_epoch_exit(unsigned cpu);  /* A, same hart as the enter */
void ebpf_epoch_synchronize(void);   /* T, outside any section */

#endif /* EBPF_BASE_EPOCH_H */
