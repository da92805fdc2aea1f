/* SPDX-License-Identifier: MIT */
/* See sides.h. */
#define _GNU_SOURCE
#include "tests/unit/host/sides.h"

#include <poll.h>
#include <sched.h>

static const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};

int side_bpf(unsigned side, int cmd, union bpf_attr *attr, uint32_t size)
{
    return side ? linux_bpf(cmd, attr, size) : (int)ebpf_bpf(cmd, (uintptr_t)attr, size, &caller);
}

int side_map(unsigned side, uint32_t type, uint32_t value_size, uint32_t entries, uint32_t flags)
{
    union bpf_attr attr = {.map_type = type,
                           .key_size = value_size ? 4 : 0,
                           .value_size = value_size,
                           .max_entries = entries,
                           .map_flags = flags};

    return side_bpf(side, BPF_MAP_CREATE, &attr, 72);
}

int side_element(unsigned side, int cmd, int fd, void *value)
{
    uint32_t key = 0;
    union bpf_attr attr = {.map_fd = (uint32_t)fd};

    attr.key = (uintptr_t)&key;
    attr.value = (uintptr_t)value;
    return side_bpf(side, cmd, &attr, 32);
}

void side_close(unsigned side, int fd)
{
    struct ebpf_obj *obj;

    if (fd < 0)
        return;
    if (side)
        close(fd);
    else if (!ebpf_os_fd_get(fd, &obj)) {
        ebpf_obj_put(obj);
        ebpf_fd_close(fd);
    }
}

/* A constant text, in a map that nobody can change any more. */
static int side_text(unsigned side, const char *text)
{
    char value[64] = "";
    int fd = side_map(side, BPF_MAP_TYPE_ARRAY, sizeof(value), 1, BPF_F_RDONLY_PROG);
    union bpf_attr attr = {.map_fd = (uint32_t)fd};

    strncpy(value, text, sizeof(value) - 1);
    CHECK_EQ(side_element(side, BPF_MAP_UPDATE_ELEM, fd, value), 0);
    CHECK_EQ(side_bpf(side, BPF_MAP_FREEZE, &attr, 4), 0);
    return fd;
}

static int32_t real_fd(unsigned side, const struct world *w, int32_t fd)
{
    return fd == FD_MEMORY ? w->map[side] : fd == FD_TEXT ? w->text[side] : w->other[side];
}

static int side_load(unsigned side, const struct world *w, uint32_t type,
                     const struct bpf_insn *insns, uint32_t cnt)
{
    static char log[65536];
    struct bpf_insn copy[128];
    union bpf_attr attr = {.prog_type = type,
                           .insns = (uintptr_t)copy,
                           .insn_cnt = cnt,
                           .license = (uintptr_t) "GPL",
                           .log_level = 1,
                           .log_size = sizeof(log),
                           .log_buf = (uintptr_t)log};
    int fd;

    memcpy(copy, insns, cnt * sizeof(*insns));
    for (uint32_t i = 0; i < cnt; i++) {
        if (copy[i].code == (BPF_LD | BPF_IMM | BPF_DW) && copy[i].src_reg)
            copy[i].imm = real_fd(side, w, copy[i].imm);
    }
    log[0] = 0;
    fd = side_bpf(side, BPF_PROG_LOAD, &attr, 72);
    if (fd < 0)
        test_fail(__FILE__, __LINE__, "%s refuses the program: %d\n%s", side ? "Linux" : "we", fd,
                  log);
    return fd;
}

void world_init(struct world *w, uint32_t type, const char *text, const int *other,
                const struct bpf_insn *insns, uint32_t cnt)
{
    memset(w, 0, sizeof(*w));
    w->xdp = type == BPF_PROG_TYPE_XDP;
    for (unsigned side = 0; side < 2; side++) {
        w->map[side] = side_map(side, BPF_MAP_TYPE_ARRAY, sizeof(struct memory), 1, 0);
        w->text[side] = side_text(side, text);
        w->other[side] = other ? other[side] : -1;
        w->prog[side] = side_load(side, w, type, insns, cnt);
    }
}

void world_fini(struct world *w)
{
    for (unsigned side = 0; side < 2; side++) {
        side_close(side, w->prog[side]);
        side_close(side, w->other[side]);
        side_close(side, w->text[side]);
        side_close(side, w->map[side]);
    }
}

bool world_run(struct world *w, uint32_t size)
{
    static uint8_t packet[4096], out[2][4096];
    uint32_t retval[2], out_size[2];
    int err[2];

    for (unsigned i = 0; i < size; i++)
        packet[i] = (uint8_t)(i * 7 + 1);
    w->memory[1] = w->memory[0];
    for (unsigned side = 0; side < 2; side++) {
        union bpf_attr attr = {.test = {.prog_fd = (uint32_t)w->prog[side],
                                        .data_in = (uintptr_t)packet,
                                        .data_size_in = size,
                                        .data_out = (uintptr_t)out[side],
                                        .data_size_out = sizeof(out[side])}};

        memset(out[side], 0, sizeof(out[side]));
        CHECK_EQ(side_element(side, BPF_MAP_UPDATE_ELEM, w->map[side], &w->memory[side]), 0);
        err[side] = side_bpf(side, BPF_PROG_TEST_RUN, &attr, sizeof(attr.test));
        CHECK_EQ(side_element(side, BPF_MAP_LOOKUP_ELEM, w->map[side], &w->memory[side]), 0);
        retval[side] = attr.test.retval;
        out_size[side] = attr.test.data_size_out;
    }
    if (err[0] != err[1] || retval[0] != retval[1])
        return false;
    if (w->xdp && (out_size[0] != out_size[1] || memcmp(out[0], out[1], sizeof(out[0]))))
        return false;
    return !memcmp(&w->memory[0], &w->memory[1], sizeof(w->memory[0]));
}

uint32_t linux_poll(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) < 0 ? UINT32_MAX : (uint32_t)p.revents;
}

static cpu_set_t anywhere;

int sides_stay_on_a_cpu(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(anywhere), &anywhere))
        return -1;
    for (int cpu = 0; cpu < (int)mock_cpu_count; cpu++) {
        if (!CPU_ISSET((unsigned)cpu, &anywhere))
            continue;
        CPU_ZERO(&set);
        CPU_SET((unsigned)cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set))
            return -1;
        mock_set_cpu((unsigned)cpu);
        return cpu;
    }
    return -1;
}

void sides_go_anywhere(void)
{
    sched_setaffinity(0, sizeof(anywhere), &anywhere);
}
