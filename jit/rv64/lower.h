/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the RV64 encoder share: the state of one compilation, where registers live, and
 * how an instruction that comes in several lengths chooses one. It takes operations (jit/opt/ir.h),
 * one list for each function.
 *
 * The homes of BPF's registers (RFC 9669, Registers and calling convention):
 *
 *     r0      a5            result; a0 only where C code looks for it
 *     r1-r5   a0-a4         arguments as C passes them: a helper call moves nothing
 *     r6-r9   s0 s1 s2 s3   callee-saved; the first two have short encodings
 *     r10     sp + frame.fp never kept in a register: the frame is addressed from sp, where c.ldsp
 *     and c.sdsp reach
 *     T0 T1 T2 T3 T4        scratch inside one operation (T3 and T4: of atomics and IR_OPAQUE only)
 *
 * Other registers, and r6-r9 in a function that calls nothing, live where assign.c says.
 *
 * Lengths. A pass lowers every operation in order, knowing positions from the pass before. An
 * operation whose length depends on a distance stores the reach that it needs in it, and never goes
 * back to a smaller one: lengths only grow. When a pass changes nothing, all distances are exact
 * and its bytes are right. Most programs settle in two passes; after RV_MAX_PASSES everything takes
 * its longest form, which cannot change any more.
 */
#ifndef EBPF_JIT_RV64_LOWER_H
#define EBPF_JIT_RV64_LOWER_H

#include "jit/jit.h"
#include "jit/opt/ir.h"
#include "jit/rv64/asm.h"

#define RV_REACH_MAX 3u
#define RV_MAX_PASSES 64u

/*
 * A function's frame, 16-aligned as the psABI demands:
 *
 *     sp + size ->  caller's frame
 *                   ra, if it calls; the callee-saved registers that it writes
 *                   the counter of may_goto, if it has one
 *     sp + fp   ->  r10: end of the BPF stack
 *     sp        ->  as much BPF stack as it uses
 */
struct rv_frame {
    uint32_t entry; /* position of the prologue */
    uint16_t size, fp;
    uint32_t saved; /* bit n: xn */
    bool calls;
    bool counts; /* has may_goto */
    bool tails;  /* main: keeps its second argument, struct ebpf_run, for IR_TAIL_CALL */
    /* leaves its result in a0, as C has it: main, what helpers call, and what may end in a tail
     * call to another main */
    bool c_result;
};

struct rv_fn {
    struct ebpf_ir_fn ir;
    struct rv_frame frame;
    uint32_t *places; /* [ir.list.cnt]: where each operation's code begins */
    uint32_t *labels; /* [ir.label_cnt]: the operation that it is */
    uint32_t places_cnt, labels_cnt;
    uint8_t regs[IR_VREGS]; /* enum rv_reg of each virtual register */
    bool used;              /* somebody calls it: it has code */
    bool seen;              /* jit.c: what it calls is used */
    bool callback;          /* a helper does: it is called as a C function */
};

struct rv_jit {
    struct rv_asm as;
    uint64_t base; /* address of as.buf[0] as harts will see it */
    bool anywhere; /* base is not known yet: assume that nothing outside is in reach */
    bool changed;  /* this pass moved something, or needed more reach */
    bool shorter;  /* this pass found an address in nearer reach than a pass before it */
    bool longest;  /* nothing is taken to be near: every length is what it can be at most */
    /* this pass assumes that every distance may still grow as far as it can: see ebpf_rv_relax() */
    bool margin;
    uint32_t isa; /* EBPF_ISA_* */
    const struct ebpf_code *code;
    struct rv_fn *fns; /* [code->subprog_cnt] */
    struct rv_fn *fn;  /* what is being lowered */
    struct ebpf_ir_op *op;
    int64_t moved; /* by how much this operation begins later than in the last pass */
};

/* Every distance grows at most so much between two passes: from 2 to 12 bytes (a branch), from 4 to
 * 28 (a call). */
#define RV_GROWTH 8

/* ---- lower.c ---- */
/* One pass over the whole program. */
void ebpf_rv_pass(struct rv_jit *j);
/* Passes until nothing changes: as.buf, if there is one, is right then. 0 or the error of the
 * assembler. */
int ebpf_rv_relax(struct rv_jit *j);
/* One pass, and is every reach what the distances that it found need? What comes out for the same
 * base is so long then. */
bool ebpf_rv_settles(struct rv_jit *j);
/* Forgets what passes for another base have found. */
void ebpf_rv_forget(struct rv_jit *j);
/* The program has something that this compiler does not know. */
void ebpf_rv_unknown(struct rv_jit *j);

/* The register of a vreg, for writing (r10: unknown). */
enum rv_reg ebpf_rv_reg(struct rv_jit *j, unsigned vreg);
/* The same for reading: r10 is computed into tmp. */
enum rv_reg ebpf_rv_source(struct rv_jit *j, unsigned vreg, enum rv_reg tmp);
/* imm in a register: ZERO, or loaded into tmp. */
enum rv_reg ebpf_rv_constant(struct rv_jit *j, int64_t imm, enum rv_reg tmp);
/* The register that base + *off is relative to, *off then fitting 12 bits: base itself, sp, or
 * tmp. */
enum rv_reg ebpf_rv_base(struct rv_jit *j, unsigned base, int32_t *off, enum rv_reg tmp);

/* Notes that the operation being lowered needs at least this reach, returns the one to use. */
unsigned ebpf_rv_reach(struct rv_jit *j, unsigned needed);
/* Does a distance (from the position now) fit so many bits, signed, however it may still grow? */
bool ebpf_rv_near(const struct rv_jit *j, int64_t distance, unsigned bits);
/* Is it in reach of auipc and a 12-bit immediate? */
bool ebpf_rv_auipc_reaches(int64_t distance);
/* While measuring for any base: what began at start may also become auipc and a second
 * instruction. */
void ebpf_rv_leave_room(struct rv_jit *j, uint32_t start);
/* The position of a label or a function as far as it is known now, as a distance from the current
 * position. */
int64_t ebpf_rv_distance(const struct rv_jit *j, uint32_t label);
int64_t ebpf_rv_entry_distance(const struct rv_jit *j, uint32_t subprog);
/* rd = value: li, or auipc + addi if that is shorter. */
void ebpf_rv_address(struct rv_jit *j, enum rv_reg rd, uint64_t value);
/* ZEXT and SEXT with whatever the hart has. */
void ebpf_rv_extend(struct rv_jit *j, enum rv_reg rd, enum rv_reg rs, unsigned bits, bool sign);

/* ---- branch.c ---- */
/* A jump to the label if rs is 0; of any reach. */
void ebpf_rv_branch_zero(struct rv_jit *j, enum rv_reg rs, uint32_t label);

/* ---- call.c ---- */
/* A call of the C function at target, which uses the operation's reach. T1 is changed, and what C
 * may change. */
void ebpf_rv_call_c(struct rv_jit *j, uint64_t target);

/* ---- assign.c ---- */
/* Where registers live: fn->regs. False: there are not enough. */
bool ebpf_rv_assign(struct rv_fn *fn);
/* How many registers are left for passes: struct ebpf_ir_env. */
void ebpf_rv_spare(const struct ebpf_ir_fn *ir, unsigned *temporary, unsigned *saved);

/* ---- frame.c ---- */
void ebpf_rv_frame_plan(struct rv_fn *fn);
void ebpf_rv_prologue(struct rv_jit *j);
/* The struct ebpf_run that main was called with. */
void ebpf_rv_load_run(struct rv_jit *j, enum rv_reg rd);
/* Leaves everything as the prologue found it, but does not return. */
void ebpf_rv_restore(struct rv_jit *j);

/* ---- one function per class of operations: they emit, or call ebpf_rv_unknown() ---- */
void ebpf_rv_lower_alu(struct rv_jit *j, const struct ebpf_ir_op *op);       /* alu.c */
void ebpf_rv_lower_div(struct rv_jit *j, const struct ebpf_ir_op *op);       /* alu.c */
void ebpf_rv_lower_move(struct rv_jit *j, const struct ebpf_ir_op *op);      /* alu.c */
void ebpf_rv_lower_swap(struct rv_jit *j, const struct ebpf_ir_op *op);      /* swap.c */
void ebpf_rv_lower_load(struct rv_jit *j, const struct ebpf_ir_op *op);      /* mem.c */
void ebpf_rv_lower_store(struct rv_jit *j, const struct ebpf_ir_op *op);     /* mem.c */
void ebpf_rv_lower_atomic(struct rv_jit *j, const struct ebpf_ir_op *op);    /* atomic.c */
void ebpf_rv_lower_jump(struct rv_jit *j, const struct ebpf_ir_op *op);      /* branch.c */
void ebpf_rv_lower_branch(struct rv_jit *j, const struct ebpf_ir_op *op);    /* branch.c */
void ebpf_rv_lower_call(struct rv_jit *j, const struct ebpf_ir_op *op);      /* call.c */
void ebpf_rv_lower_tail_call(struct rv_jit *j, const struct ebpf_ir_op *op); /* tail_call.c */
void ebpf_rv_lower_exit(struct rv_jit *j, const struct ebpf_ir_op *op);      /* frame.c */
/* opaque.c: instructions that have no operation; registers are at home. Where it jumps is the label
 * op->target. */
void ebpf_rv_lower_opaque(struct rv_jit *j, const struct bpf_insn *insn);
/* A tail call? */
static inline bool rv_is_tail_call(const struct ebpf_ir_op *op)
{
    return op->code == IR_OPAQUE && op->size == (BPF_JMP | BPF_CALL);
}

#endif /* EBPF_JIT_RV64_LOWER_H */
