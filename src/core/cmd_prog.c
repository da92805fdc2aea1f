/* SPDX-License-Identifier: MIT */
/* bpf(2): BPF_PROG_LOAD and BPF_PROG_TEST_RUN. */
#include "maps/map.h"
#include "src/base/bits.h"
#include "src/core/cmd.h"
#include "src/core/load.h"

/* Linux: the log needs a buffer of at least 128 bytes; levels are a mask of 1, 2 and 4 */
#define MIN_LOG 128u
#define MAX_LOG (UINT32_MAX >> 2)

/* The map that an LD_IMM64 names: by fd, or by its place in the caller's array of fds. */
static int map_by_fd(const struct ebpf_load *load, bool by_index, int32_t n, struct ebpf_map **out)
{
    int32_t fd = n;

    if (by_index) {
        int err;

        if (!load->fd_array || n < 0)
            return -EINVAL;
        err =
            ebpf_copy_in(load->caller, &fd, load->fd_array + (uint64_t)n * sizeof(fd), sizeof(fd));
        if (err)
            return err;
    }
    return ebpf_map_from_fd(fd, out);
}

static bool log_ok(const union bpf_attr *attr)
{
    if (!attr->log_level)
        return !attr->log_buf && !attr->log_size;
    return attr->log_buf && attr->log_size >= MIN_LOG && attr->log_size <= MAX_LOG &&
           attr->log_level <= 7;
}

/* The caller's log: what a program is refused for, one line; empty when it is not. */
static int give_log(const struct ebpf_cmd *cmd, const char *line)
{
    char text[EBPF_CONFIG_LOG_LINE + 1];
    size_t len = ebpf_strlen(line);

    if (!cmd->attr->log_level)
        return 0;
    memcpy(text, line, len);
    if (len)
        text[len++] = '\n';
    text[len] = 0;
    if (len + 1 <= cmd->attr->log_size)
        return ebpf_copy_out(cmd->caller, cmd->attr->log_buf, text, len + 1);
    text[cmd->attr->log_size - 1] = 0;
    len = cmd->attr->log_size;
    return ebpf_copy_out(cmd->caller, cmd->attr->log_buf, text, len) ? -EFAULT : -ENOSPC;
}

long ebpf_cmd_prog_load(const struct ebpf_cmd *cmd)
{
    const union bpf_attr *attr = cmd->attr;
    char license[128], line[EBPF_CONFIG_LOG_LINE] = "";
    struct ebpf_load load = {
        .caller = cmd->caller, .find_map = map_by_fd, .fd_array = attr->fd_array, .log = line};
    struct ebpf_prog *prog;
    int err, log_err;

    if (!log_ok(attr) || attr->prog_ifindex || attr->attach_btf_id || attr->attach_prog_fd)
        return -EINVAL;
    err = ebpf_copy_string_in(cmd->caller, license, attr->license, sizeof(license));
    if (err)
        return err;
    load.spec = (struct ebpf_prog_spec){
        .type = attr->prog_type,
        .expected_attach_type = attr->expected_attach_type,
        .flags = attr->prog_flags,
        .insns = EBPF_PTR(attr->insns),
        .insn_cnt = attr->insn_cnt,
        .license = license,
        .caps = cmd->caller->caps,
    };
    memcpy(load.spec.name, attr->prog_name, sizeof(load.spec.name));
    err = ebpf_prog_load_from(&load, &prog);
    log_err = give_log(cmd, line);
    if (!err && log_err) {
        ebpf_obj_put(&prog->obj);
        err = log_err;
    }
    return err ? err : ebpf_cmd_install(&prog->obj);
}

static int give_results(const struct ebpf_cmd *cmd)
{
    int err = EBPF_CMD_GIVE(cmd, test.retval);

    if (!err)
        err = EBPF_CMD_GIVE(cmd, test.data_size_out);
    if (!err)
        err = EBPF_CMD_GIVE(cmd, test.duration);
    if (!err)
        err = EBPF_CMD_GIVE(cmd, test.ctx_size_out);
    return err;
}

long ebpf_cmd_prog_test_run(const struct ebpf_cmd *cmd)
{
    union bpf_attr *attr = cmd->attr;
    struct ebpf_prog *prog;
    int err, give_err = 0;

    if (!attr->test.ctx_size_in != !attr->test.ctx_in ||
        !attr->test.ctx_size_out != !attr->test.ctx_out)
        return -EINVAL;
    err = ebpf_prog_from_fd((int)attr->test.prog_fd, &prog);
    if (err)
        return err;
    err = prog->type->test_run ? prog->type->test_run(prog, attr, cmd->caller) : -ENOTSUPP;
    if (!err || err == -ENOSPC)
        give_err = give_results(cmd);
    ebpf_obj_put(&prog->obj);
    return err ? err : give_err;
}
