/* SPDX-License-Identifier: MIT */
/* Opening and closing objects, and what can be asked of them and changed before they are loaded. */
#include "src/loader/loader.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"

/* ---- names ----------------------------------------------------------------------------------- */

char *ebpf_loader_strdup(const char *s)
{
    return ebpf_memdup(s, ebpf_strlen(s) + 1);
}

void ebpf_loader_strfree(char *s)
{
    if (s)
        ebpf_free(s, ebpf_strlen(s) + 1);
}

static bool allowed_in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

void ebpf_loader_obj_name(char *dst, const char *name)
{
    ebpf_strlcpy(dst, name, BPF_OBJ_NAME_LEN);
    for (; *dst; dst++) {
        if (!allowed_in_name(*dst))
            *dst = '_';
    }
}

/* ---- open ------------------------------------------------------------------------------------ */

static int read_btf(struct ebpf_loader *ld)
{
    uint32_t section = ebpf_loader_section(&ld->elf, EBPF_SEC_BTF);
    uint8_t *data;
    int err;

    if (!section || !ld->elf.sections[section].size)
        return 0;
    if (ld->elf.sections[section].size > UINT32_MAX)
        return ebpf_elf_refuse(&ld->elf, section, 0, -E2BIG, "too large");
    err = ebpf_loader_relocated(&ld->elf, section, &data);
    if (err)
        return err;
    return ebpf_elf_btf_parse(&ld->btf, &ld->elf, section, data, ld->elf.sections[section].size);
}

/* char LICENSE[] SEC("license") = "GPL"; assembly may leave out the NUL */
static int read_license(struct ebpf_loader *ld)
{
    uint32_t section = ebpf_loader_section(&ld->elf, EBPF_SEC_LICENSE);
    const struct ebpf_elf_section *sec = &ld->elf.sections[section];
    size_t len;

    if (!section || !sec->size)
        return 0;
    len = ebpf_strnlen((const char *)sec->data, sec->size);
    if (len >= sizeof(ld->obj->license))
        return ebpf_elf_refuse(&ld->elf, section, sizeof(ld->obj->license) - 1, -EINVAL,
                               "license is longer than %u bytes",
                               (unsigned)sizeof(ld->obj->license) - 1);
    memcpy(ld->obj->license, sec->data, len);
    return 0;
}

static int read_object(struct ebpf_loader *ld)
{
    int err = ebpf_loader_classify(&ld->elf);

    if (!err)
        err = read_license(ld);
    if (!err)
        err = read_btf(ld);
    if (!err)
        err = ebpf_loader_maps(ld);
    if (!err)
        err = ebpf_loader_btf_keep(ld);
    if (!err)
        err = ebpf_loader_funcs(ld);
    if (!err)
        err = ebpf_loader_relocate(ld);
    if (!err)
        err = ebpf_loader_ext(ld);
    return err;
}

int ebpf_object_open_mem(const void *elf, size_t size, struct ebpf_object **out)
{
    struct ebpf_loader ld = {0};
    int err;

    if (!elf || !out)
        return -EINVAL;
    ld.obj = ebpf_zalloc(sizeof(*ld.obj));
    if (!ld.obj)
        return -ENOMEM;
    err = ebpf_elf_open(&ld.elf, elf, size);
    if (err)
        goto close_object;
    err = read_object(&ld);
    ebpf_elf_btf_free(&ld.btf);
    ebpf_elf_close(&ld.elf);
    if (err)
        goto close_object;
    *out = ld.obj;
    return 0;
close_object:
    ebpf_object_close(ld.obj);
    return err;
}

/* ---- close ----------------------------------------------------------------------------------- */

static void fini_map(struct ebpf_object_map *map)
{
    if (map->map)
        ebpf_obj_put(ebpf_map_obj(map->map));
    ebpf_free(map->initial, map->spec.value_size);
    ebpf_free(map->inner, sizeof(*map->inner));
    ebpf_loader_strfree(map->name);
}

static void fini_prog(struct ebpf_object_prog *prog)
{
    ebpf_free(prog->insns, prog->insn_cnt * sizeof(*prog->insns));
    ebpf_loader_strfree(prog->name);
    ebpf_loader_strfree(prog->section);
}

void ebpf_object_close(struct ebpf_object *obj)
{
    if (!obj)
        return;
    ebpf_loader_unload(obj);
    for (uint32_t i = 0; i < obj->prog_cnt; i++)
        fini_prog(&obj->progs[i]);
    for (uint32_t i = 0; i < obj->map_cnt; i++)
        fini_map(&obj->maps[i]);
    for (uint32_t i = 0; obj->funcs && i < obj->func_cnt; i++)
        ebpf_loader_strfree(obj->funcs[i].why);
    ebpf_free(obj->func_infos.list, obj->func_infos.room * sizeof(struct ebpf_loader_info));
    ebpf_free(obj->line_infos.list, obj->line_infos.room * sizeof(struct ebpf_loader_info));
    ebpf_free(obj->btf_data, obj->btf_size);
    ebpf_free(obj->values, obj->value_room * sizeof(*obj->values));
    ebpf_free(obj->insns, obj->insn_cnt * sizeof(*obj->insns));
    ebpf_free(obj->progs, obj->prog_room * sizeof(*obj->progs));
    ebpf_free(obj->funcs, obj->func_cnt * sizeof(*obj->funcs));
    ebpf_free(obj->maps, obj->map_room * sizeof(*obj->maps));
    ebpf_free(obj, sizeof(*obj));
}

int ebpf_object_core_as_compiled(struct ebpf_object *obj)
{
    if (obj->loaded)
        return -EBUSY;
    for (uint32_t i = 0; i < obj->func_cnt; i++)
        obj->funcs[i].core_offset = EBPF_LOADER_NONE;
    return 0;
}

/* ---- maps ------------------------------------------------------------------------------------ */

const char *ebpf_object_license(const struct ebpf_object *obj)
{
    return obj->license;
}

struct ebpf_object_map *ebpf_object_next_map(struct ebpf_object *obj, struct ebpf_object_map *prev)
{
    uint32_t next = prev ? (uint32_t)(prev - obj->maps) + 1 : 0;

    return next < obj->map_cnt ? &obj->maps[next] : NULL;
}

struct ebpf_object_map *ebpf_object_find_map(struct ebpf_object *obj, const char *name)
{
    for (uint32_t i = 0; i < obj->map_cnt; i++) {
        if (ebpf_streq(obj->maps[i].name, name))
            return &obj->maps[i];
    }
    return NULL;
}

const char *ebpf_object_map_name(const struct ebpf_object_map *map)
{
    return map->name;
}

void ebpf_object_map_spec(const struct ebpf_object_map *map, struct ebpf_map_spec *out)
{
    *out = map->spec;
}

int ebpf_object_map_set_max_entries(struct ebpf_object_map *map, uint32_t max_entries)
{
    if (map->obj->loaded || map->reused)
        return -EBUSY;
    if (map->is_data && max_entries != 1)
        return -EINVAL;
    map->spec.max_entries = ebpf_loader_max_entries(map->spec.type, max_entries);
    return 0;
}

int ebpf_object_map_reuse(struct ebpf_object_map *map, struct ebpf_map *existing)
{
    struct ebpf_map_spec has, wants;

    if (map->obj->loaded)
        return -EBUSY;
    if (!existing)
        return -EINVAL;
    ebpf_map_spec(existing, &has);
    ebpf_loader_final_spec(map, &wants);
    if (has.type != wants.type || has.key_size != wants.key_size ||
        has.value_size != wants.value_size || has.max_entries != wants.max_entries ||
        has.flags != wants.flags)
        return -EINVAL;
    ebpf_obj_get(ebpf_map_obj(existing));
    if (map->map)
        ebpf_obj_put(ebpf_map_obj(map->map));
    map->map = existing;
    map->reused = true;
    return 0;
}

int ebpf_object_map_set_autocreate(struct ebpf_object_map *map, bool create)
{
    if (map->obj->loaded)
        return -EBUSY;
    map->left_out = !create;
    return 0;
}

bool ebpf_object_map_pinned(const struct ebpf_object_map *map)
{
    return map->pinned;
}

int ebpf_object_map_set_pinned(struct ebpf_object_map *map, bool pinned)
{
    if (map->obj->loaded)
        return -EBUSY;
    map->pinned = pinned;
    return 0;
}

void *ebpf_object_map_initial(struct ebpf_object_map *map, size_t *size)
{
    if (map->obj->loaded || !map->is_data)
        return NULL;
    if (!map->initial)
        map->initial = ebpf_zalloc(map->spec.value_size);
    if (map->initial)
        *size = map->spec.value_size;
    return map->initial;
}

struct ebpf_map *ebpf_object_map_map(const struct ebpf_object_map *map)
{
    return map->obj->loaded ? map->map : NULL;
}

/* ---- programs -------------------------------------------------------------------------------- */

struct ebpf_object_prog *ebpf_object_next_prog(struct ebpf_object *obj,
                                               struct ebpf_object_prog *prev)
{
    uint32_t next = prev ? (uint32_t)(prev - obj->progs) + 1 : 0;

    return next < obj->prog_cnt ? &obj->progs[next] : NULL;
}

struct ebpf_object_prog *ebpf_object_find_prog(struct ebpf_object *obj, const char *name)
{
    for (uint32_t i = 0; i < obj->prog_cnt; i++) {
        if (ebpf_streq(obj->progs[i].name, name))
            return &obj->progs[i];
    }
    return NULL;
}

const char *ebpf_object_prog_name(const struct ebpf_object_prog *prog)
{
    return prog->name;
}

const char *ebpf_object_prog_section(const struct ebpf_object_prog *prog)
{
    return prog->section;
}

uint32_t ebpf_object_prog_type(const struct ebpf_object_prog *prog)
{
    return prog->type;
}

int ebpf_object_prog_set_type(struct ebpf_object_prog *prog, uint32_t type)
{
    if (prog->obj->loaded)
        return -EBUSY;
    prog->type = type;
    return 0;
}

uint32_t ebpf_object_prog_attach_type(const struct ebpf_object_prog *prog)
{
    return prog->attach_type;
}

int ebpf_object_prog_set_attach_type(struct ebpf_object_prog *prog, uint32_t attach_type)
{
    if (prog->obj->loaded)
        return -EBUSY;
    prog->attach_type = attach_type;
    return 0;
}

uint32_t ebpf_object_prog_flags(const struct ebpf_object_prog *prog)
{
    return prog->flags;
}

int ebpf_object_prog_set_flags(struct ebpf_object_prog *prog, uint32_t flags)
{
    if (prog->obj->loaded)
        return -EBUSY;
    prog->flags = flags;
    return 0;
}

int ebpf_object_prog_set_log(struct ebpf_object_prog *prog, uint32_t level, char *buf,
                             uint32_t size)
{
    if (prog->obj->loaded)
        return -EBUSY;
    prog->log_level = level;
    prog->log_buf = buf;
    prog->log_size = size;
    return 0;
}

int ebpf_object_prog_set_autoload(struct ebpf_object_prog *prog, bool load)
{
    if (prog->obj->loaded)
        return -EBUSY;
    prog->autoload = load;
    return 0;
}

const struct bpf_insn *ebpf_object_prog_insns(const struct ebpf_object_prog *prog,
                                              uint32_t *insn_cnt)
{
    struct ebpf_object_prog *cached = &prog->obj->progs[prog - prog->obj->progs];

    if (prog->obj->loaded)
        return NULL;
    if (!prog->insns &&
        ebpf_loader_link(prog->obj, prog->func, &cached->insns, &cached->insn_cnt) < 0)
        return NULL;
    *insn_cnt = prog->insn_cnt;
    return prog->insns;
}

struct ebpf_prog *ebpf_object_prog_prog(const struct ebpf_object_prog *prog)
{
    return prog->prog;
}
