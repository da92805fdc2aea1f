/* SPDX-License-Identifier: MIT */
/*
 * Programs that a verifier has to think about: most keep their promises by a hair, some break them by one. The generator
 * keeps book of what each register holds, roughly, so that programs are long before something is wrong with them, and is
 * careless now and then. What it is after: numbers that are bounded in every way there is, and then used as an offset, a
 * size or an index; pointers that are spilled, merged, invalidated; values that may be NULL; records that must be given
 * back; loops, functions and callbacks around all that.
 */
#include "tests/fuzz/fuzz_verifier.h"

#define MAX_INSNS 400u
#define FUNCTIONS 2u
#define CTX_REG 6 /* the context stays there in the main function, mostly */

enum kind { NOTHING, NUMBER, CTX, PACKET, END, VALUE, STACK, RECORD };

struct known {
    enum kind kind;
    unsigned map; /* VALUE */
    int32_t off;  /* STACK: from r10; others: from the start */
};

struct gen {
    struct fuzz_prog *prog;
    struct fuzz_random rnd;
    uint32_t type;
    struct known regs[11];
    unsigned depth;       /* of blocks */
    unsigned function;    /* 0: the main one */
    bool looping, held;   /* a record is held: no way out */
    uint32_t calls[64], callees[64], call_cnt; /* to be told where the functions are */
    unsigned carelessness; /* of 1000 */
};

static unsigned below(struct gen *g, unsigned n)
{
    return fuzz_below(&g->rnd, n);
}

static bool chance(struct gen *g, unsigned percent)
{
    return below(g, 100) < percent;
}

static bool careless(struct gen *g)
{
    return below(g, 1000) < g->carelessness;
}

static void emit(struct gen *g, struct bpf_insn insn)
{
    if (g->prog->cnt < FUZZ_MAX_INSNS)
        g->prog->insns[g->prog->cnt++] = insn;
}

static void emit_imm64(struct gen *g, unsigned dst, unsigned src, uint32_t low, uint32_t high)
{
    emit(g, BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, dst, src, 0, low));
    emit(g, BPF_RAW_INSN(0, 0, 0, 0, high));
}

static void set(struct gen *g, unsigned reg, enum kind kind, unsigned map, int32_t off)
{
    g->regs[reg] = (struct known){kind, map, off};
}

static int32_t edge(struct gen *g)
{
    static const int32_t edges[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 47, 48, 63, 64, 127, 255, -1, -2, -8,
                                    INT32_MAX, INT32_MIN, INT32_MIN + 1};

    return chance(g, 80) ? edges[below(g, sizeof(edges) / sizeof(edges[0]))] : (int32_t)fuzz_value(&g->rnd);
}

static unsigned size_code(struct gen *g)
{
    static const uint8_t sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};

    return sizes[below(g, 4)];
}

static int bytes_of(unsigned code)
{
    return code == BPF_B ? 1 : code == BPF_H ? 2 : code == BPF_W ? 4 : 8;
}

static void call(struct gen *g, int helper)
{
    emit(g, BPF_EMIT_CALL(helper));
    for (unsigned r = 1; r <= 5; r++)
        set(g, r, NOTHING, 0, 0);
    set(g, 0, NUMBER, 0, 0);
}

/* A register of that kind, or 11. */
static unsigned find(struct gen *g, enum kind kind)
{
    unsigned start = below(g, 10);

    for (unsigned i = 0; i < 10; i++) {
        unsigned r = (start + i) % 10;

        if (g->regs[r].kind == kind && !(g->looping && r == 9))
            return r;
    }
    return 11;
}

/* One to write to: callee-saved ones more often, never the loop's counter, seldom the context. */
static unsigned spare(struct gen *g)
{
    for (unsigned tries = 0; tries < 20; tries++) {
        unsigned r = chance(g, 50) ? 7 + below(g, 3) : below(g, 6);

        if ((g->looping && r == 9) || g->regs[r].kind == RECORD || (g->function == 0 && r == CTX_REG))
            continue;
        return r;
    }
    return 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* A number that nothing is known of, in a register. */
static unsigned unknown(struct gen *g)
{
    unsigned r = spare(g), from;

    switch (below(g, 5)) {
    case 0:
        call(g, 7);
        return 0;
    case 1:
        from = find(g, VALUE);
        if (from < 11) {
            unsigned size = size_code(g);

            emit(g, BPF_LDX_MEM(size, r, from, 0));
            break;
        }
        __attribute__((fallthrough));
    case 2:
        if (g->function == 0 && g->regs[CTX_REG].kind == CTX) {
            emit(g, BPF_LDX_MEM(BPF_W, r, CTX_REG, g->type == BPF_PROG_TYPE_XDP ? 12 : 0));
            break;
        }
        __attribute__((fallthrough));
    case 3:
        from = find(g, NUMBER);
        if (from < 11) {
            if (chance(g, 70))
                return from;
            emit(g, BPF_MOV64_REG(r, from));
            break;
        }
        __attribute__((fallthrough));
    default:
        emit(g, BPF_LDX_MEM(BPF_DW, r, 10, -8 * (1 + (int)below(g, 8))));
    }
    set(g, r, NUMBER, 0, 0);
    return r;
}

static unsigned number(struct gen *g)
{
    unsigned r = find(g, NUMBER);

    if (r < 11 && chance(g, 60))
        return r;
    if (chance(g, 30)) {
        r = spare(g);
        emit(g, chance(g, 50) ? BPF_MOV64_IMM(r, edge(g)) : BPF_MOV32_IMM(r, edge(g)));
        set(g, r, NUMBER, 0, 0);
        return r;
    }
    return unknown(g);
}

static void arithmetic(struct gen *g)
{
    static const uint8_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR,  BPF_AND,
                                  BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR, BPF_ARSH, BPF_MOV};
    uint8_t op = ops[below(g, sizeof(ops))], cls = chance(g, 60) ? BPF_ALU64 : BPF_ALU;
    unsigned dst = number(g), src = find(g, NUMBER);
    int32_t imm = edge(g), width = cls == BPF_ALU64 ? 64 : 32;

    if (chance(g, 8)) {
        static const int32_t widths[] = {16, 32, 64};

        emit(g, BPF_RAW_INSN(chance(g, 30) ? BPF_ALU64 | BPF_END : BPF_ALU | BPF_END | (chance(g, 50) ? BPF_TO_BE : 0),
                             dst, 0, 0, widths[below(g, 3)]));
        return;
    }
    if (chance(g, 8)) {
        emit(g, BPF_RAW_INSN(cls | BPF_NEG, dst, 0, 0, 0));
        return;
    }
    if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
        imm = (int32_t)below(g, (unsigned)width);
    if ((op == BPF_DIV || op == BPF_MOD) && !imm)
        imm = 3;
    if (src < 11 && chance(g, 45)) {
        int16_t off = op == BPF_MOV && chance(g, 40) ? (cls == BPF_ALU64 && chance(g, 33) ? 32 : chance(g, 50) ? 8 : 16)
                      : (op == BPF_DIV || op == BPF_MOD) ? (int16_t)chance(g, 50)
                                                         : 0;

        emit(g, BPF_RAW_INSN(cls | op | BPF_X, dst, src, off, 0));
        return;
    }
    emit(g, BPF_RAW_INSN(cls | op | BPF_K, dst, 0, (op == BPF_DIV || op == BPF_MOD) && chance(g, 50), imm));
}

static const uint8_t compares[] = {BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE,
                                   BPF_JSET, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};

static void statement(struct gen *g);

/* Whatever is known differs on the two ways that meet. */
static void merge(struct gen *g, const struct known before[11])
{
    for (unsigned r = 0; r < 11; r++) {
        const struct known *a = &g->regs[r], *b = &before[r];

        if (a->kind != b->kind || a->map != b->map || a->off != b->off)
            set(g, r, NOTHING, 0, 0);
    }
}

/* if (a number compares to another) { statements } */
static void block(struct gen *g)
{
    unsigned dst = number(g), src = find(g, NUMBER);
    uint8_t cls = chance(g, 60) ? BPF_JMP : BPF_JMP32, op = compares[below(g, sizeof(compares))];
    struct known before[11];
    uint32_t at = g->prog->cnt, other;

    if (g->depth >= 3)
        return;
    emit(g, src < 11 && chance(g, 35) ? BPF_RAW_INSN(cls | op | BPF_X, dst, src, 0, 0)
                                      : BPF_RAW_INSN(cls | op | BPF_K, dst, 0, 0, edge(g)));
    memcpy(before, g->regs, sizeof(before));
    g->depth++;
    for (unsigned i = 1 + below(g, 3); i-- > 0;)
        statement(g);
    if (chance(g, 40)) { /* else */
        struct known then[11];

        other = g->prog->cnt;
        emit(g, BPF_JMP_A(0));
        g->prog->insns[at].off = (int16_t)(g->prog->cnt - at - 1);
        memcpy(then, g->regs, sizeof(then));
        memcpy(g->regs, before, sizeof(before));
        statement(g);
        g->prog->insns[other].off = (int16_t)(g->prog->cnt - other - 1);
        merge(g, then);
    } else {
        g->prog->insns[at].off = (int16_t)(g->prog->cnt - at - 1);
        merge(g, before);
    }
    g->depth--;
}

/* Makes a number smaller than about most, or leaves the function; returns how far the jump to behind the use must be
 * patched: the instruction's place, or UINT32_MAX. */
static uint32_t bound(struct gen *g, unsigned r, int32_t most)
{
    uint32_t at = g->prog->cnt;
    int32_t mask = 1;

    while (mask * 2 <= most)
        mask *= 2;
    most += careless(g) ? 1 : 0;
    switch (below(g, 8)) {
    case 0:
        emit(g, BPF_ALU64_IMM(BPF_AND, r, mask - 1));
        return UINT32_MAX;
    case 1:
        emit(g, BPF_ALU32_IMM(BPF_AND, r, mask - 1));
        return UINT32_MAX;
    case 2:
        emit(g, BPF_JMP_IMM(BPF_JGT, r, most, 0));
        return at;
    case 3:
        emit(g, BPF_JMP_IMM(BPF_JGE, r, most + 1, 0));
        return at;
    case 4: /* by two signed ones */
        emit(g, BPF_JMP_IMM(BPF_JSGT, r, most, 1));
        emit(g, BPF_JMP_IMM(BPF_JSGE, r, 0, 1));
        emit(g, BPF_JMP_A(0));
        return at + 2;
    case 5:
        emit(g, BPF_MOV32_REG(r, r));
        emit(g, BPF_JMP32_IMM(BPF_JGT, r, most, 0));
        return at + 1;
    case 6:
        emit(g, BPF_ALU64_IMM(BPF_RSH, r, 64 - (int)below(g, 7)));
        if (!g->prog->insns[at].imm || g->prog->insns[at].imm == 64)
            g->prog->insns[at].imm = 60;
        return UINT32_MAX;
    default: /* through a copy: linked numbers */
        {
            unsigned copy = spare(g);

            if (copy == r)
                copy = r == 0 ? 1 : 0;
            if (g->regs[copy].kind == RECORD)
                return UINT32_MAX;
            emit(g, BPF_MOV64_REG(copy, r));
            set(g, copy, NUMBER, 0, 0);
            if (chance(g, 30))
                emit(g, BPF_ALU64_IMM(BPF_ADD, copy, (int32_t)below(g, 8)));
            emit(g, BPF_JMP_IMM(BPF_JGT, copy, most, 0));
            return g->prog->cnt - 1;
        }
    }
}

static void patch(struct gen *g, uint32_t at)
{
    if (at != UINT32_MAX)
        g->prog->insns[at].off = (int16_t)(g->prog->cnt - at - 1);
}

/* A bounded number, changed once more in a way that a verifier can follow. */
static void twist(struct gen *g, unsigned r)
{
    switch (below(g, 10)) {
    case 0:
        emit(g, BPF_ALU64_IMM(BPF_LSH, r, 1 + (int)below(g, 3)));
        break;
    case 1:
        emit(g, BPF_ALU64_IMM(BPF_MUL, r, 1 + (int)below(g, 4)));
        break;
    case 2:
        emit(g, BPF_ALU64_IMM(BPF_ADD, r, (int)below(g, 9) - 4));
        break;
    case 3:
        emit(g, BPF_ALU64_IMM(BPF_XOR, r, (int)below(g, 8)));
        break;
    case 4:
        emit(g, BPF_ALU32_IMM(BPF_RSH, r, (int)below(g, 3)));
        break;
    case 5:
        emit(g, BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, r, r, 8, 0));
        break;
    case 6:
        emit(g, BPF_ALU64_IMM(BPF_OR, r, (int)below(g, 16)));
        break;
    default:
        break;
    }
}

/* ---- memory ----------------------------------------------------------------------------------- */

/* Loads or stores through a pointer with room bytes behind it. */
static void touch(struct gen *g, unsigned ptr, int room, bool writable)
{
    unsigned size = size_code(g), r;
    int bytes = bytes_of(size), last = room - bytes, off;

    if (last < 0)
        size = BPF_B, bytes = 1, last = room - 1;
    off = chance(g, 40) ? last : last > 0 ? (int)below(g, (unsigned)last + 1) : 0;
    if (g->regs[ptr].kind == STACK) /* Linux wants these aligned */
        off = off / bytes * bytes;
    if (careless(g))
        off += chance(g, 50) ? 1 : -off - 1;
    if (writable && chance(g, 15) && (g->regs[ptr].kind != PACKET || careless(g))) {
        static const int32_t ops[] = {BPF_ADD, BPF_ADD | BPF_FETCH, BPF_AND, BPF_OR | BPF_FETCH,
                                      BPF_XOR, BPF_XCHG,            BPF_CMPXCHG};
        int32_t op = ops[below(g, sizeof(ops) / sizeof(ops[0]))];

        r = number(g);
        if (g->regs[ptr].kind == NOTHING || r == ptr)
            return;
        if (op == BPF_CMPXCHG && g->regs[0].kind != NUMBER)
            return;
        emit(g, BPF_ATOMIC_OP(chance(g, 50) ? BPF_DW : BPF_W, op, ptr, r, (int16_t)(off & ~7)));
        return;
    }
    if (writable && chance(g, 50)) {
        r = find(g, NUMBER);
        emit(g, r < 11 ? BPF_STX_MEM(size, ptr, r, (int16_t)off) : BPF_ST_MEM(size, ptr, (int16_t)off, edge(g)));
        return;
    }
    r = spare(g);
    if (r == ptr)
        return;
    emit(g, chance(g, 20) && size != BPF_DW ? BPF_LDX_MEMSX(size, r, ptr, (int16_t)off)
                                            : BPF_LDX_MEM(size, r, ptr, (int16_t)off));
    set(g, r, NUMBER, 0, 0);
}

/* pointer + a number that was bounded, and an access there. */
static void touch_variable(struct gen *g, unsigned ptr, int room, bool writable)
{
    unsigned n = unknown(g), copy = spare(g);
    int most = 1 + (int)below(g, (unsigned)room);
    uint32_t at;
    struct known before[11];

    if (n == ptr || g->regs[ptr].kind == NOTHING || g->regs[n].kind != NUMBER)
        return;
    memcpy(before, g->regs, sizeof(before));
    at = bound(g, n, most);
    twist(g, n);
    if (copy == n || copy == ptr || g->regs[copy].kind == RECORD || g->regs[n].kind != NUMBER)
        copy = n;
    if (copy == n) {
        emit(g, BPF_ALU64_REG(BPF_ADD, n, ptr));
    } else {
        emit(g, BPF_MOV64_REG(copy, ptr));
        emit(g, BPF_RAW_INSN(BPF_ALU64 | (chance(g, 90) ? BPF_ADD : BPF_SUB) | BPF_X, copy, n, 0, 0));
    }
    set(g, copy, NOTHING, 0, 0);
    touch(g, copy, room - most > 0 ? room - most : 1, writable);
    set(g, copy, NOTHING, 0, 0);
    patch(g, at);
    if (at != UINT32_MAX)
        merge(g, before);
}

static void any_touch(struct gen *g, unsigned ptr, int room, bool writable)
{
    if (chance(g, g->regs[ptr].kind == PACKET ? 95 : 55))
        touch(g, ptr, room, writable);
    else
        touch_variable(g, ptr, room, writable);
}

static void use_value(struct gen *g)
{
    unsigned r = find(g, VALUE);

    if (r < 11)
        any_touch(g, r, (int)vf_specs[g->regs[r].map].value_size - g->regs[r].off,
                  g->regs[r].map != VF_RODATA || careless(g));
}

static void lookup(struct gen *g)
{
    static const unsigned maps[] = {VF_ARRAY, VF_HASH, VF_LRU};
    unsigned map = maps[below(g, 3)], keep = 7 + below(g, 3);
    struct known before[11];
    uint32_t at;

    emit(g, BPF_ST_MEM(BPF_DW, 10, -8, (int32_t)below(g, 6)));
    emit(g, BPF_MOV64_REG(2, 10));
    emit(g, BPF_ALU64_IMM(BPF_ADD, 2, -8));
    emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, map, 0);
    call(g, 1);
    at = g->prog->cnt;
    memcpy(before, g->regs, sizeof(before));
    set(g, 0, VALUE, map, 0);
    if (!careless(g))
        emit(g, BPF_JMP_IMM(BPF_JEQ, 0, 0, 0));
    else
        at = UINT32_MAX;
    if (g->regs[keep].kind != RECORD && !(g->looping && keep == 9) && chance(g, 50)) {
        emit(g, BPF_MOV64_REG(keep, 0));
        set(g, keep, VALUE, map, 0);
    }
    g->depth++;
    for (unsigned i = 1 + below(g, 3); i-- > 0;) {
        if (chance(g, 60))
            use_value(g);
        else
            statement(g);
    }
    g->depth--;
    patch(g, at);
    before[0].kind = NOTHING;
    merge(g, before);
}

static void direct_value(struct gen *g)
{
    static const unsigned maps[] = {VF_GLOBAL, VF_RODATA, VF_ARRAY};
    unsigned map = maps[below(g, careless(g) ? 3 : 2)], r = spare(g);
    uint32_t off = below(g, vf_specs[map].value_size);

    emit_imm64(g, r, BPF_PSEUDO_MAP_IDX_VALUE, map, off);
    set(g, r, VALUE, map, (int32_t)off);
    use_value(g);
}

/* One access at r10 minus something; Linux wants those aligned. */
static void touch_frame(struct gen *g)
{
    unsigned size = size_code(g), r = spare(g);
    int off = -bytes_of(size) * (1 + (int)below(g, 16)) + (int)careless(g);

    if (chance(g, 50)) {
        emit(g, BPF_ST_MEM(size, 10, (int16_t)off, edge(g)));
        return;
    }
    emit(g, BPF_LDX_MEM(size, r, 10, (int16_t)off));
    set(g, r, NUMBER, 0, 0);
}

static void use_stack(struct gen *g)
{
    int off = -8 * (1 + (int)below(g, 12));
    unsigned r = spare(g), from = below(g, 10);

    switch (below(g, 5)) {
    case 0: /* spill, and fill again */
        if (g->regs[from].kind == NOTHING || g->regs[from].kind == RECORD)
            return;
        emit(g, BPF_STX_MEM(BPF_DW, 10, from, (int16_t)off));
        if (chance(g, 50))
            statement(g);
        if (chance(g, 70)) {
            emit(g, BPF_LDX_MEM(BPF_DW, r, 10, (int16_t)off));
            /* somebody may have written there: then it is a number */
            g->regs[r] = chance(g, 80) ? g->regs[from] : (struct known){NUMBER, 0, 0};
            if (g->regs[r].kind == NOTHING)
                g->regs[r].kind = NUMBER;
        }
        return;
    case 1: /* a part of it */
        from = number(g);
        emit(g, BPF_STX_MEM(chance(g, 50) ? BPF_W : size_code(g), 10, from, (int16_t)off));
        emit(g, BPF_LDX_MEM(chance(g, 50) ? BPF_W : size_code(g), r, 10, (int16_t)(off + (int)(chance(g, 20) ? 2 : 0))));
        set(g, r, NUMBER, 0, 0);
        return;
    case 2:
        if (r == 0)
            r = 1;
        emit(g, BPF_MOV64_REG(r, 10));
        emit(g, BPF_ALU64_IMM(BPF_ADD, r, off * 2));
        set(g, r, STACK, 0, off * 2);
        return;
    default:
        from = find(g, STACK);
        if (from < 11)
            any_touch(g, from, -g->regs[from].off > 64 ? 64 : -g->regs[from].off, true);
        else
            touch_frame(g);
    }
}

static void packet(struct gen *g)
{
    unsigned p = 1 + below(g, 2), e = 3 + below(g, 2), t = 5;
    int room = 1 + (int)below(g, 40);
    bool variable = chance(g, 40);
    struct known before[11];
    uint32_t at, skip = UINT32_MAX;

    if (g->function || g->regs[CTX_REG].kind != CTX || g->type != BPF_PROG_TYPE_XDP)
        return;
    emit(g, BPF_LDX_MEM(BPF_W, p, CTX_REG, 0));
    emit(g, BPF_LDX_MEM(BPF_W, e, CTX_REG, 4));
    set(g, p, PACKET, 0, 0);
    set(g, e, END, 0, 0);
    set(g, t, NOTHING, 0, 0);
    memcpy(before, g->regs, sizeof(before));
    if (variable) {
        unsigned n = 7 + below(g, 2);

        if (g->regs[n].kind == RECORD)
            return;
        emit(g, BPF_LDX_MEM(BPF_W, n, CTX_REG, 12));
        set(g, n, NUMBER, 0, 0);
        skip = bound(g, n, (int)below(g, 2) ? 0xffff : 64);
        if (g->regs[p].kind != PACKET || g->regs[e].kind != END) { /* taken for a copy of the number */
            patch(g, skip);
            merge(g, before);
            return;
        }
        emit(g, BPF_ALU64_REG(BPF_ADD, p, n));
    }
    emit(g, BPF_MOV64_REG(t, p));
    emit(g, BPF_ALU64_IMM(BPF_ADD, t, room));
    at = g->prog->cnt;
    switch (below(g, 4)) { /* all ways to ask, of which the jump is taken where there is too little */
    case 0:
        emit(g, BPF_JMP_REG(BPF_JGT, t, e, 0));
        break;
    case 1:
        emit(g, BPF_JMP_REG(BPF_JLT, e, t, 0));
        break;
    case 2:
        emit(g, BPF_JMP_REG(BPF_JGE, t, e, 0));
        break;
    default:
        emit(g, BPF_JMP_REG(BPF_JLE, e, t, 0));
    }
    if (careless(g))
        g->prog->insns[at].code ^= 0x80;
    g->depth++;
    for (unsigned i = 1 + below(g, 3); i-- > 0 && g->regs[p].kind == PACKET;)
        any_touch(g, p, room + (careless(g) ? 1 : 0), true);
    if (chance(g, 50))
        statement(g);
    g->depth--;
    patch(g, at);
    patch(g, skip);
    merge(g, before);
    set(g, p, NOTHING, 0, 0);
}

static void record(struct gen *g)
{
    unsigned keep = 7 + below(g, 2);
    int size = 8 * (1 + (int)below(g, 6));
    struct known before[11];
    uint32_t at;

    if (g->held || g->depth >= 2)
        return;
    emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, VF_RING, 0);
    emit(g, BPF_MOV64_IMM(2, size));
    emit(g, BPF_MOV64_IMM(3, 0));
    call(g, 131);
    memcpy(before, g->regs, sizeof(before));
    at = g->prog->cnt;
    emit(g, BPF_JMP_IMM(BPF_JEQ, 0, 0, 0));
    emit(g, BPF_MOV64_REG(keep, 0));
    set(g, keep, RECORD, 0, 0);
    set(g, 0, NOTHING, 0, 0);
    g->held = true;
    g->depth += 2;
    for (unsigned i = below(g, 3); i-- > 0;) {
        if (chance(g, 60))
            any_touch(g, keep, size, true);
        else
            statement(g);
    }
    g->depth -= 2;
    g->held = false;
    emit(g, BPF_MOV64_REG(1, keep));
    emit(g, BPF_MOV64_IMM(2, 0));
    set(g, keep, NOTHING, 0, 0);
    if (!careless(g))
        call(g, chance(g, 50) ? 132 : 133);
    set(g, 0, NOTHING, 0, 0);
    patch(g, at);
    merge(g, before);
}

/* A helper that takes memory and a size. */
static void output(struct gen *g)
{
    unsigned n = unknown(g);
    int most = 1 + (int)below(g, 64);
    uint32_t at;
    struct known before[11];

    memcpy(before, g->regs, sizeof(before));
    at = bound(g, n, most);
    emit(g, BPF_MOV64_REG(3, n));
    emit(g, BPF_MOV64_REG(2, 10));
    emit(g, BPF_ALU64_IMM(BPF_ADD, 2, -most + (careless(g) ? 1 : 0)));
    emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, VF_RING, 0);
    emit(g, BPF_MOV64_IMM(4, 0));
    call(g, 130);
    patch(g, at);
    merge(g, before);
    for (unsigned r = 0; r <= 5; r++)
        set(g, r, NOTHING, 0, 0);
}

static void update(struct gen *g)
{
    unsigned map = chance(g, 50) ? VF_HASH : VF_ARRAY;
    bool remove = map == VF_HASH && chance(g, 40);

    emit(g, BPF_ST_MEM(BPF_DW, 10, -8, (int32_t)below(g, 6)));
    emit(g, BPF_MOV64_REG(2, 10));
    emit(g, BPF_ALU64_IMM(BPF_ADD, 2, -8));
    emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, map, 0);
    if (!remove) {
        emit(g, BPF_MOV64_REG(3, 10));
        emit(g, BPF_ALU64_IMM(BPF_ADD, 3, -8 - (int)vf_specs[map].value_size + (careless(g) ? 16 : 0)));
        emit(g, BPF_MOV64_IMM(4, 0));
    }
    call(g, remove ? 3 : 2);
}

/* Offsets of packets, by the old instructions. */
static void legacy(struct gen *g)
{
    unsigned r = unknown(g);

    if (g->type != BPF_PROG_TYPE_SOCKET_FILTER || g->function || g->held || g->regs[CTX_REG].kind != CTX)
        return;
    if (chance(g, 50))
        emit(g, BPF_RAW_INSN(BPF_LD | BPF_ABS | (chance(g, 50) ? BPF_B : BPF_W), 0, 0, 0, below(g, 60)));
    else
        emit(g, BPF_RAW_INSN(BPF_LD | BPF_IND | (chance(g, 50) ? BPF_H : BPF_B), 0, r, 0, below(g, 60)));
    for (unsigned i = 1; i <= 5; i++)
        set(g, i, NOTHING, 0, 0);
    set(g, 0, NUMBER, 0, 0);
}

/* for (r9 = 0; r9 < n; r9++): only what is there on every way round is kept. */
static void loop(struct gen *g)
{
    struct known before[11];
    uint32_t top;
    int32_t times = 1 + (int32_t)below(g, chance(g, 80) ? 6 : 40);

    if (g->looping || g->held || g->depth >= 2 || g->regs[9].kind == RECORD)
        return;
    emit(g, BPF_MOV64_IMM(9, 0));
    for (unsigned r = 0; r < 9; r++) {
        if (g->regs[r].kind != VALUE && g->regs[r].kind != CTX)
            set(g, r, NOTHING, 0, 0);
    }
    memcpy(before, g->regs, sizeof(before));
    g->looping = true;
    set(g, 9, NUMBER, 0, 0);
    top = g->prog->cnt;
    for (unsigned i = 1 + below(g, 2); i-- > 0;)
        statement(g);
    if (chance(g, 40) && g->regs[9].kind == NUMBER) { /* the counter as an index */
        unsigned p = find(g, VALUE);

        if (p < 11 && p != 5) {
            emit(g, BPF_MOV64_REG(5, p));
            emit(g, BPF_ALU64_REG(BPF_ADD, 5, 9));
            emit(g, BPF_LDX_MEM(BPF_B, 5, 5, (int16_t)below(g, 8)));
            set(g, 5, NUMBER, 0, 0);
        }
    }
    emit(g, BPF_ALU64_IMM(BPF_ADD, 9, 1));
    if (chance(g, 15)) {
        emit(g, BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 1, 0));
        emit(g, BPF_JMP_A((int16_t)(top - g->prog->cnt - 1)));
    } else {
        emit(g, BPF_JMP_IMM(chance(g, 50) ? BPF_JLT : BPF_JNE, 9, times, (int16_t)(top - g->prog->cnt - 1)));
    }
    g->looping = false;
    merge(g, before);
    set(g, 9, NOTHING, 0, 0);
}

/* r0 = function(a number, a stack address, a value or nothing) */
static void call_function(struct gen *g)
{
    unsigned f = below(g, FUNCTIONS), n = number(g);

    if (g->function || g->held || g->call_cnt == 64)
        return;
    if (n != 1)
        emit(g, BPF_MOV64_REG(1, n));
    emit(g, BPF_MOV64_REG(2, 10));
    emit(g, BPF_ALU64_IMM(BPF_ADD, 2, -64));
    g->calls[g->call_cnt] = g->prog->cnt;
    g->callees[g->call_cnt++] = f + 1;
    emit(g, BPF_CALL_REL(0));
    for (unsigned r = 1; r <= 5; r++)
        set(g, r, NOTHING, 0, 0);
    set(g, 0, NUMBER, 0, 0);
}

static void statement(struct gen *g)
{
    unsigned what = below(g, 100);

    if (g->prog->cnt > MAX_INSNS)
        return;
    if (what < 24)
        arithmetic(g);
    else if (what < 38)
        block(g);
    else if (what < 48)
        lookup(g);
    else if (what < 55)
        direct_value(g);
    else if (what < 62)
        use_value(g);
    else if (what < 72)
        use_stack(g);
    else if (what < 82)
        packet(g);
    else if (what < 85)
        record(g);
    else if (what < 88)
        output(g);
    else if (what < 91)
        update(g);
    else if (what < 94)
        legacy(g);
    else if (what < 97)
        loop(g);
    else
        call_function(g);
}

/* ---- programs ------------------------------------------------------------------------------------ */

static void leave(struct gen *g)
{
    if (g->regs[0].kind != NUMBER && !careless(g))
        emit(g, BPF_MOV64_IMM(0, (int32_t)below(g, 3)));
    emit(g, BPF_EXIT_INSN());
}

static uint32_t function(struct gen *g, unsigned n)
{
    uint32_t start = g->prog->cnt;

    memset(g->regs, 0, sizeof(g->regs));
    g->function = n;
    g->depth = 0;
    set(g, 1, NUMBER, 0, 0);
    set(g, 2, STACK, 0, -64);
    if (chance(g, 60)) {
        emit(g, BPF_MOV64_REG(8, 2));
        set(g, 8, STACK, 0, -64);
    }
    for (unsigned i = 1 + below(g, 4); i-- > 0;)
        statement(g);
    leave(g);
    return start;
}

uint32_t vf_type(uint64_t seed)
{
    return seed % 3 ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SOCKET_FILTER;
}

void vf_generate(struct fuzz_prog *prog, uint64_t seed)
{
    static struct gen gen;
    struct gen *g = &gen;
    uint32_t starts[FUNCTIONS + 1] = {0};

    memset(g, 0, sizeof(*g));
    fuzz_seed(&g->rnd, seed);
    prog->cnt = 0;
    prog->seed = seed;
    g->prog = prog;
    g->type = vf_type(seed);
    g->carelessness = chance(g, 70) ? 0 : 5 + below(g, 60);
    emit(g, BPF_MOV64_REG(CTX_REG, 1));
    set(g, CTX_REG, CTX, 0, 0);
    for (unsigned i = 2 + below(g, 12); i-- > 0;)
        statement(g);
    leave(g);
    for (uint32_t c = 0, cnt = g->call_cnt; c < cnt; c++) { /* functions call none */
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
