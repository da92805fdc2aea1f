/* SPDX-License-Identifier: MIT */
/* The machine's own bpf(2), as the oracle of tests that compare our maps with Linux's. */
#ifndef TESTS_UNIT_HOST_LINUX_MAP_H
#define TESTS_UNIT_HOST_LINUX_MAP_H

#include "tests/unit/test.h"

#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ebpf/ebpf.h>

#include "maps/map.h"

static inline int linux_bpf(int cmd, union bpf_attr *attr, uint32_t size)
{
    long ret = syscall(SYS_bpf, cmd, attr, size);

    return ret < 0 ? -errno : (int)ret;
}

/* inner: an fd, for maps in maps */
static inline int linux_create(const struct ebpf_map_spec *spec, int inner)
{
    union bpf_attr attr = {.map_type = spec->type,
                           .key_size = spec->key_size,
                           .value_size = spec->value_size,
                           .max_entries = spec->max_entries,
                           .map_flags = spec->flags,
                           .inner_map_fd = (uint32_t)inner,
                           .numa_node = spec->numa_node,
                           .map_extra = spec->map_extra};

    memcpy(attr.map_name, spec->name, sizeof(attr.map_name));
    return linux_bpf(BPF_MAP_CREATE, &attr, 72); /* up to map_extra: since 5.16 */
}

static inline int linux_element(int fd, int cmd, const void *key, void *value, uint64_t flags)
{
    union bpf_attr attr = {.map_fd = (uint32_t)fd};

    attr.key = (uintptr_t)key;
    attr.value = (uintptr_t)value;
    attr.flags = flags;
    return linux_bpf(cmd, &attr, 32);
}

/* "0-3": as many CPUs as per-CPU maps have values; 0: unknown. */
static inline unsigned linux_cpus(void)
{
    size_t size;
    char *text = test_read_file("/sys/devices/system/cpu/possible", &size);
    unsigned first = 0, last = 0;
    int n = text ? sscanf(text, "%u-%u", &first, &last) : 0;

    free(text);
    return n == 2 && first == 0 ? last + 1 : n == 1 ? 1 : 0;
}

/* Is there a bpf(2) of Linux 6.12 or later that lets us do all? (Older kernels have other limits in
 * places.) */
static inline bool linux_usable(void)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_HASH,
        .key_size = 4,
        .value_size = 4,
        .max_entries = 1,
        .flags = BPF_F_ZERO_SEED, /* for CAP_SYS_ADMIN only */
    };
    struct utsname names;
    unsigned major = 0, minor = 0;
    int fd = -1;

    if (!uname(&names) && sscanf(names.release, "%u.%u", &major, &minor) == 2 &&
        (major > 6 || (major == 6 && minor >= 12)))
        fd = linux_create(&spec, 0);
    if (fd >= 0)
        close(fd);
    else
        test_skip("bpf(2) of Linux 6.12 or later, as root, is not to be had");
    return fd >= 0;
}

#endif /* TESTS_UNIT_HOST_LINUX_MAP_H */
