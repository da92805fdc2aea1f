/* SPDX-License-Identifier: MIT */
/*
 * States: life and comparison. The stack's bytes are in stack.c.
 *
 * A state stands for all machine states that it allows. The path that reaches an instruction with a
 * state that lies within one which was followed from there to the end needs no second look
 * (ebpf_vstate_within()): the comparison must never be generous. A register that held NOTHING was
 * not read on that way, so that anything may be in it now; a number may be any subset of what it
 * was, and anything at all where it did not matter (precise.c); a pointer must be to the same
 * thing.
 */
#include "src/verifier/state.h"

#include "src/base/alloc.h"
#include "src/base/mem.h"

/* ---- memory ---------------------------------------------------------------------------------- */

/* The list of spare blocks that this size shares with few others. */
static unsigned spare_of(size_t size)
{
    return (unsigned)(size / 16 %
                      (sizeof(((struct ebpf_vmem *)0)->spare) /
                       sizeof(((struct ebpf_vmem *)0)->spare[0])));
}

static bool drain(struct ebpf_vmem *mem, unsigned list)
{
    struct ebpf_vspare *block;
    bool any = mem->spare[list].first != NULL;

    while ((block = mem->spare[list].first)) {
        mem->spare[list].first = block->next;
        mem->used -= mem->spare[list].size;
        ebpf_free(block, mem->spare[list].size);
    }
    return any;
}

static bool drain_all(struct ebpf_vmem *mem)
{
    bool any = false;

    for (unsigned list = 0; list < sizeof(mem->spare) / sizeof(mem->spare[0]); list++)
        any |= drain(mem, list);
    return any;
}

void ebpf_vmem_fini(struct ebpf_vmem *mem)
{
    drain_all(mem);
}

static void *alloc_new(struct ebpf_vmem *mem, size_t size)
{
    void *ptr = size <= mem->limit - mem->used ? ebpf_alloc(size) : NULL;

    if (ptr)
        mem->used += size;
    if (mem->used > mem->peak)
        mem->peak = mem->used;
    return ptr;
}

void *ebpf_vmem_alloc(struct ebpf_vmem *mem, size_t size)
{
    unsigned list = spare_of(size);
    struct ebpf_vspare *block = mem->spare[list].first;
    void *ptr;

    if (block && mem->spare[list].size == size) {
        mem->spare[list].first = block->next;
        return block;
    }
    ptr = alloc_new(mem, size);
    if (!ptr && drain_all(mem)) /* what was spare had the wrong sizes */
        ptr = alloc_new(mem, size);
    return ptr;
}

void *ebpf_vmem_zalloc(struct ebpf_vmem *mem, size_t size)
{
    void *ptr = ebpf_vmem_alloc(mem, size);

    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

void ebpf_vmem_free(struct ebpf_vmem *mem, void *ptr, size_t size)
{
    unsigned list = spare_of(size);
    struct ebpf_vspare *block = ptr;

    if (!ptr)
        return;
    if (size < sizeof(*block)) {
        mem->used -= size;
        ebpf_free(ptr, size);
        return;
    }
    if (mem->spare[list].size != size)
        drain(mem, list);
    mem->spare[list].size = size;
    block->next = mem->spare[list].first;
    mem->spare[list].first = block;
}

void ebpf_vreg_set_nothing(struct ebpf_vreg *reg)
{
    memset(reg, 0, sizeof(*reg));
}

void ebpf_vreg_set_unknown(struct ebpf_vreg *reg)
{
    memset(reg, 0, sizeof(*reg));
    reg->kind = EBPF_KIND_SCALAR;
    ebpf_scalar_forget(&reg->var, 64);
}

void ebpf_vreg_set_number(struct ebpf_vreg *reg, uint64_t value)
{
    memset(reg, 0, sizeof(*reg));
    reg->kind = EBPF_KIND_SCALAR;
    ebpf_scalar_set(&reg->var, value, 64);
}

void ebpf_vreg_set_pointer(struct ebpf_vreg *reg, enum ebpf_kind kind)
{
    memset(reg, 0, sizeof(*reg));
    reg->kind = kind;
    ebpf_scalar_set(&reg->var, 0, 64);
}

bool ebpf_vreg_is_null(const struct ebpf_vreg *reg)
{
    return reg->kind == EBPF_KIND_SCALAR && ebpf_scalar_is(&reg->var, 0);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void frame_free(struct ebpf_vmem *mem, struct ebpf_vframe *frame)
{
    ebpf_vmem_free(mem, frame->slots, frame->slot_cnt * sizeof(*frame->slots));
    ebpf_vmem_free(mem, frame, sizeof(*frame));
}

int ebpf_vstate_push(struct ebpf_vmem *mem, struct ebpf_vstate *s, uint32_t call)
{
    struct ebpf_vframe *frame;

    if (s->frame_cnt == EBPF_MAX_FRAMES)
        return -E2BIG;
    frame = ebpf_vmem_alloc(mem, sizeof(struct ebpf_vframe));
    if (!frame)
        return -ENOMEM;
    memset(frame, 0, sizeof(*frame));
    frame->call = call;
    ebpf_vreg_set_pointer(&frame->regs[BPF_REG_10], EBPF_KIND_STACK);
    frame->regs[BPF_REG_10].frame = s->frame_cnt;
    s->frames[s->frame_cnt++] = s->top = frame;
    return 0;
}

void ebpf_vstate_pop(struct ebpf_vmem *mem, struct ebpf_vstate *s)
{
    frame_free(mem, s->frames[--s->frame_cnt]);
    s->top = s->frame_cnt ? s->frames[s->frame_cnt - 1] : NULL;
}

void ebpf_vstate_fini(struct ebpf_vmem *mem, struct ebpf_vstate *s)
{
    while (s->frame_cnt)
        ebpf_vstate_pop(mem, s);
    ebpf_vmem_free(mem, s->refs, s->ref_cnt * sizeof(*s->refs));
    s->refs = NULL;
    s->ref_cnt = 0;
}

static struct ebpf_vframe *copy_frame(struct ebpf_vmem *mem, const struct ebpf_vframe *from)
{
    struct ebpf_vframe *to = ebpf_vmem_alloc(mem, sizeof(struct ebpf_vframe));
    struct ebpf_vslot *slots = NULL;

    if (!to)
        return NULL;
    if (from->slot_cnt) {
        slots = ebpf_vmem_alloc(mem, from->slot_cnt * sizeof(*slots));
        if (!slots) {
            to->slots = NULL;
            to->slot_cnt = 0;
            frame_free(mem, to);
            return NULL;
        }
        memcpy(slots, from->slots, from->slot_cnt * sizeof(*slots));
    }
    memcpy(to, from, sizeof(*to));
    to->slots = slots;
    return to;
}

int ebpf_vstate_copy(struct ebpf_vmem *mem, const struct ebpf_vstate *from, struct ebpf_vstate *to)
{
    *to = *from;
    to->frame_cnt = 0;
    to->ref_cnt = 0;
    to->refs = NULL;
    if (from->ref_cnt) {
        to->refs = ebpf_vmem_alloc(mem, from->ref_cnt * sizeof(*to->refs));
        if (!to->refs)
            return -ENOMEM;
        memcpy(to->refs, from->refs, from->ref_cnt * sizeof(*to->refs));
        to->ref_cnt = from->ref_cnt;
    }
    for (uint32_t f = 0; f < from->frame_cnt; f++) {
        to->frames[f] = to->top = copy_frame(mem, from->frames[f]);
        if (!to->top) {
            ebpf_vstate_fini(mem, to);
            return -ENOMEM;
        }
        to->frame_cnt = f + 1;
    }
    return 0;
}

/* ---- comparison ------------------------------------------------------------------------------ */

/* Which id of now stands for which of old: one for one, both ways. Lives on the caller's stack. */
#define MAX_IDS 32u
struct compare {
    enum ebpf_vhow how;
    bool read_nothing;
    uint32_t count;
    struct {
        uint32_t now, old;
    } ids[MAX_IDS];
};

/* An id of old says that what carries it is linked: now must have the same links, and more do no
 * harm. Where states must be the same there may be none, but an id that nothing else carries links
 * nothing. */
static bool same_id(struct compare *cmp, uint32_t now, uint32_t old)
{
    if (!old && (cmp->how != EBPF_VSAME || !now))
        return true;
    if (!now)
        return false;
    for (uint32_t i = 0; i < cmp->count; i++) {
        if (cmp->ids[i].now == now || (old && cmp->ids[i].old == old))
            return old && cmp->ids[i].now == now && cmp->ids[i].old == old;
    }
    if (cmp->count == MAX_IDS)
        return false;
    cmp->ids[cmp->count].now = now;
    cmp->ids[cmp->count++].old = old;
    return true;
}

static bool matters(const struct compare *cmp, const struct ebpf_vreg *old)
{
    return cmp->how != EBPF_VPRECISE || (old->flags & (EBPF_REG_PRECISE | EBPF_REG_PINNED));
}

static bool var_within(const struct compare *cmp, const struct ebpf_scalar *now,
                       const struct ebpf_scalar *old)
{
    return ebpf_scalar_within(now, old) && (cmp->how != EBPF_VSAME || ebpf_scalar_within(old, now));
}

static bool number_within(struct compare *cmp, const struct ebpf_vreg *now,
                          const struct ebpf_vreg *old)
{
    if (!matters(cmp, old))
        return true;
    if (!var_within(cmp, &now->var, &old->var) || !same_id(cmp, now->id, old->id))
        return false;
    return !old->id || now->link == old->link;
}

/* What the union of a register says. */
static bool extent_within(struct compare *cmp, const struct ebpf_vreg *now,
                          const struct ebpf_vreg *old)
{
    if (old->kind == EBPF_KIND_MAP || old->kind == EBPF_KIND_MAP_VALUE)
        return !now->map_uid == !old->map_uid && same_id(cmp, now->map_uid, old->map_uid);
    if (cmp->how != EBPF_VSAME &&
        (old->kind == EBPF_KIND_PACKET || old->kind == EBPF_KIND_PACKET_META))
        return now->range >= old->range;
    return now->range == old->range;
}

static bool reg_within(struct compare *cmp, const struct ebpf_vreg *now,
                       const struct ebpf_vreg *old)
{
    if (old->kind == EBPF_KIND_NOTHING)
        return true;
    if (now->kind != old->kind)
        return false;
    if (old->kind == EBPF_KIND_SCALAR)
        return number_within(cmp, now, old);
    return now->frame == old->frame && now->flags == old->flags && now->off == old->off &&
           now->map == old->map && extent_within(cmp, now, old) && !now->ref == !old->ref &&
           var_within(cmp, &now->var, &old->var) && same_id(cmp, now->id, old->id) &&
           same_id(cmp, now->ref, old->ref);
}

static const struct ebpf_vslot *slot_at(const struct ebpf_vframe *frame, uint32_t n)
{
    static const struct ebpf_vslot nothing;

    return n < frame->slot_cnt ? &frame->slots[n] : &nothing;
}

/* Is it a byte of a number, of whatever kind? NOTHING counts as one where it may be read. */
static bool plain(const struct compare *cmp, const struct ebpf_vslot *now, unsigned i)
{
    switch (now->bytes[i]) {
    case EBPF_BYTE_ANY:
    case EBPF_BYTE_ZERO:
        return true;
    case EBPF_BYTE_SPILL:
        return now->reg.kind == EBPF_KIND_SCALAR;
    default:
        return now->bytes[i] == EBPF_BYTE_NOTHING && cmp->read_nothing;
    }
}

/*
 * ANY allows for every plain byte, so for a zero and for a byte of a spilled number, but not of a
 * pointer. NOTHING was not read, or read as a number that can be anything
 * (ebpf_vstack_rules.read_nothing): where it is a pointer now, that tells those its value who may
 * read all memory, and no memory can be reached by it.
 */
static bool byte_within(const struct compare *cmp, const struct ebpf_vslot *now,
                        const struct ebpf_vslot *old, unsigned i)
{
    if (now->bytes[i] == old->bytes[i])
        return true;
    if (old->bytes[i] == EBPF_BYTE_NOTHING)
        return cmp->how != EBPF_VSAME;
    return old->bytes[i] == EBPF_BYTE_ANY && cmp->how != EBPF_VSAME && plain(cmp, now, i);
}

/* A spilled number of 8 bytes that did not matter was read as a number, at most: any plain bytes do
 * as well. */
static bool unimportant(const struct compare *cmp, const struct ebpf_vslot *now,
                        const struct ebpf_vslot *old)
{
    if (old->reg.kind != EBPF_KIND_SCALAR || matters(cmp, &old->reg))
        return false;
    for (unsigned i = 0; i < 8; i++) {
        if (old->bytes[i] != EBPF_BYTE_SPILL || !plain(cmp, now, i))
            return false;
    }
    return true;
}

static bool slot_within(struct compare *cmp, const struct ebpf_vslot *now,
                        const struct ebpf_vslot *old)
{
    if (unimportant(cmp, now, old))
        return true;
    for (unsigned i = 0; i < 8; i++) {
        if (!byte_within(cmp, now, old, i) ||
            /* spills of one width only: the register kept is a number of that width */
            (old->bytes[0] == EBPF_BYTE_SPILL && old->bytes[i] != EBPF_BYTE_SPILL &&
             now->bytes[i] == EBPF_BYTE_SPILL))
            return false;
    }
    return old->reg.kind == EBPF_KIND_NOTHING || reg_within(cmp, &now->reg, &old->reg);
}

static bool frame_within(struct compare *cmp, const struct ebpf_vframe *now,
                         const struct ebpf_vframe *old)
{
    /* Who came back more often has fewer rounds before it: Linux, func_states_equal(). */
    if (now->call != old->call || now->subprog != old->subprog || now->callback != old->callback ||
        old->callback_depth > now->callback_depth)
        return false;
    if (cmp->how == EBPF_VSAME &&
        (old->callback_depth != now->callback_depth || old->slot_cnt != now->slot_cnt))
        return false;
    for (unsigned r = 0; r < 10; r++) {
        if (!reg_within(cmp, &now->regs[r], &old->regs[r]))
            return false;
    }
    for (uint32_t n = 0; n < old->slot_cnt; n++) {
        if (!slot_within(cmp, slot_at(now, n), &old->slots[n]))
            return false;
    }
    return true;
}

static bool held_within(struct compare *cmp, const struct ebpf_vstate *now,
                        const struct ebpf_vstate *old)
{
    if (now->ref_cnt != old->ref_cnt || now->lock_map != old->lock_map ||
        !now->lock_id != !old->lock_id || !same_id(cmp, now->lock_id, old->lock_id))
        return false;
    for (uint32_t i = 0; i < old->ref_cnt; i++) {
        if (!same_id(cmp, now->refs[i].id, old->refs[i].id))
            return false;
    }
    return cmp->how != EBPF_VSAME || now->may_goto_depth == old->may_goto_depth;
}

bool ebpf_vstate_within(const struct ebpf_vstate *now, const struct ebpf_vstate *old,
                        enum ebpf_vhow how, const struct ebpf_vstack_rules *rules)
{
    struct compare cmp;

    cmp.how = how;
    cmp.read_nothing = rules->read_nothing;
    cmp.count = 0;
    if (now->frame_cnt != old->frame_cnt)
        return false;
    for (uint32_t f = old->frame_cnt; f-- > 0;) { /* the top frame first: there they differ */
        if (!frame_within(&cmp, now->frames[f], old->frames[f]))
            return false;
    }
    return held_within(&cmp, now, old);
}
