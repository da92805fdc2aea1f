/* SPDX-License-Identifier: MIT */
/* bpf(2) on maps, ours and that of the Linux kernel this machine runs, side by side: the same
 * attributes, the same answers. Skipped where bpf(2) is not ours to use. */
#include "tests/unit/test.h"

#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ebpf/ebpf.h>

#define MEM 4096

/* Buffers of each side; attributes point into them by offset. */
static uint8_t memory[2][MEM] __attribute__((aligned(8)));
static int fds[2];
static const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};

static long side_bpf(unsigned side, int cmd, union bpf_attr *attr)
{
    long ret;

    if (!side)
        return ebpf_bpf(cmd, (uintptr_t)attr, 80, &caller);
    ret = syscall(SYS_bpf, cmd, attr, 80);
    return ret < 0 ? -errno : ret;
}

/* Both sides' answer to a command on their map; memory must agree afterwards. */
static long both(int cmd, long key, long value, uint64_t flags)
{
    long ret[2];

    for (unsigned side = 0; side < 2; side++) {
        union bpf_attr attr = {.map_fd = (uint32_t)fds[side]};

        attr.key = key < 0 ? 0 : (uintptr_t)memory[side] + (size_t)key;
        attr.value = value < 0 ? 0 : (uintptr_t)memory[side] + (size_t)value;
        attr.flags = flags;
        ret[side] = side_bpf(side, cmd, &attr);
    }
    CHECK_EQ(ret[0], ret[1]);
    CHECK(!memcmp(memory[0], memory[1], MEM));
    return ret[0];
}

static long both_batch(int cmd, long in, uint32_t *count, uint64_t elem_flags, uint64_t flags)
{
    uint32_t counts[2];
    long ret[2];

    for (unsigned side = 0; side < 2; side++) {
        union bpf_attr attr = {.batch.map_fd = (uint32_t)fds[side], .batch.count = *count};
        uintptr_t base = (uintptr_t)memory[side];

        attr.batch.in_batch = in < 0 ? 0 : base + (size_t)in;
        attr.batch.out_batch = base + 64;
        attr.batch.keys = base + 1024;
        attr.batch.values = base + 2048;
        attr.batch.elem_flags = elem_flags;
        attr.batch.flags = flags;
        ret[side] = side_bpf(side, cmd, &attr);
        counts[side] = attr.batch.count;
    }
    CHECK_EQ(ret[0], ret[1]);
    CHECK_EQ(counts[0], counts[1]);
    *count = counts[0];
    return ret[0];
}

static void done(void)
{
    struct ebpf_obj *obj;

    close(fds[1]);
    if (!ebpf_os_fd_get(fds[0], &obj)) {
        ebpf_obj_put(obj);
        ebpf_fd_close(fds[0]);
    }
}

static bool begin(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
    memset(memory, 0, sizeof(memory));
    for (unsigned side = 0; side < 2; side++) {
        union bpf_attr attr = {.map_type = type,
                               .key_size = key,
                               .value_size = value,
                               .max_entries = entries,
                               .map_flags = flags};

        fds[side] = (int)side_bpf(side, BPF_MAP_CREATE, &attr);
    }
    if (fds[1] == -EPERM || fds[1] == -ENOSYS) {
        test_skip("bpf(2) is not to be had");
        ebpf_fd_close(fds[0]);
        return false;
    }
    CHECK(fds[0] >= 0 && fds[1] >= 0);
    return fds[0] >= 0 && fds[1] >= 0;
}

static void set(unsigned at, uint64_t number)
{
    memcpy(memory[0] + at, &number, 8);
    memcpy(memory[1] + at, &number, 8);
}

static void compare_keyless(uint32_t type)
{
    static const uint64_t flags[] = {0, 0, 2, 1, 3, 4, 5, 8, 1ull << 32};
    uint64_t random = 0x243f6a8885a308d3u;

    if (!begin(type, 0, 8, 5, 0))
        return;
    for (unsigned i = 0; i < 20000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t what = (uint32_t)(random >> 33) % 12, r = (uint32_t)(random >> 50);

        set(512, random);
        if (what < 5)
            both(BPF_MAP_UPDATE_ELEM, r % 20 ? -1 : 8, 512, flags[r % (r % 4 ? 3 : 9)]);
        else if (what < 8)
            both(BPF_MAP_LOOKUP_AND_DELETE_ELEM, r % 20 ? -1 : 8, 512,
                 r % 16 == 3 ? flags[r / 16 % 9] : 0);
        else if (what < 10)
            both(BPF_MAP_LOOKUP_ELEM, r % 20 ? -1 : 8, 512, 0);
        else if (what < 11)
            both(BPF_MAP_DELETE_ELEM, r % 20 ? -1 : 8, -1, 0);
        else
            both(BPF_MAP_GET_NEXT_KEY, -1, 520, 0);
    }
    done();
}

TEST(linux_agrees_on_queue_commands)
{
    compare_keyless(BPF_MAP_TYPE_QUEUE);
}
TEST(linux_agrees_on_stack_commands)
{
    compare_keyless(BPF_MAP_TYPE_STACK);
}

/* Only what does not depend on the hash functions: errors, and what is surely there. */
TEST(linux_agrees_on_bloom_filter_commands)
{
    if (!begin(BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 100, 0))
        return;
    both(BPF_MAP_LOOKUP_ELEM, -1, 512, 0); /* empty */
    for (uint64_t i = 0; i < 100; i++) {
        set(512, i);
        CHECK_EQ(both(BPF_MAP_UPDATE_ELEM, -1, 512, 0), 0);
        CHECK_EQ(both(BPF_MAP_LOOKUP_ELEM, -1, 512, 0), 0);
    }
    for (uint64_t flags = 1; flags < 10; flags++)
        both(BPF_MAP_UPDATE_ELEM, -1, 512, flags);
    both(BPF_MAP_UPDATE_ELEM, 8, 512, 0);
    both(BPF_MAP_LOOKUP_ELEM, 8, 512, 0);
    both(BPF_MAP_LOOKUP_AND_DELETE_ELEM, -1, 512, 0);
    both(BPF_MAP_DELETE_ELEM, -1, -1, 0);
    both(BPF_MAP_GET_NEXT_KEY, -1, 520, 0);
    done();
}

TEST(linux_agrees_on_keyless_creation)
{
    static const uint32_t types[] = {BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK,
                                     BPF_MAP_TYPE_BLOOM_FILTER, BPF_MAP_TYPE_HASH};
    static const uint32_t keys[] = {0, 4}, entries[] = {0, 1, 9};
    static const uint32_t values[] = {0, 1, 4u << 20, (4u << 20) + 1, UINT32_MAX};
    static const uint64_t extras[] = {0, 1, 15, 16, 1ull << 60};

    if (!begin(BPF_MAP_TYPE_QUEUE, 0, 8, 1, 0))
        return;
    done();
    for (unsigned i = 0; i < 4 * 2 * 3 * 5 * 5 * 18; i++) {
        uint32_t flags = i / 600 % 18;
        union bpf_attr attr = {.map_type = types[i % 4],
                               .key_size = keys[i / 4 % 2],
                               .max_entries = entries[i / 8 % 3],
                               .value_size = values[i / 24 % 5],
                               .map_flags = flags ? 1u << (flags - 1) : 0};
        int got[2];

        attr.map_extra = extras[i / 120 % 5];
        if (attr.map_flags & (BPF_F_NUMA_NODE | BPF_F_MMAPABLE | 1u << 12 | 1u << 16))
            continue;
        /* two mistakes at once: Linux's bloom filters complain of the size first, ours of flags */
        if (attr.map_type == BPF_MAP_TYPE_BLOOM_FILTER && attr.value_size > 4u << 20 && flags)
            continue;
        for (unsigned side = 0; side < 2; side++) {
            got[side] = (int)side_bpf(side, BPF_MAP_CREATE, &attr);
            if (got[side] >= 0)
                side ? close(got[1]) : ebpf_fd_close(got[0]);
        }
        if ((got[0] < 0 || got[1] < 0) && got[0] != got[1])
            test_fail(__FILE__, __LINE__,
                      "type %u key %u value %u entries %u flags %x extra %llx: "
                      "%d, Linux %d",
                      attr.map_type, attr.key_size, attr.value_size, attr.max_entries,
                      attr.map_flags, (unsigned long long)attr.map_extra, got[0], got[1]);
    }
}

/* ---- freezing ------------------------------------------------------------------------------ */

static void compare_frozen(uint32_t type, uint32_t key, uint32_t flags)
{
    long at = key ? 8 : -1;
    uint32_t count = 1;

    if (!begin(type, key, 8, 4, flags))
        return;
    both(BPF_MAP_UPDATE_ELEM, at, 512, 0);
    for (unsigned round = 0; round < 2; round++) {
        both(BPF_MAP_FREEZE, -1, -1, 0);
        both(BPF_MAP_FREEZE, 8, -1, 0);
        both(BPF_MAP_UPDATE_ELEM, at, 512, 0);
        both(BPF_MAP_DELETE_ELEM, at, -1, 0);
        both(BPF_MAP_LOOKUP_AND_DELETE_ELEM, at, 520, 0);
        both(BPF_MAP_LOOKUP_ELEM, at, 520, 0);
        both_batch(BPF_MAP_UPDATE_BATCH, -1, &count, 0, 0);
        both_batch(BPF_MAP_LOOKUP_AND_DELETE_BATCH, -1, &count, 0, 0);
    }
    done();
}

TEST(linux_agrees_on_freezing)
{
    compare_frozen(BPF_MAP_TYPE_HASH, 4, 0);
    compare_frozen(BPF_MAP_TYPE_ARRAY, 4, 0);
    compare_frozen(BPF_MAP_TYPE_QUEUE, 0, 0);
    compare_frozen(BPF_MAP_TYPE_HASH, 4, BPF_F_RDONLY);
    compare_frozen(BPF_MAP_TYPE_HASH, 4, BPF_F_WRONLY);
    compare_frozen(BPF_MAP_TYPE_BLOOM_FILTER, 0, 0);
}

/* ---- batches ------------------------------------------------------------------------------- */

static void compare_batch_errors(uint32_t type, uint32_t key)
{
    static const int cmds[] = {BPF_MAP_LOOKUP_BATCH, BPF_MAP_LOOKUP_AND_DELETE_BATCH,
                               BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH};

    if (!begin(type, key, type == BPF_MAP_TYPE_PROG_ARRAY ? 4 : 8, 4, 0))
        return;
    for (unsigned cmd = 0; cmd < 4; cmd++) {
        for (uint64_t flag = 0; flag < 10; flag++) {
            uint32_t count = 0;

            both_batch(cmds[cmd], -1, &count, flag, 0);
            count = 2;
            if (flag)
                both_batch(cmds[cmd], -1, &count, flag, 0);
            count = 0;
            both_batch(cmds[cmd], -1, &count, 0, flag);
        }
    }
    done();
}

TEST(linux_agrees_on_batch_errors)
{
    compare_batch_errors(BPF_MAP_TYPE_HASH, 4);
    compare_batch_errors(BPF_MAP_TYPE_LRU_HASH, 4);
    compare_batch_errors(BPF_MAP_TYPE_ARRAY, 4);
    compare_batch_errors(BPF_MAP_TYPE_PERCPU_ARRAY, 4);
    compare_batch_errors(BPF_MAP_TYPE_PROG_ARRAY, 4);
    compare_batch_errors(BPF_MAP_TYPE_QUEUE, 0);
    compare_batch_errors(BPF_MAP_TYPE_BLOOM_FILTER, 0);
}

static void fill_keys(uint32_t key_size, uint32_t n)
{
    for (unsigned side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < n; i++) {
            memcpy(memory[side] + 1024 + i * key_size, &i, 4);
            memset(memory[side] + 2048 + i * 8, (int)i + 1, 8);
        }
    }
}

TEST(linux_agrees_on_array_batches)
{
    uint32_t count = 10;

    if (!begin(BPF_MAP_TYPE_ARRAY, 4, 8, 20, 0))
        return;
    fill_keys(4, 10);
    CHECK_EQ(both_batch(BPF_MAP_UPDATE_BATCH, -1, &count, 0, 0), 0);
    CHECK_EQ(count, 10);
    for (uint32_t size = 1; size < 25; size++) {
        long in = -1, err = 0;

        for (unsigned calls = 0; !err && calls < 30; calls++) {
            count = size;
            memset(memory[0] + 1024, 0, 3072);
            memset(memory[1] + 1024, 0, 3072);
            err = both_batch(BPF_MAP_LOOKUP_BATCH, in, &count, 0, 0);
            CHECK(!memcmp(memory[0], memory[1], MEM));
            in = 64;
        }
        CHECK_EQ(err, -ENOENT);
    }
    fill_keys(4, 30); /* key 20 is too large: the first 20 are done */
    count = 30;
    CHECK_EQ(both_batch(BPF_MAP_UPDATE_BATCH, -1, &count, 0, 0), -E2BIG);
    CHECK_EQ(count, 20);
    done();
}

/* The order of keys is each side's own; what is found in all, is not. */
TEST(linux_agrees_on_hash_batches)
{
    uint32_t count = 50, total[2] = {0};

    if (!begin(BPF_MAP_TYPE_HASH, 8, 8, 60, 0))
        return;
    fill_keys(8, 50);
    CHECK_EQ(both_batch(BPF_MAP_UPDATE_BATCH, -1, &count, 0, 0), 0);
    for (unsigned side = 0; side < 2; side++) {
        uint8_t seen[50] = {0};
        uint32_t at = 0;
        long err = 0;

        for (unsigned calls = 0; !err && calls < 100; calls++) {
            uint64_t keys[20], values[20];
            union bpf_attr attr = {.batch.map_fd = (uint32_t)fds[side], .batch.count = 20};

            attr.batch.in_batch = calls ? (uintptr_t)&at : 0;
            attr.batch.out_batch = (uintptr_t)&at;
            attr.batch.keys = (uintptr_t)keys;
            attr.batch.values = (uintptr_t)values;
            err = side_bpf(side, BPF_MAP_LOOKUP_AND_DELETE_BATCH, &attr);
            for (uint32_t i = 0; i < attr.batch.count && i < 20; i++) {
                REQUIRE(keys[i] < 50 && !seen[keys[i]]);
                seen[keys[i]] = 1;
                CHECK_EQ(values[i] & 0xff, keys[i] + 1);
                total[side]++;
            }
        }
        CHECK_EQ(err, -ENOENT);
        CHECK_EQ(total[side], 50);
    }
    fill_keys(8, 1);
    CHECK_EQ(both(BPF_MAP_LOOKUP_ELEM, 1024, 600, 0), -ENOENT); /* all gone */
    count = 1;
    CHECK_EQ(both_batch(BPF_MAP_DELETE_BATCH, -1, &count, 0, 0), -ENOENT);
    set(64, 1u << 20); /* no such bucket */
    count = 1;
    CHECK_EQ(both_batch(BPF_MAP_LOOKUP_BATCH, 64, &count, 0, 0), -ENOENT);
    done();
}

/* ---- tries --------------------------------------------------------------------------------- */

/* Key at 8: the length at 8, the bits at 12. The order of keys is the same on both sides. */
static void compare_trie(uint32_t data, uint32_t entries)
{
    uint64_t random = 0x452821e638d01377u;

    if (!begin(BPF_MAP_TYPE_LPM_TRIE, 4 + data, 8, entries, BPF_F_NO_PREALLOC))
        return;
    for (unsigned i = 0; i < 30000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t what = (uint32_t)(random >> 33) % 20, r = (uint32_t)(random >> 45);
        uint64_t flags = r % 8 ? 0 : r / 8 % 6;

        if (i % 4 || what < 14) { /* else go on from the key before */
            set(8, (r % (8 * data + 2)) | (random >> 20 & 0xc0c0c0c000000000u) << 0);
            set(16, random >> 3 & 0x8080808080808080u);
        }
        set(512, random);
        if (what < 7)
            both(BPF_MAP_UPDATE_ELEM, 8, 512, flags);
        else if (what < 11)
            both(BPF_MAP_DELETE_ELEM, 8, -1, 0);
        else if (what < 15)
            both(BPF_MAP_LOOKUP_ELEM, 8, 600, 0);
        else if (what < 16)
            both(BPF_MAP_LOOKUP_AND_DELETE_ELEM, 8, 600, 0);
        else
            both(BPF_MAP_GET_NEXT_KEY, what < 17 ? -1 : 8, 8, 0);
    }
    done();
}

TEST(linux_agrees_on_trie_commands)
{
    compare_trie(1, 20);
    compare_trie(2, 50);
    compare_trie(4, 10);
    compare_trie(9, 100);
}

TEST(linux_agrees_on_trie_creation)
{
    static const uint32_t sizes[] = {0, 1, 4, 5, 259, 260, 261, 4194303, UINT32_MAX};
    static const uint32_t values[] = {0,       1,       8,       4194023,   4194024,
                                      4194025, 4194040, 4194303, UINT32_MAX};

    if (!begin(BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1, BPF_F_NO_PREALLOC))
        return;
    done();
    for (unsigned i = 0; i < 9 * 9 * 2 * 18; i++) {
        uint32_t flag = i / 162 % 18;
        union bpf_attr attr = {.map_type = BPF_MAP_TYPE_LPM_TRIE,
                               .key_size = sizes[i % 9],
                               .value_size = values[i / 9 % 9],
                               .max_entries = i / 81 % 2};
        int got[2];

        attr.map_flags = (flag ? 1u << (flag - 1) : 0) | (i % 7 ? BPF_F_NO_PREALLOC : 0);
        if (attr.map_flags & (BPF_F_NUMA_NODE | BPF_F_MMAPABLE | 1u << 12 | 1u << 16))
            continue;
        for (unsigned side = 0; side < 2; side++) {
            got[side] = (int)side_bpf(side, BPF_MAP_CREATE, &attr);
            if (got[side] >= 0)
                side ? close(got[1]) : ebpf_fd_close(got[0]);
        }
        if ((got[0] < 0 || got[1] < 0) && got[0] != got[1])
            test_fail(__FILE__, __LINE__, "key %u value %u entries %u flags %x: %d, Linux %d",
                      attr.key_size, attr.value_size, attr.max_entries, attr.map_flags, got[0],
                      got[1]);
    }
}

/* ---- ring buffers -------------------------------------------------------------------------- */

TEST(linux_agrees_on_ring_buffer_commands)
{
    static const int cmds[] = {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM,
                               BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_MAP_GET_NEXT_KEY};
    uint32_t count = 1;

    if (!begin(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0))
        return;
    for (unsigned i = 0; i < 5; i++) {
        both(cmds[i], -1, i == 2 ? -1 : 512, 0);
        both(cmds[i], 8, i == 2 ? -1 : 512, 0);
    }
    both_batch(BPF_MAP_UPDATE_BATCH, -1, &count, 0, 0);
    both_batch(BPF_MAP_LOOKUP_BATCH, -1, &count, 0, 0);
    both(BPF_MAP_FREEZE, -1, -1, 0);
    done();
}
