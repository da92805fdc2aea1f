/* SPDX-License-Identifier: MIT */
/* The checking machine: what a program may touch at the moment, and every access to it. */
#include <stdarg.h>

#include "tests/fuzz/fuzz_verifier_machine.h"

bool vm_violate(struct machine *m, const char *format, ...)
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

void vm_grant(struct machine *m, void *start, size_t size, bool write)
{
    for (uint32_t i = 0; i < m->region_cnt; i++) {
        const struct region *r = &m->regions[i];

        if (r->start == start && r->size == size && !r->record && !r->dynptr && r->write == write)
            return;
    }
    if (m->region_cnt < REGIONS)
        m->regions[m->region_cnt++] = (struct region){start, size, write, false, 0};
}

static bool within(uint64_t addr, uint64_t size, const void *start, uint64_t room)
{
    uint64_t off = addr - (uint64_t)(uintptr_t)start;

    return off <= room && size <= room - off;
}

void vm_grant_packet(struct machine *m)
{
    const struct ebpf_xdp *xdp = &m->input->ctx.xdp;

    if (m->type->id != BPF_PROG_TYPE_XDP)
        return;
    for (uint32_t i = m->region_cnt; i-- > 0;) {
        if (within((uintptr_t)m->regions[i].start, 0, m->input->mem, m->input->mem_size) ||
            within((uintptr_t)m->regions[i].start, 0, m->input->old, m->input->mem_size))
            m->regions[i] = m->regions[--m->region_cnt];
    }
    vm_grant(m, xdp->data, (size_t)(xdp->data_end - xdp->data), true);
    vm_grant(m, xdp->data_meta, (size_t)(xdp->data - xdp->data_meta), true);
}

/* The lock in a value is for the two helpers only. */
static bool hits_lock(const struct region *r, uint64_t addr, uint64_t size)
{
    const struct ebpf_map *map = vf_maps[VF_LOCKED];
    uint64_t off = addr - (uintptr_t)r->start;

    return map && r->size == map->value_size && map->lock_off >= 0 && !r->record && !r->dynptr &&
           vf_is_value(map, r->start) && off < (uint64_t)map->lock_off + 4 &&
           off + size > (uint64_t)map->lock_off;
}

/* Bytes of the stack are written, or read; dynptrs that are written over are none any more. */
static void touch_stack(struct machine *m, uint64_t addr, uint64_t size, bool write)
{
    uint64_t off = addr - (uintptr_t)m->stack;

    for (uint64_t i = off; i < off + size; i++) {
        if (write)
            m->written[i] = true;
        else if (!m->written[i])
            m->vague = true;
    }
    for (uint32_t i = m->dynptr_cnt; write && i-- > 0;) {
        if (addr < m->dynptrs[i].at + 16 && addr + size > m->dynptrs[i].at)
            vm_dynptr_end(m, &m->dynptrs[i]);
    }
}

bool vm_access(struct machine *m, uint64_t addr, uint64_t size, bool write)
{
    for (uint32_t f = 0; f <= m->depth; f++) {
        if (within(addr, size, m->stack + f * EBPF_FRAME_SIZE, EBPF_FRAME_SIZE)) {
            touch_stack(m, addr, size, write);
            return true;
        }
    }
    for (uint32_t i = 0; i < m->region_cnt; i++) {
        const struct region *r = &m->regions[i];

        if (!within(addr, size, r->start, r->size) || (!r->write && write))
            continue;
        if (size && hits_lock(r, addr, size))
            return vm_violate(m, "the lock in a value is touched");
        return true;
    }
    return vm_violate(m, "%s of %llu bytes outside of what the program may touch",
                      write ? "write" : "read", (unsigned long long)size);
}

struct region *vm_record_at(struct machine *m, uint64_t addr)
{
    for (uint32_t i = 0; i < m->region_cnt; i++) {
        if (m->regions[i].record && (uintptr_t)m->regions[i].start == addr)
            return &m->regions[i];
    }
    return NULL;
}

/* ---- dynptrs --------------------------------------------------------------------------------- */

struct dynptr *vm_dynptr_at(struct machine *m, uint64_t addr)
{
    for (uint32_t i = 0; i < m->dynptr_cnt; i++) {
        if (m->dynptrs[i].at == addr)
            return &m->dynptrs[i];
    }
    return NULL;
}

void vm_dynptr_new(struct machine *m, uint64_t addr, bool ring)
{
    if (m->dynptr_cnt < DYNPTRS)
        m->dynptrs[m->dynptr_cnt++] = (struct dynptr){addr, ring};
    else
        m->tired = !vm_violate(m, "more dynptrs than the machine keeps book of");
}

void vm_dynptr_end(struct machine *m, struct dynptr *d)
{
    for (uint32_t i = m->region_cnt; i-- > 0;) {
        if (m->regions[i].dynptr == d->at)
            m->regions[i] = m->regions[--m->region_cnt];
    }
    if (d->ring)
        vm_violate(m, "a dynptr of a record is lost");
    *d = m->dynptrs[--m->dynptr_cnt];
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
    const uint8_t *bytes = (const uint8_t *)&m->input->ctx;

    if (!m->type->field_cnt) { /* as it is */
        if (off + size > m->type->ctx_size)
            return vm_violate(m, "load behind the context");
        memcpy(value, bytes + off, size);
        return true;
    }
    if (!f || off % size || (f->whole && size != f->size))
        return vm_violate(m, "load of context bytes %llu+%u", (unsigned long long)off, size);
    memcpy(value, bytes + f->kernel_off, f->kernel_size);
    if (f->kind == EBPF_CTX_NUMBER)
        *value = (*value >> 8 * (off - f->off)) & (size == 8 ? ~0ull : (1ull << 8 * size) - 1);
    else if (size != 4)
        return vm_violate(m, "a part of a packet pointer is loaded");
    return true;
}

static bool ctx_store(struct machine *m, uint64_t off, unsigned size, uint64_t value)
{
    const struct ebpf_ctx_field *f = field_at(m, off, size);

    if (!f || !f->writable || off != f->off || size != f->size || f->kernel_size != f->size)
        return vm_violate(m, "store to context bytes %llu+%u", (unsigned long long)off, size);
    memcpy((uint8_t *)&m->input->ctx + f->kernel_off, &value, size);
    return true;
}

/* ---- loads and stores ------------------------------------------------------------------------ */

bool vm_load(struct machine *m, uint64_t addr, unsigned size, uint64_t *value)
{
    *value = 0;
    if (within(addr, size, m->ctx, CTX_SIZE))
        return ctx_load(m, addr - (uintptr_t)m->ctx, size, value);
    if (!vm_access(m, addr, size, false))
        return false;
    memcpy(value, (void *)(uintptr_t)addr, size);
    return true;
}

bool vm_store(struct machine *m, uint64_t addr, unsigned size, uint64_t value)
{
    if (within(addr, size, m->ctx, CTX_SIZE))
        return ctx_store(m, addr - (uintptr_t)m->ctx, size, value);
    if (!vm_access(m, addr, size, true))
        return false;
    memcpy((void *)(uintptr_t)addr, &value, size);
    return true;
}

unsigned vm_bytes_of(uint8_t code)
{
    static const unsigned sizes[] = {4, 2, 1, 8};

    return sizes[BPF_SIZE(code) >> 3];
}

bool vm_read_reg(struct machine *m, unsigned reg)
{
    return m->set[reg] || vm_violate(m, "r%u is read before it is written", reg);
}

void vm_write_reg(struct machine *m, unsigned reg, uint64_t value)
{
    m->regs[reg] = value;
    m->set[reg] = true;
}

void vm_forget(struct machine *m, unsigned from, unsigned to)
{
    for (unsigned r = from; r <= to; r++)
        m->set[r] = false;
}

void vm_frame_begin(struct machine *m)
{
    uint8_t *frame = m->stack + m->depth * EBPF_FRAME_SIZE;

    for (unsigned i = 0; i < EBPF_FRAME_SIZE; i += 8) {
        uint64_t any = fuzz_value(&m->rnd);

        memcpy(frame + i, &any, 8);
    }
    memset(&m->written[m->depth * EBPF_FRAME_SIZE], 0, EBPF_FRAME_SIZE);
    m->regs[10] = (uintptr_t)(frame + EBPF_FRAME_SIZE);
}

/* What an atomic operation other than a load or store leaves in memory. */
static uint64_t combine(const struct machine *m, const struct bpf_insn *insn, uint64_t old)
{
    unsigned size = vm_bytes_of(insn->code);
    uint64_t cut = size == 8 ? ~0ull : (1ull << 8 * size) - 1, src = m->regs[insn->src_reg];

    switch (insn->imm & ~BPF_FETCH) {
    case BPF_ADD:
        return old + src;
    case BPF_OR:
        return old | src;
    case BPF_AND:
        return old & src;
    case BPF_XOR:
        return old ^ src;
    case BPF_XCHG & ~BPF_FETCH:
        return src;
    default: /* BPF_CMPXCHG */
        return old == (m->regs[0] & cut) ? src : old;
    }
}

bool vm_atomic(struct machine *m, const struct bpf_insn *insn)
{
    unsigned size = vm_bytes_of(insn->code);
    bool acquires = insn->imm == BPF_LOAD_ACQ;
    uint64_t old,
        addr = m->regs[acquires ? insn->src_reg : insn->dst_reg] + (uint64_t)(int64_t)insn->off;

    if (within(addr, size, m->ctx, CTX_SIZE) ||
        within(addr, size, m->input->mem, m->input->mem_size))
        return vm_violate(m, "atomic access to context or packet");
    if (insn->imm == BPF_STORE_REL)
        return vm_store(m, addr, size, m->regs[insn->src_reg]);
    if (!vm_load(m, addr, size, &old) || (insn->imm == BPF_CMPXCHG && !vm_read_reg(m, 0)))
        return false;
    if (!acquires && !vm_store(m, addr, size, combine(m, insn, old)))
        return false;
    if (acquires)
        vm_write_reg(m, insn->dst_reg, old);
    else if (insn->imm == BPF_CMPXCHG)
        vm_write_reg(m, 0, old);
    else if (insn->imm & BPF_FETCH)
        vm_write_reg(m, insn->src_reg, old);
    return true;
}
