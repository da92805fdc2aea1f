/* SPDX-License-Identifier: MIT */
/*
 * The compiler's passes, all of them and each alone, with and without extensions, on random
 * programs of what they look at: nested loops, 32-bit arithmetic, shift pairs, spills, calls of
 * functions and helpers, lookups. Whatever runs must do what the interpreter does, to r0 and to
 * memory. SEED=n in the environment repeats a run.
 */
#include "tests/unit/engine.h"

#include <time.h>

#include "jit/opt/ir.h"
#include "maps/map.h"

#define MAX_SLOTS 4000
#define BUFFER 256

static struct bpf_insn insns[MAX_SLOTS];
static uint32_t cnt;
static uint64_t state;
static uint8_t buffer[BUFFER];
static struct ebpf_map *maps[2];
static unsigned used; /* registers that hold loop counters */

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned n)
{
    return (unsigned)((rnd() >> 33) % n);
}

static void put(struct bpf_insn insn)
{
    insns[cnt++] = insn;
}

static void put_pair(const struct bpf_insn pair[2])
{
    put(pair[0]);
    put(pair[1]);
}

static void put_imm64(unsigned reg, uint64_t value)
{
    put_pair((const struct bpf_insn[]){BPF_LD_IMM64(reg, value)});
}

static int32_t constant(void)
{
    static const int32_t some[] = {0,    1,    -1,    2,     7,     8,          31,        255,
                                   2047, 2048, -2048, -2049, 65535, 0x7fffffff, INT32_MIN, 256};

    return below(3) ? some[below(sizeof(some) / sizeof(some[0]))] : (int32_t)rnd();
}

/* r0 to r8 but for counters; r9 is the buffer's address */
static unsigned data_reg(void)
{
    for (;;) {
        unsigned reg = below(9);
        if (!(used >> reg & 1))
            return reg;
    }
}

static unsigned any_reg(void)
{
    return below(9);
}

/* ---- items ----------------------------------------------------------------------------------- */

static void alu(void)
{
    static const uint8_t ops[] = {BPF_ADD, BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR,  BPF_AND,
                                  BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR, BPF_MOV, BPF_MOV, BPF_ARSH};
    uint8_t cls = below(3) ? BPF_ALU : BPF_ALU64, op = ops[below(sizeof(ops))];
    int16_t off = (op == BPF_DIV || op == BPF_MOD) && below(2);

    if (below(2))
        put(BPF_RAW_INSN(cls | op | BPF_X, data_reg(), any_reg(), off, 0));
    else
        put(BPF_RAW_INSN(cls | op | BPF_K, data_reg(), 0, off, constant()));
}

/* What compilers write for rotations, truncations, indices. */
static void idiom(void)
{
    unsigned a = data_reg(), b = any_reg(), wide = below(2), n = 1 + below(wide ? 63 : 31);
    uint8_t cls = wide ? BPF_ALU64 : BPF_ALU;

    switch (below(5)) {
    case 0: /* a rotation of a, by way of another register */
        b = data_reg();
        put(BPF_MOV64_REG(b, a));
        put(BPF_RAW_INSN(cls | BPF_LSH, b, 0, 0, n));
        put(BPF_RAW_INSN(cls | BPF_RSH, a, 0, 0, (wide ? 64 : 32) - n));
        put(BPF_RAW_INSN(cls | (below(2) ? BPF_OR : BPF_ADD) | BPF_X, a, b, 0, 0));
        break;
    case 1:
        n = 32 + 8 * below(4);
        put(BPF_ALU64_IMM(BPF_LSH, a, 32 + 16 * below(2)));
        put(BPF_ALU64_IMM(below(2) ? BPF_RSH : BPF_ARSH, a, n));
        break;
    case 2:
        put(BPF_MOV32_REG(a, b));
        put(BPF_ALU64_IMM(BPF_LSH, a, below(5)));
        put(BPF_ALU64_REG(BPF_ADD, a, any_reg()));
        break;
    case 3:
        put(BPF_RAW_INSN(below(2) ? BPF_ALU64 | BPF_END : BPF_ALU | BPF_END | BPF_TO_BE, a, 0, 0,
                         16 << below(3)));
        break;
    default:
        put(BPF_ALU64_REG_OFF(BPF_MOV, a, b, 8 << below(3)));
    }
}

static const uint8_t sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};

static void memory(void)
{
    unsigned size = below(4), base = below(2) ? R9 : R10;
    int16_t off = (int16_t)((base == R10 ? -64 : 0) +
                            (int)(below(8) * 8 + (below(4) ? 0 : below(9 - (1u << size)))));

    switch (below(4)) {
    case 0:
        put(BPF_ST_MEM(sizes[size], base, off, constant()));
        break;
    case 1:
        put(BPF_STX_MEM(sizes[size], base, any_reg(), off));
        break;
    case 2:
        put(BPF_LDX_MEM(sizes[size], data_reg(), base, off));
        break;
    default: /* by way of a computed address */
        base = data_reg();
        put(BPF_MOV64_REG(base, R10));
        put(BPF_ALU64_IMM(BPF_ADD, base, -64 + 8 * (int)below(4)));
        put(BPF_LDX_MEM(sizes[size], base, base, 8 * (int)below(4)));
    }
}

/* r0 to r5 are set anew after a call: what they are then is undefined. A counter may be among
 * them. */
static void reload(void)
{
    for (unsigned reg = R1; reg <= R5; reg++)
        put(BPF_MOV64_IMM(reg, constant()));
}

static void lookup(void)
{
    unsigned which = below(2);
    bool found = below(2);

    if (below(2))
        put(BPF_ST_MEM(BPF_W, R10, -72, below(6)));
    else
        put(BPF_STX_MEM(BPF_W, R10, any_reg(), -72));
    put(BPF_MOV64_REG(R2, R10));
    put(BPF_ALU64_IMM(BPF_ADD, R2, -72));
    put_pair((const struct bpf_insn[]){
        BPF_LD_IMM64_RAW(R1, BPF_PSEUDO_MAP_FD, (uint64_t)(uintptr_t)maps[which])});
    put(BPF_EMIT_CALL(1));
    put(BPF_JMP_IMM(found ? BPF_JEQ : BPF_JNE, R0, 0, found ? 2 : 1));
    if (found) {
        put(BPF_ALU64_IMM(BPF_ADD, R6, 3));
        put(BPF_LDX_MEM(BPF_W, R7, R0, 4 * (int)below(2)));
    } else {
        put(BPF_ALU64_IMM(BPF_XOR, R6, 77));
    }
    /* an address is not the same on both engines' stacks; here it is, but so what */
    put(BPF_MOV64_IMM(R0, constant()));
    reload();
}

static void call(void)
{
    if ((used & 0x3f) == 0 && below(3) == 0 && !(used & (1 << R6 | 1 << R7))) {
        lookup();
    } else if ((used & 0x3f) == 0 && below(4) == 0) {
        put(BPF_EMIT_CALL(below(2) ? 5 : 8));
        reload();
    } else if ((used & 0x3f) == 0 && below(4) == 0) {
        put(BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0)); /* where to: at the end */
        reload();
    }
}

static void items(unsigned depth);

static void skip_some(void)
{
    static const uint8_t ops[] = {BPF_JEQ, BPF_JNE,  BPF_JSET, BPF_JGT,  BPF_JGE, BPF_JLT,
                                  BPF_JLE, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};
    uint8_t cls = below(3) ? BPF_JMP32 : BPF_JMP, op = ops[below(sizeof(ops))];
    uint32_t at = cnt;
    bool by_reg = below(2);

    put(BPF_RAW_INSN(cls | op | (by_reg ? BPF_X : BPF_K), any_reg(), by_reg ? any_reg() : 0, 0,
                     by_reg ? 0 : constant()));
    for (unsigned n = 1 + below(4); n; n--)
        alu();
    if (below(3) == 0) { /* an else */
        uint32_t over = cnt;
        put(BPF_JMP_A(0));
        insns[at].off = (int16_t)(cnt - at - 1);
        alu();
        insns[over].off = (int16_t)(cnt - over - 1);
    } else {
        insns[at].off = (int16_t)(cnt - at - 1);
    }
}

/* A counter of its own; the test at the end is written in the ways of compilers, or stands in
 * front. */
static void loop(unsigned depth)
{
    unsigned counter = data_reg(), kind = below(4), bound = 1 + below(6);
    uint32_t start, jump = 0;

    put(BPF_MOV64_IMM(counter, kind == 1 ? 0 : (int)bound));
    used |= 1u << counter;
    if (kind == 2) {
        jump = cnt;
        put(BPF_JMP_A(0));
    }
    start = cnt;
    items(depth + 1);
    used &= ~(1u << counter);
    if (kind == 2)
        insns[jump].off = (int16_t)(cnt - jump - 1);
    if (kind == 0) {
        put(BPF_ALU32_IMM(BPF_ADD, counter, -1));
        put(BPF_JMP32_IMM(BPF_JNE, counter, 0, (int)start - (int)cnt - 1));
    } else if (kind == 1) {
        put(BPF_ALU64_IMM(BPF_ADD, counter, 1));
        put(BPF_JMP_IMM(BPF_JEQ, counter, bound, 1));
        put(BPF_JMP_A((int)start - (int)cnt - 1));
    } else {
        put(BPF_ALU32_IMM(BPF_SUB, counter, 1));
        put(BPF_JMP32_IMM(BPF_JSGT, counter, 0, (int)start - (int)cnt - 1));
    }
}

static void items(unsigned depth)
{
    for (unsigned n = 2 + below(8); n; n--) {
        switch (below(9)) {
        case 0:
            idiom();
            break;
        case 1:
        case 2:
            memory();
            break;
        case 3:
            skip_some();
            break;
        case 4:
            if (depth < 3)
                loop(depth);
            break;
        case 5:
            call();
            break;
        case 6:
            put_imm64(data_reg(), below(2) ? rnd() : (uint64_t)constant());
            break;
        default:
            alu();
        }
    }
}

/* ---- programs -------------------------------------------------------------------------------- */

static void function(bool main)
{
    for (unsigned i = 0; i < 9; i++)
        put(BPF_ST_MEM(BPF_DW, R10, -72 + 8 * (int)i, (int)i));
    if (main)
        put(BPF_MOV64_REG(R9, R1));
    else
        put_imm64(R9, (uint64_t)(uintptr_t)buffer);
    for (unsigned reg = R0; reg <= R8; reg++)
        put_imm64(reg, below(2) ? rnd() : (uint64_t)constant());
    used = 0;
    for (unsigned n = 3; n; n--)
        items(0);
    for (unsigned reg = R1; reg <= R8; reg++) { /* all of them count; addresses of a stack do not */
        put(BPF_ALU64_IMM(BPF_LSH, R0, 1));
        put(BPF_ALU64_REG(BPF_XOR, R0, reg));
    }
    put(BPF_EXIT_INSN());
}

/* One that can be put where it is called: it changes registers and stack that its caller has,
 * too. */
static void small_function(void)
{
    unsigned a = R6 + below(4), b = R6 + below(4);

    put(BPF_MOV64_IMM(a, constant()));
    put(BPF_MOV64_REG(R0, R1));
    put(BPF_STX_MEM(BPF_DW, R10, R2, -8 * (1 + (int)below(8))));
    if (below(2))
        put(BPF_EMIT_CALL(5));
    if (below(2)) {
        put(BPF_JMP_IMM(BPF_JSGT, a, constant(), 2));
        put(BPF_MOV64_REG(R0, a));
        put(BPF_EXIT_INSN());
    }
    put(BPF_MOV64_IMM(b, constant()));
    put(BPF_MOV64_REG(R0, b));
    put(BPF_ALU64_REG(BPF_XOR, R0, a));
    put(BPF_EXIT_INSN());
}

static void make_program(void)
{
    uint32_t second;

    cnt = 0;
    function(true);
    second = cnt;
    if (below(2))
        function(false);
    else
        small_function();
    for (uint32_t i = 0; i < cnt; i++) {
        bool calls = insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == BPF_PSEUDO_CALL;

        if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW))
            i++;
        else if (calls && i < second)
            insns[i].imm = (int32_t)(second - i - 1);
        else if (calls)
            insns[i] = (struct bpf_insn)BPF_MOV64_IMM(R0, 5);
    }
}

static void fill(void)
{
    for (unsigned i = 0; i < BUFFER; i++)
        buffer[i] = (uint8_t)(i * 37 + 11);
}

/* A stack's address gets into r0 through moves of r10 in memory(), which loads at once: it does
 * not. */
static bool agree(struct ebpf_code *code, uint32_t passes, uint32_t isa, uint64_t want,
                  const uint8_t *memory_want)
{
    uint64_t got = want;

    ebpf_jit_passes = passes;
    mock_isa = isa;
    fill();
    if (!engine_run_code(ENGINE_JIT, code, buffer, &got))
        return true;
    return got == want && !memcmp(buffer, memory_want, BUFFER);
}

static bool check_program(uint64_t seed)
{
    const uint32_t masks[] = {0,
                              UINT32_MAX,
                              UINT32_MAX,
                              UINT32_MAX ^ EBPF_PASS(copy),
                              UINT32_MAX ^ EBPF_PASS(dead),
                              EBPF_PASS(forms),
                              EBPF_PASS(hoist),
                              EBPF_PASS(lookup),
                              EBPF_PASS(combine) | EBPF_PASS(copy),
                              UINT32_MAX ^ EBPF_PASS(jumps),
                              EBPF_PASS(inline),
                              UINT32_MAX ^ EBPF_PASS(inline),
                              EBPF_PASS(slots),
                              EBPF_PASS(forward),
                              UINT32_MAX ^ EBPF_PASS(slots),
                              UINT32_MAX ^ EBPF_PASS(forward)};
    struct ebpf_code code;
    uint8_t memory_want[BUFFER];
    uint64_t want;
    bool good = true;

    make_program();
    if (!engine_code(insns, cnt, &code)) {
        engine_code_free(&code);
        return false;
    }
    code.maps = maps;
    code.map_cnt = 2;
    fill();
    engine_run_code(ENGINE_INTERP, &code, buffer, &want);
    memcpy(memory_want, buffer, BUFFER);
    for (unsigned i = 0; good && i < sizeof(masks) / sizeof(masks[0]); i++) {
        uint32_t isa = i % 2 ? EBPF_ISA_ZBA | EBPF_ISA_ZBB | EBPF_ISA_ZBS : 0;

        good = agree(&code, masks[i], isa, want, memory_want);
        if (!good)
            test_fail(__FILE__, __LINE__,
                      "SEED=%llu: %u instructions, passes 0x%x, extensions %u do something else",
                      (unsigned long long)seed, cnt, masks[i], isa);
    }
    engine_code_free(&code);
    return good;
}

TEST(opt_random_programs_do_the_same_whatever_passes_run)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) << 20;
    uint32_t passes = ebpf_jit_passes;
    unsigned rounds = given ? 1 : 600;
    bool good = true;

    for (unsigned i = 0; i < 2; i++) {
        const struct ebpf_map_spec spec = {.type =
                                               i ? BPF_MAP_TYPE_PERCPU_ARRAY : BPF_MAP_TYPE_ARRAY,
                                           .key_size = 4,
                                           .value_size = i ? 8 : 12,
                                           .max_entries = 4};
        REQUIRE(ebpf_map_create(&spec, &maps[i]) == 0);
    }
    for (unsigned i = 0; good && i < rounds; i++) {
        state = (seed + i) * 0x9e3779b97f4a7c15ull | 1;
        mock_set_cpu((unsigned)(seed + i) % 4);
        good = check_program(seed + i);
    }
    mock_set_cpu(0);
    ebpf_jit_passes = passes;
    for (unsigned i = 0; i < 2; i++)
        ebpf_obj_put(ebpf_map_obj(maps[i]));
}
