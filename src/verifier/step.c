/* SPDX-License-Identifier: MIT */
/*
 * One instruction: which file deals with it. Loads of constants, being nobody's, are dealt with
 * here.
 */
#include "src/base/log.h"
#include "src/verifier/access.h"
#include "src/verifier/engine.h"

int ebpf_verify_readable(struct ebpf_verifier *v, unsigned reg)
{
    if (ebpf_verify_reg(v, reg)->kind == EBPF_KIND_NOTHING)
        return ebpf_verify_refuse(v, -EACCES, "R%u !read_ok", reg);
    return 0;
}

int ebpf_verify_writable(struct ebpf_verifier *v, unsigned reg)
{
    if (reg == BPF_REG_10)
        return ebpf_verify_refuse(v, -EACCES, "frame pointer is read only");
    return 0;
}

void ebpf_verify_each_reg(struct ebpf_verifier *v,
                          void (*fn)(struct ebpf_verifier *v, struct ebpf_vreg *reg,
                                     struct ebpf_vslot *slot, void *arg),
                          void *arg)
{
    for (uint32_t f = 0; f < v->now->frame_cnt; f++) {
        struct ebpf_vframe *frame = v->now->frames[f];

        for (unsigned r = 0; r < 11; r++)
            fn(v, &frame->regs[r], NULL, arg);
        for (uint32_t n = 0; n < frame->slot_cnt; n++) {
            if (frame->slots[n].reg.kind != EBPF_KIND_NOTHING)
                fn(v, &frame->slots[n].reg, &frame->slots[n], arg);
        }
    }
}

/* ---- LD_IMM64 -------------------------------------------------------------------------------- */

/* The map with a value at that address, and where in it: src/core/prog.c has put it there. */
static const struct ebpf_map *map_of_value(const struct ebpf_verifier *v, uint64_t addr,
                                           uint32_t *off)
{
    for (uint32_t i = 0; i < v->prog->map_cnt; i++) {
        const struct ebpf_map *map = v->prog->maps[i];
        uint64_t base;

        if (!map->ops->value_addr || map->ops->value_addr(map, 0, &base))
            continue;
        if (addr - base < map->value_size) {
            *off = (uint32_t)(addr - base);
            return map;
        }
    }
    return NULL;
}

static int load_map_value(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    struct ebpf_vreg *reg = ebpf_verify_reg(v, insn->dst_reg);
    uint32_t off = 0;
    const struct ebpf_map *map = map_of_value(v, ebpf_insn_imm64(insn), &off);

    EBPF_BUG_IF(!map);
    ebpf_vreg_set_pointer(reg, EBPF_KIND_MAP_VALUE);
    reg->map = map;
    reg->off = (int32_t)off;
    if (map->lock_off >= 0 || map->timer_off >= 0)
        reg->id = ebpf_verify_new_id(v);
    return 0;
}

static int load_map(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    struct ebpf_vreg *reg = ebpf_verify_reg(v, insn->dst_reg);
    uint64_t addr = ebpf_insn_imm64(insn);

    ebpf_vreg_set_pointer(reg, EBPF_KIND_MAP);
    for (uint32_t i = 0; i < v->prog->map_cnt; i++) {
        if ((uint64_t)(uintptr_t)v->prog->maps[i] == addr)
            reg->map = v->prog->maps[i];
    }
    EBPF_BUG_IF(!reg->map);
    return 0;
}

static int load_func(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    struct ebpf_vreg *reg = ebpf_verify_reg(v, insn->dst_reg);

    if (!v->prog->func_info)
        return ebpf_verify_refuse(v, -EINVAL, "missing btf func_info");
    ebpf_vreg_set_pointer(reg, EBPF_KIND_FUNC);
    reg->subprog = ebpf_code_subprog(v->code, (uint32_t)ebpf_verify_target(insn, v->at));
    if (ebpf_verify_is_global(v, reg->subprog))
        return ebpf_verify_refuse(v, -EINVAL, "callback function not static");
    return 0;
}

static int load_const(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    int err = ebpf_verify_writable(v, insn->dst_reg);

    v->next = v->at + 2;
    if (err)
        return err;
    switch (insn->src_reg) {
    case 0:
        ebpf_vreg_set_number(ebpf_verify_reg(v, insn->dst_reg), ebpf_insn_imm64(insn));
        return 0;
    case BPF_PSEUDO_MAP_FD:
        return load_map(v, insn);
    case BPF_PSEUDO_MAP_VALUE:
        return load_map_value(v, insn);
    case BPF_PSEUDO_FUNC:
        return load_func(v, insn);
    default:
        return ebpf_verify_refuse(v, -EINVAL, "unrecognized bpf_ld_imm64 insn");
    }
}

/* ---- classes --------------------------------------------------------------------------------- */

/* A tail call that works never comes back here, and one that does not goes on; where it was made by
 * a function, that function's caller goes on, with whatever the other program returned and did to
 * the packet. */
static int step_tail_call(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    int err = ebpf_verify_helper(v, insn);

    return err ? err : ebpf_verify_early_exit(v, ebpf_vreg_set_unknown);
}

static void set_zero(struct ebpf_vreg *r0)
{
    ebpf_vreg_set_number(r0, 0);
}

/* A packet load that finds nothing ends the function, with 0. */
static int step_packet_load(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    int err = ebpf_verify_packet_load(v, insn);

    return err ? err : ebpf_verify_early_exit(v, set_zero);
}

static int step_call(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    if (insn->src_reg == BPF_PSEUDO_CALL)
        return ebpf_verify_call(v, insn);
    if (insn->src_reg)
        return ebpf_verify_refuse(v, -EINVAL, "calls of kernel functions are not supported");
    if (insn->imm == EBPF_HELPER_TAIL_CALL)
        return step_tail_call(v, insn);
    return ebpf_verify_helper(v, insn);
}

static int step_jump(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    switch (BPF_OP(insn->code)) {
    case BPF_CALL:
        v->explore->jumps++;
        return step_call(v, insn);
    case BPF_EXIT:
        return ebpf_verify_exit(v);
    case BPF_JA:
        v->explore->jumps++;
        v->next = (uint32_t)ebpf_verify_target(insn, v->at);
        return 0;
    default:
        v->explore->jumps++;
        ebpf_verify_note_operand(v, insn);
        return ebpf_verify_jump(v, insn);
    }
}

int ebpf_verify_step(struct ebpf_verifier *v)
{
    const struct bpf_insn *insn = &v->code->insns[v->at];

    int err;

    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        return BPF_MODE(insn->code) == BPF_IMM ? load_const(v, insn) : step_packet_load(v, insn);
    case BPF_STX:
        if (BPF_MODE(insn->code) == BPF_ATOMIC)
            return ebpf_verify_atomic(v, insn);
        ebpf_verify_note_operand(v, insn);
        return ebpf_verify_store(v, insn);
    case BPF_ST:
        return ebpf_verify_store(v, insn);
    case BPF_LDX:
    case BPF_ALU:
    case BPF_ALU64:
        err = BPF_CLASS(insn->code) == BPF_LDX ? ebpf_verify_load(v, insn)
                                               : ebpf_verify_alu(v, insn);
        if (!err)
            ebpf_verify_note_result(v, insn);
        return err;
    default:
        return step_jump(v, insn);
    }
}
