/* SPDX-License-Identifier: MIT */
/* BPF_MAP_TYPE_PROG_ARRAY as user mode sees it: errno values of Linux, owners, references and
 * circles of them. */
#include "tests/unit/tail_util.h"

#include "src/base/obj.h"

static long create(uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_PROG_ARRAY,
                           .key_size = key,
                           .value_size = value,
                           .max_entries = entries,
                           .map_flags = flags};

    return mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long load_as(uint32_t type, uint32_t attach_type, const struct bpf_insn *insns, uint32_t cnt)
{
    union bpf_attr attr = {.prog_type = type, .insn_cnt = cnt, .expected_attach_type = attach_type};

    attr.insns = mock_user_copy(insns, cnt * sizeof(*insns));
    attr.license = mock_user_copy("GPL", 4);
    return mock_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

#define NOTHING PROG(BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())
#define NAMES(FD) PROG(BPF_LD_MAP_FD(R2, FD), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())

static long elem(int cmd, long map, uint32_t key, uint32_t *value, uint64_t flags)
{
    union bpf_attr attr = {.map_fd = (uint32_t)map, .key = mock_user_copy(&key, 4)};
    long ret;

    attr.value = value ? mock_user_copy(value, 4) : 0;
    attr.flags = flags;
    ret = mock_bpf(cmd, &attr, sizeof(attr));
    if (value)
        memcpy(value, mock_user(attr.value), 4);
    return ret;
}

static long update(long map, uint32_t key, long prog, uint64_t flags)
{
    uint32_t fd = (uint32_t)prog;

    return elem(BPF_MAP_UPDATE_ELEM, map, key, &fd, flags);
}

static long lookup(long map, uint32_t key, uint32_t *id)
{
    return elem(BPF_MAP_LOOKUP_ELEM, map, key, id, 0);
}

static uint32_t prog_id(long fd)
{
    struct bpf_prog_info info = {0};
    union bpf_attr attr = {0};

    attr.info.bpf_fd = (uint32_t)fd;
    attr.info.info_len = sizeof(info);
    attr.info.info = mock_user_copy(&info, sizeof(info));
    CHECK_EQ(mock_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)), 0);
    memcpy(&info, mock_user(attr.info.info), sizeof(info));
    return info.id;
}

TEST(prog_array_creation_rules)
{
    long fd = create(4, 4, 3, 0);

    CHECK(fd >= 0);
    CHECK_EQ(create(8, 4, 3, 0), -EINVAL);
    CHECK_EQ(create(4, 8, 3, 0), -EINVAL);
    CHECK_EQ(create(4, 0, 3, 0), -EINVAL);
    CHECK_EQ(create(4, 4, 0, 0), -EINVAL);
    CHECK_EQ(create(4, 4, 3, BPF_F_RDONLY_PROG), -EINVAL);
    CHECK_EQ(create(4, 4, 3, BPF_F_WRONLY_PROG), -EINVAL);
    CHECK_EQ(create(4, 4, 3, BPF_F_MMAPABLE), -EINVAL);
    CHECK_EQ(create(4, 4, 3, BPF_F_NO_PREALLOC), -EINVAL);
    CHECK(create(4, 4, 3, BPF_F_RDONLY) >= 0);
    CHECK(create(4, 4, 3, BPF_F_WRONLY) >= 0);
    CHECK_EQ(create(4, 4, UINT32_MAX, 0), -ENOMEM); /* 32 GiB */
}

TEST(prog_array_takes_fds_and_gives_ids)
{
    long map = create(4, 4, 3, 0), a = load_as(BPF_PROG_TYPE_KPROBE, 0, NOTHING),
         b = load_as(BPF_PROG_TYPE_KPROBE, 0, NOTHING);
    uint32_t id = 0;

    REQUIRE(map >= 0 && a >= 0 && b >= 0);
    CHECK_EQ(lookup(map, 1, &id), -ENOENT);
    CHECK_EQ(update(map, 1, a, BPF_ANY), 0);
    CHECK_EQ(lookup(map, 1, &id), 0);
    CHECK_EQ(id, prog_id(a));
    CHECK_EQ(update(map, 1, b, BPF_ANY), 0);
    CHECK_EQ(lookup(map, 1, &id), 0);
    CHECK_EQ(id, prog_id(b));
    CHECK_EQ(lookup(map, 0, &id), -ENOENT);
    CHECK_EQ(lookup(map, 3, &id), -ENOENT);
    CHECK_EQ(elem(BPF_MAP_DELETE_ELEM, map, 1, NULL, 0), 0);
    CHECK_EQ(elem(BPF_MAP_DELETE_ELEM, map, 1, NULL, 0), -ENOENT);
    CHECK_EQ(elem(BPF_MAP_DELETE_ELEM, map, 3, NULL, 0), -E2BIG);
    CHECK_EQ(lookup(map, 1, &id), -ENOENT);
}

TEST(prog_array_update_errors)
{
    long map = create(4, 4, 3, 0), prog = load_as(BPF_PROG_TYPE_KPROBE, 0, NOTHING);
    long readonly = create(4, 4, 3, BPF_F_RDONLY);

    REQUIRE(map >= 0 && prog >= 0 && readonly >= 0);
    CHECK_EQ(update(map, 0, prog, BPF_NOEXIST), -EINVAL);
    CHECK_EQ(update(map, 0, prog, BPF_EXIST), -EINVAL);
    CHECK_EQ(update(map, 0, prog, BPF_F_LOCK), -EINVAL);
    CHECK_EQ(update(map, 0, prog, 1ull << 40), -EINVAL);
    CHECK_EQ(update(map, 3, prog, 0), -E2BIG);
    CHECK_EQ(update(map, UINT32_MAX, prog, 0), -E2BIG);
    CHECK_EQ(update(map, 0, -1, 0), -EBADF);
    CHECK_EQ(update(map, 0, 999, 0), -EBADF);
    CHECK_EQ(update(map, 0, map, 0), -EINVAL); /* an fd, but of no program */
    CHECK_EQ(update(readonly, 0, prog, 0), -EPERM);
}

TEST(prog_array_lists_all_indexes)
{
    long map = create(4, 4, 2, 0);
    uint32_t next = 7;

    CHECK_EQ(elem(BPF_MAP_GET_NEXT_KEY, map, 5, &next, 0), 0);
    CHECK_EQ(next, 0);
    CHECK_EQ(elem(BPF_MAP_GET_NEXT_KEY, map, 0, &next, 0), 0);
    CHECK_EQ(next, 1);
    CHECK_EQ(elem(BPF_MAP_GET_NEXT_KEY, map, 1, &next, 0), -ENOENT);
}

/* ---- the kind of programs -------------------------------------------------------------------- */

TEST(prog_array_belongs_to_the_kind_that_is_put_into_it)
{
    long map = create(4, 4, 3, 0);
    long kprobe = load_as(BPF_PROG_TYPE_KPROBE, 0, NOTHING),
         xdp = load_as(BPF_PROG_TYPE_XDP, 0, NOTHING);
    long multi = load_as(BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, NOTHING);

    REQUIRE(map >= 0 && kprobe >= 0 && xdp >= 0 && multi >= 0);
    CHECK_EQ(update(map, 0, kprobe, 0), 0);
    CHECK_EQ(update(map, 1, xdp, 0), -EINVAL);
    CHECK_EQ(update(map, 1, multi, 0), -EINVAL); /* Linux 6.18: the attach type is part of it */
    CHECK_EQ(elem(BPF_MAP_DELETE_ELEM, map, 0, NULL, 0), 0);
    CHECK_EQ(update(map, 1, xdp, 0), -EINVAL); /* for good */
    CHECK_EQ(load_as(BPF_PROG_TYPE_XDP, 0, NAMES(map)), -EINVAL);
    CHECK(strstr(mock_console(), "program array") != NULL);
    CHECK(load_as(BPF_PROG_TYPE_KPROBE, 0, NAMES(map)) >= 0);
}

TEST(prog_array_belongs_to_the_kind_that_names_it)
{
    long map = create(4, 4, 3, 0), user = load_as(BPF_PROG_TYPE_XDP, 0, NAMES(map));
    long kprobe = load_as(BPF_PROG_TYPE_KPROBE, 0, NOTHING),
         xdp = load_as(BPF_PROG_TYPE_XDP, 0, NOTHING);

    REQUIRE(map >= 0 && kprobe >= 0 && xdp >= 0 && user >= 0);
    CHECK_EQ(update(map, 0, kprobe, 0), -EINVAL);
    CHECK_EQ(update(map, 0, xdp, 0), 0);
}

TEST(prog_array_refused_program_decides_nothing)
{
    long map = create(4, 4, 3, 0);

    /* r1 is the context, which has no such field */
    CHECK_EQ(
        load_as(BPF_PROG_TYPE_XDP, 0,
                PROG(BPF_LD_MAP_FD(R2, map), BPF_LDX_MEM(BPF_W, R0, R1, 1000), BPF_EXIT_INSN())),
        -EACCES);
    CHECK_EQ(update(map, 0, load_as(BPF_PROG_TYPE_KPROBE, 0, NOTHING), 0), 0);
}

/* Linux's verifier refuses such programs. */
TEST(prog_array_gives_programs_nothing)
{
    for (int jit = 0; jit < LOAD_ENGINES; jit++) {
        struct ebpf_map *map = prog_array(2);
        struct ebpf_prog *prog =
            load_on(jit, map,
                    PROG(BPF_ST_MEM(BPF_W, R10, -4, 0), MAP_IDX(R1, 0), BPF_MOV64_REG(R2, R10),
                         BPF_ALU64_IMM(BPF_ADD, R2, -4), BPF_EMIT_CALL(1), BPF_MOV64_REG(R6, R0),
                         MAP_IDX(R1, 0), BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, -4),
                         BPF_MOV64_REG(R3, R2), BPF_MOV64_IMM(R4, 0), BPF_EMIT_CALL(2),
                         BPF_JMP_IMM(BPF_JNE, R0, -EINVAL, 7), MAP_IDX(R1, 0),
                         BPF_MOV64_REG(R2, R10), BPF_ALU64_IMM(BPF_ADD, R2, -4), BPF_EMIT_CALL(3),
                         BPF_JMP_IMM(BPF_JNE, R0, -EINVAL, 1), BPF_JMP_IMM(BPF_JEQ, R6, 0, 1),
                         BPF_EXIT_INSN(), BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN()));

        CHECK_EQ(ebpf_map_set_prog(map, 0, prog), 0);
        CHECK_EQ(run(prog, NULL), 1);
        put_prog(prog);
        put_map(map);
    }
}

TEST(set_prog_is_for_program_arrays)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 4};
    struct ebpf_map *map = NULL, *array = prog_array(2);
    struct ebpf_prog *prog = load_on(false, NULL, NOTHING);

    CHECK_EQ(ebpf_map_create(&spec, &map), 0);
    CHECK_EQ(ebpf_map_set_prog(map, 0, prog), -EINVAL);
    CHECK_EQ(ebpf_map_set_prog(array, 2, prog), -E2BIG);
    CHECK_EQ(ebpf_map_set_prog(array, 1, NULL), -ENOENT);
    CHECK_EQ(ebpf_map_set_prog(array, 1, prog), 0);
    put_map(map);
    put_map(array);
    put_prog(prog);
}

/* ---- references ------------------------------------------------------------------------------ */

TEST(prog_array_keeps_its_programs)
{
    long map = create(4, 4, 1, 0), prog = load_as(BPF_PROG_TYPE_KPROBE, 0, NOTHING);
    uint32_t id = 0;

    CHECK_EQ(update(map, 0, prog, 0), 0);
    CHECK_EQ(ebpf_fd_close((int)prog), 0);
    CHECK_EQ(ebpf_obj_count(), 2);
    CHECK_EQ(lookup(map, 0, &id), 0);
    CHECK(id != 0);
    CHECK_EQ(elem(BPF_MAP_DELETE_ELEM, map, 0, NULL, 0), 0);
    CHECK_EQ(ebpf_obj_count(), 1);
}

TEST(prog_array_gives_its_programs_up_with_its_last_user)
{
    long map = create(4, 4, 2, 0), prog = load_as(BPF_PROG_TYPE_KPROBE, 0, NAMES(map));

    CHECK_EQ(update(map, 0, prog, 0), 0); /* a circle */
    CHECK_EQ(update(map, 1, prog, 0), 0);
    CHECK_EQ(ebpf_fd_close((int)prog), 0);
    CHECK_EQ(ebpf_obj_count(), 2);
    CHECK_EQ(ebpf_fd_close((int)map), 0);
    CHECK_EQ(ebpf_obj_count(), 0);
}

TEST(prog_array_circle_of_two)
{
    long maps[2] = {create(4, 4, 1, 0), create(4, 4, 1, 0)}, progs[2];

    for (unsigned i = 0; i < 2; i++)
        progs[i] = load_as(BPF_PROG_TYPE_KPROBE, 0, NAMES(maps[i]));
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(update(maps[i], 0, progs[!i], 0), 0);
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(ebpf_fd_close((int)progs[i]), 0);
    CHECK_EQ(ebpf_obj_count(), 4);
    CHECK_EQ(ebpf_fd_close((int)maps[0]), 0); /* its program goes, which named the other array */
    CHECK_EQ(ebpf_fd_close((int)maps[1]), 0);
    CHECK_EQ(ebpf_obj_count(), 0);
}

/* As on Linux: who wants tail calls keeps the array open. */
TEST(prog_array_without_users_is_empty)
{
    struct ebpf_map *map = prog_array(1);
    struct ebpf_prog *target = load_on(false, NULL, PROG(BPF_MOV64_IMM(R0, 4), BPF_EXIT_INSN()));
    struct ebpf_prog *prog =
        load_on(false, map, PROG(TAIL_CALL(0), BPF_MOV64_IMM(R0, 3), BPF_EXIT_INSN()));

    CHECK_EQ(ebpf_map_set_prog(map, 0, target), 0);
    put_prog(target);
    CHECK_EQ(run(prog, NULL), 4);
    put_map(map);
    CHECK_EQ(ebpf_obj_count(), 2); /* prog and the map that it names */
    CHECK_EQ(run(prog, NULL), 3);
    put_prog(prog);
    CHECK_EQ(ebpf_obj_count(), 0);
}

static int circle(void)
{
    const struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_PROG_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 2};
    struct ebpf_map *map;
    struct ebpf_prog *prog = NULL;
    int err = ebpf_map_create(&spec, &map);

    if (err)
        return err;
    err = try_load(LOAD_ENGINES == 2, BPF_PROG_TYPE_KPROBE, map,
                   PROG(TAIL_CALL(0), BPF_MOV64_IMM(R0, 3), BPF_EXIT_INSN()), &prog);
    if (!err) {
        err = ebpf_map_set_prog(map, 0, prog);
        put_prog(prog);
    }
    put_map(map);
    return err;
}

TEST(prog_array_and_every_allocation_failing)
{
    unsigned n = 1;

    do {
        mock_fail_alloc(n++);
        circle(); /* may work all the same: a program without its JIT code runs */
        CHECK_EQ(ebpf_obj_count(), 0);
    } while (mock_alloc_failed());
    CHECK(n > 5);
    mock_fail_alloc(0);
    CHECK_EQ(circle(), 0);
}
