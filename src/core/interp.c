/* SPDX-License-Identifier: MIT */
/*
 * The interpreter: one switch over the opcode, as RFC 9669 defines it. It runs only code that ebpf_code_check()
 * accepted: registers, jump targets and the depth of calls need no check here. Context A, on the program stack.
 *
 * Arithmetic is done on unsigned types, where C defines overflow; signed comparisons and shifts convert first.
 */
#include "helpers/helper.h"
#include "src/base/bits.h"
#include "src/base/log.h"
#include "src/core/prog.h"

/* What a bpf-to-bpf call saves of its caller. */
struct frame {
    uint64_t saved[4]; /* r6 to r9 */
    const struct bpf_insn *ret;
};

/* RFC 9669, Arithmetic Instructions: division by zero yields zero, modulo by zero leaves dst as it is; the smallest
 * number divided by -1 is itself, with remainder 0. */
static uint64_t udiv64(uint64_t a, uint64_t b)
{
    return b ? a / b : 0;
}

static uint64_t umod64(uint64_t a, uint64_t b)
{
    return b ? a % b : a;
}

static uint64_t sdiv64(uint64_t a, uint64_t b)
{
    if (b == UINT64_MAX)
        return 0 - a;
    return b ? (uint64_t)((int64_t)a / (int64_t)b) : 0;
}

static uint64_t smod64(uint64_t a, uint64_t b)
{
    if (b == UINT64_MAX)
        return 0;
    return b ? (uint64_t)((int64_t)a % (int64_t)b) : a;
}

static uint32_t sdiv32(uint32_t a, uint32_t b)
{
    if (b == UINT32_MAX)
        return 0 - a;
    return b ? (uint32_t)((int32_t)a / (int32_t)b) : 0;
}

static uint32_t smod32(uint32_t a, uint32_t b)
{
    if (b == UINT32_MAX)
        return 0;
    return b ? (uint32_t)((int32_t)a % (int32_t)b) : a;
}

/* RFC 9669, Byte swap instructions: imm is the width; the upper bits become zero. */
static uint64_t swap(uint64_t value, int32_t width, bool reverse)
{
    switch (width) {
    case 16:
        return reverse ? ebpf_bswap16((uint16_t)value) : (uint16_t)value;
    case 32:
        return reverse ? ebpf_bswap32((uint32_t)value) : (uint32_t)value;
    default:
        return reverse ? ebpf_bswap64(value) : value;
    }
}

/* MOV with off 8, 16 or 32 extends the sign of that many bits. */
static uint64_t sign_extend(uint64_t value, int16_t bits)
{
    switch (bits) {
    case 8:
        return (uint64_t)(int8_t)value;
    case 16:
        return (uint64_t)(int16_t)value;
    case 32:
        return (uint64_t)(int32_t)value;
    default:
        return value;
    }
}

static void *address(uint64_t base, int16_t off)
{
    return (void *)(uintptr_t)(base + (uint64_t)(int64_t)off);
}

/* Programs may access memory at any alignment. */
#define LOAD(type, addr)                                                                           \
    ({                                                                                             \
        type value_;                                                                               \
        __builtin_memcpy(&value_, addr, sizeof(value_));                                           \
        value_;                                                                                    \
    })
#define STORE(type, addr, value)                                                                   \
    do {                                                                                           \
        type value_ = (type)(value);                                                               \
        __builtin_memcpy(addr, &value_, sizeof(value_));                                           \
    } while (0)

/* RFC 9669, Atomic operations. Those that fetch, XCHG and CMPXCHG are fully ordered; the others, as on Linux, not.
 * Returns what the instruction puts into its result register. GCC before 14 compares the whole register of an expected
 * 32-bit value with what lr.w sign-extended (its PR 114130): the detour over a sign-extended 64-bit one prevents that. */
#define ATOMIC(name, type, sign_type)                                                              \
    static type name(type *addr, int32_t op, type src, type r0)                                    \
    {                                                                                              \
        int64_t expected;                                                                          \
                                                                                                   \
        switch (op) {                                                                              \
        case BPF_ADD:                                                                              \
            return __atomic_fetch_add(addr, src, __ATOMIC_RELAXED);                                \
        case BPF_ADD | BPF_FETCH:                                                                  \
            return __atomic_fetch_add(addr, src, __ATOMIC_SEQ_CST);                                \
        case BPF_OR:                                                                               \
            return __atomic_fetch_or(addr, src, __ATOMIC_RELAXED);                                 \
        case BPF_OR | BPF_FETCH:                                                                   \
            return __atomic_fetch_or(addr, src, __ATOMIC_SEQ_CST);                                 \
        case BPF_AND:                                                                              \
            return __atomic_fetch_and(addr, src, __ATOMIC_RELAXED);                                \
        case BPF_AND | BPF_FETCH:                                                                  \
            return __atomic_fetch_and(addr, src, __ATOMIC_SEQ_CST);                                \
        case BPF_XOR:                                                                              \
            return __atomic_fetch_xor(addr, src, __ATOMIC_RELAXED);                                \
        case BPF_XOR | BPF_FETCH:                                                                  \
            return __atomic_fetch_xor(addr, src, __ATOMIC_SEQ_CST);                                \
        case BPF_XCHG:                                                                             \
            return __atomic_exchange_n(addr, src, __ATOMIC_SEQ_CST);                               \
        default: /* BPF_CMPXCHG: r0 is the expected value and gets the old one */                  \
            expected = (sign_type)r0;                                                              \
            __asm__("" : "+r"(expected));                                                          \
            r0 = (type)expected;                                                                   \
            __atomic_compare_exchange_n(addr, &r0, src, false, __ATOMIC_SEQ_CST,                   \
                                        __ATOMIC_SEQ_CST);                                         \
            return r0;                                                                             \
        }                                                                                          \
    }
ATOMIC(atomic32, uint32_t, int32_t)
ATOMIC(atomic64, uint64_t, int64_t)

static void atomic(uint64_t *regs, const struct bpf_insn *insn)
{
    void *addr = address(regs[insn->dst_reg], insn->off);
    uint64_t src = regs[insn->src_reg], old;

    if (BPF_SIZE(insn->code) == BPF_W)
        old = atomic32(addr, insn->imm, (uint32_t)src, (uint32_t)regs[BPF_REG_0]);
    else
        old = atomic64(addr, insn->imm, src, regs[BPF_REG_0]);
    if (insn->imm == BPF_CMPXCHG)
        regs[BPF_REG_0] = old;
    else if (insn->imm & BPF_FETCH)
        regs[insn->src_reg] = old;
}

static uint64_t call_helper(const uint64_t *regs, int32_t id)
{
    return ebpf_helper_find((uint32_t)id)->fn(regs[1], regs[2], regs[3], regs[4], regs[5]);
}

/* Both operand forms of an operation: _X takes src_reg, _K the sign-extended immediate. */
#define ALU64(op, expr)                                                                            \
    case BPF_ALU64 | op | BPF_X:                                                                   \
    case BPF_ALU64 | op | BPF_K: {                                                                 \
        uint64_t a = *dst, b = insn->code & BPF_X ? src : imm;                                     \
        (void)a, (void)b;                                                                          \
        *dst = (expr);                                                                             \
        break;                                                                                     \
    }
#define ALU32(op, expr)                                                                            \
    case BPF_ALU | op | BPF_X:                                                                     \
    case BPF_ALU | op | BPF_K: {                                                                   \
        uint32_t a = (uint32_t)*dst, b = (uint32_t)(insn->code & BPF_X ? src : imm);               \
        (void)a, (void)b;                                                                          \
        *dst = (uint32_t)(expr);                                                                   \
        break;                                                                                     \
    }
#define JUMP(op, cmp)                                                                              \
    case BPF_JMP | op | BPF_X:                                                                     \
    case BPF_JMP | op | BPF_K: {                                                                   \
        uint64_t a = *dst, b = insn->code & BPF_X ? src : imm;                                     \
        int64_t sa = (int64_t)a, sb = (int64_t)b;                                                  \
        (void)sa, (void)sb;                                                                        \
        if (cmp)                                                                                   \
            insn += insn->off;                                                                     \
        break;                                                                                     \
    }                                                                                              \
    case BPF_JMP32 | op | BPF_X:                                                                   \
    case BPF_JMP32 | op | BPF_K: {                                                                 \
        uint32_t a = (uint32_t)*dst, b = (uint32_t)(insn->code & BPF_X ? src : imm);               \
        int32_t sa = (int32_t)a, sb = (int32_t)b;                                                  \
        (void)sa, (void)sb;                                                                        \
        if (cmp)                                                                                   \
            insn += insn->off;                                                                     \
        break;                                                                                     \
    }
#define MEM(size, type, sign_type)                                                                 \
    case BPF_LDX | BPF_MEM | size:                                                                 \
        *dst = LOAD(type, address(src, insn->off));                                                \
        break;                                                                                     \
    case BPF_LDX | BPF_MEMSX | size:                                                               \
        *dst = (uint64_t)LOAD(sign_type, address(src, insn->off));                                 \
        break;                                                                                     \
    case BPF_STX | BPF_MEM | size:                                                                 \
        STORE(type, address(*dst, insn->off), src);                                                \
        break;                                                                                     \
    case BPF_ST | BPF_MEM | size:                                                                  \
        STORE(type, address(*dst, insn->off), imm);                                                \
        break;

uint64_t ebpf_interp(const struct ebpf_code *code, void *ctx)
{
    uint64_t stack[EBPF_MAX_FRAMES][EBPF_FRAME_SIZE / sizeof(uint64_t)];
    struct frame frames[EBPF_MAX_FRAMES];
    uint64_t regs[BPF_REG_10 + 1] = {0};
    const struct bpf_insn *insn = code->insns;
    unsigned depth = 0;

    regs[BPF_REG_1] = (uint64_t)(uintptr_t)ctx;
    regs[BPF_REG_10] = (uint64_t)(uintptr_t)(stack[0] + EBPF_ARRAY_SIZE(stack[0]));
    for (;; insn++) {
        uint64_t *dst = &regs[insn->dst_reg], src = regs[insn->src_reg];
        uint64_t imm = (uint64_t)(int64_t)insn->imm;

        switch (insn->code) {
            ALU64(BPF_ADD, a + b)
            ALU64(BPF_SUB, a - b)
            ALU64(BPF_MUL, a * b)
            ALU64(BPF_DIV, insn->off ? sdiv64(a, b) : udiv64(a, b))
            ALU64(BPF_MOD, insn->off ? smod64(a, b) : umod64(a, b))
            ALU64(BPF_OR, a | b)
            ALU64(BPF_AND, a & b)
            ALU64(BPF_XOR, a ^ b)
            ALU64(BPF_LSH, a << (b & 63))
            ALU64(BPF_RSH, a >> (b & 63))
            ALU64(BPF_ARSH, (uint64_t)((int64_t)a >> (b & 63)))
            ALU64(BPF_MOV, sign_extend(b, insn->off))
            ALU32(BPF_ADD, a + b)
            ALU32(BPF_SUB, a - b)
            ALU32(BPF_MUL, a * b)
            ALU32(BPF_DIV, insn->off ? sdiv32(a, b) : udiv64(a, b))
            ALU32(BPF_MOD, insn->off ? smod32(a, b) : umod64(a, b))
            ALU32(BPF_OR, a | b)
            ALU32(BPF_AND, a & b)
            ALU32(BPF_XOR, a ^ b)
            ALU32(BPF_LSH, a << (b & 31))
            ALU32(BPF_RSH, a >> (b & 31))
            ALU32(BPF_ARSH, (uint32_t)((int32_t)a >> (b & 31)))
            ALU32(BPF_MOV, sign_extend(b, insn->off))
        case BPF_ALU64 | BPF_NEG:
            *dst = 0 - *dst;
            break;
        case BPF_ALU | BPF_NEG:
            *dst = (uint32_t)(0 - *dst);
            break;
        case BPF_ALU | BPF_END | BPF_TO_LE: /* a little-endian machine: only truncates */
            *dst = swap(*dst, insn->imm, false);
            break;
        case BPF_ALU | BPF_END | BPF_TO_BE:
        case BPF_ALU64 | BPF_END | BPF_TO_LE: /* bswap */
            *dst = swap(*dst, insn->imm, true);
            break;

            JUMP(BPF_JEQ, a == b)
            JUMP(BPF_JNE, a != b)
            JUMP(BPF_JGT, a > b)
            JUMP(BPF_JGE, a >= b)
            JUMP(BPF_JLT, a < b)
            JUMP(BPF_JLE, a <= b)
            JUMP(BPF_JSET, a & b)
            JUMP(BPF_JSGT, sa > sb)
            JUMP(BPF_JSGE, sa >= sb)
            JUMP(BPF_JSLT, sa < sb)
            JUMP(BPF_JSLE, sa <= sb)
        case BPF_JMP | BPF_JA:
            insn += insn->off;
            break;
        case BPF_JMP32 | BPF_JA: /* gotol */
            insn += insn->imm;
            break;
        case BPF_JMP | BPF_CALL:
            if (insn->src_reg != BPF_PSEUDO_CALL) {
                regs[BPF_REG_0] = call_helper(regs, insn->imm);
                break;
            }
            EBPF_BUG_IF(depth + 1 >= EBPF_MAX_FRAMES);
            memcpy(frames[depth].saved, &regs[BPF_REG_6], sizeof(frames[depth].saved));
            frames[depth++].ret = insn;
            regs[BPF_REG_10] = (uint64_t)(uintptr_t)(stack[depth] + EBPF_ARRAY_SIZE(stack[0]));
            insn += insn->imm;
            break;
        case BPF_JMP | BPF_EXIT:
            if (!depth)
                return regs[BPF_REG_0];
            insn = frames[--depth].ret;
            memcpy(&regs[BPF_REG_6], frames[depth].saved, sizeof(frames[depth].saved));
            regs[BPF_REG_10] = (uint64_t)(uintptr_t)(stack[depth] + EBPF_ARRAY_SIZE(stack[0]));
            break;

            MEM(BPF_B, uint8_t, int8_t)
            MEM(BPF_H, uint16_t, int16_t)
            MEM(BPF_W, uint32_t, int32_t)
            MEM(BPF_DW, uint64_t, int64_t)
        case BPF_STX | BPF_ATOMIC | BPF_W:
        case BPF_STX | BPF_ATOMIC | BPF_DW:
            atomic(regs, insn);
            break;
        case BPF_LD | BPF_IMM | BPF_DW:
            *dst = ebpf_insn_imm64(insn);
            insn++;
            break;
        default:
            EBPF_BUG_IF(true);
        }
    }
}
