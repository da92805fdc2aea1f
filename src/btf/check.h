/* SPDX-License-Identifier: MIT */
/* Between the parts of checking BTF. Context T. */
#ifndef EBPF_BTF_CHECK_H
#define EBPF_BTF_CHECK_H

#include "src/btf/btf.h"
#include "src/core/load_log.h"

struct ebpf_btf_check {
    struct ebpf_btf *btf;
    struct ebpf_load_log *log;
    uint32_t id; /* of the type that is looked at */
    bool shown;  /* all types are in the log already: a member comes with its struct */
};

/* check.c: header, strings, every type for itself; fills btf->strings, offsets, type_cnt. */
int ebpf_btf_check_all(struct ebpf_btf_check *check);
bool ebpf_btf_name_ok(const struct ebpf_btf_check *check, uint32_t name_off); /* or none */

/* resolve.c: what types refer to: exists, makes sense there, has a size; no circles. Fills
 * resolved_*. */
int ebpf_btf_resolve_all(struct ebpf_btf_check *check);

/* fields.c: a struct with a lock in it can be a map's value. */
int ebpf_btf_check_locks(const struct ebpf_btf_check *check);

/* ---- log.c: what refuses logs, and returns -EINVAL ------------------------------------------- */

/* Is anybody interested in what is right? */
static inline bool ebpf_btf_verbose(const struct ebpf_btf_check *check)
{
    return ebpf_load_log_on(check->log, ~0u);
}

/* why NULL: only the type, as everybody's who asked for a log */
int ebpf_btf_bad(const struct ebpf_btf_check *check, const struct btf_type *t, const char *why);
int ebpf_btf_bad_number(const struct ebpf_btf_check *check, const struct btf_type *t,
                        const char *format, uint32_t number);
int ebpf_btf_bad_member(const struct ebpf_btf_check *check, const struct btf_type *t,
                        const struct btf_member *member, const char *why);
int ebpf_btf_bad_var(const struct ebpf_btf_check *check, const struct btf_type *t,
                     const struct btf_var_secinfo *var, const char *why);
/* The type without its details: what is behind it is not all there. */
int ebpf_btf_bad_tail(const struct ebpf_btf_check *check, const struct btf_type *t, uint32_t left,
                      uint32_t needed);

#endif /* EBPF_BTF_CHECK_H */
