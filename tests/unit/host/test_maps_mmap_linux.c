/* SPDX-License-Identifier: MIT */
/* mmap(2) and freezing of maps here and in the Linux kernel that this machine runs. */
#include "tests/unit/host/linux_map.h"

#include <sys/mman.h>

#define PAGE 4096u

struct twin {
    struct ebpf_map *ours;
    int fd, linux_fd;
};

static void compare(const struct twin *t, uint64_t offset, size_t size, bool write)
{
    struct ebpf_mmap mapping;
    int err = ebpf_obj_mmap(ebpf_map_obj(t->ours), offset, size, write, &mapping);
    void *mem = mmap(NULL, size, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, t->linux_fd,
                     (off_t)offset);
    int want = mem == MAP_FAILED ? -errno : 0;

    if (err != want)
        test_fail(__FILE__, __LINE__,
                  "type %u entries %u flags 0x%x: %zu bytes at %llu, %s: %d, "
                  "Linux %d",
                  t->ours->type, t->ours->max_entries, t->ours->flags, size,
                  (unsigned long long)offset, write ? "write" : "read", err, want);
    if (!err)
        ebpf_mmap_close(&mapping);
    if (!want)
        munmap(mem, size);
}

static void compare_all(const struct twin *t)
{
    for (uint64_t offset = 0; offset < 8 * PAGE; offset += PAGE) {
        for (size_t size = PAGE; size < 12 * PAGE; size += PAGE) {
            compare(t, offset, size, false);
            compare(t, offset, size, true);
        }
    }
}

static void compare_frozen(struct twin *t)
{
    union bpf_attr attr = {.map_fd = (uint32_t)t->linux_fd}, ours = {.map_fd = (uint32_t)t->fd};

    CHECK_EQ(mock_bpf(BPF_MAP_FREEZE, &ours, sizeof(ours)), linux_bpf(BPF_MAP_FREEZE, &attr, 4));
    compare_all(t);
}

static void compare_map(uint32_t type, uint32_t entries, uint32_t flags)
{
    bool ring = type == BPF_MAP_TYPE_RINGBUF || type == BPF_MAP_TYPE_USER_RINGBUF;
    struct ebpf_map_spec spec = {.type = type,
                                 .key_size = ring ? 0 : 4,
                                 .value_size = ring ? 0 : 12,
                                 .max_entries = entries,
                                 .flags = flags};
    struct twin t;

    REQUIRE(!ebpf_map_create(&spec, &t.ours));
    t.linux_fd = linux_create(&spec, 0);
    REQUIRE(t.linux_fd >= 0);
    t.fd = ebpf_os_fd_install(ebpf_map_obj(t.ours));
    compare_all(&t);
    compare_frozen(&t);
    ebpf_fd_close(t.fd);
    close(t.linux_fd);
}

TEST(linux_agrees_on_mmap_of_arrays)
{
    if (!linux_usable())
        return;
    compare_map(BPF_MAP_TYPE_ARRAY, 1, BPF_F_MMAPABLE);
    compare_map(BPF_MAP_TYPE_ARRAY, 256, BPF_F_MMAPABLE);
    compare_map(BPF_MAP_TYPE_ARRAY, 257, BPF_F_MMAPABLE);
    compare_map(BPF_MAP_TYPE_ARRAY, 1, 0);
    compare_map(BPF_MAP_TYPE_ARRAY, 1, BPF_F_RDONLY);
    compare_map(BPF_MAP_TYPE_ARRAY, 1, BPF_F_MMAPABLE | BPF_F_RDONLY);
    compare_map(BPF_MAP_TYPE_ARRAY, 1, BPF_F_MMAPABLE | BPF_F_WRONLY);
    compare_map(BPF_MAP_TYPE_ARRAY, 1, BPF_F_MMAPABLE | BPF_F_RDONLY_PROG);
    compare_map(BPF_MAP_TYPE_ARRAY, 1, BPF_F_MMAPABLE | BPF_F_WRONLY_PROG);
}

TEST(linux_agrees_on_mmap_of_ring_buffers)
{
    if (!linux_usable())
        return;
    compare_map(BPF_MAP_TYPE_RINGBUF, PAGE, 0);
    compare_map(BPF_MAP_TYPE_RINGBUF, 2 * PAGE, 0);
}

TEST(linux_agrees_on_mmap_of_maps_that_have_none)
{
    if (!linux_usable())
        return;
    compare_map(BPF_MAP_TYPE_HASH, 4, 0);
    compare_map(BPF_MAP_TYPE_HASH, 4, BPF_F_RDONLY);
}

TEST(linux_agrees_that_a_writable_mapping_prevents_freezing)
{
    struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_ARRAY,
                                 .key_size = 4,
                                 .value_size = 8,
                                 .max_entries = 1,
                                 .flags = BPF_F_MMAPABLE};
    union bpf_attr attr = {0};
    void *mem;

    if (!linux_usable())
        return;
    attr.map_fd = (uint32_t)linux_create(&spec, 0);
    mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, (int)attr.map_fd, 0);
    REQUIRE(mem != MAP_FAILED);
    CHECK_EQ(linux_bpf(BPF_MAP_FREEZE, &attr, 4), -EBUSY);
    munmap(mem, PAGE);
    CHECK_EQ(linux_bpf(BPF_MAP_FREEZE, &attr, 4), 0);
    close((int)attr.map_fd);
}
