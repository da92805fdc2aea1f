/* SPDX-License-Identifier: MIT */
/*
 * The checking machine: executes a program as loaded (before anything is rewritten), and looks at
 * every access: it must lie in a stack frame that is live, in the packet, in a value that a lookup
 * gave, in a record that is held, or in a field of the context. Registers are known to be written
 * before they are read, what is reserved is given back, and the program comes to an end.
 */
#include <stdarg.h>

#include "helpers/helper.h"
#include "maps/map.h"
#include "src/core/skb.h"
#include "tests/fuzz/fuzz_verifier.h"

#define STEPS 1100000u     /* Linux follows no path beyond 1,000,000 instructions */
#define LOOP_STEPS 200000u /* of programs whose loops the engines bound */
#define REGIONS 512u
#define FUNC 0x0f00d00000000000ull /* a callback's address: this plus its instruction */

struct region {
    uint8_t *start;
    size_t size;
    bool write, record;
};

struct machine {
    const struct fuzz_prog *prog;
    const struct ebpf_prog_type *type;
    struct vf_packet packet;
    struct ebpf_skb skb;
    uint64_t regs[11];
    bool set[11]; /* may be read */
    uint32_t depth, steps, limit;
    uint8_t stack[EBPF_MAX_FRAMES][EBPF_FRAME_SIZE] __attribute__((aligned(8)));
    uint8_t ctx[256] __attribute__((aligned(8))); /* stands for the context's addresses */
    struct region regions[REGIONS];
    uint32_t region_cnt;
    struct fuzz_random rnd;
    uint32_t at;
    bool ended; /* by a legacy load that found nothing, or a violation */
    char *why;
};

__attribute__((format(printf, 2, 3))) static bool violate(struct machine *m, const char *format,
                                                          ...)
{
    va_list args;
    int n;

    if (!m->why[0]) {
        n = snprintf(m->why, 128, "insn %u: ", m->at);
        va_start(args, format);
        vsnprintf(m->why + n, 128 - (size_t)n, format, args);
        va_end(args);
    }
    m->ended = true;
    return false;
}

/* ---- regions --------------------------------------------------------------------------------- */

static void grant(struct machine *m, void *start, size_t size, bool write, bool record)
{
    for (uint32_t i = 0; i < m->region_cnt && !record; i++) {
        if (m->regions[i].start == start && m->regions[i].size == size && !m->regions[i].record)
            return;
    }
    if (m->region_cnt < REGIONS)
        m->regions[m->region_cnt++] = (struct region){start, size, write, record};
}

static bool within(uint64_t addr, uint64_t size, const void *start, uint64_t room)
{
    uint64_t off = addr - (uint64_t)(uintptr_t)start;

    return off <= room && size <= room - off;
}

static bool access(struct machine *m, uint64_t addr, uint64_t size, bool write)
{
    for (uint32_t f = 0; f <= m->depth; f++) {
        if (within(addr, size, m->stack[f], EBPF_FRAME_SIZE))
            return true;
    }
    for (uint32_t i = 0; i < m->region_cnt; i++) {
        const struct region *r = &m->regions[i];

        if (within(addr, size, r->start, r->size) && (r->write || !write))
            return true;
    }
    return violate(m, "%s of %llu bytes outside of what the program may touch",
                   write ? "write" : "read", (unsigned long long)size);
}

static struct region *record_at(struct machine *m, uint64_t addr)
{
    for (uint32_t i = 0; i < m->region_cnt; i++) {
        if (m->regions[i].record && (uintptr_t)m->regions[i].start == addr)
            return &m->regions[i];
    }
    return NULL;
}

/* ---- the context ----------------------------------------------------------------------------- */

static const struct ebpf_ctx_field *field_at(const struct machine *m, uint64_t off, unsigned size)
{
    for (uint32_t i = 0; i < m->type->field_cnt; i++) {
        const struct ebpf_ctx_field *f = &m->type->fields[i];

        if (off >= f->off && off + size <= (uint64_t)f->off + f->size)
            return f;
    }
    return NULL;
}

static bool ctx_load(struct machine *m, uint64_t off, unsigned size, uint64_t *value)
{
    const struct ebpf_ctx_field *f = field_at(m, off, size);

    if (!f || off % size)
        return violate(m, "load of context bytes %llu+%u", (unsigned long long)off, size);
    if (m->type->id != BPF_PROG_TYPE_XDP || off >= offsetof(struct xdp_md, ingress_ifindex)) {
        *value = 0;
        memcpy(value, m->ctx + off, size);
        return true;
    }
    if (size != 4)
        return violate(m, "a part of a packet pointer is loaded");
    *value =
        (uintptr_t)m->packet.data + (off == offsetof(struct xdp_md, data_end) ? m->packet.len : 0);
    return true;
}

static bool ctx_store(struct machine *m, uint64_t off, unsigned size, uint64_t value)
{
    const struct ebpf_ctx_field *f = field_at(m, off, size);

    if (!f || !f->writable || off % size)
        return violate(m, "store to context bytes %llu+%u", (unsigned long long)off, size);
    memcpy(m->ctx + off, &value, size);
    return true;
}

/* ---- loads and stores ------------------------------------------------------------------------ */

static bool load(struct machine *m, uint64_t addr, unsigned size, uint64_t *value)
{
    *value = 0;
    if (within(addr, size, m->ctx, sizeof(m->ctx)))
        return ctx_load(m, addr - (uintptr_t)m->ctx, size, value);
    if (!access(m, addr, size, false))
        return false;
    memcpy(value, (void *)(uintptr_t)addr, size);
    return true;
}

static bool store(struct machine *m, uint64_t addr, unsigned size, uint64_t value)
{
    if (within(addr, size, m->ctx, sizeof(m->ctx)))
        return ctx_store(m, addr - (uintptr_t)m->ctx, size, value);
    if (!access(m, addr, size, true))
        return false;
    memcpy((void *)(uintptr_t)addr, &value, size);
    return true;
}

static unsigned bytes_of(uint8_t code)
{
    static const unsigned sizes[] = {4, 2, 1, 8};

    return sizes[BPF_SIZE(code) >> 3];
}

static bool read_reg(struct machine *m, unsigned reg)
{
    return m->set[reg] || violate(m, "r%u is read before it is written", reg);
}

static void write_reg(struct machine *m, unsigned reg, uint64_t value)
{
    m->regs[reg] = value;
    m->set[reg] = true;
}

static bool atomic(struct machine *m, const struct bpf_insn *insn)
{
    unsigned size = bytes_of(insn->code);
    uint64_t cut = size == 8 ? ~0ull : (1ull << 8 * size) - 1, old, new,
             src = m->regs[insn->src_reg];
    uint64_t addr =
        (insn->imm == BPF_LOAD_ACQ ? src : m->regs[insn->dst_reg]) + (uint64_t)insn->off;

    if (within(addr, size, m->ctx, sizeof(m->ctx)) ||
        within(addr, size, m->packet.data, m->packet.len))
        return violate(m, "atomic access to context or packet");
    if (insn->imm == BPF_STORE_REL)
        return store(m, addr, size, src);
    if (!load(m, addr, size, &old))
        return false;
    if (insn->imm == BPF_LOAD_ACQ) {
        write_reg(m, insn->dst_reg, old);
        return true;
    }
    switch (insn->imm & ~BPF_FETCH) {
    case BPF_ADD:
        new = old + src;
        break;
    case BPF_OR:
        new = old | src;
        break;
    case BPF_AND:
        new = old &src;
        break;
    case BPF_XOR:
        new = old ^ src;
        break;
    case BPF_XCHG & ~BPF_FETCH:
        new = src;
        break;
    default: /* BPF_CMPXCHG */
        if (!read_reg(m, 0))
            return false;
        new = old == (m->regs[0] & cut) ? src : old;
    }
    if (!store(m, addr, size, new))
        return false;
    if (insn->imm == BPF_CMPXCHG)
        write_reg(m, 0, old);
    else if (insn->imm & BPF_FETCH)
        write_reg(m, insn->src_reg, old);
    return true;
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

static bool step_alu(struct machine *m, const struct bpf_insn *insn)
{
    uint8_t op = BPF_OP(insn->code);
    bool by_reg = BPF_SRC(insn->code) == BPF_X && op != BPF_END && op != BPF_NEG;
    uint64_t b = by_reg ? m->regs[insn->src_reg] : (uint64_t)(int64_t)insn->imm, r;

    if ((by_reg && !read_reg(m, insn->src_reg)) || (op != BPF_MOV && !read_reg(m, insn->dst_reg)))
        return false;
    r = vf_alu(insn, m->regs[insn->dst_reg], b);
    if (BPF_CLASS(insn->code) == BPF_ALU && op != BPF_END)
        r = (uint32_t)r;
    write_reg(m, insn->dst_reg, r);
    return true;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static bool execute(struct machine *m, uint32_t at);

static void forget(struct machine *m, unsigned from, unsigned to)
{
    for (unsigned r = from; r <= to; r++)
        m->set[r] = false;
}

static bool call_function(struct machine *m, uint32_t target)
{
    uint64_t saved[5];
    bool set[5], ok;
    uint32_t at = m->at;

    if (m->depth + 1 == EBPF_MAX_FRAMES)
        return violate(m, "more than %u frames", EBPF_MAX_FRAMES);
    memcpy(saved, &m->regs[6], sizeof(saved));
    memcpy(set, &m->set[6], sizeof(set));
    forget(m, 6, 9);
    forget(m, 0, 0);
    m->depth++;
    for (unsigned i = 0; i < EBPF_FRAME_SIZE; i += 8) { /* what was there before is anything */
        uint64_t any = fuzz_value(&m->rnd);

        memcpy(&m->stack[m->depth][i], &any, 8);
    }
    m->regs[10] = (uintptr_t)(m->stack[m->depth] + EBPF_FRAME_SIZE);
    ok = execute(m, target);
    m->depth--;
    memcpy(&m->regs[6], saved, sizeof(saved));
    memcpy(&m->set[6], set, sizeof(set));
    forget(m, 1, 5);
    m->at = at;
    return ok;
}

static bool loop(struct machine *m)
{
    uint64_t func = m->regs[2], nr = (uint32_t)m->regs[1], ctx = m->regs[3], i = 0;

    if (func < FUNC || func >= FUNC + m->prog->cnt)
        return violate(m, "the callback is no function");
    if (m->regs[4])
        nr = 0;
    while (i < nr) {
        forget(m, 1, 5);
        write_reg(m, 1, i++);
        write_reg(m, 2, ctx);
        if (!call_function(m, (uint32_t)(func - FUNC)))
            return false;
        if (m->regs[0])
            break;
    }
    m->regs[0] = i;
    return true;
}

static struct ebpf_map *map_of(uint64_t reg)
{
    for (unsigned i = 0; i < VF_MAPS; i++) {
        if ((uintptr_t)vf_maps[i] == reg)
            return vf_maps[i];
    }
    return NULL;
}

static bool check_size(struct machine *m, unsigned arg, bool zero, bool write)
{
    uint64_t size = m->regs[arg + 1], addr = m->regs[arg];

    if (size >> 29 || (!size && !zero))
        return violate(m, "size %llu for a helper", (unsigned long long)size);
    return !size || access(m, addr, size, write);
}

/* One argument; *map: the last one that was a map. */
static bool check_arg(struct machine *m, const struct ebpf_helper *helper, unsigned i,
                      struct ebpf_map **map)
{
    uint64_t reg = m->regs[i + 1];

    if (helper->arg[i] != ARG_NONE && !read_reg(m, i + 1))
        return false;
    switch (helper->arg[i]) {
    case ARG_MAP:
        *map = map_of(reg);
        return *map || violate(m, "r%u is no map", i + 1);
    case ARG_MAP_KEY:
        return access(m, reg, (*map)->key_size, false);
    case ARG_MAP_VALUE:
        return access(m, reg, (*map)->value_size, false);
    case ARG_MAP_VALUE_WR:
        return access(m, reg, (*map)->value_size, true);
    case ARG_SIZE:
    case ARG_SIZE_OR_ZERO:
        if (!m->regs[i] &&
            (helper->arg[i - 1] == ARG_MEM_RD_OR_NULL || helper->arg[i - 1] == ARG_MEM_WR_OR_NULL))
            return !reg || violate(m, "size %llu of nothing", (unsigned long long)reg);
        return check_size(m, i, helper->arg[i] == ARG_SIZE_OR_ZERO,
                          helper->arg[i - 1] != ARG_MEM_RD &&
                              helper->arg[i - 1] != ARG_MEM_RD_OR_NULL);
    case ARG_RECORD:
        return record_at(m, reg) || violate(m, "r%u is no record that is held", i + 1);
    case ARG_CTX:
        return reg == (uintptr_t)m->ctx || violate(m, "r%u is not the context", i + 1);
    default:
        return true;
    }
}

static void release(struct machine *m, uint64_t addr)
{
    struct region *r = record_at(m, addr);

    *r = m->regions[--m->region_cnt];
}

static bool call_helper(struct machine *m, const struct bpf_insn *insn)
{
    const struct ebpf_helper *helper = ebpf_helper_find((uint32_t)insn->imm);
    struct ebpf_map *map = NULL;
    uint64_t r0, *regs = m->regs;

    for (unsigned i = 0; i < 5; i++) {
        if (!check_arg(m, helper, i, &map))
            return false;
    }
    if (helper->callback == CALLBACK_LOOP) {
        if (!loop(m))
            return false;
        r0 = regs[0];
    } else if (insn->imm == 7) { /* get_prandom_u32: the same in every run */
        r0 = (uint32_t)fuzz_value(&m->rnd);
    } else {
        for (unsigned i = 0; i < 5; i++) {
            if (helper->arg[i] == ARG_RECORD)
                release(m, regs[i + 1]);
        }
        r0 = helper->fn(regs[1], regs[2], regs[3], regs[4], regs[5]);
    }
    if (helper->ret == RET_MAP_VALUE_OR_NULL && r0)
        grant(m, (void *)(uintptr_t)r0, map->value_size, !(map->flags & BPF_F_RDONLY_PROG), false);
    if (helper->ret == RET_RECORD_OR_NULL && r0)
        grant(m, (void *)(uintptr_t)r0, regs[2], true, true);
    write_reg(m, 0, r0);
    forget(m, 1, 5);
    return true;
}

static bool load_packet(struct machine *m, const struct bpf_insn *insn)
{
    uint64_t index = BPF_MODE(insn->code) == BPF_IND ? m->regs[insn->src_reg] : 0;
    int64_t value;

    if (!read_reg(m, 6) || (BPF_MODE(insn->code) == BPF_IND && !read_reg(m, insn->src_reg)))
        return false;
    if (m->regs[6] != (uintptr_t)m->ctx)
        return violate(m, "legacy load without the context in r6");
    value = ebpf_packet_load(&m->skb, index + (uint64_t)(int64_t)insn->imm, bytes_of(insn->code));
    write_reg(m, 0, value < 0 ? 0 : (uint64_t)value);
    forget(m, 1, 5);
    m->ended = value < 0;
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
            return violate(m, "no direct value");
        grant(m, (void *)(uintptr_t)value, map->value_size, !(map->flags & BPF_F_RDONLY_PROG),
              false);
        value += (uint32_t)insn[1].imm;
    } else if (insn->src_reg == BPF_PSEUDO_FUNC) {
        value = FUNC + (uint64_t)(m->at + 1 + insn->imm);
    }
    write_reg(m, insn->dst_reg, value);
    return true;
}

/* ---- instructions ---------------------------------------------------------------------------- */

static bool step_memory(struct machine *m, const struct bpf_insn *insn)
{
    unsigned size = bytes_of(insn->code), cls = BPF_CLASS(insn->code);
    uint64_t value;

    if ((cls != BPF_LDX && !read_reg(m, insn->dst_reg)) ||
        (cls != BPF_ST && !read_reg(m, insn->src_reg)))
        return false;
    if (cls == BPF_LDX) {
        if (!load(m, m->regs[insn->src_reg] + (uint64_t)insn->off, size, &value))
            return false;
        write_reg(m, insn->dst_reg,
                  BPF_MODE(insn->code) == BPF_MEMSX ? vf_sign_extend(value, 8 * size) : value);
        return true;
    }
    if (BPF_MODE(insn->code) == BPF_ATOMIC)
        return atomic(m, insn);
    value = cls == BPF_ST ? (uint64_t)(int64_t)insn->imm : m->regs[insn->src_reg];
    return store(m, m->regs[insn->dst_reg] + (uint64_t)insn->off, size, value);
}

/* Where the program goes on; *done: the function is at its end. */
static bool step_jump(struct machine *m, const struct bpf_insn *insn, uint32_t *next, bool *done)
{
    bool by_reg = BPF_SRC(insn->code) == BPF_X;

    switch (BPF_OP(insn->code)) {
    case BPF_EXIT: /* a function of the program may leave r0 as it was: then nobody reads it */
        *done = true;
        return m->depth || read_reg(m, 0);
    case BPF_CALL:
        return insn->src_reg == BPF_PSEUDO_CALL ? call_function(m, m->at + 1 + (uint32_t)insn->imm)
                                                : call_helper(m, insn);
    case BPF_JA:
        *next +=
            BPF_CLASS(insn->code) == BPF_JMP32 ? (uint32_t)insn->imm : (uint32_t)(int32_t)insn->off;
        return true;
    case BPF_JCOND: /* may_goto: out of the loop whenever it likes */
        if (fuzz_below(&m->rnd, 8) == 0)
            *next += (uint32_t)(int32_t)insn->off;
        return true;
    default:
        if (!read_reg(m, insn->dst_reg) || (by_reg && !read_reg(m, insn->src_reg)))
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
            return load_packet(m, insn);
        *next = m->at + 2;
        return load_imm64(m, insn);
    default:
        return step_memory(m, insn);
    }
}

/* One function, from `at` to its end. */
static bool execute(struct machine *m, uint32_t at)
{
    bool done = false;

    while (!done && !m->ended) {
        const struct bpf_insn *insn = &m->prog->insns[at];
        const char *wrong = vf_wrong_before(insn, at, m->regs);

        m->at = at;
        if (wrong)
            return violate(m, "a fact is none: %s", wrong);
        if (m->steps++ == m->limit)
            return violate(m, "the program does not end");
        if (!step(m, &at, &done))
            return false;
        wrong = vf_wrong_after(insn, m->at, m->regs);
        if (wrong)
            return violate(m, "a fact is none: %s", wrong);
    }
    return !m->why[0];
}

static void set_up(struct machine *m, const struct fuzz_prog *prog, const struct vf_packet *packet)
{
    m->prog = prog;
    m->type = ebpf_prog_type_find(vf_type(prog->seed));
    m->packet = *packet;
    m->skb =
        (struct ebpf_skb){.data = packet->data + EBPF_ETH_HLEN, .len = packet->len - EBPF_ETH_HLEN};
    fuzz_seed(&m->rnd, prog->seed);
    for (unsigned i = 0; i < sizeof(m->ctx); i++)
        m->ctx[i] = (uint8_t)fuzz_value(&m->rnd);
    if (m->type->id == BPF_PROG_TYPE_XDP)
        grant(m, packet->data, packet->len, true, false);
    m->limit = STEPS;
    for (uint32_t i = 0; i < prog->cnt; i++) {
        if (prog->insns[i].code == (BPF_JMP | BPF_JCOND) ||
            prog->insns[i].src_reg == BPF_PSEUDO_FUNC)
            m->limit = LOOP_STEPS;
    }
    write_reg(m, 1, (uintptr_t)m->ctx);
    write_reg(m, 10, (uintptr_t)(m->stack[0] + EBPF_FRAME_SIZE));
}

enum vf_end vf_run(const struct fuzz_prog *prog, const struct vf_packet *packet, uint64_t *r0,
                   char why[128])
{
    static struct machine m;
    enum vf_end end = VF_ENDED;

    memset(&m, 0, sizeof(m));
    why[0] = 0;
    m.why = why;
    set_up(&m, prog, packet);
    if (!execute(&m, 0))
        end = m.steps > m.limit && m.limit == LOOP_STEPS ? VF_TIRED : VF_VIOLATED;
    *r0 = m.regs[0];
    for (uint32_t i = 0; i < m.region_cnt; i++) {
        if (!m.regions[i].record)
            continue;
        if (end == VF_ENDED) {
            violate(&m, "a record is still held at the end");
            end = VF_VIOLATED;
        }
        ebpf_helper_find(133)->fn((uintptr_t)m.regions[i].start, 0, 0, 0, 0);
    }
    return end;
}
