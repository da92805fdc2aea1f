/* SPDX-License-Identifier: MIT */
/*
 * States: life and comparison. The stack's bytes are in stack.c.
 *
 * A state stands for all machine states that it allows. The path that reaches an instruction with a state that lies
 * within one which was followed from there to the end needs no second look (ebpf_vstate_within()): the comparison must
 * never be generous. A register that held NOTHING was not read on that way, so that anything may be in it now; a number
 * may be any subset of what it was; a pointer must be to the same thing.
 */
#include "src/verifier/state.h"

#include "src/base/alloc.h"
#include "src/base/mem.h"

void *ebpf_vmem_zalloc(struct ebpf_vmem *mem, size_t size)
{
    void *ptr = size <= mem->limit - mem->used ? ebpf_zalloc(size) : NULL;

    if (ptr)
        mem->used += size;
    return ptr;
}

void ebpf_vmem_free(struct ebpf_vmem *mem, void *ptr, size_t size)
{
    if (!ptr)
        return;
    mem->used -= size;
    ebpf_free(ptr, size);
}

struct ebpf_vreg ebpf_vreg_scalar(struct ebpf_scalar var)
{
    return (struct ebpf_vreg){.kind = EBPF_KIND_SCALAR, .var = var};
}

struct ebpf_vreg ebpf_vreg_pointer(enum ebpf_kind kind)
{
    return (struct ebpf_vreg){.kind = (uint8_t)kind, .var = ebpf_scalar_const(0, 64)};
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

int ebpf_vstate_push(struct ebpf_vmem *mem, struct ebpf_vstate *s, uint32_t call)
{
    struct ebpf_vframe *frame;

    if (s->frame_cnt == EBPF_MAX_FRAMES)
        return -E2BIG;
    frame = ebpf_vmem_zalloc(mem, sizeof(*frame));
    if (!frame)
        return -ENOMEM;
    frame->call = call;
    frame->regs[BPF_REG_10] = ebpf_vreg_pointer(EBPF_KIND_STACK);
    frame->regs[BPF_REG_10].frame = (uint8_t)s->frame_cnt;
    s->frames[s->frame_cnt++] = frame;
    return 0;
}

void ebpf_vstate_pop(struct ebpf_vmem *mem, struct ebpf_vstate *s)
{
    struct ebpf_vframe *frame = s->frames[--s->frame_cnt];

    ebpf_vmem_free(mem, frame->slots, frame->slot_cnt * sizeof(*frame->slots));
    ebpf_vmem_free(mem, frame, sizeof(*frame));
}

void ebpf_vstate_fini(struct ebpf_vmem *mem, struct ebpf_vstate *s)
{
    while (s->frame_cnt)
        ebpf_vstate_pop(mem, s);
}

static int copy_frame(struct ebpf_vmem *mem, const struct ebpf_vframe *from, struct ebpf_vframe *to)
{
    struct ebpf_vslot *slots = NULL;

    if (from->slot_cnt) {
        slots = ebpf_vmem_zalloc(mem, from->slot_cnt * sizeof(*slots));
        if (!slots)
            return -ENOMEM;
        memcpy(slots, from->slots, from->slot_cnt * sizeof(*slots));
    }
    *to = *from;
    to->slots = slots;
    return 0;
}

int ebpf_vstate_copy(struct ebpf_vmem *mem, const struct ebpf_vstate *from, struct ebpf_vstate *to)
{
    int err = 0;

    to->frame_cnt = 0;
    for (uint32_t f = 0; !err && f < from->frame_cnt; f++) {
        err = ebpf_vstate_push(mem, to, 0);
        if (!err)
            err = copy_frame(mem, from->frames[f], to->frames[f]);
    }
    if (err)
        ebpf_vstate_fini(mem, to);
    return err;
}

/* ---- comparison ----------------------------------------------------------------------------------------------------- */

/* Which id of now stands for which of old: one for one, both ways. Lives on the caller's stack. */
#define MAX_IDS 48u
struct ids {
    struct {
        uint32_t now, old;
    } pairs[MAX_IDS];
    uint32_t count;
};

/* An id of old says that what carries it is linked: now must have the same links, and more do no harm. */
static bool same_id(struct ids *ids, uint32_t now, uint32_t old)
{
    if (!old)
        return true;
    if (!now)
        return false;
    for (uint32_t i = 0; i < ids->count; i++) {
        if (ids->pairs[i].now == now || ids->pairs[i].old == old)
            return ids->pairs[i].now == now && ids->pairs[i].old == old;
    }
    if (ids->count == MAX_IDS)
        return false;
    ids->pairs[ids->count].now = now;
    ids->pairs[ids->count++].old = old;
    return true;
}

static bool reg_within(struct ids *ids, const struct ebpf_vreg *now, const struct ebpf_vreg *old)
{
    if (old->kind == EBPF_KIND_NOTHING)
        return true;
    if (now->kind != old->kind)
        return false;
    if (old->kind == EBPF_KIND_SCALAR)
        return ebpf_scalar_within(&now->var, &old->var) && same_id(ids, now->id, old->id);
    return now->frame == old->frame && now->flags == old->flags && now->off == old->off &&
           now->map == old->map && now->range >= old->range &&
           ebpf_scalar_within(&now->var, &old->var) && same_id(ids, now->id, old->id);
}

static const struct ebpf_vslot *slot_at(const struct ebpf_vframe *frame, uint32_t n)
{
    static const struct ebpf_vslot nothing;

    return n < frame->slot_cnt ? &frame->slots[n] : &nothing;
}

/*
 * ANY allows for every plain byte, so for a zero and for a byte of a spilled number, but not of a pointer. NOTHING was not
 * read, or read as a number that can be anything (ebpf_vstack_rules.read_nothing): where it is a pointer now, that tells
 * those its value who may read all memory, and no memory can be reached by it.
 */
static bool byte_within(const struct ebpf_vslot *now, const struct ebpf_vslot *old, unsigned i)
{
    uint8_t have = now->bytes[i], want = old->bytes[i];

    if (want == EBPF_BYTE_NOTHING || have == want)
        return true;
    if (want != EBPF_BYTE_ANY)
        return false;
    return have == EBPF_BYTE_ZERO || (have == EBPF_BYTE_SPILL && now->reg.kind == EBPF_KIND_SCALAR);
}

static bool slot_within(struct ids *ids, const struct ebpf_vslot *now, const struct ebpf_vslot *old)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!byte_within(now, old, i) ||
            /* spills of one width only: the register kept is a number of that width */
            (old->bytes[0] == EBPF_BYTE_SPILL && old->bytes[i] != EBPF_BYTE_SPILL &&
             now->bytes[i] == EBPF_BYTE_SPILL))
            return false;
    }
    return old->bytes[0] != EBPF_BYTE_SPILL || reg_within(ids, &now->reg, &old->reg);
}

static bool frame_within(struct ids *ids, const struct ebpf_vframe *now,
                         const struct ebpf_vframe *old)
{
    if (now->call != old->call)
        return false;
    for (unsigned r = 0; r < 11; r++) {
        if (!reg_within(ids, &now->regs[r], &old->regs[r]))
            return false;
    }
    for (uint32_t n = 0; n < old->slot_cnt; n++) {
        if (!slot_within(ids, slot_at(now, n), &old->slots[n]))
            return false;
    }
    return true;
}

bool ebpf_vstate_within(const struct ebpf_vstate *now, const struct ebpf_vstate *old)
{
    struct ids ids;

    ids.count = 0;
    if (now->frame_cnt != old->frame_cnt)
        return false;
    for (uint32_t f = 0; f < old->frame_cnt; f++) {
        if (!frame_within(&ids, now->frames[f], old->frames[f]))
            return false;
    }
    return true;
}
