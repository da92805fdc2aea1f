/* SPDX-License-Identifier: MIT */
/*
 * What the files that check accesses share: mem.c asks the file of the region that a pointer points
 * into. Context T.
 */
#ifndef EBPF_VERIFIER_ACCESS_H
#define EBPF_VERIFIER_ACCESS_H

#include "src/verifier/verifier.h"

/* Linux: BPF_MAX_VAR_OFF, BPF_MAX_VAR_SIZ. Sums of a few of them fit in 64 bits by far. */
#define EBPF_VERIFY_MAX_OFF (1 << 29)

/* What an instruction, or a helper, wants of the memory at a register of the current frame. */
struct ebpf_vaccess {
    uint8_t reg;
    bool write;
    bool helper; /* as bytes, whatever is there */
    bool empty;  /* helper: size may be 0 */
    bool raw;    /* helper: writes all of it before it reads any; marked as written later */
    bool strict; /* must be aligned in any case: atomics */
    bool sign;   /* the instruction extends the sign */
    int16_t off; /* the instruction's */
    uint32_t size;
    int8_t value_reg;              /* stores: the register stored; -1: none, a constant */
    const struct ebpf_vreg *value; /* stores: what; NULL: any number */
};

/* A pointer's offset, for people: a number, or (value; mask). */
struct ebpf_vtext {
    char s[48];
};
struct ebpf_vtext ebpf_verify_var_text(const struct ebpf_vreg *reg);

/* Is the offset known? *off gets all of it but the instruction's own. */
bool ebpf_verify_fixed(const struct ebpf_vreg *reg, int64_t *off);

/* Lies the access in the first limit bytes of its region, wherever the pointer may point? With the
 * messages of mem, map values and keys. */
int ebpf_verify_bounds(struct ebpf_verifier *v, const struct ebpf_vaccess *a, uint32_t limit);

/* Any access: alignment, region. out: what a load gives, before it is cut to size; instructions
 * only. */
int ebpf_verify_access(struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                       struct ebpf_vreg *out);

/* Bytes of a load, store or atomic operation. */
unsigned ebpf_verify_access_size(const struct bpf_insn *insn);
/* Remembers what kind of pointer the current instruction goes through; refuses kinds that it may
 * not mix. */
int ebpf_verify_note_base(struct ebpf_verifier *v, unsigned reg);
/* What was loaded goes to register dst. */
void ebpf_verify_loaded(struct ebpf_verifier *v, unsigned dst, const struct ebpf_vaccess *a,
                        struct ebpf_vreg *out);

/* The stack must be aligned always, all else in the strict mode for alignment, or if a->strict. */
int ebpf_verify_aligned(struct ebpf_verifier *v, const struct ebpf_vaccess *a);

/* A helper's buffer: the kinds of pointer that are memory for helpers. */
int ebpf_verify_buffer(struct ebpf_verifier *v, const struct ebpf_vaccess *a);

/* The regions. */
int ebpf_verify_ctx(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct ebpf_vreg *out);
int ebpf_verify_stack(struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                      struct ebpf_vreg *out);
int ebpf_verify_map_value(struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                          struct ebpf_vreg *out);
int ebpf_verify_packet(struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                       struct ebpf_vreg *out);
int ebpf_verify_sock(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct ebpf_vreg *out);

/* size bytes of stack at that register, whose offset is known, are written now: the end of a raw
 * access. */
int ebpf_verify_stack_written(struct ebpf_verifier *v, unsigned reg, uint32_t size);

/* Must be the region's own address, as its type gives it. */
int ebpf_verify_unmodified(struct ebpf_verifier *v, unsigned reg);

/* Is the map's value constant: frozen, and not writable by programs? Then the size bytes at off are
 * *value. */
bool ebpf_verify_constant(const struct ebpf_map *map);
bool ebpf_verify_read_constant(const struct ebpf_map *map, uint32_t off, void *value,
                               uint32_t size);

/* May an instruction or helper read or write a value of that map? */
int ebpf_verify_map_rights(struct ebpf_verifier *v, const struct ebpf_map *map, bool write,
                           int64_t off, uint32_t size);

/* ---- dynptr.c -------------------------------------------------------------------------------- */

/* [off, off + size) of that frame will be overwritten: ends the dynptrs there, or refuses. */
int ebpf_verify_dynptr_overwrite(struct ebpf_verifier *v, unsigned frame, int off, unsigned size);

/* ---- ref.c ----------------------------------------------------------------------------------- */

/* A new reference, got by the current instruction; *id. 0, -ENOMEM. */
int ebpf_verify_acquire(struct ebpf_verifier *v, uint32_t *id);
/* The reference ends, and whatever was made from it is no pointer any more. false: there is no
 * such. */
bool ebpf_verify_release(struct ebpf_verifier *v, uint32_t id);
/* All pointers made from ref are numbers now. */
void ebpf_verify_forget(struct ebpf_verifier *v, uint32_t ref);
/* All pointers into the packet are numbers now. */
void ebpf_verify_packet_moved(struct ebpf_verifier *v);
/* bpf_spin_lock() and bpf_spin_unlock() of the lock at that register. */
int ebpf_verify_lock(struct ebpf_verifier *v, unsigned reg, bool lock);
/* Is register reg at the field `name` at field_off (-1: none) of its map's value? */
int ebpf_verify_at_field(struct ebpf_verifier *v, unsigned reg, const char *name,
                         int32_t field_off);

#endif /* EBPF_VERIFIER_ACCESS_H */
