/* SPDX-License-Identifier: MIT */
/* bpf(2): walking over the ids of objects, and fds from ids. For who may everything (Linux:
 * CAP_SYS_ADMIN): an id gives access to other people's objects. */
#include "src/base/obj.h"
#include "src/core/cmd.h"

static long next_id(const struct ebpf_cmd *cmd, enum ebpf_obj_type type)
{
    int err;

    if (cmd->attr->start_id >= INT32_MAX)
        return -EINVAL;
    if (cmd->caller->caps != EBPF_CAP_ALL)
        return -EPERM;
    err = ebpf_obj_next_id(type, cmd->attr->start_id, &cmd->attr->next_id);
    return err ? err : EBPF_CMD_GIVE(cmd, next_id);
}

static long fd_by_id(const struct ebpf_cmd *cmd, enum ebpf_obj_type type)
{
    struct ebpf_obj *obj;
    int err;

    /* fds here have no modes of their own: BPF_F_RDONLY and BPF_F_WRONLY cannot be kept */
    if (cmd->attr->open_flags)
        return -EINVAL;
    if (cmd->caller->caps != EBPF_CAP_ALL)
        return -EPERM;
    err = ebpf_obj_by_id(type, cmd->attr->map_id, &obj);
    return err ? err : ebpf_cmd_install(obj);
}

long ebpf_cmd_map_get_next_id(const struct ebpf_cmd *cmd)
{
    return next_id(cmd, EBPF_OBJ_MAP);
}

long ebpf_cmd_prog_get_next_id(const struct ebpf_cmd *cmd)
{
    return next_id(cmd, EBPF_OBJ_PROG);
}

long ebpf_cmd_link_get_next_id(const struct ebpf_cmd *cmd)
{
    return next_id(cmd, EBPF_OBJ_LINK);
}

long ebpf_cmd_map_get_fd_by_id(const struct ebpf_cmd *cmd)
{
    return fd_by_id(cmd, EBPF_OBJ_MAP);
}

long ebpf_cmd_prog_get_fd_by_id(const struct ebpf_cmd *cmd)
{
    return fd_by_id(cmd, EBPF_OBJ_PROG);
}

long ebpf_cmd_link_get_fd_by_id(const struct ebpf_cmd *cmd)
{
    return fd_by_id(cmd, EBPF_OBJ_LINK);
}

long ebpf_cmd_btf_get_next_id(const struct ebpf_cmd *cmd)
{
    return next_id(cmd, EBPF_OBJ_BTF);
}

long ebpf_cmd_btf_get_fd_by_id(const struct ebpf_cmd *cmd)
{
    return fd_by_id(cmd, EBPF_OBJ_BTF);
}
