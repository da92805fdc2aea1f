/* SPDX-License-Identifier: MIT */
/*
 * Accesses to packets and to sockets.
 *
 * How long a packet is, only a comparison with data_end tells. branch.c writes what it told into
 * the range of all pointers with the same id, that is, the same unknown part var: `range` bytes
 * behind start + var are there. So only the constant offset counts here:
 *
 *     r2 = data + 14;  if (r2 > data_end) goto out;     data (id 0): range 14
 *     r0 = *(u8 *)(data + 13)                           13 + 1 <= 14: fine
 *     r3 = data + r5 (0 to 255);  r4 = r3 + 8;
 *     if (r4 > data_end) goto out;                      r3 (id 7): range 8, whatever r5 was
 *
 * Sockets are Linux's (bpf-check --linux): structs in the program's view, of which fields are
 * loaded, never stored.
 */
#include "src/verifier/access.h"

#include "src/base/bits.h"

int ebpf_verify_packet(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct ebpf_vreg *out)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);
    int64_t off = (int64_t)reg->off + a->off;

    (void)out;
    if (a->write && !v->type->packet_writes)
        return ebpf_verify_refuse(v, -EACCES, "cannot write into packet");
    if (reg->var.full.smin < 0)
        return ebpf_verify_refuse(v, -EACCES,
                                  "R%d min value is negative, either use unsigned index or do a if "
                                  "(index >=0) check.",
                                  a->reg);
    if (off >= 0 && (a->size || a->empty) && off + (int64_t)a->size <= (int64_t)reg->range)
        return 0;
    ebpf_verify_refuse(v, -EACCES,
                       "invalid access to packet, off=%lld size=%u, R%d(id=%u,off=%d,r=%u)",
                       (long long)off, a->size, a->reg, reg->id, reg->off, reg->range);
    return ebpf_verify_refuse(v, -EACCES, "R%d offset is outside of the packet", a->reg);
}

/* ---- sockets --------------------------------------------------------------------------------- */

/* A run of fields of one size. */
struct fields {
    uint8_t kind; /* EBPF_KIND_SOCK: of SOCK_COMMON too, if common */
    uint8_t start, end;
    uint8_t size;
    bool parts;  /* may be loaded in parts */
    bool common;
};

/* Linux: struct bpf_sock, bpf_tcp_sock, bpf_xdp_sock, and their is_valid_access() */
static const struct fields sock_fields[] = {
    {EBPF_KIND_SOCK, 0, 4, 4, false, true},     /* bound_dev_if */
    {EBPF_KIND_SOCK, 4, 8, 4, true, true},      /* family */
    {EBPF_KIND_SOCK, 8, 16, 4, true, false},    /* type, protocol */
    {EBPF_KIND_SOCK, 16, 24, 4, false, false},  /* mark, priority */
    {EBPF_KIND_SOCK, 24, 44, 4, true, true},    /* src_ip4, src_ip6 */
    {EBPF_KIND_SOCK, 44, 48, 4, true, true},    /* src_port */
    {EBPF_KIND_SOCK, 48, 50, 2, true, true},    /* dst_port; behind it two bytes of nothing */
    {EBPF_KIND_SOCK, 48, 52, 4, false, true},   /* both, as it was before */
    {EBPF_KIND_SOCK, 52, 72, 4, true, true},    /* dst_ip4, dst_ip6 */
    {EBPF_KIND_SOCK, 72, 80, 4, true, true},    /* state, rx_queue_mapping */
    {EBPF_KIND_TCP_SOCK, 0, 80, 4, false, false},
    {EBPF_KIND_TCP_SOCK, 80, 96, 8, false, false}, /* bytes_received, bytes_acked */
    {EBPF_KIND_TCP_SOCK, 96, 112, 4, false, false},
    {EBPF_KIND_XDP_SOCK, 0, 4, 4, false, false},
};

static bool sock_field(unsigned kind, int64_t off, uint32_t size)
{
    for (unsigned i = 0; i < EBPF_ARRAY_SIZE(sock_fields); i++) {
        const struct fields *f = &sock_fields[i];

        if ((f->kind == kind || (kind == EBPF_KIND_SOCK_COMMON && f->common)) && off >= f->start &&
            off + size <= f->end && !(off % size) &&
            (size == f->size || (f->parts && size < f->size)))
            return true;
    }
    return false;
}

int ebpf_verify_sock(struct ebpf_verifier *v, const struct ebpf_vaccess *a, struct ebpf_vreg *out)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, a->reg);
    int64_t off;

    (void)out;
    if (a->write)
        return ebpf_verify_refuse(v, -EACCES, "R%d cannot write into %s", a->reg,
                                  ebpf_verify_type_name(reg));
    if (ebpf_verify_fixed(reg, &off) && sock_field(reg->kind, off + a->off, a->size))
        return 0;
    return ebpf_verify_refuse(v, -EACCES, "R%d invalid %s access off=%d size=%u", a->reg,
                              ebpf_verify_type_name(reg), a->off, a->size);
}
