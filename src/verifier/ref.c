/* SPDX-License-Identifier: MIT */
/*
 * References, locks, and pointers that may be NULL: facts that hold of many registers at once.
 *
 * A reference is a duty: what bpf_ringbuf_reserve() gave must go to submit or discard, exactly
 * once, on every path. The state lists those that are open; every register and slot that is one, or
 * was made from one, has its number in ref. When it ends, all these become numbers, so that nobody
 * uses what is gone:
 *
 *     r6 = bpf_ringbuf_reserve(...)     refs = {3}; r6: mem_or_null, id 3, ref 3
 *     if (r6 == 0) exit                 here NULL: reference 3 never was, the exit is fine
 *     r7 = r6                           r7: mem, ref 3
 *     bpf_ringbuf_submit(r6)            refs = {}; r6, r7: numbers
 *
 * One spin lock at a time: the state keeps which value of which map; two lookups of the same key
 * may be two values, so the unlock must come through the same lookup (the same id).
 */
#include "src/verifier/access.h"

#include "src/base/mem.h"

/* ---- references ------------------------------------------------------------------------------ */

int ebpf_verify_acquire(struct ebpf_verifier *v, uint32_t *id)
{
    struct ebpf_vstate *s = v->now;
    size_t size = s->ref_cnt * sizeof(*s->refs);
    struct ebpf_vref *refs = ebpf_vmem_zalloc(&v->mem, size + sizeof(*refs));

    if (!refs)
        return -ENOMEM;
    if (size)
        memcpy(refs, s->refs, size);
    ebpf_vmem_free(&v->mem, s->refs, size);
    *id = ebpf_verify_new_id(v);
    refs[s->ref_cnt] = (struct ebpf_vref){.id = *id, .insn = v->at};
    s->refs = refs;
    s->ref_cnt++;
    return 0;
}

/* The array is always as long as there are references: who frees it knows its size by that. Without
 * memory for a shorter one nothing changes, and the program will be refused for what it seems to
 * hold. */
static int remove_ref(struct ebpf_verifier *v, uint32_t id)
{
    struct ebpf_vstate *s = v->now;
    size_t size = s->ref_cnt * sizeof(*s->refs);
    struct ebpf_vref *refs = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->ref_cnt; i++)
        n += s->refs[i].id != id;
    if (n == s->ref_cnt)
        return -ENOENT;
    if (n) {
        refs = ebpf_vmem_zalloc(&v->mem, n * sizeof(*refs));
        if (!refs)
            return -ENOMEM;
    }
    n = 0;
    for (uint32_t i = 0; i < s->ref_cnt; i++) {
        if (s->refs[i].id != id)
            refs[n++] = s->refs[i];
    }
    ebpf_vmem_free(&v->mem, s->refs, size);
    s->refs = refs;
    s->ref_cnt = n;
    return 0;
}

/* Linux lets those who may leak keep what is left of a pointer: a number. */
static void invalidate(const struct ebpf_verifier *v, struct ebpf_vreg *reg,
                       struct ebpf_vslot *slot)
{
    if (v->may_leak) {
        ebpf_vreg_set_unknown(reg);
        return;
    }
    ebpf_vreg_set_nothing(reg);
    for (unsigned i = 0; slot && i < 8; i++)
        slot->bytes[i] = EBPF_BYTE_NOTHING;
}

static bool is_half_of_dynptr(const struct ebpf_vslot *slot)
{
    return slot && slot->bytes[0] == EBPF_BYTE_DYNPTR;
}

static void forget_one(struct ebpf_verifier *v, struct ebpf_vreg *reg, struct ebpf_vslot *slot,
                       void *arg)
{
    if (reg->ref == *(const uint32_t *)arg && ebpf_vreg_is_pointer(reg) &&
        !is_half_of_dynptr(slot))
        invalidate(v, reg, slot);
}

void ebpf_verify_forget(struct ebpf_verifier *v, uint32_t ref)
{
    ebpf_verify_each_reg(v, forget_one, &ref);
}

bool ebpf_verify_release(struct ebpf_verifier *v, uint32_t id)
{
    if (remove_ref(v, id))
        return false;
    ebpf_verify_forget(v, id);
    return true;
}

int ebpf_verify_nothing_held(struct ebpf_verifier *v, const char *what)
{
    const struct ebpf_vstate *s = v->now;

    if (s->lock_map)
        return ebpf_verify_refuse(
            v, -EINVAL, "%s cannot be used inside bpf_spin_lock-ed region", what);
    for (uint32_t i = 0; i < s->ref_cnt; i++)
        ebpf_verify_refuse(v, -EINVAL, "Unreleased reference id=%u alloc_insn=%u", s->refs[i].id,
                           s->refs[i].insn);
    return s->ref_cnt ? ebpf_verify_refuse(v, -EINVAL, "%s would lead to reference leak", what) : 0;
}

/* ---- packets --------------------------------------------------------------------------------- */

static void packet_gone(struct ebpf_verifier *v, struct ebpf_vreg *reg, struct ebpf_vslot *slot,
                        void *arg)
{
    uint32_t kinds = 1u << EBPF_KIND_PACKET | 1u << EBPF_KIND_PACKET_META |
                     1u << EBPF_KIND_PACKET_END;

    (void)arg;
    if (kinds >> reg->kind & 1)
        invalidate(v, reg, slot);
}

void ebpf_verify_packet_moved(struct ebpf_verifier *v)
{
    ebpf_verify_each_reg(v, packet_gone, NULL);
}

/* ---- locks ----------------------------------------------------------------------------------- */

int ebpf_verify_lock(struct ebpf_verifier *v, unsigned n, bool lock)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);
    struct ebpf_vstate *s = v->now;
    int err = ebpf_verify_at_field(v, n, "bpf_spin_lock", reg->map->lock_off);

    if (err)
        return err;
    if (lock) {
        if (s->lock_map)
            return ebpf_verify_refuse(v, -EINVAL, "Locking two bpf_spin_locks are not allowed");
        s->lock_map = reg->map;
        s->lock_id = reg->id;
        return 0;
    }
    if (!s->lock_map)
        return ebpf_verify_refuse(v, -EINVAL, "bpf_spin_unlock without taking a lock");
    if (s->lock_map != reg->map || s->lock_id != reg->id)
        return ebpf_verify_refuse(v, -EINVAL, "bpf_spin_unlock of different lock");
    s->lock_map = NULL;
    s->lock_id = 0;
    return 0;
}

/* ---- NULL or not ----------------------------------------------------------------------------- */

/* What the helper gave for a value of that map, now that it is there. The id stays where it tells
 * one lookup from another: locks, and what is in inner maps. */
static void value_is_there(struct ebpf_vreg *reg)
{
    const struct ebpf_map *map = reg->map;

    if (map->inner) {
        reg->kind = EBPF_KIND_MAP;
        reg->map = map->inner;
        reg->map_uid = map->inner->timer_off >= 0 ? reg->id : 0;
    } else if (map->type == BPF_MAP_TYPE_XSKMAP) {
        reg->kind = EBPF_KIND_XDP_SOCK;
    } else if (map->type == BPF_MAP_TYPE_SOCKMAP || map->type == BPF_MAP_TYPE_SOCKHASH) {
        reg->kind = EBPF_KIND_SOCK;
    }
    if (reg->kind == EBPF_KIND_MAP_VALUE ? map->lock_off < 0 : reg->kind != EBPF_KIND_MAP)
        reg->id = 0;
    if (reg->kind != EBPF_KIND_MAP_VALUE && reg->kind != EBPF_KIND_MAP)
        reg->map = NULL;
}

struct known {
    uint32_t id;
    bool null;
};

static void known_one(struct ebpf_verifier *v, struct ebpf_vreg *reg, struct ebpf_vslot *slot,
                      void *arg)
{
    const struct known *known = arg;

    (void)v;
    (void)slot;
    if (!(reg->flags & EBPF_REG_OR_NULL) || reg->id != known->id || !ebpf_vreg_is_pointer(reg))
        return;
    if (known->null) {
        ebpf_vreg_set_number(reg, 0);
        return;
    }
    reg->flags &= ~EBPF_REG_OR_NULL;
    if (reg->kind == EBPF_KIND_MAP_VALUE)
        value_is_there(reg);
    else
        reg->id = 0;
}

void ebpf_verify_null_known(struct ebpf_verifier *v, uint32_t id, bool null)
{
    struct known known = {.id = id, .null = null};

    /* id is that of a reference only where the pointer is what was acquired, not what was cast from
     * it */
    if (null)
        (void)remove_ref(v, id);
    ebpf_verify_each_reg(v, known_one, &known);
}
