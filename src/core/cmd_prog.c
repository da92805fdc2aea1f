/* SPDX-License-Identifier: MIT */
/* bpf(2): BPF_PROG_LOAD and BPF_PROG_TEST_RUN. */
#include "maps/map.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/btf/btf.h"
#include "src/core/cmd.h"
#include "src/core/load.h"

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

static int btf_by_fd(const struct ebpf_load *load, struct ebpf_btf **out)
{
    return ebpf_btf_from_fd(load->btf_fd, out);
}

/* What was asked for as this library does not know it: it says how much it knows. */
static int give_known(const struct ebpf_cmd *cmd, const struct ebpf_load *load)
{
    int err = 0;

    if (load->func_info->known) {
        cmd->attr->func_info_rec_size = load->func_info->known;
        err = EBPF_CMD_GIVE(cmd, func_info_rec_size);
    }
    if (!err && load->line_info->known) {
        cmd->attr->line_info_rec_size = load->line_info->known;
        err = EBPF_CMD_GIVE(cmd, line_info_rec_size);
    }
    return err;
}

static int load_prog(const struct ebpf_cmd *cmd, struct ebpf_load *load, struct ebpf_prog **out)
{
    int err = ebpf_prog_load_from(load, out, &cmd->attr->log_true_size), give_err;

    give_err = give_known(cmd, load);
    if (!give_err)
        give_err = EBPF_CMD_GIVE(cmd, log_true_size);
    if (!err && give_err)
        ebpf_obj_put(&(*out)->obj);
    return give_err ? -EFAULT : err;
}

/* What this build has no objects for: devices, the kernel's own types and programs to attach to;
 * and CO-RE relocations, which loaders apply. */
static bool attr_ok(const union bpf_attr *attr)
{
    return !attr->prog_ifindex && !attr->attach_btf_id && !attr->attach_prog_fd &&
           !attr->core_relo_cnt;
}

EBPF_NOINLINE static void fill_spec(struct ebpf_prog_spec *spec, const struct ebpf_cmd *cmd,
                                    const char *license)
{
    const union bpf_attr *attr = cmd->attr;

    *spec = (struct ebpf_prog_spec){
        .type = attr->prog_type,
        .expected_attach_type = attr->expected_attach_type,
        .flags = attr->prog_flags,
        .insns = EBPF_PTR(attr->insns),
        .insn_cnt = attr->insn_cnt,
        .license = license,
        .caps = cmd->caller->caps,
        .log_level = attr->log_level,
        .log_size = attr->log_size,
        .log_buf = EBPF_PTR(attr->log_buf),
    };
    memcpy(spec->name, attr->prog_name, sizeof(spec->name));
}

/* All that a load needs of its attributes; on the heap, since kernels have small stacks. */
struct loading {
    struct ebpf_load load;
    struct ebpf_load_records func_info, line_info;
    char license[128];
};

EBPF_NOINLINE static int fill_loading(struct loading *l, const struct ebpf_cmd *cmd)
{
    const union bpf_attr *attr = cmd->attr;

    l->func_info = (struct ebpf_load_records){attr->func_info, attr->func_info_cnt,
                                              attr->func_info_rec_size, 0};
    l->line_info = (struct ebpf_load_records){attr->line_info, attr->line_info_cnt,
                                              attr->line_info_rec_size, 0};
    l->load.func_info = &l->func_info;
    l->load.line_info = &l->line_info;
    l->load.caller = cmd->caller;
    l->load.find_map = map_by_fd;
    l->load.get_btf = btf_by_fd;
    l->load.btf_fd = (int)attr->prog_btf_fd;
    l->load.fd_array = attr->fd_array;
    fill_spec(&l->load.spec, cmd, l->license);
    return ebpf_copy_string_in(cmd->caller, l->license, attr->license, sizeof(l->license));
}

long ebpf_cmd_prog_load(const struct ebpf_cmd *cmd)
{
    struct loading *l;
    struct ebpf_prog *prog;
    int err;

    if (!attr_ok(cmd->attr))
        return -EINVAL;
    l = ebpf_zalloc(sizeof(*l));
    if (!l)
        return -ENOMEM;
    err = fill_loading(l, cmd);
    if (!err)
        err = load_prog(cmd, &l->load, &prog);
    ebpf_free(l, sizeof(*l));
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
