/* SPDX-License-Identifier: MIT */
/*
 * Random programs: the JIT's code has to do what the interpreter does, to r0 and to memory. SEED=n
 * in the environment repeats a run; a failure prints it and its program.
 */
#include "tests/unit/engine.h"

#include <time.h>

#define MAX_ITEMS 200
#define MAX_SLOTS 4096
#define FUNCTIONS 3
#define BUFFER 512

static uint8_t buffer[BUFFER] __attribute__((aligned(16)));
static struct bpf_insn insns[MAX_SLOTS];
static uint32_t cnt;
static uint64_t state;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned n)
{
    return (unsigned)((rnd() >> 32) % n);
}

/* Values near the edges are where engines differ. */
static uint64_t value(void)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     0x7f,
                                     0x80,
                                     0x7ff,
                                     0x800,
                                     0xffff,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0xffffffffffffffff};
    uint64_t v = edges[below(sizeof(edges) / sizeof(edges[0]))];

    switch (below(4)) {
    case 0:
        return v;
    case 1:
        return 0 - v;
    case 2:
        return v + below(5) - 2;
    default:
        return rnd() >> below(64);
    }
}

static void put(struct bpf_insn insn)
{
    insns[cnt++] = insn;
}

static void put_imm64(unsigned reg, uint64_t v)
{
    const struct bpf_insn pair[] = {BPF_LD_IMM64(reg, v)};

    put(pair[0]);
    put(pair[1]);
}

/* r0-r8 carry data, r9 the buffer's address, so that both engines see the same numbers. */
static unsigned data_reg(void)
{
    return below(9);
}

static void put_constants(unsigned first, unsigned last)
{
    for (unsigned reg = first; reg <= last; reg++)
        put_imm64(reg, value());
}

/* ---- items ----------------------------------------------------------------------------------- */

static void item_alu(void)
{
    static const uint8_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR,  BPF_AND,
                                  BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR, BPF_MOV, BPF_ARSH};
    uint8_t cls = below(2) ? BPF_ALU : BPF_ALU64, op = ops[below(sizeof(ops))];
    unsigned dst = data_reg();
    int16_t off = (op == BPF_DIV || op == BPF_MOD) && below(2);

    if (below(2)) {
        if (op == BPF_MOV && below(2))
            off = (int16_t)(8 << below(cls == BPF_ALU ? 2 : 3));
        put(BPF_RAW_INSN(cls | op | BPF_X, dst, data_reg(), off, 0));
    } else {
        put(BPF_RAW_INSN(cls | op | BPF_K, dst, 0, off, (int32_t)value()));
    }
}

static void item_unary(void)
{
    static const uint8_t codes[] = {BPF_ALU | BPF_NEG, BPF_ALU64 | BPF_NEG,
                                    BPF_ALU | BPF_END | BPF_TO_LE, BPF_ALU | BPF_END | BPF_TO_BE,
                                    BPF_ALU64 | BPF_END | BPF_TO_LE};
    unsigned i = below(5);

    put(BPF_RAW_INSN(codes[i], data_reg(), 0, 0, i < 2 ? 0 : 16 << below(3)));
}

/* The first and last 8 of the stack's 512 bytes and some between: what every function
 * initialises. */
static const int16_t slots[] = {-8, -16, -64, -128, -256, -264, -504, -512};

/* An address of size bytes: on the stack or in the buffer. */
static void place(unsigned bytes, unsigned *base, int16_t *off, bool aligned)
{
    unsigned within = below(9 - bytes);

    if (aligned)
        within &= ~(bytes - 1);
    *base = below(2) ? R10 : R9;
    *off = (int16_t)((*base == R10 ? slots[below(8)] : (int)(8 * below(BUFFER / 8))) + (int)within);
}

static const uint8_t sizes[4] = {BPF_B, BPF_H, BPF_W, BPF_DW};

static void item_memory(void)
{
    unsigned size = below(4), base;
    int16_t off;

    place(1u << size, &base, &off, false);
    switch (below(size < 3 ? 4 : 3)) {
    case 0:
        put(BPF_STX_MEM(sizes[size], base, data_reg(), off));
        break;
    case 1:
        put(BPF_ST_MEM(sizes[size], base, off, (int32_t)value()));
        break;
    case 2:
        put(BPF_LDX_MEM(sizes[size], data_reg(), base, off));
        break;
    default:
        put(BPF_LDX_MEMSX(sizes[size], data_reg(), base, off));
    }
}

static void item_atomic(void)
{
    static const int32_t ops[] = {BPF_ADD,
                                  BPF_OR,
                                  BPF_AND,
                                  BPF_XOR,
                                  BPF_ADD | BPF_FETCH,
                                  BPF_OR | BPF_FETCH,
                                  BPF_AND | BPF_FETCH,
                                  BPF_XOR | BPF_FETCH,
                                  BPF_XCHG,
                                  BPF_CMPXCHG};
    unsigned size = 2 + below(2), base;
    int16_t off;

    place(1u << size, &base, &off, true);
    if (below(2)) /* an exchange that may succeed */
        put(BPF_LDX_MEM(sizes[size], R0, base, off));
    put(BPF_ATOMIC_OP(sizes[size], ops[below(10)], base, data_reg(), off));
}

/* Engines leave different things in r1-r5 after a call: they are set anew. */
static void item_call(unsigned function)
{
    if (function + 1 < FUNCTIONS &&
        below(2)) /* off: which function; the distance is filled in at the end */
        put(BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0,
                         (int)(function + 1 + below(FUNCTIONS - function - 1))));
    else
        put(BPF_EMIT_CALL(5));
    put_constants(R1, R5);
}

static void item_constant(void)
{
    if (below(2))
        put_imm64(data_reg(), value());
    else
        put(BPF_MOV32_IMM(data_reg(), (int32_t)value()));
}

/* off: which item of the function, made a distance at the end */
static void item_jump(unsigned item, unsigned items)
{
    static const uint8_t ops[] = {BPF_JA,  BPF_JEQ, BPF_JNE,  BPF_JSET, BPF_JGT,  BPF_JGE,
                                  BPF_JLT, BPF_JLE, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};
    uint8_t op = ops[below(sizeof(ops))], cls = below(2) ? BPF_JMP : BPF_JMP32;
    int16_t target =
        (int16_t)(item + 1 +
                  below(below(4) ? (items - item < 6 ? items - item : 6) : items - item));

    if (op == BPF_JA)
        put(BPF_RAW_INSN(cls | BPF_JA, 0, 0, target, 0));
    else if (below(2))
        put(BPF_RAW_INSN(cls | op | BPF_X, data_reg(), data_reg(), target, 0));
    else
        put(BPF_RAW_INSN(cls | op | BPF_K, data_reg(), 0, target, (int32_t)value()));
}

/* ---- programs -------------------------------------------------------------------------------- */

static void fix_jumps(uint32_t start, const uint32_t *item_start)
{
    for (uint32_t i = start; i < cnt; i++) {
        unsigned cls = BPF_CLASS(insns[i].code), op = BPF_OP(insns[i].code);

        if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW)) {
            i++;
        } else if (insns[i].code == (BPF_JMP32 | BPF_JA)) {
            insns[i].imm = (int32_t)(item_start[insns[i].off] - i - 1);
            insns[i].off = 0;
        } else if ((cls == BPF_JMP || cls == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT) {
            insns[i].off = (int16_t)(item_start[insns[i].off] - i - 1);
        }
    }
}

static void make_function(unsigned function, unsigned items)
{
    uint32_t item_start[MAX_ITEMS + 1], start = cnt;
    bool stack = below(4) != 0; /* some functions never look at it, and get no frame */

    put_constants(R0, R8);
    put_imm64(R9, (uint64_t)(uintptr_t)buffer);
    for (unsigned s = 0; stack && s < 8; s++)
        put(BPF_STX_MEM(BPF_DW, R10, s, slots[s]));
    for (unsigned item = 0; item < items; item++) {
        unsigned kind = below(20);

        item_start[item] = cnt;
        if (kind < 8)
            item_alu();
        else if (kind < 10)
            item_unary();
        else if (kind < 13 && stack)
            item_memory();
        else if (kind < 14 && stack)
            item_atomic();
        else if (kind < 15)
            item_constant();
        else if (kind < 16 && items < 40)
            item_call(function);
        else
            item_jump(item, items);
    }
    item_start[items] = cnt;
    for (unsigned reg = R1; reg <= R8; reg++) {
        put(BPF_STX_MEM(BPF_DW, R9, reg, (int16_t)(8 * (reg + 9 * function))));
        put(BPF_ALU64_REG(BPF_ADD, R0, reg));
    }
    put(BPF_EXIT_INSN());
    fix_jumps(start, item_start);
}

/* Calls hold the number of the function; each calls later ones only. */
static void make_program(void)
{
    uint32_t entry[FUNCTIONS];
    unsigned most = below(50) ? 30 : MAX_ITEMS;

    cnt = 0;
    for (unsigned f = 0; f < FUNCTIONS; f++) {
        entry[f] = cnt;
        make_function(f, 1 + below(most));
    }
    for (uint32_t i = 0; i < cnt; i++) {
        if (insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == BPF_PSEUDO_CALL)
            insns[i].imm = (int32_t)(entry[insns[i].imm] - i - 1);
        else if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW))
            i++;
    }
}

static uint64_t first_seed(void)
{
    const char *text = getenv("SEED");

    return text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
}

static void fill_buffer(uint64_t seed)
{
    for (unsigned i = 0; i < BUFFER; i++)
        buffer[i] = (uint8_t)(seed >> i % 8 * 8 ^ i * 37);
}

static void print_program(uint64_t seed)
{
    printf("SEED=%llu:\n", (unsigned long long)seed);
    for (uint32_t i = 0; i < cnt && i < 400; i++)
        printf("%4u: %02x r%u r%u off %d imm 0x%x\n", i, insns[i].code, insns[i].dst_reg,
               insns[i].src_reg, insns[i].off, (unsigned)insns[i].imm);
}

/* True: the engines agree. */
static bool run_both(const struct ebpf_code *code, uint64_t seed)
{
    static uint8_t after[BUFFER];
    uint64_t want = 0, got = 0;

    fill_buffer(seed);
    engine_run_code(ENGINE_INTERP, code, NULL, &want);
    memcpy(after, buffer, sizeof(buffer));
    fill_buffer(seed);
    if (!engine_run_code(ENGINE_JIT, code, NULL, &got))
        return true;
    CHECK_EQ(got, want);
    CHECK(!memcmp(after, buffer, sizeof(buffer)));
    return got == want && !memcmp(after, buffer, sizeof(buffer));
}

#if defined(__riscv)
#define PROGRAMS 20000
#else
#define PROGRAMS 1500 /* encoded only, for seven addresses each, with the sanitizers */
#endif

TEST(engine_random_programs_do_the_same_on_both_engines)
{
    uint64_t first = first_seed();

    mock_time_ns = 0x123456789abcdef;
    for (uint64_t seed = first; seed < first + PROGRAMS; seed++) {
        struct ebpf_code code;

        state = seed * 0x9e3779b97f4a7c15ull | 1;
        make_program();
        if (!engine_code(insns, cnt, &code) || !run_both(&code, seed)) {
            print_program(seed);
            return;
        }
        engine_code_free(&code);
    }
}
