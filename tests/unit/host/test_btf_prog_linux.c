/* SPDX-License-Identifier: MIT */
/* func_info, line_info and flags of BPF_PROG_LOAD, ours and Linux's: the same attributes, the same
 * answers. Skipped where bpf(2) is not ours to use. */
#include "tests/unit/btf_build.h"
#include "tests/unit/test.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <ebpf/ebpf.h>

#include "tests/unit/insn.h"

static const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};
static uint8_t blob[BTF_BLOB_MAX];
static char logs[2][4096];
static struct {
    struct bpf_func_info funcs[4];
    struct bpf_line_info lines[4];
    uint8_t wide[512];
} info;
static uint32_t number, func, other;
static int fds[2] = {-1, -1};

static bool begin(void)
{
    union bpf_attr attr = {0};
    struct btf_blob b;
    uint32_t proto;

    bb_begin(&b);
    number = bb_add_int(&b, "int", 4, BTF_INT_SIGNED);
    proto = bb_add(&b, NULL, BTF_KIND_FUNC_PROTO, 0, false, number);
    func = bb_add(&b, "main_prog", BTF_KIND_FUNC, BTF_FUNC_GLOBAL, false, proto);
    other = bb_add(&b, "sub", BTF_KIND_FUNC, BTF_FUNC_STATIC, false, proto);
    attr.btf = (uintptr_t)blob;
    attr.btf_size = bb_end(&b, blob);
    fds[0] = (int)ebpf_bpf(BPF_BTF_LOAD, (uintptr_t)&attr, 32, &caller);
    fds[1] = (int)syscall(SYS_bpf, BPF_BTF_LOAD, &attr, 32);
    if (fds[1] >= 0)
        return true;
    ebpf_fd_close(fds[0]);
    test_skip("bpf(2) is not permitted here");
    return false;
}

static void end(void)
{
    ebpf_fd_close(fds[0]);
    close(fds[1]);
}

static void reset(union bpf_attr *attr)
{
    static const struct bpf_insn insns[] = {
        BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1),
        BPF_EXIT_INSN(),
        BPF_LD_IMM64(BPF_REG_0, 5),
        BPF_EXIT_INSN(),
    };

    memset(attr, 0, sizeof(*attr));
    memset(&info, 0, sizeof(info));
    attr->prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    attr->insns = (uintptr_t)insns;
    attr->insn_cnt = sizeof(insns) / sizeof(insns[0]);
    attr->license = (uintptr_t) "GPL";
    info.funcs[0] = (struct bpf_func_info){0, func};
    info.funcs[1] = (struct bpf_func_info){2, other};
    info.lines[0] = (struct bpf_line_info){0, 1, 1, 1 << 10};
    info.lines[1] = (struct bpf_line_info){1, 1, 1, 2 << 10};
    info.lines[2] = (struct bpf_line_info){2, 1, 1, 3 << 10};
    attr->func_info = (uintptr_t)info.funcs;
    attr->func_info_cnt = 2;
    attr->func_info_rec_size = 8;
    attr->line_info = (uintptr_t)info.lines;
    attr->line_info_cnt = 3;
    attr->line_info_rec_size = 16;
}

/* The last line of a log that is a reason, without the newline. */
static const char *reason(char *log)
{
    char *end_of = log + strlen(log), *start;

    while (end_of > log && end_of[-1] == '\n')
        *--end_of = 0;
    start = strrchr(log, '\n');
    return start ? start + 1 : log;
}

/* texts: Linux says why, and in the same words (it does not end all of these lines). */
static void both(const union bpf_attr *asked, const char *what, bool texts)
{
    union bpf_attr attr[2] = {*asked, *asked};
    long ret[2];

    for (int side = 0; side < 2; side++) {
        union bpf_attr *a = &attr[side];

        memset(logs[side], 0, sizeof(logs[side]));
        a->log_level = 1;
        a->log_buf = (uintptr_t)logs[side];
        a->log_size = sizeof(logs[side]);
        a->prog_btf_fd = a->prog_btf_fd == 77 ? 77 : (uint32_t)fds[side];
        ret[side] = side ? syscall(SYS_bpf, BPF_PROG_LOAD, a, 144)
                         : ebpf_bpf(BPF_PROG_LOAD, (uintptr_t)a, 144, &caller);
        if (side && ret[side] < 0)
            ret[side] = -errno;
        if (ret[side] >= 0) {
            side ? close((int)ret[side]) : ebpf_fd_close((int)ret[side]);
            ret[side] = 0;
        }
    }
    if (ret[0] != ret[1])
        test_fail(__FILE__, __LINE__, "%s: ours %ld (%s), Linux's %ld (%s)", what, ret[0], logs[0],
                  ret[1], logs[1]);
    else if (ret[0] && texts && !strstr(logs[1], reason(logs[0])))
        test_fail(__FILE__, __LINE__, "%s: ours says '%s', Linux '%s'", what, logs[0], logs[1]);
    CHECK_EQ(attr[0].func_info_rec_size, attr[1].func_info_rec_size);
    CHECK_EQ(attr[0].line_info_rec_size, attr[1].line_info_rec_size);
}

#define ROW(change, texts)           \
    do {                             \
        reset(&attr);                \
        change;                      \
        both(&attr, #change, texts); \
    } while (0)

TEST(prog_func_and_line_info_get_linuxs_answer)
{
    union bpf_attr attr;

    if (!begin())
        return;
    ROW((void)0, true);
    ROW(attr.line_info_cnt = 0, true);
    ROW(attr.func_info_cnt = 0, true);
    ROW(attr.func_info_cnt = 1, true);
    ROW(attr.func_info_rec_size = 4, true);
    ROW(attr.func_info_rec_size = 10, true);
    ROW(attr.func_info_rec_size = 256, true);
    ROW(attr.func_info = 0, true);
    ROW(attr.prog_btf_fd = 77, true);
    ROW(info.funcs[0].insn_off = 1, true);
    ROW(info.funcs[1].insn_off = 0, true);
    ROW(info.funcs[1].insn_off = 3, true);
    ROW(info.funcs[1].insn_off = 1000000, true);
    ROW(info.funcs[1].type_id = number, true);
    ROW(info.funcs[1].type_id = 0, true);
    ROW(info.funcs[1].type_id = 1000, true);
    ROW(attr.line_info_rec_size = 12, false);
    ROW(attr.line_info_rec_size = 18, false);
    ROW(attr.line_info_rec_size = 1000, false);
    ROW(attr.line_info = 0, true);
    ROW(attr.line_info_cnt = 2, true);
    ROW(attr.line_info_cnt = 1, true);
    ROW(info.lines[0].insn_off = 1, true);
    ROW(info.lines[1].insn_off = 0, true);
    ROW(info.lines[1].insn_off = 3, true);
    ROW(info.lines[2].insn_off = 3, true);
    ROW(info.lines[2].insn_off = 4, true);
    ROW(info.lines[2].insn_off = 5, true);
    ROW(info.lines[1].line_off = 10000, true);
    ROW(info.lines[1].file_name_off = 10000, true);
    end();
}

/* Longer records of somebody newer: zeros behind what is known are fine, and else the known size is
 * told. */
TEST(prog_info_records_may_be_longer_by_zeros)
{
    union bpf_attr attr;

    if (!begin())
        return;
    reset(&attr);
    for (unsigned i = 0; i < 2; i++)
        memcpy(info.wide + i * 16, &info.funcs[i], 8);
    attr.func_info = (uintptr_t)info.wide;
    attr.func_info_rec_size = 16;
    both(&attr, "zeros", true);
    info.wide[12] = 1;
    both(&attr, "no zeros", true);
    end();
}

TEST(prog_flags_get_linuxs_answer)
{
    union bpf_attr attr;

    if (!begin())
        return;
    for (unsigned bit = 0; bit < 32; bit++) {
        if (bit == 6 || bit == 16) /* devices and tokens: not here */
            continue;
        ROW(attr.prog_flags = 1u << bit, false);
    }
    end();
}
