/* SPDX-License-Identifier: MIT */
/*
 * The checking machine: executes a program as loaded (before anything is rewritten), and looks at
 * every access: it must lie in a stack frame that is live, in the packet, in a value that a lookup
 * gave, in a record that is held, or in a field of the context. Registers are known to be written
 * before they are read, what is reserved is given back, and the program comes to an end.
 */
#include "tests/fuzz/fuzz_verifier_machine.h"

#define STEPS 1100000u     /* Linux follows no path beyond 1,000,000 instructions */
#define LOOP_STEPS 200000u /* of programs whose loops the engines bound */

/* ---- instructions ---------------------------------------------------------------------------- */

static bool step_alu(struct machine *m, const struct bpf_insn *insn)
{
    uint8_t op = BPF_OP(insn->code);
    bool by_reg = BPF_SRC(insn->code) == BPF_X && op != BPF_END && op != BPF_NEG;
    uint64_t b = by_reg ? m->regs[insn->src_reg] : (uint64_t)(int64_t)insn->imm, r;

    if ((by_reg && !vm_read_reg(m, insn->src_reg)) ||
        (op != BPF_MOV && !vm_read_reg(m, insn->dst_reg)))
        return false;
    r = vf_alu(insn, m->regs[insn->dst_reg], b);
    if (BPF_CLASS(insn->code) == BPF_ALU && op != BPF_END)
        r = (uint32_t)r;
    vm_write_reg(m, insn->dst_reg, r);
    return true;
}

static bool load_imm64(struct machine *m, const struct bpf_insn *insn)
{
    uint64_t value = ebpf_insn_imm64(insn);

    if (insn->src_reg == BPF_PSEUDO_MAP_IDX) {
        value = (uintptr_t)vf_maps[insn->imm];
    } else if (insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE) {
        struct ebpf_map *map = vf_maps[insn->imm];

        if (map->ops->value_addr(map, 0, &value))
            return vm_violate(m, "no direct value");
        vm_grant(m, (void *)(uintptr_t)value, map->value_size, !(map->flags & BPF_F_RDONLY_PROG));
        value += (uint32_t)insn[1].imm;
    } else if (insn->src_reg == BPF_PSEUDO_FUNC) {
        value = FUNC + m->how.layout * 0x1000000ull + (uint64_t)(m->at + 1 + insn->imm);
    }
    vm_write_reg(m, insn->dst_reg, value);
    return true;
}

static bool step_memory(struct machine *m, const struct bpf_insn *insn)
{
    unsigned size = vm_bytes_of(insn->code), cls = BPF_CLASS(insn->code);
    uint64_t value;

    if ((cls != BPF_LDX && !vm_read_reg(m, insn->dst_reg)) ||
        (cls != BPF_ST && !vm_read_reg(m, insn->src_reg)))
        return false;
    if (cls == BPF_LDX) {
        if (!vm_load(m, m->regs[insn->src_reg] + (uint64_t)insn->off, size, &value))
            return false;
        vm_write_reg(m, insn->dst_reg,
                     BPF_MODE(insn->code) == BPF_MEMSX ? vf_sign_extend(value, 8 * size) : value);
        return true;
    }
    if (BPF_MODE(insn->code) == BPF_ATOMIC)
        return vm_atomic(m, insn);
    value = cls == BPF_ST ? (uint64_t)(int64_t)insn->imm : m->regs[insn->src_reg];
    return vm_store(m, m->regs[insn->dst_reg] + (uint64_t)insn->off, size, value);
}

/* Where the program goes on; *done: the function is at its end. */
static bool step_jump(struct machine *m, const struct bpf_insn *insn, uint32_t *next, bool *done)
{
    bool by_reg = BPF_SRC(insn->code) == BPF_X;

    switch (BPF_OP(insn->code)) {
    case BPF_EXIT: /* a function of the program may leave r0 as it was: then nobody reads it */
        *done = true;
        if (m->lock)
            return vm_violate(m, "a lock is still held at an exit");
        return m->depth || vm_read_reg(m, 0);
    case BPF_CALL:
        return insn->src_reg == BPF_PSEUDO_CALL
                   ? vm_call_function(m, m->at + 1 + (uint32_t)insn->imm)
                   : vm_call_helper(m, insn, done);
    case BPF_JA:
        *next +=
            BPF_CLASS(insn->code) == BPF_JMP32 ? (uint32_t)insn->imm : (uint32_t)(int32_t)insn->off;
        return true;
    case BPF_JCOND: /* may_goto: out of the loop whenever it likes */
        if (!m->how.patient && fuzz_below(&m->rnd, 8) == 0)
            *next += (uint32_t)(int32_t)insn->off;
        return true;
    default:
        if (!vm_read_reg(m, insn->dst_reg) || (by_reg && !vm_read_reg(m, insn->src_reg)))
            return false;
        if (vf_taken(insn, m->regs[insn->dst_reg],
                     by_reg ? m->regs[insn->src_reg] : (uint64_t)(int64_t)insn->imm))
            *next += (uint32_t)(int32_t)insn->off;
        return true;
    }
}

static bool step(struct machine *m, uint32_t *next, bool *done)
{
    const struct bpf_insn *insn = &m->prog->insns[m->at];

    *next = m->at + 1;
    switch (BPF_CLASS(insn->code)) {
    case BPF_ALU:
    case BPF_ALU64:
        return step_alu(m, insn);
    case BPF_JMP:
    case BPF_JMP32:
        return step_jump(m, insn, next, done);
    case BPF_LD:
        if (!fuzz_is_imm64(insn))
            return vm_load_packet(m, insn);
        *next = m->at + 2;
        return load_imm64(m, insn);
    default:
        return step_memory(m, insn);
    }
}

/* One function, from `at` to its end. */
bool vm_execute(struct machine *m, uint32_t at)
{
    bool done = false;

    while (!done && !m->ended) {
        const struct bpf_insn *insn = &m->prog->insns[at];
        const char *wrong = m->tailed ? NULL : vf_wrong_before(insn, at, m->regs);

        m->at = at;
        if (wrong)
            return vm_violate(m, "a fact is none: %s", wrong);
        if (m->steps++ == m->limit) {
            m->tired = m->limit == LOOP_STEPS;
            return vm_violate(m, "the program does not end");
        }
        if (!step(m, &at, &done))
            return false;
        wrong = m->tailed ? NULL : vf_wrong_after(insn, m->at, m->regs);
        if (wrong)
            return vm_violate(m, "a fact is none: %s", wrong);
    }
    return !m->why[0];
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void set_up(struct machine *m, const struct fuzz_prog *prog, struct vf_input *input,
                   struct vf_how how)
{
    m->prog = prog;
    m->type = ebpf_prog_type_find(vf_type(prog->seed));
    m->input = input;
    m->how = how;
    m->stack = m->room + 8 * (how.layout % 8);
    m->ctx = m->ctx_room + 8 * (how.layout * 5 % 32);
    fuzz_seed(&m->rnd, prog->seed + how.layout);
    vm_grant_packet(m);
    m->limit = STEPS;
    for (uint32_t i = 0; i < prog->cnt; i++) {
        if (prog->insns[i].code == (BPF_JMP | BPF_JCOND) ||
            prog->insns[i].src_reg == BPF_PSEUDO_FUNC)
            m->limit = LOOP_STEPS;
    }
    vm_write_reg(m, 1, (uintptr_t)m->ctx);
    m->set[10] = true;
    vm_frame_begin(m);
}

/* What is reserved and not given back would stay so for ever. */
static bool give_back(struct machine *m)
{
    bool held = false;

    for (uint32_t i = 0; i < m->region_cnt; i++) {
        if (m->regions[i].record) {
            held = true;
            ebpf_helper_find(133)->fn((uintptr_t)m->regions[i].start, 0, 0, 0, 0);
        }
    }
    for (uint32_t i = 0; i < m->dynptr_cnt; i++) {
        if (m->dynptrs[i].ring) {
            held = true;
            ebpf_helper_find(200)->fn(m->dynptrs[i].at, 0, 0, 0, 0);
        }
    }
    if (m->lock)
        ebpf_helper_find(94)->fn(m->lock, 0, 0, 0, 0);
    return held;
}

enum vf_end vf_run(const struct fuzz_prog *prog, struct vf_input *input, struct vf_how how,
                   uint64_t *r0, char why[128])
{
    static struct machine machines[2];
    struct machine *m = &machines[how.layout & 1];
    enum vf_end end = VF_ENDED;

    memset(m, 0, sizeof(*m));
    why[0] = 0;
    m->why = why;
    set_up(m, prog, input, how);
    if (!vm_execute(m, 0))
        end = m->tired ? VF_TIRED : VF_VIOLATED;
    *r0 = m->regs[0];
    if (give_back(m) && end == VF_ENDED) {
        vm_violate(m, "a record is still held at the end");
        end = VF_VIOLATED;
    }
    return end == VF_ENDED && m->vague ? VF_VAGUE : end;
}
