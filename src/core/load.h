/* SPDX-License-Identifier: MIT */
/* What BPF_PROG_LOAD and ebpf_prog_load() share. Context T. */
#ifndef EBPF_CORE_LOAD_H
#define EBPF_CORE_LOAD_H

#include "src/core/prog.h"

struct ebpf_load {
    /* insns is an address of the caller; maps is unused by user callers */
    struct ebpf_prog_spec spec;
    const struct ebpf_caller *caller;
    /* The map that an LD_IMM64 names, by fd or by index, with a reference; -EBADF, -EINVAL, ... */
    int (*find_map)(const struct ebpf_load *load, bool by_index, int32_t n, struct ebpf_map **out);
    uint64_t fd_array; /* address of the caller's array of fds, 0: none */
    char *log;         /* EBPF_CONFIG_LOG_LINE bytes for a refusal's line, or NULL */
};

int ebpf_prog_load_from(const struct ebpf_load *load, struct ebpf_prog **out);

/* Does the licence make GPL-only helpers available? */
bool ebpf_license_is_gpl(const char *license);

/* Is this a name that Linux accepts for maps and programs? */
bool ebpf_name_ok(const char name[BPF_OBJ_NAME_LEN]);

#endif /* EBPF_CORE_LOAD_H */
