/* SPDX-License-Identifier: MIT */
/* The log of a load: which part of the text reaches the caller's buffer, and
 * what is said of its length. */
#include "tests/unit/test.h"

#include "src/core/load_log.h"

static const struct ebpf_caller user = {.caps = EBPF_CAP_ALL};
static const struct ebpf_caller kernel = {.caps = EBPF_CAP_ALL, .kernel = true};

static struct ebpf_load_log begin(uint32_t level, char *buf, uint32_t size)
{
    struct ebpf_load_log log;

    CHECK_EQ(ebpf_load_log_init(&log, &kernel, level, (uintptr_t)buf, size), 0);
    return log;
}

TEST(log_attributes_fit_together_as_linux_has_it)
{
    static const struct {
        uint32_t level, size;
        uint64_t buf;
        int want;
    } rows[] = {
        {0, 0, 0, 0},
        {1, 0, 0, 0},
        {1, 16, 64, 0},
        {15, 1, 64, 0},
        {1, UINT32_MAX >> 2, 64, 0},
        {0, 16, 64, -EINVAL},
        {1, 16, 0, -EINVAL},
        {1, 0, 64, -EINVAL},
        {16, 16, 64, -EINVAL},
        {0, 16, 0, -EINVAL},
        {16, 0, 0, -EINVAL},
        {1, (UINT32_MAX >> 2) + 1, 64, -EINVAL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ebpf_load_log log;

        CHECK_EQ(ebpf_load_log_init(&log, &user, rows[i].level, rows[i].buf, rows[i].size),
                 rows[i].want);
    }
}

TEST(log_that_fits_is_whole_and_its_size_counts_the_nul)
{
    char buf[16] = "###############";
    struct ebpf_load_log log = begin(EBPF_LOG_LEVEL1, buf, sizeof(buf));
    uint32_t size;

    ebpf_load_logf(&log, "R%d ", 1);
    ebpf_load_logf(&log, "%s\n", "bad");
    CHECK_STR(buf, "R1 bad\n");
    CHECK_EQ(ebpf_load_log_fini(&log, &size), 0);
    CHECK_EQ(size, sizeof("R1 bad\n"));
    CHECK_STR(log.line, "R1 bad");
    CHECK_EQ(buf[8], '#');
}

TEST(log_keeps_the_last_whole_line_at_level_0)
{
    struct ebpf_load_log log = begin(0, NULL, 0);
    uint32_t size = 1;

    ebpf_load_logf(&log, "one\ntwo ");
    ebpf_load_logf(&log, "%x\n", 0xabc);
    CHECK_STR(log.line, "two abc");
    CHECK_EQ(ebpf_load_log_fini(&log, &size), 0);
    CHECK_EQ(size, 0);
}

TEST(log_without_a_buffer_tells_how_long_one_must_be)
{
    struct ebpf_load_log log = begin(EBPF_LOG_STATS, NULL, 0);
    uint32_t size;

    for (int i = 0; i < 1000; i++)
        ebpf_load_logf(&log, "%04d", i);
    CHECK_EQ(ebpf_load_log_fini(&log, &size), 0);
    CHECK_EQ(size, 4001);
}

/* All sizes of buffers, texts in pieces of all lengths: the tail of the text, or its start. */
static void check_part(uint32_t level, uint32_t room, unsigned pieces, unsigned length)
{
    char buf[64], text[512] = "", want[64];
    struct ebpf_load_log log;
    uint32_t size;
    size_t len;
    int err;

    memset(buf, '#', sizeof(buf));
    log = begin(level, buf, room);
    for (unsigned i = 0; i < pieces; i++) {
        char piece[32];

        for (unsigned j = 0; j < length; j++)
            piece[j] = (char)('a' + (i * 7 + j) % 26);
        piece[length] = 0;
        strcat(text, piece);
        ebpf_load_logf(&log, "%s", piece);
    }
    err = ebpf_load_log_fini(&log, &size);
    len = strlen(text);
    CHECK_EQ(size, len + 1);
    CHECK_EQ(err, len + 1 > room ? -ENOSPC : 0);
    if (level & EBPF_LOG_FIXED)
        snprintf(want, room, "%s", text);
    else
        snprintf(want, room, "%s", len + 1 > room ? text + len + 1 - room : text);
    if (room > 1)
        CHECK_STR(buf, want);
    CHECK_EQ(buf[room], '#');
}

TEST(log_too_long_for_its_buffer_keeps_the_tail_or_with_fixed_the_start)
{
    for (uint32_t room = 1; room < 50; room++) {
        for (unsigned pieces = 1; pieces < 12; pieces++) {
            for (unsigned length = 1; length < 31; length += 3) {
                check_part(EBPF_LOG_LEVEL2, room, pieces, length);
                check_part(EBPF_LOG_LEVEL2 | EBPF_LOG_FIXED, room, pieces, length);
            }
        }
    }
}

TEST(log_much_longer_than_its_buffer_is_turned_right)
{
    static char buf[1000], text[20000];
    struct ebpf_load_log log = begin(1, buf, sizeof(buf));
    uint32_t size;
    size_t len = 0;

    for (int i = 0; i < 2500; i++) {
        len += (size_t)sprintf(text + len, "%d,", i * 3);
        ebpf_load_logf(&log, "%d,", i * 3);
    }
    CHECK_EQ(ebpf_load_log_fini(&log, &size), -ENOSPC);
    CHECK_EQ(size, len + 1);
    CHECK_STR(buf, text + len + 1 - sizeof(buf));
}

TEST(log_goes_back_to_a_mark)
{
    for (uint32_t fixed = 0; fixed <= EBPF_LOG_FIXED; fixed += EBPF_LOG_FIXED) {
        char buf[32];
        struct ebpf_load_log log = begin(EBPF_LOG_LEVEL1 | fixed, buf, sizeof(buf));
        uint64_t mark;
        uint32_t size;

        ebpf_load_logf(&log, "0: r0 = 0\n");
        mark = ebpf_load_log_mark(&log);
        ebpf_load_logf(&log, "1: another\n");
        ebpf_load_log_reset(&log, mark);
        CHECK_STR(buf, "0: r0 = 0\n");
        ebpf_load_logf(&log, "2: x\n");
        CHECK_EQ(ebpf_load_log_fini(&log, &size), 0);
        CHECK_STR(buf, "0: r0 = 0\n2: x\n");
        /* what was once needed counts, as on Linux */
        CHECK_EQ(size, sizeof("0: r0 = 0\n1: another\n"));
    }
}

TEST(log_whose_mark_is_lost_goes_back_to_nothing)
{
    char buf[8];
    struct ebpf_load_log log = begin(EBPF_LOG_LEVEL1, buf, sizeof(buf));
    uint32_t size;
    uint64_t mark;

    ebpf_load_logf(&log, "abc");
    mark = ebpf_load_log_mark(&log);
    ebpf_load_logf(&log, "0123456789012345678901234567890");
    ebpf_load_log_reset(&log, mark);
    ebpf_load_logf(&log, "xyz");
    CHECK_EQ(ebpf_load_log_fini(&log, &size), -ENOSPC);
    CHECK_STR(buf, "xyz");
}

TEST(log_in_user_memory_that_cannot_be_written_is_efault)
{
    uint64_t addr = mock_user_alloc(64);
    struct ebpf_load_log log;
    uint32_t size;

    REQUIRE(!ebpf_load_log_init(&log, &user, 1, addr, 64));
    ebpf_load_logf(&log, "to user mode");
    CHECK_EQ(ebpf_load_log_fini(&log, &size), 0);
    CHECK_STR((char *)mock_user(addr), "to user mode");

    REQUIRE(!ebpf_load_log_init(&log, &user, 1, MOCK_BAD_ADDR, 64));
    ebpf_load_logf(&log, "nowhere");
    CHECK_EQ(ebpf_load_log_fini(&log, &size), -EFAULT);
    CHECK_EQ(size, sizeof("nowhere"));

    mock_user_readonly(addr, 64);
    REQUIRE(!ebpf_load_log_init(&log, &user, 1, addr, 8));
    ebpf_load_logf(&log, "longer than that");
    CHECK_EQ(ebpf_load_log_fini(&log, &size), -EFAULT);
}

TEST(log_takes_long_texts_and_without_memory_their_start)
{
    static char buf[2000], word[1200];
    struct ebpf_load_log log = begin(1, buf, sizeof(buf));
    uint32_t size;

    memset(word, 'w', sizeof(word) - 1);
    ebpf_load_logf(&log, "%s.", word);
    CHECK_EQ(strlen(buf), sizeof(word));
    mock_fail_alloc(1);
    ebpf_load_logf(&log, "%s.", word);
    CHECK(mock_alloc_failed());
    CHECK_EQ(strlen(buf), sizeof(word) + 255);
    CHECK_EQ(ebpf_load_log_fini(&log, &size), 0);
}

TEST(log_that_is_not_there_takes_everything)
{
    uint32_t size = 1;

    ebpf_load_logf(NULL, "%d", 1);
    CHECK_EQ(ebpf_load_log_mark(NULL), 0);
    ebpf_load_log_reset(NULL, 0);
    CHECK(!ebpf_load_log_on(NULL, ~0u));
    CHECK_EQ(ebpf_load_log_fini(NULL, &size), 0);
    CHECK_EQ(size, 0);
}
