/* SPDX-License-Identifier: MIT */
/* Copies of values that hold a lock or a timer. */
#include "maps/fields.h"

#include "maps/spin_lock.h"

/* Bytes [from, to) of both. */
static void copy_part(void *dst, const void *src, size_t from, size_t to)
{
    if (to > from)
        ebpf_value_copy((uint8_t *)dst + from, (const uint8_t *)src + from, to - from);
}

void ebpf_fields_copy_around(const struct ebpf_map *map, void *dst, const void *src)
{
    int32_t offs[] = {map->lock_off, map->timer_off};
    size_t sizes[] = {sizeof(struct bpf_spin_lock), sizeof(struct bpf_timer)}, at = 0;
    unsigned first = offs[0] >= 0 && (offs[1] < 0 || offs[0] < offs[1]) ? 0 : 1;

    for (unsigned i = 0; i < 2; i++) {
        unsigned which = i ? 1 - first : first;

        if (offs[which] < 0)
            continue;
        copy_part(dst, src, at, (size_t)offs[which]);
        at = (size_t)offs[which] + sizes[which];
    }
    copy_part(dst, src, at, map->value_size);
}

void ebpf_fields_zero(const struct ebpf_map *map, void *value)
{
    uint8_t *bytes = value;

    if (map->lock_off >= 0)
        ebpf_word_store(bytes + map->lock_off, 0, 4);
    if (map->timer_off >= 0) {
        ebpf_word_store(bytes + map->timer_off, 0, 8);
        ebpf_word_store(bytes + map->timer_off + 8, 0, 8);
    }
}

static uint32_t *lock_of(const struct ebpf_map *map, void *value)
{
    return (uint32_t *)(void *)((uint8_t *)value + map->lock_off);
}

void ebpf_fields_copy_locked(const struct ebpf_map *map, void *dst, const void *src)
{
    ebpf_spin_lock(lock_of(map, dst));
    ebpf_fields_copy_around(map, dst, src);
    ebpf_spin_unlock(lock_of(map, dst));
}

void ebpf_fields_copy_out(const struct ebpf_map *map, void *dst, void *value, bool lock)
{
    if (lock)
        ebpf_spin_lock(lock_of(map, value));
    ebpf_fields_copy_in(map, dst, value);
    if (lock)
        ebpf_spin_unlock(lock_of(map, value));
    ebpf_fields_zero(map, dst);
}

void ebpf_fields_release(struct ebpf_map *map, void *value)
{
    void (*release)(struct ebpf_map * map, void *value) =
        __atomic_load_n(&map->release, __ATOMIC_ACQUIRE);

    if (release)
        release(map, value);
}
