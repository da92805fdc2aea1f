/* SPDX-License-Identifier: MIT */
/*
 * barebpf: Linux's eBPF for kernels that are not Linux. This header: start-up, the system call's
 * entry, and the same operations for code inside the kernel. <ebpf/os.h> is what the kernel gives,
 * <ebpf/kprobe.h> the breakpoint entry, <ebpf/object.h> loads what clang built.
 *
 * Maps, programs and links are objects of <ebpf/os.h>: reference-counted, put by ebpf_obj_put().
 * Errors are negative errno values of Linux (<ebpf/errno.h>). T and A are the contexts of
 * <ebpf/os.h>.
 */
#ifndef EBPF_EBPF_H
#define EBPF_EBPF_H

#include <ebpf/config.h>
#include <ebpf/errno.h>
#include <ebpf/os.h>
#include <ebpf/uapi.h>

#define EBPF_VERSION_MAJOR 0
#define EBPF_VERSION_MINOR 1

/* ---- start-up -------------------------------------------------------------------------------- */

/* Prepares the library; once, T, on one hart, after the hooks work and before any other call but
 * ebpf_heap_add() and ebpf_breakpoint(). Returns 0, -ENOMEM, -EINVAL (ebpf_os_cpu_count() is 0 or
 * above the limit),
 * -EBUSY (called before). */
int ebpf_init(void);

/* Gives back what ebpf_init() took: for tests and for kernels that unload. T. Returns 0, or -EBUSY,
 * and changes nothing, while objects or probes exist. */
int ebpf_fini(void);

/* ---- bpf(2) ---------------------------------------------------------------------------------- */

/* What a caller of bpf(2) may do; the kernel decides (Linux: capabilities(7)). */
#define EBPF_CAP_BPF (1u << 0)       /* create maps, load programs */
#define EBPF_CAP_PERFMON (1u << 1)   /* tracing program types, read kernel memory */
#define EBPF_CAP_NET_ADMIN (1u << 2) /* networking program types */
#define EBPF_CAP_TRUST (1u << 3) /* without a verifier (EBPF_CONFIG_VERIFIER 0): load programs */
#define EBPF_CAP_SYS_ADMIN (1u << 4) /* programs that write user memory */
#define EBPF_CAP_ALL 0x1fu

struct ebpf_caller {
    uint32_t caps; /* EBPF_CAP_* */
    /* the addresses in attr are kernel addresses: copied directly, not by the user hooks */
    bool kernel;
};

/*
 * The bpf(2) system call: cmd, the address of the attributes and their size, as the three arguments
 * come. Returns what Linux's bpf(2) returns: an fd, 0, or -E*. T.
 */
long ebpf_bpf(int cmd, uint64_t attr, uint32_t size, const struct ebpf_caller *caller);

/* ---- types, from inside the kernel ----------------------------------------------------------- */

struct ebpf_btf;

/* As BPF_BTF_LOAD of size bytes, same errors: copies and checks; *out holds one reference. The line
 * of a refusal goes to ebpf_os_console(). T. */
int ebpf_btf_load(const void *data, size_t size, struct ebpf_btf **out);
struct ebpf_obj *ebpf_btf_obj(struct ebpf_btf *btf);

/* ---- maps, from inside the kernel ------------------------------------------------------------ */

struct ebpf_map;

struct ebpf_map_spec {
    uint32_t type; /* BPF_MAP_TYPE_* */
    uint32_t key_size, value_size, max_entries, flags;
    char name[BPF_OBJ_NAME_LEN];
    uint64_t map_extra; /* bloom filters: bits for each value, 0: 5; else 0 */
    /* maps in maps: one like those that will be in it; it is looked at, no reference is kept */
    struct ebpf_map *inner;
    uint32_t numa_node; /* with BPF_F_NUMA_NODE: 0 */
    /* Types of keys and values; btf NULL: none, and no spin locks and timers in values. The map
     * holds a reference on btf */
    struct ebpf_btf *btf;
    uint32_t btf_key_type_id, btf_value_type_id;
};

/* As BPF_MAP_CREATE, same errors; *out holds one reference. T. */
int ebpf_map_create(const struct ebpf_map_spec *spec, struct ebpf_map **out);
struct ebpf_obj *ebpf_map_obj(struct ebpf_map *map); /* for ebpf_obj_get/put and fds. A */
void ebpf_map_spec(const struct ebpf_map *map, struct ebpf_map_spec *out);

/*
 * The system call's operations, on kernel memory. key: key_size bytes. value: ebpf_map_value_size()
 * bytes, which for per-CPU maps is one value rounded up to 8 for each possible CPU, in order.
 * Errors as bpf(2): -ENOENT, -EEXIST, -E2BIG (full), -EINVAL (flags, or an operation that the type
 * has not got), -EBUSY, -ENOMEM. T.
 */
uint32_t ebpf_map_value_size(const struct ebpf_map *map);
int ebpf_map_lookup(struct ebpf_map *map, const void *key, void *value);
int ebpf_map_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags);
int ebpf_map_delete(struct ebpf_map *map, const void *key);
/* Maps without keys (queue, stack, bloom filter): key is NULL, update pushes, lookup peeks (a bloom
 * filter reads value: 0 or -ENOENT), lookup and delete pops. */
/* -ENOTSUPP: not a hash, queue or stack */
int ebpf_map_lookup_and_delete(struct ebpf_map *map, const void *key, void *value);
int ebpf_map_next_key(struct ebpf_map *map, const void *key, void *next); /* key NULL: the first */
/* As BPF_MAP_FREEZE, for good: user mode changes nothing any more, and the caller promises not to.
 * Values of a frozen map with BPF_F_RDONLY_PROG are constants to the verifier. -EPERM: frozen
 * already, or a map that user mode may not write, -EBUSY: a command is changing it. */
int ebpf_map_freeze(struct ebpf_map *map);

/*
 * Reads a BPF_MAP_TYPE_RINGBUF: calls fn for each record that is there, oldest first, and gives its
 * memory back when fn returns; fn returns 0, or stops with -E* (the record counts as read) or with
 * a positive number. One consumer at a time. Returns how many records there were, fn's -E*, or
 * -EINVAL where the consumer's position, which user mode may write, makes no sense. T.
 */
int ebpf_ringbuf_consume(struct ebpf_map *map, int (*fn)(void *ctx, void *data, size_t size),
                         void *ctx);

/*
 * Writes a sample of size bytes to a BPF_MAP_TYPE_USER_RINGBUF, for a program that drains it, as a
 * process that has mapped it would. One producer at a time. 0, -ENOSPC (no room now), -E2BIG
 * (never), -EINVAL (type, or a producer's position that makes no sense). T.
 */
int ebpf_user_ringbuf_post(struct ebpf_map *map, const void *data, uint32_t size);

/* ---- programs, from inside the kernel -------------------------------------------------------- */

struct ebpf_prog;

struct ebpf_prog_spec {
    uint32_t type; /* BPF_PROG_TYPE_* */
    uint32_t expected_attach_type;
    uint32_t flags; /* BPF_F_* of PROG_LOAD */
    const struct bpf_insn *insns;
    uint32_t insn_cnt;
    const char *license;          /* NUL-terminated */
    struct ebpf_map *const *maps; /* what LD_IMM64 with BPF_PSEUDO_MAP_IDX(_VALUE) counts in */
    uint32_t map_cnt;
    uint32_t caps; /* EBPF_CAP_* on whose behalf */
    char name[BPF_OBJ_NAME_LEN];

    /* What follows may be left out, as zeros. Types, and what is known of functions and lines in
     * their terms: func_info and line_info are records of the compiler's .BTF.ext, their insn_off
     * counted in instructions of this program */
    struct ebpf_btf *btf;
    const struct bpf_func_info *func_info;
    uint32_t func_info_cnt;
    const struct bpf_line_info *line_info;
    uint32_t line_info_cnt;
    /* The log: see log_level, log_buf, log_size and log_true_size of bpf(2). Without a buffer the
     * line of a refusal goes to ebpf_os_console() */
    uint32_t log_level, log_size;
    char *log_buf;
    uint32_t *log_true_size;
};

/* As BPF_PROG_LOAD, same errors; maps are named by index, not by fd. Copies what it needs; *out
 * holds one reference, and the program one on each map that it uses, and on btf. T. */
int ebpf_prog_load(const struct ebpf_prog_spec *spec, struct ebpf_prog **out);
struct ebpf_obj *ebpf_prog_obj(struct ebpf_prog *prog);
bool ebpf_prog_is_jited(const struct ebpf_prog *prog);

/* Puts prog into a BPF_MAP_TYPE_PROG_ARRAY at index, as an update with its fd would, for
 * bpf_tail_call(); NULL takes out what is there. The array refers to prog until then, or until only
 * programs refer to the array (ebpf_obj_put()). -EINVAL: another kind of map, or of program than
 * the array has; -E2BIG: index; -ENOENT: nothing to take out. T. */
int ebpf_map_set_prog(struct ebpf_map *map, uint32_t index, struct ebpf_prog *prog);

/* Puts inner into a BPF_MAP_TYPE_ARRAY_OF_MAPS or BPF_MAP_TYPE_HASH_OF_MAPS at key, as an update
 * with its fd would; NULL takes out what is there. The outer map holds a reference until then.
 * -EINVAL: another kind of map, or inner is not like the one that outer was created with; else as
 * ebpf_map_update() and ebpf_map_delete(). T. */
int ebpf_map_set_map(struct ebpf_map *outer, const void *key, struct ebpf_map *inner,
                     uint64_t flags);

/* As BPF_PROG_TEST_RUN on kernel memory (attr->test.*, pointers are kernel addresses). T. */
int ebpf_prog_test_run(struct ebpf_prog *prog, union bpf_attr *attr);

/* ---- links ----------------------------------------------------------------------------------- */

struct ebpf_link;

/* Attaches a BPF_PROG_TYPE_KPROBE program to a kernel address; *out holds one reference and the
 * last put detaches. cookie is what bpf_get_attach_cookie() gives. Errors: -EINVAL (program type)
 * and those of ebpf_kprobe_register(). T. */
int ebpf_link_kprobe(struct ebpf_prog *prog, uint64_t addr, uint64_t cookie,
                     struct ebpf_link **out);
struct ebpf_obj *ebpf_link_obj(struct ebpf_link *link);

#endif /* EBPF_EBPF_H */
