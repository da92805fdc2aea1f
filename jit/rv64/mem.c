/* SPDX-License-Identifier: MIT */
/* Loads and stores (RFC 9669, Regular and Sign-extension load and store operations). */
#include "jit/rv64/lower.h"

typedef void (*access_form)(struct rv_asm *, enum rv_reg reg, int64_t imm, enum rv_reg rs1);

/* [size >> 3]: BPF_W, BPF_H, BPF_B, BPF_DW */
static const struct {
    access_form load, load_signed, store;
} accesses[4] = {
    [BPF_W >> 3] = {rv_lwu, rv_lw, rv_sw},
    [BPF_H >> 3] = {rv_lhu, rv_lh, rv_sh},
    [BPF_B >> 3] = {rv_lbu, rv_lb, rv_sb},
    [BPF_DW >> 3] = {rv_ld, NULL, rv_sd},
};

enum rv_reg ebpf_rv_base(struct rv_jit *j, unsigned base, int32_t *off, enum rv_reg tmp)
{
    enum rv_reg reg = SP;
    int64_t hi;

    if (base == BPF_REG_10)
        *off += j->frames[j->subprog].fp;
    else
        reg = ebpf_rv_reg(j, base);
    if (rv_fits(*off, 12))
        return reg;
    hi = rv_hi(*off);
    *off = (int32_t)rv_lo(*off);
    rv_lui(&j->as, tmp, hi);
    rv_add(&j->as, tmp, tmp, reg);
    return tmp;
}

void ebpf_rv_lower_load(struct rv_jit *j, const struct bpf_insn *insn)
{
    enum rv_reg rd = ebpf_rv_reg(j, insn->dst_reg);
    unsigned size = BPF_SIZE(insn->code) >> 3, mode = BPF_MODE(insn->code);
    access_form load = mode == BPF_MEM ? accesses[size].load : mode == BPF_MEMSX ? accesses[size].load_signed : NULL;
    int32_t off = insn->off;
    enum rv_reg base;

    if (!load) {
        ebpf_rv_unknown(j);
        return;
    }
    base = ebpf_rv_base(j, insn->src_reg, &off, T0);
    load(&j->as, rd, off, base);
}

void ebpf_rv_lower_store(struct rv_jit *j, const struct bpf_insn *insn)
{
    int32_t off = insn->off;
    enum rv_reg value, base;

    if (insn->code == (BPF_STX | BPF_ATOMIC | BPF_W) || insn->code == (BPF_STX | BPF_ATOMIC | BPF_DW)) {
        ebpf_rv_lower_atomic(j, insn);
        return;
    }
    if (BPF_MODE(insn->code) != BPF_MEM) {
        ebpf_rv_unknown(j);
        return;
    }
    value = BPF_CLASS(insn->code) == BPF_ST ? ebpf_rv_constant(j, insn->imm, T1) :
                                              ebpf_rv_source(j, insn->src_reg, T1);
    base = ebpf_rv_base(j, insn->dst_reg, &off, T0);
    accesses[BPF_SIZE(insn->code) >> 3].store(&j->as, value, off, base);
}
