/* SPDX-License-Identifier: MIT */
/* What operations on constants yield (RFC 9669, Arithmetic Instructions). */
#include "jit/opt/eval.h"

static bool eval_alu(const struct ebpf_ir_op *op, uint64_t a, uint64_t b, uint64_t *result)
{
    unsigned mask = op->flags & IR_WIDE ? 63 : 31, shift = (unsigned)b & mask;

    switch (op->code) {
    case IR_ADD:
        *result = a + b;
        return true;
    case IR_SUB:
        *result = a - b;
        return true;
    case IR_MUL:
        *result = a * b;
        return true;
    case IR_OR:
        *result = a | b;
        return true;
    case IR_AND:
        *result = a & b;
        return true;
    case IR_XOR:
        *result = a ^ b;
        return true;
    case IR_LSH:
        *result = a << shift;
        return true;
    case IR_RSH:
        *result = a >> shift;
        return true;
    case IR_ARSH:
        *result = (uint64_t)((int64_t)(op->flags & IR_WIDE ? a : (uint64_t)(int32_t)a) >> shift);
        return true;
    default: /* divisions are rare */
        return false;
    }
}

static uint64_t extend(uint64_t value, unsigned bits, bool sign)
{
    uint64_t up = value << (64 - bits);

    return sign ? (uint64_t)((int64_t)up >> (64 - bits)) : up >> (64 - bits);
}

/* What the hart's register holds: after the pass "forms" that is more than BPF's value, see enum
 * ebpf_ir_ext. */
bool ebpf_ir_eval(const struct ebpf_ir_op *op, uint64_t a, uint64_t b, uint64_t *result)
{
    bool wide = op->flags & IR_WIDE || op->ext == IR_EXT_ANY, known = true;

    if (ebpf_ir_is_alu(op))
        known = eval_alu(op, wide ? a : (uint32_t)a, wide ? b : (uint32_t)b, result);
    else if (op->code == IR_MOV || (op->code == IR_ZEXT && op->ext == IR_EXT_ANY))
        *result = a;
    else if (op->code == IR_ZEXT || op->code == IR_SEXT)
        *result = extend(a, (unsigned)op->imm, op->code == IR_SEXT);
    else
        return false;
    if (!wide && op->code != IR_MOV)
        *result = extend(*result, 32, op->ext == IR_EXT_SIGN);
    return known;
}

unsigned ebpf_ir_single_bit(const struct ebpf_ir_op *op)
{
    uint64_t bit = (uint64_t)(op->code == IR_AND ? ~op->imm : op->imm);

    if (!ebpf_ir_is_in(op, IR_BIT(IR_OR) | IR_BIT(IR_XOR) | IR_BIT(IR_AND)) || !bit ||
        bit & (bit - 1))
        return 64;
    return ebpf_ir_lowest(bit);
}

bool ebpf_ir_eval_branch(const struct ebpf_ir_op *op, uint64_t a, uint64_t b)
{
    bool wide = op->flags & IR_WIDE;

    if (op->size == IR_JCLEAR)
        return !ebpf_jump_taken(BPF_JSET, wide, a, b);
    return ebpf_jump_taken(op->size, wide, a, b);
}
