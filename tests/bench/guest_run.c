/* SPDX-License-Identifier: MIT */
/*
 * The benchmark's runner on the teaching kernel, as the first process: runs every program of every
 * object in /bench through BPF_PROG_TEST_RUN. Prints for each `RUN NAME ret= ns= load= xlated=
 * jited= obj=`, as linux_run.c, its twin, does; or `UNSUPPORTED NAME obj= REASON` where this kernel
 * lacks what the object wants.
 */
#include "bpfsys.h"
#include "lib.h"

#include "packet.h"
#include "uthash_rows.h"

static uint64_t ptr(const void *p)
{
    return (uint64_t)p;
}

static int fd_of_map(const struct ebpf_object_map *map)
{
    return object_fd(ebpf_map_obj(ebpf_object_map_map(map)));
}

static int fd_of_prog(const struct ebpf_object_prog *prog)
{
    return object_fd(ebpf_prog_obj(ebpf_object_prog_prog(prog)));
}

static void fill_tails(struct ebpf_object *obj)
{
    struct ebpf_object_map *map = ebpf_object_find_map(obj, BENCH_TAIL_MAP);

    for (uint32_t i = 0; map && i < sizeof(bench_tails) / sizeof(bench_tails[0]); i++) {
        struct ebpf_object_prog *prog = ebpf_object_find_prog(obj, bench_tails[i]);
        int fd = prog ? fd_of_prog(prog) : -1;
        int err = fd < 0 ? 0 : ebpf_map_update(ebpf_object_map_map(map), &i, &fd, 0);
        if (err)
            printf("FAIL %s in the program array: %s\n", bench_tails[i], strerror(err));
    }
}

/* ---- what PROG_LOAD costs -------------------------------------------------------------------- */

struct code {
    struct bpf_insn *insns;
    uint32_t cnt;
};

/* A copy from before ebpf_object_load(): references to maps are by their place in the object. */
static struct code copy_code(const struct ebpf_object_prog *prog)
{
    struct code code = {NULL, 0};
    const struct bpf_insn *insns = ebpf_object_prog_insns(prog, &code.cnt);

    code.insns = insns ? malloc(code.cnt * sizeof(*insns)) : NULL;
    if (code.insns)
        memcpy(code.insns, insns, code.cnt * sizeof(*insns));
    return code;
}

/* After ebpf_object_load(): by fd. */
static void name_maps_by_fd(const struct code *code, struct ebpf_object *obj)
{
    for (uint32_t i = 0; i < code->cnt; i++) {
        struct bpf_insn *insn = &code->insns[i];
        struct ebpf_object_map *map;
        if (insn->code != (BPF_LD | BPF_IMM | BPF_DW))
            continue;
        i++; /* it has two slots */
        if (insn->src_reg != BPF_PSEUDO_MAP_IDX && insn->src_reg != BPF_PSEUDO_MAP_IDX_VALUE)
            continue;
        map = ebpf_object_next_map(obj, NULL);
        while (map && insn->imm-- > 0)
            map = ebpf_object_next_map(obj, map);
        insn->src_reg =
            insn->src_reg == BPF_PSEUDO_MAP_IDX ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
        insn->imm = map ? fd_of_map(map) : -1;
    }
}

/* Cost of BPF_PROG_LOAD alone (copy, check, compile), or an error. */
static int64_t load_cost(const struct code *code, uint32_t type)
{
    int64_t best = -1;

    for (int i = 0; i < BENCH_LOADS; i++) {
        union bpf_attr attr;
        uint64_t start, cost;
        int fd;
        memset(&attr, 0, sizeof(attr));
        attr.prog_type = type;
        if (type == BPF_PROG_TYPE_XDP)
            attr.expected_attach_type = BPF_XDP; /* as SEC("xdp") says, and program arrays care */
        attr.insns = ptr(code->insns);
        attr.insn_cnt = code->cnt;
        attr.license = ptr("GPL");
        start = time_ns();
        fd = bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
        cost = time_ns() - start;
        if (fd < 0)
            return fd;
        close(fd);
        if (best < 0 || (int64_t)cost < best)
            best = (int64_t)cost;
    }
    return best;
}

/* ---- objects --------------------------------------------------------------------------------- */

static int test_run(int fd, union bpf_attr *attr)
{
    memset(attr, 0, sizeof(*attr));
    attr->test.prog_fd = (uint32_t)fd;
    attr->test.data_in = ptr(bench_packet);
    attr->test.data_size_in = BENCH_PACKET_SIZE;
    attr->test.repeat = BENCH_REPEAT;
    return bpf(BPF_PROG_TEST_RUN, attr, sizeof(*attr));
}

static int get_info(int fd, struct bpf_prog_info *info)
{
    union bpf_attr attr;

    memset(info, 0, sizeof(*info));
    memset(&attr, 0, sizeof(attr));
    attr.info.bpf_fd = (uint32_t)fd;
    attr.info.info_len = sizeof(*info);
    attr.info.info = ptr(info);
    return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
}

static void run_prog(const struct ebpf_object_prog *prog, const struct code *code, const char *file)
{
    const char *name = ebpf_object_prog_name(prog);
    struct bpf_prog_info info;
    union bpf_attr test;
    int64_t load = 0;
    int err = test_run(fd_of_prog(prog), &test);

    if (!err)
        err = get_info(fd_of_prog(prog), &info);
    if (!err) {
        load = load_cost(code, ebpf_object_prog_type(prog));
        err = load < 0 ? (int)load : 0;
    }
    if (err == -ENOTSUPP)
        printf("UNSUPPORTED %s obj=%s its type cannot be test-run\n", name, file);
    else if (err)
        printf("FAIL %s obj=%s test run, or load: %s\n", name, file, strerror(err));
    else
        printf("RUN %s ret=%u ns=%u load=%ld xlated=%u jited=%u obj=%s\n", name, test.test.retval,
               test.test.duration, load, info.xlated_prog_len, info.jited_prog_len, file);
}

/* The first map whose type this kernel does not have; 0: it has all. */
static uint32_t lacks_map_type(struct ebpf_object *obj)
{
    struct ebpf_object_map *map = NULL;

    while ((map = ebpf_object_next_map(obj, map)) != NULL) {
        struct ebpf_map_spec spec;
        struct ebpf_map *probe;
        int err;
        ebpf_object_map_spec(map, &spec);
        err = ebpf_map_create(&spec, &probe);
        if (err == -EINVAL)
            return spec.type;
        if (!err)
            ebpf_obj_put(ebpf_map_obj(probe));
    }
    return 0;
}

/* Says for each program of the object that it could not be loaded. */
static void refused(struct ebpf_object *obj, const char *file, int err)
{
    uint32_t type = lacks_map_type(obj);
    struct ebpf_object_prog *prog = NULL;

    while ((prog = ebpf_object_next_prog(obj, prog)) != NULL) {
        const char *name = ebpf_object_prog_name(prog);
        if (type)
            printf("UNSUPPORTED %s obj=%s no map type %u\n", name, file, type);
        else
            printf("FAIL %s obj=%s load: %s\n", name, file, strerror(err));
    }
}

static void run_object(const char *file)
{
    static struct code codes[64];
    struct ebpf_object_prog *prog = NULL;
    struct ebpf_object *obj;
    char path[300];
    int n = 0, err;

    snprintf(path, sizeof(path), "/bench/%s", file);
    obj = open_object(path);
    if (!obj) {
        printf("FAIL %s obj=%s open\n", file, file);
        return;
    }
    while (n < 64 && (prog = ebpf_object_next_prog(obj, prog)) != NULL)
        codes[n++] = copy_code(prog);
    err = load_object(obj);
    if (err) {
        refused(obj, file, err);
    } else {
        fill_tails(obj);
        prog = NULL;
        for (int i = 0; i < n; i++) {
            prog = ebpf_object_next_prog(obj, prog);
            name_maps_by_fd(&codes[i], obj);
            run_prog(prog, &codes[i], file);
        }
    }
    ebpf_object_close(obj);
}

/* Runs all objects of /bench in the directory's order. */
static int run_all(void)
{
    static char entries[32768];
    int fd = open("/bench", O_RDONLY);
    long len = fd < 0 ? fd : getdents64(fd, entries, sizeof(entries));

    for (long at = 0; at < len;) {
        const struct dirent64 *entry = (const void *)(entries + at);
        if (strstr(entry->d_name, ".bpf.o"))
            run_object(entry->d_name);
        at += entry->d_reclen;
    }
    return len < 0 ? (int)len : 0;
}

int main(void)
{
    struct utsname name;
    int err = 0;

    uname(&name);
    printf("KERNEL %s %s %s\n", name.sysname, name.release, name.machine);
    for (int i = 0; i < BENCH_ROUNDS && !err; i++)
        err = run_all();
    uthash_rows();
    if (err)
        printf("FAIL /bench: %s\n", strerror(err));
    else
        printf("DONE\n");
    return power_off();
}
