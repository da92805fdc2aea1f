/* SPDX-License-Identifier: MIT */
/*
 * bpf(2): one entry, one row for each command. The rule for sizes is Linux's: a short attr counts
 * as filled up with zeros, a long one must be zero behind what this library knows (-E2BIG), and so
 * must the bytes of the union behind the command's last field (-EINVAL), so that a later field
 * never goes unnoticed.
 */
#include "src/base/bits.h"
#include "src/base/obj.h"
#include "src/core/cmd.h"

/* Linux: PAGE_SIZE; nobody's attr is longer */
#define MAX_ATTR 4096u

#define ATTR_END(field) (offsetof(union bpf_attr, field) + sizeof(((union bpf_attr *)0)->field))

static const struct command {
    long (*run)(const struct ebpf_cmd *cmd);
    size_t end;    /* of the command's last field */
    uint32_t caps; /* EBPF_CAP_* without which the answer is -EPERM */
} commands[] = {
    [BPF_MAP_CREATE] = {ebpf_cmd_map_create, ATTR_END(map_extra), EBPF_CAP_BPF},
    [BPF_MAP_LOOKUP_ELEM] = {ebpf_cmd_map_lookup_elem, ATTR_END(flags), 0},
    [BPF_MAP_UPDATE_ELEM] = {ebpf_cmd_map_update_elem, ATTR_END(flags), 0},
    [BPF_MAP_DELETE_ELEM] = {ebpf_cmd_map_delete_elem, ATTR_END(key), 0},
    [BPF_MAP_GET_NEXT_KEY] = {ebpf_cmd_map_get_next_key, ATTR_END(next_key), 0},
    [BPF_PROG_LOAD] = {ebpf_cmd_prog_load, ATTR_END(prog_token_fd), EBPF_CAP_BPF},
    [BPF_PROG_TEST_RUN] = {ebpf_cmd_prog_test_run, ATTR_END(test.batch_size), 0},
    [BPF_OBJ_GET_INFO_BY_FD] = {ebpf_cmd_obj_get_info_by_fd, ATTR_END(info.info), 0},
    [BPF_MAP_LOOKUP_AND_DELETE_ELEM] = {ebpf_cmd_map_lookup_and_delete_elem, ATTR_END(flags), 0},
    [BPF_MAP_FREEZE] = {ebpf_cmd_map_freeze, ATTR_END(map_fd), 0},
    [BPF_MAP_LOOKUP_BATCH] = {ebpf_cmd_map_lookup_batch, ATTR_END(batch.flags), 0},
    [BPF_MAP_LOOKUP_AND_DELETE_BATCH] = {ebpf_cmd_map_lookup_and_delete_batch,
                                         ATTR_END(batch.flags), 0},
    [BPF_MAP_UPDATE_BATCH] = {ebpf_cmd_map_update_batch, ATTR_END(batch.flags), 0},
    [BPF_MAP_DELETE_BATCH] = {ebpf_cmd_map_delete_batch, ATTR_END(batch.flags), 0},
    [BPF_MAP_GET_NEXT_ID] = {ebpf_cmd_map_get_next_id, ATTR_END(next_id), 0},
    [BPF_MAP_GET_FD_BY_ID] = {ebpf_cmd_map_get_fd_by_id, ATTR_END(open_flags), 0},
    [BPF_PROG_GET_NEXT_ID] = {ebpf_cmd_prog_get_next_id, ATTR_END(next_id), 0},
    [BPF_PROG_GET_FD_BY_ID] = {ebpf_cmd_prog_get_fd_by_id, ATTR_END(start_id), 0},
    [BPF_BTF_LOAD] = {ebpf_cmd_btf_load, ATTR_END(btf_token_fd), EBPF_CAP_BPF},
    [BPF_BTF_GET_NEXT_ID] = {ebpf_cmd_btf_get_next_id, ATTR_END(next_id), 0},
    [BPF_BTF_GET_FD_BY_ID] = {ebpf_cmd_btf_get_fd_by_id, ATTR_END(start_id), 0},
    [BPF_LINK_GET_NEXT_ID] = {ebpf_cmd_link_get_next_id, ATTR_END(next_id), 0},
    [BPF_LINK_GET_FD_BY_ID] = {ebpf_cmd_link_get_fd_by_id, ATTR_END(start_id), 0},
    [BPF_LINK_CREATE] = {ebpf_cmd_link_create, ATTR_END(link_create.kprobe_multi.cookies), 0},
};

long ebpf_bpf(int cmd, uint64_t uattr, uint32_t size, const struct ebpf_caller *caller)
{
    union bpf_attr attr;
    const struct ebpf_cmd args = {.attr = &attr, .uattr = uattr, .size = size, .caller = caller};
    const struct command *command;
    int err = 0;
    long ret;

    if (size > MAX_ATTR)
        return -E2BIG;
    if (size > sizeof(attr))
        err = ebpf_check_zero_in(caller, uattr + sizeof(attr), size - sizeof(attr));
    memset(&attr, 0, sizeof(attr));
    if (!err)
        err = ebpf_copy_in(caller, &attr, uattr, ebpf_min(size, sizeof(attr)));
    if (err)
        return err;
    if (cmd < 0 || (size_t)cmd >= EBPF_ARRAY_SIZE(commands) || !commands[cmd].run)
        return -EINVAL;
    command = &commands[cmd];
    if (!ebpf_all_zero((const char *)&attr + command->end, sizeof(attr) - command->end))
        return -EINVAL;
    if ((command->caps & caller->caps) != command->caps)
        return -EPERM;
    ebpf_obj_reap(); /* or what programs have dropped could still be seen */
    ret = command->run(&args);
    ebpf_obj_reap();
    return ret;
}

int ebpf_cmd_give(const struct ebpf_cmd *cmd, size_t offset, size_t len)
{
    if (offset >= cmd->size)
        return 0;
    return ebpf_copy_out(cmd->caller, cmd->uattr + offset, (const char *)cmd->attr + offset,
                         ebpf_min(len, cmd->size - offset));
}

long ebpf_cmd_install(struct ebpf_obj *obj)
{
    int fd = ebpf_os_fd_install(obj);

    if (fd < 0)
        ebpf_obj_put(obj);
    return fd;
}
