/* SPDX-License-Identifier: MIT */
/*
 * Pass "forward": a load from the stack of what was stored or loaded there just before, inside a
 * block and the blocks that only it goes on to.
 *
 *     store64 [v10-8], v3            store64 [v10-8], v3     (dead, if nobody else reads it)
 *     v1 = add v10, -8               v1 = add v10, -8
 *     v2 = load64 [v10-8]      ->    v2 = mov v3
 *     call helper 6                  call helper 6
 */
#include "jit/opt/ir.h"
#include "src/base/bits.h"

#define MAX_KNOWN 16u

/* The bytes [off, off + size) are the lower ones of vreg, or of imm. */
struct known {
    int32_t off;
    uint8_t size, vreg; /* IR_NONE: imm; size 0: nothing is known */
    bool exposed;       /* what has got an address may change it */
    int64_t imm;
};

struct forward {
    struct ebpf_ir_stack stack;
    uint64_t calls_destroy; /* vregs that passes made */
    bool replaced;          /* any load */
    unsigned next;          /* the entry to use next */
    struct known known[MAX_KNOWN];
};

static void forget_all(struct forward *f)
{
    for (unsigned n = 0; n < MAX_KNOWN; n++)
        f->known[n].size = 0;
}

static void forget_bytes(struct forward *f, int32_t off, unsigned size)
{
    for (unsigned n = 0; n < MAX_KNOWN; n++) {
        struct known *k = &f->known[n];

        if (k->off < off + (int32_t)size && off < k->off + k->size)
            k->size = 0;
    }
}

/* changes: registers that are written; exposed: by something that may have an address, too. */
static void forget(struct forward *f, uint64_t changes, bool exposed)
{
    for (unsigned n = 0; n < MAX_KNOWN; n++) {
        struct known *k = &f->known[n];

        if ((exposed && k->exposed) || (k->vreg < IR_NONE && changes >> k->vreg & 1))
            k->size = 0;
    }
}

static void learn(struct forward *f, const struct ebpf_ir_op *op, unsigned vreg)
{
    struct known *k = &f->known[f->next++ % MAX_KNOWN];

    *k = (struct known){.off = op->off, .size = op->size, .vreg = (uint8_t)vreg, .imm = op->imm};
    k->exposed = op->off + op->size > f->stack.escape ||
                 ebpf_ir_stack_any(f->stack.pinned, op->off, op->size);
}

static const struct known *find(const struct forward *f, const struct ebpf_ir_op *op)
{
    for (unsigned n = 0; n < MAX_KNOWN; n++) {
        const struct known *k = &f->known[n];

        if (k->size && k->off == op->off && k->size == op->size)
            return k;
        if (k->vreg == IR_NONE && k->off <= op->off && op->off + op->size <= k->off + k->size)
            return k;
    }
    return NULL;
}

/* The load as what it loads. */
static void replace(const struct known *k, struct ebpf_ir_op *op)
{
    unsigned bits = op->size * 8u;
    bool sign = op->flags & IR_SIGN;
    uint64_t value = (uint64_t)k->imm >> 8 * (op->off - k->off);

    op->src1 = k->vreg;
    op->flags = IR_WIDE;
    op->imm = bits;
    if (k->vreg == IR_NONE) {
        value = bits == 64 ? value : value & (IR_BIT(bits) - 1);
        op->code = IR_LI;
        op->imm = sign && value >> (bits - 1) & 1 ? (int64_t)(value | ~(IR_BIT(bits - 1) - 1))
                                                  : (int64_t)value;
    } else if (bits == 64) {
        op->code = IR_MOV;
    } else {
        op->code = sign ? IR_SEXT : IR_ZEXT;
        op->flags = !sign && bits == 32 ? 0 : (uint8_t)IR_WIDE;
    }
    op->off = 0;
    op->size = 0;
}

static bool inside(const struct ebpf_ir_op *op)
{
    return op->src1 == IR_FP && op->off >= -(int32_t)EBPF_FRAME_SIZE && op->off + op->size <= 0;
}

static void step(struct forward *f, struct ebpf_ir_op *op)
{
    bool call = ebpf_ir_is_call(op), stack = inside(op);
    bool writes_memory = call || op->code == IR_ATOMIC || (op->code == IR_STORE && !stack);
    const struct known *k = op->code == IR_LOAD && stack ? find(f, op) : NULL;
    bool learns = op->code == IR_LOAD && stack && !k;

    if (k) {
        replace(k, op);
        f->replaced = true;
    }
    forget(f, ebpf_ir_writes(op) | (call ? f->calls_destroy : 0), writes_memory);
    if (learns && op->dst < IR_NONE)
        learn(f, op, op->dst);
    if (op->code != IR_STORE || !stack)
        return;
    forget_bytes(f, op->off, op->size);
    learn(f, op, op->flags & IR_IMM ? IR_NONE : op->src2 == IR_ZERO ? IR_NONE : op->src2);
    if (op->src2 == IR_ZERO && !(op->flags & IR_IMM))
        f->known[(f->next - 1) % MAX_KNOWN].imm = 0;
}

int ebpf_ir_forward(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn)
{
    struct forward f = {.calls_destroy = (IR_BIT(fn->vreg_cnt) - IR_BIT(IR_EXTRA)) & ~fn->survive};
    int err;

    (void)env;
    if (!ebpf_ir_has_stack(fn, IR_LOAD))
        return 0;
    err = ebpf_ir_flow(fn);
    if (err)
        return err;
    ebpf_ir_stack_use(fn, &f.stack);
    for (uint32_t b = 0; b < fn->block_cnt; b++) {
        if (!ebpf_ir_goes_on(fn, b))
            forget_all(&f);
        for (uint32_t i = fn->blocks[b].start; i < fn->blocks[b].end; i++)
            step(&f, &fn->list.ops[i]);
    }
    if (f.replaced) {
        fn->moves = true;
        fn->has_liveness = false;
    }
    return 0;
}
