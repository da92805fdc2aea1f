/* SPDX-License-Identifier: MIT */
/*
 * Slots: where displaced instructions run that cannot be simulated. A slot holds the instruction
 * and, behind it, the way back to the instruction that follows it in the text: a jal, or an ebreak
 * where the text is beyond a jal's reach.
 *
 * A thread may be interrupted and put aside inside a slot, for as long as the kernel likes. So
 * there is no per-hart "single step" state, and a slot never changes: it belongs to one address and
 * instruction until ebpf_slot_fini(), and is found again when that address is probed again.
 */
#ifndef EBPF_KPROBE_RV64_SLOT_H
#define EBPF_KPROBE_RV64_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "kprobe/rv64/decode.h"

/* The slot for insn, displaced from addr, ready to run. T, under the mutex. 0 and *slot filled,
 * -EOPNOTSUPP: no code memory, -ENOMEM, or the error of ebpf_os_text_write(); nothing is taken
 * then. */
int ebpf_slot_get(uint64_t addr, const struct ebpf_rv_insn *insn, uint64_t *slot);

/* Would ebpf_slot_get() have room? Makes it if it can. T, under the mutex. 0, -EOPNOTSUPP,
 * -ENOMEM. */
int ebpf_slot_room(uint64_t addr, const struct ebpf_rv_insn *insn);

/* The address in the text that pc, inside a slot, stands for: 0 if pc is in none, or between
 * instructions. *at_end: the displaced instruction has run and pc is at the way back. A, inside an
 * epoch section. */
uint64_t ebpf_slot_original(uint64_t pc, bool *at_end);

uint32_t ebpf_slot_count(void); /* A */
void ebpf_slot_fini(void);      /* T, under the mutex: frees all */

#endif /* EBPF_KPROBE_RV64_SLOT_H */
