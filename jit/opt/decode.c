/* SPDX-License-Identifier: MIT */
/*
 * From BPF's instructions to operations (ir.h). What the structural check lets pass is known here;
 * whatever else comes is IR_OPAQUE, which the encoder takes or refuses, or makes decoding fail.
 */
#include "helpers/helper.h"
#include "jit/opt/ir.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"

/* ---- one instruction ------------------------------------------------------------------------- */

static const uint8_t sizes[4] = {4, 2, 1, 8}; /* BPF_W, BPF_H, BPF_B, BPF_DW */

/* [BPF_OP >> 4][off]: off 1 is the signed division */
static const uint8_t alu_codes[16][2] = {
    [BPF_ADD >> 4] = {IR_ADD},          [BPF_SUB >> 4] = {IR_SUB},
    [BPF_MUL >> 4] = {IR_MUL},          [BPF_OR >> 4] = {IR_OR},
    [BPF_AND >> 4] = {IR_AND},          [BPF_XOR >> 4] = {IR_XOR},
    [BPF_LSH >> 4] = {IR_LSH},          [BPF_RSH >> 4] = {IR_RSH},
    [BPF_ARSH >> 4] = {IR_ARSH},        [BPF_DIV >> 4] = {IR_DIV, IR_SDIV},
    [BPF_MOD >> 4] = {IR_MOD, IR_SMOD},
};

/* The second operand of most instructions. A shift amount is masked here, RFC 9669. */
static void operand(const struct bpf_insn *insn, struct ebpf_ir_op *op)
{
    if (BPF_SRC(insn->code) == BPF_X) {
        op->src2 = insn->src_reg;
        return;
    }
    op->flags |= IR_IMM;
    op->imm = insn->imm;
    if (ebpf_ir_is_shift(op))
        op->imm &= op->flags & IR_WIDE ? 63 : 31;
}

static bool decode_mov(const struct bpf_insn *insn, struct ebpf_ir_op *op)
{
    bool wide = op->flags & IR_WIDE;

    if (BPF_SRC(insn->code) == BPF_K) {
        op->code = IR_LI;
        op->imm = wide ? insn->imm : (int64_t)(uint32_t)insn->imm;
        return insn->off == 0;
    }
    op->src1 = insn->src_reg;
    if (insn->off == 0) {
        op->code = wide ? IR_MOV : IR_ZEXT;
        op->imm = 32;
        return true;
    }
    op->code = IR_SEXT;
    op->imm = insn->off;
    return insn->off == 8 || insn->off == 16 || (insn->off == 32 && wide);
}

/* Harts are little-endian: to_le only truncates. ALU64's form swaps on every machine, and so does
 * to_be here. */
static bool decode_end(const struct bpf_insn *insn, struct ebpf_ir_op *op)
{
    bool wide = op->flags & IR_WIDE, reverse = wide || BPF_SRC(insn->code) == BPF_TO_BE;

    if (insn->off || (wide && BPF_SRC(insn->code) != BPF_TO_LE))
        return false;
    op->src1 = insn->dst_reg;
    op->imm = insn->imm;
    op->code = reverse ? IR_SWAP : insn->imm == 64 ? IR_MOV : IR_ZEXT;
    op->flags |= IR_WIDE;
    return insn->imm == 16 || insn->imm == 32 || insn->imm == 64;
}

static bool decode_alu(const struct bpf_insn *insn, struct ebpf_ir_op *op)
{
    unsigned code = BPF_OP(insn->code);

    if (BPF_CLASS(insn->code) == BPF_ALU64)
        op->flags |= IR_WIDE;
    if (insn->dst_reg >= BPF_REG_10)
        return false;
    op->dst = insn->dst_reg;
    if (code == BPF_MOV)
        return decode_mov(insn, op);
    if (code == BPF_END)
        return decode_end(insn, op);
    if (code == BPF_NEG) {
        op->code = IR_SUB;
        op->src1 = IR_ZERO;
        op->src2 = insn->dst_reg;
        return insn->off == 0 && BPF_SRC(insn->code) == BPF_K;
    }
    if (insn->off != 0 && insn->off != 1)
        return false;
    op->code = alu_codes[code >> 4][insn->off];
    op->src1 = insn->dst_reg;
    operand(insn, op);
    return op->code != IR_NOP;
}

static bool decode_load(const struct bpf_insn *insn, struct ebpf_ir_op *op)
{
    unsigned mode = BPF_MODE(insn->code);

    op->code = IR_LOAD;
    op->dst = insn->dst_reg;
    op->src1 = insn->src_reg;
    op->size = sizes[BPF_SIZE(insn->code) >> 3];
    op->off = insn->off;
    if (mode == BPF_MEMSX)
        op->flags |= IR_SIGN;
    return insn->dst_reg < BPF_REG_10 && (mode == BPF_MEM || (mode == BPF_MEMSX && op->size < 8));
}

static bool decode_atomic(const struct bpf_insn *insn, struct ebpf_ir_op *op)
{
    bool fetch = insn->imm & BPF_FETCH;

    op->code = IR_ATOMIC;
    op->imm = insn->imm;
    op->dst = insn->imm == BPF_CMPXCHG ? BPF_REG_0 : fetch ? insn->src_reg : IR_NONE;
    switch (insn->imm & ~BPF_FETCH) {
    case BPF_ADD:
    case BPF_OR:
    case BPF_AND:
    case BPF_XOR:
        break;
    case BPF_XCHG & ~BPF_FETCH:
    case BPF_CMPXCHG & ~BPF_FETCH:
        if (fetch)
            break;
        return false;
    default:
        return false;
    }
    return op->size >= 4 && op->dst != BPF_REG_10;
}

static bool decode_store(const struct bpf_insn *insn, struct ebpf_ir_op *op)
{
    bool imm = BPF_CLASS(insn->code) == BPF_ST;

    op->src1 = insn->dst_reg;
    op->src2 = insn->src_reg;
    op->off = insn->off;
    op->size = sizes[BPF_SIZE(insn->code) >> 3];
    if (!imm && BPF_MODE(insn->code) == BPF_ATOMIC)
        return decode_atomic(insn, op);
    op->code = IR_STORE;
    if (imm) {
        op->flags |= IR_IMM;
        op->src2 = IR_NONE;
        op->imm = insn->imm;
    }
    return BPF_MODE(insn->code) == BPF_MEM;
}

static bool decode_call(const struct bpf_insn *insn, struct ebpf_ir_op *op)
{
    const struct ebpf_helper *helper;

    if (insn->code != (BPF_JMP | BPF_CALL) ||
        (!insn->src_reg && insn->imm == EBPF_HELPER_TAIL_CALL))
        return false;
    op->code = insn->src_reg == BPF_PSEUDO_CALL ? IR_CALL_FUNC : IR_CALL;
    op->dst = BPF_REG_0;
    op->imm = insn->imm;
    if (op->code == IR_CALL_FUNC)
        return true;
    helper = insn->src_reg ? NULL : ebpf_helper_find((uint32_t)insn->imm);
    while (helper && op->size < EBPF_ARRAY_SIZE(helper->arg) && helper->arg[op->size] != ARG_NONE)
        op->size++;
    return helper != NULL;
}

static bool decode_jump(const struct bpf_insn *insn, struct ebpf_ir_op *op)
{
    unsigned code = BPF_OP(insn->code);

    if (code == BPF_CALL)
        return decode_call(insn, op);
    if (code == BPF_EXIT) {
        op->code = IR_EXIT;
        op->src1 = BPF_REG_0;
        return insn->code == (BPF_JMP | BPF_EXIT);
    }
    if (code == BPF_JA) {
        op->code = IR_JUMP;
        return insn->code == (BPF_JMP | BPF_JA) || insn->code == (BPF_JMP32 | BPF_JA);
    }
    op->code = IR_BRANCH;
    op->size = (uint8_t)code;
    op->src1 = insn->dst_reg;
    if (BPF_CLASS(insn->code) == BPF_JMP)
        op->flags |= IR_WIDE;
    operand(insn, op);
    return code <= BPF_JSLE;
}

static bool decode_ld(const struct bpf_insn *insn, bool last, struct ebpf_ir_op *op)
{
    if (last || insn->code != (BPF_LD | BPF_IMM | BPF_DW) || insn->src_reg > BPF_PSEUDO_MAP_VALUE ||
        insn->dst_reg >= BPF_REG_10)
        return false;
    op->code = IR_LI;
    op->flags |= IR_WIDE | (insn->src_reg == BPF_PSEUDO_MAP_FD ? IR_MAP : 0);
    op->dst = insn->dst_reg;
    op->imm = (int64_t)ebpf_insn_imm64(insn);
    return true;
}

static bool decode(const struct bpf_insn *insn, bool last, struct ebpf_ir_op *op)
{
    /* a field has four bits; r11 to r15 do not exist */
    if (insn->src_reg > BPF_REG_10 || insn->dst_reg > BPF_REG_10)
        return false;
    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        return decode_ld(insn, last, op);
    case BPF_LDX:
        return decode_load(insn, op);
    case BPF_ST:
    case BPF_STX:
        return decode_store(insn, op);
    case BPF_ALU:
    case BPF_ALU64:
        return decode_alu(insn, op);
    default:
        return decode_jump(insn, op);
    }
}

bool ebpf_ir_decode_insn(const struct bpf_insn *insn, bool last, struct ebpf_ir_op *op)
{
    const struct ebpf_ir_op empty = {.dst = IR_NONE, .src1 = IR_NONE, .src2 = IR_NONE};

    *op = empty;
    return decode(insn, last, op);
}

/* ---- functions ------------------------------------------------------------------------------- */

uint32_t ebpf_ir_find_subprog(const struct ebpf_code *code, int64_t slot)
{
    uint32_t low = 0, high = code->subprog_cnt;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (code->subprogs[middle].start < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < code->subprog_cnt && code->subprogs[low].start == slot ? low : code->subprog_cnt;
}

bool ebpf_ir_is_func_address(const struct bpf_insn *insn)
{
    return insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC;
}

uint32_t ebpf_ir_func_address(const struct ebpf_code *code, const struct bpf_insn *insn)
{
    return ebpf_ir_find_subprog(code, (insn - code->insns) + 1 + (int64_t)insn->imm);
}

#define NO_LABEL UINT32_MAX
#define NO_TARGET (UINT32_MAX - 1) /* second half of an LD_IMM64 */

static bool is_imm64(const struct bpf_insn *insn)
{
    return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

/* All but calls and exit: may_goto, too, has its target in off. */
static bool jumps(const struct bpf_insn *insn)
{
    unsigned cls = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

    return (cls == BPF_JMP || cls == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
}

static int64_t target_of(const struct bpf_insn *insn, uint32_t slot)
{
    return (int64_t)slot + 1 + (insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off);
}

/* Gives every jump target its label: labels[slot - start]. */
static bool find_labels(const struct ebpf_code *code, struct ebpf_ir_fn *fn, uint32_t *labels)
{
    const struct ebpf_subprog *sub = &code->subprogs[fn->subprog];

    for (uint32_t i = sub->start; i < sub->end; i++) {
        labels[i - sub->start] = NO_LABEL;
        if (is_imm64(&code->insns[i]) && i + 1 < sub->end)
            labels[++i - sub->start] = NO_TARGET;
    }
    for (uint32_t i = sub->start; i < sub->end; i++) {
        const struct bpf_insn *insn = &code->insns[i];
        int64_t target;

        if (labels[i - sub->start] == NO_TARGET || !jumps(insn))
            continue;
        target = target_of(insn, i);
        if (target < sub->start || target >= sub->end || labels[target - sub->start] == NO_TARGET)
            return false;
        if (labels[target - sub->start] == NO_LABEL)
            labels[target - sub->start] = fn->label_cnt++;
    }
    return true;
}

/* The operation at a slot with all that depends on where it is. */
static bool decode_at(const struct ebpf_code *code, struct ebpf_ir_fn *fn, const uint32_t *labels,
                      uint32_t slot, struct ebpf_ir_op *op)
{
    const struct ebpf_subprog *sub = &code->subprogs[fn->subprog];
    const struct bpf_insn *insn = &code->insns[slot];

    if (!ebpf_ir_decode_insn(insn, slot + 1 >= sub->end, op)) {
        bool frame = insn->dst_reg == BPF_REG_10 || insn->src_reg == BPF_REG_10;
        const struct ebpf_ir_op opaque = {.code = IR_OPAQUE,
                                          .dst = IR_NONE,
                                          .src1 = frame ? IR_FP : IR_NONE,
                                          .src2 = IR_NONE,
                                          .size = insn->code,
                                          .target = IR_NOWHERE};

        *op = opaque;
        fn->opaque = true;
    }
    op->slot = slot;
    if (jumps(insn))
        op->target = labels[target_of(insn, slot) - sub->start];
    if (op->code == IR_CALL_FUNC) {
        op->target = ebpf_ir_find_subprog(code, (int64_t)slot + 1 + insn->imm);
        return op->target < code->subprog_cnt;
    }
    return true;
}

/* r3 = code, for a call that has it as an argument more (CALLBACK_TIMER). */
static void pass_code(const struct ebpf_code *code, struct ebpf_ir_fn *fn, struct ebpf_ir_op *call)
{
    const struct ebpf_ir_op constant = {.code = IR_LI,
                                        .flags = IR_WIDE,
                                        .dst = BPF_REG_3,
                                        .src1 = IR_NONE,
                                        .src2 = IR_NONE,
                                        .slot = call->slot,
                                        .imm = (int64_t)(uintptr_t)code};

    ebpf_ir_append(&fn->list, &constant);
    call->size = 3;
}

static bool decode_all(const struct ebpf_code *code, struct ebpf_ir_fn *fn, uint32_t *labels)
{
    const struct ebpf_subprog *sub = &code->subprogs[fn->subprog];

    if (!find_labels(code, fn, labels))
        return false;
    for (uint32_t i = sub->start; i < sub->end; i++) {
        const struct ebpf_ir_op label = {.code = IR_LABEL,
                                         .dst = IR_NONE,
                                         .src1 = IR_NONE,
                                         .src2 = IR_NONE,
                                         .target = labels[i - sub->start],
                                         .slot = i};
        struct ebpf_ir_op op;

        if (labels[i - sub->start] == NO_TARGET)
            continue;
        if (labels[i - sub->start] != NO_LABEL)
            ebpf_ir_append(&fn->list, &label);
        if (!decode_at(code, fn, labels, i, &op))
            return false;
        if (op.code == IR_CALL && op.imm == EBPF_HELPER_TIMER_SET_CALLBACK)
            pass_code(code, fn, &op);
        ebpf_ir_append(&fn->list, &op);
    }
    return true;
}

int ebpf_ir_decode(const struct ebpf_code *code, struct ebpf_ir_fn *fn)
{
    const struct ebpf_subprog *sub = &code->subprogs[fn->subprog];
    uint32_t cnt = sub->end - sub->start;
    uint32_t *labels = ebpf_calloc(cnt, sizeof(*labels));
    bool known;

    if (!labels)
        return -ENOMEM;
    ebpf_ir_reserve(&fn->list, cnt + cnt / 4 + 8);
    known = decode_all(code, fn, labels);
    ebpf_free(labels, cnt * sizeof(*labels));
    return fn->list.err ? fn->list.err : known ? 0 : -EOPNOTSUPP;
}
