/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on pointers: additions of numbers, and subtractions. The rules are those of Linux's
 * adjust_ptr_min_max_vals(): a constant goes into off, everything else into var, so that the parts
 * that are known stay exact. Offsets stay below 2^29 in either direction, so that no sum of them
 * overflows anywhere.
 *
 * A packet pointer that moved by an unknown amount is another one: it gets an id of its own, and
 * what comparisons had shown about the bytes behind it (range) is forgotten, but where it can only
 * have moved back.
 */
#include "src/verifier/engine.h"

#define MAX_OFFSET (1 << 29) /* Linux: BPF_MAX_VAR_OFF */

static int prohibited(struct ebpf_verifier *v, const struct bpf_insn *insn,
                      const struct ebpf_vreg *ptr)
{
    return ebpf_verify_refuse(v, -EACCES, "R%u pointer arithmetic on %s prohibited", insn->dst_reg,
                              ebpf_verify_type_name(ptr));
}

/* Which kinds may move at all. */
static bool may_move(const struct bpf_insn *insn, const struct ebpf_vreg *ptr,
                     const struct ebpf_vreg *off)
{
    switch (ptr->kind) {
    case EBPF_KIND_CTX:
    case EBPF_KIND_MAP_VALUE:
    case EBPF_KIND_MAP_KEY:
    case EBPF_KIND_STACK:
    case EBPF_KIND_PACKET:
    case EBPF_KIND_PACKET_META:
    case EBPF_KIND_MEM:
    case EBPF_KIND_BTF:
    case EBPF_KIND_TASK:
        return true;
    case EBPF_KIND_FLOW_KEYS:
        return ebpf_scalar_is_const(&off->var);
    default:
        /* adding 0 is what compilers do to a map pointer now and then */
        return ptr->kind == EBPF_KIND_MAP && BPF_OP(insn->code) == BPF_ADD &&
               ebpf_scalar_is(&off->var, 0);
    }
}

/* Linux, check_reg_sane_offset() */
static int check_offset(struct ebpf_verifier *v, const struct ebpf_vreg *reg,
                        const struct ebpf_vreg *ptr)
{
    const char *name = ebpf_verify_type_name(ptr);
    int64_t min = reg->var.full.smin;

    if (ebpf_scalar_is_const(&reg->var) && (min >= MAX_OFFSET || min <= -MAX_OFFSET))
        return ebpf_verify_refuse(v, -EINVAL, "math between %s pointer and %lld is not allowed",
                                  name, (long long)min);
    if (ebpf_vreg_is_pointer(reg) && (reg->off >= MAX_OFFSET || reg->off <= -MAX_OFFSET))
        return ebpf_verify_refuse(v, -EINVAL, "%s pointer offset %d is not allowed", name,
                                  reg->off);
    if (min == INT64_MIN)
        return ebpf_verify_refuse(
            v, -EINVAL,
            "math between %s pointer and register with unbounded min value is not allowed", name);
    if (min >= MAX_OFFSET || min <= -MAX_OFFSET)
        return ebpf_verify_refuse(v, -EINVAL, "value %lld makes %s pointer be out of bounds",
                                  (long long)min, name);
    return 0;
}

static bool is_packet(const struct ebpf_vreg *reg)
{
    return reg->kind == EBPF_KIND_PACKET || reg->kind == EBPF_KIND_PACKET_META;
}

static void move(struct ebpf_verifier *v, struct ebpf_vreg *out, uint8_t op,
                 const struct ebpf_vreg *off)
{
    bool add = op == BPF_ADD;
    int64_t by = (int64_t)off->var.known.value, sum;

    /* both below 2^29, as checked */
    if (ebpf_scalar_is_const(&off->var)) {
        sum = add ? out->off + by : out->off - by;
        out->off = (int32_t)sum;
        return;
    }
    ebpf_scalar_alu(op, true, &out->var, &off->var, 64);
    if (is_packet(out)) {
        out->id = ebpf_verify_new_id(v);
        if (add || off->var.full.smin < 0)
            out->range = 0;
    }
}

/* Loaders that may not leak addresses may not make pointers out of bounds either, not even to leave
 * them unused: Linux, sanitize_check_bounds(), against speculation. */
static int check_strict(struct ebpf_verifier *v, const struct bpf_insn *insn,
                        const struct ebpf_vreg *reg)
{
    int64_t low = reg->var.full.smin + reg->off, high = reg->var.full.smax + reg->off;

    if (v->may_leak)
        return 0;
    if (reg->kind == EBPF_KIND_STACK) {
        if (!ebpf_scalar_is_const(&reg->var))
            return ebpf_verify_refuse(v, -EACCES, "R%u variable stack access prohibited for !root",
                                      insn->dst_reg);
        if (low >= 0 || low < -(int64_t)EBPF_FRAME_SIZE)
            return ebpf_verify_refuse(
                v, -EACCES, "R%u stack pointer arithmetic goes out of range, prohibited for !root",
                insn->dst_reg);
    }
    if (reg->kind == EBPF_KIND_MAP_VALUE && (low < 0 || high >= (int64_t)reg->map->value_size))
        return ebpf_verify_refuse(
            v, -EACCES,
            "R%u pointer arithmetic of map value goes out of range, prohibited for !root",
            insn->dst_reg);
    return 0;
}

static int check_operation(struct ebpf_verifier *v, const struct bpf_insn *insn,
                           const struct ebpf_vreg *ptr, const struct ebpf_vreg *off)
{
    unsigned op = BPF_OP(insn->code);

    if (op == BPF_ADD)
        return 0;
    if (op == BPF_OR || op == BPF_AND || op == BPF_XOR)
        return ebpf_verify_refuse(v, -EACCES, "R%u bitwise operator %s on pointer prohibited",
                                  insn->dst_reg, ebpf_insn_operator(insn->code));
    if (op != BPF_SUB)
        return ebpf_verify_refuse(v, -EACCES, "R%u pointer arithmetic with %s operator prohibited",
                                  insn->dst_reg, ebpf_insn_operator(insn->code));
    if (off == ebpf_verify_reg(v, insn->dst_reg))
        return ebpf_verify_refuse(v, -EACCES, "R%u tried to subtract pointer from scalar",
                                  insn->dst_reg);
    if (ptr->kind == EBPF_KIND_STACK)
        return ebpf_verify_refuse(v, -EACCES, "R%u subtraction from stack pointer prohibited",
                                  insn->dst_reg);
    return 0;
}

/* dst = ptr op off, whichever of the two is dst itself. */
int ebpf_verify_pointer_alu(struct ebpf_verifier *v, const struct bpf_insn *insn,
                            const struct ebpf_vreg *ptr, const struct ebpf_vreg *off)
{
    struct ebpf_vreg *dst = ebpf_verify_reg(v, insn->dst_reg), out = *ptr;
    int err;

    if (BPF_CLASS(insn->code) != BPF_ALU64) {
        if (BPF_OP(insn->code) != BPF_SUB || !v->may_leak)
            return ebpf_verify_refuse(v, -EACCES, "R%u 32-bit pointer arithmetic prohibited",
                                      insn->dst_reg);
        ebpf_vreg_set_unknown(dst);
        return 0;
    }
    if (ptr->flags & EBPF_REG_OR_NULL)
        return ebpf_verify_refuse(v, -EACCES,
                                  "R%u pointer arithmetic on %s prohibited, null-check it first",
                                  insn->dst_reg, ebpf_verify_type_name(ptr));
    if (!may_move(insn, ptr, off))
        return prohibited(v, insn, ptr);
    err = check_offset(v, off, ptr);
    if (!err)
        err = check_offset(v, ptr, ptr);
    if (!err)
        err = check_operation(v, insn, ptr, off);
    if (err)
        return err;
    move(v, &out, BPF_OP(insn->code), off);
    err = check_offset(v, &out, ptr);
    if (!err)
        err = check_strict(v, insn, &out);
    if (!err)
        *dst = out;
    return err;
}
