/* SPDX-License-Identifier: MIT */
/*
 * maps: arrays and hash maps through bpf(2), what works and what must be refused, and with which
 * error. One line per check; exit status 1 if one failed.
 */
#include "bpfsys.h"
#include "lib.h"

#define BAD_ADDRESS 0x10ul                  /* never mapped */
#define KERNEL_ADDRESS 0xffffffc080200000ul /* not for user mode */
#define NO_FD 63

static unsigned checks, failures;

static void check(const char *what, long got, long want)
{
    checks++;
    if (got == want) {
        printf("ok   %s\n", what);
        return;
    }
    failures++;
    printf("FAIL %s: %ld, expected %ld\n", what, got, want);
}

/* ---- bpf(2) ---------------------------------------------------------------------------------- */

static int map_create(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries,
                      uint32_t flags)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_type = type;
    attr.key_size = key_size;
    attr.value_size = value_size;
    attr.max_entries = max_entries;
    attr.map_flags = flags;
    strlcpy(attr.map_name, "demo", sizeof(attr.map_name));
    return bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int element(int cmd, int fd, const void *key, const void *value, uint64_t flags)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)fd;
    attr.key = (uint64_t)key;
    attr.value = (uint64_t)value;
    attr.flags = flags;
    return bpf(cmd, &attr, sizeof(attr));
}

static int lookup(int fd, const void *key, void *value)
{
    return element(BPF_MAP_LOOKUP_ELEM, fd, key, value, 0);
}

static int update(int fd, const void *key, const void *value, uint64_t flags)
{
    return element(BPF_MAP_UPDATE_ELEM, fd, key, value, flags);
}

static int remove_key(int fd, const void *key)
{
    return element(BPF_MAP_DELETE_ELEM, fd, key, NULL, 0);
}

static int next_key(int fd, const void *key, void *next)
{
    return element(BPF_MAP_GET_NEXT_KEY, fd, key, next, 0);
}

/* ---- creation -------------------------------------------------------------------------------- */

static void creation(void)
{
    union bpf_attr attr;

    check("array: key of 8 bytes is refused", map_create(BPF_MAP_TYPE_ARRAY, 8, 8, 4, 0), -EINVAL);
    check("array: no entries is refused", map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 0, 0), -EINVAL);
    check("array: values of 0 bytes are refused", map_create(BPF_MAP_TYPE_ARRAY, 4, 0, 4, 0),
          -EINVAL);
    check("array: values of 4 GiB are refused", map_create(BPF_MAP_TYPE_ARRAY, 4, ~0u, 4, 0),
          -E2BIG);
    check("array: more than there is memory", map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 0x7fffffff, 0),
          -ENOMEM);
    check("array: NO_PREALLOC is refused",
          map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_NO_PREALLOC), -EINVAL);
    check("hash: key of 0 bytes is refused", map_create(BPF_MAP_TYPE_HASH, 0, 8, 4, 0), -EINVAL);
    check("hash: no entries is refused", map_create(BPF_MAP_TYPE_HASH, 4, 8, 0, 0), -EINVAL);
    check("hash: unknown flag is refused", map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, 1u << 31),
          -EINVAL);
    check("type 0 is refused", map_create(BPF_MAP_TYPE_UNSPEC, 4, 8, 4, 0), -EINVAL);
    check("type 9999 is refused", map_create(9999, 4, 8, 4, 0), -EINVAL);

    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = attr.value_size = attr.max_entries = 4;
    strlcpy(attr.map_name, "bad name!", sizeof(attr.map_name));
    check("name with a blank is refused", bpf(BPF_MAP_CREATE, &attr, sizeof(attr)), -EINVAL);
    memset(attr.map_name, 'a', sizeof(attr.map_name));
    check("name without an end is refused", bpf(BPF_MAP_CREATE, &attr, sizeof(attr)), -EINVAL);
}

/* ---- the system call itself ------------------------------------------------------------------ */

static void system_call(void)
{
    union {
        union bpf_attr attr;
        char bytes[sizeof(union bpf_attr) + 64];
    } big;
    int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
    uint32_t key = 0;
    uint64_t value = 7;

    check("unknown command", bpf(999, &big.attr, sizeof(big.attr)), -EINVAL);
    check("attributes at a bad address", syscall(SYS_bpf, BPF_MAP_CREATE, BAD_ADDRESS, 64, 0, 0, 0),
          -EFAULT);
    check("attributes at a kernel address",
          syscall(SYS_bpf, BPF_MAP_CREATE, (long)KERNEL_ADDRESS, 64, 0, 0, 0), -EFAULT);
    memset(&big, 0, sizeof(big));
    big.attr.map_fd = (uint32_t)fd;
    big.attr.key = (uint64_t)&key;
    big.attr.value = (uint64_t)&value;
    check("longer attributes whose rest is zero", bpf(BPF_MAP_UPDATE_ELEM, &big.attr, sizeof(big)),
          0);
    big.bytes[sizeof(big) - 1] = 1;
    check("longer attributes whose rest is not", bpf(BPF_MAP_UPDATE_ELEM, &big.attr, sizeof(big)),
          -E2BIG);
    big.bytes[sizeof(big) - 1] = 0;
    big.attr.fd_array = 1;
    check("attributes that the command has not",
          bpf(BPF_MAP_UPDATE_ELEM, &big.attr, sizeof(big.attr)), -EINVAL);
    check("more attributes than a page", bpf(BPF_MAP_UPDATE_ELEM, &big.attr, 8192), -E2BIG);

    check("fd that is not open", lookup(NO_FD, &key, &value), -EBADF);
    check("fd -1", lookup(-1, &key, &value), -EBADF);
    check("key at a bad address", lookup(fd, (void *)BAD_ADDRESS, &value), -EFAULT);
    check("key at a kernel address", lookup(fd, (void *)KERNEL_ADDRESS, &value), -EFAULT);
    check("value to a bad address", lookup(fd, &key, (void *)BAD_ADDRESS), -EFAULT);
    check("value to a kernel address", lookup(fd, &key, (void *)KERNEL_ADDRESS), -EFAULT);
    check("value from a kernel address", update(fd, &key, (void *)KERNEL_ADDRESS, BPF_ANY),
          -EFAULT);
    check("after all that the map is whole", lookup(fd, &key, &value) == 0 && value == 7, 1);
    check("close", close(fd), 0);
    check("closed fd", lookup(fd, &key, &value), -EBADF);
}

static void information(void)
{
    int fd = map_create(BPF_MAP_TYPE_HASH, 12, 20, 7, 0);
    struct bpf_map_info info;
    union bpf_attr attr;

    memset(&info, 0, sizeof(info));
    memset(&attr, 0, sizeof(attr));
    attr.info.bpf_fd = (uint32_t)fd;
    attr.info.info_len = sizeof(info);
    attr.info.info = (uint64_t)&info;
    check("info: success", bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)), 0);
    check("info: type", info.type, BPF_MAP_TYPE_HASH);
    check("info: key size", info.key_size, 12);
    check("info: value size", info.value_size, 20);
    check("info: entries", info.max_entries, 7);
    check("info: name", strcmp(info.name, "demo"), 0);
    close(fd);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static void array(void)
{
    int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 5, 0), wrong = 0;
    uint32_t key, next;
    uint64_t value = 99;

    check("array: create", fd >= 0, 1);
    for (key = 0; key < 5; key++)
        wrong += lookup(fd, &key, &value) != 0 || value != 0;
    check("array: all elements are zero", wrong, 0);
    for (key = 0; key < 5; key++) {
        value = key * 1000000007ull;
        wrong += update(fd, &key, &value, key % 2 ? BPF_EXIST : BPF_ANY) != 0;
    }
    for (key = 0; key < 5; key++)
        wrong += lookup(fd, &key, &value) != 0 || value != key * 1000000007ull;
    check("array: elements keep what they are given", wrong, 0);
    key = 5;
    check("array: lookup behind the end", lookup(fd, &key, &value), -ENOENT);
    check("array: update behind the end", update(fd, &key, &value, BPF_ANY), -E2BIG);
    key = ~0u;
    check("array: lookup of index 2^32-1", lookup(fd, &key, &value), -ENOENT);
    key = 2;
    check("array: NOEXIST, all elements exist", update(fd, &key, &value, BPF_NOEXIST), -EEXIST);
    check("array: unknown update flag", update(fd, &key, &value, 64), -EINVAL);
    check("array: NOEXIST with EXIST", update(fd, &key, &value, BPF_NOEXIST | BPF_EXIST), -EINVAL);
    check("array: elements cannot be deleted", remove_key(fd, &key), -EINVAL);
    check("array: first key", next_key(fd, NULL, &next) == 0 && next == 0, 1);
    check("array: next key", next_key(fd, &key, &next) == 0 && next == 3, 1);
    key = 4;
    check("array: no key after the last", next_key(fd, &key, &next), -ENOENT);
    key = 77;
    check("array: after a key that is none, the first", next_key(fd, &key, &next) == 0 && next == 0,
          1);
    close(fd);
}

static void read_only(void)
{
    int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_RDONLY);
    uint32_t key = 0;
    uint64_t value = 5;

    check("read-only map: update is refused", update(fd, &key, &value, BPF_ANY), -EPERM);
    check("read-only map: lookup works", lookup(fd, &key, &value) == 0 && value == 0, 1);
    close(fd);
    fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_WRONLY);
    value = 5;
    check("write-only map: update works", update(fd, &key, &value, BPF_ANY), 0);
    check("write-only map: lookup is refused", lookup(fd, &key, &value), -EPERM);
    close(fd);
}

/* ---- hash maps ------------------------------------------------------------------------------- */

static void hash(void)
{
    int fd = map_create(BPF_MAP_TYPE_HASH, 8, 4, 3, 0);
    uint64_t key = 0x1111;
    uint32_t value = 1;

    check("hash: create", fd >= 0, 1);
    check("hash: lookup in an empty map", lookup(fd, &key, &value), -ENOENT);
    check("hash: delete in an empty map", remove_key(fd, &key), -ENOENT);
    check("hash: first key of an empty map", next_key(fd, NULL, &key), -ENOENT);
    check("hash: EXIST of a missing key", update(fd, &key, &value, BPF_EXIST), -ENOENT);
    check("hash: NOEXIST of a missing key", update(fd, &key, &value, BPF_NOEXIST), 0);
    check("hash: NOEXIST of a key that is there", update(fd, &key, &value, BPF_NOEXIST), -EEXIST);
    value = 2;
    check("hash: EXIST of a key that is there", update(fd, &key, &value, BPF_EXIST), 0);
    value = 0;
    check("hash: lookup", lookup(fd, &key, &value) == 0 && value == 2, 1);
    check("hash: unknown update flag", update(fd, &key, &value, 1ull << 40), -EINVAL);
    key = 0x2222;
    check("hash: second key", update(fd, &key, &value, BPF_ANY), 0);
    key = 0x3333;
    check("hash: third key", update(fd, &key, &value, BPF_ANY), 0);
    key = 0x4444;
    check("hash: full", update(fd, &key, &value, BPF_ANY), -E2BIG);
    key = 0x1111;
    value = 9;
    check("hash: replacing in a full map", update(fd, &key, &value, BPF_ANY), 0);
    check("hash: delete", remove_key(fd, &key), 0);
    check("hash: deleted key is gone", lookup(fd, &key, &value), -ENOENT);
    check("hash: second delete", remove_key(fd, &key), -ENOENT);
    key = 0x4444;
    check("hash: room again", update(fd, &key, &value, BPF_ANY), 0);
    close(fd);
}

/* Visits all keys by BPF_MAP_GET_NEXT_KEY: each exactly once. */
static void hash_walk(void)
{
    int fd = map_create(BPF_MAP_TYPE_HASH, 4, 4, 500, 0), steps = 0, wrong = 0;
    static bool visited[500];
    uint32_t key, next, value;

    for (key = 0; key < 500; key++) {
        value = key ^ 0xabcd;
        wrong += update(fd, &key, &value, BPF_NOEXIST) != 0;
    }
    check("hash: 500 insertions", wrong, 0);
    for (int err = next_key(fd, NULL, &next); err == 0 && steps <= 500;
         err = next_key(fd, &key, &next)) {
        key = next;
        steps++;
        wrong +=
            key >= 500 || visited[key] || lookup(fd, &key, &value) != 0 || value != (key ^ 0xabcd);
        visited[key % 500] = true;
    }
    check("hash: the walk takes 500 steps", steps, 500);
    check("hash: each key once with its value", wrong, 0);
    for (key = 0; key < 500; key += 2)
        wrong += remove_key(fd, &key) != 0;
    for (key = 0; key < 500; key++)
        wrong += lookup(fd, &key, &value) != (key % 2 ? 0 : -ENOENT);
    check("hash: every second deleted, the others are there", wrong, 0);
    close(fd);
}

/* ---- per-CPU maps: user mode sees one value for each CPU, rounded up to 8 bytes -------------- */

static void per_cpu_array(void)
{
    static uint64_t in[MAX_CPUS], out[MAX_CPUS + 1];
    int fd = map_create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 4, 2, 0);
    uint32_t key = 1;
    unsigned n = possible_cpus(), wrong = 0;

    check("per-CPU array: create", fd >= 0, 1);
    check("per-CPU array: the number of CPUs shows", n > 0 && n <= MAX_CPUS, 1);
    for (unsigned cpu = 0; cpu < n; cpu++)
        in[cpu] = 1000 + cpu;
    check("per-CPU array: update", update(fd, &key, in, BPF_ANY), 0);
    memset(out, 0xee, sizeof(out));
    check("per-CPU array: lookup", lookup(fd, &key, out), 0);
    for (unsigned cpu = 0; cpu < n; cpu++)
        wrong += out[cpu] != in[cpu];
    check("per-CPU array: each CPU has its own value", wrong, 0);
    check("per-CPU array: no more than that is written", out[n] == 0xeeeeeeeeeeeeeeeeul, 1);
    close(fd);
}

int main(void)
{
    creation();
    system_call();
    information();
    array();
    read_only();
    hash();
    hash_walk();
    per_cpu_array();
    printf("maps: %u checks, %u failed\n", checks, failures);
    return failures != 0;
}
