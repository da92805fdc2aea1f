/* SPDX-License-Identifier: MIT */
/*
 * Accesses to the context. What a program type's context has is said by its row: a table of fields,
 * the program's view of them, or nothing but a size. The pointer must be as it was given, since the
 * instruction is rewritten to the kernel's own struct: the offset in it must name the field.
 *
 *     *(u32 *)(r1 + 4)    struct xdp_md.data_end: r0 becomes the end of the packet
 *     *(u16 *)(r1 + 12)   the lower half of ingress_ifindex: a narrow load, of numbers only
 */
#include "src/verifier/access.h"

/* Is [off, off + size) a field, or a part of one that may be loaded alone? */
static bool in_table(const struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                     enum ebpf_ctx_kind *kind)
{
    const struct ebpf_prog_type *type = v->type;

    for (uint32_t i = 0; i < type->field_cnt; i++) {
        const struct ebpf_ctx_field *f = &type->fields[i];
        bool all = a->size == f->size;

        if (a->off < f->off || a->off + (int)a->size > f->off + f->size)
            continue;
        if (f->attach && f->attach != v->prog->expected_attach_type)
            return false;
        *kind = f->kind;
        if (a->write)
            return f->writable && all && f->kind == EBPF_CTX_NUMBER;
        return all || (!f->whole && f->kind == EBPF_CTX_NUMBER && f->size == f->kernel_size);
    }
    return false;
}

static bool allowed(const struct ebpf_verifier *v, const struct ebpf_vaccess *a,
                    enum ebpf_ctx_kind *kind)
{
    const struct ebpf_prog_type *type = v->type;

    *kind = EBPF_CTX_NUMBER;
    if (a->off < 0 || a->off % (int)a->size)
        return false;
    if (type->fields && in_table(v, a, kind))
        return true;
    *kind = EBPF_CTX_NUMBER;
    if (type->ctx_access)
        return type->ctx_access(v->prog->expected_attach_type, a->off, a->size, a->write, kind);
    return !type->fields && !a->write && (uint32_t)a->off + a->size <= type->ctx_size;
}

/* What is in r0 after the load of such a field. */
static void value_of(struct ebpf_verifier *v, enum ebpf_ctx_kind kind, struct ebpf_vreg *out)
{
    static const struct {
        uint8_t kind, flags;
    } values[] = {
        [EBPF_CTX_PACKET] = {EBPF_KIND_PACKET, 0},
        [EBPF_CTX_PACKET_META] = {EBPF_KIND_PACKET_META, 0},
        [EBPF_CTX_PACKET_END] = {EBPF_KIND_PACKET_END, 0},
        [EBPF_CTX_SOCK_COMMON_OR_NULL] = {EBPF_KIND_SOCK_COMMON, EBPF_REG_OR_NULL},
        [EBPF_CTX_SOCK] = {EBPF_KIND_SOCK, 0},
        [EBPF_CTX_FLOW_KEYS] = {EBPF_KIND_FLOW_KEYS, 0},
        [EBPF_CTX_SOCK_OR_NULL] = {EBPF_KIND_SOCK, EBPF_REG_OR_NULL},
        [EBPF_CTX_BUFFER] = {EBPF_KIND_MEM, 0},
    };

    ebpf_vreg_set_pointer(out, values[kind].kind);
    out->flags = values[kind].flags;
    if (out->flags & EBPF_REG_OR_NULL)
        out->id = ebpf_verify_new_id(v);
    if (kind == EBPF_CTX_BUFFER) /* its user checks how far accesses go */
        out->mem_size = UINT16_MAX;
}

int ebpf_verify_ctx(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct ebpf_vreg *out)
{
    enum ebpf_ctx_kind kind;
    int err = ebpf_verify_unmodified(v, a->reg);

    if (err)
        return err;
    if (a->strict || !allowed(v, a, &kind) || (kind != EBPF_CTX_NUMBER && (a->write || a->sign)))
        return ebpf_verify_refuse(v, -EACCES, "invalid bpf_context access off=%d size=%u", a->off,
                                  a->size);
    if (!a->write && kind != EBPF_CTX_NUMBER)
        value_of(v, kind, out);
    return 0;
}
