/* SPDX-License-Identifier: MIT */
/* The verifier fuzzer's oracle: the kernel of this machine, where its bpf(2) may be used. Programs
 * are loaded, never run. */
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_verifier.h"

static int fds[VF_ALL_MAPS];

static int sys_bpf(int cmd, union bpf_attr *attr)
{
    long ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

    return ret < 0 ? -errno : (int)ret;
}

static int btf_fd;

static int load_btf(void)
{
    union bpf_attr attr;
    size_t size;

    memset(&attr, 0, sizeof(attr));
    attr.btf = (uintptr_t)vf_btf(&size);
    attr.btf_size = (uint32_t)size;
    return sys_bpf(BPF_BTF_LOAD, &attr);
}

static int create(unsigned i)
{
    const struct ebpf_map_spec *spec = &vf_specs[i];
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_type = spec->type;
    attr.key_size = spec->key_size;
    attr.value_size = spec->value_size;
    attr.max_entries = spec->max_entries;
    attr.map_flags = spec->flags;
    if (i == VF_OUTER)
        attr.inner_map_fd = (uint32_t)fds[VF_INNER];
    if (i == VF_LOCKED) {
        attr.btf_fd = (uint32_t)btf_fd;
        attr.btf_key_type_id = VF_TYPE_KEY;
        attr.btf_value_type_id = VF_TYPE_LOCKED;
    }
    memcpy(attr.map_name, spec->name, sizeof(attr.map_name));
    return sys_bpf(BPF_MAP_CREATE, &attr);
}

/* The constants that our map has, and nobody changes them any more. */
static int freeze_constants(void)
{
    uint32_t zero = 0;
    uint8_t constants[32];
    union bpf_attr attr;
    int err = ebpf_map_lookup(vf_maps[VF_RODATA], &zero, constants);

    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)fds[VF_RODATA];
    attr.key = (uintptr_t)&zero;
    attr.value = (uintptr_t)constants;
    if (!err)
        err = sys_bpf(BPF_MAP_UPDATE_ELEM, &attr);
    attr.key = attr.value = 0;
    return err ? err : sys_bpf(BPF_MAP_FREEZE, &attr);
}

bool vf_linux_init(const char **why)
{
    *why = "bpf(2) of Linux as root is not to be had";
    btf_fd = load_btf();
    if (btf_fd < 0)
        return false;
    for (unsigned i = VF_ALL_MAPS; i-- > 0;) {
        fds[i] = create(i);
        if (fds[i] < 0)
            return false;
    }
    return !freeze_constants();
}

/* ---- programs -------------------------------------------------------------------------------- */

static char text[1 << 20];

/* The last line that is not a count. */
static void last_line(char message[160])
{
    char *line, *next;

    message[0] = 0;
    for (line = text; *line; line = next) {
        next = strchr(line, '\n');
        next = next ? next + 1 : line + strlen(line);
        if (!strncmp(line, "processed ", 10) || next - line < 2)
            continue;
        snprintf(message, 160, "%.*s", (int)(next - line - (next[-1] == '\n')), line);
    }
}

int vf_linux_load(const struct fuzz_prog *prog, uint32_t type, char message[160])
{
    struct bpf_func_info funcs[VF_MAX_FUNCS];
    union bpf_attr attr;
    int fd;

    memset(&attr, 0, sizeof(attr));
    attr.prog_btf_fd = (uint32_t)btf_fd;
    attr.func_info = (uintptr_t)funcs;
    attr.func_info_cnt = vf_functions(prog, funcs);
    attr.func_info_rec_size = sizeof(funcs[0]);
    attr.prog_type = type;
    attr.insns = (uintptr_t)prog->insns;
    attr.insn_cnt = prog->cnt;
    attr.license = (uintptr_t) "GPL";
    attr.fd_array = (uintptr_t)fds;
    message[0] = 0;
    fd = sys_bpf(BPF_PROG_LOAD, &attr);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    attr.log_level = 1;
    attr.log_buf = (uintptr_t)text;
    attr.log_size = sizeof(text);
    text[0] = 0;
    sys_bpf(BPF_PROG_LOAD, &attr);
    last_line(message);
    return fd;
}
