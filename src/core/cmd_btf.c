/* SPDX-License-Identifier: MIT */
/* bpf(2): BPF_BTF_LOAD, and what BPF_OBJ_GET_INFO_BY_FD says of BTF. */
#include "src/base/bits.h"
#include "src/btf/btf.h"
#include "src/core/cmd.h"
#include "src/core/load_log.h"

/* The log's own error comes first, as Linux has it. */
static int end_log(const struct ebpf_cmd *cmd, struct ebpf_load_log *log, int err)
{
    int log_err = ebpf_load_log_fini(log, &cmd->attr->btf_log_true_size);

    if (EBPF_CMD_GIVE(cmd, btf_log_true_size))
        return -EFAULT;
    return log_err ? log_err : err;
}

long ebpf_cmd_btf_load(const struct ebpf_cmd *cmd)
{
    const union bpf_attr *attr = cmd->attr;
    struct ebpf_load_log log;
    struct ebpf_btf *btf = NULL;
    int err;

    if (attr->btf_flags) /* there are no tokens (BPF_F_TOKEN_FD) */
        return -EINVAL;
    if (attr->btf_size > BTF_MAX_SIZE)
        return -E2BIG;
    err = ebpf_load_log_init(&log, cmd->caller, attr->btf_log_level, attr->btf_log_buf,
                             attr->btf_log_size);
    if (err)
        return err;
    err = ebpf_btf_new(cmd->caller, attr->btf, attr->btf_size, &log, &btf);
    err = end_log(cmd, &log, err);
    if (err && btf)
        ebpf_obj_put(&btf->obj);
    return err ? err : ebpf_cmd_install(&btf->obj);
}
