/* SPDX-License-Identifier: MIT */
/* Statements of the verifier fuzzer's programs: locks, dynptrs, maps in maps, tail calls, packets
 * that move, callbacks, global functions, contexts, helpers that take memory. */
#include "tests/fuzz/fuzz_verifier_gen.h"

static void forget_args(struct gen *g)
{
    for (unsigned r = 0; r <= 5; r++)
        vg_set(g, r, NOTHING, 0, 0);
}

/* reg = r10 + off */
static void stack_address(struct gen *g, unsigned reg, int off)
{
    vg_emit(g, BPF_MOV64_REG(reg, 10));
    vg_emit(g, BPF_ALU64_IMM(BPF_ADD, reg, off));
}

/* r0 = what a lookup of a small constant key gives */
static void look_up(struct gen *g, unsigned map, unsigned keys)
{
    vg_emit(g, BPF_ST_MEM(BPF_W, 10, -4, (int32_t)vg_below(g, keys + vg_careless(g))));
    stack_address(g, 2, -4);
    vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, map, 0);
    vg_call(g, 1);
    vg_set(g, 0, NOTHING, 0, 0);
}

/* Begins what happens only where r0 is not NULL; returns the jump to be patched. */
static uint32_t unless_null(struct gen *g)
{
    uint32_t at = g->prog->cnt;

    if (vg_careless(g))
        return UINT32_MAX;
    vg_emit(g, BPF_JMP_IMM(BPF_JEQ, 0, 0, 0));
    return at;
}

/* ---- locks ----------------------------------------------------------------------------------- */

void vg_lock(struct gen *g)
{
    unsigned keep = 7 + vg_below(g, 2);
    struct known before[11];
    uint32_t at;

    if (g->held || g->function >= CALLBACK || g->regs[keep].kind == RECORD)
        return;
    look_up(g, VF_LOCKED, 2);
    memcpy(before, g->regs, sizeof(before));
    at = unless_null(g);
    vg_emit(g, BPF_MOV64_REG(keep, 0));
    vg_emit(g, BPF_MOV64_REG(1, keep));
    if (!vg_careless(g))
        vg_call(g, 93);
    vg_emit(g, BPF_LDX_MEM(BPF_W, 0, keep, vg_careless(g) ? 0 : 4 + 4 * (int16_t)vg_below(g, 7)));
    if (vg_chance(g, 50))
        vg_emit(g, BPF_ALU64_IMM(BPF_ADD, 0, 1));
    vg_emit(g, BPF_STX_MEM(BPF_W, keep, 0, vg_careless(g) ? 2 : 4 + 4 * (int16_t)vg_below(g, 7)));
    if (vg_careless(g))
        vg_call(g, 7);
    vg_emit(g, BPF_MOV64_REG(1, keep));
    if (!vg_careless(g))
        vg_call(g, 94);
    vg_set(g, keep, NOTHING, 0, 0);
    forget_args(g);
    vg_patch(g, at);
    vg_merge(g, before);
}

/* ---- dynptrs --------------------------------------------------------------------------------- */

/* Reads from, or writes to, the dynptr at r10 + at; or takes its memory. */
static void use_dynptr(struct gen *g, int at, int size)
{
    int part = 1 + (int)vg_below(g, 8);
    uint32_t jump;

    switch (vg_below(g, 3)) {
    case 0: /* dynptr_read(to, size, dynptr, offset, flags) */
        stack_address(g, 1, -48);
        vg_emit(g, BPF_MOV64_IMM(2, part));
        stack_address(g, 3, at);
        vg_emit(g, BPF_MOV64_IMM(4, (int32_t)vg_below(g, 8)));
        vg_emit(g, BPF_MOV64_IMM(5, 0));
        vg_call(g, 201);
        break;
    case 1: /* dynptr_write(dynptr, offset, from, size, flags) */
        stack_address(g, 1, at);
        vg_emit(g, BPF_MOV64_IMM(2, (int32_t)vg_below(g, 8)));
        vg_emit(g, BPF_ST_MEM(BPF_DW, 10, -48, vg_edge(g)));
        stack_address(g, 3, -48);
        vg_emit(g, BPF_MOV64_IMM(4, part));
        vg_emit(g, BPF_MOV64_IMM(5, 0));
        vg_call(g, 202);
        break;
    default: /* dynptr_data(dynptr, offset, size) */
        stack_address(g, 1, at);
        vg_emit(g, BPF_MOV64_IMM(2, 0));
        vg_emit(g, BPF_MOV64_IMM(3, size));
        vg_call(g, 203);
        jump = unless_null(g);
        vg_emit(g, BPF_ST_MEM(BPF_B, 0, (int16_t)(size - 1 + (int)vg_careless(g)), 5));
        vg_emit(g, BPF_LDX_MEM(BPF_B, 0, 0, 0));
        vg_patch(g, jump);
        vg_set(g, 0, NOTHING, 0, 0);
    }
}

void vg_dynptr(struct gen *g)
{
    int at = -112 + 8 * (int)vg_below(g, 3), size = 8 + (int)vg_below(g, 16);
    bool ring = vg_chance(g, 50);

    if (g->held || g->function >= CALLBACK)
        return;
    if (ring) { /* ringbuf_reserve_dynptr(map, size, flags, dynptr) */
        vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, VF_RING, 0);
        vg_emit(g, BPF_MOV64_IMM(2, size));
    } else { /* dynptr_from_mem(mem, size, flags, dynptr) */
        vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX_VALUE, VF_GLOBAL, vg_below(g, 16));
        vg_emit(g, BPF_MOV64_IMM(2, size + (vg_careless(g) ? 48 : 0)));
    }
    vg_emit(g, BPF_MOV64_IMM(3, 0));
    stack_address(g, 4, at);
    vg_call(g, ring ? 198 : 197);
    g->held = true;
    for (unsigned i = vg_below(g, 3); i-- > 0;)
        use_dynptr(g, at, size);
    if (vg_careless(g)) /* it is written over */
        vg_emit(g, BPF_ST_MEM(BPF_B, 10, (int16_t)(at + (int)vg_below(g, 16)), 1));
    g->held = false;
    if (!ring || vg_careless(g))
        return;
    stack_address(g, 1, at);
    vg_emit(g, BPF_MOV64_IMM(2, 0));
    vg_call(g, vg_chance(g, 50) ? 199 : 200);
    vg_set(g, 0, NOTHING, 0, 0);
    if (vg_careless(g))
        use_dynptr(g, at, size);
}

/* ---- maps ------------------------------------------------------------------------------------ */

void vg_outer(struct gen *g)
{
    struct known before[11];
    uint32_t outer, inner;

    look_up(g, VF_OUTER, 2);
    memcpy(before, g->regs, sizeof(before));
    outer = unless_null(g);
    vg_emit(g, BPF_ST_MEM(BPF_W, 10, -4, (int32_t)vg_below(g, 5)));
    stack_address(g, 2, -4);
    vg_emit(g, BPF_MOV64_REG(1, 0));
    vg_call(g, 1);
    inner = unless_null(g);
    vg_set(g, 0, VALUE, VF_INNER, 0);
    g->depth++;
    vg_use_value(g);
    if (vg_chance(g, 50))
        vg_statement(g);
    g->depth--;
    vg_patch(g, inner);
    vg_patch(g, outer);
    vg_merge(g, before);
    vg_set(g, 0, NOTHING, 0, 0);
}

/* A queue, or a value of this hart. */
void vg_small_maps(struct gen *g)
{
    static const int ops[] = {87, 88, 89};
    struct known before[11];
    uint32_t at;

    if (vg_chance(g, 50)) {
        int op = ops[vg_below(g, 3)];

        vg_emit(g, BPF_ST_MEM(BPF_DW, 10, -40, vg_edge(g)));
        vg_emit(g, BPF_ST_MEM(BPF_DW, 10, -32, vg_edge(g)));
        stack_address(g, 2, vg_careless(g) ? -8 : -40);
        vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, VF_QUEUE, 0);
        vg_emit(g, BPF_MOV64_IMM(3, 0));
        vg_call(g, op);
        return;
    }
    look_up(g, VF_PERCPU, 2);
    memcpy(before, g->regs, sizeof(before));
    at = unless_null(g);
    vg_set(g, 0, VALUE, VF_PERCPU, 0);
    vg_use_value(g);
    vg_patch(g, at);
    vg_merge(g, before);
}

/* ---- leaving, moving ------------------------------------------------------------------------- */

void vg_tail_call(struct gen *g)
{
    unsigned n = vg_number(g);

    if (g->held || g->regs[CTX_REG].kind != CTX || g->depth >= 2 || g->type == BPF_PROG_TYPE_KPROBE)
        return;
    if (vg_chance(g, 70))
        vg_emit(g, BPF_MOV64_IMM(3, (int32_t)vg_below(g, 5)));
    else if (n != 3)
        vg_emit(g, BPF_MOV64_REG(3, n));
    vg_emit_imm64(g, 2, BPF_PSEUDO_MAP_IDX,
                  (g->type == BPF_PROG_TYPE_XDP) != vg_careless(g) ? VF_PROGS : VF_FILTERS, 0);
    vg_emit(g, BPF_MOV64_REG(1, CTX_REG));
    vg_call(g, 12);
    vg_set(g, 0, NOTHING, 0, 0);
}

/* The packet may be elsewhere afterwards: its pointers are gone. */
void vg_move_packet(struct gen *g)
{
    static const int ops[] = {44, 54, 65};

    if (g->regs[CTX_REG].kind != CTX || g->type != BPF_PROG_TYPE_XDP)
        return;
    vg_emit(g, BPF_MOV64_REG(1, CTX_REG));
    vg_emit(g, BPF_MOV64_IMM(2, (int32_t)vg_below(g, 17) - 8));
    vg_call(g, ops[vg_below(g, 3)]);
    for (unsigned r = 0; r < 11; r++) {
        if ((g->regs[r].kind == PACKET || g->regs[r].kind == END) && !vg_careless(g))
            vg_set(g, r, NOTHING, 0, 0);
    }
}

/* A packet's pointer in a register that calls keep, a helper that may move the packet, and then one
 * more access, or none. */
void vg_packet_kept(struct gen *g)
{
    unsigned keep = 7 + vg_below(g, 2);
    uint32_t at;

    if (g->regs[CTX_REG].kind != CTX || g->type != BPF_PROG_TYPE_XDP || g->held ||
        g->regs[keep].kind == RECORD)
        return;
    vg_emit(g, BPF_LDX_MEM(BPF_W, keep, CTX_REG, vg_chance(g, 70) ? 0 : 8));
    vg_emit(g, BPF_LDX_MEM(BPF_W, 3, CTX_REG, vg_chance(g, 70) ? 4 : 0));
    vg_emit(g, BPF_MOV64_REG(2, keep));
    vg_emit(g, BPF_ALU64_IMM(BPF_ADD, 2, 4));
    at = g->prog->cnt;
    vg_emit(g, BPF_JMP_REG(BPF_JGT, 2, 3, 0));
    vg_emit(g, BPF_LDX_MEM(BPF_W, 5, keep, 0));
    if (vg_chance(g, 50)) {
        vg_emit(g, BPF_STX_MEM(BPF_DW, 10, keep, -72));
        vg_move_packet(g);
        if (vg_careless(g)) {
            vg_emit(g, BPF_LDX_MEM(BPF_DW, keep, 10, -72));
            vg_emit(g, BPF_LDX_MEM(BPF_B, 5, keep, 3));
        }
    }
    if (g->carelessness && vg_chance(g, 20))
        vg_emit(g, BPF_LDX_MEM(BPF_B, 5, keep, 1));
    vg_set(g, keep, NOTHING, 0, 0);
    forget_args(g);
    vg_patch(g, at);
}

/* ---- contexts -------------------------------------------------------------------------------- */

/* Any part of a field; XDP's come whole. */
void vg_context(struct gen *g)
{
    unsigned size = vg_size_code(g), r = vg_spare(g), bytes;
    int off;

    if (g->regs[CTX_REG].kind != CTX)
        return;
    if (g->type == BPF_PROG_TYPE_XDP && !vg_careless(g))
        size = BPF_W;
    if (g->type == BPF_PROG_TYPE_SOCKET_FILTER && size == BPF_DW && !vg_careless(g))
        size = BPF_H;
    bytes = (unsigned)vg_bytes_of(size);
    if (g->type == BPF_PROG_TYPE_XDP)
        off = 12 + 4 * (int)vg_below(g, 3);
    else
        off = (int)(vg_below(g, (g->type == BPF_PROG_TYPE_KPROBE ? 160 : 64) / bytes) * bytes);
    if (g->type == BPF_PROG_TYPE_SOCKET_FILTER && vg_chance(g, 30)) {
        unsigned n = vg_number(g);

        vg_emit(g, BPF_STX_MEM(BPF_W, CTX_REG, n, (int16_t)(48 + 4 * vg_below(g, 5))));
        return;
    }
    vg_emit(g, BPF_LDX_MEM(size, r, CTX_REG, (int16_t)(off + (int)vg_careless(g))));
    vg_set(g, r, NUMBER, 0, 0);
}

/* ---- functions ------------------------------------------------------------------------------- */

static void name_callback(struct gen *g, unsigned which, int helper)
{
    g->calls[g->call_cnt] = g->prog->cnt;
    g->callees[g->call_cnt++] = which;
    vg_emit_imm64(g, 2, BPF_PSEUDO_FUNC, 0, 0);
    stack_address(g, 3, -64);
    vg_emit(g, BPF_MOV64_IMM(4, 0));
    vg_call(g, helper);
}

void vg_walk(struct gen *g)
{
    bool each = vg_chance(g, 60);

    if (g->function || g->held || g->call_cnt == 64)
        return;
    vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX, each ? VF_ARRAY : VF_USER_RING, 0);
    name_callback(g, each ? EACH : DRAIN, each ? 164 : 209);
}

/* What these functions find: see function() in _gen. */
void vg_begin_each(struct gen *g)
{
    vg_emit(g, BPF_MOV64_REG(8, 3));
    vg_set(g, 3, VALUE, VF_ARRAY, 0);
    vg_set(g, 8, VALUE, VF_ARRAY, 0);
    vg_set(g, 4, STACK, 0, -64);
    vg_emit(g, BPF_LDX_MEM(BPF_W, 7, 2, (int16_t)vg_careless(g)));
    vg_set(g, 7, NUMBER, 0, 0);
}

void vg_begin_drain(struct gen *g)
{
    vg_emit(g, BPF_MOV64_REG(7, 2));
    vg_emit(g, BPF_MOV64_REG(3, 1));
    stack_address(g, 1, -32);
    vg_emit(g, BPF_MOV64_IMM(2, 8 + (int32_t)vg_below(g, 8)));
    vg_emit(g, BPF_MOV64_IMM(4, (int32_t)vg_below(g, 8)));
    vg_emit(g, BPF_MOV64_IMM(5, 0));
    vg_call(g, 201);
    vg_set(g, 7, STACK, 0, -64);
}

void vg_begin_global(struct gen *g, unsigned kind)
{
    vg_emit(g, BPF_MOV64_IMM(0, (int32_t)(VF_GLOBAL_MARK + kind)));
    vg_set(g, 0, NUMBER, 0, 0);
    if (kind == 0) {
        vg_set(g, 1, NUMBER, 0, 0);
    } else if (kind == 1) {
        uint32_t at = g->prog->cnt;

        if (vg_careless(g))
            at = UINT32_MAX;
        else
            vg_emit(g, BPF_JMP_IMM(BPF_JEQ, 1, 0, 0));
        vg_emit(g, BPF_LDX_MEM(BPF_W, 0, 1, (int16_t)(4 * vg_below(g, 4) + 2 * vg_careless(g))));
        vg_emit(g, BPF_STX_MEM(BPF_B, 1, 0, (int16_t)(vg_below(g, 16) + vg_careless(g))));
        vg_patch(g, at);
        vg_set(g, 2, NUMBER, 0, 0);
    } else {
        vg_emit(g, BPF_MOV64_REG(CTX_REG, 1));
        vg_set(g, CTX_REG, CTX, 0, 0);
    }
}

void vg_call_global(struct gen *g)
{
    unsigned kind = vg_below(g, 3), n = vg_number(g);

    if (g->function || g->held || g->call_cnt == 64 || g->type == BPF_PROG_TYPE_KPROBE)
        return;
    if (kind == 2 && g->regs[CTX_REG].kind != CTX)
        return;
    if (kind == 0 && n != 1)
        vg_emit(g, BPF_MOV64_REG(1, n));
    if (kind == 1) {
        if (n != 2)
            vg_emit(g, BPF_MOV64_REG(2, n));
        if (vg_chance(g, 30)) {
            vg_emit(g, BPF_MOV64_IMM(1, 0));
        } else if (vg_chance(g, 50)) {
            vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX_VALUE, VF_GLOBAL, 48 + 8 * vg_careless(g));
        } else {
            vg_emit(g, BPF_ST_MEM(BPF_DW, 10, -64, 1));
            vg_emit(g, BPF_ST_MEM(BPF_DW, 10, -56, 2));
            stack_address(g, 1, -64 + (vg_careless(g) ? 56 : 0));
        }
    }
    if (kind == 2) {
        kind += g->type == BPF_PROG_TYPE_SOCKET_FILTER;
        vg_emit(g, BPF_MOV64_REG(1, CTX_REG));
    }
    g->calls[g->call_cnt] = g->prog->cnt;
    g->callees[g->call_cnt++] = GLOBALS + kind;
    vg_emit(g, BPF_CALL_REL(0));
    forget_args(g);
    vg_set(g, 0, NUMBER, 0, 0);
}

/* ---- numbers that matter later --------------------------------------------------------------- */

/* r = one of two constants, as an unknown number says; something else; and then r as an offset. */
void vg_choice(struct gen *g)
{
    unsigned n = vg_unknown(g), ptr;
    int room;
    uint32_t at;

    if (g->looping || g->regs[9].kind == RECORD || n == 9 || g->depth >= 2)
        return;
    vg_emit_imm64(g, 8, BPF_PSEUDO_MAP_IDX_VALUE, VF_GLOBAL, 0);
    vg_set(g, 8, NOTHING, 0, 0);
    vg_emit(g, BPF_MOV64_IMM(9, (int32_t)vg_below(g, 30)));
    at = g->prog->cnt;
    vg_emit(g, BPF_JMP_IMM(vg_chance(g, 50) ? BPF_JGT : BPF_JSLT, n == 8 ? 9 : n, vg_edge(g), 0));
    vg_emit(g, BPF_MOV64_IMM(9, (int32_t)vg_below(g, vg_careless(g) ? 90 : 57)));
    vg_patch(g, at);
    vg_set(g, 9, NOTHING, 0, 0);
    if (vg_chance(g, 30)) { /* through the stack */
        vg_emit(g, BPF_STX_MEM(vg_chance(g, 50) ? BPF_DW : BPF_W, 10, 9, -88));
        vg_emit(g, BPF_LDX_MEM(g->prog->insns[g->prog->cnt - 1].code & 0x18, 9, 10, -88));
    }
    if (vg_chance(g, 40)) { /* where ways join, so that a state is saved */
        at = g->prog->cnt;
        vg_emit(g, BPF_JMP_IMM(BPF_JEQ, n == 8 || n == 9 ? 10 : n, 0, 0));
        vg_emit(g, BPF_MOV64_IMM(0, 1));
        vg_patch(g, at);
        vg_set(g, 0, NOTHING, 0, 0);
    }
    ptr = 8;
    room = 64;
    vg_emit(g, BPF_ALU64_REG(BPF_ADD, ptr, 9));
    vg_emit(g, vg_chance(g, 50) ? BPF_LDX_MEM(BPF_DW, 5, ptr, 0)
                                : BPF_STX_MEM(BPF_B, ptr, 9, (int16_t)(room - 57)));
    vg_set(g, 5, NOTHING, 0, 0);
}

/* Several slots of the stack are written, with numbers that nobody knows. */
void vg_fill_stack(struct gen *g)
{
    for (unsigned slot = 1; slot <= 10; slot++) {
        if (vg_chance(g, 20))
            vg_emit(g, BPF_ST_MEM(BPF_DW, 10, (int16_t)(-8 * (int)slot), vg_edge(g)));
        else if (slot == 1 || vg_chance(g, 30))
            vg_call(g, 7), vg_emit(g, BPF_STX_MEM(BPF_DW, 10, 0, (int16_t)(-8 * (int)slot)));
        else
            vg_emit(g, BPF_STX_MEM(BPF_DW, 10, 0, (int16_t)(-8 * (int)slot)));
    }
}

/* ---- helpers that take memory ---------------------------------------------------------------- */

void vg_helper_memory(struct gen *g)
{
    int most = 1 + (int)vg_below(g, 32);
    uint32_t at = UINT32_MAX;
    unsigned n;
    struct known before[11];

    if (g->held)
        return;
    memcpy(before, g->regs, sizeof(before));
    switch (vg_below(g, 5)) {
    case 0: /* xdp_load_bytes, skb_load_bytes(ctx, offset, to, size) */
        if (g->regs[CTX_REG].kind != CTX || g->type == BPF_PROG_TYPE_KPROBE)
            return;
        n = vg_unknown(g);
        if (n == CTX_REG)
            return;
        at = vg_bound(g, n, most);
        vg_emit(g, BPF_MOV64_REG(4, n));
        if (vg_chance(g, 80)) /* not nothing */
            vg_emit(g, BPF_ALU64_IMM(BPF_ADD, 4, 1)), most++;
        vg_emit(g, BPF_MOV64_IMM(2, (int32_t)vg_below(g, 20)));
        stack_address(g, 3, -most + (vg_careless(g) ? 1 : 0));
        vg_emit(g, BPF_MOV64_REG(1, CTX_REG));
        vg_call(g, g->type == BPF_PROG_TYPE_XDP ? (vg_chance(g, 80) ? 189 : 190) : 26);
        break;
    case 1: /* strncmp(mem, size, constant) */
        stack_address(g, 1, -most);
        vg_emit(g, BPF_MOV64_IMM(2, most + vg_careless(g)));
        vg_emit_imm64(g, 3, BPF_PSEUDO_MAP_IDX_VALUE, vg_careless(g) ? VF_GLOBAL : VF_RODATA,
                      vg_below(g, 32));
        vg_call(g, 182);
        break;
    case 2: /* strtol(mem, size, flags, out) */
        stack_address(g, 1, -8);
        vg_emit(g, BPF_MOV64_IMM(2, 8));
        vg_emit(g, BPF_MOV64_IMM(3, 10));
        stack_address(g, 4, -16 - (int)vg_careless(g));
        vg_call(g, vg_chance(g, 50) ? 105 : 106);
        break;
    case 3: /* get_current_comm(mem, size) */
        vg_emit_imm64(g, 1, BPF_PSEUDO_MAP_IDX_VALUE, VF_GLOBAL, 64 - (uint32_t)most);
        vg_emit(g, BPF_MOV64_IMM(2, most + vg_careless(g)));
        vg_call(g, 16);
        break;
    default: /* csum_diff(from, size, to, size, seed) */
        if (g->type != BPF_PROG_TYPE_XDP)
            return;
        stack_address(g, 1, -16);
        vg_emit(g, BPF_MOV64_IMM(2, vg_chance(g, 70) ? 16 : 0));
        vg_emit(g, BPF_MOV64_IMM(3, 0));
        vg_emit(g, BPF_MOV64_IMM(4, vg_careless(g) ? 4 : 0));
        vg_emit(g, BPF_MOV64_IMM(5, 0));
        vg_call(g, 28);
    }
    vg_patch(g, at);
    vg_merge(g, before);
    forget_args(g);
}
