/* SPDX-License-Identifier: MIT */
/* Bringing an object to life: its maps, its programs, and where they are attached. */
#include "src/loader/loader.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/log.h"

/* ---- maps ------------------------------------------------------------------------------------ */

static void unload_map(struct ebpf_object_map *map)
{
    if (map->map && !map->reused) {
        ebpf_obj_put(ebpf_map_obj(map->map));
        map->map = NULL;
    }
}

void ebpf_loader_final_spec(const struct ebpf_object_map *map, struct ebpf_map_spec *out)
{
    *out = map->spec;
    if (out->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY && !out->max_entries)
        out->max_entries = ebpf_os_cpu_count();
}

/* Of those that have keys and values of a program's own. */
static bool spec_has_types(const struct ebpf_map_spec *spec)
{
    switch (spec->type) {
    case BPF_MAP_TYPE_PROG_ARRAY:
    case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
    case BPF_MAP_TYPE_STACK_TRACE:
    case BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case BPF_MAP_TYPE_HASH_OF_MAPS:
    case BPF_MAP_TYPE_QUEUE:
    case BPF_MAP_TYPE_STACK:
    case BPF_MAP_TYPE_RINGBUF:
    case BPF_MAP_TYPE_USER_RINGBUF:
    case BPF_MAP_TYPE_BLOOM_FILTER:
        return false;
    default:
        return true;
    }
}

/* With its types, if the kernel wants them: as libbpf, not every type of map has types for its keys
 * and values. */
static int create_typed(const struct ebpf_object *obj, const struct ebpf_map_spec *asked,
                        struct ebpf_map **out)
{
    struct ebpf_map_spec spec = *asked;
    int err = -EINVAL;

    spec.btf = obj->btf && spec.btf_value_type_id && spec_has_types(&spec) ? obj->btf : NULL;
    if (spec.btf)
        err = ebpf_map_create(&spec, out);
    if (!err || err == -ENOMEM)
        return err;
    spec.btf = NULL;
    spec.btf_key_type_id = spec.btf_value_type_id = 0;
    return ebpf_map_create(&spec, out);
}

/* A map for maps is created from one like those that will be in it. */
static int create_map(struct ebpf_object_map *map, struct ebpf_map_spec *spec)
{
    int err = 0;

    if (map->pinned) {
        ebpf_log("ebpf: object: map %.48s: pinning: there is no BPF file system", map->name);
        return -EOPNOTSUPP;
    }
    if (map->inner)
        err = create_typed(map->obj, map->inner, &spec->inner);
    if (!err)
        err = create_typed(map->obj, spec, &map->map);
    if (spec->inner)
        ebpf_obj_put(ebpf_map_obj(spec->inner));
    return err;
}

static int load_map(struct ebpf_object_map *map)
{
    struct ebpf_map_spec spec;
    const uint32_t zero = 0;
    int err;

    if (map->reused || map->left_out)
        return 0;
    ebpf_loader_final_spec(map, &spec);
    err = create_map(map, &spec);
    if (!err && map->initial)
        err = ebpf_map_update(map->map, &zero, map->initial, BPF_ANY);
    if (!err && map->initial && spec.flags & BPF_F_RDONLY_PROG) /* .rodata: constants */
        err = ebpf_map_freeze(map->map);
    if (err)
        ebpf_log("ebpf: object: map %.48s (type %u, key %u, value %u, entries %u, flags 0x%x): "
                 "error %d",
                 map->name, spec.type, spec.key_size, spec.value_size, spec.max_entries, spec.flags,
                 -err);
    return err;
}

/* Types are a help: an object whose types a kernel does not take can do without them, unless a
 * program needs them, which the verifier says then. */
static int load_btf(struct ebpf_object *obj)
{
    int err = 0;

    if (obj->btf_data)
        err = ebpf_btf_load(obj->btf_data, obj->btf_size, &obj->btf);
    if (err && err != -ENOMEM)
        ebpf_log("ebpf: object: its BTF is not taken: error %d", -err);
    return err == -ENOMEM ? err : 0;
}

/* ---- programs -------------------------------------------------------------------------------- */

/* Names a map that was left out (ebpf_object_map_set_autocreate()): -EINVAL. */
static int check_maps(const struct ebpf_object_prog *prog, const struct bpf_insn *insns,
                      uint32_t insn_cnt)
{
    for (uint32_t i = 0; i < insn_cnt; i++) {
        const struct ebpf_object_map *map;

        if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
            continue;
        if (insns[i].src_reg == BPF_PSEUDO_MAP_IDX ||
            insns[i].src_reg == BPF_PSEUDO_MAP_IDX_VALUE) {
            map = &prog->obj->maps[insns[i].imm];
            if (map->left_out && !map->reused) {
                ebpf_log("ebpf: object: program %.48s: insn %u: map %.48s is not created",
                         prog->name, i, map->name);
                return -EINVAL;
            }
        }
        i++;
    }
    return 0;
}

static int load_prog(struct ebpf_object_prog *prog, struct ebpf_map *const *maps, uint32_t caps)
{
    struct ebpf_object *obj = prog->obj;
    struct ebpf_prog_spec spec = {
        .type = prog->type,
        .expected_attach_type = prog->attach_type,
        .flags = prog->flags,
        .license = obj->license,
        .maps = maps,
        .map_cnt = obj->map_cnt,
        .caps = caps,
        .log_level = prog->log_level,
        .log_size = prog->log_size,
        .log_buf = prog->log_buf,
    };
    struct bpf_insn *insns;
    int err;

    if (!prog->autoload)
        return 0;
    if (prog->type == BPF_PROG_TYPE_UNSPEC) {
        ebpf_log("ebpf: object: program %.48s: section %.48s names no type that is known",
                 prog->name, prog->section);
        return -EINVAL;
    }
    err = ebpf_loader_link(obj, prog->func, &insns, &spec.insn_cnt);
    if (!err) {
        spec.insns = insns;
        ebpf_loader_obj_name(spec.name, prog->name);
        err = check_maps(prog, insns, spec.insn_cnt);
        if (!err)
            err = ebpf_loader_infos(obj, prog->func, &spec);
        if (!err)
            err = ebpf_prog_load(&spec, &prog->prog);
        ebpf_loader_infos_free(&spec);
        ebpf_free(insns, spec.insn_cnt * sizeof(*insns));
    }
    if (err)
        ebpf_log("ebpf: object: program %.48s (%.48s, type %u): error %d", prog->name,
                 prog->section, prog->type, -err);
    return err;
}

static int load_progs(struct ebpf_object *obj, uint32_t caps)
{
    struct ebpf_map **maps = NULL;
    int err = 0;

    if (obj->map_cnt) {
        maps = ebpf_calloc(obj->map_cnt, sizeof(struct ebpf_map *));
        if (!maps)
            return -ENOMEM;
    }
    for (uint32_t i = 0; i < obj->map_cnt; i++)
        maps[i] = obj->maps[i].map;
    for (uint32_t i = 0; !err && i < obj->prog_cnt; i++)
        err = load_prog(&obj->progs[i], maps, caps);
    ebpf_free(maps, obj->map_cnt * sizeof(struct ebpf_map *));
    return err;
}

/* ---- load ------------------------------------------------------------------------------------ */

void ebpf_loader_unload(struct ebpf_object *obj)
{
    for (uint32_t i = 0; i < obj->prog_cnt; i++) {
        ebpf_object_prog_detach(&obj->progs[i]);
        if (obj->progs[i].prog)
            ebpf_obj_put(ebpf_prog_obj(obj->progs[i].prog));
        obj->progs[i].prog = NULL;
    }
    for (uint32_t i = 0; i < obj->map_cnt; i++)
        unload_map(&obj->maps[i]);
    if (obj->btf)
        ebpf_obj_put(ebpf_btf_obj(obj->btf));
    obj->btf = NULL;
    obj->loaded = false;
}

/* What only loading needed. */
static void drop_sources(struct ebpf_object *obj)
{
    for (uint32_t i = 0; i < obj->map_cnt; i++) {
        ebpf_free(obj->maps[i].initial, obj->maps[i].spec.value_size);
        obj->maps[i].initial = NULL;
    }
    for (uint32_t i = 0; i < obj->prog_cnt; i++) {
        ebpf_free(obj->progs[i].insns, obj->progs[i].insn_cnt * sizeof(struct bpf_insn));
        obj->progs[i].insns = NULL;
    }
    ebpf_free(obj->insns, obj->insn_cnt * sizeof(*obj->insns));
    obj->insns = NULL;
}

int ebpf_object_load(struct ebpf_object *obj, uint32_t caps)
{
    int err = 0;

    if (obj->loaded)
        return -EBUSY;
    err = load_btf(obj);
    for (uint32_t i = 0; !err && i < obj->map_cnt; i++)
        err = load_map(&obj->maps[i]);
    if (!err)
        err = ebpf_loader_values_put(obj, false);
    if (!err)
        err = load_progs(obj, caps);
    if (!err)
        err = ebpf_loader_values_put(obj, true);
    if (err) {
        ebpf_loader_unload(obj);
        return err;
    }
    drop_sources(obj);
    obj->loaded = true;
    return 0;
}

/* ---- attach ---------------------------------------------------------------------------------- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* Decimal or 0x..., all of s. 0, -EINVAL */
static int parse_offset(const char *s, uint64_t *out)
{
    int base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;

    s += base == 16 ? 2 : 0;
    *out = 0;
    if (!*s)
        return -EINVAL;
    for (; *s; s++) {
        if (digit_of(*s) >= base || *out > UINT32_MAX)
            return -EINVAL;
        *out = *out * (unsigned)base + (unsigned)digit_of(*s);
    }
    return 0;
}

/* SYMBOL or SYMBOL+OFFSET */
static int resolve_place(const char *place, uint64_t *addr)
{
    struct ebpf_symbol symbol;
    char name[sizeof(symbol.name)];
    size_t len = 0;
    uint64_t offset = 0;
    int err;

    while (place[len] && place[len] != '+')
        len++;
    if (!len || len >= sizeof(name))
        return -EINVAL;
    memcpy(name, place, len);
    name[len] = '\0';
    if (place[len]) {
        err = parse_offset(place + len + 1, &offset);
        if (err)
            return err;
    }
    err = ebpf_os_symbol(name, &symbol);
    if (err)
        return err;
    if (offset >= symbol.size)
        return -EINVAL;
    *addr = symbol.addr + offset;
    return 0;
}

static int attach_kprobe(struct ebpf_object_prog *prog, const char *place)
{
    uint64_t addr;
    int err = resolve_place(place, &addr);

    return err ? err : ebpf_link_kprobe(prog->prog, addr, 0, &prog->link);
}

static int attach(struct ebpf_object_prog *prog)
{
    const char *place = prog->section + ebpf_strlen(prog->def->name);

    if (prog->def->attach == EBPF_ATTACH_NONE)
        return -EOPNOTSUPP;
    return *place ? attach_kprobe(prog, place + 1) : -EINVAL;
}

int ebpf_object_prog_attach(struct ebpf_object_prog *prog)
{
    int err;

    if (prog->link)
        return -EBUSY;
    if (!prog->prog || !prog->def)
        return -EINVAL;
    err = attach(prog);
    if (err)
        ebpf_log("ebpf: object: program %.48s: not attached to %.48s: error %d", prog->name,
                 prog->section, -err);
    return err;
}

int ebpf_object_prog_detach(struct ebpf_object_prog *prog)
{
    if (!prog->link)
        return -ENOENT;
    ebpf_obj_put(ebpf_link_obj(prog->link));
    prog->link = NULL;
    return 0;
}
