/* SPDX-License-Identifier: MIT */
/*
 * The interpreter: one switch over the opcode, as RFC 9669 defines it. It runs only code that
 * ebpf_code_check() accepted: registers, jump targets and the depth of calls need no check here.
 * Context A, on the program stack.
 *
 * Arithmetic is done on unsigned types, where C defines overflow; signed comparisons and shifts
 * convert first.
 */
#include "src/core/interp.h"

#include "helpers/helper.h"
#include "src/base/bits.h"
#include "src/base/log.h"
#include "src/core/prog.h"

/*
 * What a bpf-to-bpf call saves of its caller. It lies on the program's stack, where the callee's
 * frame begins:
 *
 *     r10 ->  struct frame, unless this is the first function
 *             code->stack bytes
 *             the next struct frame
 */
struct frame {
    uint64_t saved[5];            /* r6 to r10 */
    const struct bpf_insn *ret;   /* NULL: a helper called the function */
    const struct ebpf_code *code; /* another program's after a tail call */
    uint32_t loops;
};

/* Room for the longest chain of the largest frames, which is what EBPF_MAX_FRAMES of a program can
 * need. */
#define STACK_WORDS (EBPF_MAX_FRAMES * (EBPF_FRAME_SIZE + sizeof(struct frame)) / sizeof(uint64_t))

struct machine {
    uint64_t regs[BPF_REG_10 + 1];
    const struct ebpf_code *code;
    uint32_t depth; /* frames on the stack */
    /* may_goto: Linux counts in the stack frame, so that every call of a function has
     * EBPF_MAX_LOOPS of its own */
    uint32_t loops;
    uint64_t stack[STACK_WORDS];
};

/* RFC 9669, Arithmetic Instructions: division by zero yields zero, modulo by zero leaves dst as it
 * is; the smallest number divided by -1 is itself, with remainder 0. */
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
#define LOAD(type, addr)                                 \
    ({                                                   \
        type value_;                                     \
        __builtin_memcpy(&value_, addr, sizeof(value_)); \
        value_;                                          \
    })
#define STORE(type, addr, value)                         \
    do {                                                 \
        type value_ = (type)(value);                     \
        __builtin_memcpy(addr, &value_, sizeof(value_)); \
    } while (0)

/* RFC 9669, Atomic operations. Those that fetch, XCHG and CMPXCHG are fully ordered; the others, as
 * on Linux, not. Returns what the instruction puts into its result register. GCC before 14 compares
 * the whole register of an expected 32-bit value with what lr.w sign-extended (its PR 114130): the
 * detour over a sign-extended 64-bit one prevents that. */
#define ATOMIC(name, type, sign_type)                                             \
    static type name(type *addr, int32_t op, type src, type r0)                   \
    {                                                                             \
        int64_t expected;                                                         \
                                                                                  \
        switch (op) {                                                             \
        case BPF_ADD:                                                             \
            return __atomic_fetch_add(addr, src, __ATOMIC_RELAXED);               \
        case BPF_ADD | BPF_FETCH:                                                 \
            return __atomic_fetch_add(addr, src, __ATOMIC_SEQ_CST);               \
        case BPF_OR:                                                              \
            return __atomic_fetch_or(addr, src, __ATOMIC_RELAXED);                \
        case BPF_OR | BPF_FETCH:                                                  \
            return __atomic_fetch_or(addr, src, __ATOMIC_SEQ_CST);                \
        case BPF_AND:                                                             \
            return __atomic_fetch_and(addr, src, __ATOMIC_RELAXED);               \
        case BPF_AND | BPF_FETCH:                                                 \
            return __atomic_fetch_and(addr, src, __ATOMIC_SEQ_CST);               \
        case BPF_XOR:                                                             \
            return __atomic_fetch_xor(addr, src, __ATOMIC_RELAXED);               \
        case BPF_XOR | BPF_FETCH:                                                 \
            return __atomic_fetch_xor(addr, src, __ATOMIC_SEQ_CST);               \
        case BPF_XCHG:                                                            \
            return __atomic_exchange_n(addr, src, __ATOMIC_SEQ_CST);              \
        default: /* BPF_CMPXCHG: r0 is the expected value and gets the old one */ \
            expected = (sign_type)r0;                                             \
            __asm__("" : "+r"(expected));                                         \
            r0 = (type)expected;                                                  \
            __atomic_compare_exchange_n(addr, &r0, src, false, __ATOMIC_SEQ_CST,  \
                                        __ATOMIC_SEQ_CST);                        \
            return r0;                                                            \
        }                                                                         \
    }
ATOMIC(atomic32, uint32_t, int32_t)
ATOMIC(atomic64, uint64_t, int64_t)

/* RFC 9669 does not have these two; Linux 6.15 added them: loads zero-extend. */
static uint64_t load_acquire(const void *addr, uint8_t code)
{
    switch (BPF_SIZE(code)) {
    case BPF_B:
        return __atomic_load_n((const uint8_t *)addr, __ATOMIC_ACQUIRE);
    case BPF_H:
        return __atomic_load_n((const uint16_t *)addr, __ATOMIC_ACQUIRE);
    case BPF_W:
        return __atomic_load_n((const uint32_t *)addr, __ATOMIC_ACQUIRE);
    default:
        return __atomic_load_n((const uint64_t *)addr, __ATOMIC_ACQUIRE);
    }
}

static void store_release(void *addr, uint8_t code, uint64_t value)
{
    switch (BPF_SIZE(code)) {
    case BPF_B:
        __atomic_store_n((uint8_t *)addr, (uint8_t)value, __ATOMIC_RELEASE);
        break;
    case BPF_H:
        __atomic_store_n((uint16_t *)addr, (uint16_t)value, __ATOMIC_RELEASE);
        break;
    case BPF_W:
        __atomic_store_n((uint32_t *)addr, (uint32_t)value, __ATOMIC_RELEASE);
        break;
    default:
        __atomic_store_n((uint64_t *)addr, value, __ATOMIC_RELEASE);
    }
}

static void atomic(uint64_t *regs, const struct bpf_insn *insn)
{
    void *addr = address(regs[insn->dst_reg], insn->off);
    uint64_t src = regs[insn->src_reg], old;

    if (insn->imm == BPF_LOAD_ACQ) {
        regs[insn->dst_reg] = load_acquire(address(src, insn->off), insn->code);
        return;
    }
    if (insn->imm == BPF_STORE_REL) {
        store_release(addr, insn->code, src);
        return;
    }
    if (BPF_SIZE(insn->code) == BPF_W)
        old = atomic32(addr, insn->imm, (uint32_t)src, (uint32_t)regs[BPF_REG_0]);
    else
        old = atomic64(addr, insn->imm, src, regs[BPF_REG_0]);
    if (insn->imm == BPF_CMPXCHG)
        regs[BPF_REG_0] = old;
    else if (insn->imm & BPF_FETCH)
        regs[insn->src_reg] = old;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void push_frame(struct machine *m, const struct bpf_insn *ret)
{
    struct frame *frame = (struct frame *)(uintptr_t)(m->regs[BPF_REG_10] - m->code->stack) - 1;

    memcpy(frame->saved, &m->regs[BPF_REG_6], sizeof(frame->saved));
    frame->ret = ret;
    frame->code = m->code;
    frame->loops = m->loops;
    m->regs[BPF_REG_10] = (uint64_t)(uintptr_t)frame;
    m->loops = EBPF_MAX_LOOPS;
    m->depth++;
}

static const struct bpf_insn *call_subprog(struct machine *m, const struct bpf_insn *insn)
{
    push_frame(m, insn);
    return insn + insn->imm;
}

/* The instruction to go on behind; NULL: back to the helper */
static const struct bpf_insn *return_from(struct machine *m)
{
    const struct frame *frame = (const struct frame *)(uintptr_t)m->regs[BPF_REG_10];

    memcpy(&m->regs[BPF_REG_6], frame->saved, sizeof(frame->saved));
    m->code = frame->code;
    m->loops = frame->loops;
    m->depth--;
    return frame->ret;
}

/* Does all that code can need fit below r10, where its first function's frame will begin? */
static bool fits(const struct machine *m, const struct ebpf_code *code)
{
    uint64_t needed =
        code->frames * (uint64_t)code->stack + (code->frames - 1) * sizeof(struct frame);

    return m->regs[BPF_REG_10] - (uint64_t)(uintptr_t)m->stack >= needed;
}

/* The target takes the place of the function that runs: its frame, and its caller. r1 is the
 * context already. */
static const struct bpf_insn *tail_call(struct machine *m, const struct bpf_insn *insn)
{
    const struct ebpf_prog *target =
        ebpf_tail_call(ebpf_reg_ptr(m->regs[BPF_REG_2]), m->regs[BPF_REG_3]);

    if (!target || !fits(m, &target->code))
        return insn;
    m->code = &target->code;
    m->loops = EBPF_MAX_LOOPS;
    return target->code.insns - 1; /* the loop goes on behind what is returned */
}

/* The machine that called a helper with a callback on this hart: the helper finds it again by
 * ebpf_interp_callback(). Callbacks nest, and all are of one machine: another one runs only when a
 * tail call has ended this one's program for good, or in its place. */
static struct machine *machines[EBPF_CONFIG_MAX_CPUS];

static void call_helper(struct machine *m, const struct ebpf_helper *helper)
{
    uint64_t *regs = m->regs;

    if (helper->callback != CALLBACK_NONE)
        machines[ebpf_os_cpu_id()] = m;
    if (helper->callback == CALLBACK_TIMER)
        regs[BPF_REG_3] = (uintptr_t)m->code;
    regs[BPF_REG_0] = helper->fn(regs[1], regs[2], regs[3], regs[4], regs[5]);
}

/* A helper, a function of the program, or a tail call. */
static const struct bpf_insn *call(struct machine *m, const struct bpf_insn *insn)
{
    if (insn->src_reg == BPF_PSEUDO_CALL)
        return call_subprog(m, insn);
    if (insn->imm == EBPF_HELPER_TAIL_CALL)
        return tail_call(m, insn);
    call_helper(m, ebpf_helper_find((uint32_t)insn->imm));
    return insn;
}

/* A function of the program as a number: its first instruction, marked by the lowest bit, which no
 * address of compiled code has. */
static uint64_t func_address(const struct bpf_insn *insn)
{
    return (uint64_t)(uintptr_t)(insn + 1 + insn->imm) | EBPF_INTERP_FUNC;
}

/* BPF_ABS and BPF_IND: false where the packet has no such bytes, which ends the program with r0 =
 * 0. */
static bool load_packet(uint64_t *regs, const struct bpf_insn *insn)
{
    uint64_t index = BPF_MODE(insn->code) == BPF_IND ? regs[insn->src_reg] : 0;
    uint32_t size = BPF_SIZE(insn->code) == BPF_W ? 4 : BPF_SIZE(insn->code) == BPF_H ? 2 : 1;
    int64_t value =
        ebpf_packet_load(ebpf_reg_ptr(regs[BPF_REG_6]), index + (uint64_t)(int64_t)insn->imm, size);

    regs[BPF_REG_0] = value < 0 ? 0 : (uint64_t)value;
    return value >= 0;
}

/* Both operand forms of an operation: _X takes src_reg, _K the sign-extended immediate. */
#define ALU64(op, expr)                                        \
    case BPF_ALU64 | op | BPF_X:                               \
    case BPF_ALU64 | op | BPF_K: {                             \
        uint64_t a = *dst, b = insn->code & BPF_X ? src : imm; \
        (void)a, (void)b;                                      \
        *dst = (expr);                                         \
        break;                                                 \
    }
#define ALU32(op, expr)                                                              \
    case BPF_ALU | op | BPF_X:                                                       \
    case BPF_ALU | op | BPF_K: {                                                     \
        uint32_t a = (uint32_t)*dst, b = (uint32_t)(insn->code & BPF_X ? src : imm); \
        (void)a, (void)b;                                                            \
        *dst = (uint32_t)(expr);                                                     \
        break;                                                                       \
    }
#define JUMP(op, cmp)                                                                \
    case BPF_JMP | op | BPF_X:                                                       \
    case BPF_JMP | op | BPF_K: {                                                     \
        uint64_t a = *dst, b = insn->code & BPF_X ? src : imm;                       \
        int64_t sa = (int64_t)a, sb = (int64_t)b;                                    \
        (void)sa, (void)sb;                                                          \
        if (cmp)                                                                     \
            insn += insn->off;                                                       \
        break;                                                                       \
    }                                                                                \
    case BPF_JMP32 | op | BPF_X:                                                     \
    case BPF_JMP32 | op | BPF_K: {                                                   \
        uint32_t a = (uint32_t)*dst, b = (uint32_t)(insn->code & BPF_X ? src : imm); \
        int32_t sa = (int32_t)a, sb = (int32_t)b;                                    \
        (void)sa, (void)sb;                                                          \
        if (cmp)                                                                     \
            insn += insn->off;                                                       \
        break;                                                                       \
    }
#define MEM(size, type, sign_type)                                 \
    case BPF_LDX | BPF_MEM | size:                                 \
        *dst = LOAD(type, address(src, insn->off));                \
        break;                                                     \
    case BPF_LDX | BPF_MEMSX | size:                               \
        *dst = (uint64_t)LOAD(sign_type, address(src, insn->off)); \
        break;                                                     \
    case BPF_STX | BPF_MEM | size:                                 \
        STORE(type, address(*dst, insn->off), src);                \
        break;                                                     \
    case BPF_ST | BPF_MEM | size:                                  \
        STORE(type, address(*dst, insn->off), imm);                \
        break;

/* Runs from insn on until the function that it is in returns: to a helper, or altogether. */
static uint64_t run(struct machine *m, const struct bpf_insn *insn)
{
    uint64_t *regs = m->regs;

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
        case BPF_JMP | BPF_JCOND: /* may_goto */
            if (m->loops == 0)
                insn += insn->off;
            else
                m->loops--;
            break;
        case BPF_JMP | BPF_CALL:
            insn = call(m, insn);
            break;
        case BPF_JMP | BPF_CALL | BPF_X: /* callx */
            regs[BPF_REG_0] = ebpf_helper_call(regs[1], regs[2], regs[3], regs[4], regs[5], *dst);
            break;
        case BPF_LD | BPF_ABS | BPF_B:
        case BPF_LD | BPF_ABS | BPF_H:
        case BPF_LD | BPF_ABS | BPF_W:
        case BPF_LD | BPF_IND | BPF_B:
        case BPF_LD | BPF_IND | BPF_H:
        case BPF_LD | BPF_IND | BPF_W:
            if (load_packet(regs, insn))
                break;
            __attribute__((fallthrough));
        case BPF_JMP | BPF_EXIT:
            if (!m->depth)
                return regs[BPF_REG_0];
            insn = return_from(m);
            if (!insn)
                return regs[BPF_REG_0];
            break;

            MEM(BPF_B, uint8_t, int8_t)
            MEM(BPF_H, uint16_t, int16_t)
            MEM(BPF_W, uint32_t, int32_t)
            MEM(BPF_DW, uint64_t, int64_t)
        case BPF_STX | BPF_ATOMIC | BPF_B: /* load-acquire and store-release only */
        case BPF_STX | BPF_ATOMIC | BPF_H:
        case BPF_STX | BPF_ATOMIC | BPF_W:
        case BPF_STX | BPF_ATOMIC | BPF_DW:
            atomic(regs, insn);
            break;
        case BPF_LD | BPF_IMM | BPF_DW:
            *dst = insn->src_reg == BPF_PSEUDO_FUNC ? func_address(insn) : ebpf_insn_imm64(insn);
            insn++;
            break;
        default:
            EBPF_BUG_IF(true);
        }
    }
}

static void machine_init(struct machine *m, const struct ebpf_code *code)
{
    m->code = code;
    m->depth = 0;
    m->loops = EBPF_MAX_LOOPS;
    memset(m->regs, 0, sizeof(m->regs));
    m->regs[BPF_REG_10] = (uint64_t)(uintptr_t)(m->stack + STACK_WORDS);
}

static const struct bpf_insn *func_at(uint64_t func)
{
    return (const struct bpf_insn *)(uintptr_t)(func & ~(uint64_t)EBPF_INTERP_FUNC);
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored \
    "-Wframe-larger-than=" /* the program's frames, on the program stack */
#endif
uint64_t ebpf_interp(const struct ebpf_code *code, void *ctx)
{
    struct machine m;

    machine_init(&m, code);
    m.regs[BPF_REG_1] = (uint64_t)(uintptr_t)ctx;
    return run(&m, code->insns);
}

uint64_t ebpf_interp_func(const struct ebpf_code *code, uint64_t func, const uint64_t args[5])
{
    struct machine m;

    machine_init(&m, code);
    memcpy(&m.regs[BPF_REG_1], args, 5 * sizeof(args[0]));
    return run(&m, func_at(func));
}

/* The frame count of the code (src/core/frames.c) covers the callback's: the stack is enough. */
uint64_t ebpf_interp_callback(uint64_t func, const uint64_t args[5])
{
    struct machine *m = machines[ebpf_os_cpu_id()];

    push_frame(m, NULL);
    memcpy(&m->regs[BPF_REG_1], args, 5 * sizeof(args[0]));
    return run(m, func_at(func));
}
