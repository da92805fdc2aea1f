/* SPDX-License-Identifier: MIT */
/* Statements of the verifier fuzzer's programs: memory, helpers, loops and calls. */
#include "tests/fuzz/fuzz_verifier_gen.h"

/* ---- memory ---------------------------------------------------------------------------------- */

/* Loads or stores through a pointer with room bytes behind it. */
static void touch(struct gen *g, unsigned ptr, int room, bool writable)
{
    unsigned size = vg_size_code(g), r;
    int bytes = vg_bytes_of(size), last = room - bytes, off;

    if (last < 0)
        size = BPF_B, bytes = 1, last = room - 1;
    off = vg_chance(g, 40) ? last : last > 0 ? (int)vg_below(g, (unsigned)last + 1) : 0;
    if (g->regs[ptr].kind == STACK) /* Linux wants these aligned */
        off = off / bytes * bytes;
    if (vg_careless(g))
        off += vg_chance(g, 50) ? 1 : -off - 1;
    if (writable && vg_chance(g, 15) && (g->regs[ptr].kind != PACKET || vg_careless(g))) {
        static const int32_t ops[] = {
            BPF_STORE_REL,      BPF_LOAD_ACQ, BPF_ADD,  BPF_ADD | BPF_FETCH, BPF_AND,
            BPF_OR | BPF_FETCH, BPF_XOR,      BPF_XCHG, BPF_CMPXCHG};
        int32_t op = ops[vg_below(g, sizeof(ops) / sizeof(ops[0]))];

        r = vg_number(g);
        if (g->regs[ptr].kind == NOTHING || r == ptr)
            return;
        if (op == BPF_CMPXCHG && g->regs[0].kind != NUMBER)
            return;
        vg_emit(g,
                BPF_ATOMIC_OP(vg_chance(g, 50) ? BPF_DW : BPF_W, op, ptr, r, (int16_t)(off & ~7)));
        return;
    }
    if (writable && vg_chance(g, 50)) {
        r = vg_find(g, NUMBER);
        vg_emit(g, r < 11 ? BPF_STX_MEM(size, ptr, r, (int16_t)off)
                          : BPF_ST_MEM(size, ptr, (int16_t)off, vg_edge(g)));
        return;
    }
    r = vg_spare(g);
    if (r == ptr)
        return;
    vg_emit(g, vg_chance(g, 20) && size != BPF_DW ? BPF_LDX_MEMSX(size, r, ptr, (int16_t)off)
                                                  : BPF_LDX_MEM(size, r, ptr, (int16_t)off));
    vg_set(g, r, NUMBER, 0, 0);
}

/* pointer + a number that was bounded, and an access there. */
static void touch_variable(struct gen *g, unsigned ptr, int room, bool writable)
{
    unsigned n = vg_unknown(g), copy = vg_spare(g);
    int most = 1 + (int)vg_below(g, (unsigned)room);
    uint32_t at;
    struct known before[11];

    if (n == ptr || g->regs[ptr].kind == NOTHING || g->regs[n].kind != NUMBER)
        return;
    memcpy(before, g->regs, sizeof(before));
    at = vg_bound(g, n, most);
    vg_twist(g, n);
    if (copy == n || copy == ptr || g->regs[copy].kind == RECORD || g->regs[n].kind != NUMBER)
        copy = n;
    if (copy == n) {
        vg_emit(g, BPF_ALU64_REG(BPF_ADD, n, ptr));
    } else {
        vg_emit(g, BPF_MOV64_REG(copy, ptr));
        vg_emit(g, BPF_RAW_INSN(BPF_ALU64 | (vg_chance(g, 90) ? BPF_ADD : BPF_SUB) | BPF_X, copy, n,
                                0, 0));
    }
    vg_set(g, copy, NOTHING, 0, 0);
    touch(g, copy, room - most > 0 ? room - most : 1, writable);
    vg_set(g, copy, NOTHING, 0, 0);
    vg_patch(g, at);
    if (at != UINT32_MAX)
        vg_merge(g, before);
}

static void any_touch(struct gen *g, unsigned ptr, int room, bool writable)
{
    if (vg_chance(g, g->regs[ptr].kind == PACKET ? 95 : 55))
        touch(g, ptr, room, writable);
    else
        touch_variable(g, ptr, room, writable);
}

void vg_use_value(struct gen *g)
{
    unsigned r = vg_find(g, VALUE);

    if (r < 11)
        any_touch(g, r, (int)vf_specs[g->regs[r].map].value_size - g->regs[r].off,
                  g->regs[r].map != VF_RODATA || vg_careless(g));
}

void vg_lookup(struct gen *g)
{
    static const unsigned maps[] = {VF_ARRAY, VF_HASH, VF_LRU};
    unsigned map = maps[vg_below(g, 3)], keep = 7 + vg_below(g, 3);
    struct known before[11];
    uint32_t at;

    vg_emit(g, BPF_ST_MEM(BPF_DW, 10, -8, (int32_t)vg_below(g, 6)));
    vg_emit(g, BPF_MOV64_REG(2, 10));
    vg_emit(g, BPF_ALU64_IMM(BPF_ADD, 2, -8));
    vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, map, 0);
    vg_call(g, 1);
    at = g->prog->cnt;
    memcpy(before, g->regs, sizeof(before));
    vg_set(g, 0, VALUE, map, 0);
    if (!vg_careless(g))
        vg_emit(g, BPF_JMP_IMM(BPF_JEQ, 0, 0, 0));
    else
        at = UINT32_MAX;
    if (g->regs[keep].kind != RECORD && !(g->looping && keep == 9) && vg_chance(g, 50)) {
        vg_emit(g, BPF_MOV64_REG(keep, 0));
        vg_set(g, keep, VALUE, map, 0);
    }
    g->depth++;
    for (unsigned i = 1 + vg_below(g, 3); i-- > 0;) {
        if (vg_chance(g, 60))
            vg_use_value(g);
        else
            vg_statement(g);
    }
    g->depth--;
    vg_patch(g, at);
    before[0].kind = NOTHING;
    vg_merge(g, before);
}

void vg_direct_value(struct gen *g)
{
    static const unsigned maps[] = {VF_GLOBAL, VF_RODATA, VF_ARRAY};
    unsigned map = maps[vg_below(g, vg_careless(g) ? 3 : 2)], r = vg_spare(g);
    uint32_t off = vg_below(g, vf_specs[map].value_size);

    vg_emit_imm64(g, r, BPF_PSEUDO_MAP_IDX_VALUE, map, off);
    vg_set(g, r, VALUE, map, (int32_t)off);
    vg_use_value(g);
}

/* One access at r10 minus something; Linux wants those aligned. */
static void touch_frame(struct gen *g)
{
    unsigned size = vg_size_code(g), r = vg_spare(g);
    int off = -vg_bytes_of(size) * (1 + (int)vg_below(g, 16)) + (int)vg_careless(g);

    if (vg_chance(g, 50)) {
        vg_emit(g, BPF_ST_MEM(size, 10, (int16_t)off, vg_edge(g)));
        return;
    }
    vg_emit(g, BPF_LDX_MEM(size, r, 10, (int16_t)off));
    vg_set(g, r, NUMBER, 0, 0);
}

void vg_use_stack(struct gen *g)
{
    int off = -8 * (1 + (int)vg_below(g, 12));
    unsigned r = vg_spare(g), from = vg_below(g, 10);

    switch (vg_below(g, 5)) {
    case 0: /* spill, and fill again */
        if (g->regs[from].kind == NOTHING || g->regs[from].kind == RECORD)
            return;
        vg_emit(g, BPF_STX_MEM(BPF_DW, 10, from, (int16_t)off));
        if (vg_chance(g, 50))
            vg_statement(g);
        if (vg_chance(g, 70)) {
            vg_emit(g, BPF_LDX_MEM(BPF_DW, r, 10, (int16_t)off));
            /* somebody may have written there: then it is a number */
            g->regs[r] = vg_chance(g, 80) ? g->regs[from] : (struct known){NUMBER, 0, 0};
            if (g->regs[r].kind == NOTHING)
                g->regs[r].kind = NUMBER;
        }
        return;
    case 1: /* a part of it */
        from = vg_number(g);
        vg_emit(g, BPF_STX_MEM(vg_chance(g, 50) ? BPF_W : vg_size_code(g), 10, from, (int16_t)off));
        vg_emit(g, BPF_LDX_MEM(vg_chance(g, 50) ? BPF_W : vg_size_code(g), r, 10,
                               (int16_t)(off + (int)(vg_chance(g, 20) ? 2 : 0))));
        vg_set(g, r, NUMBER, 0, 0);
        return;
    case 2:
        if (r == 0)
            r = 1;
        vg_emit(g, BPF_MOV64_REG(r, 10));
        vg_emit(g, BPF_ALU64_IMM(BPF_ADD, r, off * 2));
        vg_set(g, r, STACK, 0, off * 2);
        return;
    default:
        from = vg_find(g, STACK);
        if (from < 11)
            any_touch(g, from, -g->regs[from].off > 64 ? 64 : -g->regs[from].off, true);
        else
            touch_frame(g);
    }
}

void vg_packet(struct gen *g)
{
    unsigned p = 1 + vg_below(g, 2), e = 3 + vg_below(g, 2), t = 5;
    int room = 1 + (int)vg_below(g, 40);
    bool variable = vg_chance(g, 40);
    struct known before[11];
    uint32_t at, skip = UINT32_MAX;

    if (g->regs[CTX_REG].kind != CTX || g->type != BPF_PROG_TYPE_XDP)
        return;
    vg_emit(g, BPF_LDX_MEM(BPF_W, p, CTX_REG, 0));
    vg_emit(g, BPF_LDX_MEM(BPF_W, e, CTX_REG, 4));
    vg_set(g, p, PACKET, 0, 0);
    vg_set(g, e, END, 0, 0);
    vg_set(g, t, NOTHING, 0, 0);
    memcpy(before, g->regs, sizeof(before));
    if (variable) {
        unsigned n = 7 + vg_below(g, 2);

        if (g->regs[n].kind == RECORD)
            return;
        vg_emit(g, BPF_LDX_MEM(BPF_W, n, CTX_REG, 12));
        vg_set(g, n, NUMBER, 0, 0);
        skip = vg_bound(g, n, (int)vg_below(g, 2) ? 0xffff : 64);
        if (g->regs[p].kind != PACKET ||
            g->regs[e].kind != END) { /* taken for a copy of the number */
            vg_patch(g, skip);
            vg_merge(g, before);
            return;
        }
        vg_emit(g, BPF_ALU64_REG(BPF_ADD, p, n));
    }
    vg_emit(g, BPF_MOV64_REG(t, p));
    vg_emit(g, BPF_ALU64_IMM(BPF_ADD, t, room));
    at = g->prog->cnt;
    switch (vg_below(
        g, 4)) { /* all ways to ask, of which the jump is taken where there is too little */
    case 0:
        vg_emit(g, BPF_JMP_REG(BPF_JGT, t, e, 0));
        break;
    case 1:
        vg_emit(g, BPF_JMP_REG(BPF_JLT, e, t, 0));
        break;
    case 2:
        vg_emit(g, BPF_JMP_REG(BPF_JGE, t, e, 0));
        break;
    default:
        vg_emit(g, BPF_JMP_REG(BPF_JLE, e, t, 0));
    }
    if (vg_careless(g))
        g->prog->insns[at].code ^= 0x80;
    g->depth++;
    for (unsigned i = 1 + vg_below(g, 3); i-- > 0 && g->regs[p].kind == PACKET;)
        any_touch(g, p, room + (vg_careless(g) ? 1 : 0), true);
    if (vg_chance(g, 50))
        vg_statement(g);
    g->depth--;
    vg_patch(g, at);
    vg_patch(g, skip);
    vg_merge(g, before);
    vg_set(g, p, NOTHING, 0, 0);
}

void vg_record(struct gen *g)
{
    unsigned keep = 7 + vg_below(g, 2);
    int size = 8 * (1 + (int)vg_below(g, 6));
    struct known before[11];
    uint32_t at;

    if (g->held || g->depth >= 2)
        return;
    vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, VF_RING, 0);
    vg_emit(g, BPF_MOV64_IMM(2, size));
    vg_emit(g, BPF_MOV64_IMM(3, 0));
    vg_call(g, 131);
    memcpy(before, g->regs, sizeof(before));
    at = g->prog->cnt;
    vg_emit(g, BPF_JMP_IMM(BPF_JEQ, 0, 0, 0));
    vg_emit(g, BPF_MOV64_REG(keep, 0));
    vg_set(g, keep, RECORD, 0, 0);
    vg_set(g, 0, NOTHING, 0, 0);
    g->held = true;
    g->depth += 2;
    for (unsigned i = vg_below(g, 3); i-- > 0;) {
        if (vg_chance(g, 60))
            any_touch(g, keep, size, true);
        else
            vg_statement(g);
    }
    g->depth -= 2;
    g->held = false;
    vg_emit(g, BPF_MOV64_REG(1, keep));
    vg_emit(g, BPF_MOV64_IMM(2, 0));
    vg_set(g, keep, NOTHING, 0, 0);
    if (!vg_careless(g))
        vg_call(g, vg_chance(g, 50) ? 132 : 133);
    vg_set(g, 0, NOTHING, 0, 0);
    vg_patch(g, at);
    vg_merge(g, before);
}

/* A helper that takes memory and a size. */
void vg_output(struct gen *g)
{
    unsigned n = vg_unknown(g);
    int most = 1 + (int)vg_below(g, 64);
    uint32_t at;
    struct known before[11];

    memcpy(before, g->regs, sizeof(before));
    at = vg_bound(g, n, most);
    vg_emit(g, BPF_MOV64_REG(3, n));
    vg_emit(g, BPF_MOV64_REG(2, 10));
    vg_emit(g, BPF_ALU64_IMM(BPF_ADD, 2, -most + (vg_careless(g) ? 1 : 0)));
    vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, VF_RING, 0);
    vg_emit(g, BPF_MOV64_IMM(4, 0));
    vg_call(g, 130);
    vg_patch(g, at);
    vg_merge(g, before);
    for (unsigned r = 0; r <= 5; r++)
        vg_set(g, r, NOTHING, 0, 0);
}

void vg_update(struct gen *g)
{
    unsigned map = vg_chance(g, 50) ? VF_HASH : VF_ARRAY;
    bool remove = map == VF_HASH && vg_chance(g, 40);

    vg_emit(g, BPF_ST_MEM(BPF_DW, 10, -8, (int32_t)vg_below(g, 6)));
    vg_emit(g, BPF_MOV64_REG(2, 10));
    vg_emit(g, BPF_ALU64_IMM(BPF_ADD, 2, -8));
    vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, map, 0);
    if (!remove) {
        vg_emit(g, BPF_MOV64_REG(3, 10));
        vg_emit(g, BPF_ALU64_IMM(BPF_ADD, 3,
                                 -8 - (int)vf_specs[map].value_size + (vg_careless(g) ? 16 : 0)));
        vg_emit(g, BPF_MOV64_IMM(4, 0));
    }
    vg_call(g, remove ? 3 : 2);
}

/* Offsets of packets, by the old instructions. */
void vg_legacy(struct gen *g)
{
    unsigned r = vg_unknown(g);

    if (g->type != BPF_PROG_TYPE_SOCKET_FILTER || g->function || g->held ||
        g->regs[CTX_REG].kind != CTX)
        return;
    if (vg_chance(g, 50))
        vg_emit(g, BPF_RAW_INSN(BPF_LD | BPF_ABS | (vg_chance(g, 50) ? BPF_B : BPF_W), 0, 0, 0,
                                vg_below(g, 60)));
    else
        vg_emit(g, BPF_RAW_INSN(BPF_LD | BPF_IND | (vg_chance(g, 50) ? BPF_H : BPF_B), 0, r, 0,
                                vg_below(g, 60)));
    for (unsigned i = 1; i <= 5; i++)
        vg_set(g, i, NOTHING, 0, 0);
    vg_set(g, 0, NUMBER, 0, 0);
}

/* for (r9 = 0; r9 < n; r9++): only what is there on every way round is kept. */
void vg_loop(struct gen *g)
{
    struct known before[11];
    uint32_t top;
    int32_t times = 1 + (int32_t)vg_below(g, vg_chance(g, 80) ? 6 : 40);

    if (g->looping || g->held || g->depth >= 2 || g->regs[9].kind == RECORD)
        return;
    vg_emit(g, BPF_MOV64_IMM(9, 0));
    for (unsigned r = 0; r < 9; r++) {
        if (g->regs[r].kind != VALUE && g->regs[r].kind != CTX)
            vg_set(g, r, NOTHING, 0, 0);
    }
    memcpy(before, g->regs, sizeof(before));
    g->looping = true;
    vg_set(g, 9, NUMBER, 0, 0);
    top = g->prog->cnt;
    for (unsigned i = 1 + vg_below(g, 2); i-- > 0;)
        vg_statement(g);
    if (vg_chance(g, 40) && g->regs[9].kind == NUMBER) { /* the counter as an index */
        unsigned p = vg_find(g, VALUE);

        if (p < 11 && p != 5) {
            vg_emit(g, BPF_MOV64_REG(5, p));
            vg_emit(g, BPF_ALU64_REG(BPF_ADD, 5, 9));
            vg_emit(g, BPF_LDX_MEM(BPF_B, 5, 5, (int16_t)vg_below(g, 8)));
            vg_set(g, 5, NUMBER, 0, 0);
        }
    }
    vg_emit(g, BPF_ALU64_IMM(BPF_ADD, 9, 1));
    if (vg_chance(g, 15)) {
        vg_emit(g, BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 1, 0));
        vg_emit(g, BPF_JMP_A((int16_t)(top - g->prog->cnt - 1)));
    } else {
        vg_emit(g, BPF_JMP_IMM(vg_chance(g, 50) ? BPF_JLT : BPF_JNE, 9, times,
                               (int16_t)(top - g->prog->cnt - 1)));
    }
    g->looping = false;
    vg_merge(g, before);
    vg_set(g, 9, NOTHING, 0, 0);
}

/* r0 = function(a number, a stack address, a value or nothing) */
void vg_call_function(struct gen *g)
{
    unsigned f = vg_below(g, FUNCTIONS), n = vg_number(g);

    if (g->function > FUNCTIONS || f < g->function || g->held || g->call_cnt == 64)
        return; /* none calls one before it, or itself */
    if (n != 1)
        vg_emit(g, BPF_MOV64_REG(1, n));
    vg_emit(g, BPF_MOV64_REG(2, 10));
    vg_emit(g, BPF_ALU64_IMM(BPF_ADD, 2, -64));
    g->calls[g->call_cnt] = g->prog->cnt;
    g->callees[g->call_cnt++] = f + 1;
    vg_emit(g, BPF_CALL_REL(0));
    for (unsigned r = 1; r <= 5; r++)
        vg_set(g, r, NOTHING, 0, 0);
    vg_set(g, 0, NUMBER, 0, 0);
}

/* bpf_loop(a number, the callback, a stack address, 0) */
void vg_call_back(struct gen *g)
{
    if (g->function || g->held || g->call_cnt == 64)
        return;
    if (vg_chance(g, 60))
        vg_emit(g, BPF_MOV64_IMM(1, (int32_t)vg_below(g, 5)));
    else
        vg_emit(g, BPF_LDX_MEM(BPF_W, 1, 10, -4));
    g->calls[g->call_cnt] = g->prog->cnt;
    g->callees[g->call_cnt++] = CALLBACK;
    vg_emit_imm64(g, 2, BPF_PSEUDO_FUNC, 0, 0);
    vg_emit(g, BPF_MOV64_REG(3, 10));
    vg_emit(g, BPF_ALU64_IMM(BPF_ADD, 3, -64));
    vg_emit(g, BPF_MOV64_IMM(4, 0));
    vg_call(g, 181);
}
