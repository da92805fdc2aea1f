/* SPDX-License-Identifier: MIT */
/*
 * Values of maps: value_size bytes at what a lookup gave, without the struct bpf_spin_lock and
 * struct bpf_timer in them, which only helpers touch. Maps may be closed to programs' stores
 * (BPF_F_RDONLY_PROG) or loads (BPF_F_WRONLY_PROG).
 *
 * A map that programs may not write and that is frozen never changes any more: what is loaded from
 * a known place in it is a known number. That is how .rodata works: `const volatile int verbose =
 * 0;` makes `if (verbose)` a branch that is never taken, and may hold what this kernel has not got.
 */
#include "src/verifier/access.h"

#include "src/base/bits.h"

int ebpf_verify_map_rights(struct ebpf_verifier *v, const struct ebpf_map *map, bool write,
                           int64_t off, uint32_t size)
{
    if (!(map->flags & (write ? BPF_F_RDONLY_PROG : BPF_F_WRONLY_PROG)))
        return 0;
    return ebpf_verify_refuse(
        v, -EACCES, "%s map forbidden, value_size=%u off=%lld size=%u",
        write ? "write into" : "read from", map->value_size, (long long)off, size);
}

/* Lies [field, field + size) apart from all that may be accessed? */
static int check_field(struct ebpf_verifier *v, const struct ebpf_vaccess *a, int32_t field,
                       uint32_t size, const char *name)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);
    int64_t off = (int64_t)reg->off + a->off; /* checked: var is within 0 to EBPF_VERIFY_MAX_OFF */

    if (field < 0 || reg->var.full.smin + off >= (int64_t)field + size ||
        field >= (int64_t)reg->var.full.umax + off + a->size)
        return 0;
    return ebpf_verify_refuse(v, -EACCES, "%s cannot be accessed directly by load/store", name);
}

bool ebpf_verify_constant(const struct ebpf_map *map)
{
    return map->flags & BPF_F_RDONLY_PROG && map->ops && map->ops->value_addr &&
           __atomic_load_n(&map->use, __ATOMIC_ACQUIRE) == EBPF_MAP_FROZEN;
}

bool ebpf_verify_read_constant(const struct ebpf_map *map, uint32_t off, void *value, uint32_t size)
{
    uint64_t addr;

    if (map->ops->value_addr(map, off, &addr))
        return false;
    memcpy(value, (const void *)(uintptr_t)addr, size);
    return true;
}

int ebpf_verify_map_value(struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                          struct ebpf_vreg *out)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);
    const struct ebpf_map *map = reg->map;
    uint64_t value = 0;
    int64_t off;
    int err = ebpf_verify_map_rights(v, map, a->write, (int64_t)reg->off + a->off, a->size);

    if (!err && a->write && reg->flags & EBPF_REG_RDONLY)
        err = ebpf_verify_refuse(v, -EACCES, "R%d cannot write into %s", a->reg,
                                 ebpf_verify_type_name(reg));
    if (!err)
        err = ebpf_verify_bounds(v, a, map->value_size);
    if (!err)
        err = check_field(v, a, map->lock_off, sizeof(struct bpf_spin_lock), "bpf_spin_lock");
    if (!err)
        err = check_field(v, a, map->timer_off, sizeof(struct bpf_timer), "bpf_timer");
    if (!err && !a->write && !a->helper && ebpf_verify_constant(map) &&
        ebpf_verify_fixed(reg, &off) &&
        ebpf_verify_read_constant(map, (uint32_t)(off + a->off), &value, a->size))
        ebpf_vreg_set_number(out, value); /* little-endian, as the machine */
    return err;
}

/* A field that a helper works on must be known at once, and be there. */
int ebpf_verify_at_field(struct ebpf_verifier *v, unsigned n, const char *name, int32_t field_off)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);
    int64_t off;

    if (!ebpf_verify_fixed(reg, &off))
        return ebpf_verify_refuse(v, -EINVAL,
                                  "R%u doesn't have constant offset. %s has to be at the constant "
                                  "offset",
                                  n, name);
    if (field_off < 0)
        return ebpf_verify_refuse(v, -EINVAL, "map '%s' has no valid %s", reg->map->name, name);
    if (off != field_off)
        return ebpf_verify_refuse(v, -EINVAL, "off %lld doesn't point to 'struct %s' that is at %d",
                                  (long long)off, name, field_off);
    return 0;
}

/* Programs that may interrupt whoever holds a lock must not take it (Linux:
 * check_map_prog_compatibility()). */
int ebpf_verify_map_use(struct ebpf_verifier *v, const struct ebpf_map *map)
{
    uint64_t tracing = 1ull << BPF_PROG_TYPE_KPROBE | 1ull << BPF_PROG_TYPE_TRACEPOINT |
                       1ull << BPF_PROG_TYPE_PERF_EVENT | 1ull << BPF_PROG_TYPE_RAW_TRACEPOINT |
                       1ull << BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE;
    const char *field = map->lock_off >= 0 ? "bpf_spin_lock" : "bpf_timer";

    if (map->lock_off >= 0 && v->type->id == BPF_PROG_TYPE_SOCKET_FILTER)
        return ebpf_verify_refuse(v, -EINVAL, "socket filter progs cannot use bpf_spin_lock yet");
    if ((map->lock_off >= 0 || map->timer_off >= 0) && tracing >> v->type->id & 1)
        return ebpf_verify_refuse(v, -EINVAL, "tracing progs cannot use %s yet", field);
    return 0;
}
