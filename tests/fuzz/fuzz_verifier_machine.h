/* SPDX-License-Identifier: MIT */
/* The checking machine's parts: _mem what it may touch, _call functions and helpers, _run the rest
 * (see there). */
#ifndef TESTS_FUZZ_FUZZ_VERIFIER_MACHINE_H
#define TESTS_FUZZ_FUZZ_VERIFIER_MACHINE_H

#include "helpers/helper.h"
#include "maps/map.h"
#include "tests/fuzz/fuzz_verifier.h"

#define REGIONS 512u
#define DYNPTRS 16u
#define FUNC 0x0f00d00000000000ull /* a callback's address: this plus its instruction */

struct region {
    uint8_t *start;
    size_t size;
    bool write, record;
    uint64_t dynptr; /* it lies behind the dynptr at that address, and goes with it; 0: none */
};

struct dynptr {
    uint64_t at; /* address of its 16 bytes */
    bool ring;   /* of a record, which is to be given back */
};

struct machine {
    const struct fuzz_prog *prog;
    const struct ebpf_prog_type *type;
    struct vf_how how;
    struct vf_input *input;
    uint64_t regs[11];
    bool set[11]; /* may be read */
    uint32_t depth, steps, limit, tails, callbacks;
    /* the stack begins at a place of room that depends on how.layout, and so does what stands for
     * the context's addresses */
    uint8_t room[EBPF_MAX_FRAMES * EBPF_FRAME_SIZE + 64] __attribute__((aligned(16)));
    uint8_t ctx_room[512] __attribute__((aligned(16)));
    uint8_t *stack, *ctx;
    bool written[EBPF_MAX_FRAMES * EBPF_FRAME_SIZE]; /* bytes of the stack, since the frame began */
    struct region regions[REGIONS];
    uint32_t region_cnt;
    struct dynptr dynptrs[DYNPTRS];
    uint32_t dynptr_cnt;
    uint64_t lock; /* address of the lock that is held; 0: none */
    struct fuzz_random rnd;
    uint32_t at;
    unsigned tailed; /* in how many targets of tail calls it is: nothing is known of those */
    bool ended; /* by a legacy load that found nothing, or a violation */
    bool tired; /* the violation is that it takes too long */
    bool vague; /* it has read what was never written, or what differs from run to run */
    char *why;
};

/* ---- _mem ------------------------------------------------------------------------------------ */

#define CTX_SIZE 256u

__attribute__((format(printf, 2, 3))) bool vm_violate(struct machine *m, const char *format, ...);
void vm_grant(struct machine *m, void *start, size_t size, bool write);
/* What the packet's pointers in the context give; with the packet before taken away. */
void vm_grant_packet(struct machine *m);
bool vm_access(struct machine *m, uint64_t addr, uint64_t size, bool write);
struct region *vm_record_at(struct machine *m, uint64_t addr);
struct dynptr *vm_dynptr_at(struct machine *m, uint64_t addr);
void vm_dynptr_new(struct machine *m, uint64_t addr, bool ring);
void vm_dynptr_end(struct machine *m, struct dynptr *d);
bool vm_load(struct machine *m, uint64_t addr, unsigned size, uint64_t *value);
bool vm_store(struct machine *m, uint64_t addr, unsigned size, uint64_t value);
bool vm_atomic(struct machine *m, const struct bpf_insn *insn);
unsigned vm_bytes_of(uint8_t code);
bool vm_read_reg(struct machine *m, unsigned reg);
void vm_write_reg(struct machine *m, unsigned reg, uint64_t value);
/* A frame begins: what was there before is anything. */
void vm_frame_begin(struct machine *m);
void vm_forget(struct machine *m, unsigned from, unsigned to);

/* ---- _call ----------------------------------------------------------------------------------- */

bool vm_call_function(struct machine *m, uint32_t target);
/* *done: the function is at its end, by a tail call */
bool vm_call_helper(struct machine *m, const struct bpf_insn *insn, bool *done);
bool vm_load_packet(struct machine *m, const struct bpf_insn *insn);

/* ---- _run ------------------------------------------------------------------------------------ */

bool vm_execute(struct machine *m, uint32_t at);

#endif /* TESTS_FUZZ_FUZZ_VERIFIER_MACHINE_H */
