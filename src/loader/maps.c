/* SPDX-License-Identifier: MIT */
/* The maps of an object: legacy definitions, definitions in BTF (btf_maps.c), and one array for
 * each section of global data. */
#include "src/loader/loader.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/loader/sort.h"

#define PAGE 4096u

int ebpf_loader_map_add(struct ebpf_loader *ld, const char *name, uint32_t section, uint32_t offset,
                        struct ebpf_object_map **out)
{
    struct ebpf_object *obj = ld->obj;
    struct ebpf_object_map *map = &obj->maps[obj->map_cnt];
    size_t len = ebpf_strnlen(name, EBPF_ELF_NAME_MAX + 1);

    if (!len || len > EBPF_ELF_NAME_MAX)
        return ebpf_elf_refuse(&ld->elf, section, offset, -EINVAL, "map's name has %s",
                               len ? "more than 511 bytes" : "no bytes");
    *map = (struct ebpf_object_map){.obj = obj, .section = section, .offset = offset};
    map->name = ebpf_loader_strdup(name);
    if (!map->name)
        return -ENOMEM;
    ebpf_loader_obj_name(map->spec.name, name);
    obj->map_cnt++;
    *out = map;
    return 0;
}

uint32_t ebpf_loader_max_entries(uint32_t type, uint32_t max_entries)
{
    uint32_t size = PAGE;

    if (type != BPF_MAP_TYPE_RINGBUF || !max_entries)
        return max_entries;
    while (size < max_entries && size < 1u << 31)
        size *= 2;
    return size < max_entries ? max_entries : size; /* too large: the map's own check says so */
}

/* ---- legacy: struct bpf_map_def { type, key_size, value_size, max_entries, map_flags } ------- */

#define LEGACY_SIZE 20u

struct legacy {
    uint64_t offset;
    const char *name;
};

static int legacy_less(const void *a, const void *b)
{
    return ((const struct legacy *)a)->offset < ((const struct legacy *)b)->offset;
}

/* Symbols of the legacy section, as many as exist; list may be NULL to count them. */
static uint32_t legacy_symbols(const struct ebpf_elf *elf, uint32_t section, struct legacy *list)
{
    uint32_t count = 0;

    for (uint32_t i = 0; section && i < elf->symbol_cnt; i++) {
        struct ebpf_elf_symbol sym;

        ebpf_elf_symbol(elf, i, &sym);
        if (sym.section != section || sym.type == EBPF_STT_SECTION || sym.type == EBPF_STT_FILE)
            continue;
        if (list)
            list[count] = (struct legacy){sym.value, sym.name};
        count++;
    }
    return count;
}

/* libbpf before 1.0: what follows the five fields belongs to another loader's dialect, and is fine
 * if it is zero. */
static int add_legacy(struct ebpf_loader *ld, uint32_t section, const struct legacy *def,
                      uint64_t end)
{
    const uint8_t *data = ld->elf.sections[section].data + def->offset;
    size_t size = (size_t)(end - def->offset);
    struct ebpf_object_map *map;
    int err;

    if (size < LEGACY_SIZE)
        return ebpf_elf_refuse(&ld->elf, section, def->offset, -EINVAL,
                               "map %.64s: definition of %u bytes, not %u", def->name,
                               (unsigned)size, LEGACY_SIZE);
    if (!ebpf_all_zero(data + LEGACY_SIZE, size - LEGACY_SIZE))
        return ebpf_elf_refuse(&ld->elf, section, def->offset + LEGACY_SIZE, -EINVAL,
                               "map %.64s: unknown fields behind map_flags", def->name);
    err = ebpf_loader_map_add(ld, def->name, section, (uint32_t)def->offset, &map);
    if (err)
        return err;
    map->spec.type = ebpf_read_u32(data);
    map->spec.key_size = ebpf_read_u32(data + 4);
    map->spec.value_size = ebpf_read_u32(data + 8);
    map->spec.max_entries = ebpf_loader_max_entries(map->spec.type, ebpf_read_u32(data + 12));
    map->spec.flags = ebpf_read_u32(data + 16);
    return 0;
}

static int legacy_maps(struct ebpf_loader *ld, uint32_t section, uint32_t count)
{
    const struct ebpf_elf_section *sec = &ld->elf.sections[section];
    struct legacy *list;
    int err = 0;

    if (!count)
        return 0;
    list = ebpf_calloc(count, sizeof(*list));
    if (!list)
        return -ENOMEM;
    legacy_symbols(&ld->elf, section, list);
    ebpf_loader_sort(list, count, sizeof(*list), legacy_less);
    if (list[0].offset)
        err = ebpf_elf_refuse(&ld->elf, section, 0, -EINVAL, "0x%llx bytes in front of map %.64s",
                              (unsigned long long)list[0].offset, list[0].name);
    for (uint32_t i = 0; !err && i < count; i++)
        err = add_legacy(ld, section, &list[i], i + 1 < count ? list[i + 1].offset : sec->size);
    ebpf_free(list, count * sizeof(*list));
    return err;
}

/* ---- global data ----------------------------------------------------------------------------- */

static bool is_data(const struct ebpf_elf_section *sec)
{
    return (sec->kind == EBPF_SEC_DATA || sec->kind == EBPF_SEC_RODATA) && sec->size;
}

/* The BTF description of a section, 0: it has none. */
static uint32_t find_datasec(const struct ebpf_elf_btf *btf, const char *name)
{
    for (uint32_t id = 1; btf->data && id <= btf->type_cnt; id++) {
        struct ebpf_elf_btf_type type;

        if (!ebpf_elf_btf_type(btf, id, &type) && type.kind == EBPF_BTF_DATASEC &&
            ebpf_streq(type.name, name))
            return id;
    }
    return 0;
}

static int data_map(struct ebpf_loader *ld, uint32_t section)
{
    const struct ebpf_elf_section *sec = &ld->elf.sections[section];
    struct ebpf_object_map *map;
    int err;

    if (sec->size > INT32_MAX)
        return ebpf_elf_refuse(&ld->elf, section, 0, -E2BIG, "0x%llx bytes of global data",
                               (unsigned long long)sec->size);
    err = ebpf_loader_map_add(ld, sec->name, section, 0, &map);
    if (err)
        return err;
    map->is_data = true;
    map->spec.type = BPF_MAP_TYPE_ARRAY;
    map->spec.key_size = 4;
    map->spec.value_size = (uint32_t)sec->size;
    map->spec.max_entries = 1;
    map->spec.flags = sec->kind == EBPF_SEC_RODATA ? BPF_F_RDONLY_PROG : 0;
    map->spec.btf_value_type_id = find_datasec(&ld->btf, sec->name);
    if (!sec->data) /* a new map is zero */
        return 0;
    map->initial = ebpf_memdup(sec->data, sec->size);
    return map->initial ? 0 : -ENOMEM;
}

/* ---- all ------------------------------------------------------------------------------------- */

static int map_less(const void *a, const void *b)
{
    const struct ebpf_object_map *x = a, *y = b;

    return x->section != y->section ? x->section < y->section : x->offset < y->offset;
}

uint32_t ebpf_loader_map_at(const struct ebpf_object *obj, uint32_t section, uint64_t offset)
{
    uint32_t low = 0, high = obj->map_cnt;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct ebpf_object_map *map = &obj->maps[mid];

        if (map->section == section && (map->offset == offset || map->is_data))
            return mid;
        if (map->section < section || (map->section == section && map->offset < offset))
            low = mid + 1;
        else
            high = mid;
    }
    return EBPF_LOADER_NONE;
}

static uint32_t count_data(const struct ebpf_elf *elf)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < elf->section_cnt; i++)
        count += is_data(&elf->sections[i]);
    return count;
}

/* The array is sized before: obj->maps is freed by what it was allocated with. */
static int alloc_maps(struct ebpf_object *obj, uint32_t legacy, uint32_t btf, uint32_t data)
{
    size_t count = (size_t)legacy + btf + data;

    if (!count)
        return 0;
    if (count >= EBPF_LOADER_NONE)
        return -E2BIG;
    obj->maps = ebpf_calloc(count, sizeof(*obj->maps));
    if (!obj->maps)
        return -ENOMEM;
    obj->map_room = (uint32_t)count;
    return 0;
}

int ebpf_loader_maps(struct ebpf_loader *ld)
{
    uint32_t section = ebpf_loader_section(&ld->elf, EBPF_SEC_LEGACY_MAPS);
    uint32_t legacy = legacy_symbols(&ld->elf, section, NULL);
    struct ebpf_elf_btf_type datasec;
    int err = ebpf_loader_btf_datasec(ld, &datasec);

    if (!err)
        err = alloc_maps(ld->obj, legacy, datasec.vlen, count_data(&ld->elf));
    if (!err)
        err = legacy_maps(ld, section, legacy);
    if (!err)
        err = ebpf_loader_btf_maps(ld, &datasec);
    for (uint32_t i = 1; !err && i < ld->elf.section_cnt; i++) {
        if (is_data(&ld->elf.sections[i]))
            err = data_map(ld, i);
    }
    if (!err)
        ebpf_loader_sort(ld->obj->maps, ld->obj->map_cnt, sizeof(*ld->obj->maps), map_less);
    return err;
}
