/* SPDX-License-Identifier: MIT */
/*
 * Simulation of RV64IM's register and control-flow instructions. It runs in the trap, perhaps
 * nested in a handler, so it calls nothing outside this file. Unsigned arithmetic throughout: it
 * wraps as the hardware does.
 */
#include "kprobe/rv64/simulate.h"

static uint64_t get(const struct ebpf_regs *regs, unsigned n)
{
    return n ? regs->x[n - 1] : 0;
}

static void put(struct ebpf_regs *regs, unsigned n, uint64_t value)
{
    if (n)
        regs->x[n - 1] = value;
}

static uint64_t sext32(uint64_t value)
{
    return (uint64_t)(int64_t)(int32_t)(uint32_t)value;
}

/* Upper half of the unsigned product, from four products of 32-bit halves. */
static uint64_t mulhu(uint64_t a, uint64_t b)
{
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t low = al * bl, mid1 = ah * bl + (low >> 32), mid2 = al * bh + (uint32_t)mid1;

    return ah * bh + (mid1 >> 32) + (mid2 >> 32);
}

/* A negative factor counted 2^64 too much in the unsigned product. */
static uint64_t mulhsu(uint64_t a, uint64_t b)
{
    return mulhu(a, b) - ((int64_t)a < 0 ? b : 0);
}

static uint64_t mulh(uint64_t a, uint64_t b)
{
    return mulhsu(a, b) - ((int64_t)b < 0 ? a : 0);
}

/* Unprivileged ISA, "Semantics for division by zero and division overflow" */
static uint64_t div(uint64_t a, uint64_t b)
{
    if (!b)
        return UINT64_MAX;
    if (b == UINT64_MAX)
        return 0 - a;
    return (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t rem(uint64_t a, uint64_t b)
{
    if (!b)
        return a;
    if (b == UINT64_MAX)
        return 0;
    return (uint64_t)((int64_t)a % (int64_t)b);
}

static uint64_t divu(uint64_t a, uint64_t b)
{
    return b ? a / b : UINT64_MAX;
}

static uint64_t remu(uint64_t a, uint64_t b)
{
    return b ? a % b : a;
}

static uint64_t sra(uint64_t a, unsigned n)
{
    return (uint64_t)((int64_t)a >> n); /* gcc and clang shift the sign in */
}

static uint64_t alu64(unsigned op, uint64_t a, uint64_t b)
{
    switch (op) {
    case EBPF_RV_ADD:
        return a + b;
    case EBPF_RV_SUB:
        return a - b;
    case EBPF_RV_SLL:
        return a << (b & 63);
    case EBPF_RV_SLT:
        return (int64_t)a < (int64_t)b;
    case EBPF_RV_SLTU:
        return a < b;
    case EBPF_RV_XOR:
        return a ^ b;
    case EBPF_RV_SRL:
        return a >> (b & 63);
    case EBPF_RV_SRA:
        return sra(a, b & 63);
    case EBPF_RV_OR:
        return a | b;
    case EBPF_RV_AND:
        return a & b;
    case EBPF_RV_MUL:
        return a * b;
    case EBPF_RV_MULH:
        return mulh(a, b);
    case EBPF_RV_MULHSU:
        return mulhsu(a, b);
    case EBPF_RV_MULHU:
        return mulhu(a, b);
    case EBPF_RV_DIV:
        return div(a, b);
    case EBPF_RV_DIVU:
        return divu(a, b);
    case EBPF_RV_REM:
        return rem(a, b);
    default:
        return remu(a, b);
    }
}

/* The W forms: 32-bit operands, a result extended from bit 31. Done in 64 bits nothing overflows:
 * the one quotient that does not fit, -2^31 / -1, wraps to what the manual asks for. */
static uint64_t alu32(unsigned op, uint64_t a, uint64_t b)
{
    switch (op) {
    case EBPF_RV_ADDW:
        return sext32(a + b);
    case EBPF_RV_SUBW:
        return sext32(a - b);
    case EBPF_RV_SLLW:
        return sext32(a << (b & 31));
    case EBPF_RV_SRLW:
        return sext32((uint32_t)a >> (b & 31));
    case EBPF_RV_SRAW:
        return sra(sext32(a), b & 31);
    case EBPF_RV_MULW:
        return sext32(a * b);
    case EBPF_RV_DIVW:
        return sext32(div(sext32(a), sext32(b)));
    case EBPF_RV_DIVUW:
        return sext32(divu((uint32_t)a, (uint32_t)b));
    case EBPF_RV_REMW:
        return sext32(rem(sext32(a), sext32(b)));
    default:
        return sext32(remu((uint32_t)a, (uint32_t)b));
    }
}

static bool branch_taken(unsigned op, uint64_t a, uint64_t b)
{
    switch (op) {
    case EBPF_RV_BEQ:
        return a == b;
    case EBPF_RV_BNE:
        return a != b;
    case EBPF_RV_BLT:
        return (int64_t)a < (int64_t)b;
    case EBPF_RV_BGE:
        return (int64_t)a >= (int64_t)b;
    case EBPF_RV_BLTU:
        return a < b;
    default:
        return a >= b;
    }
}

void ebpf_rv_simulate(const struct ebpf_rv_insn *insn, struct ebpf_regs *regs)
{
    uint64_t pc = regs->pc, next = pc + insn->len, imm = (uint64_t)(int64_t)insn->imm;
    uint64_t a = get(regs, insn->rs1), b = insn->has_imm ? imm : get(regs, insn->rs2);

    regs->pc = next;
    if (insn->op < EBPF_RV_ADDW) {
        put(regs, insn->rd, alu64(insn->op, a, b));
    } else if (insn->op < EBPF_RV_LUI) {
        put(regs, insn->rd, alu32(insn->op, a, b));
    } else if (insn->op == EBPF_RV_LUI) {
        put(regs, insn->rd, imm);
    } else if (insn->op == EBPF_RV_AUIPC) {
        put(regs, insn->rd, pc + imm);
    } else if (insn->op == EBPF_RV_JAL) {
        put(regs, insn->rd, next);
        regs->pc = pc + imm;
        /* a was read before rd is written: they may be the same register */
    } else if (insn->op == EBPF_RV_JALR) {
        put(regs, insn->rd, next);
        regs->pc = (a + imm) & ~1ull;
    } else if (branch_taken(insn->op, a, b)) {
        regs->pc = pc + imm;
    }
}
