/* SPDX-License-Identifier: MIT */
/*
 * The library's in-kernel interface (<ebpf/ebpf.h>) once more, for user mode: each function is a
 * bpf(2) system call and each object an fd. Linked in front of the library's archive, it makes the
 * ELF loader of <ebpf/object.h>, the same machine code that the kernel has, work in a user program.
 */
#include "bpfsys.h"

#include <ebpf/ebpf.h>

#include "lib.h"

struct ebpf_obj {
    int fd;
    uint32_t refs;
};

struct ebpf_map {
    struct ebpf_obj obj; /* first in all four */
    struct ebpf_map_spec spec;
};

struct ebpf_prog {
    struct ebpf_obj obj;
};

struct ebpf_btf {
    struct ebpf_obj obj;
};

struct ebpf_link {
    struct ebpf_obj obj;
};

static uint64_t ptr(const void *p)
{
    return (uint64_t)p;
}

/* ---- what the library asks of a kernel ------------------------------------------------------- */

void *ebpf_os_alloc(size_t size)
{
    return malloc(size);
}

void ebpf_os_free(void *p, size_t size)
{
    (void)size;
    free(p);
}

void ebpf_os_console(const char *line)
{
    puts(line);
}

/*
 * User mode knows no kernel addresses, but the kernel attaches by name. So each name asked for gets
 * an address of its own that ebpf_link_kprobe() turns back into the name; whether the function
 * exists shows there.
 */
#define SYMBOLS 16
#define SYMBOL_SIZE 0x1000u
static char symbols[SYMBOLS][128];

int ebpf_os_symbol(const char *name, struct ebpf_symbol *out)
{
    unsigned i = 0;

    if (strlen(name) >= sizeof(symbols[0]))
        return -ENOENT;
    while (i < SYMBOLS && symbols[i][0] && strcmp(symbols[i], name))
        i++;
    if (i == SYMBOLS)
        return -ENOMEM;
    strlcpy(symbols[i], name, sizeof(symbols[i]));
    out->addr = (i + 1) * SYMBOL_SIZE;
    out->size = SYMBOL_SIZE;
    strlcpy(out->name, name, sizeof(out->name));
    return 0;
}

/* ---- objects --------------------------------------------------------------------------------- */

static void *object_create(size_t size, int fd)
{
    struct ebpf_obj *obj = calloc(1, size);

    if (!obj) {
        close(fd);
        return NULL;
    }
    obj->fd = fd;
    obj->refs = 1;
    return obj;
}

void ebpf_obj_get(struct ebpf_obj *obj)
{
    obj->refs++;
}

void ebpf_obj_put(struct ebpf_obj *obj)
{
    if (--obj->refs)
        return;
    close(obj->fd);
    free(obj);
}

struct ebpf_obj *ebpf_map_obj(struct ebpf_map *map)
{
    return &map->obj;
}

struct ebpf_obj *ebpf_prog_obj(struct ebpf_prog *prog)
{
    return &prog->obj;
}

struct ebpf_obj *ebpf_link_obj(struct ebpf_link *link)
{
    return &link->obj;
}

int object_fd(const struct ebpf_obj *obj)
{
    return obj->fd;
}

/* ---- types ----------------------------------------------------------------------------------- */

int ebpf_btf_load(const void *data, size_t size, struct ebpf_btf **out)
{
    union bpf_attr attr;
    int fd;

    memset(&attr, 0, sizeof(attr));
    attr.btf = ptr(data);
    attr.btf_size = (uint32_t)size;
    fd = bpf(BPF_BTF_LOAD, &attr, sizeof(attr));
    if (fd < 0)
        return fd;
    *out = object_create(sizeof(**out), fd);
    return *out ? 0 : -ENOMEM;
}

struct ebpf_obj *ebpf_btf_obj(struct ebpf_btf *btf)
{
    return &btf->obj;
}

/* ---- maps ------------------------------------------------------------------------------------ */

int ebpf_map_create(const struct ebpf_map_spec *spec, struct ebpf_map **out)
{
    union bpf_attr attr;
    int fd;

    memset(&attr, 0, sizeof(attr));
    attr.map_type = spec->type;
    attr.key_size = spec->key_size;
    attr.value_size = spec->value_size;
    attr.max_entries = spec->max_entries;
    attr.map_flags = spec->flags;
    if (strchr(spec->name, '.')) /* global variables: user mode may map them, as with libbpf */
        attr.map_flags |= BPF_F_MMAPABLE;
    attr.map_extra = spec->map_extra;
    attr.numa_node = spec->numa_node;
    if (spec->inner)
        attr.inner_map_fd = (uint32_t)spec->inner->obj.fd;
    if (spec->btf && spec->btf_value_type_id) {
        attr.btf_fd = (uint32_t)spec->btf->obj.fd;
        attr.btf_key_type_id = spec->btf_key_type_id;
        attr.btf_value_type_id = spec->btf_value_type_id;
    }
    memcpy(attr.map_name, spec->name, sizeof(attr.map_name));
    fd = bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
    if (fd < 0)
        return fd;
    *out = object_create(sizeof(**out), fd);
    if (!*out)
        return -ENOMEM;
    (*out)->spec = *spec;
    (*out)->spec.inner = NULL; /* only looked at */
    (*out)->spec.btf = NULL;
    return 0;
}

void ebpf_map_spec(const struct ebpf_map *map, struct ebpf_map_spec *out)
{
    *out = map->spec;
}

/* Per-CPU maps have one value per CPU, and how many those are only the kernel knows: programs that
 * want them use bpf(2). */
uint32_t ebpf_map_value_size(const struct ebpf_map *map)
{
    return map->spec.value_size;
}

static int element(int cmd, const struct ebpf_map *map, const void *key, const void *value,
                   uint64_t flags)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)map->obj.fd;
    attr.key = ptr(key);
    attr.value = ptr(value);
    attr.flags = flags;
    return bpf(cmd, &attr, sizeof(attr));
}

int ebpf_map_lookup(struct ebpf_map *map, const void *key, void *value)
{
    return element(BPF_MAP_LOOKUP_ELEM, map, key, value, 0);
}

int ebpf_map_freeze(struct ebpf_map *map)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)map->obj.fd;
    return bpf(BPF_MAP_FREEZE, &attr, sizeof(attr));
}

int ebpf_map_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
    return element(BPF_MAP_UPDATE_ELEM, map, key, value, flags);
}

int ebpf_map_delete(struct ebpf_map *map, const void *key)
{
    return element(BPF_MAP_DELETE_ELEM, map, key, NULL, 0);
}

int ebpf_map_next_key(struct ebpf_map *map, const void *key, void *next)
{
    return element(BPF_MAP_GET_NEXT_KEY, map, key, next, 0);
}

int ebpf_map_set_prog(struct ebpf_map *map, uint32_t index, struct ebpf_prog *prog)
{
    return prog ? ebpf_map_update(map, &index, &prog->obj.fd, BPF_ANY)
                : ebpf_map_delete(map, &index);
}

int ebpf_map_set_map(struct ebpf_map *outer, const void *key, struct ebpf_map *inner,
                     uint64_t flags)
{
    return inner ? ebpf_map_update(outer, key, &inner->obj.fd, flags) : ebpf_map_delete(outer, key);
}

/* ---- programs -------------------------------------------------------------------------------- */

/* In place: references to maps by their index become references by fd. */
static int name_maps_by_fd(struct bpf_insn *insns, const struct ebpf_prog_spec *spec)
{
    for (uint32_t i = 0; i < spec->insn_cnt; i++) {
        struct bpf_insn *insn = &insns[i];
        if (insn->code != (BPF_LD | BPF_IMM | BPF_DW))
            continue;
        i++; /* it has two slots */
        if (insn->src_reg != BPF_PSEUDO_MAP_IDX && insn->src_reg != BPF_PSEUDO_MAP_IDX_VALUE)
            continue;
        if ((uint32_t)insn->imm >= spec->map_cnt)
            return -EINVAL;
        insn->src_reg =
            insn->src_reg == BPF_PSEUDO_MAP_IDX ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
        insn->imm = spec->maps[insn->imm]->obj.fd;
    }
    return 0;
}

static void name_types(union bpf_attr *attr, const struct ebpf_prog_spec *spec)
{
    if (!spec->btf)
        return;
    attr->prog_btf_fd = (uint32_t)spec->btf->obj.fd;
    attr->func_info_rec_size = sizeof(*spec->func_info);
    attr->func_info = ptr(spec->func_info);
    attr->func_info_cnt = spec->func_info_cnt;
    attr->line_info_rec_size = sizeof(*spec->line_info);
    attr->line_info = ptr(spec->line_info);
    attr->line_info_cnt = spec->line_info_cnt;
}

/* What was refused once is loaded again, for the log: the end of it is what matters. */
static int load_with_log(union bpf_attr *attr)
{
    static char log[2048];
    int fd;

    attr->log_level = 1;
    attr->log_buf = ptr(log);
    attr->log_size = sizeof(log);
    log[0] = 0;
    fd = bpf(BPF_PROG_LOAD, attr, sizeof(*attr));
    if (fd < 0)
        printf("%.16s: %s%s", attr->prog_name, log, log[0] ? "" : "no log\n");
    return fd;
}

int ebpf_prog_load(const struct ebpf_prog_spec *spec, struct ebpf_prog **out)
{
    struct bpf_insn *insns = malloc(spec->insn_cnt * sizeof(*insns));
    union bpf_attr attr;
    int fd;

    if (!insns)
        return -ENOMEM;
    memcpy(insns, spec->insns, spec->insn_cnt * sizeof(*insns));
    fd = name_maps_by_fd(insns, spec);
    if (fd == 0) {
        memset(&attr, 0, sizeof(attr));
        attr.prog_type = spec->type;
        attr.expected_attach_type = spec->expected_attach_type;
        if (spec->type ==
            BPF_PROG_TYPE_KPROBE) /* as Linux wants it for what ebpf_link_kprobe() does below */
            attr.expected_attach_type = BPF_TRACE_KPROBE_MULTI;
        attr.prog_flags = spec->flags;
        attr.insns = ptr(insns);
        attr.insn_cnt = spec->insn_cnt;
        attr.license = ptr(spec->license);
        name_types(&attr, spec);
        memcpy(attr.prog_name, spec->name, sizeof(attr.prog_name));
        fd = bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
        if (fd < 0)
            fd = load_with_log(&attr);
    }
    free(insns);
    if (fd < 0)
        return fd;
    *out = object_create(sizeof(**out), fd);
    return *out ? 0 : -ENOMEM;
}

/* ---- links ----------------------------------------------------------------------------------- */

int ebpf_link_kprobe(struct ebpf_prog *prog, uint64_t addr, uint64_t cookie, struct ebpf_link **out)
{
    union bpf_attr attr;
    uint64_t index = addr / SYMBOL_SIZE - 1, name;
    int fd;

    if (addr < SYMBOL_SIZE || index >= SYMBOLS || !symbols[index][0])
        return -ENOENT;
    if (addr % SYMBOL_SIZE)
        return -EOPNOTSUPP; /* the system call knows name + offset only as an address */
    name = ptr(symbols[index]);
    memset(&attr, 0, sizeof(attr));
    attr.link_create.prog_fd = (uint32_t)prog->obj.fd;
    attr.link_create.attach_type = BPF_TRACE_KPROBE_MULTI;
    attr.link_create.kprobe_multi.cnt = 1;
    attr.link_create.kprobe_multi.syms = ptr(&name);
    attr.link_create.kprobe_multi.cookies = ptr(&cookie);
    fd = bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
    if (fd < 0)
        return fd;
    *out = object_create(sizeof(**out), fd);
    return *out ? 0 : -ENOMEM;
}

/* ---- bpfsys.h -------------------------------------------------------------------------------- */

/* A lookup in a per-CPU map writes one value, rounded up to 8 bytes, for each CPU: count those that
 * were written. */
unsigned possible_cpus(void)
{
    static const struct ebpf_map_spec spec = {.type = BPF_MAP_TYPE_PERCPU_ARRAY,
                                              .key_size = 4,
                                              .value_size = 8,
                                              .max_entries = 1,
                                              .name = "cpus"};
    static uint64_t values[MAX_CPUS];
    struct ebpf_map *map;
    uint32_t key = 0;
    unsigned n = 0;

    memset(values, 0x5a, sizeof(values));
    if (ebpf_map_create(&spec, &map))
        return 0;
    if (ebpf_map_lookup(map, &key, values) == 0)
        while (n < MAX_CPUS && !values[n])
            n++;
    ebpf_obj_put(&map->obj);
    return n;
}

unsigned ebpf_os_cpu_count(void)
{
    return possible_cpus();
}

struct ebpf_object *open_object(const char *path)
{
    struct ebpf_object *obj;
    long size;
    void *elf = read_file(path, &size);
    int err = elf ? ebpf_object_open_mem(elf, (size_t)size, &obj) : (int)size;

    if (err) {
        printf("%s: %s\n", path, strerror(err));
        return NULL;
    }
    free(elf);
    return obj;
}

int load_object(struct ebpf_object *obj)
{
    int err = ebpf_object_load(obj, EBPF_CAP_ALL);

    if (err)
        printf("load: %s\n", strerror(err));
    return err;
}

int attach_prog(struct ebpf_object *obj, const char *name)
{
    struct ebpf_object_prog *prog = ebpf_object_find_prog(obj, name);
    int err = prog ? ebpf_object_prog_attach(prog) : -ENOENT;

    if (err)
        printf("attach %s: %s\n", name, strerror(err));
    return err;
}

int detach_prog(struct ebpf_object *obj, const char *name)
{
    int err = ebpf_object_prog_detach(ebpf_object_find_prog(obj, name));

    if (err)
        printf("detach %s: %s\n", name, strerror(err));
    return err;
}

int prog_fd(struct ebpf_object *obj, const char *name)
{
    return ebpf_object_prog_prog(ebpf_object_find_prog(obj, name))->obj.fd;
}

int prog_misses(struct ebpf_object *obj, const char *name, uint64_t *misses)
{
    struct ebpf_object_prog *prog = ebpf_object_find_prog(obj, name);
    struct bpf_prog_info info;
    union bpf_attr attr;
    int err;

    memset(&info, 0, sizeof(info));
    memset(&attr, 0, sizeof(attr));
    attr.info.bpf_fd = (uint32_t)ebpf_object_prog_prog(prog)->obj.fd;
    attr.info.info_len = sizeof(info);
    attr.info.info = ptr(&info);
    err = bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
    *misses = info.recursion_misses;
    return err;
}

int read_element(struct ebpf_object *obj, const char *map, uint32_t key, void *value)
{
    struct ebpf_object_map *found = ebpf_object_find_map(obj, map);

    return found ? ebpf_map_lookup(ebpf_object_map_map(found), &key, value) : -ENOENT;
}

struct ebpf_map *find_map(struct ebpf_object *obj, const char *name)
{
    struct ebpf_object_map *found = ebpf_object_find_map(obj, name);

    if (!found)
        printf("no map is called %s\n", name);
    return found ? ebpf_object_map_map(found) : NULL;
}

int map_fd(struct ebpf_object *obj, const char *name)
{
    struct ebpf_map *map = find_map(obj, name);

    return map ? map->obj.fd : -ENOENT;
}

void *map_globals(struct ebpf_object *obj, const char *section)
{
    struct ebpf_map *map = find_map(obj, section);
    void *at;

    if (!map)
        return NULL;
    at = mmap(NULL, map->spec.value_size, PROT_READ | PROT_WRITE, MAP_SHARED, map->obj.fd, 0);
    if (MMAP_FAILED(at)) {
        printf("mmap of %s: %s\n", section, strerror((int)(long)at));
        return NULL;
    }
    return at;
}
