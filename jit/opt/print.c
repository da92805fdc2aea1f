/* SPDX-License-Identifier: MIT */
/* Operations as text, for people: what bpf-run --dump shows after each pass. */
#include "jit/opt/ir.h"
#include "src/base/bits.h"
#include "src/base/fmt.h"

static const char *const names[IR_CODES] = {
    [IR_NOP] = "nop",   [IR_ADD] = "add",   [IR_SUB] = "sub",       [IR_MUL] = "mul",
    [IR_OR] = "or",     [IR_AND] = "and",   [IR_XOR] = "xor",       [IR_LSH] = "lsh",
    [IR_RSH] = "rsh",   [IR_ARSH] = "arsh", [IR_ROR] = "ror",       [IR_DIV] = "div",
    [IR_MOD] = "mod",   [IR_SDIV] = "sdiv", [IR_SMOD] = "smod",     [IR_BSET] = "bset",
    [IR_BINV] = "binv", [IR_BEXT] = "bext", [IR_CZEQ] = "czeq",     [IR_CZNE] = "czne",
    [IR_SHADD] = "sh",  [IR_MOV] = "mov",   [IR_LI] = "li",         [IR_ZEXT] = "zext",
    [IR_SEXT] = "sext", [IR_SWAP] = "swap", [IR_OPAQUE] = "opaque",
};

static const char *const conditions[16] = {
    [BPF_JEQ >> 4] = "==",  [BPF_JNE >> 4] = "!=",   [BPF_JGT >> 4] = ">",
    [BPF_JGE >> 4] = ">=",  [BPF_JLT >> 4] = "<",    [BPF_JLE >> 4] = "<=",
    [BPF_JSET >> 4] = "&",  [BPF_JSGT >> 4] = "s>",  [BPF_JSGE >> 4] = "s>=",
    [BPF_JSLT >> 4] = "s<", [BPF_JSLE >> 4] = "s<=", [IR_JCLEAR >> 4] = "!&",
};

static const char *reg(unsigned vreg, char out[8])
{
    if (vreg == IR_ZERO)
        ebpf_format(out, 8, "0");
    else if (vreg == IR_NONE)
        ebpf_format(out, 8, "-");
    else
        ebpf_format(out, 8, "v%u", vreg);
    return out;
}

static void second(const struct ebpf_ir_op *op, char out[32])
{
    if (op->flags & IR_IMM)
        ebpf_format(out, 32, "%lld", (long long)op->imm);
    else
        reg(op->src2, out);
}

/* What the 32-bit operations leave above. */
static const char *width(const struct ebpf_ir_op *op)
{
    static const char *const exts[][2] = {
        {".w", ".w.small"}, {".w.sx", ".w.sx.small"}, {".w.any", ".w.any.small"}};

    return op->flags & IR_WIDE ? "" : exts[op->ext][(op->flags & IR_SMALL) != 0];
}

static void print_value(const struct ebpf_ir_op *op, char *text, size_t size)
{
    char d[8], a[8], b[32];

    reg(op->dst, d);
    reg(op->src1, a);
    second(op, b);
    if (op->code == IR_LI)
        ebpf_format(text, size, "%s = li 0x%llx", d, (unsigned long long)op->imm);
    else if (op->code == IR_MOV)
        ebpf_format(text, size, "%s = mov %s", d, a);
    else if (op->code == IR_SHADD)
        ebpf_format(text, size, "%s = sh%uadd %s, %s", d, op->size, a, b);
    else if (ebpf_ir_is_alu(op))
        ebpf_format(text, size, "%s = %s%s %s, %s", d, names[op->code], width(op), a, b);
    else
        ebpf_format(text, size, "%s = %s%d%s %s", d, names[op->code], (int)op->imm,
                    op->code == IR_SWAP ? "" : width(op), a);
}

static void print_memory(const struct ebpf_ir_op *op, char *text, size_t size)
{
    const char *plus = op->off < 0 ? "" : "+";
    char d[8], a[8], b[32];

    reg(op->dst, d);
    reg(op->src1, a);
    second(op, b);
    if (op->code == IR_LOAD)
        ebpf_format(text, size, "%s = load%u%s [%s%s%d]", d, op->size * 8u,
                    op->flags & IR_SIGN ? "s"
                    : op->size == 4     ? width(op) + 2
                                        : "",
                    a, plus, op->off);
    else if (op->code == IR_STORE)
        ebpf_format(text, size, "store%u [%s%s%d], %s", op->size * 8u, a, plus, op->off, b);
    else
        ebpf_format(text, size, "%s = atomic%u %d [%s%s%d], %s", d, op->size * 8u, (int)op->imm, a,
                    plus, op->off, reg(op->src2, b));
}

static void print_flow(const struct ebpf_ir_op *op, char *text, size_t size)
{
    char a[8], b[32];

    reg(op->src1, a);
    second(op, b);
    switch (op->code) {
    case IR_LABEL:
        ebpf_format(text, size, "L%u:", op->target);
        break;
    case IR_BRANCH:
        ebpf_format(text, size, "br%s%s %s %s %s, L%u", op->flags & IR_WIDE ? "" : ".w",
                    op->flags & IR_DIRECT ? ".direct" : "", a, conditions[op->size >> 4], b,
                    op->target);
        break;
    case IR_JUMP:
        ebpf_format(text, size, "jump L%u", op->target);
        break;
    case IR_CALL:
        ebpf_format(text, size, op->flags & IR_C ? "call 0x%llx" : "call helper %lld",
                    (unsigned long long)op->imm);
        break;
    case IR_CALL_FUNC:
        ebpf_format(text, size, "call function %u", op->target);
        break;
    case IR_TAIL_CALL:
        ebpf_format(text, size, "tail call 0x%llx[%s]", (unsigned long long)op->imm,
                    op->flags & IR_IMM ? "0" : reg(op->src2, b));
        break;
    default:
        ebpf_format(text, size, "exit %s", op->flags & IR_IMM ? b : a);
    }
}

void ebpf_ir_print(const struct ebpf_ir_op *op, char *text, size_t size)
{
    if (ebpf_ir_is_alu(op) || (op->code >= IR_MOV && op->code <= IR_SWAP))
        print_value(op, text, size);
    else if (op->code >= IR_LOAD && op->code <= IR_ATOMIC)
        print_memory(op, text, size);
    else if (op->code == IR_NOP || op->code == IR_OPAQUE)
        ebpf_format(text, size, "%s", names[op->code]);
    else
        print_flow(op, text, size);
}
