/* SPDX-License-Identifier: MIT */
/* Straight-line code for the fuzzer: one function an item, see fuzz_jit_gen.h. */
#include "tests/fuzz/fuzz_jit_gen.h"

#define R10 BPF_REG_10

bool fuzz_has_may_goto, fuzz_has_acq_rel;

/* ---- emitting -------------------------------------------------------------------------------- */

void gen_put(struct gen *g, struct bpf_insn insn)
{
    g->functions[g->function].cost += g->weight;
    g->prog->insns[g->prog->cnt++] = insn;
}

void gen_put_imm64(struct gen *g, unsigned dst, unsigned src, uint64_t imm)
{
    const struct bpf_insn pair[] = {BPF_LD_IMM64_RAW(dst, src, imm)};

    gen_put(g, pair[0]);
    gen_put(g, pair[1]);
}

static int32_t imm32(struct gen *g)
{
    return (int32_t)fuzz_value(&g->rnd);
}

/* ---- registers ------------------------------------------------------------------------------- */

static bool readable(const struct gen_reg *reg)
{
    return reg->kind == GEN_NUM || (reg->kind == GEN_PTR && reg->same);
}

unsigned gen_free(struct gen *g, unsigned first, unsigned last)
{
    unsigned n = last - first + 1, at = gen_below(g, n);

    for (unsigned i = 0; i < n; i++) {
        unsigned reg = first + (at + i) % n;

        if (!g->regs.r[reg].keep)
            return reg;
    }
    return 11;
}

/* Addresses are rare: others are overwritten first. */
unsigned gen_dst(struct gen *g)
{
    unsigned reg = gen_free(g, 0, 9);

    for (unsigned i = 0; i < 3 && g->regs.r[reg].kind == GEN_PTR; i++)
        reg = gen_free(g, 0, 9);
    return reg;
}

unsigned gen_any_num(struct gen *g)
{
    unsigned at = gen_below(g, 10);

    for (unsigned i = 0; i < 10; i++) {
        if (readable(&g->regs.r[(at + i) % 10]))
            return (at + i) % 10;
    }
    return 11;
}

unsigned gen_num(struct gen *g)
{
    unsigned reg = gen_any_num(g);

    if (reg > 9) {
        reg = gen_dst(g);
        gen_const(g, reg);
    }
    return reg;
}

/* A register that holds a number and may be written. */
static unsigned gen_both(struct gen *g)
{
    unsigned at = gen_below(g, 10), reg;

    for (unsigned i = 0; i < 10; i++) {
        const struct gen_reg *r = &g->regs.r[(at + i) % 10];

        if (r->kind == GEN_NUM && !r->keep)
            return (at + i) % 10;
    }
    reg = gen_dst(g);
    gen_const(g, reg);
    return reg;
}

void gen_set_num(struct gen *g, unsigned reg)
{
    g->regs.r[reg] = (struct gen_reg){.kind = GEN_NUM};
}

void gen_set_ptr(struct gen *g, unsigned reg, int32_t lo, int32_t hi, unsigned phase)
{
    g->regs.r[reg] =
        (struct gen_reg){.kind = GEN_PTR, .lo = lo, .hi = hi, .phase = (uint8_t)(phase & 7)};
}

void gen_const(struct gen *g, unsigned reg)
{
    switch (gen_below(g, 3)) {
    case 0:
        gen_put_imm64(g, reg, 0, fuzz_value(&g->rnd));
        break;
    case 1:
        gen_put(g, BPF_MOV64_IMM(reg, imm32(g)));
        break;
    default:
        gen_put(g, BPF_MOV32_IMM(reg, imm32(g)));
    }
    gen_set_num(g, reg);
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

static void mov_reg(struct gen *g, uint8_t cls)
{
    unsigned src = gen_num(g), dst = gen_dst(g);
    int16_t off = gen_chance(g, 40) ? (int16_t)(8 << gen_below(g, cls == BPF_ALU ? 2 : 3)) : 0;

    gen_put(g, BPF_RAW_INSN(cls | BPF_MOV | BPF_X, dst, src, off, 0));
    gen_set_num(g, dst);
}

static void unary(struct gen *g)
{
    static const uint8_t codes[] = {BPF_ALU | BPF_NEG, BPF_ALU64 | BPF_NEG,
                                    BPF_ALU | BPF_END | BPF_TO_LE, BPF_ALU | BPF_END | BPF_TO_BE,
                                    BPF_ALU64 | BPF_END | BPF_TO_LE};
    unsigned i = gen_below(g, 5);

    gen_put(g, BPF_RAW_INSN(codes[i], gen_both(g), 0, 0, i < 2 ? 0 : 16 << gen_below(g, 3)));
}

void gen_alu(struct gen *g)
{
    static const uint8_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR,   BPF_AND, BPF_LSH,
                                  BPF_RSH, BPF_MOD, BPF_XOR, BPF_MOV, BPF_ARSH, BPF_NEG};
    uint8_t cls = gen_chance(g, 50) ? BPF_ALU : BPF_ALU64, op = ops[gen_below(g, sizeof(ops))];
    int16_t off = (op == BPF_DIV || op == BPF_MOD) && gen_chance(g, 50);
    unsigned src, dst;

    if (op == BPF_NEG) {
        unary(g);
        return;
    }
    if (op == BPF_MOV && gen_chance(g, 70)) {
        mov_reg(g, cls);
        return;
    }
    if (op == BPF_MOV) {
        gen_const(g, gen_dst(g));
        return;
    }
    dst = gen_both(g);
    src = gen_num(g);
    if (gen_chance(g, 50))
        gen_put(g, BPF_RAW_INSN(cls | op | BPF_X, dst, src, off, 0));
    else
        gen_put(g, BPF_RAW_INSN(cls | op | BPF_K, dst, 0, off, imm32(g)));
}

/* ---- what compilers emit, and the optimizer knows -------------------------------------------- */

/* A copy, and operations on it that forget their old value. */
static void item_chain(struct gen *g)
{
    unsigned src = gen_num(g), dst = gen_dst(g);
    uint8_t cls = gen_chance(g, 30) ? BPF_ALU : BPF_ALU64;

    gen_put(g, BPF_RAW_INSN(cls | BPF_MOV | BPF_X, dst, src, 0, 0));
    gen_set_num(g, dst);
    for (unsigned i = gen_below(g, 3); i < 3; i++) {
        static const uint8_t ops[] = {BPF_ADD, BPF_SUB, BPF_AND,  BPF_OR, BPF_XOR,
                                      BPF_LSH, BPF_RSH, BPF_ARSH, BPF_MUL};
        uint8_t op = ops[gen_below(g, sizeof(ops))];

        cls = gen_chance(g, 30) ? BPF_ALU : BPF_ALU64;
        gen_put(
            g, BPF_RAW_INSN(cls | op | BPF_K, dst, 0, 0,
                            op >= BPF_LSH && op != BPF_XOR ? (int32_t)gen_below(g, 64) : imm32(g)));
    }
}

static void item_shifts(struct gen *g)
{
    unsigned reg = gen_both(g), bits;
    uint8_t cls = gen_chance(g, 25) ? BPF_ALU : BPF_ALU64;
    static const uint8_t usual[] = {32, 48, 56, 16, 31, 33, 1, 63};

    bits = gen_chance(g, 70) ? usual[gen_below(g, sizeof(usual))] : gen_below(g, 64);
    gen_put(g, BPF_RAW_INSN(cls | BPF_LSH | BPF_K, reg, 0, 0, (int32_t)bits));
    if (gen_chance(g, 30))
        bits = gen_below(g, 64);
    gen_put(g, BPF_RAW_INSN(cls | (gen_chance(g, 50) ? BPF_RSH : BPF_ARSH) | BPF_K, reg, 0, 0,
                            (int32_t)bits));
}

static void item_rotate(struct gen *g)
{
    static const uint8_t joins[] = {BPF_OR, BPF_OR, BPF_ADD, BPF_XOR};
    unsigned a = gen_both(g), t = gen_dst(g), width = gen_chance(g, 50) ? 64 : 32;
    uint8_t cls = width == 64 ? BPF_ALU64 : BPF_ALU;
    unsigned left = 1 + gen_below(g, width - 1),
             right = gen_chance(g, 85) ? width - left : gen_below(g, width);
    bool first = gen_chance(g, 50);

    if (t == a)
        return;
    gen_put(g, BPF_RAW_INSN((gen_chance(g, 80) ? cls : BPF_ALU) | BPF_MOV | BPF_X, t, a, 0, 0));
    gen_set_num(g, t);
    gen_put(g, BPF_RAW_INSN(cls | (first ? BPF_LSH : BPF_RSH) | BPF_K, t, 0, 0,
                            (int32_t)(first ? left : right)));
    gen_put(g, BPF_RAW_INSN(cls | (first ? BPF_RSH : BPF_LSH) | BPF_K, a, 0, 0,
                            (int32_t)(first ? right : left)));
    gen_put(g, BPF_RAW_INSN(cls | joins[gen_below(g, 4)] | BPF_X, a, t, 0, 0));
}

/* Zero-extensions of what has been extended. */
static void item_extend(struct gen *g)
{
    unsigned reg = gen_both(g);

    if (gen_chance(g, 60))
        gen_put(g, BPF_ALU32_IMM(gen_chance(g, 50) ? BPF_ADD : BPF_XOR, reg, imm32(g)));
    switch (gen_below(g, 4)) {
    case 0:
        gen_put(g, BPF_MOV32_REG(reg, reg));
        break;
    case 1:
        gen_put(g, BPF_ALU64_IMM(BPF_LSH, reg, 32));
        gen_put(g, BPF_ALU64_IMM(BPF_RSH, reg, 32));
        break;
    case 2:
        gen_put(g, BPF_ALU64_IMM(BPF_AND, reg, (int32_t)(1u << gen_below(g, 31)) - 1));
        break;
    default:
        gen_put(g, BPF_ALU64_REG_OFF(BPF_MOV, reg, reg, (int16_t)(8 << gen_below(g, 3))));
    }
}

/* a << 1, 2 or 3, plus b; or a bit set, cleared, tested. */
static void item_address_like(struct gen *g)
{
    unsigned a = gen_both(g), b = gen_num(g);

    if (gen_chance(g, 60)) {
        gen_put(g, BPF_ALU64_IMM(BPF_LSH, a, (int32_t)(1 + gen_below(g, 4))));
        gen_put(g, BPF_ALU64_REG(BPF_ADD, a, b));
        return;
    }
    gen_put(g, BPF_RAW_INSN(BPF_ALU64 | (gen_chance(g, 50) ? BPF_AND : BPF_OR) | BPF_K, a, 0, 0,
                            gen_chance(g, 50) ? (int32_t)(1u << gen_below(g, 32))
                                              : ~(int32_t)(1u << gen_below(g, 32))));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static const uint8_t sizes[4] = {BPF_B, BPF_H, BPF_W, BPF_DW};

static bool offset_of(struct gen *g, unsigned base, unsigned size, bool aligned, int16_t *off)
{
    const struct gen_reg *reg = &g->regs.r[base];
    int32_t lo = reg->lo < INT16_MIN ? INT16_MIN : reg->lo, hi = reg->hi - (int32_t)size, at;

    hi = hi > INT16_MAX ? INT16_MAX : hi;
    if (reg->kind != GEN_PTR || lo > hi)
        return false;
    switch (gen_below(g, 4)) {
    case 0:
        at = lo + (int32_t)gen_below(g, 16);
        break;
    case 1:
        at = hi - (int32_t)gen_below(g, 16);
        break;
    default:
        at = lo + (int32_t)gen_below(g, (unsigned)(hi - lo + 1));
    }
    if (reg->phase == GEN_ANY && aligned)
        return false;
    if (aligned || gen_chance(g, 50))
        at -= (int32_t)((unsigned)(at + reg->phase) & (size - 1));
    at = at < lo || at > hi ? hi : at;
    *off = (int16_t)at;
    return !aligned || !((unsigned)(at + reg->phase) & (size - 1));
}

bool gen_place(struct gen *g, unsigned size, bool aligned, unsigned *base, int16_t *off)
{
    unsigned at = gen_below(g, 11);

    for (unsigned i = 0; i < 11; i++) {
        *base = (at + i) % 11;
        if (offset_of(g, *base, size, aligned, off))
            return true;
    }
    return false;
}

static void access_at(struct gen *g, unsigned size, unsigned base, int16_t off)
{
    unsigned reg;

    switch (gen_below(g, size < 3 ? 4 : 3)) {
    case 0:
        reg = gen_num(g);
        /* gen_num() may have taken base for a constant */
        if (g->regs.r[base].kind == GEN_PTR)
            gen_put(g, BPF_STX_MEM(sizes[size], base, reg, off));
        return;
    case 1:
        gen_put(g, BPF_ST_MEM(sizes[size], base, off, imm32(g)));
        return;
    case 2:
        reg = gen_dst(g);
        gen_put(g, BPF_LDX_MEM(sizes[size], reg, base, off));
        break;
    default:
        reg = gen_dst(g);
        gen_put(g, BPF_LDX_MEMSX(sizes[size], reg, base, off));
    }
    gen_set_num(g, reg);
}

void gen_access(struct gen *g, unsigned base)
{
    unsigned size = gen_below(g, 4);
    int16_t off;

    if (offset_of(g, base, 1u << size, false, &off))
        access_at(g, size, base, off);
}

void gen_memory(struct gen *g)
{
    unsigned size = gen_below(g, 4), base;
    int16_t off;

    if (gen_place(g, 1u << size, false, &base, &off))
        access_at(g, size, base, off);
}

/* Stores and loads that overlap in part. */
static void item_overlap(struct gen *g)
{
    unsigned base, src, dst;
    int16_t off;

    if (!gen_place(g, 8, false, &base, &off) || off > INT16_MAX - 8)
        return;
    for (unsigned i = gen_below(g, 3); i < 5; i++) {
        unsigned size = gen_below(g, 4);
        int16_t at = (int16_t)(off + (int16_t)gen_below(g, 9 - (1u << size)));

        if (gen_chance(g, 40)) {
            src = gen_num(g);
            if (g->regs.r[base].kind != GEN_PTR)
                return;
            gen_put(g, BPF_STX_MEM(sizes[size], base, src, at));
        } else if (gen_chance(g, 30)) {
            gen_put(g, BPF_ST_MEM(sizes[size], base, at, imm32(g)));
        } else {
            dst = gen_dst(g);
            if (dst == base)
                continue;
            gen_put(g, BPF_LDX_MEM(sizes[size], dst, base, at));
            gen_set_num(g, dst);
        }
    }
}

/* Load, change, store. */
static void item_modify(struct gen *g)
{
    unsigned size = gen_below(g, 4), base, reg;
    int16_t off;

    reg = gen_both(g);
    if (!gen_place(g, 1u << size, false, &base, &off) || base == reg)
        return;
    gen_put(g, BPF_LDX_MEM(sizes[size], reg, base, off));
    gen_put(g, BPF_ALU64_IMM(gen_chance(g, 50) ? BPF_ADD : BPF_XOR, reg, imm32(g)));
    gen_put(g, BPF_STX_MEM(sizes[size], base, reg, off));
}

static void acquire_release(struct gen *g)
{
    unsigned size = gen_below(g, 4), base, reg;
    bool load = gen_chance(g, 50);
    int16_t off;

    reg = load ? gen_dst(g) : gen_num(g);
    if (!gen_place(g, 1u << size, true, &base, &off))
        return;
    if (load) {
        gen_put(g, BPF_ATOMIC_OP(sizes[size], BPF_LOAD_ACQ, reg, base, off));
        gen_set_num(g, reg);
    } else {
        gen_put(g, BPF_ATOMIC_OP(sizes[size], BPF_STORE_REL, base, reg, off));
    }
}

static void item_atomic(struct gen *g)
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
    int32_t op = ops[gen_below(g, 10)];
    unsigned size = 2 + gen_below(g, 2), base, src;
    int16_t off;

    if (fuzz_has_acq_rel && gen_chance(g, 20)) {
        acquire_release(g);
        return;
    }
    if (op == BPF_CMPXCHG && g->regs.r[0].keep)
        op = BPF_XCHG;
    src = op & BPF_FETCH && op != BPF_CMPXCHG ? gen_both(g) : gen_num(g);
    if (!gen_place(g, 1u << size, true, &base, &off))
        return;
    if (op == BPF_CMPXCHG) {
        if (base == 0)
            return;
        if (gen_chance(g, 60)) /* one that may succeed */
            gen_put(g, BPF_LDX_MEM(sizes[size], 0, base, off));
        else if (!readable(&g->regs.r[0]))
            gen_const(g, 0);
        gen_set_num(g, 0);
    }
    gen_put(g, BPF_ATOMIC_OP(sizes[size], op, base, src, off));
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* A displacement that brings the bytes within reach of an instruction's off, or only just. */
static int32_t displacement(struct gen *g, int32_t room)
{
    switch (gen_below(g, 5)) {
    case 0:
        return 0;
    case 1:
        return 32767 - (int32_t)gen_below(g, 64);
    case 2:
        return (int32_t)gen_below(g, 5000) - 2500;
    default:
        return (int32_t)gen_below(g, (unsigned)room / 8) * 8;
    }
}

static void item_pointer(struct gen *g)
{
    unsigned reg = gen_free(g, 0, 9);
    int32_t d;

    switch (gen_below(g, 4)) {
    case 0:
        d = displacement(g, FUZZ_BUFFER);
        d = gen_chance(g, 20) ? -d : d;
        gen_put_imm64(g, reg, FUZZ_SRC_BUFFER, (uint32_t)d);
        gen_set_ptr(g, reg, -d, (int32_t)FUZZ_BUFFER - d, (unsigned)d);
        g->regs.r[reg].same = true;
        break;
    case 1:
        d = gen_chance(g, 50) ? 0 : (int32_t)gen_below(g, FUZZ_GLOBAL_SIZE);
        gen_put_imm64(g, reg, FUZZ_SRC_VALUE, (uint64_t)d << 32);
        gen_set_ptr(g, reg, -d, (int32_t)FUZZ_GLOBAL_SIZE - d, (unsigned)d);
        break;
    default: /* of the frame */
        if (!g->extent)
            return;
        d = -displacement(g, g->extent);
        gen_put(g, BPF_MOV64_REG(reg, R10));
        if (d || gen_chance(g, 20))
            gen_put(g, BPF_ALU64_IMM(BPF_ADD, reg, d));
        gen_set_ptr(g, reg, -g->extent - d, -d, (unsigned)d);
    }
}

/* A copy of an address, moved by a constant. */
static void derive_by_constant(struct gen *g, unsigned reg, unsigned base)
{
    int32_t d = (int32_t)gen_below(g, 64) - 32;
    struct gen_reg from = g->regs.r[base];

    gen_put(g, BPF_MOV64_REG(reg, base));
    if (gen_chance(g, 50))
        gen_put(g, BPF_ALU64_IMM(BPF_ADD, reg, d));
    else
        gen_put(g, BPF_ALU64_IMM(BPF_SUB, reg, -d));
    from.lo -= d;
    from.hi -= d;
    from.phase = from.phase == GEN_ANY ? GEN_ANY : (uint8_t)((unsigned)(from.phase + d) & 7);
    from.keep = false;
    g->regs.r[reg] = from;
}

/* Moved by a number that is masked first. */
static void derive_by_index(struct gen *g, unsigned reg, unsigned base)
{
    unsigned index = gen_num(g), shift = gen_below(g, 4);
    struct gen_reg from = g->regs.r[base];
    int32_t mask = gen_chance(g, 50) ? 7 : 1;

    if (from.kind != GEN_PTR || from.hi - from.lo < mask << shift)
        return;
    gen_put(g, BPF_MOV64_REG(reg, index));
    gen_put(g, BPF_ALU64_IMM(BPF_AND, reg, mask));
    if (shift)
        gen_put(g, BPF_ALU64_IMM(BPF_LSH, reg, (int32_t)shift));
    gen_put(g, BPF_ALU64_REG(BPF_ADD, reg, base));
    from.hi -= mask << shift;
    from.phase = shift == 3 ? from.phase : GEN_ANY;
    from.keep = false;
    g->regs.r[reg] = from;
}

static void item_derive(struct gen *g)
{
    unsigned base = gen_below(g, 10), reg = gen_dst(g);

    if (g->regs.r[base].kind != GEN_PTR || base == reg)
        return;
    (gen_chance(g, 50) ? derive_by_constant : derive_by_index)(g, reg, base);
}

static void item_spill(struct gen *g)
{
    unsigned reg = gen_below(g, 10), slot = gen_below(g, GEN_SLOTS);
    struct gen_reg *there = &g->regs.r[GEN_SLOT + slot];
    int16_t off = (int16_t)(-g->extent - 8 * (int32_t)(slot + 1));

    if (slot >= g->slots)
        return;
    if (gen_chance(g, 50)) {
        if (g->regs.r[reg].kind == GEN_UNDEF || there->keep)
            return;
        gen_put(g, BPF_STX_MEM(BPF_DW, R10, reg, off));
        *there = g->regs.r[reg];
        there->keep = false;
    } else if (there->kind != GEN_UNDEF) {
        reg = gen_dst(g);
        gen_put(g, BPF_LDX_MEM(BPF_DW, reg, R10, off));
        g->regs.r[reg] = *there;
        g->regs.r[reg].keep = false;
    }
}

void gen_item(struct gen *g)
{
    static void (*const items[])(struct gen *) = {
        gen_alu,     gen_alu,     gen_alu,           gen_alu,      gen_alu,     gen_memory,
        gen_memory,  gen_memory,  gen_memory,        item_atomic,  item_chain,  item_shifts,
        item_rotate, item_extend, item_address_like, item_overlap, item_modify, item_pointer,
        item_derive, item_spill,  item_spill};

    items[gen_below(g, sizeof(items) / sizeof(items[0]))](g);
}
