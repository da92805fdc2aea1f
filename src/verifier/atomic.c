/* SPDX-License-Identifier: MIT */
/*
 * Atomic operations, and loads of packets the old way.
 *
 * An atomic operation is a load and a store of the same bytes, so it is checked as both: what a
 * fetch gives is what a load would have given, and on the stack nothing is known of the bytes
 * afterwards. It must be aligned, and go to memory that several harts share or to the stack: a
 * context is rewritten when it is accessed, and packets may be anywhere.
 *
 * BPF_ABS and BPF_IND (RFC 9669, section 5.5) end the program where the packet is too short. So
 * nothing may be held there, and r6 must be the context.
 */
#include "src/verifier/access.h"

static int check_shared(struct ebpf_verifier *v, unsigned n, const char *what)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);
    uint32_t kinds = 1u << EBPF_KIND_CTX | 1u << EBPF_KIND_PACKET | 1u << EBPF_KIND_PACKET_META |
                     1u << EBPF_KIND_FLOW_KEYS | 1u << EBPF_KIND_SOCK |
                     1u << EBPF_KIND_SOCK_COMMON | 1u << EBPF_KIND_TCP_SOCK |
                     1u << EBPF_KIND_XDP_SOCK;

    if (!(kinds >> reg->kind & 1))
        return 0;
    return ebpf_verify_refuse(v, -EACCES, "BPF_ATOMIC %s R%u %s is not allowed", what, n,
                              ebpf_verify_type_name(reg));
}

/* Addresses are combined with numbers, or become part of one. */
static int check_number(struct ebpf_verifier *v, unsigned reg)
{
    int err = ebpf_verify_readable(v, reg);

    if (!err && ebpf_vreg_is_pointer(ebpf_verify_reg(v, reg)) && !v->may_leak)
        err = ebpf_verify_refuse(v, -EACCES, "R%u leaks addr into mem", reg);
    return err;
}

static int read_modify_write(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    bool compares = insn->imm == BPF_CMPXCHG, fetches = insn->imm & BPF_FETCH;
    struct ebpf_vaccess a = {.reg = insn->dst_reg,
                             .off = insn->off,
                             .size = ebpf_verify_access_size(insn),
                             .strict = true,
                             .value_reg = -1};
    unsigned old = compares ? BPF_REG_0 : insn->src_reg;
    struct ebpf_vreg *out = &v->loaded;
    int err = check_number(v, insn->src_reg);

    if (!err && compares)
        err = check_number(v, BPF_REG_0);
    if (!err)
        err = ebpf_verify_readable(v, insn->dst_reg);
    if (!err)
        err = check_shared(v, insn->dst_reg, "stores into");
    if (!err && fetches)
        err = ebpf_verify_writable(v, old);
    if (!err)
        err = ebpf_verify_access(v, &a, out);
    if (!err && ebpf_vreg_is_pointer(out) && !v->may_leak)
        err = ebpf_verify_refuse(v, -EACCES, "leaking pointer from stack off %d", insn->off);
    /* before r0 or src changes: one of them may be the base itself, which Linux refuses */
    if (!err && fetches && old == insn->dst_reg)
        err = ebpf_verify_refuse(v, -EACCES, "R%u invalid mem access 'scalar'", old);
    a.write = true;
    if (!err)
        err = ebpf_verify_access(v, &a, &v->stored); /* which nobody reads */
    if (!err)
        err = ebpf_verify_note_base(v, insn->dst_reg);
    if (!err && fetches)
        ebpf_verify_loaded(v, old, &a, out);
    return err;
}

static int load_acquire(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    int err = ebpf_verify_readable(v, insn->src_reg);

    if (!err)
        err = check_shared(v, insn->src_reg, "loads from");
    return err ? err : ebpf_verify_load(v, insn);
}

static int store_release(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    int err = ebpf_verify_readable(v, insn->dst_reg);

    if (!err)
        err = check_shared(v, insn->dst_reg, "stores into");
    return err ? err : ebpf_verify_store(v, insn);
}

int ebpf_verify_atomic(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    if (insn->imm == BPF_LOAD_ACQ)
        return load_acquire(v, insn);
    if (insn->imm == BPF_STORE_REL)
        return store_release(v, insn);
    return read_modify_write(v, insn);
}

int ebpf_verify_packet_load(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    int err;

    if (!v->type->packet_loads)
        return ebpf_verify_refuse(
            v, -EINVAL, "BPF_LD_[ABS|IND] instructions not allowed for this program type");
    err = ebpf_verify_readable(v, BPF_REG_6);
    if (!err)
        err = ebpf_verify_nothing_held(v, "BPF_LD_[ABS|IND]");
    if (!err && (ebpf_verify_reg(v, BPF_REG_6)->kind != EBPF_KIND_CTX ||
                 ebpf_verify_reg(v, BPF_REG_6)->flags & EBPF_REG_OR_NULL))
        err = ebpf_verify_refuse(v, -EINVAL,
                                 "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
    if (!err && BPF_MODE(insn->code) == BPF_IND)
        err = check_number(v, insn->src_reg);
    if (!err)
        err = ebpf_verify_unmodified(v, BPF_REG_6);
    if (err)
        return err;
    for (unsigned reg = BPF_REG_1; reg <= BPF_REG_5; reg++)
        ebpf_verify_reg(v, reg)->kind = EBPF_KIND_NOTHING;
    ebpf_vreg_set_unknown(ebpf_verify_reg(v, BPF_REG_0));
    return 0;
}
