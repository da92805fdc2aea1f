/* SPDX-License-Identifier: MIT */
/*
 * Pass "slots": what programs keep on the stack gets into registers that are left.
 *
 *     store64 [v10-8], v1            v11 = mov v1
 *     call helper 5            ->    call helper 5
 *     v2 = load64 [v10-8]            v2 = mov v11        (copy: v11 instead of v2)
 *
 * A slot is so many bytes that nobody accesses in another way than all of them, and whose address
 * nobody gets (stack.c). One that is not live over calls takes any register; one that is takes one
 * that the function must save, if that pays.
 */
#include "jit/opt/ir.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

#define MAX_SLOTS 32u
#define NO_SLOT 0xffu
/* A register that calls leave alone costs a store and a load. */
#define PAYS 4u

struct slot {
    int32_t off;
    uint32_t weight; /* accesses, times 8 for each loop around them */
    uint8_t size, vreg;
    bool bad, loaded;
};

/* Of one block: which slots are read before they are written, written, live at its start. */
struct flow {
    uint32_t use, def, live;
};

struct slots {
    const struct ebpf_ir_env *env;
    struct ebpf_ir_fn *fn;
    struct flow *flow;   /* [fn->block_cnt] */
    uint32_t over_calls; /* slots that are live where something is called */
    unsigned cnt;
    struct slot slots[MAX_SLOTS];
    uint8_t owners[EBPF_FRAME_SIZE]; /* of the byte at r10 - 1 - n */
};

/* ---- what there is --------------------------------------------------------------------------- */

static bool names_stack(const struct ebpf_ir_op *op)
{
    return (op->code == IR_LOAD || op->code == IR_STORE) && op->src1 == IR_FP && op->off < 0 &&
           op->off >= -(int32_t)EBPF_FRAME_SIZE && op->off + op->size <= 0;
}

/* The slot of exactly these bytes, or a new one; whatever else has some of them is none. */
static unsigned own(struct slots *s, int32_t off, uint8_t size)
{
    unsigned first = s->owners[-off - 1], found = first;
    bool exact = first != NO_SLOT && s->slots[first].off == off && s->slots[first].size == size;

    if (exact)
        return first;
    found = s->cnt < MAX_SLOTS ? s->cnt : NO_SLOT;
    for (int32_t n = -off - size; n < -off; n++) {
        if (s->owners[n] != NO_SLOT) {
            s->slots[s->owners[n]].bad = true;
            found = NO_SLOT;
        }
    }
    if (found == NO_SLOT)
        return NO_SLOT;
    s->slots[s->cnt++] = (struct slot){.off = off, .size = size, .vreg = IR_NONE};
    memset(&s->owners[-off - size], (int)found, size);
    return found;
}

static void collect(struct slots *s)
{
    memset(s->owners, (int)NO_SLOT, sizeof(s->owners));
    for (uint32_t b = 0; b < s->fn->block_cnt; b++) {
        const struct ebpf_ir_block *block = &s->fn->blocks[b];
        unsigned depth = block->depth > 4 ? 4 : block->depth;

        for (uint32_t i = block->start; i < block->end; i++) {
            const struct ebpf_ir_op *op = &s->fn->list.ops[i];
            unsigned n = names_stack(op) ? own(s, op->off, op->size) : NO_SLOT;

            if (n == NO_SLOT)
                continue;
            s->slots[n].loaded |= op->code == IR_LOAD;
            if (s->slots[n].weight < UINT32_MAX / 2)
                s->slots[n].weight += 1u << 3 * depth;
        }
    }
}

/* Bytes of no slot that somebody accesses make no difference; those of a slot do. */
static bool any_good(struct slots *s)
{
    struct ebpf_ir_stack stack;
    bool any = false;

    ebpf_ir_stack_use(s->fn, &stack);
    for (unsigned n = 0; n < s->cnt; n++) {
        struct slot *slot = &s->slots[n];

        slot->bad |= !slot->loaded || slot->off + slot->size > stack.escape ||
                     ebpf_ir_stack_any(stack.pinned, slot->off, slot->size);
        any |= !slot->bad;
    }
    return any;
}

/* ---- where slots are live -------------------------------------------------------------------- */

static unsigned slot_of(const struct slots *s, const struct ebpf_ir_op *op)
{
    unsigned n = names_stack(op) ? s->owners[-op->off - 1] : NO_SLOT;

    return n != NO_SLOT && s->slots[n].bad ? NO_SLOT : n;
}

static uint32_t live_out(const struct slots *s, uint32_t b)
{
    const struct ebpf_ir_block *block = &s->fn->blocks[b];
    uint32_t live = 0;

    for (unsigned n = 0; n < 2; n++)
        live |= block->next[n] == IR_NOWHERE ? 0 : s->flow[block->next[n]].live;
    return live;
}

static void summarise(struct slots *s, uint32_t b)
{
    struct flow *flow = &s->flow[b];

    for (uint32_t i = s->fn->blocks[b].start; i < s->fn->blocks[b].end; i++) {
        const struct ebpf_ir_op *op = &s->fn->list.ops[i];
        unsigned n = slot_of(s, op);

        if (n == NO_SLOT)
            continue;
        if (op->code == IR_STORE)
            flow->def |= 1u << n;
        else if (!(flow->def >> n & 1))
            flow->use |= 1u << n;
    }
}

#define MAX_ROUNDS 16

static void find_live(struct slots *s)
{
    bool changed = true;

    for (unsigned round = 0; changed && round <= MAX_ROUNDS; round++) {
        changed = false;
        for (uint32_t b = s->fn->block_cnt; b-- > 0;) {
            struct flow *flow = &s->flow[b];
            uint32_t live = flow->use | (live_out(s, b) & ~flow->def);

            if (round == MAX_ROUNDS)
                live = UINT32_MAX;
            changed |= live != flow->live;
            flow->live = live;
        }
    }
}

static void find_over_calls(struct slots *s, uint32_t b)
{
    uint32_t live = live_out(s, b);

    for (uint32_t i = s->fn->blocks[b].end; i-- > s->fn->blocks[b].start;) {
        const struct ebpf_ir_op *op = &s->fn->list.ops[i];
        unsigned n = slot_of(s, op);

        if (ebpf_ir_is_call(op))
            s->over_calls |= live;
        if (n != NO_SLOT)
            live = op->code == IR_STORE ? live & ~(1u << n) : live | 1u << n;
    }
}

static int look_at_flow(struct slots *s)
{
    s->flow = ebpf_calloc(s->fn->block_cnt, sizeof(*s->flow));
    if (!s->flow)
        return -ENOMEM;
    for (uint32_t b = 0; b < s->fn->block_cnt; b++)
        summarise(s, b);
    find_live(s);
    for (uint32_t b = 0; b < s->fn->block_cnt; b++)
        find_over_calls(s, b);
    ebpf_free(s->flow, s->fn->block_cnt * sizeof(*s->flow));
    return 0;
}

/* ---- registers ------------------------------------------------------------------------------- */

static struct slot *heaviest(struct slots *s)
{
    struct slot *best = NULL;

    for (unsigned n = 0; n < s->cnt; n++) {
        struct slot *slot = &s->slots[n];

        if (!slot->bad && slot->vreg == IR_NONE && (!best || slot->weight > best->weight))
            best = slot;
    }
    return best;
}

static void allocate(struct slots *s)
{
    unsigned temporary, saved;
    struct slot *best;

    s->env->spare(s->fn, &temporary, &saved);
    while ((best = heaviest(s)) != NULL) {
        bool survives = s->over_calls >> (best - s->slots) & 1;
        unsigned *left = !survives && temporary ? &temporary : &saved;

        if (!*left || (left == &saved && best->weight < PAYS))
            best->bad = true;
        else
            best->vreg = (uint8_t)ebpf_ir_new_vreg(s->fn);
        if (best->bad || best->vreg == IR_NONE) {
            best->bad = true;
            continue;
        }
        --*left;
        s->fn->survive |= survives ? IR_BIT(best->vreg) : 0;
    }
}

static void use_register(const struct slot *slot, struct ebpf_ir_op *op)
{
    unsigned bits = slot->size * 8u;
    bool load = op->code == IR_LOAD, imm = op->flags & IR_IMM;
    struct ebpf_ir_op out = {.code = IR_MOV,
                             .flags = IR_WIDE,
                             .dst = load ? op->dst : slot->vreg,
                             .src1 = load ? slot->vreg : op->src2,
                             .src2 = IR_NONE,
                             .slot = op->slot};

    if (!load && imm) {
        out.code = IR_LI;
        out.src1 = IR_NONE;
        out.imm = bits == 64 ? op->imm : op->imm & (int64_t)(IR_BIT(bits) - 1);
    } else if (bits < 64 && (!load || op->flags & IR_SIGN)) { /* registers hold it zero-extended */
        out.code = load ? IR_SEXT : IR_ZEXT;
        out.flags = !load && bits == 32 ? 0 : (uint8_t)IR_WIDE;
        out.imm = bits;
    }
    *op = out;
}

/* ---- the pass -------------------------------------------------------------------------------- */

static int run(struct slots *s)
{
    int err;

    collect(s);
    if (!any_good(s))
        return 0;
    err = look_at_flow(s);
    if (err)
        return err;
    allocate(s);
    for (uint32_t i = 0; i < s->fn->list.cnt; i++) {
        struct ebpf_ir_op *op = &s->fn->list.ops[i];
        unsigned n = slot_of(s, op);

        if (n != NO_SLOT)
            use_register(&s->slots[n], op);
    }
    s->fn->moves = true;
    s->fn->has_liveness = false;
    return 0;
}

int ebpf_ir_slots(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn)
{
    struct slots *s;
    int err;

    if (!ebpf_ir_has_stack(fn, IR_LOAD))
        return 0;
    s = ebpf_zalloc(sizeof(*s)); /* too large for a kernel's stack */
    if (!s)
        return -ENOMEM;
    s->env = env;
    s->fn = fn;
    err = ebpf_ir_flow(fn);
    if (!err)
        err = run(s);
    ebpf_free(s, sizeof(*s));
    return err;
}
