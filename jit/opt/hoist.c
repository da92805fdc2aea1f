/* SPDX-License-Identifier: MIT */
/*
 * Pass "hoist": constants that a loop needs in registers get there once, in front of it, if there
 * are registers to spare.
 *
 *     L0:                                v11 = li 256
 *                                        L0:
 *     ...                          ->    ...
 *     br.w.direct v1 != 256, L0          br.w.direct v1 != v11, L0
 *
 * A register is given to the constants that save most: instructions, times 8 for each loop around
 * them. Loops that do not overlap use the same registers. What a register must survive (calls)
 * decides which ones there are.
 */
#include "jit/opt/ir.h"
#include "jit/opt/eval.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

#define MAX_CONSTANTS 24u
#define MAX_REGS 16u

struct constant {
    int64_t value;
    uint32_t weight;
    uint8_t vreg; /* IR_NONE: stays where it is */
};

/* A loop that no other is around, blocks [first, end). */
struct loop {
    uint32_t first, end;
    bool calls;
    unsigned cnt;
    struct constant constants[MAX_CONSTANTS];
};

/* The registers that passes may have, made as they are wanted. */
struct pool {
    unsigned left; /* that are not made yet */
    unsigned cnt;
    uint8_t vregs[MAX_REGS];
};

struct hoist {
    const struct ebpf_ir_env *env;
    struct ebpf_ir_fn *fn;
    struct pool temporary, saved;
    bool moves; /* some operation has become one */
    struct ebpf_ir_list out;
    struct loop loop; /* the one that is being looked at */
};

/* ---- what a constant costs ------------------------------------------------------------------- */

/* Compares that the encoder does with zero. */
static bool is_against_zero(const struct ebpf_ir_op *op)
{
    switch (op->size) {
    case BPF_JGT:
    case BPF_JLE:
        return op->imm == 0;
    case BPF_JGE:
    case BPF_JLT:
        return op->imm == 0 || op->imm == 1;
    default:
        return op->imm >= -1 && op->imm <= 1 && op->size != BPF_JEQ && op->size != BPF_JNE;
    }
}

static unsigned branch_cost(const struct hoist *h, const struct ebpf_ir_op *op)
{
    bool one_bit = !(op->imm & (op->imm - 1)), bits = op->size == BPF_JSET || op->size == IR_JCLEAR;

    if (op->imm == 0 || (bits ? ebpf_ir_is_short(op->imm) || one_bit : is_against_zero(op)))
        return 0;
    return h->env->li_length((uint64_t)op->imm);
}

static unsigned alu_cost(const struct hoist *h, const struct ebpf_ir_op *op)
{
    bool mask = op->code == IR_AND && op->imm > 0 && !(op->imm & (op->imm + 1));

    if (ebpf_ir_is_shift(op) || ebpf_ir_is_bit(op) || op->code == IR_SHADD || op->imm == 0 ||
        op->src1 == IR_FP)
        return 0;
    if (h->env->isa & EBPF_ISA_ZBS && ebpf_ir_single_bit(op) < 64)
        return 0;
    if (op->code != IR_MUL && !ebpf_ir_is_div(op) &&
        ebpf_ir_is_short(op->code == IR_SUB ? -op->imm : op->imm))
        return 0;
    if (mask) /* two shifts, or one instruction of Zba and Zbb */
        return (op->imm == UINT32_MAX && h->env->isa & EBPF_ISA_ZBA) ||
                       (op->imm == UINT16_MAX && h->env->isa & EBPF_ISA_ZBB)
                   ? 0
                   : 1;
    return h->env->li_length((uint64_t)op->imm);
}

/* How many instructions op takes for its constant, which a register would save. */
static unsigned cost(const struct hoist *h, const struct ebpf_ir_op *op)
{
    if (op->code == IR_LI) /* a move may be left of it */
        return h->env->li_length((uint64_t)op->imm) - 1;
    if (!(op->flags & IR_IMM))
        return 0;
    if (op->code == IR_BRANCH)
        return branch_cost(h, op);
    if (op->code == IR_STORE)
        return op->imm ? h->env->li_length((uint64_t)op->imm) : 0;
    return ebpf_ir_is_alu(op) ? alu_cost(h, op) : 0;
}

/* ---- loops ----------------------------------------------------------------------------------- */

/*
 * Finds where the loop is entered from: the block that is the only one to go into it, wherever in
 * it. What stands at that block's end is run before any of the loop. *front: the operation to put
 * it before; false: there is no such block. after: the end of the loop before this one, whose
 * registers are used again.
 */
static bool find_front(const struct ebpf_ir_fn *fn, const struct loop *loop, uint32_t after,
                       uint32_t *front)
{
    uint32_t inner = 0, preds = loop->first == 0 ? 1 : 0;

    for (uint32_t b = loop->first; b < loop->end; b++) {
        preds += fn->blocks[b].preds;
        for (unsigned n = 0; n < 2; n++) {
            uint32_t to = fn->blocks[b].next[n];

            inner += to >= loop->first && to < loop->end;
        }
    }
    if (preds != inner + 1)
        return false;
    *front = fn->blocks[loop->first].start;
    for (uint32_t b = loop->first; b-- > after;) {
        for (unsigned n = 0; n < 2; n++) {
            if (fn->blocks[b].next[n] < loop->first || fn->blocks[b].next[n] >= loop->end)
                continue;
            *front = fn->blocks[b].end;
            if (fn->blocks[b].start < *front && ebpf_ir_ends_block(&fn->list.ops[*front - 1]))
                --*front;
            return true;
        }
    }
    return loop->first == 0;
}

static void count(struct loop *loop, int64_t value, uint32_t weight)
{
    unsigned i = 0;

    while (i < loop->cnt && loop->constants[i].value != value)
        i++;
    if (i == MAX_CONSTANTS)
        return;
    if (i == loop->cnt)
        loop->constants[loop->cnt++] = (struct constant){.value = value, .vreg = IR_NONE};
    if (loop->constants[i].weight < UINT32_MAX / 2)
        loop->constants[i].weight += weight;
}

static void collect(const struct hoist *h, struct loop *loop)
{
    loop->cnt = 0;
    loop->calls = false;
    for (uint32_t b = loop->first; b < loop->end; b++) {
        const struct ebpf_ir_block *block = &h->fn->blocks[b];

        for (uint32_t i = block->start; i < block->end; i++) {
            const struct ebpf_ir_op *op = &h->fn->list.ops[i];
            unsigned saves = cost(h, op);

            loop->calls |= ebpf_ir_is_call(op);
            if (saves)
                count(loop, op->imm, saves << (3 * (block->depth > 4 ? 4 : block->depth)));
        }
    }
}

/* ---- registers ------------------------------------------------------------------------------- */

/* The n-th register of the pool for this loop. */
static unsigned take(struct hoist *h, struct pool *pool, unsigned n, bool survives)
{
    unsigned vreg;

    if (n < pool->cnt)
        return pool->vregs[n];
    if (!pool->left || pool->cnt == MAX_REGS)
        return IR_NONE;
    vreg = ebpf_ir_new_vreg(h->fn);
    if (vreg == IR_NONE)
        return IR_NONE;
    pool->left--;
    pool->vregs[pool->cnt++] = (uint8_t)vreg;
    if (survives)
        h->fn->survive |= IR_BIT(vreg);
    return vreg;
}

static struct constant *heaviest(struct loop *loop)
{
    struct constant *best = NULL;

    for (unsigned i = 0; i < loop->cnt; i++) {
        struct constant *c = &loop->constants[i];

        if (c->vreg == IR_NONE && (!best || c->weight > best->weight))
            best = c;
    }
    return best;
}

/* A register that calls leave alone costs the function a store and a load; a loop that runs a few
 * times pays that. */
static void allocate(struct hoist *h, struct loop *loop)
{
    unsigned temporary = 0, saved = 0;

    for (;;) {
        struct constant *best = heaviest(loop);
        unsigned vreg = IR_NONE;

        if (!best)
            return;
        if (!loop->calls)
            vreg = take(h, &h->temporary, temporary++, false);
        if (vreg == IR_NONE && best->weight >= 16)
            vreg = take(h, &h->saved, saved++, true);
        if (vreg == IR_NONE)
            return;
        best->vreg = (uint8_t)vreg;
    }
}

/* ---- putting it in --------------------------------------------------------------------------- */

/* What an operation looked at its immediate for is told in other ways. */
static void use_register(struct ebpf_ir_op *op, unsigned vreg)
{
    if (op->code == IR_LI) {
        op->code = IR_MOV;
        op->src1 = (uint8_t)vreg;
        op->flags = IR_WIDE;
        return;
    }
    if (ebpf_ir_is_div(op)) {
        op->flags |= IR_DIRECT;
        if ((op->code == IR_DIV || op->code == IR_MOD) && op->imm >= 2 && op->ext == IR_EXT_ZERO)
            op->ext = IR_EXT_SIGN; /* bit 31 is clear */
    } else if (op->code == IR_AND && op->imm >= 0) {
        op->ext = IR_EXT_ANY;
    } else if (op->code == IR_BRANCH) {
        op->flags |= IR_SEXT2;
    }
    op->flags &= (uint8_t)~IR_IMM;
    op->src2 = (uint8_t)vreg;
}

/* Uses the registers in the loop, and loads them in what will be the front. */
static void rewrite(struct hoist *h, struct loop *loop)
{
    const struct ebpf_ir_block *blocks = h->fn->blocks;

    for (uint32_t i = blocks[loop->first].start; i < blocks[loop->end - 1].end; i++) {
        struct ebpf_ir_op *op = &h->fn->list.ops[i];

        for (unsigned c = 0; cost(h, op) && c < loop->cnt; c++) {
            if (loop->constants[c].value == op->imm && loop->constants[c].vreg != IR_NONE) {
                h->moves |= op->code == IR_LI;
                use_register(op, loop->constants[c].vreg);
                break;
            }
        }
    }
    for (unsigned c = 0; c < loop->cnt; c++) {
        struct ebpf_ir_op li = {.code = IR_LI,
                                .flags = IR_WIDE,
                                .dst = loop->constants[c].vreg,
                                .src1 = IR_NONE,
                                .src2 = IR_NONE,
                                .imm = loop->constants[c].value,
                                .slot = h->fn->list.ops[blocks[loop->first].start].slot};

        if (li.dst != IR_NONE)
            ebpf_ir_append(&h->out, &li);
    }
}

/* Everything up to the operation number end. */
static void copy_until(struct hoist *h, uint32_t *done, uint32_t end)
{
    for (; *done < end; ++*done)
        ebpf_ir_append(&h->out, &h->fn->list.ops[*done]);
}

/* Loops from the first to the last; what is behind a front is copied after it. */
static void each_loop(struct hoist *h)
{
    struct ebpf_ir_fn *fn = h->fn;
    struct loop *loop = &h->loop;
    uint32_t done = 0, front, after = 0;

    for (uint32_t b = 0; b < fn->block_cnt; b = loop->end) {
        loop->first = b;
        loop->end = b + 1;
        if (!fn->blocks[b].loop_end)
            continue;
        for (uint32_t i = b; i < loop->end; i++) /* one that overlaps belongs to it */
            loop->end = fn->blocks[i].loop_end > loop->end ? fn->blocks[i].loop_end : loop->end;
        if (find_front(fn, loop, after, &front)) {
            collect(h, loop);
            allocate(h, loop);
            copy_until(h, &done, front);
            rewrite(h, loop);
        }
        after = loop->end;
    }
    copy_until(h, &done, fn->list.cnt);
}

static bool has_loops(const struct ebpf_ir_fn *fn)
{
    for (uint32_t b = 0; b < fn->block_cnt; b++) {
        if (fn->blocks[b].loop_end)
            return true;
    }
    return false;
}

int ebpf_ir_hoist(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn)
{
    struct hoist *h;
    int err = ebpf_ir_flow(fn);

    if (err || !has_loops(fn))
        return err;
    h = ebpf_alloc(sizeof(*h)); /* too large for a kernel's stack */
    if (!h)
        return -ENOMEM;
    h->env = env;
    h->fn = fn;
    h->temporary.cnt = h->saved.cnt = 0;
    h->moves = false;
    memset(&h->out, 0, sizeof(h->out));
    ebpf_ir_reserve(&h->out, fn->list.cnt + MAX_REGS);
    env->spare(fn, &h->temporary.left, &h->saved.left);
    each_loop(h);
    if (h->out.cnt > fn->list.cnt || h->out.err) {
        err = ebpf_ir_replace(fn, &h->out);
        fn->moves = fn->unread = h->moves;
        fn->branches = false;
    }
    ebpf_ir_list_fini(&h->out);
    ebpf_free(h, sizeof(*h));
    return err;
}
