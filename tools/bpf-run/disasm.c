/* SPDX-License-Identifier: MIT */
/* See disasm.h. What is no instruction is printed as its fields. */
#include "tools/bpf-run/disasm.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

static const char *const unsigned_types[] = {"u32", "u16", "u8", "u64"}; /* BPF_W, H, B, DW */
static const char *const signed_types[] = {"s32", "s16", "s8", "s64"};

static void unknown(const struct bpf_insn *insn, char *text, size_t size)
{
    snprintf(text, size, ".insn 0x%02x dst=%u src=%u off=%d imm=%" PRId32, insn->code,
             insn->dst_reg, insn->src_reg, insn->off, insn->imm);
}

static void number(char out[16], int32_t imm)
{
    snprintf(out, 16, "%" PRId32, imm);
}

/* The second operand: a register of that width's name, or the immediate. */
static void operand(char out[16], const struct bpf_insn *insn, char width)
{
    if (BPF_SRC(insn->code) == BPF_X)
        snprintf(out, 16, "%c%u", width, insn->src_reg);
    else
        number(out, insn->imm);
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

static const char *const alu_ops[16] = {
    "+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", NULL, "%=", "^=", "=", "s>>="};

static void end(const struct bpf_insn *insn, char *text, size_t size)
{
    const char *name = BPF_CLASS(insn->code) == BPF_ALU64 ? "bswap"
                       : insn->code & BPF_TO_BE           ? "be"
                                                          : "le";

    snprintf(text, size, "r%u = %s%" PRId32 " r%u", insn->dst_reg, name, insn->imm, insn->dst_reg);
}

static void alu(const struct bpf_insn *insn, char *text, size_t size)
{
    char width = BPF_CLASS(insn->code) == BPF_ALU64 ? 'r' : 'w', b[16];
    unsigned op = BPF_OP(insn->code);
    const char *sign = insn->off == 1 && (op == BPF_DIV || op == BPF_MOD) ? "s" : "";

    operand(b, insn, width);
    if (op == BPF_END)
        end(insn, text, size);
    else if (op == BPF_NEG)
        snprintf(text, size, "%c%u = -%c%u", width, insn->dst_reg, width, insn->dst_reg);
    else if (op == BPF_MOV && insn->off)
        snprintf(text, size, "%c%u = (s%d)%s", width, insn->dst_reg, insn->off, b);
    else if (alu_ops[op >> 4])
        snprintf(text, size, "%c%u %s%s %s", width, insn->dst_reg, sign, alu_ops[op >> 4], b);
    else
        unknown(insn, text, size);
}

/* ---- jumps ----------------------------------------------------------------------------------- */

static const char *const jump_ops[16] = {NULL,  "==", ">",  ">=", "&",  "!=", "s>",
                                         "s>=", NULL, NULL, "<",  "<=", "s<", "s<="};

static void call(const struct bpf_insn *insn, char *text, size_t size)
{
    if (insn->code & BPF_X)
        snprintf(text, size, "callx r%u", insn->dst_reg);
    else if (insn->src_reg == BPF_PSEUDO_CALL)
        snprintf(text, size, "call %+" PRId32, insn->imm);
    else if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
        snprintf(text, size, "call kfunc %" PRId32, insn->imm);
    else
        snprintf(text, size, "call %" PRId32, insn->imm);
}

static void jump(const struct bpf_insn *insn, char *text, size_t size)
{
    bool wide = BPF_CLASS(insn->code) == BPF_JMP;
    unsigned op = BPF_OP(insn->code);
    char width = wide ? 'r' : 'w', b[16];

    operand(b, insn, width);
    if (insn->code == (BPF_JMP | BPF_JA))
        snprintf(text, size, "goto %+d", insn->off);
    else if (insn->code == (BPF_JMP32 | BPF_JA))
        snprintf(text, size, "gotol %+" PRId32, insn->imm);
    else if (insn->code == (BPF_JMP | BPF_JCOND))
        snprintf(text, size, "may_goto %+d", insn->off);
    else if (insn->code == (BPF_JMP | BPF_EXIT))
        snprintf(text, size, "exit");
    else if (wide && op == BPF_CALL)
        call(insn, text, size);
    else if (jump_ops[op >> 4])
        snprintf(text, size, "if %c%u %s %s goto %+d", width, insn->dst_reg, jump_ops[op >> 4], b,
                 insn->off);
    else
        unknown(insn, text, size);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* *(u32 *)(r1 + 4), or without the star for what takes an address */
static void place(char out[48], const char *star, const char *type, unsigned reg, int16_t off)
{
    snprintf(out, 48, "%s(%s *)(r%u %c %u)", star, type, reg, off < 0 ? '-' : '+',
             (unsigned)(off < 0 ? -off : off));
}

static void load(const struct bpf_insn *insn, char *text, size_t size)
{
    bool sign = BPF_MODE(insn->code) == BPF_MEMSX;
    char at[48];

    if (!sign && BPF_MODE(insn->code) != BPF_MEM) {
        unknown(insn, text, size);
        return;
    }
    place(at, "*", (sign ? signed_types : unsigned_types)[BPF_SIZE(insn->code) >> 3], insn->src_reg,
          insn->off);
    snprintf(text, size, "r%u = %s", insn->dst_reg, at);
}

/* cmpxchg and xchg name the place without its type */
static void exchange(const struct bpf_insn *insn, char *text, size_t size)
{
    bool wide = BPF_SIZE(insn->code) == BPF_DW;
    char width = wide ? 'r' : 'w', sign = insn->off < 0 ? '-' : '+';
    unsigned off = (unsigned)(insn->off < 0 ? -insn->off : insn->off);

    if (insn->imm == BPF_CMPXCHG)
        snprintf(text, size, "%c0 = cmpxchg%s(r%u %c %u, %c0, %c%u)", width, wide ? "_64" : "32_32",
                 insn->dst_reg, sign, off, width, width, insn->src_reg);
    else
        snprintf(text, size, "%c%u = xchg%s(r%u %c %u, %c%u)", width, insn->src_reg,
                 wide ? "_64" : "32_32", insn->dst_reg, sign, off, width, insn->src_reg);
}

static void atomic(const struct bpf_insn *insn, char *text, size_t size)
{
    static const struct {
        const char *fetch, *lock;
    } ops[16] = {[BPF_ADD >> 4] = {"add", "+="},
                 [BPF_OR >> 4] = {"or", "|="},
                 [BPF_AND >> 4] = {"and", "&="},
                 [BPF_XOR >> 4] = {"xor", "^="}};
    const char *type = unsigned_types[BPF_SIZE(insn->code) >> 3];
    char width = BPF_SIZE(insn->code) == BPF_DW ? 'r' : 'w', at[48];
    bool known = (insn->imm & ~0xf1) == 0 && ops[insn->imm >> 4].fetch;

    place(at,
          insn->imm == BPF_LOAD_ACQ || insn->imm == BPF_STORE_REL || (insn->imm & BPF_FETCH) ? ""
                                                                                             : "*",
          type, insn->imm == BPF_LOAD_ACQ ? insn->src_reg : insn->dst_reg, insn->off);
    if (insn->imm == BPF_LOAD_ACQ)
        snprintf(text, size, "%c%u = load_acquire(%s)", width, insn->dst_reg, at);
    else if (insn->imm == BPF_STORE_REL)
        snprintf(text, size, "store_release(%s, %c%u)", at, width, insn->src_reg);
    else if (insn->imm == BPF_CMPXCHG || insn->imm == BPF_XCHG)
        exchange(insn, text, size);
    else if (!known)
        unknown(insn, text, size);
    else if (insn->imm & BPF_FETCH)
        snprintf(text, size, "%c%u = atomic_fetch_%s(%s, %c%u)", width, insn->src_reg,
                 ops[insn->imm >> 4].fetch, at, width, insn->src_reg);
    else
        snprintf(text, size, "lock %s %s %c%u", at, ops[insn->imm >> 4].lock, width, insn->src_reg);
}

static void store(const struct bpf_insn *insn, char *text, size_t size)
{
    bool imm = BPF_CLASS(insn->code) == BPF_ST;
    char at[48], b[16];

    if (BPF_MODE(insn->code) == BPF_ATOMIC && !imm) {
        atomic(insn, text, size);
        return;
    }
    if (BPF_MODE(insn->code) != BPF_MEM) {
        unknown(insn, text, size);
        return;
    }
    place(at, "*", unsigned_types[BPF_SIZE(insn->code) >> 3], insn->dst_reg, insn->off);
    if (imm)
        number(b, insn->imm);
    else
        snprintf(b, sizeof(b), "r%u", insn->src_reg);
    snprintf(text, size, "%s = %s", at, b);
}

/* ---- the class BPF_LD ------------------------------------------------------------------------ */

static unsigned imm64(const struct bpf_insn *insn, size_t left, char *text, size_t size)
{
    static const char *const meanings[] = {"",          "map_fd ",  "map_fd_value ", "btf_id ",
                                           "func_ref ", "map_idx ", "map_idx_value "};

    if (left < 2 || insn->src_reg > 6) {
        unknown(insn, text, size);
        return 1;
    }
    snprintf(text, size, "r%u = %s%" PRId64 " ll", insn->dst_reg, meanings[insn->src_reg],
             (int64_t)((uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32));
    return 2;
}

static unsigned ld(const struct bpf_insn *insn, size_t left, char *text, size_t size)
{
    const char *type = unsigned_types[BPF_SIZE(insn->code) >> 3];
    char b[16];

    if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
        return imm64(insn, left, text, size);
    number(b, insn->imm);
    if (BPF_MODE(insn->code) == BPF_ABS)
        snprintf(text, size, "r0 = *(%s *)skb[%s]", type, b);
    else if (BPF_MODE(insn->code) == BPF_IND)
        snprintf(text, size, "r0 = *(%s *)skb[r%u + %s]", type, insn->src_reg, b);
    else
        unknown(insn, text, size);
    return 1;
}

unsigned disasm(const struct bpf_insn *insn, size_t left, char *text, size_t size)
{
    static void (*const classes[8])(const struct bpf_insn *, char *, size_t) = {
        [BPF_LDX] = load, [BPF_ST] = store,   [BPF_STX] = store, [BPF_ALU] = alu,
        [BPF_JMP] = jump, [BPF_JMP32] = jump, [BPF_ALU64] = alu,
    };

    if (BPF_CLASS(insn->code) == BPF_LD)
        return ld(insn, left, text, size);
    classes[BPF_CLASS(insn->code)](insn, text, size);
    return 1;
}
