/* SPDX-License-Identifier: MIT */
/*
 * The stack's bytes. A slot is the 8 bytes at r10 - 8 * (n + 1); each byte of it holds nothing,
 * anything, a zero, its part of a spilled register, or of a dynptr. What is stored from the start
 * of a slot stays known as a register: a pointer with 8 bytes, a number with 1, 2, 4 or 8 (the
 * number kept is cut to that). A load from there gives it back, cut further if it is shorter. All
 * other loads see plain bytes: zeros, or a number that can be anything.
 *
 *     r10-8                               r10    *(u32 *)(r10 - 8) = w1;  *(u8 *)(r10 - 3) = 0:
 *     SPILL SPILL SPILL SPILL - ZERO - -         a load of 4 bytes at -8 gives w1's bounds back
 *
 * A number keeps its id on the way in and out as long as none of its bits are cut off. A store into
 * a part of a spill makes its other bytes plain. Bytes of a pointer are never loaded in pieces,
 * those of a dynptr not at all; who overwrites a dynptr must have ended it before (dynptr.c).
 */
#include "src/verifier/state.h"

#include "src/base/mem.h"

static uint32_t slot_of(int off)
{
    return (uint32_t)(-off - 1) / 8;
}

/* Byte of its slot, counted from the lowest address. */
static unsigned byte_of(int off)
{
    return (unsigned)(off + (int)EBPF_FRAME_SIZE) % 8;
}

/* Makes sure that the slots of off and above are there. */
static int reserve(struct ebpf_vmem *mem, struct ebpf_vframe *frame, int off)
{
    uint32_t need = slot_of(off) + 1;
    struct ebpf_vslot *slots;

    if (need <= frame->slot_cnt)
        return 0;
    slots = ebpf_vmem_zalloc(mem, need * sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    if (frame->slot_cnt)
        memcpy(slots, frame->slots, frame->slot_cnt * sizeof(*slots));
    ebpf_vmem_free(mem, frame->slots, frame->slot_cnt * sizeof(*slots));
    frame->slots = slots;
    frame->slot_cnt = need;
    return 0;
}

static uint8_t byte_at(const struct ebpf_vframe *frame, int off)
{
    uint32_t n = slot_of(off);

    return n < frame->slot_cnt ? frame->slots[n].bytes[byte_of(off)] : EBPF_BYTE_NOTHING;
}

static bool holds_pointer(const struct ebpf_vframe *frame, int off)
{
    return byte_at(frame, off) == EBPF_BYTE_SPILL &&
           ebpf_vreg_is_pointer(&frame->slots[slot_of(off)].reg);
}

/* The lowest size bytes of it are a number, and zero. */
static bool is_zero(const struct ebpf_vreg *value, unsigned size)
{
    struct ebpf_tnum part = ebpf_tnum_cut(value->var.known, size * 8);

    return value->kind == EBPF_KIND_SCALAR && !part.value && !part.mask;
}

/* The slot's register is no longer known; its bytes are still there. They are known to be zeros
 * only where that does not depend on what a saved state allows for (from): nobody would remember to
 * compare it. */
static void break_spill(struct ebpf_vslot *slot)
{
    bool zero = is_zero(&slot->reg, 8) && !slot->reg.from;

    for (unsigned i = 0; i < 8; i++) {
        if (slot->bytes[i] == EBPF_BYTE_SPILL)
            slot->bytes[i] = zero ? EBPF_BYTE_ZERO : EBPF_BYTE_ANY;
    }
    ebpf_vreg_set_nothing(&slot->reg);
}

static int refuse(const char **why, const char *text)
{
    *why = text;
    return -EACCES;
}

static int check_breaks(const struct ebpf_vframe *frame, int off, unsigned size,
                        const struct ebpf_vstack_rules *rules, const char **why)
{
    for (unsigned i = 0; i < size && !rules->break_spills; i++) {
        if (holds_pointer(frame, off + (int)i))
            return refuse(why, "attempt to corrupt spilled pointer on stack");
    }
    return 0;
}

/* ---- stores ---------------------------------------------------------------------------------- */

/* The lowest size bytes of a number; it stays the same number, and linked, where the others are
 * zero anyway. */
static void cut(struct ebpf_vreg *reg, unsigned size)
{
    if (reg->var.full.umax > ebpf_low_bits(size * 8)) {
        reg->id = 0;
        reg->link = 0;
    }
    if (size < 8)
        ebpf_scalar_zext(&reg->var, size * 8, 64);
}

static void store_spill(struct ebpf_vslot *slot, unsigned size, const struct ebpf_vreg *value)
{
    break_spill(slot);
    slot->reg = *value;
    cut(&slot->reg, size);
    for (unsigned i = 0; i < size; i++)
        slot->bytes[i] = EBPF_BYTE_SPILL;
}

static void store_plain(struct ebpf_vframe *frame, int off, unsigned size, uint8_t byte)
{
    for (int at = off; at < off + (int)size; at++) {
        struct ebpf_vslot *slot = &frame->slots[slot_of(at)];

        if (slot->bytes[byte_of(at)] == EBPF_BYTE_SPILL)
            break_spill(slot);
        slot->bytes[byte_of(at)] = byte;
    }
}

bool ebpf_vstack_plain_zero(int off, unsigned size, const struct ebpf_vreg *value)
{
    return byte_of(off) != 0 && is_zero(value, size);
}

int ebpf_vstack_store(struct ebpf_vmem *mem, struct ebpf_vframe *frame, int off, unsigned size,
                      const struct ebpf_vreg *value, const struct ebpf_vstack_rules *rules,
                      const char **why)
{
    bool whole = size == 8 && byte_of(off) == 0;
    int err;

    if (ebpf_vreg_is_pointer(value) && size != 8)
        return refuse(why, "invalid size of register spill");
    if (ebpf_vreg_is_pointer(value) && !whole)
        return refuse(why, "misaligned spill of a pointer");
    err = whole ? 0 : check_breaks(frame, off, size, rules, why);
    if (!err)
        err = reserve(mem, frame, off);
    if (err)
        return err;
    if (byte_of(off) == 0)
        store_spill(&frame->slots[slot_of(off)], size, value);
    else
        store_plain(frame, off, size, is_zero(value, size) ? EBPF_BYTE_ZERO : EBPF_BYTE_ANY);
    return 0;
}

int ebpf_vstack_maybe_zero(const struct ebpf_vframe *frame, int off, unsigned size,
                           const struct ebpf_vstack_rules *rules, bool *used, const char **why)
{
    int err = check_breaks(frame, off, size, rules, why);

    *used = false;
    for (int at = off; !err && at < off + (int)size; at++) {
        struct ebpf_vslot *slot = slot_of(at) < frame->slot_cnt ? &frame->slots[slot_of(at)] : NULL;
        uint8_t was = byte_at(frame, at);

        if (was == EBPF_BYTE_ZERO || (was == EBPF_BYTE_SPILL && is_zero(&slot->reg, 8)))
            *used = true;
        else if (was == EBPF_BYTE_SPILL)
            break_spill(slot);
    }
    return err;
}

int ebpf_vstack_clobber(struct ebpf_vmem *mem, struct ebpf_vframe *frame, int off, unsigned size,
                        bool sure, const struct ebpf_vstack_rules *rules, const char **why)
{
    int err = size ? check_breaks(frame, off, size, rules, why) : 0;

    if (!err && size)
        err = reserve(mem, frame, off);
    for (int at = off; !err && at < off + (int)size; at++) {
        uint8_t was = byte_at(frame, at);

        /* what is perhaps written, and held nothing, perhaps still does */
        store_plain(frame, at, 1,
                    !sure && was == EBPF_BYTE_NOTHING ? EBPF_BYTE_NOTHING : EBPF_BYTE_ANY);
    }
    return err;
}

/* ---- loads ----------------------------------------------------------------------------------- */

int ebpf_vstack_readable(const struct ebpf_vframe *frame, int off, unsigned size,
                         const struct ebpf_vstack_rules *rules, const char **why)
{
    for (int at = off; at < off + (int)size; at++) {
        if (byte_at(frame, at) == EBPF_BYTE_NOTHING && !rules->read_nothing)
            return refuse(why, "invalid read from stack");
        if (byte_at(frame, at) == EBPF_BYTE_DYNPTR ||
            (holds_pointer(frame, at) && !rules->break_spills))
            return refuse(why, "invalid read from stack");
    }
    return 0;
}

static bool all_bytes(const struct ebpf_vframe *frame, int off, unsigned size, uint8_t byte)
{
    for (unsigned i = 0; i < size; i++) {
        if (byte_at(frame, off + (int)i) != byte)
            return false;
    }
    return true;
}

/* Bytes of a spilled register that is there: a part of a pointer is refused, of a number it is
 * known what it is if the load begins where the number does, or if all of it is zero. */
static bool fill(const struct ebpf_vslot *slot, int off, unsigned size, struct ebpf_vreg *out)
{
    if (byte_of(off) != 0 && !is_zero(&slot->reg, 8))
        return false;
    *out = slot->reg;
    if (slot->reg.kind == EBPF_KIND_SCALAR)
        cut(out, size);
    return true;
}

int ebpf_vstack_load(const struct ebpf_vframe *frame, int off, unsigned size,
                     const struct ebpf_vstack_rules *rules, struct ebpf_vreg *out, const char **why)
{
    for (int at = off; at < off + (int)size; at++) {
        uint8_t byte = byte_at(frame, at);

        if (holds_pointer(frame, at) && (size != 8 || byte_of(off) != 0))
            return refuse(why, "invalid size of register fill");
        if ((byte == EBPF_BYTE_NOTHING && !rules->read_nothing) || byte == EBPF_BYTE_DYNPTR)
            return refuse(why, "invalid read from stack");
    }
    if (all_bytes(frame, off, size, EBPF_BYTE_SPILL) &&
        slot_of(off) == slot_of(off + (int)size - 1) &&
        fill(&frame->slots[slot_of(off)], off, size, out))
        return 0;
    if (all_bytes(frame, off, size, EBPF_BYTE_ZERO)) {
        ebpf_vreg_set_number(out, 0);
    } else {
        ebpf_vreg_set_unknown(out);
        ebpf_scalar_zext(&out->var, size * 8, 64);
    }
    return 0;
}

bool ebpf_vstack_number(const struct ebpf_vframe *frame, int off, unsigned size,
                        struct ebpf_vreg *out)
{
    const struct ebpf_vslot *slot;

    ebpf_vreg_set_number(out, 0);
    if (all_bytes(frame, off, size, EBPF_BYTE_ZERO))
        return true;
    if (byte_of(off) != 0 || slot_of(off) >= frame->slot_cnt)
        return false;
    slot = &frame->slots[slot_of(off)];
    *out = slot->reg;
    return slot->reg.kind == EBPF_KIND_SCALAR && all_bytes(frame, off, size, EBPF_BYTE_SPILL) &&
           (size == 8 || slot->bytes[size] != EBPF_BYTE_SPILL);
}

bool ebpf_vstack_zeros(const struct ebpf_vframe *frame, int off, unsigned size)
{
    return all_bytes(frame, off, size, EBPF_BYTE_ZERO);
}

int ebpf_vstack_unread(const struct ebpf_vframe *frame, int off, unsigned size,
                       const struct ebpf_vstack_rules *rules)
{
    const char *why;

    for (unsigned i = 0; i < size; i++) {
        if (ebpf_vstack_readable(frame, off + (int)i, 1, rules, &why))
            return (int)i;
    }
    return 0;
}
