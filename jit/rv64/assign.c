/* SPDX-License-Identifier: MIT */
/*
 * Where registers live: BPF's at home (lower.h), those that passes made in what is left. In a
 * function that calls nothing, r6 to r9 move to registers that need not be saved.
 */
#include "jit/rv64/lower.h"
#include "src/base/bits.h"

static const uint8_t homes[IR_FP] = {A5, A0, A1, A2, A3, A4, S0, S1, S2, S3};
/* T0 to T2 are the encoder's; T3 and T4, last, where it does not use them either */
static const uint8_t temporaries[] = {A6, A7, T5, T6, T3, T4};
static const uint8_t saved[] = {S4, S5, S6, S7, S8, S9, S10, S11};

#define CALLEE_BPF 0x3c0ull /* r6 to r9 */

struct choice {
    uint8_t regs[16];
    unsigned cnt, next;
};

struct use {
    uint64_t mentioned;  /* registers, but for what calls clobber */
    bool calls, scratch; /* T3 and T4 are the encoder's */
};

static void put(struct choice *choice, enum rv_reg reg)
{
    choice->regs[choice->cnt++] = (uint8_t)reg;
}

static struct use find_use(const struct ebpf_ir_fn *ir)
{
    struct use use = {0};

    for (uint32_t i = 0; i < ir->list.cnt; i++) {
        const struct ebpf_ir_op *op = &ir->list.ops[i];

        use.mentioned |= ebpf_ir_reads(op);
        if (!ebpf_ir_is_call(op) || op->code == IR_OPAQUE)
            use.mentioned |= ebpf_ir_writes(op);
        else
            use.mentioned |= 1;
        use.calls |= ebpf_ir_is_call(op);
        use.scratch |= op->code == IR_ATOMIC || op->code == IR_OPAQUE;
    }
    return use;
}

/* What is free besides the homes; the first have short encodings. The main function's argument and
 * the result of all pass through a0 and a5: those stay theirs. */
static void find_free(const struct use *use, struct choice *temporary, struct choice *callee)
{
    for (unsigned v = BPF_REG_2; v <= BPF_REG_5; v++) {
        if (!(use->mentioned >> v & 1))
            put(temporary, homes[v]);
    }
    for (unsigned i = 0; i < EBPF_ARRAY_SIZE(temporaries) - (use->scratch ? 2 : 0); i++)
        put(temporary, temporaries[i]);
    for (unsigned v = BPF_REG_6; v <= BPF_REG_9; v++) {
        if (!(use->mentioned >> v & 1))
            put(callee, homes[v]);
    }
    for (unsigned i = 0; i < EBPF_ARRAY_SIZE(saved); i++)
        put(callee, saved[i]);
}

/* Other homes for r6 to r9 of a function without calls. Those that they leave are free: if its
 * calls have gone after passes had counted what there is, it is not less. */
static void move_home(const struct use *use, struct choice *temporary, struct choice *callee,
                      uint8_t regs[IR_VREGS])
{
    for (unsigned v = BPF_REG_6; v <= BPF_REG_9; v++) {
        if (!(use->mentioned >> v & 1) || temporary->next == temporary->cnt)
            continue;
        put(callee, (enum rv_reg)regs[v]);
        regs[v] = temporary->regs[temporary->next++];
    }
}

/* Returns the registers that passes made and that are in use: the others need no place. */
static uint64_t choose(const struct ebpf_ir_fn *ir, uint8_t regs[IR_VREGS],
                       struct choice *temporary, struct choice *callee)
{
    struct use use = find_use(ir);

    temporary->cnt = temporary->next = callee->cnt = callee->next = 0;
    find_free(&use, temporary, callee);
    for (unsigned v = 0; v < IR_VREGS; v++)
        regs[v] = v < IR_FP ? homes[v] : ZERO;
    if (!use.calls)
        move_home(&use, temporary, callee, regs);
    return use.mentioned & ~(IR_BIT(IR_EXTRA) - 1);
}

void ebpf_rv_spare(const struct ebpf_ir_fn *ir, unsigned *temporary, unsigned *callee)
{
    struct choice t, c;
    uint8_t regs[IR_VREGS];
    uint64_t made = choose(ir, regs, &t, &c);

    *temporary = t.cnt - t.next;
    *callee = c.cnt;
    for (; made; made &= made - 1) {
        bool survives = ir->survive >> ebpf_ir_lowest(made) & 1;
        unsigned *from = !survives && *temporary ? temporary : callee;

        *from -= *from ? 1 : 0;
    }
}

/* Passes make no more than ebpf_rv_spare() had; false: one did. */
bool ebpf_rv_assign(struct rv_fn *fn)
{
    struct choice temporary, callee;
    uint64_t made = choose(&fn->ir, fn->regs, &temporary, &callee);

    for (; made; made &= made - 1) {
        unsigned v = ebpf_ir_lowest(made);
        bool survives = fn->ir.survive >> v & 1;
        struct choice *from = !survives && temporary.next < temporary.cnt ? &temporary : &callee;

        if (from->next == from->cnt)
            return false;
        fn->regs[v] = from->regs[from->next++];
    }
    return true;
}
