/* SPDX-License-Identifier: MIT */
/*
 * Initial values of maps whose values are objects, as bpf_helpers.h writes them:
 *
 *     struct {
 *         __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
 *         ...
 *         __array(values, int (void *));
 *     } jumps SEC(".maps") = {.values = {[1] = (void *)&target}};
 *
 * Each is a relocation in .maps, of the word values[index], against a program or another map.
 */
#include "src/loader/loader.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/log.h"

#define WORD 8u /* an element of values[] */
#define INSN sizeof(struct bpf_insn)

int ebpf_loader_values_alloc(struct ebpf_loader *ld)
{
    struct ebpf_elf *elf = &ld->elf;
    size_t room = 0;

    for (uint32_t i = 1; i < elf->section_cnt; i++) {
        size_t count;
        int err;

        if (elf->sections[i].type != EBPF_SHT_REL || elf->sections[i].info >= elf->section_cnt ||
            elf->sections[elf->sections[i].info].kind != EBPF_SEC_MAPS)
            continue;
        err = ebpf_elf_rel_check(elf, i, &count);
        if (err)
            return err; /* it has said why */
        room += count;
    }
    if (!room)
        return 0;
    if (room > UINT32_MAX)
        return -E2BIG;
    ld->obj->values = ebpf_calloc(room, sizeof(*ld->obj->values));
    if (!ld->obj->values)
        return -ENOMEM;
    ld->obj->value_room = (uint32_t)room;
    return 0;
}

/* The map whose definition holds that byte, EBPF_LOADER_NONE: none does. */
static uint32_t map_around(const struct ebpf_object *obj, uint32_t section, uint64_t offset)
{
    for (uint32_t i = 0; i < obj->map_cnt; i++) {
        const struct ebpf_object_map *map = &obj->maps[i];

        if (map->section == section && offset >= map->offset &&
            offset - map->offset < map->def_size)
            return i;
    }
    return EBPF_LOADER_NONE;
}

static uint32_t prog_at(const struct ebpf_object *obj, uint32_t section, uint64_t offset)
{
    for (uint32_t i = 0; i < obj->prog_cnt; i++) {
        const struct ebpf_loader_func *func = &obj->funcs[obj->progs[i].func];

        if (func->section == section && func->start * INSN == offset)
            return i;
    }
    return EBPF_LOADER_NONE;
}

static bool holds_maps(uint32_t type)
{
    return type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

const char *ebpf_loader_value_add(struct ebpf_loader *ld, uint32_t section, uint64_t offset,
                                  const struct ebpf_elf_symbol *sym, uint64_t target)
{
    struct ebpf_object *obj = ld->obj;
    struct ebpf_loader_value *value = &obj->values[obj->value_cnt];
    const struct ebpf_object_map *map;
    uint64_t at;

    if (obj->value_cnt == obj->value_room)
        return "too many";
    value->map = map_around(obj, section, offset);
    if (value->map == EBPF_LOADER_NONE)
        return "not inside a map's definition";
    map = &obj->maps[value->map];
    at = offset - map->offset;
    if (!map->values || at < map->values || (at - map->values) % WORD)
        return "only values[] may have initial contents";
    value->index = (uint32_t)((at - map->values) / WORD);
    value->is_prog = map->spec.type == BPF_MAP_TYPE_PROG_ARRAY;
    if (!value->is_prog && !holds_maps(map->spec.type))
        return "a map whose values are no objects";
    value->target = value->is_prog ? prog_at(obj, sym->section, target)
                                   : ebpf_loader_map_at(obj, sym->section, target);
    if (value->target == EBPF_LOADER_NONE)
        return value->is_prog ? "not a program" : "not a map";
    obj->value_cnt++;
    return NULL;
}

static int put(const struct ebpf_object *obj, const struct ebpf_loader_value *value)
{
    const struct ebpf_object_map *map = &obj->maps[value->map];
    int err = 0;

    if (!map->map || map->reused) /* left out; somebody else's has its own values */
        return 0;
    if (value->is_prog && obj->progs[value->target].prog)
        err = ebpf_map_set_prog(map->map, value->index, obj->progs[value->target].prog);
    else if (!value->is_prog && obj->maps[value->target].map)
        err = ebpf_map_set_map(map->map, &value->index, obj->maps[value->target].map, BPF_ANY);
    if (err)
        ebpf_log(
            "ebpf: object: map %.48s: initial value %u (%.48s): error %d", map->name, value->index,
            value->is_prog ? obj->progs[value->target].name : obj->maps[value->target].name, -err);
    return err;
}

int ebpf_loader_values_put(struct ebpf_object *obj, bool progs)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < obj->value_cnt; i++) {
        if (obj->values[i].is_prog == progs)
            err = put(obj, &obj->values[i]);
    }
    return err;
}
