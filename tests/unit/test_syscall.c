/* SPDX-License-Identifier: MIT */
/* bpf(2) as user mode sees it: sizes, errno values, fds, programs, test runs and info. */
#include "tests/unit/insn.h"
#include "tests/unit/test.h"

#include <stddef.h>

#include <ebpf/ebpf.h>

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R10 BPF_REG_10
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static long map_create(uint32_t type, uint32_t key, uint32_t value, uint32_t entries,
                       uint32_t flags)
{
    union bpf_attr attr = {0};

    attr.map_type = type;
    attr.key_size = key;
    attr.value_size = value;
    attr.max_entries = entries;
    attr.map_flags = flags;
    strcpy(attr.map_name, "test_map");
    return mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long array_u64(void)
{
    return map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
}

/* the kind that programs may address directly: one element */
static long global_u64(void)
{
    return map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
}

static void load_attr(union bpf_attr *attr, uint32_t type, const struct bpf_insn *insns,
                      uint32_t cnt)
{
    memset(attr, 0, sizeof(*attr));
    attr->prog_type = type;
    attr->insns = mock_user_copy(insns, cnt * sizeof(*insns));
    attr->insn_cnt = cnt;
    attr->license = mock_user_copy("GPL", 4);
    strcpy(attr->prog_name, "test_prog");
}

static long prog_load(uint32_t type, const struct bpf_insn *insns, uint32_t cnt)
{
    union bpf_attr attr;

    load_attr(&attr, type, insns, cnt);
    return mock_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

#define PROG(...)                     \
    (struct bpf_insn[]){__VA_ARGS__}, \
        sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn)

static long elem(int cmd, long fd, const void *key, uint32_t key_size, uint64_t value,
                 uint64_t flags)
{
    union bpf_attr attr = {0};

    attr.map_fd = (uint32_t)fd;
    attr.key = mock_user_copy(key, key_size);
    attr.value = value;
    attr.flags = flags;
    return mock_bpf(cmd, &attr, sizeof(attr));
}

/* ---- the entry ---- */

TEST(bpf_unknown_commands_are_einval)
{
    union bpf_attr attr = {0};

    CHECK_EQ(mock_bpf(-1, &attr, sizeof(attr)), -EINVAL);
    CHECK_EQ(mock_bpf(29, &attr, sizeof(attr)), -EINVAL);
    CHECK_EQ(mock_bpf(0x7fffffff, &attr, sizeof(attr)), -EINVAL);
    CHECK_EQ(mock_bpf(BPF_OBJ_PIN, &attr, sizeof(attr)), -EINVAL);
}

TEST(bpf_attr_size_rule)
{
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL};
    unsigned char big[256] = {0};
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
    uint64_t at;

    memcpy(big, &attr, sizeof(attr));
    at = mock_user_copy(big, sizeof(big));
    CHECK(ebpf_bpf(BPF_MAP_CREATE, at, 16, &caller) >= 0); /* a short one counts as zeros behind */
    CHECK(ebpf_bpf(BPF_MAP_CREATE, at, sizeof(big), &caller) >= 0);
    ((unsigned char *)mock_user(at))[sizeof(big) - 1] = 1;
    CHECK_EQ(ebpf_bpf(BPF_MAP_CREATE, at, sizeof(big), &caller), -E2BIG);
    /* the size comes first, as on Linux */
    CHECK_EQ(ebpf_bpf(29, at, sizeof(big), &caller), -E2BIG);
    CHECK(ebpf_bpf(BPF_MAP_CREATE, at, sizeof(big) - 1, &caller) >= 0);
    /* inside attr, behind the command's last field */
    ((unsigned char *)mock_user(at))[sizeof(attr) - 1] = 1;
    CHECK_EQ(ebpf_bpf(BPF_MAP_CREATE, at, sizeof(attr), &caller), -EINVAL);
    CHECK_EQ(ebpf_bpf(BPF_MAP_CREATE, at, 4097, &caller), -E2BIG);
    CHECK_EQ(ebpf_bpf(BPF_MAP_CREATE, MOCK_BAD_ADDR, 16, &caller), -EFAULT);
    CHECK_EQ(ebpf_bpf(BPF_MAP_CREATE, 0, 0, &caller), -EINVAL); /* nothing given: map type 0 */
}

TEST(bpf_every_command_survives_every_attr_size_and_all_ones)
{
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL};
    unsigned char ones[sizeof(union bpf_attr)];
    uint64_t at;

    memset(ones, 0xff, sizeof(ones));
    at = mock_user_copy(ones, sizeof(ones));
    for (int cmd = -1; cmd < 64; cmd++) {
        for (uint32_t size = 0; size <= sizeof(ones); size++)
            CHECK(ebpf_bpf(cmd, at, size, &caller) < 0);
    }
}

TEST(bpf_without_capabilities_nothing_is_created)
{
    mock_caps = 0;
    CHECK_EQ(array_u64(), -EPERM);
    CHECK_EQ(prog_load(BPF_PROG_TYPE_SOCKET_FILTER, PROG(BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())),
             -EPERM);
    mock_caps = EBPF_CAP_BPF;
    CHECK(array_u64() >= 0);
    CHECK(prog_load(BPF_PROG_TYPE_SOCKET_FILTER, PROG(BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())) >= 0);
    CHECK_EQ(prog_load(BPF_PROG_TYPE_KPROBE, PROG(BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())), -EPERM);
    CHECK_EQ(prog_load(BPF_PROG_TYPE_XDP, PROG(BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN())), -EPERM);
}

/* ---- map elements ---- */

TEST(bpf_map_elements_round_trip)
{
    long fd = array_u64();
    uint32_t key = 2, next;
    uint64_t value = 0x1122334455667788, buffer = mock_user_alloc(8);

    REQUIRE(fd >= 0);
    CHECK_EQ(elem(BPF_MAP_UPDATE_ELEM, fd, &key, 4, mock_user_copy(&value, 8), BPF_ANY), 0);
    CHECK_EQ(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, 4, buffer, 0), 0);
    CHECK(!memcmp(mock_user(buffer), &value, 8));
    CHECK_EQ(elem(BPF_MAP_GET_NEXT_KEY, fd, &key, 4, buffer, 0), 0);
    memcpy(&next, mock_user(buffer), 4);
    CHECK_EQ(next, 3);
    CHECK_EQ(elem(BPF_MAP_DELETE_ELEM, fd, &key, 4, 0, 0), -EINVAL); /* an array's elements stay */
}

TEST(bpf_map_next_key_may_overwrite_its_key)
{
    long fd = array_u64();
    union bpf_attr attr = {0};
    uint32_t key = 0;

    attr.map_fd = (uint32_t)fd;
    attr.key = attr.next_key = mock_user_copy(&key, 4);
    CHECK_EQ(mock_bpf(BPF_MAP_GET_NEXT_KEY, &attr, sizeof(attr)), 0);
    memcpy(&key, mock_user(attr.key), 4);
    CHECK_EQ(key, 1);
}

TEST(bpf_map_elements_wrong_uses)
{
    long fd = array_u64(),
         prog = prog_load(BPF_PROG_TYPE_KPROBE, PROG(BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
    uint32_t key = 4;
    uint64_t buffer = mock_user_alloc(8);

    CHECK_EQ(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, 4, buffer, 0), -ENOENT);
    CHECK_EQ(elem(BPF_MAP_UPDATE_ELEM, fd, &key, 4, buffer, 0), -E2BIG);
    key = 0;
    CHECK_EQ(elem(BPF_MAP_LOOKUP_ELEM, fd + 5, &key, 4, buffer, 0), -EBADF);
    CHECK_EQ(elem(BPF_MAP_LOOKUP_ELEM, -1, &key, 4, buffer, 0), -EBADF);
    CHECK_EQ(elem(BPF_MAP_LOOKUP_ELEM, prog, &key, 4, buffer, 0), -EINVAL);
    CHECK_EQ(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, 4, buffer, 1), -EINVAL);
    CHECK_EQ(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, 4, buffer, BPF_F_LOCK), -EINVAL);
    CHECK_EQ(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, 4, MOCK_BAD_ADDR, 0), -EFAULT);
    CHECK_EQ(elem(BPF_MAP_UPDATE_ELEM, fd, &key, 4, MOCK_BAD_ADDR, 0), -EFAULT);
    CHECK_EQ(elem(BPF_MAP_UPDATE_ELEM, fd, &key, 4, buffer, BPF_NOEXIST), -EEXIST);
    CHECK_EQ(elem(BPF_MAP_UPDATE_ELEM, fd, &key, 4, buffer, 77), -EINVAL);
}

TEST(bpf_map_access_flags_are_kept)
{
    long ro = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_RDONLY);
    long wo = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_WRONLY);
    uint32_t key = 0;
    uint64_t buffer = mock_user_alloc(8);

    CHECK_EQ(elem(BPF_MAP_UPDATE_ELEM, ro, &key, 4, buffer, 0), -EPERM);
    CHECK_EQ(elem(BPF_MAP_LOOKUP_ELEM, ro, &key, 4, buffer, 0), 0);
    CHECK_EQ(elem(BPF_MAP_LOOKUP_ELEM, wo, &key, 4, buffer, 0), -EPERM);
    CHECK_EQ(elem(BPF_MAP_GET_NEXT_KEY, wo, &key, 4, buffer, 0), -EPERM);
    CHECK_EQ(elem(BPF_MAP_UPDATE_ELEM, wo, &key, 4, buffer, 0), 0);
}

TEST(bpf_map_create_refuses_what_there_is_not)
{
    union bpf_attr attr = {0};

    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = 4;
    attr.value_size = 8;
    attr.max_entries = 1;
    attr.btf_fd = 3; /* without type ids: nothing asked for */
    CHECK(mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr)) >= 0);
    attr.btf_value_type_id = 1;
    CHECK_EQ(mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr)), -EBADF);
    attr.btf_key_type_id = 1;
    CHECK_EQ(mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr)), -EBADF);
    attr.btf_value_type_id = 0; /* of the key alone */
    CHECK_EQ(mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr)), -EINVAL);
    attr.btf_key_type_id = 0;
    attr.map_extra = 1;
    CHECK_EQ(mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr)), -EINVAL);
    attr.map_extra = 0;
    memcpy(attr.map_name, "not a good name", 16);
    CHECK_EQ(mock_bpf(BPF_MAP_CREATE, &attr, sizeof(attr)), -EINVAL);
}

/* ---- programs ---- */

static long test_run(long fd, union bpf_attr *attr, const void *data, uint32_t size)
{
    attr->test.prog_fd = (uint32_t)fd;
    attr->test.data_in = mock_user_copy(data, size);
    attr->test.data_size_in = size;
    return mock_bpf(BPF_PROG_TEST_RUN, attr, sizeof(*attr));
}

TEST(prog_runs_in_a_test_run)
{
    union bpf_attr attr = {0};
    unsigned char packet[64] = {0};
    long fd = prog_load(BPF_PROG_TYPE_XDP, PROG(BPF_MOV64_IMM(R0, 42), BPF_EXIT_INSN()));

    REQUIRE(fd >= 0);
    mock_time_step = 500;
    attr.test.repeat = 10;
    CHECK_EQ(test_run(fd, &attr, packet, sizeof(packet)), 0);
    CHECK_EQ(attr.test.retval, 42);
    CHECK_EQ(attr.test.data_size_out, 64);
    CHECK_EQ(attr.test.duration, 50); /* two readings of the clock, ten runs */
}

/* r0 = the packet's length, its first byte is doubled */
static long load_packet_prog(void)
{
    return prog_load(BPF_PROG_TYPE_XDP,
                     PROG(BPF_LDX_MEM(BPF_W, R2, R1, 0), BPF_LDX_MEM(BPF_W, R0, R1, 4),
                          BPF_MOV64_REG(R3, R2), BPF_ALU64_IMM(BPF_ADD, R3, 1),
                          BPF_JMP_REG(BPF_JGT, R3, R0, 3), BPF_LDX_MEM(BPF_B, R3, R2, 0),
                          BPF_ALU64_REG(BPF_ADD, R3, R3), BPF_STX_MEM(BPF_B, R2, R3, 0),
                          BPF_ALU64_REG(BPF_SUB, R0, R2), BPF_EXIT_INSN()));
}

TEST(prog_sees_and_changes_the_packet)
{
    union bpf_attr attr = {0};
    unsigned char packet[33] = {21, 2, 3};
    long fd = load_packet_prog();

    REQUIRE(fd >= 0);
    attr.test.data_out = mock_user_alloc(64);
    attr.test.data_size_out = 64;
    CHECK_EQ(test_run(fd, &attr, packet, sizeof(packet)), 0);
    CHECK_EQ(attr.test.retval, 33);
    CHECK_EQ(attr.test.data_size_out, 33);
    packet[0] = 42;
    CHECK(!memcmp(mock_user(attr.test.data_out), packet, 33));
}

TEST(prog_test_run_says_when_the_buffer_is_small)
{
    union bpf_attr attr = {0};
    unsigned char packet[33] = {21, 2, 3};
    long fd = load_packet_prog();

    attr.test.data_out = mock_user_alloc(64);
    attr.test.data_size_out = 2;
    CHECK_EQ(test_run(fd, &attr, packet, sizeof(packet)), -ENOSPC);
    CHECK_EQ(attr.test.data_size_out, 33);
    CHECK_EQ(attr.test.retval, 33);
    CHECK_EQ(((unsigned char *)mock_user(attr.test.data_out))[1], 2);
    CHECK_EQ(((unsigned char *)mock_user(attr.test.data_out))[2], 0);
}

TEST(prog_test_run_wrong_uses)
{
    union bpf_attr attr = {0};
    unsigned char packet[64] = {0};
    long xdp = load_packet_prog();
    long kprobe = prog_load(BPF_PROG_TYPE_KPROBE, PROG(BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));

    CHECK_EQ(test_run(kprobe, &attr, packet, 64), -ENOTSUPP);
    CHECK_EQ(test_run(xdp, &attr, packet, 13), -EINVAL);
    CHECK_EQ(test_run(xdp + 7, &attr, packet, 64), -EBADF);
    CHECK_EQ(test_run(array_u64(), &attr, packet, 64), -EINVAL);
    attr.test.flags = 1;
    CHECK_EQ(test_run(xdp, &attr, packet, 64), -EINVAL);
    memset(&attr, 0, sizeof(attr));
    attr.test.ctx_in = 1; /* a size is missing */
    CHECK_EQ(test_run(xdp, &attr, packet, 64), -EINVAL);
    memset(&attr, 0, sizeof(attr));
    attr.test.data_out = MOCK_BAD_ADDR;
    CHECK_EQ(test_run(xdp, &attr, packet, 64), -EFAULT);
    memset(&attr, 0, sizeof(attr));
    attr.test.prog_fd = (uint32_t)xdp;
    attr.test.data_in = MOCK_BAD_ADDR;
    attr.test.data_size_in = 64;
    CHECK_EQ(mock_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)), -EFAULT);
    attr.test.data_size_in = 0xffffffff;
    CHECK_EQ(mock_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)), -EINVAL);
}

TEST(prog_xdp_context_goes_in_and_out)
{
    union bpf_attr attr = {0};
    unsigned char packet[64] = {5, 5, 5, 5, 21}; /* four bytes of metadata */
    struct xdp_md md = {.data = 4, .data_end = 64};
    long fd = load_packet_prog();

    attr.test.ctx_in = attr.test.ctx_out = mock_user_copy(&md, sizeof(md));
    attr.test.ctx_size_in = attr.test.ctx_size_out = sizeof(md);
    CHECK_EQ(test_run(fd, &attr, packet, 64), 0);
    CHECK_EQ(attr.test.retval, 60);
    memcpy(&md, mock_user(attr.test.ctx_out), sizeof(md));
    CHECK_EQ(md.data, 4);
    CHECK_EQ(md.data_end, 64);
    md.data_end = 63;
    attr.test.ctx_in = mock_user_copy(&md, sizeof(md));
    CHECK_EQ(test_run(fd, &attr, packet, 64), -EINVAL);
}

TEST(prog_socket_filter_sees_its_context)
{
    union bpf_attr attr = {0};
    unsigned char packet[64] = {0};
    struct __sk_buff skb = {.mark = 7, .cb = {1, 2, 3, 4, 5}};
    /* r0 = mark + len; cb[2] = r0 */
    long fd = prog_load(BPF_PROG_TYPE_SOCKET_FILTER,
                        PROG(BPF_LDX_MEM(BPF_W, R0, R1, offsetof(struct __sk_buff, mark)),
                             BPF_LDX_MEM(BPF_W, R2, R1, offsetof(struct __sk_buff, len)),
                             BPF_ALU64_REG(BPF_ADD, R0, R2),
                             BPF_STX_MEM(BPF_W, R1, R0, offsetof(struct __sk_buff, cb[2])),
                             BPF_EXIT_INSN()));

    REQUIRE(fd >= 0);
    attr.test.ctx_in = attr.test.ctx_out = mock_user_copy(&skb, sizeof(skb));
    attr.test.ctx_size_in = attr.test.ctx_size_out = sizeof(skb);
    CHECK_EQ(test_run(fd, &attr, packet, 64), 0);
    CHECK_EQ(attr.test.retval, 7 + 50); /* without the Ethernet header */
    memcpy(&skb, mock_user(attr.test.ctx_out), sizeof(skb));
    CHECK_EQ(skb.cb[2], 57);
    CHECK_EQ(skb.cb[3], 4);
    skb.len = 1; /* not the caller's to set */
    attr.test.ctx_in = mock_user_copy(&skb, sizeof(skb));
    CHECK_EQ(test_run(fd, &attr, packet, 64), -EINVAL);
}

TEST(prog_load_wrong_uses)
{
    struct bpf_insn ok[] = {BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()};
    union bpf_attr attr;

#define REFUSED(change, err)                                         \
    do {                                                             \
        load_attr(&attr, BPF_PROG_TYPE_KPROBE, ok, 2);               \
        change;                                                      \
        CHECK_EQ(mock_bpf(BPF_PROG_LOAD, &attr, sizeof(attr)), err); \
    } while (0)
    REFUSED(attr.prog_type = 0, -EINVAL);
    REFUSED(attr.prog_type = 0xffffffff, -EINVAL);
    REFUSED(attr.insn_cnt = 0, -E2BIG);
    REFUSED(attr.insn_cnt = 0xffffffff, -E2BIG);
    REFUSED(attr.insns = MOCK_BAD_ADDR, -EFAULT);
    REFUSED(attr.insns = 0, -EFAULT);
    REFUSED(attr.license = MOCK_BAD_ADDR, -EFAULT);
    REFUSED(attr.prog_flags = 0x80000000, -EINVAL);
    REFUSED(attr.log_level = 16, -EINVAL);
    REFUSED(attr.log_size = 128, -EINVAL);
    REFUSED(attr.prog_flags = BPF_F_TOKEN_FD, -EINVAL);
    REFUSED(attr.prog_flags = BPF_F_XDP_DEV_BOUND_ONLY, -EINVAL);
    REFUSED(attr.log_buf = 1, -EINVAL);
    REFUSED(memset(attr.prog_name, 'x', 16), -EINVAL);
    REFUSED(attr.attach_btf_id = 5, -EINVAL);
    REFUSED(attr.insn_cnt = 1, -EINVAL);
}

TEST(prog_load_gives_the_reason_in_the_callers_log)
{
    struct bpf_insn bad[] = {BPF_MOV64_IMM(R0, 0), BPF_JMP_A(100), BPF_EXIT_INSN()};
    union bpf_attr attr;
    uint64_t log = mock_user_alloc(256);

    load_attr(&attr, BPF_PROG_TYPE_KPROBE, bad, 3);
    attr.log_level = 1;
    attr.log_buf = log;
    attr.log_size = 256;
    CHECK_EQ(mock_bpf(BPF_PROG_LOAD, &attr, sizeof(attr)), -EINVAL);
    CHECK_STR((char *)mock_user(log), "insn 1 (code 0x05): jump out of range\n");
}

TEST(prog_map_references_are_resolved_and_refused)
{
    long map = global_u64(), prog, hash = map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, 0);
    union bpf_attr attr = {0};
    unsigned char packet[64] = {0};
    uint64_t value = 0x1234567890;
    uint32_t key = 0;

    CHECK_EQ(elem(BPF_MAP_UPDATE_ELEM, map, &key, 4, mock_user_copy(&value, 8), 0), 0);
    prog = prog_load(BPF_PROG_TYPE_XDP, PROG(BPF_LD_MAP_VALUE(R1, map, 1),
                                             BPF_LDX_MEM(BPF_W, R0, R1, 0), BPF_EXIT_INSN()));
    REQUIRE(prog >= 0);
    CHECK_EQ(test_run(prog, &attr, packet, 64), 0);
    CHECK_EQ(attr.test.retval, 0x12345678);
    CHECK_EQ(prog_load(BPF_PROG_TYPE_XDP, PROG(BPF_LD_MAP_VALUE(R0, map, 8), BPF_EXIT_INSN())),
             -EINVAL);
    CHECK_EQ(
        prog_load(BPF_PROG_TYPE_XDP, PROG(BPF_LD_MAP_VALUE(R0, array_u64(), 0), BPF_EXIT_INSN())),
        -ENOTSUPP);
    CHECK_EQ(prog_load(BPF_PROG_TYPE_XDP, PROG(BPF_LD_MAP_VALUE(R0, hash, 0), BPF_EXIT_INSN())),
             -EINVAL);
    CHECK_EQ(prog_load(BPF_PROG_TYPE_XDP, PROG(BPF_LD_MAP_FD(R0, map + 50), BPF_EXIT_INSN())),
             -EBADF);
    CHECK_EQ(prog_load(BPF_PROG_TYPE_XDP, PROG(BPF_LD_MAP_FD(R0, prog), BPF_EXIT_INSN())), -EINVAL);
    CHECK_EQ(prog_load(BPF_PROG_TYPE_XDP,
                       PROG(BPF_LD_IMM64_RAW(R0, BPF_PSEUDO_MAP_IDX, 0), BPF_EXIT_INSN())),
             -EINVAL);
}

TEST(prog_keeps_its_maps_alive)
{
    long map = global_u64();
    long prog = prog_load(BPF_PROG_TYPE_XDP,
                          PROG(BPF_LD_MAP_VALUE(R1, map, 0), BPF_ST_MEM(BPF_DW, R1, 0, 5),
                               BPF_LDX_MEM(BPF_DW, R0, R1, 0), BPF_EXIT_INSN()));
    union bpf_attr attr = {0};
    unsigned char packet[64] = {0};

    CHECK_EQ(ebpf_fd_close((int)map), 0);
    CHECK_EQ(test_run(prog, &attr, packet, 64), 0);
    CHECK_EQ(attr.test.retval, 5);
}

TEST(prog_load_unwinds_at_each_failed_allocation)
{
    long map = array_u64();

    for (unsigned n = 1;; n++) {
        long fd;

        mock_fail_alloc(n);
        fd = prog_load(BPF_PROG_TYPE_XDP, PROG(BPF_LD_MAP_FD(R1, map), BPF_LD_MAP_FD(R1, map),
                                               BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()));
        if (!mock_alloc_failed()) {
            CHECK(fd >= 0);
            break;
        }
        if (fd >= 0)
            CHECK_EQ(ebpf_fd_close((int)fd), 0); /* only the JIT may do without */
        else
            CHECK_EQ(fd, -ENOMEM);
    }
}

/* ---- info ---- */

static long get_info(long fd, uint64_t info, uint32_t *len)
{
    union bpf_attr attr = {0};
    long ret;

    attr.info.bpf_fd = (uint32_t)fd;
    attr.info.info = info;
    attr.info.info_len = *len;
    ret = mock_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
    *len = attr.info.info_len;
    return ret;
}

TEST(info_of_a_map)
{
    long fd = map_create(BPF_MAP_TYPE_HASH, 4, 12, 77, BPF_F_NO_PREALLOC);
    uint64_t at = mock_user_alloc(256);
    struct bpf_map_info *info = mock_user(at);
    uint32_t len = sizeof(*info);

    CHECK_EQ(get_info(fd, at, &len), 0);
    CHECK_EQ(len, sizeof(*info));
    CHECK_EQ(info->type, BPF_MAP_TYPE_HASH);
    CHECK(info->id != 0);
    CHECK_EQ(info->key_size, 4);
    CHECK_EQ(info->value_size, 12);
    CHECK_EQ(info->max_entries, 77);
    CHECK_EQ(info->map_flags, BPF_F_NO_PREALLOC);
    CHECK_STR(info->name, "test_map");
    len = 12; /* what fits */
    memset(info, 0, sizeof(*info));
    CHECK_EQ(get_info(fd, at, &len), 0);
    CHECK_EQ(len, 12);
    CHECK_EQ(info->key_size, 4);
    CHECK_EQ(info->value_size, 0);
    memset(info, 0, 256);
    len = 256; /* longer than ours, zero behind */
    CHECK_EQ(get_info(fd, at, &len), 0);
    CHECK_EQ(len, sizeof(*info));
    ((char *)info)[255] = 1;
    len = 256;
    CHECK_EQ(get_info(fd, at, &len), -E2BIG);
    len = sizeof(*info);
    CHECK_EQ(get_info(fd, MOCK_BAD_ADDR, &len), -EFAULT);
    CHECK_EQ(get_info(fd + 9, at, &len), -EBADF);
}

TEST(info_of_a_program)
{
    long map = global_u64();
    struct bpf_insn insns[] = {BPF_LD_MAP_FD(R1, map), BPF_LD_MAP_VALUE(R2, map, 7),
                               BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()};
    long fd = prog_load(BPF_PROG_TYPE_XDP, insns, ARRAY_SIZE(insns));
    uint64_t at = mock_user_alloc(sizeof(struct bpf_prog_info)),
             code = mock_user_alloc(sizeof(insns));
    uint64_t ids = mock_user_alloc(8);
    struct bpf_prog_info *info = mock_user(at);
    struct bpf_insn *xlated = mock_user(code);
    uint32_t len = sizeof(*info);

    CHECK_EQ(get_info(fd, at, &len), 0); /* first for the lengths, as bpftool does */
    CHECK_EQ(info->type, BPF_PROG_TYPE_XDP);
    CHECK_EQ(info->xlated_prog_len, sizeof(insns));
    CHECK_EQ(info->nr_map_ids, 1);
    CHECK_EQ(info->gpl_compatible, 1);
    CHECK_STR(info->name, "test_prog");
    info->xlated_prog_insns = code;
    info->map_ids = ids;
    CHECK_EQ(get_info(fd, at, &len), 0);
    CHECK_EQ(xlated[0].src_reg, BPF_PSEUDO_MAP_FD);
    CHECK_EQ(xlated[0].imm, *(int32_t *)mock_user(ids)); /* the map's id, no address */
    CHECK_EQ(xlated[1].imm, 0);
    CHECK_EQ(xlated[2].src_reg, BPF_PSEUDO_MAP_VALUE);
    CHECK_EQ(xlated[2].imm, *(int32_t *)mock_user(ids));
    CHECK_EQ(xlated[3].imm, 7);
    CHECK_EQ(xlated[5].code, BPF_JMP | BPF_EXIT);
}

TEST(info_tag_does_not_depend_on_the_map_fd)
{
    long a = array_u64(), b = array_u64();
    struct bpf_insn insns[] = {BPF_LD_MAP_FD(R1, a), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()};
    uint64_t at = mock_user_alloc(sizeof(struct bpf_prog_info));
    struct bpf_prog_info *info = mock_user(at);
    uint8_t tags[3][8];

    for (int i = 0; i < 3; i++) {
        uint32_t len = sizeof(*info);

        insns[0].imm = (int32_t)(i == 0 ? a : b);
        insns[2].imm = i == 2;
        memset(info, 0, sizeof(*info));
        CHECK_EQ(get_info(prog_load(BPF_PROG_TYPE_XDP, insns, 4), at, &len), 0);
        memcpy(tags[i], info->tag, 8);
    }
    CHECK(!memcmp(tags[0], tags[1], 8));
    CHECK(memcmp(tags[0], tags[2], 8));
}

TEST(info_counts_runs)
{
    long fd = load_packet_prog();
    union bpf_attr attr = {0};
    unsigned char packet[64] = {0};
    uint64_t at = mock_user_alloc(sizeof(struct bpf_prog_info));
    struct bpf_prog_info *info = mock_user(at);
    uint32_t len = sizeof(*info);

    attr.test.repeat = 25;
    CHECK_EQ(test_run(fd, &attr, packet, 64), 0);
    CHECK_EQ(get_info(fd, at, &len), 0);
    CHECK_EQ(info->run_cnt, 25);
}

/* ---- the same from inside the kernel ---- */

TEST(kernel_callers_pass_kernel_addresses)
{
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 16, .max_entries = 1};
    struct bpf_insn insns[] = {BPF_LD_IMM64_RAW(R1, BPF_PSEUDO_MAP_IDX_VALUE, 0),
                               BPF_LDX_MEM(BPF_DW, R0, R1, 8), BPF_EXIT_INSN()};
    struct ebpf_map *map;
    struct ebpf_prog *prog;
    uint32_t key = 0;
    uint64_t value[2] = {1, 99};
    unsigned char packet[14] = {0};
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
    union bpf_attr run = {.test = {.data_in = (uint64_t)(uintptr_t)packet, .data_size_in = 14}};

    CHECK(ebpf_bpf(BPF_MAP_CREATE, (uint64_t)(uintptr_t)&attr, sizeof(attr), &caller) >= 0);
    CHECK_EQ(ebpf_bpf(BPF_MAP_CREATE, 0, sizeof(attr), &caller), -EFAULT);
    REQUIRE(!ebpf_map_create(&spec, &map));
    CHECK_EQ(ebpf_map_update(map, &key, value, BPF_ANY), 0);
    REQUIRE(!ebpf_prog_load(&(struct ebpf_prog_spec){.type = BPF_PROG_TYPE_XDP,
                                                     .insns = insns,
                                                     .insn_cnt = 4,
                                                     .license = "GPL",
                                                     .maps = &map,
                                                     .map_cnt = 1,
                                                     .caps = EBPF_CAP_ALL},
                            &prog));
    CHECK_EQ(ebpf_prog_test_run(prog, &run), 0);
    CHECK_EQ(run.test.retval, 99);
    ebpf_obj_put(ebpf_prog_obj(prog));
    ebpf_obj_put(ebpf_map_obj(map));
}
