/* SPDX-License-Identifier: MIT */
/* What BPF_PROG_LOAD and ebpf_prog_load() share. Context T. */
#ifndef EBPF_CORE_LOAD_H
#define EBPF_CORE_LOAD_H

#include "src/core/prog.h"

/* func_info or line_info: cnt records of size bytes at addr. */
struct ebpf_load_records {
    uint64_t addr; /* of the caller */
    uint32_t cnt, size;
    /* out, not 0: a record has something behind what this library knows of it, and this is how long
     * it knows it */
    uint32_t known;
};

struct ebpf_load {
    /* insns and log_buf are addresses of the caller, who says in func_info and line_info below what
     * is in the fields of the same names here; maps is unused by user callers */
    struct ebpf_prog_spec spec;
    struct ebpf_load_records *func_info, *line_info;
    const struct ebpf_caller *caller;
    bool unverified; /* see ebpf_prog_load_unverified() */
    /* The map that an LD_IMM64 names, by fd or by index, with a reference; -EBADF, -EINVAL, ... */
    int (*find_map)(const struct ebpf_load *load, bool by_index, int32_t n, struct ebpf_map **out);
    /* The program's BTF, with a reference; only called where there are records. -EBADF, -EINVAL */
    int (*get_btf)(const struct ebpf_load *load, struct ebpf_btf **out);
    int btf_fd;        /* what a user caller names it by */
    uint64_t fd_array; /* address of the caller's array of fds, 0: none */
};

/* *log_size: bytes that a log buffer must have; 0 where it did not come to a log */
int ebpf_prog_load_from(const struct ebpf_load *load, struct ebpf_prog **out, uint32_t *log_size);

/*
 * BTF, func_info and line_info of a load (src/core/prog_btf.c), as Linux checks them: take() before
 * the functions are known: copies, and checks each record by itself and by the one before; check()
 * when prog->code.subprogs are there. 0, -EINVAL, -E2BIG, -EFAULT, -ENOMEM; one line in the log. T
 */
int ebpf_prog_btf_take(struct ebpf_prog *prog, const struct ebpf_load *load);
int ebpf_prog_btf_check(const struct ebpf_prog *prog);
void ebpf_prog_btf_free(struct ebpf_prog *prog); /* what take() has allocated, and the reference */

/* As ebpf_prog_load(), but the verifier is not asked: for tests of the engines, whose programs know
 * what they do. T */
int ebpf_prog_load_unverified(const struct ebpf_prog_spec *spec, struct ebpf_prog **out);

/* Does the licence make GPL-only helpers available? */
bool ebpf_license_is_gpl(const char *license);

/* Is this a name that Linux accepts for maps and programs? */
bool ebpf_name_ok(const char name[BPF_OBJ_NAME_LEN]);

#endif /* EBPF_CORE_LOAD_H */
