/* SPDX-License-Identifier: MIT */
/*
 * Instructions as text, the way Linux's disassembler writes them (kernel/bpf/disasm.c), which is
 * what users know from logs. Context A, pure.
 */
#include "helpers/helper.h"
#include "src/base/fmt.h"
#include "src/core/prog.h"
#include "src/verifier/engine.h"

static const char *const operators[16] = {"+=",  "-=", "*=", "/=", "|=",   "&=",     "<<=", ">>=",
                                          "neg", "%=", "^=", "=",  "s>>=", "endian", "?",   "?"};
static const char *const comparisons[16] = {
    "jmp",  "==",   ">", ">=", "&",  "!=",  "s>",       "s>=",
    "call", "exit", "<", "<=", "s<", "s<=", "may_goto", "?"};
static const char *const sizes[4] = {"u32", "u16", "u8", "u64"};
static const char *const signed_sizes[4] = {"s32", "s16", "s8", "s64"};

/* "%+d" */
struct offset {
    char sign;
    unsigned amount;
};

static struct offset offset_of(int32_t off)
{
    return (struct offset){off < 0 ? '-' : '+', off < 0 ? 0u - (unsigned)off : (unsigned)off};
}

static const char *size_of(const struct bpf_insn *insn)
{
    return sizes[BPF_SIZE(insn->code) >> 3];
}

static void text_of_alu(char *out, size_t size, const struct bpf_insn *insn)
{
    bool wide = BPF_CLASS(insn->code) == BPF_ALU64;
    unsigned op = BPF_OP(insn->code), dst = insn->dst_reg, code = insn->code;
    const char *sign = (op == BPF_DIV || op == BPF_MOD) && insn->off ? "s" : "";
    char r = wide ? 'r' : 'w';

    if (op == BPF_END && wide)
        ebpf_format(out, size, "(%02x) r%u = bswap%d r%u", code, dst, insn->imm, dst);
    else if (op == BPF_END)
        ebpf_format(out, size, "(%02x) r%u = %s%d r%u", code, dst, BPF_SRC(code) ? "be" : "le",
                    insn->imm, dst);
    else if (op == BPF_NEG)
        ebpf_format(out, size, "(%02x) %c%u = -%c%u", code, r, dst, r, dst);
    else if (BPF_SRC(code) == BPF_K)
        ebpf_format(out, size, "(%02x) %c%u %s%s %d", code, r, dst, sign, operators[op >> 4],
                    insn->imm);
    else if (op == BPF_MOV && insn->off)
        ebpf_format(out, size, "(%02x) %c%u = (s%d)%c%u", code, r, dst, insn->off, r,
                    insn->src_reg);
    else
        ebpf_format(out, size, "(%02x) %c%u %s%s %c%u", code, r, dst, sign, operators[op >> 4], r,
                    insn->src_reg);
}

static const char *atomic_name(int32_t imm)
{
    switch (imm & 0xf0) {
    case BPF_ADD:
        return "add";
    case BPF_AND:
        return "and";
    case BPF_OR:
        return "or";
    default:
        return "xor";
    }
}

static void text_of_atomic(char *out, size_t size, const struct bpf_insn *insn)
{
    struct offset o = offset_of(insn->off);
    unsigned code = insn->code, dst = insn->dst_reg, src = insn->src_reg;
    const char *wide = BPF_SIZE(code) == BPF_DW ? "64" : "", *s = size_of(insn);

    if (insn->imm == BPF_CMPXCHG)
        ebpf_format(out, size, "(%02x) r0 = atomic%s_cmpxchg((%s *)(r%u %c%u), r0, r%u)", code,
                    wide, s, dst, o.sign, o.amount, src);
    else if (insn->imm == BPF_XCHG)
        ebpf_format(out, size, "(%02x) r%u = atomic%s_xchg((%s *)(r%u %c%u), r%u)", code, src, wide,
                    s, dst, o.sign, o.amount, src);
    else if (insn->imm == BPF_LOAD_ACQ)
        ebpf_format(out, size, "(%02x) r%u = load_acquire((%s *)(r%u %c%u))", code, dst, s, src,
                    o.sign, o.amount);
    else if (insn->imm == BPF_STORE_REL)
        ebpf_format(out, size, "(%02x) store_release((%s *)(r%u %c%u), r%u)", code, s, dst, o.sign,
                    o.amount, src);
    else if (insn->imm & BPF_FETCH)
        ebpf_format(out, size, "(%02x) r%u = atomic%s_fetch_%s((%s *)(r%u %c%u), r%u)", code, src,
                    wide, atomic_name(insn->imm), s, dst, o.sign, o.amount, src);
    else
        ebpf_format(out, size, "(%02x) lock *(%s *)(r%u %c%u) %s r%u", code, s, dst, o.sign,
                    o.amount, operators[(insn->imm & 0xf0) >> 4], src);
}

static void text_of_store(char *out, size_t size, const struct bpf_insn *insn)
{
    struct offset o = offset_of(insn->off);

    if (BPF_CLASS(insn->code) == BPF_ST)
        ebpf_format(out, size, "(%02x) *(%s *)(r%u %c%u) = %d", insn->code, size_of(insn),
                    insn->dst_reg, o.sign, o.amount, insn->imm);
    else if (BPF_MODE(insn->code) == BPF_ATOMIC)
        text_of_atomic(out, size, insn);
    else
        ebpf_format(out, size, "(%02x) *(%s *)(r%u %c%u) = r%u", insn->code, size_of(insn),
                    insn->dst_reg, o.sign, o.amount, insn->src_reg);
}

static void text_of_load(char *out, size_t size, const struct bpf_insn *insn)
{
    struct offset o = offset_of(insn->off);
    const char *const *names = BPF_MODE(insn->code) == BPF_MEMSX ? signed_sizes : sizes;

    if (BPF_CLASS(insn->code) == BPF_LDX)
        ebpf_format(out, size, "(%02x) r%u = *(%s *)(r%u %c%u)", insn->code, insn->dst_reg,
                    names[BPF_SIZE(insn->code) >> 3], insn->src_reg, o.sign, o.amount);
    else if (BPF_MODE(insn->code) == BPF_ABS)
        ebpf_format(out, size, "(%02x) r0 = *(%s *)skb[%d]", insn->code, size_of(insn), insn->imm);
    else if (BPF_MODE(insn->code) == BPF_IND)
        ebpf_format(out, size, "(%02x) r0 = *(%s *)skb[r%u + %d]", insn->code, size_of(insn),
                    insn->src_reg, insn->imm);
    else
        ebpf_format(out, size, "(%02x) r%u = 0x%llx", insn->code, insn->dst_reg,
                    (unsigned long long)ebpf_insn_imm64(insn));
}

static void text_of_call(char *out, size_t size, const struct bpf_insn *insn)
{
    const char *name = insn->src_reg ? NULL : ebpf_helper_name((uint32_t)insn->imm);
    struct offset o = offset_of(insn->imm);

    if (insn->src_reg)
        ebpf_format(out, size, "(%02x) call pc%c%u", insn->code, o.sign, o.amount);
    else
        ebpf_format(out, size, "(%02x) call %s%s#%d", insn->code, name ? "bpf_" : "",
                    name ? name : "unknown", insn->imm);
}

static void text_of_jump(char *out, size_t size, const struct bpf_insn *insn)
{
    bool narrow = BPF_CLASS(insn->code) == BPF_JMP32;
    unsigned op = BPF_OP(insn->code);
    struct offset o = offset_of(op == BPF_JA && narrow ? insn->imm : insn->off);
    char r = narrow ? 'w' : 'r';

    if (op == BPF_CALL)
        text_of_call(out, size, insn);
    else if (op == BPF_EXIT)
        ebpf_format(out, size, "(%02x) exit", insn->code);
    else if (op == BPF_JA || op == BPF_JCOND)
        ebpf_format(out, size, "(%02x) %s pc%c%u", insn->code,
                    op == BPF_JCOND ? "may_goto"
                    : narrow        ? "gotol"
                                    : "goto",
                    o.sign, o.amount);
    else if (BPF_SRC(insn->code) == BPF_X)
        ebpf_format(out, size, "(%02x) if %c%u %s %c%u goto pc%c%u", insn->code, r, insn->dst_reg,
                    comparisons[op >> 4], r, insn->src_reg, o.sign, o.amount);
    else
        ebpf_format(out, size, "(%02x) if %c%u %s 0x%x goto pc%c%u", insn->code, r, insn->dst_reg,
                    comparisons[op >> 4], (unsigned)insn->imm, o.sign, o.amount);
}

void ebpf_insn_text(char *out, size_t size, const struct bpf_insn *insn)
{
    switch (BPF_CLASS(insn->code)) {
    case BPF_ALU:
    case BPF_ALU64:
        text_of_alu(out, size, insn);
        return;
    case BPF_LD:
    case BPF_LDX:
        text_of_load(out, size, insn);
        return;
    case BPF_ST:
    case BPF_STX:
        text_of_store(out, size, insn);
        return;
    default:
        text_of_jump(out, size, insn);
    }
}
