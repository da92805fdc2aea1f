/* SPDX-License-Identifier: MIT */
/* See verify_middle.h. */
#include "tests/unit/verify_middle.h"

#include "src/base/alloc.h"

void middle_begin(struct middle *m, uint32_t type, bool capable)
{
    memset(m, 0, sizeof(*m));
    m->prog.type = ebpf_prog_type_find(type);
    m->prog.caps = capable ? EBPF_CAP_ALL : EBPF_CAP_BPF;
    m->prog.gpl = true;
    m->prog.code.insns = m->insns;
    m->prog.code.insn_cnt = 4;
    m->prog.code.maps = m->maps;
    m->prog.code.facts = m->facts;
    m->v = (struct ebpf_verifier){.prog = &m->prog,
                                  .type = m->prog.type,
                                  .code = &m->prog.code,
                                  .log = &m->log,
                                  .mem.limit = 1 << 20,
                                  .rules = {capable, capable},
                                  .may_leak = capable,
                                  .now = &m->state,
                                  .explore = &m->explore};
    m->explore.subs = &m->sub;
    CHECK(m->v.type != NULL);
    CHECK_EQ(ebpf_vstate_push(&m->v.mem, &m->state, 0), 0);
    *middle_reg(m, BPF_REG_1) = pointer_reg(EBPF_KIND_CTX);
}

void middle_end(struct middle *m)
{
    ebpf_vstate_fini(&m->v.mem, &m->state);
    ebpf_vmem_free(&m->v.mem, m->v.bases, m->prog.code.insn_cnt);
    ebpf_vmem_fini(&m->v.mem);
    CHECK_EQ(m->v.mem.used, 0);
    for (uint32_t i = 0; i < m->prog.code.map_cnt; i++)
        ebpf_obj_put(ebpf_map_obj(m->maps[i]));
}

struct ebpf_map *middle_map(struct middle *m, unsigned n, const struct ebpf_map_spec *spec)
{
    CHECK_EQ(n, m->prog.code.map_cnt);
    CHECK_EQ(ebpf_map_create(spec, &m->maps[n]), 0);
    m->prog.code.map_cnt = n + 1;
    return m->maps[n];
}

int middle_step(struct middle *m, struct bpf_insn insn)
{
    m->insns[0] = insn;
    m->v.at = 0;
    m->log.line[0] = 0;
    if (m->v.bases)
        m->v.bases[0] = 0;
    if (BPF_CLASS(insn.code) == BPF_LDX)
        return ebpf_verify_load(&m->v, &m->insns[0]);
    if (BPF_CLASS(insn.code) == BPF_LD)
        return ebpf_verify_packet_load(&m->v, &m->insns[0]);
    if (BPF_CLASS(insn.code) == BPF_JMP)
        return ebpf_verify_helper(&m->v, &m->insns[0]);
    if (BPF_MODE(insn.code) == BPF_ATOMIC)
        return ebpf_verify_atomic(&m->v, &m->insns[0]);
    return ebpf_verify_store(&m->v, &m->insns[0]);
}

struct ebpf_vreg *middle_reg(struct middle *m, unsigned reg)
{
    return ebpf_verify_reg(&m->v, reg);
}

void middle_number(struct middle *m, unsigned reg, uint64_t min, uint64_t max)
{
    struct ebpf_scalar s = any_scalar(64);

    s.full.umin = min;
    s.full.umax = max;
    CHECK(ebpf_scalar_sync(&s, 64));
    *middle_reg(m, reg) = number_reg(&s);
}

struct ebpf_vreg *middle_point(struct middle *m, unsigned reg, enum ebpf_kind kind,
                               const struct ebpf_map *map)
{
    *middle_reg(m, reg) = pointer_reg(kind);
    middle_reg(m, reg)->map = map;
    return middle_reg(m, reg);
}

void middle_stack(struct middle *m, unsigned reg, int off)
{
    middle_point(m, reg, EBPF_KIND_STACK, NULL)->off = off;
}

unsigned middle_fail_alloc;

/* As src/core/prog.c does it, for the one map that there is. */
static void resolve_map(struct ebpf_prog *prog, struct ebpf_map **map)
{
    prog->maps = map;
    prog->map_cnt = prog->code.map_cnt = 1;
    prog->code.maps = map;
    for (uint32_t i = 0; i + 1 < prog->code.insn_cnt; i++) {
        struct bpf_insn *insn = &prog->code.insns[i];

        if (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_MAP_FD)
            ebpf_insn_set_imm64(insn, (uint64_t)(uintptr_t)*map);
    }
}

int middle_program(uint32_t type, const struct ebpf_map_spec *spec, const struct bpf_insn *insns,
                   uint32_t count, char *log, uint32_t log_size)
{
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};
    struct bpf_func_info types = {0}; /* there are some, and no function in them: all are static */
    struct ebpf_prog prog = {
        .type = ebpf_prog_type_find(type), .caps = EBPF_CAP_ALL, .gpl = true, .func_info = &types};
    struct ebpf_load_log load_log;
    struct ebpf_map *map;
    uint32_t size;
    int err;

    CHECK_EQ(ebpf_map_create(spec, &map), 0);
    CHECK_EQ(
        ebpf_load_log_init(&load_log, &caller, EBPF_LOG_STATS, (uint64_t)(uintptr_t)log, log_size),
        0);
    prog.code.log = prog.load_log = &load_log;
    prog.code.insns = ebpf_memdup(insns, count * sizeof(*insns));
    prog.code.insn_cnt = count;
    err = prog.code.insns ? ebpf_code_check(&prog.code, prog.type, true, prog.caps) : -ENOMEM;
    if (!err) {
        resolve_map(&prog, &map);
        mock_fail_alloc(middle_fail_alloc);
        err = ebpf_verify(&prog);
        mock_fail_alloc(0);
    }
    CHECK_EQ(ebpf_load_log_fini(&load_log, &size), 0);
    ebpf_free(prog.code.facts, count * sizeof(*prog.code.facts));
    ebpf_code_fini(&prog.code);
    ebpf_obj_put(ebpf_map_obj(map));
    return err;
}
