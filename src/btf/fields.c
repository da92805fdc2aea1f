/* SPDX-License-Identifier: MIT */
/* What the types of a map's key and value mean for the map: do they fit, and where in a value are
 * the structs that programs use by helpers only? */
#include "src/btf/check.h"

#include "src/base/bits.h"

#define MAX_DEPTH 32u /* Linux: MAX_RESOLVE_DEPTH, of arrays in arrays and of structs in structs */
/* Members that are looked at in one search: structs that share their memory could make it
 * endless */
#define MAX_STEPS 200000u

/* Of another size, or not aligned, it is only somebody's struct of the same name. */
static const struct special {
    const char *name;
    uint32_t size, align;
} specials[] = {
    {"bpf_spin_lock", 4, 4},
    {"bpf_timer", 16, 8},
};

struct search {
    const struct ebpf_btf *btf;
    const struct special *what;
    uint32_t found; /* how many */
    uint32_t offset;
    uint32_t steps;
    uint32_t depth;
    struct place {     /* small: this lies in a frame */
        uint32_t id;   /* of a STRUCT */
        uint32_t base; /* where it is, */
        uint16_t next; /* the member to go on with, */
        uint8_t elems; /* and how many of it behind each other; 2: or more */
    } stack[MAX_DEPTH];
};

/* Something of that type is at offset, in size bytes (0: not said): looks at it, and at a struct
 * later. */
static int look(struct search *s, uint32_t id, uint64_t offset, uint32_t size, uint32_t elems)
{
    const struct btf_type *t = ebpf_btf_type(s->btf, id);

    for (unsigned i = 0; btf_is(t, BTF_BIT(ARRAY)); i++) {
        if (i == MAX_DEPTH)
            return -E2BIG;
        /* more than one is as bad as any other number */
        elems = (uint32_t)ebpf_min((uint64_t)elems * btf_array(t)->nelems, 2);
        id = btf_array(t)->type;
        t = ebpf_btf_type(s->btf, id);
    }
    if (!elems || !btf_is(t, BTF_BIT(STRUCT)) || (elems == 1 && size && size != t->size))
        return 0;
    if (!ebpf_streq(ebpf_btf_name(s->btf, t), s->what->name)) {
        if (s->depth == MAX_DEPTH)
            return -E2BIG;
        s->stack[s->depth++] = (struct place){id, (uint32_t)offset, 0, (uint8_t)elems};
        return 0;
    }
    if (t->size != s->what->size || offset % s->what->align)
        return 0;
    s->found += elems;
    s->offset = (uint32_t)offset;
    return s->found > 1 ? -E2BIG : 0;
}

/* All structs that look() has put on the stack, from the first member to the last. */
static int search(struct search *s)
{
    int err = 0;

    while (!err && s->depth) {
        struct place *top = &s->stack[s->depth - 1];
        const struct btf_type *t = ebpf_btf_type(s->btf, top->id);
        const struct btf_member *member = &btf_members(t)[top->next];
        uint32_t bits;

        if (top->next == btf_vlen(t)) {
            s->depth--;
            continue;
        }
        top->next++;
        if (++s->steps == MAX_STEPS)
            return -E2BIG;
        bits = btf_member_offset(t, member);
        if (!(bits & 7)) /* else a bitfield */
            err = look(s, member->type, (uint64_t)top->base + bits / 8, 0, top->elems);
    }
    return err;
}

static int search_datasec(struct search *s, const struct btf_type *t)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < btf_vlen(t); i++) {
        const struct btf_var_secinfo *info = &btf_secinfos(t)[i];
        const struct btf_type *var = ebpf_btf_type(s->btf, info->type);

        err = look(s, var->type, info->offset, info->size, 1);
        if (!err)
            err = search(s);
    }
    return err;
}

static const struct special *find_special(const char *name)
{
    for (size_t i = 0; i < EBPF_ARRAY_SIZE(specials); i++) {
        if (ebpf_streq(specials[i].name, name))
            return &specials[i];
    }
    return NULL;
}

static int find(struct search *s, const struct ebpf_btf *btf, uint32_t id,
                const struct special *what)
{
    const struct btf_type *t = ebpf_btf_type(btf, id);
    int err;

    s->btf = btf;
    s->what = what;
    s->found = s->steps = s->depth = 0;
    if (t && btf_is(t, BTF_BIT(STRUCT))) {
        s->stack[s->depth++] = (struct place){id, 0, 0, 1};
        err = search(s);
    } else {
        err = t && btf_is(t, BTF_BIT(DATASEC)) ? search_datasec(s, t) : -EINVAL;
    }
    return err ? err : s->found ? 0 : -ENOENT;
}

int ebpf_btf_find_field(const struct ebpf_btf *btf, uint32_t type_id, const char *name,
                        uint32_t *offset)
{
    const struct special *what = find_special(name);
    struct search s;
    int err;

    if (!what || !ebpf_btf_skip(btf, type_id, &type_id))
        return -EINVAL;
    err = find(&s, btf, type_id, what);
    if (!err)
        *offset = s.offset;
    return err;
}

/* ---- structs when they are loaded ------------------------------------------------------------ */

static bool has_member(const struct btf_type *t, uint32_t type_id)
{
    for (uint32_t i = 0; i < btf_vlen(t); i++) {
        if (btf_members(t)[i].type == type_id)
            return true;
    }
    return false;
}

/* Linux's btf_parse_struct_metas(), of what exists here: a struct with a bpf_spin_lock must be
 * usable as such. */
int ebpf_btf_check_locks(const struct ebpf_btf_check *check)
{
    const struct ebpf_btf *btf = check->btf;
    uint32_t lock = ebpf_btf_find(btf, "bpf_spin_lock", BTF_KIND_STRUCT), offset;

    for (uint32_t id = 1; lock && id < btf->type_cnt; id++) {
        const struct btf_type *t = ebpf_btf_type(btf, id);
        int err;

        if (!btf_is(t, BTF_BIT(STRUCT)) || !has_member(t, lock))
            continue;
        err = ebpf_btf_find_field(btf, id, "bpf_spin_lock", &offset);
        if (err) {
            ebpf_load_logf(check->log, "[%u] STRUCT %s: no valid bpf_spin_lock\n", id,
                           ebpf_btf_name(btf, t));
            return err == -ENOENT ? -EFAULT : err;
        }
    }
    return 0;
}

/* ---- maps ------------------------------------------------------------------------------------ */

/* Linux's map_check_btf() of the types: what a key may be. */
enum key_rule {
    KEY_ANY = 0,  /* but void */
    KEY_INDEX,    /* 32-bit integer */
    KEY_OF_ARRAY, /* the same; or void, where the value is all of a section */
    KEY_STRUCT,
    KEY_NONE,
    KEY_NO_BTF, /* the map takes no types */
};

static const uint8_t key_rules[] = {
    [BPF_MAP_TYPE_ARRAY] = KEY_OF_ARRAY,          [BPF_MAP_TYPE_PERCPU_ARRAY] = KEY_OF_ARRAY,
    [BPF_MAP_TYPE_LPM_TRIE] = KEY_STRUCT,         [BPF_MAP_TYPE_BLOOM_FILTER] = KEY_NONE,
    [BPF_MAP_TYPE_PERF_EVENT_ARRAY] = KEY_NO_BTF, [BPF_MAP_TYPE_STACK_TRACE] = KEY_NO_BTF,
    [BPF_MAP_TYPE_ARRAY_OF_MAPS] = KEY_NO_BTF,    [BPF_MAP_TYPE_TASK_STORAGE] = KEY_INDEX,
};

static enum key_rule key_rule(uint32_t map_type)
{
    return map_type < EBPF_ARRAY_SIZE(key_rules) ? (enum key_rule)key_rules[map_type] : KEY_ANY;
}

static bool is_index(const struct btf_type *key)
{
    return btf_is(key, BTF_BIT(INT)) && BTF_INT_BITS(btf_int(key)) == 32 &&
           !BTF_INT_OFFSET(btf_int(key));
}

/* key: of BTF_KIND_UNKN where no key was named */
static int check_key(const struct ebpf_btf_map *map, const struct btf_type *key,
                     const struct btf_type *value)
{
    bool ok = false, is_void = btf_is(key, BTF_BIT(UNKN));

    switch (key_rule(map->type)) {
    case KEY_ANY:
        ok = !is_void;
        break;
    case KEY_INDEX:
        ok = is_index(key);
        break;
    case KEY_OF_ARRAY:
        ok = is_index(key) || (is_void && map->type == BPF_MAP_TYPE_ARRAY &&
                               map->max_entries == 1 && btf_is(value, BTF_BIT(DATASEC)));
        break;
    case KEY_STRUCT:
        ok = btf_is(key, BTF_BIT(STRUCT));
        break;
    case KEY_NONE:
        ok = is_void;
        break;
    case KEY_NO_BTF:
        return -ENOTSUPP;
    }
    return ok ? 0 : -EINVAL;
}

/* types: of maps, as bits, whose values may hold such a struct. What cannot be used, because there
 * are two, is no error: it is just not there (Linux). */
static int take_field(const struct ebpf_btf *btf, struct ebpf_btf_map *map, const char *name,
                      uint64_t types, int32_t *offset)
{
    uint32_t at;

    if (ebpf_btf_find_field(btf, map->value_type_id, name, &at) || at > INT32_MAX)
        return 0;
    if (map->flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG))
        return -EACCES;
    if (map->type >= 64 || !(types >> map->type & 1))
        return -EOPNOTSUPP;
    *offset = (int32_t)at;
    return 0;
}

int ebpf_btf_check_map(const struct ebpf_btf *btf, struct ebpf_btf_map *map)
{
    const uint64_t timers =
        1ull << BPF_MAP_TYPE_HASH | 1ull << BPF_MAP_TYPE_ARRAY | 1ull << BPF_MAP_TYPE_LRU_HASH;
    const uint64_t locks =
        1ull << BPF_MAP_TYPE_HASH | 1ull << BPF_MAP_TYPE_ARRAY | 1ull << BPF_MAP_TYPE_TASK_STORAGE;
    const struct btf_type *key = ebpf_btf_type(btf, 0), *value;
    uint32_t id = map->key_type_id, size;
    int err;

    map->lock_off = map->timer_off = -1;
    if (id) {
        key = ebpf_btf_sized(btf, &id, &size);
        if (!key || size != map->key_size)
            return -EINVAL;
    } else if (key_rule(map->type) == KEY_ANY) {
        return -EINVAL;
    }
    id = map->value_type_id;
    value = ebpf_btf_sized(btf, &id, &size);
    if (!value || size != map->value_size)
        return -EINVAL;
    err = take_field(btf, map, "bpf_spin_lock", locks, &map->lock_off);
    if (!err)
        err = take_field(btf, map, "bpf_timer", timers, &map->timer_off);
    return err ? err : check_key(map, key, value);
}
