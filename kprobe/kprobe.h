/* SPDX-License-Identifier: MIT */
/* What the parts of kprobe/ share, and the two calls of ebpf_init() and ebpf_fini(). */
#ifndef EBPF_KPROBE_INTERNAL_H
#define EBPF_KPROBE_INTERNAL_H

#include <ebpf/kprobe.h>

#include "kprobe/rv64/decode.h"
#include "src/base/lock.h"

/* T. 0, or -EINVAL where the kernel has more harts than the library has room for. */
int ebpf_kprobe_init(void);

/* Frees the slots, forgets the excluded ranges and the counters. T. Returns 0, or -EBUSY while a
 * probe is registered. The kernel answers for that no thread stands preempted inside a slot: none
 * was interrupted in a function that was ever probed and has not run since. */
int ebpf_kprobe_fini(void);

/* An address that carries a breakpoint. Published in an index that harts read without a lock, freed
 * after a grace period; written under the mutex only. */
struct ebpf_kprobe_point {
    uint64_t addr;
    uint64_t slot;                  /* where the displaced instruction stands; 0: it is simulated */
    struct ebpf_rv_insn insn;       /* the displaced instruction */
    struct ebpf_kprobe *probes;     /* in the order of registration, never empty once armed */
    struct ebpf_kprobe_point *next; /* in its bucket */
};

/* Held by all that changes: points, slots, excluded ranges, text. */
extern struct ebpf_mutex ebpf_kprobe_mutex;

/* The point at addr or NULL. Under the mutex, or inside an epoch section. Calls nothing. */
struct ebpf_kprobe_point *ebpf_kprobe_find(uint64_t addr);

/* check.c: is addr fit for a probe? Decodes the instruction there, as it is without our
 * breakpoints. T, under the mutex. Returns what ebpf_kprobe_register() says of an address, after
 * one log line. */
int ebpf_kprobe_validate(uint64_t addr, struct ebpf_rv_insn *insn);
void ebpf_kprobe_exclude_none(void); /* T, under the mutex */

#endif /* EBPF_KPROBE_INTERNAL_H */
