/* SPDX-License-Identifier: MIT */
/* Numbers and registers of the verifier (src/verifier/bounds.h, state.h) as values: the library's
 * own functions change them in place, tests read better if they return them. */
#ifndef TESTS_UNIT_SCALARS_H
#define TESTS_UNIT_SCALARS_H

#include "src/verifier/state.h"

static inline struct ebpf_scalar any_scalar(unsigned bits)
{
    struct ebpf_scalar s;

    ebpf_scalar_forget(&s, bits);
    return s;
}

static inline struct ebpf_scalar scalar_of(uint64_t value, unsigned bits)
{
    struct ebpf_scalar s;

    ebpf_scalar_set(&s, value, bits);
    return s;
}

static inline struct ebpf_scalar zext_of(const struct ebpf_scalar *s, unsigned low, unsigned bits)
{
    struct ebpf_scalar out = *s;

    ebpf_scalar_zext(&out, low, bits);
    return out;
}

static inline struct ebpf_scalar movsx_of(const struct ebpf_scalar *s, unsigned low, unsigned bits)
{
    struct ebpf_scalar out = *s;

    ebpf_scalar_movsx(&out, low, bits);
    return out;
}

static inline struct ebpf_scalar alu_of(uint8_t op, bool wide, const struct ebpf_scalar *a,
                                        const struct ebpf_scalar *b, unsigned bits)
{
    struct ebpf_scalar out = *a;

    ebpf_scalar_alu(op, wide, &out, b, bits);
    return out;
}

static inline struct ebpf_vreg number_reg(const struct ebpf_scalar *s)
{
    struct ebpf_vreg reg;

    ebpf_vreg_set_unknown(&reg);
    reg.var = *s;
    return reg;
}

static inline struct ebpf_vreg pointer_reg(enum ebpf_kind kind)
{
    struct ebpf_vreg reg;

    ebpf_vreg_set_pointer(&reg, kind);
    return reg;
}

#endif /* TESTS_UNIT_SCALARS_H */
