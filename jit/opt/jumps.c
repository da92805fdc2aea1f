/* SPDX-License-Identifier: MIT */
/*
 * Pass "jumps": a branch over a jump becomes the opposite branch, a jump to a jump goes where that
 * goes.
 *
 *     br v1 == 0, L1           br v1 != 0, L0
 *     jump L0             ->
 *     L1:                      L1:
 */
#include "jit/opt/ir.h"

static uint8_t opposite(uint8_t cond)
{
    static const uint8_t conds[16] = {
        [BPF_JEQ >> 4] = BPF_JNE,   [BPF_JNE >> 4] = BPF_JEQ,    [BPF_JGT >> 4] = BPF_JLE,
        [BPF_JLE >> 4] = BPF_JGT,   [BPF_JGE >> 4] = BPF_JLT,    [BPF_JLT >> 4] = BPF_JGE,
        [BPF_JSGT >> 4] = BPF_JSLE, [BPF_JSLE >> 4] = BPF_JSGT,  [BPF_JSGE >> 4] = BPF_JSLT,
        [BPF_JSLT >> 4] = BPF_JSGE, [BPF_JSET >> 4] = IR_JCLEAR, [IR_JCLEAR >> 4] = BPF_JSET,
    };

    return conds[cond >> 4];
}

static bool is_nothing(const struct ebpf_ir_op *op)
{
    return op->code == IR_LABEL || op->code == IR_NOP;
}

/* Is the label among those right behind index i? */
static bool follows(const struct ebpf_ir_list *list, uint32_t i, uint32_t label)
{
    for (i++; i < list->cnt && is_nothing(&list->ops[i]); i++) {
        if (list->ops[i].code == IR_LABEL && list->ops[i].target == label)
            return true;
    }
    return false;
}

/* Where a jump to this label ends up: a few jumps further at most. */
static uint32_t final_target(const struct ebpf_ir_fn *fn, uint32_t label)
{
    for (unsigned hops = 0; hops < 4; hops++) {
        uint32_t i = fn->blocks[fn->labels[label]].start;

        while (i < fn->list.cnt && is_nothing(&fn->list.ops[i]))
            i++;
        if (i == fn->list.cnt || fn->list.ops[i].code != IR_JUMP)
            break;
        label = fn->list.ops[i].target;
    }
    return label;
}

static void follow(struct ebpf_ir_fn *fn, struct ebpf_ir_op *op)
{
    uint32_t target = final_target(fn, op->target);

    if (target == op->target)
        return;
    op->target = target;
    fn->has_flow = false;
}

int ebpf_ir_jumps(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn)
{
    struct ebpf_ir_list *list = &fn->list;
    int err = ebpf_ir_flow(fn);

    (void)env;
    for (uint32_t i = 0; !err && i < list->cnt; i++) {
        struct ebpf_ir_op *op = &list->ops[i], *next = op + 1;

        if (op->code != IR_JUMP && op->code != IR_BRANCH)
            continue;
        follow(fn, op);
        if (op->code != IR_BRANCH || i + 1 == list->cnt || next->code != IR_JUMP ||
            !follows(list, i + 1, op->target))
            continue;
        op->size = opposite(op->size);
        op->target = final_target(fn, next->target);
        ebpf_ir_remove(fn, next);
        fn->has_flow = false;
    }
    fn->branches = false;
    return err;
}
