/* SPDX-License-Identifier: MIT */
/*
 * What the passes of the compiler work on: one function of the program as a list of three-address
 * operations over virtual registers. v0 to v10 are BPF's r0 to r10; more are made by passes.
 * Nothing is in SSA form: the compiler that made the program has allocated registers already, and a
 * pass over a list is linear.
 *
 *     BPF                         operations
 *     r2 = r1                     v2 = mov v1
 *     r2 <<= 13                   v2 = lsh v2, 13
 *     if w2 > 5 goto +3           br.w v2 > 5, L0
 *
 * Jumps name labels and IR_LABEL says where one is, so that operations can be put in and taken out
 * anywhere. Each pass leaves a correct list whether others have run or not, and knows nothing of
 * RV64 but what target.h tells.
 *
 * A 32-bit operation (without IR_WIDE) looks at the lower halves of its operands and its result is
 * zero-extended (RFC 9669), or what ext allows.
 */
#ifndef EBPF_JIT_OPT_IR_H
#define EBPF_JIT_OPT_IR_H

#include <ebpf/os.h>

#include "src/core/prog.h"

enum ebpf_ir_code {
    IR_NOP,   /* taken out */
    IR_LABEL, /* target: its number */

    /* dst = src1 op src2, or op imm with IR_IMM */
    IR_ADD,
    IR_SUB,
    IR_MUL,
    IR_OR,
    IR_AND,
    IR_XOR,
    IR_LSH, /* shift amounts that are registers are masked */
    IR_RSH,
    IR_ARSH,
    IR_ROR,
    IR_DIV,
    IR_MOD,
    IR_SDIV,
    IR_SMOD,
    /* of harts that have them, 64 bits */
    IR_BSET, /* src1 with bit src2 set; inverted; that bit alone */
    IR_BINV,
    IR_BEXT,
    IR_CZEQ, /* 0 if src2 is 0, else src1; the other way round */
    IR_CZNE,
    IR_SHADD, /* (src1 << size) + src2; size 1 to 3, 64 bits */

    IR_MOV,  /* dst = src1, all 64 bits */
    IR_LI,   /* dst = imm */
    IR_ZEXT, /* dst = the lower imm bits of src1, zero-extended */
    IR_SEXT, /* sign-extended; without IR_WIDE to 32 bits, and from there zero-extended */
    IR_SWAP, /* the lower imm bits of src1 with their bytes reversed, zero-extended */

    IR_LOAD,  /* dst = size bytes at src1 + off; zero-extended, or sign-extended with IR_SIGN */
    IR_STORE, /* size bytes at src1 + off = src2 or imm */
    /* imm: BPF's operation; on size bytes at src1 + off, with src2; dst: what gets the old value */
    IR_ATOMIC,
    IR_BRANCH, /* to target if src1 cond src2 (or imm); cond: BPF_JEQ, ... */
    IR_JUMP,   /* to target */
    /* helper number imm, or the C function at address imm with IR_C; size: its arguments */
    IR_CALL,
    IR_CALL_FUNC, /* the program's function number target */
    IR_TAIL_CALL, /* of the main function, context src1: to the program that the pointer at imm + 8 * src2 names, if
                   * src2's lower half is below off (IR_IMM: at imm). Goes on behind if it fails */
    IR_EXIT, /* with src1 or imm as the result */
    IR_OPAQUE, /* what only the encoder knows: BPF's instruction at slot; registers are at home; size: its opcode,
                   * src1: IR_FP if it names r10, target: where it may jump, IR_NOWHERE */
    IR_CODES,
};

/* IR_BRANCH: no bit of src2 is set in src1; the opposite of BPF_JSET, which BPF has not got */
#define IR_JCLEAR 0xe0u

/* flags */
#define IR_WIDE 0x01u /* 64 bits */
#define IR_IMM 0x02u  /* imm instead of src2 (IR_EXIT: src1) */
#define IR_SIGN 0x04u /* IR_LOAD */
#define IR_MAP 0x08u  /* IR_LI: imm is the address of a struct ebpf_map that the program holds */
/* 32-bit operations and loads: the result as BPF has it is at most INT32_MAX. Who makes another
 * operation of it, with another result, takes it away. */
#define IR_SMALL 0x08u
#define IR_C 0x10u    /* IR_CALL */
#define IR_DIRECT \
    0x20u /* 32-bit IR_BRANCH: comparing whole registers (and imm as it is) gives the same;
                         * division: the divisor is not zero */
#define IR_SEXT1 0x40u /* IR_BRANCH: src1 is sign-extended from 32 bits already */
#define IR_SEXT2 0x80u /* ... src2; 32-bit division: src2 is zero as a whole if its lower half is */

/* ext: what the upper half of a 32-bit result is */
enum ebpf_ir_ext {
    IR_EXT_ZERO, /* zero, as BPF has it */
    IR_EXT_SIGN, /* copies of bit 31: what RV64's 32-bit instructions leave; nobody reads it */
    IR_EXT_ANY,  /* nobody reads it, or whatever instruction is used makes it right */
};

#define IR_VREGS 64u
#define IR_ZERO 63u  /* reads as 0 */
#define IR_NONE 62u  /* no register */
#define IR_EXTRA 11u /* the first that passes may make */
#define IR_FP 10u

struct ebpf_ir_op {
    uint8_t code, flags;
    uint8_t dst, src1, src2;
    uint8_t size; /* bytes of memory; IR_BRANCH: BPF_JEQ, ... */
    uint8_t ext;
    uint8_t reach; /* the encoder's: how far the distance in it must go */
    union {
        int32_t off;
        uint32_t target;
    };
    uint32_t slot; /* the BPF instruction that it comes from */
    int64_t imm;
};

struct ebpf_ir_list {
    struct ebpf_ir_op *ops;
    uint32_t cnt, cap;
    int err; /* sticky: -ENOMEM */
};

/* A basic block: ops [start, end). Blocks are in the order of the list. */
struct ebpf_ir_block {
    uint32_t start, end;
    uint32_t next[2];  /* where it goes: block numbers, or IR_NOWHERE */
    uint32_t preds;    /* how many blocks go here */
    uint32_t loop_end; /* the block behind the loop that begins here; 0: none does */
    uint8_t depth;     /* of loops */
    /* vregs whose lower or upper half is read before it is written, at the start */
    uint64_t live_lo, live_hi;
    uint64_t out_lo, out_hi; /* flow.c: what was live at its end */
};
#define IR_NOWHERE UINT32_MAX

struct ebpf_ir_fn {
    struct ebpf_ir_list list;
    uint32_t subprog;
    uint32_t label_cnt;
    uint8_t vreg_cnt; /* vregs made so far, from IR_EXTRA on, end here */
    bool opaque;      /* has IR_OPAQUE */
    uint64_t survive; /* vregs from IR_EXTRA on that must survive calls */
    uint16_t stack;   /* bytes of frames below r10 */

    /* What passes tell those behind them, so that these do nothing where there is nothing for
     * them. */
    bool holes;    /* has IR_NOP */
    bool moves;    /* there are moves and constants that "copy" has not seen */
    bool branches; /* branches, or what stood between them, have gone: something for "jumps" */
    bool unread;   /* "copy" has put others in the place of operands: something may be dead */

    /* ebpf_ir_flow(); of the list as it is: has_flow, and has_liveness for live_lo and live_hi */
    bool has_flow, has_liveness;
    struct ebpf_ir_block *blocks;
    uint32_t block_cnt, block_cap;
    uint32_t *labels; /* [label_cnt]: the block that it begins */
    uint32_t labels_cap;
};

/* What the passes need to know about the machine and the program. */
struct ebpf_ir_env {
    const struct ebpf_code *code;
    const struct ebpf_fact *facts;         /* [code->insn_cnt] the verifier's; NULL: none */
    uint32_t isa;                          /* EBPF_ISA_* */
    unsigned (*li_length)(uint64_t value); /* instructions that a constant takes */
    /* How many registers more passes may make: which calls destroy, and which they do not. */
    void (*spare)(const struct ebpf_ir_fn *fn, unsigned *temporary, unsigned *saved);
};

/* ---- ir.c: lists ----------------------------------------------------------------------------- */
void ebpf_ir_init(struct ebpf_ir_fn *fn, uint32_t subprog);
void ebpf_ir_fini(struct ebpf_ir_fn *fn);
void ebpf_ir_append(struct ebpf_ir_list *list, const struct ebpf_ir_op *op);
/* Puts list in the place of fn's operations and takes it over; list->err is returned. */
int ebpf_ir_replace(struct ebpf_ir_fn *fn, struct ebpf_ir_list *list);
void ebpf_ir_list_fini(struct ebpf_ir_list *list);
/* Room for so many operations in a list that has none. */
void ebpf_ir_reserve(struct ebpf_ir_list *list, uint32_t cnt);
/* Closes the places of IR_NOP. Blocks stay known. */
void ebpf_ir_compact(struct ebpf_ir_fn *fn);
/* A new register, IR_NONE when there are none left. */
unsigned ebpf_ir_new_vreg(struct ebpf_ir_fn *fn);

/* ---- what an operation reads and writes ------------------------------------------------------ */
#define IR_BIT(v) ((uint64_t)1 << (v))
#define IR_REGS (IR_BIT(IR_NONE) - 1) /* all of them: 0 and none are none */
/* r1 to r5: what a call takes, and leaves undefined */
#define IR_ARGS 0x3eull

/* Is its code one of a set of IR_BIT(IR_...)? */
static inline bool ebpf_ir_is_in(const struct ebpf_ir_op *op, uint64_t set)
{
    return set >> op->code & 1;
}
#define IR_SET_ALU (IR_BIT(IR_SHADD + 1) - IR_BIT(IR_ADD))
#define IR_SET_PURE (IR_SET_ALU | (IR_BIT(IR_SWAP + 1) - IR_BIT(IR_MOV)))
#define IR_SET_MEMORY (IR_BIT(IR_LOAD) | IR_BIT(IR_STORE) | IR_BIT(IR_ATOMIC))
#define IR_SET_CALL (IR_BIT(IR_CALL) | IR_BIT(IR_CALL_FUNC) | IR_BIT(IR_OPAQUE))
/* Those that do not read just src1 and src2, and write dst. */
#define IR_SET_ODD \
    (IR_SET_CALL | IR_BIT(IR_NOP) | IR_BIT(IR_LABEL) | IR_BIT(IR_JUMP) | IR_BIT(IR_ATOMIC))

/* ir.c: of IR_SET_ODD */
uint64_t ebpf_ir_reads_odd(const struct ebpf_ir_op *op);
uint64_t ebpf_ir_writes_odd(const struct ebpf_ir_op *op);

static inline uint64_t ebpf_ir_reads(const struct ebpf_ir_op *op)
{
    if (ebpf_ir_is_in(op, IR_SET_ODD))
        return ebpf_ir_reads_odd(op);
    return (IR_BIT(op->src1) | (op->flags & IR_IMM ? 0 : IR_BIT(op->src2))) & IR_REGS;
}

/* What it leaves other than it was, including what a call leaves undefined. */
static inline uint64_t ebpf_ir_writes(const struct ebpf_ir_op *op)
{
    return ebpf_ir_is_in(op, IR_SET_ODD) ? ebpf_ir_writes_odd(op) : IR_BIT(op->dst) & IR_REGS;
}

/* Only a value for dst: may be dropped if nobody reads that. */
static inline bool ebpf_ir_pure(const struct ebpf_ir_op *op)
{
    return ebpf_ir_is_in(op, IR_SET_PURE);
}

/* Leaves the block: jumps, branches, exit. */
static inline bool ebpf_ir_ends_block(const struct ebpf_ir_op *op)
{
    return ebpf_ir_is_in(op, IR_BIT(IR_BRANCH) | IR_BIT(IR_JUMP) | IR_BIT(IR_EXIT)) ||
           (op->code == IR_OPAQUE && op->target != IR_NOWHERE);
}

static inline bool ebpf_ir_is_call(const struct ebpf_ir_op *op)
{
    return ebpf_ir_is_in(op, IR_SET_CALL);
}

static inline bool ebpf_ir_is_alu(const struct ebpf_ir_op *op)
{
    return ebpf_ir_is_in(op, IR_SET_ALU);
}

static inline bool ebpf_ir_is_memory(const struct ebpf_ir_op *op)
{
    return ebpf_ir_is_in(op, IR_SET_MEMORY);
}

static inline bool ebpf_ir_is_shift(const struct ebpf_ir_op *op)
{
    return op->code >= IR_LSH && op->code <= IR_ROR;
}

static inline bool ebpf_ir_is_bit(const struct ebpf_ir_op *op)
{
    return op->code >= IR_BSET && op->code <= IR_BEXT;
}

static inline bool ebpf_ir_is_div(const struct ebpf_ir_op *op)
{
    return op->code >= IR_DIV && op->code <= IR_SMOD;
}

/* Has the machine instructions with such an immediate? */
static inline bool ebpf_ir_is_short(int64_t imm)
{
    return imm >= -2048 && imm < 2048;
}

/* The number of the lowest bit that is set in mask, which is not 0. */
unsigned ebpf_ir_lowest(uint64_t mask);

/* Takes op out: the place is closed by ebpf_ir_compact(). */
static inline void ebpf_ir_remove(struct ebpf_ir_fn *fn, struct ebpf_ir_op *op)
{
    op->code = IR_NOP;
    fn->holes = true;
}

/* ---- decode.c -------------------------------------------------------------------------------- */
/* The operation of the instruction at slot (not a jump's target, not the place of calls'
 * functions): false: unknown. */
bool ebpf_ir_decode_insn(const struct bpf_insn *insn, bool last, struct ebpf_ir_op *op);
/* Function fn->subprog of code into fn->list. 0, -ENOMEM, -EOPNOTSUPP: something in it is not
 * known. */
int ebpf_ir_decode(const struct ebpf_code *code, struct ebpf_ir_fn *fn);
/* The function that starts at slot; code->subprog_cnt: none. */
uint32_t ebpf_ir_find_subprog(const struct ebpf_code *code, int64_t slot);
/* LD_IMM64 of a function's address, for a helper to call: IR_OPAQUE */
bool ebpf_ir_is_func_address(const struct bpf_insn *insn);
/* Whose it is; code->subprog_cnt: nobody's. */
uint32_t ebpf_ir_func_address(const struct ebpf_code *code, const struct bpf_insn *insn);

/* ---- flow.c ---------------------------------------------------------------------------------- */
/* Blocks, loops; nothing to do if they are known. Who changes where operations go sets has_flow to
 * false. 0 or -ENOMEM. */
int ebpf_ir_flow(struct ebpf_ir_fn *fn);
/* live_lo and live_hi of all blocks; after ebpf_ir_flow(). Nothing to do if they are known: who
 * makes an operation read more than it did, beyond its block, sets has_liveness to false. False: it
 * would take too long, everything is live. */
bool ebpf_ir_liveness(struct ebpf_ir_fn *fn);
/* Only the block before goes to block b, and nothing else: what was known at its end still
 * holds. */
static inline bool ebpf_ir_goes_on(const struct ebpf_ir_fn *fn, uint32_t b)
{
    return b > 0 && fn->blocks[b].preds == 1 &&
           (fn->blocks[b - 1].next[0] == b || fn->blocks[b - 1].next[1] == b);
}

/* ---- stack.c --------------------------------------------------------------------------------- */
/* Bytes of the stack: bit n of a mask is the byte at r10 - 1 - n. Offsets are from r10,
 * negative. */
struct ebpf_ir_stack {
    int32_t low;    /* nothing below is accessed by anybody */
    int32_t escape; /* from here up to r10, what has got an address may access; 0: nobody has */
    /* by loads and stores that name r10 */
    uint64_t read[EBPF_FRAME_SIZE / 64], written[EBPF_FRAME_SIZE / 64];
    /* by others: atomic ones, and those through other registers */
    uint64_t pinned[EBPF_FRAME_SIZE / 64];
};
/* What fn does; after ebpf_ir_flow(). */
void ebpf_ir_stack_use(struct ebpf_ir_fn *fn, struct ebpf_ir_stack *out);
/* Is there an operation of that code on what r10 points to? */
bool ebpf_ir_has_stack(const struct ebpf_ir_fn *fn, unsigned code);
/* Sets the bits of [off, off + size), which is inside the frame; is any of them set? */
void ebpf_ir_stack_mark(uint64_t *bytes, int32_t off, unsigned size);
bool ebpf_ir_stack_any(const uint64_t *bytes, int32_t off, unsigned size);

/* ---- passes ---------------------------------------------------------------------------------- */
#define EBPF_IR_PASSES(X) \
    X(facts)              \
    X(jumps)              \
    X(copy)               \
    X(lookup)             \
    X(slots)              \
    X(forward)            \
    X(combine)            \
    X(dead)               \
    X(forms)              \
    X(hoist)

enum {
#define EBPF_IR_NUMBER(name) EBPF_PASS_NUMBER_##name,
    EBPF_IR_PASSES(EBPF_IR_NUMBER) EBPF_IR_NUMBER(inline) EBPF_IR_NUMBER(
        relax) /* the encoder's: branches, calls and addresses as short as they can be */
#undef EBPF_IR_NUMBER
};
#define EBPF_PASS(name) (1u << EBPF_PASS_NUMBER_##name)

/* Each: 0 or -ENOMEM. */
#define EBPF_IR_DECLARE(name) \
    int ebpf_ir_##name(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn);
EBPF_IR_PASSES(EBPF_IR_DECLARE)
#undef EBPF_IR_DECLARE

/* All passes of the mask in their order; trace, which may be NULL, sees the list after each. 0 or
 * -ENOMEM. */
struct ebpf_ir_trace {
    void (*show)(const struct ebpf_ir_trace *trace, const char *pass, const struct ebpf_ir_fn *fn);
};
int ebpf_ir_optimize(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn, uint32_t passes,
                     const struct ebpf_ir_trace *trace);

/* inline.c: functions fns[0] to fns[cnt - 1] of a program, as decoded, of which [0] is the main
 * one: small ones are put where they are called. 0 or -ENOMEM. */
int ebpf_ir_inline(const struct ebpf_ir_env *env, struct ebpf_ir_fn **fns, uint32_t cnt,
                   uint32_t passes, const struct ebpf_ir_trace *trace);

/* print.c: one operation as text, cut at size. */
void ebpf_ir_print(const struct ebpf_ir_op *op, char *text, size_t size);

#endif /* EBPF_JIT_OPT_IR_H */
