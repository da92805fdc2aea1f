/* SPDX-License-Identifier: MIT */
/* One call of a helper, on its way through its arguments (arg.c) to its effects (call.c). Context
 * T. */
#ifndef EBPF_VERIFIER_CALL_H
#define EBPF_VERIFIER_CALL_H

#include "src/verifier/access.h"

/* Linux's numbers (enum bpf_func_id) of helpers whose rules are no prototype. */
enum {
    EBPF_FUNC_map_lookup_elem = 1,
    EBPF_FUNC_map_update_elem = 2,
    EBPF_FUNC_map_delete_elem = 3,
    EBPF_FUNC_get_smp_processor_id = 8,
    EBPF_FUNC_tail_call = 12,
    EBPF_FUNC_probe_read_str = 45,
    EBPF_FUNC_get_stack = 67,
    EBPF_FUNC_get_local_storage = 81,
    EBPF_FUNC_spin_lock = 93,
    EBPF_FUNC_spin_unlock = 94,
    EBPF_FUNC_probe_read_user_str = 114,
    EBPF_FUNC_probe_read_kernel_str = 115,
    EBPF_FUNC_get_task_stack = 141,
    EBPF_FUNC_snprintf = 165,
};

struct ebpf_vcall {
    const struct ebpf_helper *helper;
    uint32_t id;                /* its number */
    const struct ebpf_map *map; /* of ARG_MAP, ARG_TIMER; NULL: none yet */
    uint32_t map_uid;           /* of that map's register */
    uint32_t ref;               /* that one of the arguments is, or was made from; 0: none */
    uint32_t released;          /* the register whose reference ends; 0: none */
    uint32_t subprog;           /* of ARG_FUNC */
    uint32_t dynptr;            /* of ARG_DYNPTR: its id */
    uint32_t mem_size;          /* of ARG_RESERVE_SIZE */
    uint64_t at_most;           /* the last ARG_SIZE's maximum: lengths returned are no more */
    uint32_t raw[BPF_REG_6];    /* [register] bytes of the buffer there that the helper writes */

    /* The argument that is looked at: its register, its kind, and the access to the memory there. */
    unsigned n;
    const struct ebpf_vreg *reg;
    enum ebpf_arg arg;
    struct ebpf_vaccess access;
};

/* The argument in register n. */
int ebpf_verify_arg(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n);

/* Do helper and map fit together? */
int ebpf_verify_map_fits(struct ebpf_verifier *v, const struct ebpf_vcall *call);

#endif /* EBPF_VERIFIER_CALL_H */
