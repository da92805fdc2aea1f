/* SPDX-License-Identifier: MIT */
/*
 * Programs that a verifier has to think about: most keep their promises by a hair, some break them
 * by one. The generator keeps book of what each register holds, roughly, so that programs are long
 * before something is wrong with them, and is careless now and then. What it is after: numbers that
 * are bounded in every way there is, and then used as an offset, a size or an index; pointers that
 * are spilled, merged, invalidated; values that may be NULL; records that must be given back;
 * loops, functions and callbacks around all that.
 */
#include "tests/fuzz/fuzz_verifier_gen.h"

unsigned vg_below(struct gen *g, unsigned n)
{
    return fuzz_below(&g->rnd, n);
}

bool vg_chance(struct gen *g, unsigned percent)
{
    return vg_below(g, 100) < percent;
}

bool vg_careless(struct gen *g)
{
    return vg_below(g, 1000) < g->carelessness;
}

void vg_emit(struct gen *g, struct bpf_insn insn)
{
    if (g->prog->cnt < FUZZ_MAX_INSNS)
        g->prog->insns[g->prog->cnt++] = insn;
}

void vg_emit_imm64(struct gen *g, unsigned dst, unsigned src, uint32_t low, uint32_t high)
{
    vg_emit(g, BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, dst, src, 0, low));
    vg_emit(g, BPF_RAW_INSN(0, 0, 0, 0, high));
}

void vg_set(struct gen *g, unsigned reg, enum kind kind, unsigned map, int32_t off)
{
    g->regs[reg] = (struct known){kind, map, off};
}

int32_t vg_edge(struct gen *g)
{
    static const int32_t edges[] = {
        0,  1,  2,  3,   4,   7,  8,  15, 16,        31,        32,           47,
        48, 63, 64, 127, 255, -1, -2, -8, INT32_MAX, INT32_MIN, INT32_MIN + 1};

    return vg_chance(g, 80) ? edges[vg_below(g, sizeof(edges) / sizeof(edges[0]))]
                            : (int32_t)fuzz_value(&g->rnd);
}

unsigned vg_size_code(struct gen *g)
{
    static const uint8_t sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};

    return sizes[vg_below(g, 4)];
}

int vg_bytes_of(unsigned code)
{
    return code == BPF_B ? 1 : code == BPF_H ? 2 : code == BPF_W ? 4 : 8;
}

void vg_call(struct gen *g, int helper)
{
    vg_emit(g, BPF_EMIT_CALL(helper));
    for (unsigned r = 1; r <= 5; r++)
        vg_set(g, r, NOTHING, 0, 0);
    vg_set(g, 0, NUMBER, 0, 0);
}

/* A register of that kind, or 11. */
unsigned vg_find(struct gen *g, enum kind kind)
{
    unsigned start = vg_below(g, 10);

    for (unsigned i = 0; i < 10; i++) {
        unsigned r = (start + i) % 10;

        if (g->regs[r].kind == kind && !(g->looping && r == 9))
            return r;
    }
    return 11;
}

/* One to write to: callee-saved ones more often, never the loop's counter, seldom the context. */
unsigned vg_spare(struct gen *g)
{
    for (unsigned tries = 0; tries < 20; tries++) {
        unsigned r = vg_chance(g, 50) ? 7 + vg_below(g, 3) : vg_below(g, 6);

        if ((g->looping && r == 9) || g->regs[r].kind == RECORD ||
            ((g->function == 0 || g->regs[CTX_REG].kind == CTX) && r == CTX_REG))
            continue;
        return r;
    }
    return 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* A number that nothing is known of, in a register. */
unsigned vg_unknown(struct gen *g)
{
    unsigned r = vg_spare(g), from;

    switch (vg_below(g, 5)) {
    case 0:
        vg_call(g, 7);
        return 0;
    case 1:
        from = vg_find(g, VALUE);
        if (from < 11) {
            unsigned size = vg_size_code(g);

            vg_emit(g, BPF_LDX_MEM(size, r, from, 0));
            break;
        }
        __attribute__((fallthrough));
    case 2:
        if (g->regs[CTX_REG].kind == CTX) {
            vg_emit(g, BPF_LDX_MEM(BPF_W, r, CTX_REG, g->type == BPF_PROG_TYPE_XDP ? 12 : 0));
            break;
        }
        __attribute__((fallthrough));
    case 3:
        from = vg_find(g, NUMBER);
        if (from < 11) {
            if (vg_chance(g, 70))
                return from;
            vg_emit(g, BPF_MOV64_REG(r, from));
            break;
        }
        __attribute__((fallthrough));
    default:
        vg_emit(g, BPF_LDX_MEM(BPF_DW, r, 10, -8 * (1 + (int)vg_below(g, 8))));
    }
    vg_set(g, r, NUMBER, 0, 0);
    return r;
}

unsigned vg_number(struct gen *g)
{
    unsigned r = vg_find(g, NUMBER);

    if (r < 11 && vg_chance(g, 60))
        return r;
    if (vg_chance(g, 30)) {
        r = vg_spare(g);
        vg_emit(g, vg_chance(g, 50) ? BPF_MOV64_IMM(r, vg_edge(g)) : BPF_MOV32_IMM(r, vg_edge(g)));
        vg_set(g, r, NUMBER, 0, 0);
        return r;
    }
    return vg_unknown(g);
}

static void arithmetic(struct gen *g)
{
    static const uint8_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR,   BPF_AND,
                                  BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR, BPF_ARSH, BPF_MOV};
    uint8_t op = ops[vg_below(g, sizeof(ops))], cls = vg_chance(g, 60) ? BPF_ALU64 : BPF_ALU;
    unsigned dst = vg_number(g), src = vg_find(g, NUMBER);
    int32_t imm = vg_edge(g), width = cls == BPF_ALU64 ? 64 : 32;

    if (vg_chance(g, 8)) {
        static const int32_t widths[] = {16, 32, 64};

        vg_emit(g, BPF_RAW_INSN(vg_chance(g, 30)
                                    ? BPF_ALU64 | BPF_END
                                    : BPF_ALU | BPF_END | (vg_chance(g, 50) ? BPF_TO_BE : 0),
                                dst, 0, 0, widths[vg_below(g, 3)]));
        return;
    }
    if (vg_chance(g, 8)) {
        vg_emit(g, BPF_RAW_INSN(cls | BPF_NEG, dst, 0, 0, 0));
        return;
    }
    if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
        imm = (int32_t)vg_below(g, (unsigned)width);
    if ((op == BPF_DIV || op == BPF_MOD) && !imm)
        imm = 3;
    if (src < 11 && vg_chance(g, 45)) {
        int16_t off = op == BPF_MOV && vg_chance(g, 40) ? (cls == BPF_ALU64 && vg_chance(g, 33) ? 32
                                                           : vg_chance(g, 50)                   ? 8
                                                                              : 16)
                      : (op == BPF_DIV || op == BPF_MOD) ? (int16_t)vg_chance(g, 50)
                                                         : 0;

        vg_emit(g, BPF_RAW_INSN(cls | op | BPF_X, dst, src, off, 0));
        return;
    }
    vg_emit(g, BPF_RAW_INSN(cls | op | BPF_K, dst, 0,
                            (op == BPF_DIV || op == BPF_MOD) && vg_chance(g, 50), imm));
}

static const uint8_t compares[] = {BPF_JEQ,  BPF_JNE,  BPF_JGT,  BPF_JGE,  BPF_JLT, BPF_JLE,
                                   BPF_JSET, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};

/* Whatever is known differs on the two ways that meet. */
void vg_merge(struct gen *g, const struct known before[11])
{
    for (unsigned r = 0; r < 11; r++) {
        const struct known *a = &g->regs[r], *b = &before[r];

        if (a->kind != b->kind || a->map != b->map || a->off != b->off)
            vg_set(g, r, NOTHING, 0, 0);
    }
}

/* if (a number compares to another) { statements } */
static void block(struct gen *g)
{
    unsigned dst = vg_number(g), src = vg_find(g, NUMBER);
    uint8_t cls = vg_chance(g, 60) ? BPF_JMP : BPF_JMP32,
            op = compares[vg_below(g, sizeof(compares))];
    struct known before[11];
    uint32_t at = g->prog->cnt, other;

    if (g->depth >= 3)
        return;
    vg_emit(g, src < 11 && vg_chance(g, 35)
                   ? BPF_RAW_INSN(cls | op | BPF_X, dst, src, 0, 0)
                   : BPF_RAW_INSN(cls | op | BPF_K, dst, 0, 0, vg_edge(g)));
    memcpy(before, g->regs, sizeof(before));
    g->depth++;
    for (unsigned i = 1 + vg_below(g, 3); i-- > 0;)
        vg_statement(g);
    if (vg_chance(g, 40)) { /* else */
        struct known then[11];

        other = g->prog->cnt;
        vg_emit(g, BPF_JMP_A(0));
        g->prog->insns[at].off = (int16_t)(g->prog->cnt - at - 1);
        memcpy(then, g->regs, sizeof(then));
        memcpy(g->regs, before, sizeof(before));
        vg_statement(g);
        g->prog->insns[other].off = (int16_t)(g->prog->cnt - other - 1);
        vg_merge(g, then);
    } else {
        g->prog->insns[at].off = (int16_t)(g->prog->cnt - at - 1);
        vg_merge(g, before);
    }
    g->depth--;
}

/* Makes a number smaller than about most, or leaves the function; returns how far the jump to
 * behind the use must be patched: the instruction's place, or UINT32_MAX. */
uint32_t vg_bound(struct gen *g, unsigned r, int32_t most)
{
    uint32_t at = g->prog->cnt;
    int32_t mask = 1;

    while (mask * 2 <= most)
        mask *= 2;
    most += vg_careless(g) ? 1 : 0;
    switch (vg_below(g, 8)) {
    case 0:
        vg_emit(g, BPF_ALU64_IMM(BPF_AND, r, mask - 1));
        return UINT32_MAX;
    case 1:
        vg_emit(g, BPF_ALU32_IMM(BPF_AND, r, mask - 1));
        return UINT32_MAX;
    case 2:
        vg_emit(g, BPF_JMP_IMM(BPF_JGT, r, most, 0));
        return at;
    case 3:
        vg_emit(g, BPF_JMP_IMM(BPF_JGE, r, most + 1, 0));
        return at;
    case 4: /* by two signed ones */
        vg_emit(g, BPF_JMP_IMM(BPF_JSGT, r, most, 1));
        vg_emit(g, BPF_JMP_IMM(BPF_JSGE, r, 0, 1));
        vg_emit(g, BPF_JMP_A(0));
        return at + 2;
    case 5:
        vg_emit(g, BPF_MOV32_REG(r, r));
        vg_emit(g, BPF_JMP32_IMM(BPF_JGT, r, most, 0));
        return at + 1;
    case 6:
        vg_emit(g, BPF_ALU64_IMM(BPF_RSH, r, 64 - (int)vg_below(g, 7)));
        if (!g->prog->insns[at].imm || g->prog->insns[at].imm == 64)
            g->prog->insns[at].imm = 60;
        return UINT32_MAX;
    default: /* through a copy: linked numbers */
    {
        unsigned copy = vg_spare(g);

        if (copy == r)
            copy = r == 0 ? 1 : 0;
        if (g->regs[copy].kind == RECORD)
            return UINT32_MAX;
        vg_emit(g, BPF_MOV64_REG(copy, r));
        vg_set(g, copy, NUMBER, 0, 0);
        if (vg_chance(g, 30))
            vg_emit(g, BPF_ALU64_IMM(BPF_ADD, copy, (int32_t)vg_below(g, 8)));
        vg_emit(g, BPF_JMP_IMM(BPF_JGT, copy, most, 0));
        return g->prog->cnt - 1;
    }
    }
}

void vg_patch(struct gen *g, uint32_t at)
{
    if (at != UINT32_MAX)
        g->prog->insns[at].off = (int16_t)(g->prog->cnt - at - 1);
}

/* A bounded number, changed once more in a way that a verifier can follow. */
void vg_twist(struct gen *g, unsigned r)
{
    switch (vg_below(g, 10)) {
    case 0:
        vg_emit(g, BPF_ALU64_IMM(BPF_LSH, r, 1 + (int)vg_below(g, 3)));
        break;
    case 1:
        vg_emit(g, BPF_ALU64_IMM(BPF_MUL, r, 1 + (int)vg_below(g, 4)));
        break;
    case 2:
        vg_emit(g, BPF_ALU64_IMM(BPF_ADD, r, (int)vg_below(g, 9) - 4));
        break;
    case 3:
        vg_emit(g, BPF_ALU64_IMM(BPF_XOR, r, (int)vg_below(g, 8)));
        break;
    case 4:
        vg_emit(g, BPF_ALU32_IMM(BPF_RSH, r, (int)vg_below(g, 3)));
        break;
    case 5:
        vg_emit(g, BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, r, r, 8, 0));
        break;
    case 6:
        vg_emit(g, BPF_ALU64_IMM(BPF_OR, r, (int)vg_below(g, 16)));
        break;
    default:
        break;
    }
}

/* How often, of all shares. */
static const struct {
    unsigned share;
    void (*make)(struct gen *g);
} statements[] = {
    {38, arithmetic},      {24, block},           {16, vg_lookup},   {12, vg_direct_value},
    {12, vg_use_value},    {18, vg_use_stack},    {16, vg_packet},   {6, vg_record},
    {4, vg_output},        {5, vg_update},        {4, vg_legacy},    {6, vg_loop},
    {6, vg_call_function}, {3, vg_call_back},     {3, vg_lock},      {4, vg_dynptr},
    {3, vg_outer},         {3, vg_small_maps},    {2, vg_tail_call}, {2, vg_move_packet},
    {3, vg_packet_kept},   {4, vg_context},       {2, vg_walk},      {2, vg_call_global},
    {4, vg_choice},        {4, vg_helper_memory},
};

void vg_statement(struct gen *g)
{
    static unsigned all;
    unsigned what, i = 0;

    for (unsigned s = 0; !all && s < sizeof(statements) / sizeof(statements[0]); s++)
        i += statements[s].share;
    all = all ? all : i;
    what = vg_below(g, all);
    i = 0;
    if (g->prog->cnt > MAX_INSNS)
        return;
    while (what >= statements[i].share)
        what -= statements[i++].share;
    statements[i].make(g);
}

/* ---- programs -------------------------------------------------------------------------------- */

static void leave(struct gen *g)
{
    if ((g->function >= CALLBACK && g->function < GLOBALS) ||
        (g->regs[0].kind != NUMBER && !vg_careless(g)))
        vg_emit(g, BPF_MOV64_IMM(0, (int32_t)vg_below(g, 2)));
    vg_emit(g, BPF_EXIT_INSN());
}

static uint32_t function(struct gen *g, unsigned n)
{
    uint32_t start = g->prog->cnt;

    memset(g->regs, 0, sizeof(g->regs));
    g->function = n;
    g->depth = 0;
    if (n == EACH) {
        vg_begin_each(g);
    } else if (n == DRAIN) {
        vg_begin_drain(g);
    } else if (n >= GLOBALS) {
        vg_begin_global(g, n - GLOBALS);
    } else {
        vg_set(g, 1, NUMBER, 0, 0);
        vg_set(g, 2, STACK, 0, -64);
    }
    if (n <= CALLBACK && vg_chance(g, 60)) {
        vg_emit(g, BPF_MOV64_REG(8, 2));
        vg_set(g, 8, STACK, 0, -64);
    }
    for (unsigned i = 1 + vg_below(g, 4); i-- > 0;)
        vg_statement(g);
    leave(g);
    return start;
}

uint32_t vf_type(uint64_t seed)
{
    if (seed % 16 == 15)
        return BPF_PROG_TYPE_KPROBE;
    return seed % 3 ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SOCKET_FILTER;
}

void vf_generate(struct fuzz_prog *prog, uint64_t seed)
{
    static struct gen gen;
    struct gen *g = &gen;
    uint32_t starts[GLOBALS + VF_GLOBAL_KINDS] = {0};

    memset(g, 0, sizeof(*g));
    fuzz_seed(&g->rnd, seed);
    prog->cnt = 0;
    prog->seed = seed;
    g->prog = prog;
    g->type = vf_type(seed);
    g->carelessness = vg_chance(g, 70) ? 0 : 5 + vg_below(g, 60);
    vg_emit(g, BPF_MOV64_REG(CTX_REG, 1));
    vg_set(g, CTX_REG, CTX, 0, 0);
    if (vg_chance(g, 70))
        vg_fill_stack(g);
    for (unsigned i = 2 + vg_below(g, 12); i-- > 0;)
        vg_statement(g);
    leave(g);
    for (uint32_t c = 0; c < g->call_cnt; c++) { /* functions may call more */
        if (!starts[g->callees[c]])
            starts[g->callees[c]] = function(g, g->callees[c]);
        prog->insns[g->calls[c]].imm = (int32_t)(starts[g->callees[c]] - g->calls[c] - 1);
    }
}

void vf_mutate(struct fuzz_prog *prog, struct fuzz_random *rnd)
{
    static const uint8_t flips[] = {0x10, 0x20, 0x40, 0x80, 0x08, 0x01, 0x03};

    for (unsigned n = 1 + fuzz_below(rnd, 3); n-- > 0;) {
        struct bpf_insn *insn = &prog->insns[fuzz_below(rnd, prog->cnt)];

        switch (fuzz_below(rnd, 8)) {
        case 0:
            insn->imm = (int32_t)((uint32_t)insn->imm + fuzz_below(rnd, 17) - 8);
            break;
        case 1:
            insn->imm = (int32_t)fuzz_value(rnd);
            break;
        case 2:
            insn->off = (int16_t)(insn->off + (int)fuzz_below(rnd, 5) - 2);
            break;
        case 3:
            insn->dst_reg = fuzz_below(rnd, 11) & 15;
            break;
        case 4:
            insn->src_reg = fuzz_below(rnd, 11) & 15;
            break;
        case 5:
            insn->code ^= flips[fuzz_below(rnd, sizeof(flips))];
            break;
        case 6: /* left out */
            if (!fuzz_is_imm64(insn) && insn->code)
                *insn = BPF_JMP_A(0);
            break;
        default: /* another of the program's own */
            *insn = prog->insns[fuzz_below(rnd, prog->cnt)];
        }
    }
}
