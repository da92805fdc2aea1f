/* SPDX-License-Identifier: MIT */
/*
 * Dynptrs: 16 bytes of stack (two slots, aligned) that a helper makes into a pointer with a length,
 * and that only helpers look into. Programs neither read these bytes nor point into their middle; a
 * store to any of them ends the dynptr, and the slices of it that bpf_dynptr_data() gave are
 * pointers no more. One over a reserved record holds a reference: it may not be overwritten, and
 * submit or discard end it.
 *
 *     fp-16: DYNPTR (reg.id 5, reg.off 8: the upper half)   A slice has ref 5. Ending dynptr 5 ends
 *     fp-24: DYNPTR (reg.id 5, reg.off 0: the start)        all that has ref 5, wherever it was
 *     put.
 *
 * reg.flags has EBPF_REG_RECORD for one over a record; reg.ref is then the reference, the same
 * number as reg.id.
 */
#include "src/verifier/dynptr.h"

#include "src/verifier/access.h"

#define DYNPTR_SIZE 16

static bool is_dynptr(const struct ebpf_vslot *slot)
{
    return slot->bytes[0] == EBPF_BYTE_DYNPTR;
}

static struct ebpf_vslot *slot_at(const struct ebpf_vframe *frame, int off)
{
    uint32_t n = (uint32_t)(-off - 1) / 8;

    return n < frame->slot_cnt ? &frame->slots[n] : NULL;
}

/* Both halves hold nothing then. */
static void clear(struct ebpf_vframe *frame, uint32_t id)
{
    for (uint32_t n = 0; n < frame->slot_cnt; n++) {
        if (is_dynptr(&frame->slots[n]) && frame->slots[n].reg.id == id)
            memset(&frame->slots[n], 0, sizeof(frame->slots[n]));
    }
}

int ebpf_verify_dynptr_overwrite(struct ebpf_verifier *v, unsigned frame, int off, unsigned size)
{
    struct ebpf_vframe *f = v->now->frames[frame];

    for (int at = off; at < off + (int)size; at++) {
        struct ebpf_vslot *slot = slot_at(f, at);
        uint32_t id;

        if (!slot || !is_dynptr(slot))
            continue;
        if (slot->reg.ref)
            return ebpf_verify_refuse(v, -EINVAL, "cannot overwrite referenced dynptr");
        id = slot->reg.id;
        clear(f, id);
        ebpf_verify_forget(v, id);
    }
    return 0;
}

/* The stack slots of the dynptr at that register: its lowest offset. Two whole slots of the frame.
 * */
static int find_place(struct ebpf_verifier *v, unsigned n, int *place)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);
    int64_t off;

    if (!ebpf_verify_fixed(reg, &off))
        return ebpf_verify_refuse(v, -EINVAL, "dynptr has to be at a constant offset");
    if (off % 8 || off < -(int)EBPF_FRAME_SIZE || off > -DYNPTR_SIZE)
        return ebpf_verify_refuse(v, -EINVAL, "cannot pass in dynptr at an offset=%lld",
                                  (long long)off);
    *place = (int)off;
    return 0;
}

int ebpf_verify_dynptr_make(struct ebpf_verifier *v, unsigned n, bool record)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);
    struct ebpf_vframe *frame;
    struct ebpf_vreg half;
    int off, err;

    if (reg->kind != EBPF_KIND_STACK)
        return ebpf_verify_refuse(v, -EINVAL, "Dynptr has to be an uninitialized dynptr");
    err = find_place(v, n, &off);
    if (!err)
        err = ebpf_verify_stack_written(v, n, DYNPTR_SIZE); /* ends what was there, makes slots */
    if (err)
        return err;
    ebpf_vreg_set_pointer(&half, EBPF_KIND_DYNPTR);
    if (record) {
        err = ebpf_verify_acquire(v, &half.id);
        half.ref = half.id;
        half.flags = EBPF_REG_RECORD;
    } else {
        half.id = ebpf_verify_new_id(v);
    }
    if (err)
        return err;
    frame = v->now->frames[reg->frame];
    for (int i = 0; i < DYNPTR_SIZE; i += 8) {
        struct ebpf_vslot *slot = slot_at(frame, off + i);

        half.off = i;
        slot->reg = half;
        for (unsigned b = 0; b < 8; b++)
            slot->bytes[b] = EBPF_BYTE_DYNPTR;
    }
    return 0;
}

/* The lower half of an initialised dynptr at that register, or the register that stands for one. */
static int find(struct ebpf_verifier *v, unsigned n, bool record, const struct ebpf_vreg **out)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);
    const struct ebpf_vslot *slot;
    int off = 0, err = 0;

    if (reg->kind == EBPF_KIND_DYNPTR) {
        err = ebpf_verify_unmodified(v, n);
        *out = reg;
    } else if (reg->kind == EBPF_KIND_STACK) {
        err = find_place(v, n, &off);
        slot = err ? NULL : slot_at(v->now->frames[reg->frame], off);
        if (!err && (!slot || !is_dynptr(slot) || slot->reg.off))
            err =
                ebpf_verify_refuse(v, -EINVAL, "Expected an initialized dynptr as arg #%u", n - 1);
        if (!err)
            err = ebpf_verify_note_stack(v, reg->frame, off, DYNPTR_SIZE, false);
        *out = slot ? &slot->reg : NULL;
    } else {
        return ebpf_verify_refuse(
            v, -EINVAL, "arg#%u expected pointer to stack or const struct bpf_dynptr", n - 1);
    }
    if (!err && record && !((*out)->flags & EBPF_REG_RECORD))
        err = ebpf_verify_refuse(v, -EINVAL, "Expected a dynptr of type ringbuf as arg #%u", n - 1);
    return err;
}

int ebpf_verify_dynptr_use(struct ebpf_verifier *v, unsigned n, uint32_t *id)
{
    const struct ebpf_vreg *half;
    int err = find(v, n, false, &half);

    if (!err)
        *id = half->id;
    return err;
}

int ebpf_verify_dynptr_release(struct ebpf_verifier *v, unsigned n)
{
    const struct ebpf_vreg *half;
    struct ebpf_vframe *frame = v->now->frames[ebpf_verify_reg(v, n)->frame];
    int err = find(v, n, true, &half);
    uint32_t id;

    if (err)
        return err;
    if (ebpf_verify_reg(v, n)->kind != EBPF_KIND_STACK)
        return ebpf_verify_refuse(v, -EINVAL,
                                  "R%u must be referenced when passed to release function", n);
    id = half->id;
    clear(frame, id);
    return ebpf_verify_release(v, id)
               ? 0
               : ebpf_verify_refuse(v, -EINVAL, "arg %u is an unacquired reference", n);
}
