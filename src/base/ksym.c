/* SPDX-License-Identifier: MIT */
/*
 * Lookups in the linked-in symbol table; the format is in src/base/ksym_table.h. Context A: nothing
 * is allocated, cached or locked, and the table is never trusted: every position read from it is
 * checked before it is used.
 */
#include "src/base/ksym.h"

#include <ebpf/errno.h>

#include "src/base/ksym_table.h"

struct view {
    uint64_t base;
    uint32_t count, width, token_bytes, name_bytes;
    const uint32_t *offsets, *markers;
    const uint16_t *token_at;
    const uint8_t *by_name, *tokens, *names;
};

struct record {
    const uint8_t *tokens;
    uint32_t token_cnt;
    uint32_t gap;
};

/* Finds the parts of the table; false if they do not fit. All products fit 64 bits: their factors
 * have 32. */
static bool view_init(struct view *v, const void *table, size_t size)
{
    const struct ebpf_ksym_header *head = table;
    uint64_t end;

    if (size < sizeof(*head) || (uintptr_t)table % 8 || head->magic != EBPF_KSYM_MAGIC ||
        head->count == 0)
        return false;
    v->base = head->base;
    v->count = head->count;
    v->width = head->count <= 0x10000 ? 2 : 3;
    v->token_bytes = head->token_bytes;
    v->name_bytes = head->name_bytes;
    end = sizeof(*head) + 4 * ((uint64_t)v->count + 1) + (EBPF_KSYM_TOKENS + 1) * 2 +
          (uint64_t)v->count * v->width + v->token_bytes + v->name_bytes;
    end += ((uint64_t)v->count + EBPF_KSYM_STRIDE - 1) / EBPF_KSYM_STRIDE * 4;
    if (end > size)
        return false;
    v->offsets = (const uint32_t *)(head + 1);
    v->markers = v->offsets + v->count + 1;
    v->token_at =
        (const uint16_t *)(v->markers + (v->count + EBPF_KSYM_STRIDE - 1) / EBPF_KSYM_STRIDE);
    v->by_name = (const uint8_t *)(v->token_at + EBPF_KSYM_TOKENS + 1);
    v->tokens = v->by_name + (size_t)v->count * v->width;
    v->names = v->tokens + v->token_bytes;
    return true;
}

/* Reads the record at names[*at] and moves *at behind it. */
static bool read_record(const struct view *v, uint32_t *at, struct record *r)
{
    uint32_t pos = *at, shift = 0;
    uint8_t byte;

    if (pos >= v->name_bytes)
        return false;
    r->token_cnt = v->names[pos++];
    r->gap = 0;
    do {
        if (pos >= v->name_bytes || shift > 28)
            return false;
        byte = v->names[pos++];
        r->gap |= (uint32_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (r->token_cnt > v->name_bytes - pos)
        return false;
    r->tokens = v->names + pos;
    *at = pos + r->token_cnt;
    return true;
}

static bool find_record(const struct view *v, uint32_t index, struct record *r)
{
    uint32_t at = v->markers[index / EBPF_KSYM_STRIDE];

    for (uint32_t skip = index % EBPF_KSYM_STRIDE; skip > 0; skip--)
        if (!read_record(v, &at, r))
            return false;
    return read_record(v, &at, r);
}

static bool expand_name(const struct view *v, const struct record *r, char *out)
{
    uint32_t len = 0;

    for (uint32_t i = 0; i < r->token_cnt; i++) {
        uint32_t at = v->token_at[r->tokens[i]], end = v->token_at[r->tokens[i] + 1];
        if (end > v->token_bytes)
            return false;
        while (at < end) {
            if (len == EBPF_KSYM_NAME_MAX)
                return false;
            out[len++] = (char)v->tokens[at++];
        }
    }
    out[len] = 0;
    return true;
}

static int get(const struct view *v, uint32_t index, struct ebpf_symbol *out)
{
    struct record r;
    uint32_t start = v->offsets[index], next = index + 1, room;

    if (!find_record(v, index, &r) || !expand_name(v, &r, out->name))
        return -ENOENT;
    while (next < v->count && v->offsets[next] == start)
        next++;
    room = v->offsets[next] - start;
    if (r.gap >= room)
        return -ENOENT;
    out->addr = v->base + start;
    out->size = room - r.gap;
    return 0;
}

/* The symbol at place i in the order of names; v->count or more: the table is damaged. */
static uint32_t by_name(const struct view *v, uint32_t i)
{
    const uint8_t *entry = v->by_name + (size_t)i * v->width;
    uint32_t index = entry[0] | (uint32_t)entry[1] << 8;

    return v->width == 2 ? index : index | (uint32_t)entry[2] << 16;
}

static int compare(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int ebpf_ksym_table_find(const void *table, size_t size, const char *name, struct ebpf_symbol *out)
{
    struct view v;
    uint32_t low = 0, high;

    if (!view_init(&v, table, size))
        return -ENOENT;
    /* the first place whose name is not below: of equal names that is the lowest address */
    for (high = v.count; low < high;) {
        uint32_t middle = low + (high - low) / 2, index = by_name(&v, middle);
        if (index >= v.count || get(&v, index, out))
            return -ENOENT;
        if (compare(out->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == v.count || by_name(&v, low) >= v.count || get(&v, by_name(&v, low), out))
        return -ENOENT;
    return compare(out->name, name) ? -ENOENT : 0;
}

int ebpf_ksym_table_at(const void *table, size_t size, uint64_t addr, struct ebpf_symbol *out)
{
    struct view v;
    uint32_t low = 0, high;

    if (!view_init(&v, table, size) || addr < v.base || addr - v.base > UINT32_MAX)
        return -ENOENT;
    /* the first place whose address is above; what lies before it begins at or below addr */
    for (high = v.count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (v.offsets[middle] <= addr - v.base)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return -ENOENT;
    for (low--; low > 0 && v.offsets[low - 1] == v.offsets[low]; low--)
        ; /* to the first of the aliases */
    if (get(&v, low, out) || addr - out->addr >= out->size)
        return -ENOENT;
    return 0;
}

int ebpf_ksym_table_get(const void *table, size_t size, uint32_t index, struct ebpf_symbol *out)
{
    struct view v;

    if (!view_init(&v, table, size) || index >= v.count)
        return -ENOENT;
    return get(&v, index, out);
}

uint32_t ebpf_ksym_table_count(const void *table, size_t size)
{
    struct view v;

    return view_init(&v, table, size) ? v.count : 0;
}

int ebpf_ksym_find(const char *name, struct ebpf_symbol *out)
{
    return ebpf_ksym_table_find(ebpf_ksym_table, ebpf_ksym_size, name, out);
}

int ebpf_ksym_at(uint64_t addr, struct ebpf_symbol *out)
{
    return ebpf_ksym_table_at(ebpf_ksym_table, ebpf_ksym_size, addr, out);
}

uint32_t ebpf_ksym_count(void)
{
    return ebpf_ksym_table_count(ebpf_ksym_table, ebpf_ksym_size);
}

int ebpf_ksym_get(uint32_t index, struct ebpf_symbol *out)
{
    return ebpf_ksym_table_get(ebpf_ksym_table, ebpf_ksym_size, index, out);
}
