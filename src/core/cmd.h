/* SPDX-License-Identifier: MIT */
/* The commands of bpf(2). Each gets a whole union bpf_attr in kernel memory, its unused bytes
 * checked to be zero, and may change it: a command that has something to say in attr copies those
 * fields out itself (uattr). Context T. */
#ifndef EBPF_CORE_CMD_H
#define EBPF_CORE_CMD_H

#include "src/core/user.h"

struct ebpf_cmd {
    union bpf_attr *attr;
    uint64_t uattr; /* where the caller's attr is */
    uint32_t size;  /* and how much of it there is */
    const struct ebpf_caller *caller;
};

long ebpf_cmd_map_create(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_lookup_elem(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_update_elem(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_delete_elem(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_get_next_key(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_lookup_and_delete_elem(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_freeze(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_lookup_batch(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_lookup_and_delete_batch(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_update_batch(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_delete_batch(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_get_next_id(const struct ebpf_cmd *cmd);
long ebpf_cmd_map_get_fd_by_id(const struct ebpf_cmd *cmd);
long ebpf_cmd_prog_get_next_id(const struct ebpf_cmd *cmd);
long ebpf_cmd_prog_get_fd_by_id(const struct ebpf_cmd *cmd);
long ebpf_cmd_btf_load(const struct ebpf_cmd *cmd);
long ebpf_cmd_btf_get_next_id(const struct ebpf_cmd *cmd);
long ebpf_cmd_btf_get_fd_by_id(const struct ebpf_cmd *cmd);
long ebpf_cmd_link_get_next_id(const struct ebpf_cmd *cmd);
long ebpf_cmd_link_get_fd_by_id(const struct ebpf_cmd *cmd);
long ebpf_cmd_prog_load(const struct ebpf_cmd *cmd);
long ebpf_cmd_prog_test_run(const struct ebpf_cmd *cmd);
long ebpf_cmd_link_create(const struct ebpf_cmd *cmd);
long ebpf_cmd_obj_get_info_by_fd(const struct ebpf_cmd *cmd);

/* Gives a field of attr back to the caller, as far as the caller's attr reaches. 0 or the hook's
 * error. */
int ebpf_cmd_give(const struct ebpf_cmd *cmd, size_t offset, size_t len);
#define EBPF_CMD_GIVE(cmd, field) \
    ebpf_cmd_give(cmd, offsetof(union bpf_attr, field), sizeof((cmd)->attr->field))

/* An fd for obj: takes the reference over, and puts it if there is no fd to be had. */
long ebpf_cmd_install(struct ebpf_obj *obj);

#endif /* EBPF_CORE_CMD_H */
