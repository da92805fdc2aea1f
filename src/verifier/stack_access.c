/* SPDX-License-Identifier: MIT */
/*
 * Accesses to the stack, of this function or of a caller whose address came as an argument: where
 * they go is found out here, what they do to the bytes is in stack.c.
 *
 * At an offset that is not known a store may hit each byte of a range, and need not: afterwards
 * nothing is known of any of them; a load needs all of them to be readable. Helpers see the stack
 * as bytes: what they read must be initialised, what they write is unknown afterwards. The strict
 * mode has no offsets that are not known, and reads nothing that was not written.
 */
#include "src/verifier/access.h"


/* Where an access may go: [min, min + len), all of it if known. */
struct span {
    struct ebpf_vframe *frame;
    unsigned number; /* of the frame */
    int min;
    unsigned len;
    bool known;
};

static int refuse_limits(struct ebpf_verifier *v, const struct ebpf_vaccess *a, int err, bool known,
                         int64_t min)
{
    const char *how = a->write ? "write to" : "read from";

    if (known)
        return ebpf_verify_refuse(v, err, "invalid %s stack R%d off=%lld size=%u", how, a->reg,
                                  (long long)min, a->size);
    return ebpf_verify_refuse(
        v, err, "invalid variable-offset %s stack R%d var_off=%s off=%d size=%u", how, a->reg,
        ebpf_verify_var_text(ebpf_verify_reg(v, a->reg)).s, a->off, a->size);
}

static int find_span(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct span *span)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);
    const struct ebpf_range *var = &reg->var.full;
    bool known = ebpf_tnum_is_const(reg->var.known);
    int64_t off = (int64_t)reg->off + a->off, min, end;

    if (!known && (var->smax >= EBPF_VERIFY_MAX_OFF || var->smin <= -EBPF_VERIFY_MAX_OFF))
        return ebpf_verify_refuse(v, -EACCES, "invalid unbounded variable-offset %s stack R%d",
                                  a->write ? "write to" : "read from", a->reg);
    if (!known && !v->may_leak)
        return ebpf_verify_refuse(
            v, -EACCES, "R%d variable offset stack access prohibited for !root, var_off=%s", a->reg,
            ebpf_verify_var_text(reg).s);
    /* a constant may be anything; what is too far away for a sum is as wrong */
    min = (var->smin > INT32_MAX ? INT32_MAX : var->smin < INT32_MIN ? INT32_MIN : var->smin) + off;
    end = known ? min + a->size : var->smax + off + a->size;
    if (min < -(int)EBPF_FRAME_SIZE || min > -1)
        return refuse_limits(v, a, -EACCES, known, min);
    if (end > 0)
        return refuse_limits(v, a, -EINVAL, known, min);
    *span = (struct span){.frame = v->now->frames[reg->frame],
                          .number = reg->frame,
                          .min = (int)min,
                          .len = (unsigned)(end - min),
                          .known = known};
    return 0;
}

/* ---- stores ---------------------------------------------------------------------------------- */

/* A number that is spilled gets an id, so that what is learnt of it later is learnt of the spill
 * too. */
static void give_id(struct ebpf_verifier *v, const struct ebpf_vaccess *a)
{
    struct ebpf_vreg *reg = ebpf_verify_reg(v, (unsigned)a->value_reg);

    if (reg->kind == EBPF_KIND_SCALAR && !reg->id && !ebpf_scalar_is_const(&reg->var) &&
        reg->var.full.umax <= ebpf_low_bits(a->size * 8)) {
        reg->id = ebpf_verify_new_id(v);
        reg->link = 0;
    }
}

/* Its end comes before that of the callers' frames: this function's stack, and what a helper lends
 * a callback. */
static bool is_short_lived(const struct ebpf_vreg *value)
{
    return value->kind == EBPF_KIND_STACK || value->kind == EBPF_KIND_MAP_KEY ||
           value->kind == EBPF_KIND_DYNPTR;
}

static int store_known(struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                       const struct span *span, const char **why)
{
    int err = 0;

    if (!a->value)
        return ebpf_vstack_clobber(&v->mem, span->frame, span->min, a->size, true, &v->rules, why);
    if (is_short_lived(a->value) && span->frame != ebpf_verify_frame(v))
        return ebpf_verify_refuse(
            v, -EINVAL, "cannot spill pointers to %s into stack frame of the caller",
            a->value->kind == EBPF_KIND_STACK ? "stack" : "what a callback was lent");
    if (a->value_reg >= 0)
        give_id(v, a);
    if (a->value_reg >= 0 && ebpf_vstack_plain_zero(span->min, a->size, a->value))
        err = ebpf_verify_precise(v, (unsigned)a->value_reg);
    return err ? err
               : ebpf_vstack_store(&v->mem, span->frame, span->min, a->size, a->value, &v->rules,
                                   why);
}

static int store_unknown(struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                         const struct span *span, const char **why)
{
    bool zero = a->value && ebpf_vreg_is_null(a->value);
    bool used;
    int err;

    if (!zero)
        return ebpf_vstack_clobber(&v->mem, span->frame, span->min, span->len, false, &v->rules,
                                   why);
    err = ebpf_vstack_maybe_zero(span->frame, span->min, span->len, &v->rules, &used, why);
    return !err && used && a->value_reg >= 0 ? ebpf_verify_precise(v, (unsigned)a->value_reg) : err;
}

static int store(struct ebpf_verifier *v, const struct ebpf_vaccess *a, const struct span *span)
{
    const char *why = NULL;
    int err = ebpf_verify_dynptr_overwrite(v, span->number, span->min, span->len);

    if (!err)
        err = span->known ? store_known(v, a, span, &why) : store_unknown(v, a, span, &why);
    if (why)
        return ebpf_verify_refuse(v, err, "%s", why);
    return err ? err
               : ebpf_verify_note_stack(v, span->number, span->min, span->known ? a->size : 0,
                                        true);
}

/* ---- loads ----------------------------------------------------------------------------------- */

static int refuse_read(struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                       const struct span *span)
{
    int at = ebpf_vstack_unread(span->frame, span->min, span->len, &v->rules);
    const char *how = a->helper && a->write ? "write to" : "read from";

    if (!span->known)
        return ebpf_verify_refuse(v, -EACCES, "invalid %s stack R%d var_off %s+%d size %u", how,
                                  a->reg, ebpf_verify_var_text(ebpf_verify_reg(v, a->reg)).s, at,
                                  a->size);
    if (a->helper)
        return ebpf_verify_refuse(v, -EACCES, "invalid %s stack R%d off %d+%d size %u", how, a->reg,
                                  span->min, at, a->size);
    return ebpf_verify_refuse(v, -EACCES, "invalid read from stack off %d+%d size %u", span->min,
                              at, a->size);
}

static int load(struct ebpf_verifier *v, const struct ebpf_vaccess *a, const struct span *span,
                struct ebpf_vreg *out)
{
    const char *why = NULL;
    int err;

    if (span->known) {
        err = ebpf_vstack_load(span->frame, span->min, a->size, &v->rules, out, &why);
    } else {
        err = ebpf_vstack_readable(span->frame, span->min, span->len, &v->rules, &why);
        if (!err && ebpf_vstack_zeros(span->frame, span->min, span->len))
            ebpf_vreg_set_number(out, 0);
    }
    if (err && ebpf_vstack_readable(span->frame, span->min, span->len, &v->rules, &why))
        return refuse_read(v, a, span);
    if (err)
        return ebpf_verify_refuse(v, err, "%s", why);
    return ebpf_verify_note_stack(v, span->number, span->min, span->len, false);
}

/* ---- helpers --------------------------------------------------------------------------------- */

/* Raw: written before it is read, by the number of bytes that the program knows too. A dynptr must
 * not be there. */
static int check_raw(struct ebpf_verifier *v, const struct span *span)
{
    for (int off = span->min; off < span->min + (int)span->len; off++) {
        uint32_t n = (uint32_t)(-off - 1) / 8;

        if (n < span->frame->slot_cnt &&
            span->frame->slots[n].bytes[(unsigned)(off + (int)EBPF_FRAME_SIZE) % 8] ==
                EBPF_BYTE_DYNPTR)
            return ebpf_verify_refuse(v, -EACCES, "potential write to dynptr at off=%d disallowed",
                                      off);
    }
    return ebpf_verify_note_stack(v, span->number, span->min, 0, true);
}

static int buffer(struct ebpf_verifier *v, const struct ebpf_vaccess *a, const struct span *span)
{
    const char *why;
    int err;

    if (a->raw && span->known)
        return check_raw(v, span);
    if (ebpf_vstack_readable(span->frame, span->min, span->len, &v->rules, &why))
        return refuse_read(v, a, span);
    err = ebpf_verify_note_stack(v, span->number, span->min, span->len, false);
    if (err || !a->write || !span->len)
        return err;
    err = ebpf_vstack_clobber(&v->mem, span->frame, span->min, span->len, false, &v->rules, &why);
    return err == -EACCES ? ebpf_verify_refuse(v, err, "%s", why) : err;
}

int ebpf_verify_stack(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct ebpf_vreg *out)
{
    struct span span;
    int err;

    if (a->helper && !a->size && !a->empty)
        return ebpf_verify_refuse(v, -EACCES, "invalid zero-sized read");
    err = find_span(v, a, &span);
    if (err)
        return err;
    if (a->helper)
        return buffer(v, a, &span);
    return a->write ? store(v, a, &span) : load(v, a, &span, out);
}

int ebpf_verify_stack_written(struct ebpf_verifier *v, unsigned reg, uint32_t size)
{
    struct ebpf_vaccess a = {.reg = (uint8_t)reg, .write = true, .size = size, .value_reg = -1};
    struct span span;
    int err = find_span(v, &a, &span);

    return err ? err : store(v, &a, &span);
}
