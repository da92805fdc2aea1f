/* SPDX-License-Identifier: MIT */
/* The helpers that programs call, called as the interpreter and the JIT do: five registers in,
 * one out. */
#include "tests/unit/test.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ebpf/ebpf.h>

#include "helpers/helper.h"
#include "helpers/probe_read.h"

static int64_t call(uint32_t id, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
    const struct ebpf_helper *helper = ebpf_helper_find(id);

    if (!helper) {
        test_fail(__FILE__, __LINE__, "helper %u is not there", id);
        return -ENOSYS;
    }
    return (int64_t)helper->fn(r1, r2, r3, r4, r5);
}

static uint64_t reg(const void *ptr)
{
    return (uintptr_t)ptr;
}

/* helpers/names.def has no gaps, and calls what is here what it is called here. */
TEST(helpers_all_have_names_whether_they_are_here_or_not)
{
    static const struct {
        uint32_t id;
        const char *name;
    } rows[] = {
#define EBPF_HELPER_NAME(id, name) {id, #name},
#include "helpers/names.def"
#undef EBPF_HELPER_NAME
    };

    CHECK_EQ(sizeof(rows) / sizeof(rows[0]), 211);
    for (uint32_t i = 0; i < 211; i++) {
        const struct ebpf_helper *helper = ebpf_helper_find(i + 1);

        CHECK_EQ(rows[i].id, i + 1);
        CHECK_STR(ebpf_helper_name(i + 1), rows[i].name);
        if (helper)
            CHECK_STR(helper->name, rows[i].name);
    }
    CHECK(!ebpf_helper_name(0));
    CHECK(!ebpf_helper_name(212));
    CHECK(!ebpf_helper_name(UINT32_MAX));
}

/* Number, name, GPL and capability as in Linux's enum bpf_func_id, kernel/bpf/helpers.c and
 * kernel/trace/bpf_trace.c. */
TEST(helpers_have_linux_s_numbers_and_rules)
{
    static const struct {
        uint32_t id;
        const char *name;
        bool gpl_only;
        uint32_t caps;
        enum ebpf_ret ret;
        enum ebpf_arg arg[5];
    } rows[] = {
        {1, "map_lookup_elem", false, 0, RET_MAP_VALUE_OR_NULL, {ARG_MAP, ARG_MAP_KEY}},
        {2,
         "map_update_elem",
         false,
         0,
         RET_SCALAR,
         {ARG_MAP, ARG_MAP_KEY, ARG_MAP_VALUE, ARG_ANYTHING}},
        {3, "map_delete_elem", false, 0, RET_SCALAR, {ARG_MAP, ARG_MAP_KEY}},
        {4,
         "probe_read",
         true,
         EBPF_CAP_PERFMON,
         RET_SCALAR,
         {ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING}},
        {5, "ktime_get_ns", false, 0, RET_SCALAR, {ARG_NONE}},
        {6,
         "trace_printk",
         true,
         EBPF_CAP_PERFMON,
         RET_SCALAR,
         {ARG_MEM_RD, ARG_SIZE, ARG_UNCHECKED, ARG_UNCHECKED, ARG_UNCHECKED}},
        {7, "get_prandom_u32", false, 0, RET_SCALAR, {ARG_NONE}},
        {8, "get_smp_processor_id", false, 0, RET_SCALAR, {ARG_NONE}},
        {14, "get_current_pid_tgid", false, 0, RET_SCALAR, {ARG_NONE}},
        {15, "get_current_uid_gid", false, 0, RET_SCALAR, {ARG_NONE}},
        {16, "get_current_comm", false, 0, RET_SCALAR, {ARG_MEM_WR, ARG_SIZE}},
        {112,
         "probe_read_user",
         true,
         EBPF_CAP_PERFMON,
         RET_SCALAR,
         {ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING}},
        {113,
         "probe_read_kernel",
         true,
         EBPF_CAP_PERFMON,
         RET_SCALAR,
         {ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING}},
        {114,
         "probe_read_user_str",
         true,
         EBPF_CAP_PERFMON,
         RET_SCALAR,
         {ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING}},
        {115,
         "probe_read_kernel_str",
         true,
         EBPF_CAP_PERFMON,
         RET_SCALAR,
         {ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct ebpf_helper *helper = ebpf_helper_find(rows[i].id);

        REQUIRE(helper);
        CHECK(helper->fn);
        CHECK_STR(helper->name, rows[i].name);
        CHECK_EQ(helper->gpl_only, rows[i].gpl_only);
        CHECK_EQ(helper->caps, rows[i].caps);
        CHECK_EQ(helper->ret, rows[i].ret);
        for (unsigned a = 0; a < 5; a++)
            CHECK_EQ(helper->arg[a], rows[i].arg[a]);
    }
    CHECK(!ebpf_helper_find(0));
    CHECK(!ebpf_helper_find(9));
    CHECK(!ebpf_helper_find(116));
    CHECK(!ebpf_helper_find(5000));
    CHECK(!ebpf_helper_find(UINT32_MAX));
}

TEST(helpers_map_operations_return_linux_s_values)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 1};
    uint32_t key = 1, other = 2;
    uint64_t value = 42;
    struct ebpf_map *map;

    REQUIRE(!ebpf_map_create(&spec, &map));
    CHECK_EQ(call(1, reg(map), reg(&key), 0, 0, 0), 0);
    CHECK_EQ(call(3, reg(map), reg(&key), 0, 0, 0), -ENOENT);
    CHECK_EQ(call(2, reg(map), reg(&key), reg(&value), BPF_EXIST, 0), -ENOENT);
    CHECK_EQ(call(2, reg(map), reg(&key), reg(&value), BPF_NOEXIST, 0), 0);
    CHECK_EQ(call(2, reg(map), reg(&key), reg(&value), BPF_NOEXIST, 0), -EEXIST);
    CHECK_EQ(call(2, reg(map), reg(&key), reg(&value), 77, 0), -EINVAL);
    CHECK_EQ(call(2, reg(map), reg(&other), reg(&value), BPF_ANY, 0), -E2BIG);
    CHECK_EQ(*(uint64_t *)(uintptr_t)call(1, reg(map), reg(&key), 0, 0, 0), 42);
    CHECK_EQ(call(3, reg(map), reg(&key), 0, 0, 0), 0);
    ebpf_obj_put(ebpf_map_obj(map));
}

TEST(helpers_time_cpu_and_thread_come_from_the_kernel)
{
    mock_time_ns = 123456789012345;
    CHECK_EQ(call(5, 0, 0, 0, 0, 0), 123456789012345);
    mock_set_cpu(3);
    CHECK_EQ(call(8, 0, 0, 0, 0, 0), 3);
    mock_task = (struct ebpf_task){.pid = 0x11, .tgid = 0x22, .uid = 0x33, .gid = 0x44};
    CHECK_EQ(call(14, 0, 0, 0, 0, 0), 0x2200000011);
    CHECK_EQ(call(15, 0, 0, 0, 0, 0), 0x4400000033);
}

TEST(helpers_comm_is_cut_ended_and_padded)
{
    char buf[20];

    strcpy(mock_task.comm, "worker/1");
    memset(buf, 'x', sizeof(buf));
    CHECK_EQ(call(16, reg(buf), 16, 0, 0, 0), 0);
    CHECK(!memcmp(buf, "worker/1\0\0\0\0\0\0\0\0xxxx", 20));
    memset(buf, 'x', sizeof(buf));
    CHECK_EQ(call(16, reg(buf), 4, 0, 0, 0), 0);
    CHECK(!memcmp(buf, "wor\0xxxx", 8));
    CHECK_EQ(call(16, reg(buf), 1, 0, 0, 0), 0);
    CHECK_EQ(buf[0], 0);
    CHECK_EQ(call(16, reg(buf), 0, 0, 0, 0), -EINVAL);
    memset(mock_task.comm, 'y', sizeof(mock_task.comm)); /* a hook that forgets the NUL */
    CHECK_EQ(call(16, reg(buf), 20, 0, 0, 0), 0);
    CHECK(!memcmp(buf, "yyyyyyyyyyyyyyy\0\0\0\0\0", 20));
}

TEST(helpers_random_numbers_are_32_bits_and_differ_by_hart)
{
    uint64_t first[4], ones = 0;
    unsigned same = 0;

    for (unsigned cpu = 0; cpu < 4; cpu++) {
        mock_set_cpu(cpu);
        first[cpu] = (uint64_t)call(7, 0, 0, 0, 0, 0);
        for (unsigned other = 0; other < cpu; other++)
            same += first[cpu] == first[other];
    }
    CHECK_EQ(same, 0);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t r = (uint64_t)call(7, 0, 0, 0, 0, 0);

        CHECK(r <= UINT32_MAX);
        ones += (uint64_t)__builtin_popcountll(r);
    }
    CHECK(ones > 158000 && ones < 162000); /* 16 of 32 bits; 7 sigma is 2000 */
}

/* ---- probe_read ---------------------------------------------------------------------------- */

TEST(probe_read_takes_each_address_from_its_space)
{
    static const char kernel[8] = "kernel!";
    uint64_t user = mock_user_copy("user...", 8);
    char buf[8];

    CHECK_EQ(call(113, reg(buf), 8, reg(kernel), 0, 0), 0);
    CHECK_STR(buf, "kernel!");
    CHECK_EQ(call(112, reg(buf), 8, user, 0, 0), 0);
    CHECK_STR(buf, "user...");
    CHECK_EQ(call(113, reg(buf), 8, user, 0, 0), -EFAULT);
    CHECK_EQ(call(112, reg(buf), 8, reg(kernel), 0, 0), -EFAULT);
    /* number 4 takes both */
    CHECK_EQ(call(4, reg(buf), 8, reg(kernel), 0, 0), 0);
    CHECK_STR(buf, "kernel!");
    CHECK_EQ(call(4, reg(buf), 8, user, 0, 0), 0);
    CHECK_STR(buf, "user...");
}

TEST(probe_read_clears_the_buffer_when_it_fails)
{
    const uint32_t ids[] = {4, 112, 113, 114, 115};
    const uint64_t bad[] = {0, 8, MOCK_BAD_ADDR, UINT64_MAX, UINT64_MAX - 7, 1ull << 63};

    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 6; j++) {
            char buf[17];

            memset(buf, 'x', sizeof(buf));
            CHECK_EQ(call(ids[i], reg(buf), 16, bad[j], 0, 0), -EFAULT);
            CHECK(!memcmp(buf, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0x", 17));
            CHECK_EQ(call(ids[i], reg(buf), 0, bad[j], 0, 0), 0); /* nothing to read */
        }
    }
}

TEST(probe_read_str_returns_the_length_with_nul)
{
    static const char text[] = "hello";
    uint64_t user = mock_user_copy(text, sizeof(text));

    for (unsigned space = 0; space < 2; space++) {
        uint32_t id = space ? 114 : 115;
        uint64_t addr = space ? user : reg(text);
        char buf[12];

        memset(buf, 'x', sizeof(buf));
        CHECK_EQ(call(id, reg(buf), sizeof(buf), addr, 0, 0), 6);
        CHECK(!memcmp(buf, "hello\0xxxxxx", 12)); /* nothing is written behind the NUL */
        memset(buf, 'x', sizeof(buf));
        CHECK_EQ(call(id, reg(buf), 6, addr, 0, 0), 6);
        CHECK(!memcmp(buf, "hello\0xxxxxx", 12));
        memset(buf, 'x', sizeof(buf));
        CHECK_EQ(call(id, reg(buf), 5, addr, 0, 0), 5); /* cut */
        CHECK(!memcmp(buf, "hell\0xxxxxxx", 12));
        CHECK_EQ(call(id, reg(buf), 1, addr, 0, 0), 1);
        CHECK_EQ(buf[0], 0);
        CHECK_EQ(call(id, reg(buf), 4, addr + 5, 0, 0), 1); /* the empty string */
    }
    {
        char buf[4];

        CHECK_EQ(call(115, reg(buf), 4, user, 0, 0), -EFAULT);
        CHECK_EQ(call(114, reg(buf), 4, reg(text), 0, 0), -EFAULT);
    }
}

/* Strings of all lengths that end right before an unmapped page, and ones that run into it. */
TEST(probe_read_str_works_up_to_a_page_s_end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char buf[300];

    REQUIRE(two != MAP_FAILED);
    munmap(two + page, page);
    for (size_t len = 0; len < 200; len++) {
        char *text = two + page - len - 1;

        memset(text, 'a', len);
        text[len] = 0;
        memset(buf, 'x', sizeof(buf));
        CHECK_EQ(call(115, reg(buf), sizeof(buf), reg(text), 0, 0), len + 1);
        CHECK(!memcmp(buf, text, len + 1));
        CHECK_EQ(buf[len + 1], 'x');
        text[len] = 'a'; /* no NUL before the end of memory */
        memset(buf, 'x', sizeof(buf));
        CHECK_EQ(call(115, reg(buf), 250, reg(text), 0, 0), -EFAULT);
        for (unsigned i = 0; i < 250; i++)
            CHECK_EQ(buf[i], 0);
        CHECK_EQ(buf[250], 'x');
        CHECK_EQ(call(115, reg(buf), len + 1, reg(text), 0, 0), len + 1); /* size ends it in time */
    }
    munmap(two, page);
}

/* The last bytes of user memory: smaller pieces than the helper reads at a time, not aligned to
 * them. */
TEST(probe_read_user_str_works_up_to_the_last_byte)
{
    uint64_t start = mock_user_alloc(1), last = start + (1u << 20) - 1 - (start & 0xfffff);
    char buf[100];

    memcpy(mock_user(last - 2), "ab", 3);
    CHECK_EQ(call(114, reg(buf), sizeof(buf), last - 2, 0, 0), 3);
    CHECK_STR(buf, "ab");
    *(char *)mock_user(last) = 'c';
    CHECK_EQ(call(114, reg(buf), sizeof(buf), last - 2, 0, 0), -EFAULT);
    CHECK_EQ(buf[0], 0);
    CHECK_EQ(call(114, reg(buf), 3, last - 2, 0, 0), 3);
    CHECK_STR(buf, "ab");
    *(char *)mock_user(last) = 0;
}
