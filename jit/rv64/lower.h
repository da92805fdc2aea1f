/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the RV64 compiler share: the state of one compilation, where BPF registers live, and how an
 * instruction that comes in several lengths chooses one.
 *
 * BPF registers (RFC 9669, Registers and calling convention):
 *
 *     r0      a5            result; a0 only where C code looks for it
 *     r1-r5   a0-a4         arguments as C passes them: a helper call moves nothing
 *     r6-r9   s0 s1 s2 s3   callee-saved; the first two have short encodings
 *     r10     sp + frame.fp never kept in a register: the frame is addressed from sp, where c.ldsp and c.sdsp reach
 *     T0 T1 T2              scratch inside one BPF instruction
 *
 * Lengths. A pass lowers every instruction in order, knowing positions from the pass before. An instruction whose
 * length depends on a distance stores the reach that it needs in its place, and never goes back to a smaller one:
 * lengths only grow, so the passes end. When a pass changes nothing, all distances are exact and its bytes are right.
 */
#ifndef EBPF_JIT_RV64_LOWER_H
#define EBPF_JIT_RV64_LOWER_H

#include "jit/jit.h"
#include "jit/rv64/asm.h"

/* Where the code of an instruction slot begins, in units of 2 bytes, and how far its jump, call or address must reach:
 * what a number means is up to the instruction, a larger one reaches farther. */
struct rv_place {
    uint32_t reach : 2;
    uint32_t half : 30;
};
#define RV_REACH_MAX 3u

/*
 * A function's frame, 16-aligned as the psABI demands:
 *
 *     sp + size ->  caller's frame
 *                   ra, if it calls; those of s0-s3 that it writes
 *     sp + fp   ->  r10: end of the BPF stack
 *     sp        ->  as much BPF stack as it uses
 */
struct rv_frame {
    uint32_t entry; /* position of the prologue */
    uint16_t size, fp;
    uint8_t saved; /* bit n: r6+n */
    bool calls;
};

struct rv_jit {
    struct rv_asm as;
    uint64_t base; /* address of as.buf[0] as harts will see it */
    bool anywhere; /* base is not known yet: assume that nothing outside is in reach */
    bool changed;  /* this pass moved something, or needed more reach */
    bool margin;   /* this pass assumes that every distance may still grow as far as it can: see ebpf_rv_relax() */
    const struct ebpf_code *code;
    struct rv_place *places; /* [insn_cnt] */
    struct rv_frame *frames; /* [subprog_cnt] */
    uint32_t subprog, index; /* what is being lowered */
    int64_t moved;           /* by how much this instruction begins later than in the last pass */
};

/* Every distance grows at most so much between two passes: from 2 to 12 bytes (a branch), from 4 to 28 (a call). */
#define RV_GROWTH 8

/* ---- lower.c ---- */
/* One pass over the whole program. */
void ebpf_rv_pass(struct rv_jit *j);
/* Passes until nothing changes. 0 or the error of the assembler. */
int ebpf_rv_relax(struct rv_jit *j);
/* The program has something that this compiler does not know. */
void ebpf_rv_unknown(struct rv_jit *j);

/* The register of r0-r9 (anything else: unknown). */
enum rv_reg ebpf_rv_reg(struct rv_jit *j, unsigned reg);
/* The same for reading: r10 is computed into tmp. */
enum rv_reg ebpf_rv_source(struct rv_jit *j, unsigned reg, enum rv_reg tmp);
/* imm in a register: ZERO, or loaded into tmp. */
enum rv_reg ebpf_rv_constant(struct rv_jit *j, int64_t imm, enum rv_reg tmp);

/* Notes that the instruction being lowered needs at least this reach, returns the one to use. */
unsigned ebpf_rv_reach(struct rv_jit *j, unsigned needed);
/* Does a distance (from the position now) fit so many bits, signed, however it may still grow? */
bool ebpf_rv_near(const struct rv_jit *j, int64_t distance, unsigned bits);
/* Is it in reach of auipc and a 12-bit immediate? */
bool ebpf_rv_auipc_reaches(int64_t distance);
/* While measuring for any base: what began at start may also become auipc and a second instruction. */
void ebpf_rv_leave_room(struct rv_jit *j, uint32_t start);
/* The position of an instruction as far as it is known now, as a distance from the current position. */
int64_t ebpf_rv_distance(const struct rv_jit *j, uint32_t target);
int64_t ebpf_rv_entry_distance(const struct rv_jit *j, uint32_t subprog);
/* rd = value: li, or auipc + addi if that is shorter. */
void ebpf_rv_address(struct rv_jit *j, enum rv_reg rd, uint64_t value);

/* ---- frame.c ---- */
void ebpf_rv_frame_plan(const struct ebpf_code *code, const struct ebpf_subprog *sub, struct rv_frame *frame);
void ebpf_rv_prologue(struct rv_jit *j);
void ebpf_rv_epilogue(struct rv_jit *j);

/* ---- one function per class of instructions: they emit, or call ebpf_rv_unknown() ---- */
void ebpf_rv_lower_alu(struct rv_jit *j, const struct bpf_insn *insn);    /* alu.c: ALU, ALU64 */
void ebpf_rv_lower_swap(struct rv_jit *j, const struct bpf_insn *insn);   /* swap.c: BPF_END */
void ebpf_rv_lower_load(struct rv_jit *j, const struct bpf_insn *insn);   /* mem.c: LDX */
void ebpf_rv_lower_store(struct rv_jit *j, const struct bpf_insn *insn);  /* mem.c: ST, STX */
void ebpf_rv_lower_atomic(struct rv_jit *j, const struct bpf_insn *insn); /* atomic.c */
void ebpf_rv_lower_jump(struct rv_jit *j, const struct bpf_insn *insn);   /* branch.c: JMP, JMP32 */
void ebpf_rv_lower_call(struct rv_jit *j, const struct bpf_insn *insn);   /* call.c: CALL */

/* The register that base + *off is relative to, *off then fitting 12 bits: base itself, sp, or tmp. */
enum rv_reg ebpf_rv_base(struct rv_jit *j, unsigned base, int32_t *off, enum rv_reg tmp);

#endif /* EBPF_JIT_RV64_LOWER_H */
