/* SPDX-License-Identifier: MIT */
/*
 * Programs that are only compiled: instructions of every kind with fields at random, most of them
 * as the structural check wants them; and safe programs with some fields changed.
 */
#include "tests/fuzz/fuzz_jit.h"

#define FUNCTIONS 12

static uint8_t pick(struct fuzz_random *r, const uint8_t *from, unsigned n)
{
    return from[fuzz_below(r, n)];
}

static unsigned any_reg(struct fuzz_random *r)
{
    return fuzz_below(r, 200) ? fuzz_below(r, 11) : fuzz_below(r, 16);
}

static unsigned dst_reg(struct fuzz_random *r)
{
    return fuzz_below(r, 200) ? fuzz_below(r, 10) : fuzz_below(r, 16);
}

static struct bpf_insn wild_alu(struct fuzz_random *r)
{
    uint8_t cls = fuzz_below(r, 2) ? BPF_ALU : BPF_ALU64, op = (uint8_t)(fuzz_below(r, 14) << 4);
    bool by_reg = fuzz_below(r, 2);
    int16_t off = 0;

    if (op == BPF_NEG)
        return BPF_RAW_INSN(cls | op, dst_reg(r), 0, 0, 0);
    if (op == BPF_END)
        return BPF_RAW_INSN(cls | op | (cls == BPF_ALU && by_reg ? BPF_TO_BE : 0), dst_reg(r), 0, 0,
                            16 << fuzz_below(r, 3));
    if (op == BPF_DIV || op == BPF_MOD)
        off = (int16_t)fuzz_below(r, 2);
    else if (op == BPF_MOV && by_reg && fuzz_below(r, 2))
        off = (int16_t)(8 << fuzz_below(r, cls == BPF_ALU ? 2 : 3));
    if (by_reg)
        return BPF_RAW_INSN(cls | op | BPF_X, dst_reg(r), any_reg(r), off, 0);
    return BPF_RAW_INSN(cls | op | BPF_K, dst_reg(r), 0, off, (int32_t)fuzz_value(r));
}

static struct bpf_insn wild_memory(struct fuzz_random *r)
{
    static const uint8_t sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};
    static const uint8_t atomics[] = {0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1};
    uint8_t size = pick(r, sizes, 4);
    unsigned base = any_reg(r);
    int16_t off =
        base == BPF_REG_10 ? (int16_t)(-8 - (int)fuzz_below(r, 505)) : (int16_t)fuzz_next(r);

    switch (fuzz_below(r, 5)) {
    case 0:
        return BPF_LDX_MEM(size, dst_reg(r), base, off);
    case 1:
        return BPF_LDX_MEMSX(size == BPF_DW ? BPF_W : size, dst_reg(r), base, off);
    case 2:
        return BPF_STX_MEM(size, base, any_reg(r), off);
    case 3:
        return BPF_ST_MEM(size, base, off, (int32_t)fuzz_value(r));
    default:
        if (fuzz_below(r, 4) == 0) {
            bool load = fuzz_below(r, 2);

            return BPF_ATOMIC_OP(size, load ? BPF_LOAD_ACQ : BPF_STORE_REL,
                                 load ? dst_reg(r) : base, load ? base : any_reg(r), off);
        }
        return BPF_ATOMIC_OP(fuzz_below(r, 2) ? BPF_W : BPF_DW, pick(r, atomics, 10), base,
                             dst_reg(r), off);
    }
}

static struct bpf_insn wild_jump(struct fuzz_random *r)
{
    uint8_t cls = fuzz_below(r, 2) ? BPF_JMP : BPF_JMP32, op = (uint8_t)(fuzz_below(r, 15) << 4);

    switch (op) {
    case BPF_JA:
        return BPF_RAW_INSN(cls, 0, 0, 0, 0);
    case BPF_CALL:
        return BPF_EMIT_CALL(fuzz_below(r, 2) ? 5 : (int32_t)fuzz_below(r, 18));
    case BPF_EXIT:
        return fuzz_below(r, 4) ? BPF_MOV64_IMM(0, 7) : BPF_EXIT_INSN();
    case BPF_JCOND:
        return BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, BPF_MAY_GOTO, 0, 0);
    default:
        if (fuzz_below(r, 2))
            return BPF_RAW_INSN(cls | op | BPF_X, any_reg(r), any_reg(r), 0, 0);
        return BPF_RAW_INSN(cls | op | BPF_K, any_reg(r), 0, 0, (int32_t)fuzz_value(r));
    }
}

static void put_imm64(struct fuzz_random *r, struct fuzz_prog *prog)
{
    static const uint8_t sources[] = {0, 0, FUZZ_SRC_MAP, FUZZ_SRC_VALUE, FUZZ_SRC_BUFFER};
    uint8_t src = pick(r, sources, 5);
    const struct bpf_insn pair[] = {
        BPF_LD_IMM64_RAW(dst_reg(r), src, src ? fuzz_below(r, 60) : fuzz_value(r))};

    prog->insns[prog->cnt++] = pair[0];
    prog->insns[prog->cnt++] = pair[1];
}

/* Instructions of one function, and jumps between them, most of them short. */
static void wild_function(struct fuzz_random *r, struct fuzz_prog *prog, unsigned items)
{
    static uint32_t starts[4096];
    unsigned cnt = 0;

    for (unsigned i = 0; i < items; i++) {
        unsigned kind = fuzz_below(r, 20);

        starts[cnt++] = prog->cnt;
        if (kind < 8)
            prog->insns[prog->cnt++] = wild_alu(r);
        else if (kind < 13)
            prog->insns[prog->cnt++] = wild_memory(r);
        else if (kind < 19)
            prog->insns[prog->cnt++] = wild_jump(r);
        else
            put_imm64(r, prog);
    }
    starts[cnt++] = prog->cnt;
    prog->insns[prog->cnt++] = fuzz_below(r, 4) ? BPF_EXIT_INSN() : BPF_JMP_A(0);
    for (unsigned i = 0; i < cnt; i++) {
        struct bpf_insn *insn = &prog->insns[starts[i]];
        unsigned near = fuzz_below(r, 8) + (i > 4 ? i - 4 : 0);

        if (fuzz_jumps(insn) && !fuzz_is_call(insn))
            fuzz_set_target(insn, starts[i],
                            starts[fuzz_below(r, 5) && near < cnt ? near : fuzz_below(r, cnt)]);
    }
}

/* Some instructions become calls of the functions, of later ones only, mostly. */
static void put_calls(struct fuzz_random *r, struct fuzz_prog *prog, const uint32_t *starts,
                      unsigned functions)
{
    for (unsigned f = 1; f < functions; f++) {
        unsigned caller = fuzz_below(r, 50) ? fuzz_below(r, f) : fuzz_below(r, functions);
        uint32_t end = caller + 1 < functions ? starts[caller + 1] : prog->cnt;
        uint32_t at = starts[caller] + fuzz_below(r, end - starts[caller]);
        struct bpf_insn *insn = &prog->insns[at];

        if (at + 1 == end || !insn->code || fuzz_is_imm64(insn))
            continue;
        *insn = BPF_CALL_REL((int32_t)((int64_t)starts[f] - at - 1));
    }
}

static void soup(struct fuzz_random *r, struct fuzz_prog *prog)
{
    unsigned functions = fuzz_below(r, 2) ? 1 : 1 + fuzz_below(r, FUNCTIONS);
    unsigned most = fuzz_below(r, 100) ? 40 : 3000;
    uint32_t starts[FUNCTIONS];

    prog->cnt = 0;
    for (unsigned f = 0; f < functions; f++) {
        starts[f] = prog->cnt;
        wild_function(r, prog, fuzz_below(r, most));
    }
    put_calls(r, prog, starts, functions);
}

/* Fields of some instructions change; distances less often, as few that change are good. */
static void damage(struct fuzz_random *r, struct fuzz_prog *prog)
{
    for (unsigned n = fuzz_below(r, 6); n < 6; n++) {
        struct bpf_insn *insn = &prog->insns[fuzz_below(r, prog->cnt)];

        switch (fuzz_below(r, 6)) {
        case 0:
            insn->dst_reg = (uint8_t)any_reg(r) & 15;
            break;
        case 1:
            insn->src_reg = (uint8_t)any_reg(r) & 15;
            break;
        case 2:
            insn->off = (int16_t)(insn->off + (int)fuzz_below(r, 9) - 4);
            break;
        case 3:
            insn->imm = (int32_t)fuzz_value(r);
            break;
        case 4:
            insn->code = (uint8_t)(insn->code ^ 1u << fuzz_below(r, 8));
            break;
        default:
            *insn = prog->insns[fuzz_below(r, prog->cnt)];
        }
    }
}

void fuzz_generate_wild(struct fuzz_prog *prog, uint64_t seed)
{
    struct fuzz_random r;

    fuzz_seed(&r, seed ^ 0x5a5a5a);
    if (fuzz_below(&r, 3)) {
        soup(&r, prog);
    } else {
        fuzz_generate(prog, seed);
        damage(&r, prog);
    }
    prog->seed = seed;
}
