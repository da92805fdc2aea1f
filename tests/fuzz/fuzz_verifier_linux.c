/* SPDX-License-Identifier: MIT */
/* The verifier fuzzer's oracle: the kernel of this machine, where its bpf(2) may be used. Programs
 * are loaded, never run. */
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_verifier.h"

static int fds[VF_MAPS];

static int sys_bpf(int cmd, union bpf_attr *attr)
{
    long ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

    return ret < 0 ? -errno : (int)ret;
}

static int create(const struct ebpf_map_spec *spec)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_type = spec->type;
    attr.key_size = spec->key_size;
    attr.value_size = spec->value_size;
    attr.max_entries = spec->max_entries;
    attr.map_flags = spec->flags;
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

/* ---- BTF, which Linux wants of programs with callbacks -------------------------------------- */

static struct {
    uint32_t
        head[6]; /* magic and version, header's size, types: offset, size, strings: offset, size */
    uint32_t types[4 + 3 + 3]; /* 1: int; 2: int (void); 3: static f of that type */
    char strings[8];
} btf = {{0x0001eb9f, 24, 0, 40, 40, 7},
         {1, 1u << 24, 4, 0x01000020, 0, 13u << 24, 1, 5, 12u << 24, 2},
         "\0int\0f"};
static int btf_fd;

static int load_btf(void)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.btf = (uintptr_t)&btf;
    attr.btf_size = sizeof(btf) - 1;
    return sys_bpf(BPF_BTF_LOAD, &attr);
}

#define MAX_FUNCS 16u
struct func_info {
    uint32_t insn, type;
};

/* All functions of prog, in order; returns how many. */
static uint32_t find_functions(const struct fuzz_prog *prog, struct func_info *out)
{
    static bool starts[FUZZ_MAX_INSNS];
    uint32_t cnt = 0;

    memset(starts, 0, prog->cnt);
    starts[0] = true;
    for (uint32_t i = 0; i < prog->cnt; i++) {
        const struct bpf_insn *insn = &prog->insns[i];
        int64_t target = (int64_t)i + 1 + insn->imm;

        if ((fuzz_is_call(insn) || (fuzz_is_imm64(insn) && insn->src_reg == BPF_PSEUDO_FUNC)) &&
            target > 0 && target < prog->cnt)
            starts[target] = true;
    }
    for (uint32_t i = 0; i < prog->cnt && cnt < MAX_FUNCS; i++) {
        if (starts[i])
            out[cnt++] = (struct func_info){i, 3};
    }
    return cnt;
}

bool vf_linux_init(const char **why)
{
    *why = "bpf(2) of Linux as root is not to be had";
    for (unsigned i = 0; i < VF_MAPS; i++) {
        fds[i] = create(&vf_specs[i]);
        if (fds[i] < 0)
            return false;
    }
    btf_fd = load_btf();
    return btf_fd >= 0 && !freeze_constants();
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
    struct func_info funcs[MAX_FUNCS];
    union bpf_attr attr;
    int fd;

    memset(&attr, 0, sizeof(attr));
    attr.prog_btf_fd = (uint32_t)btf_fd;
    attr.func_info = (uintptr_t)funcs;
    attr.func_info_cnt = find_functions(prog, funcs);
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
