/* SPDX-License-Identifier: MIT */
/* Arithmetic and comparisons of the checking machine, as RFC 9669 defines them; written apart from
 * the library's engines. */
#include "tests/fuzz/fuzz_verifier.h"

uint64_t vf_sign_extend(uint64_t value, unsigned bits)
{
    return (uint64_t)((int64_t)(value << (64 - bits)) >> (64 - bits));
}

static uint64_t divide(uint64_t a, uint64_t b, bool wide, bool is_signed, bool rest)
{
    if (!b)
        return rest ? a : 0;
    if (!is_signed)
        return rest ? a % b : a / b;
    if (!wide)
        a = vf_sign_extend(a, 32), b = vf_sign_extend(b, 32);
    if (b == UINT64_MAX)
        return rest ? 0 : 0 - a;
    return (uint64_t)(rest ? (int64_t)a % (int64_t)b : (int64_t)a / (int64_t)b);
}

static uint64_t swap(uint64_t value, const struct bpf_insn *insn)
{
    bool reverse = BPF_CLASS(insn->code) == BPF_ALU64 || BPF_SRC(insn->code) == BPF_TO_BE;

    if (insn->imm == 16)
        return reverse ? __builtin_bswap16((uint16_t)value) : (uint16_t)value;
    if (insn->imm == 32)
        return reverse ? __builtin_bswap32((uint32_t)value) : (uint32_t)value;
    return reverse ? __builtin_bswap64(value) : value;
}

uint64_t vf_alu(const struct bpf_insn *insn, uint64_t a, uint64_t b)
{
    bool wide = BPF_CLASS(insn->code) == BPF_ALU64;
    unsigned by = (unsigned)b & (wide ? 63 : 31);

    if (BPF_OP(insn->code) == BPF_END)
        return swap(a, insn);
    if (!wide)
        a = (uint32_t)a, b = (uint32_t)b;
    switch (BPF_OP(insn->code)) {
    case BPF_ADD:
        return a + b;
    case BPF_SUB:
        return a - b;
    case BPF_MUL:
        return a * b;
    case BPF_DIV:
        return divide(a, b, wide, insn->off, false);
    case BPF_MOD:
        return divide(a, b, wide, insn->off, true);
    case BPF_OR:
        return a | b;
    case BPF_AND:
        return a & b;
    case BPF_XOR:
        return a ^ b;
    case BPF_LSH:
        return a << by;
    case BPF_RSH:
        return a >> by;
    case BPF_ARSH:
        return wide ? (uint64_t)((int64_t)a >> by) : (uint64_t)((int64_t)(int32_t)a >> by);
    case BPF_NEG:
        return 0 - a;
    default: /* BPF_MOV */
        return insn->off ? vf_sign_extend(b, (unsigned)insn->off) : b;
    }
}

bool vf_taken(const struct bpf_insn *insn, uint64_t a, uint64_t b)
{
    if (BPF_CLASS(insn->code) == BPF_JMP32)
        a = vf_sign_extend(a, 32),
        b = vf_sign_extend(b, 32); /* keeps the order of unsigned ones, too */
    switch (BPF_OP(insn->code)) {
    case BPF_JEQ:
        return a == b;
    case BPF_JNE:
        return a != b;
    case BPF_JGT:
        return a > b;
    case BPF_JGE:
        return a >= b;
    case BPF_JLT:
        return a < b;
    case BPF_JLE:
        return a <= b;
    case BPF_JSET:
        return BPF_CLASS(insn->code) == BPF_JMP32 ? (uint32_t)(a & b) != 0 : (a & b) != 0;
    case BPF_JSGT:
        return (int64_t)a > (int64_t)b;
    case BPF_JSGE:
        return (int64_t)a >= (int64_t)b;
    case BPF_JSLT:
        return (int64_t)a < (int64_t)b;
    default:
        return (int64_t)a <= (int64_t)b;
    }
}
