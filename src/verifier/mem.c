/* SPDX-License-Identifier: MIT */
/*
 * Loads, stores, and what all regions of memory have in common.
 *
 * A pointer points to its region's start + off + var. An access of size bytes at the instruction's
 * offset is fine when every byte that it may touch is inside: the lowest possible address must not
 * be before the region, the highest must end before its end. With a map value of 48 bytes and r1 =
 * value + [0, 40]:
 *
 *     *(u64 *)(r1 + 0)     0 + 0 >= 0, 40 + 0 + 8 <= 48    fine
 *     *(u64 *)(r1 + 8)     0 + 8 >= 0, 40 + 8 + 8 > 48     "R1 max value is outside ..."
 *
 * What may be done inside is the business of the region's own file; regions[] says which. Pointers
 * that may be NULL are regions of nobody: they must be compared first.
 */
#include "src/verifier/access.h"

#include "src/base/fmt.h"

/* ---- for people ------------------------------------------------------------------------------ */

const char *ebpf_verify_type_name(const struct ebpf_vreg *reg)
{
    static const char *const names[EBPF_KINDS][2] = {
        [EBPF_KIND_NOTHING] = {"?", "?"},
        [EBPF_KIND_SCALAR] = {"scalar", "scalar"},
        [EBPF_KIND_CTX] = {"ctx", "ctx_or_null"},
        [EBPF_KIND_STACK] = {"fp", "fp"},
        [EBPF_KIND_MAP] = {"map_ptr", "map_ptr_or_null"},
        [EBPF_KIND_MAP_VALUE] = {"map_value", "map_value_or_null"},
        [EBPF_KIND_MAP_KEY] = {"map_key", "map_key"},
        [EBPF_KIND_PACKET] = {"pkt", "pkt"},
        [EBPF_KIND_PACKET_META] = {"pkt_meta", "pkt_meta"},
        [EBPF_KIND_PACKET_END] = {"pkt_end", "pkt_end"},
        [EBPF_KIND_MEM] = {"mem", "mem_or_null"},
        [EBPF_KIND_FUNC] = {"func", "func"},
        [EBPF_KIND_DYNPTR] = {"dynptr_ptr", "dynptr_ptr"},
        [EBPF_KIND_TASK] = {"trusted_ptr_", "trusted_ptr_or_null_"},
        [EBPF_KIND_BTF] = {"ptr_", "ptr_or_null_"},
        [EBPF_KIND_FLOW_KEYS] = {"flow_keys", "flow_keys"},
        [EBPF_KIND_SOCK] = {"sock", "sock_or_null"},
        [EBPF_KIND_SOCK_COMMON] = {"sock_common", "sock_common_or_null"},
        [EBPF_KIND_TCP_SOCK] = {"tcp_sock", "tcp_sock_or_null"},
        [EBPF_KIND_XDP_SOCK] = {"xdp_sock", "xdp_sock_or_null"},
    };
    bool null = (reg->flags & EBPF_REG_OR_NULL) != 0;

    if (reg->kind == EBPF_KIND_MEM && reg->flags & EBPF_REG_RECORD)
        return null ? "ringbuf_mem_or_null" : "ringbuf_mem";
    if (reg->kind == EBPF_KIND_MEM && reg->flags & EBPF_REG_RDONLY)
        return null ? "rdonly_mem_or_null" : "rdonly_mem";
    return reg->kind < EBPF_KINDS ? names[reg->kind][null] : "?";
}

struct ebpf_vtext ebpf_verify_var_text(const struct ebpf_vreg *reg)
{
    struct ebpf_tnum known = reg->var.known;
    struct ebpf_vtext text;

    if (ebpf_tnum_is_const(known))
        ebpf_format(text.s, sizeof(text.s), "%lld", (long long)known.value);
    else
        ebpf_format(text.s, sizeof(text.s), "(0x%llx; 0x%llx)", (unsigned long long)known.value,
                    (unsigned long long)known.mask);
    return text;
}

/* ---- where ----------------------------------------------------------------------------------- */

bool ebpf_verify_fixed(const struct ebpf_vreg *reg, int64_t *off)
{
    int64_t var = (int64_t)reg->var.known.value;

    /* what is further away than any region is as wrong as what is unknown, but its sum might wrap
     * */
    if (!ebpf_tnum_is_const(reg->var.known) || var > INT32_MAX || var < INT32_MIN)
        return false;
    *off = var + reg->off;
    return true;
}

static int outside(struct ebpf_verifier *v, const struct ebpf_vaccess *a, int64_t off,
                   uint32_t limit, const char *which)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);
    static const char *const names[] = {"memory, mem_size", "map value, value_size",
                                        "map key, key_size"};
    unsigned n = reg->kind == EBPF_KIND_MAP_VALUE ? 1 : reg->kind == EBPF_KIND_MAP_KEY ? 2 : 0;

    ebpf_verify_refuse(v, -EACCES, "invalid access to %s=%u off=%lld size=%u", names[n], limit,
                       (long long)off, a->size);
    return ebpf_verify_refuse(v, -EACCES, "R%d %s value is outside of the allowed memory range",
                              a->reg, which);
}

static bool inside(const struct ebpf_vaccess *a, int64_t off, uint32_t limit)
{
    return off >= 0 && (a->size || a->empty) && off + (int64_t)a->size <= (int64_t)limit;
}

int ebpf_verify_bounds(struct ebpf_verifier *v, const struct ebpf_vaccess *a, uint32_t limit)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);
    const struct ebpf_range *var = &reg->var.full;
    int64_t off = (int64_t)reg->off + a->off, min;

    if (var->smin < 0 && (var->smin < INT32_MIN || var->smin + off < 0))
        return ebpf_verify_refuse(v, -EACCES,
                                  "R%d min value is negative, either use unsigned index or do a if "
                                  "(index >=0) check.",
                                  a->reg);
    /* a minimum that is further up than any region gets an offset that is outside as well */
    min = var->smin < INT32_MAX ? var->smin : INT32_MAX;
    if (!inside(a, min + off, limit))
        return outside(v, a, min + off, limit, "min");
    if (var->umax >= EBPF_VERIFY_MAX_OFF)
        return ebpf_verify_refuse(
            v, -EACCES, "R%d unbounded memory access, make sure to bounds check any such access",
            a->reg);
    if (!inside(a, (int64_t)var->umax + off, limit))
        return outside(v, a, (int64_t)var->umax + off, limit, "max");
    return 0;
}

int ebpf_verify_unmodified(struct ebpf_verifier *v, unsigned n)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);
    const char *name = ebpf_verify_type_name(reg);

    if (reg->off < 0)
        return ebpf_verify_refuse(v, -EACCES, "negative offset %s ptr R%u off=%d disallowed", name,
                                  n, reg->off);
    if (reg->off)
        return ebpf_verify_refuse(
            v, -EACCES, "dereference of modified %s ptr R%u off=%d disallowed", name, n, reg->off);
    if (!ebpf_scalar_is(&reg->var, 0))
        return ebpf_verify_refuse(v, -EACCES, "variable %s access var_off=%s disallowed", name,
                                  ebpf_verify_var_text(reg).s);
    return 0;
}

/* ---- regions that are nothing but bytes ------------------------------------------------------ */

static int check_leak(struct ebpf_verifier *v, const struct ebpf_vaccess *a, const char *where)
{
    if (!a->value || !ebpf_vreg_is_pointer(a->value) || v->may_leak)
        return 0;
    return ebpf_verify_refuse(v, -EACCES, "R%d leaks addr into %s", a->value_reg, where);
}

static int check_mem(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct ebpf_vreg *out)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);

    (void)out;
    if (a->write && reg->flags & EBPF_REG_RDONLY)
        return ebpf_verify_refuse(v, -EACCES, "R%d cannot write into %s", a->reg,
                                  ebpf_verify_type_name(reg));
    return ebpf_verify_bounds(v, a, reg->mem_size);
}

static int check_key(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct ebpf_vreg *out)
{
    (void)out;
    if (a->write)
        return ebpf_verify_refuse(v, -EACCES, "write to change key R%d not allowed", a->reg);
    return ebpf_verify_bounds(v, a, ebpf_verify_reg(v, a->reg)->map->key_size);
}

/* Linux: struct bpf_flow_keys */
#define FLOW_KEYS_SIZE 56

static int check_flow_keys(struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                           struct ebpf_vreg *out)
{
    int64_t off;

    (void)out;
    if (ebpf_verify_fixed(ebpf_verify_reg(v, a->reg), &off) && off + a->off >= 0 &&
        off + a->off + a->size <= FLOW_KEYS_SIZE)
        return 0;
    return ebpf_verify_refuse(v, -EACCES, "invalid access to flow keys off=%d size=%u", a->off,
                              a->size);
}

/* ---- any region ------------------------------------------------------------------------------ */

static const struct {
    int (*check)(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct ebpf_vreg *out);
    const char *name; /* in messages about alignment */
    const char *leak; /* and about pointers stored there; NULL: the strict mode allows it */
} regions[EBPF_KINDS] = {
    [EBPF_KIND_CTX] = {ebpf_verify_ctx, "context ", "ctx"},
    [EBPF_KIND_STACK] = {ebpf_verify_stack, "stack ", NULL},
    [EBPF_KIND_MAP_VALUE] = {ebpf_verify_map_value, "value ", "map"},
    [EBPF_KIND_MAP_KEY] = {check_key, "key ", "map"},
    [EBPF_KIND_PACKET] = {ebpf_verify_packet, "packet ", "packet"},
    [EBPF_KIND_PACKET_META] = {ebpf_verify_packet, "packet ", "packet"},
    [EBPF_KIND_MEM] = {check_mem, "", "mem"},
    [EBPF_KIND_FLOW_KEYS] = {check_flow_keys, "flow keys ", "flow keys"},
    [EBPF_KIND_SOCK] = {ebpf_verify_sock, "sock ", "sock"},
    [EBPF_KIND_SOCK_COMMON] = {ebpf_verify_sock, "sock_common ", "sock"},
    [EBPF_KIND_TCP_SOCK] = {ebpf_verify_sock, "tcp_sock ", "sock"},
    [EBPF_KIND_XDP_SOCK] = {ebpf_verify_sock, "xdp_sock ", "sock"},
};

/* Linux: NET_IP_ALIGN, which makes the header behind an Ethernet header aligned */
#define PACKET_ALIGN 2

/* The stack's slots need aligned accesses always, everything else if the loader or the machine
 * wants it. */
int ebpf_verify_aligned(struct ebpf_verifier *v, const struct ebpf_vaccess *a)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);
    bool packet = reg->kind == EBPF_KIND_PACKET || reg->kind == EBPF_KIND_PACKET_META;
    int64_t off = (int64_t)reg->off + a->off + (packet ? PACKET_ALIGN : 0);
    struct ebpf_tnum at = ebpf_tnum_add(reg->var.known, ebpf_tnum_const((uint64_t)off), 64);

    if (a->size == 1 || (!v->strict_align && !a->strict && reg->kind != EBPF_KIND_STACK) ||
        !((at.value | at.mask) & (a->size - 1)))
        return 0;
    if (packet)
        return ebpf_verify_refuse(v, -EACCES, "misaligned packet access off %d+%s+%d+%d size %u",
                                  PACKET_ALIGN, ebpf_verify_var_text(reg).s, reg->off, a->off,
                                  a->size);
    return ebpf_verify_refuse(v, -EACCES, "misaligned %saccess off %s+%d+%d size %u",
                              regions[reg->kind].name, ebpf_verify_var_text(reg).s, reg->off,
                              a->off, a->size);
}

int ebpf_verify_access(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct ebpf_vreg *out)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);
    int err;

    ebpf_vreg_set_unknown(out);
    if (!regions[reg->kind].check || reg->flags & EBPF_REG_OR_NULL)
        return ebpf_verify_refuse(v, -EACCES, "R%d invalid mem access '%s'", a->reg,
                                  ebpf_verify_type_name(reg));
    err = ebpf_verify_aligned(v, a);
    if (!err && regions[reg->kind].leak)
        err = check_leak(v, a, regions[reg->kind].leak);
    return err ? err : regions[reg->kind].check(v, a, out);
}

int ebpf_verify_buffer(struct ebpf_verifier *v, const struct ebpf_vaccess *a)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);
    uint32_t kinds = 1u << EBPF_KIND_STACK | 1u << EBPF_KIND_MAP_VALUE | 1u << EBPF_KIND_MAP_KEY |
                     1u << EBPF_KIND_PACKET | 1u << EBPF_KIND_PACKET_META | 1u << EBPF_KIND_MEM;
    struct ebpf_vreg out;

    if (kinds >> reg->kind & 1)
        return regions[reg->kind].check(v, a, &out);
    /* nothing is read through a NULL of no bytes */
    if (a->empty && !a->size && ebpf_vreg_is_null(reg))
        return 0;
    return ebpf_verify_refuse(v, -EACCES, "R%d type=%s expected=fp", a->reg,
                              ebpf_verify_type_name(reg));
}

int ebpf_verify_region(struct ebpf_verifier *v, unsigned reg, uint32_t size, bool writes)
{
    struct ebpf_vaccess a = {
        .reg = (uint8_t)reg, .helper = true, .empty = true, .size = size, .value_reg = -1};
    int err = ebpf_verify_buffer(v, &a);

    a.write = true;
    return err || !writes ? err : ebpf_verify_buffer(v, &a);
}

/* ---- instructions ---------------------------------------------------------------------------- */

/* Accesses that engines must be able to tell apart: what they are compiled to depends on the
 * pointer. */
static bool is_exclusive(unsigned kind)
{
    uint32_t kinds = 1u << EBPF_KIND_CTX | 1u << EBPF_KIND_SOCK | 1u << EBPF_KIND_SOCK_COMMON |
                     1u << EBPF_KIND_TCP_SOCK | 1u << EBPF_KIND_XDP_SOCK | 1u << EBPF_KIND_BTF |
                     1u << EBPF_KIND_TASK;

    return kinds >> kind & 1;
}

/* Remembers, per instruction, what kind of pointer it goes through (ebpf_verifier.bases). */
int ebpf_verify_note_base(struct ebpf_verifier *v, unsigned reg)
{
    uint32_t kind = ebpf_verify_reg(v, reg)->kind, was;

    if (!v->bases)
        v->bases = ebpf_vmem_zalloc(&v->mem, v->code->insn_cnt);
    if (!v->bases)
        return -ENOMEM;
    was = v->bases[v->at];
    if (was && was != kind && (is_exclusive(was) || is_exclusive(kind)))
        return ebpf_verify_refuse(v, -EINVAL, "same insn cannot be used with different pointers");
    v->bases[v->at] = (uint8_t)kind;
    return 0;
}

unsigned ebpf_verify_access_size(const struct bpf_insn *insn)
{
    static const uint8_t sizes[4] = {4, 2, 1, 8}; /* BPF_W, BPF_H, BPF_B, BPF_DW */

    return sizes[BPF_SIZE(insn->code) >> 3];
}

void ebpf_verify_loaded(struct ebpf_verifier *v, unsigned dst, const struct ebpf_vaccess *a,
                        struct ebpf_vreg *out)
{
    if (out->kind == EBPF_KIND_SCALAR && a->sign) {
        ebpf_scalar_movsx(&out->var, a->size * 8, 64);
        out->id = 0;
        out->link = 0;
    } else if (out->kind == EBPF_KIND_SCALAR && a->size < 8) {
        ebpf_scalar_zext(&out->var, a->size * 8, 64);
    }
    *ebpf_verify_reg(v, dst) = *out;
}

int ebpf_verify_load(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    struct ebpf_vaccess a = {.reg = insn->src_reg,
                             .off = insn->off,
                             .size = ebpf_verify_access_size(insn),
                             .sign = BPF_MODE(insn->code) == BPF_MEMSX,
                             .strict = BPF_MODE(insn->code) == BPF_ATOMIC,
                             .value_reg = -1};
    int err = ebpf_verify_readable(v, insn->src_reg);

    if (!err)
        err = ebpf_verify_writable(v, insn->dst_reg);
    if (!err)
        err = ebpf_verify_access(v, &a, &v->loaded);
    if (!err)
        err = ebpf_verify_note_base(v, insn->src_reg);
    if (!err)
        ebpf_verify_loaded(v, insn->dst_reg, &a, &v->loaded);
    return err;
}

int ebpf_verify_store(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    bool by_reg = BPF_CLASS(insn->code) == BPF_STX;
    struct ebpf_vaccess a = {.reg = insn->dst_reg,
                             .write = true,
                             .off = insn->off,
                             .size = ebpf_verify_access_size(insn),
                             .strict = BPF_MODE(insn->code) == BPF_ATOMIC,
                             .value_reg = by_reg ? (int8_t)insn->src_reg : -1,
                             .value = by_reg ? ebpf_verify_reg(v, insn->src_reg) : &v->stored};
    int err = by_reg ? ebpf_verify_readable(v, insn->src_reg) : 0;

    if (!by_reg)
        ebpf_vreg_set_number(&v->stored, (uint64_t)(int64_t)insn->imm);
    if (!err)
        err = ebpf_verify_readable(v, insn->dst_reg);
    if (!err)
        err = ebpf_verify_access(v, &a, &v->loaded);
    return err ? err : ebpf_verify_note_base(v, insn->dst_reg);
}
