/* SPDX-License-Identifier: MIT */
/* The checking machine: functions of the program, helpers, what helpers call. */
#include "tests/fuzz/fuzz_verifier_machine.h"

/* ---- functions ------------------------------------------------------------------------------- */

bool vm_call_function(struct machine *m, uint32_t target)
{
    uint64_t saved[5];
    bool set[5], ok;
    uint32_t at = m->at;

    if (m->depth + 1 == EBPF_MAX_FRAMES)
        return vm_violate(m, "more than %u frames", EBPF_MAX_FRAMES);
    memcpy(saved, &m->regs[6], sizeof(saved));
    memcpy(set, &m->set[6], sizeof(set));
    vm_forget(m, 6, 9);
    vm_forget(m, 0, 0);
    m->depth++;
    vm_frame_begin(m);
    ok = vm_execute(m, target);
    for (uint32_t i = m->dynptr_cnt; i-- > 0;) { /* those of the frame are gone */
        if (m->dynptrs[i].at - (uintptr_t)(m->stack + m->depth * EBPF_FRAME_SIZE) < EBPF_FRAME_SIZE)
            vm_dynptr_end(m, &m->dynptrs[i]);
    }
    m->depth--;
    memcpy(&m->regs[6], saved, sizeof(saved));
    memcpy(&m->set[6], set, sizeof(set));
    vm_forget(m, 1, 5);
    m->at = at;
    return ok && !m->why[0];
}

/* ---- what helpers call ----------------------------------------------------------------------- */

static struct {
    struct machine *m;
    const struct ebpf_helper *helper;
    uint32_t target;
} calling;

/* Registers of a function that a helper calls, and what it may touch through them. */
static void take_args(struct machine *m, const uint64_t r[4])
{
    const struct ebpf_map *map;

    vm_forget(m, 1, 5);
    for (unsigned i = 0; i < (calling.helper->callback == CALLBACK_MAP_ELEM ? 4 : 2); i++)
        vm_write_reg(m, i + 1, r[i]);
    if (calling.helper->callback == CALLBACK_MAP_ELEM) {
        map = (const struct ebpf_map *)(uintptr_t)r[0];
        vm_grant(m, (void *)(uintptr_t)r[1], map->key_size, false);
        vm_grant(m, (void *)(uintptr_t)r[2], map->value_size, true);
    } else if (calling.helper->callback == CALLBACK_USER_RINGBUF) {
        vm_dynptr_new(m, r[0], false);
    }
}

/* As ebpf_call_back() calls compiled code: an odd address would be one of the interpreter's. */
__attribute__((aligned(16))) static uint64_t trampoline(uint64_t r1, uint64_t r2, uint64_t r3,
                                                        uint64_t r4, uint64_t r5)
{
    struct machine *m = calling.m;
    const struct ebpf_helper *helper = calling.helper;
    uint32_t target = calling.target;
    struct dynptr *d;

    (void)r5;
    if (m->ended)
        return 1;
    take_args(m, (const uint64_t[4]){r1, r2, r3, r4});
    m->callbacks++;
    if (!vm_call_function(m, target))
        return 1;
    m->callbacks--;
    calling.m = m; /* it may have called others */
    calling.helper = helper;
    calling.target = target;
    d = helper->callback == CALLBACK_USER_RINGBUF ? vm_dynptr_at(m, r1) : NULL;
    if (d)
        vm_dynptr_end(m, d);
    if (m->regs[0] > 1)
        vm_violate(m, "a callback returns neither 0 nor 1");
    return m->regs[0];
}

/* ---- arguments ------------------------------------------------------------------------------- */

static struct ebpf_map *map_of(uint64_t reg)
{
    for (unsigned i = 0; i < VF_ALL_MAPS; i++) {
        if (vf_maps[i] && (uintptr_t)vf_maps[i] == reg)
            return vf_maps[i];
    }
    return NULL;
}

static bool check_size(struct machine *m, unsigned arg, bool zero, enum ebpf_arg mem)
{
    uint64_t size = m->regs[arg + 1], addr = m->regs[arg];
    bool reads = mem == ARG_MEM_RD || mem == ARG_MEM_RD_OR_NULL;

    if (size >> 29 || (!size && !zero))
        return vm_violate(m, "size %llu for a helper", (unsigned long long)size);
    if (!size)
        return true;
    if (mem == ARG_MEM_RDWR && !vm_access(m, addr, size, false))
        return false;
    return vm_access(m, addr, size, !reads);
}

static bool check_string(struct machine *m, uint64_t addr)
{
    do {
        if (!vm_access(m, addr, 1, false))
            return false;
    } while (*(const char *)(uintptr_t)addr++);
    return true;
}

static bool check_lock(struct machine *m, uint64_t addr)
{
    const struct ebpf_map *map = vf_maps[VF_LOCKED];

    for (uint32_t i = 0; i < m->region_cnt; i++) {
        const struct region *r = &m->regions[i];

        if (map->lock_off >= 0 && addr == (uintptr_t)r->start + (uint32_t)map->lock_off &&
            vf_is_value(map, r->start))
            return true;
    }
    return vm_violate(m, "there is no lock");
}

/* One argument; *map: the last one that was a map. */
static bool check_arg(struct machine *m, const struct ebpf_helper *helper, unsigned i,
                      struct ebpf_map **map)
{
    uint64_t reg = m->regs[i + 1];
    enum ebpf_arg before = i ? helper->arg[i - 1] : ARG_NONE;
    struct dynptr *d;

    if (helper->arg[i] != ARG_NONE && helper->arg[i] != ARG_UNCHECKED && !vm_read_reg(m, i + 1))
        return false;
    switch (helper->arg[i]) {
    case ARG_MAP:
        *map = map_of(reg);
        return *map || vm_violate(m, "r%u is no map", i + 1);
    case ARG_MAP_KEY:
        return vm_access(m, reg, (*map)->key_size, false);
    case ARG_MAP_VALUE:
        return vm_access(m, reg, (*map)->value_size, false);
    case ARG_MAP_VALUE_WR:
        return vm_access(m, reg, (*map)->value_size, true);
    case ARG_SIZE:
    case ARG_SIZE_OR_ZERO:
        if (!m->regs[i] && (before == ARG_MEM_RD_OR_NULL || before == ARG_MEM_WR_OR_NULL))
            return !reg || vm_violate(m, "size %llu of nothing", (unsigned long long)reg);
        return check_size(m, i, helper->arg[i] == ARG_SIZE_OR_ZERO, before);
    case ARG_RECORD:
        return vm_record_at(m, reg) || vm_violate(m, "r%u is no record that is held", i + 1);
    case ARG_CTX:
        return reg == (uintptr_t)m->ctx || vm_violate(m, "r%u is not the context", i + 1);
    case ARG_INT_OUT:
        return vm_access(m, reg, 4, true);
    case ARG_LONG_OUT:
        return vm_access(m, reg, 8, true);
    case ARG_CONST_STR:
        return check_string(m, reg);
    case ARG_FUNC:
        reg -= FUNC + m->how.layout * 0x1000000ull;
        return reg < m->prog->cnt || vm_violate(m, "the callback is no function");
    case ARG_SPIN_LOCK:
        return check_lock(m, reg);
    case ARG_DYNPTR_UNINIT_MEM:
    case ARG_DYNPTR_UNINIT_RINGBUF:
        return vm_access(m, reg, 16, true);
    case ARG_DYNPTR:
    case ARG_DYNPTR_RINGBUF:
        d = vm_dynptr_at(m, reg);
        return (d && (d->ring || helper->arg[i] == ARG_DYNPTR)) ||
               vm_violate(m, "r%u is no such dynptr", i + 1);
    default:
        return true;
    }
}

/* ---- helpers --------------------------------------------------------------------------------- */

/* The lock that is held is the only one, and nothing else is called meanwhile. */
static bool check_locking(struct machine *m, const struct ebpf_helper *helper)
{
    bool takes = helper->arg[0] == ARG_SPIN_LOCK && !strcmp(helper->name, "spin_lock");

    if (helper->arg[0] != ARG_SPIN_LOCK)
        return !m->lock || vm_violate(m, "a helper is called while a lock is held");
    if (takes ? m->lock != 0 : m->lock != m->regs[1])
        return vm_violate(m, "a second lock, or one that is not held");
    m->lock = takes ? m->regs[1] : 0;
    return true;
}

/* A helper has moved the packet: from now on it is elsewhere, and nobody may use where it was. */
static void move_packet(struct machine *m)
{
    struct vf_input *in = m->input;
    ptrdiff_t by;
    uint8_t *mem = malloc(in->mem_size);

    if (!mem || m->type->id != BPF_PROG_TYPE_XDP) {
        free(mem);
        return;
    }
    memcpy(mem, in->mem, in->mem_size);
    by = mem - in->mem;
    in->ctx.xdp.data += by;
    in->ctx.xdp.data_end += by;
    in->ctx.xdp.data_meta += by;
    in->ctx.xdp.hard_start += by;
    in->ctx.xdp.hard_end += by;
    free(in->old);
    in->old = in->mem;
    in->mem = mem;
    vm_grant_packet(m);
}

static uint64_t call(struct machine *m, const struct ebpf_helper *helper)
{
    uint64_t r[5];

    memcpy(r, &m->regs[1], sizeof(r));
    for (unsigned i = 0; i < 5; i++) {
        if (helper->arg[i] == ARG_CTX)
            r[i] = (uintptr_t)&m->input->ctx;
        if (helper->arg[i] != ARG_FUNC)
            continue;
        calling.m = m;
        calling.helper = helper;
        calling.target = (uint32_t)(r[i] - FUNC - m->how.layout * 0x1000000ull);
        r[i] = (uintptr_t)trampoline;
    }
    return helper->fn(r[0], r[1], r[2], r[3], r[4]);
}

/* What arguments are no more, or are from now on. */
static void settle_args(struct machine *m, const struct ebpf_helper *helper, const uint64_t args[5])
{
    for (unsigned i = 0; i < 5; i++) {
        struct dynptr *d = vm_dynptr_at(m, args[i]);

        if (helper->arg[i] == ARG_RECORD) {
            struct region *r = vm_record_at(m, args[i]);

            *r = m->regions[--m->region_cnt];
        }
        if (helper->arg[i] == ARG_DYNPTR_RINGBUF) {
            d->ring = false;
            vm_dynptr_end(m, d);
        }
        if (helper->arg[i] == ARG_DYNPTR_UNINIT_MEM || helper->arg[i] == ARG_DYNPTR_UNINIT_RINGBUF)
            vm_dynptr_new(m, args[i], helper->arg[i] == ARG_DYNPTR_UNINIT_RINGBUF);
    }
}

static void grant_result(struct machine *m, const struct ebpf_helper *helper,
                         const uint64_t args[5], const struct ebpf_map *map, uint64_t r0)
{
    uint64_t dynptr = helper->ret == RET_DYNPTR_MEM_OR_NULL ? args[0] : 0;

    if (!r0)
        return;
    if (helper->ret == RET_MAP_VALUE_OR_NULL && !map->inner)
        vm_grant(m, (void *)(uintptr_t)r0, map->value_size, !(map->flags & BPF_F_RDONLY_PROG));
    if ((helper->ret == RET_RECORD_OR_NULL || dynptr) && m->region_cnt < REGIONS)
        m->regions[m->region_cnt++] = (struct region){
            (void *)(uintptr_t)r0, dynptr ? args[2] : args[1], true, !dynptr, dynptr};
}

static bool tail_call(struct machine *m, const struct ebpf_map *map, bool *done)
{
    const struct fuzz_prog *prog = m->prog, *target;
    uint32_t at = m->at, index = (uint32_t)m->regs[3];

    for (uint32_t i = 0; i < m->region_cnt; i++) {
        if (m->regions[i].record)
            return vm_violate(m, "a tail call while a record is held");
    }
    target = index < map->max_entries ? vf_target(m->type->id, index) : NULL;
    if (target && m->tails < EBPF_MAX_TAIL_CALLS && !m->callbacks) {
        m->tails++;
        vm_forget(m, 0, 9);
        vm_write_reg(m, 1, (uintptr_t)m->ctx);
        vm_frame_begin(m);
        m->prog = target;
        m->tailed++;
        *done = vm_execute(m, 0);
        m->tailed--;
        m->prog = prog;
        m->at = at;
        return *done;
    }
    vm_forget(m, 0, 5);
    return true;
}

bool vm_call_helper(struct machine *m, const struct bpf_insn *insn, bool *done)
{
    const struct ebpf_helper *helper = ebpf_helper_find((uint32_t)insn->imm);
    struct ebpf_map *map = NULL;
    uint64_t r0, args[5];

    for (unsigned i = 0; i < 5; i++) {
        if (!check_arg(m, helper, i, &map))
            return false;
    }
    if (!check_locking(m, helper))
        return false;
    if (insn->imm == EBPF_HELPER_TAIL_CALL)
        return tail_call(m, map, done);
    m->vague = m->vague || vf_differs(insn->imm);
    memcpy(args, &m->regs[1], sizeof(args));
    r0 = call(m, helper);
    if (m->why[0])
        return false;
    settle_args(m, helper, args);
    grant_result(m, helper, args, map, r0);
    if (helper->packet)
        move_packet(m);
    if (helper->ret == RET_VOID)
        vm_forget(m, 0, 0);
    else
        vm_write_reg(m, 0, r0);
    vm_forget(m, 1, 5);
    return !m->why[0];
}

bool vm_load_packet(struct machine *m, const struct bpf_insn *insn)
{
    uint64_t index = BPF_MODE(insn->code) == BPF_IND ? m->regs[insn->src_reg] : 0;
    int64_t value;

    if (!vm_read_reg(m, 6) || (BPF_MODE(insn->code) == BPF_IND && !vm_read_reg(m, insn->src_reg)))
        return false;
    if (m->regs[6] != (uintptr_t)m->ctx)
        return vm_violate(m, "legacy load without the context in r6");
    value = ebpf_packet_load(&m->input->ctx.skb, index + (uint64_t)(int64_t)insn->imm,
                             vm_bytes_of(insn->code));
    vm_write_reg(m, 0, value < 0 ? 0 : (uint64_t)value);
    vm_forget(m, 1, 5);
    m->ended = value < 0;
    return true;
}
