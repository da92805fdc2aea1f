/* SPDX-License-Identifier: MIT */
/*
 * Global functions: those that BTF calls so (what C does not call static). Each is verified once
 * and by itself, for all arguments that its prototype allows; calls of it only check that theirs
 * are such, and know nothing of its result but that it is a number. That keeps the number of paths
 * down, and the function can be replaced.
 *
 *     int f(struct __sk_buff *ctx, struct pair *p, int n)
 *
 *     r1: the context, where the caller must have it; r2: sizeof(struct pair) bytes, or NULL;
 *     r3: any number. Declaration tags say more about arguments: "arg:nonnull", "arg:nullable",
 *     "arg:ctx", "arg:trusted".
 *
 * Messages and order of checks are those of Linux's btf_prepare_func_args() and
 * btf_check_func_arg_match().
 */
#include "src/base/bits.h"
#include "src/btf/btf.h"
#include "src/verifier/access.h"
#include "src/verifier/engine.h"

#define TAG_CTX 1u
#define TAG_TRUSTED 2u
#define TAG_NONNULL 4u
#define TAG_NULLABLE 8u

/* What one argument must be: a pattern for its register. */
struct argument {
    uint8_t kind; /* SCALAR, CTX, MEM, TASK */
    bool or_null;
    uint32_t size;
};

/* ---- what BTF says --------------------------------------------------------------------------- */

static const struct btf_type *func_of(const struct ebpf_verifier *v, uint32_t sub)
{
    if (!v->prog->btf || sub >= v->prog->func_info_cnt)
        return NULL;
    return ebpf_btf_type(v->prog->btf, v->prog->func_info[sub].type_id);
}

bool ebpf_verify_is_global(const struct ebpf_verifier *v, uint32_t sub)
{
    const struct btf_type *func = func_of(v, sub);

    return func && btf_vlen(func) == BTF_FUNC_GLOBAL;
}

const char *ebpf_verify_sub_name(const struct ebpf_verifier *v, uint32_t sub)
{
    const struct btf_type *func = func_of(v, sub);

    return func ? ebpf_btf_name(v->prog->btf, func) : "?";
}

static int tag_of(const char *name)
{
    static const struct {
        const char *name;
        int tag;
    } tags[] = {{"arg:ctx", TAG_CTX},
                {"arg:trusted", TAG_TRUSTED},
                {"arg:nonnull", TAG_NONNULL},
                {"arg:nullable", TAG_NULLABLE}};

    for (size_t i = 0; i < EBPF_ARRAY_SIZE(tags); i++) {
        if (ebpf_streq(name, tags[i].name))
            return tags[i].tag;
    }
    return 0;
}

static int find_tags(struct ebpf_verifier *v, uint32_t sub, unsigned n, unsigned *tags)
{
    uint32_t cursor = 0;
    const char *name;

    *tags = 0;
    while ((name = ebpf_btf_next_tag(v->prog->btf, v->prog->func_info[sub].type_id, (int32_t)n,
                                     &cursor))) {
        int tag = tag_of(name);

        if (!ebpf_starts_with(name, "arg:"))
            continue;
        if (!tag)
            return ebpf_verify_refuse(v, -EOPNOTSUPP, "arg#%u has unsupported set of tags", n);
        *tags |= (unsigned)tag;
    }
    return 0;
}

/* The struct (or, of kprobes, the typedef) that a program of that type calls its context. */
static const char *context_name(uint32_t type)
{
    switch (type) {
    case BPF_PROG_TYPE_SOCKET_FILTER:
    case BPF_PROG_TYPE_SCHED_CLS:
    case BPF_PROG_TYPE_SCHED_ACT:
    case BPF_PROG_TYPE_CGROUP_SKB:
        return "__sk_buff";
    case BPF_PROG_TYPE_XDP:
        return "xdp_md";
    case BPF_PROG_TYPE_KPROBE:
        return "bpf_user_pt_regs_t";
    case BPF_PROG_TYPE_PERF_EVENT:
        return "bpf_perf_event_data";
    case BPF_PROG_TYPE_RAW_TRACEPOINT:
        return "bpf_raw_tracepoint_args";
    default:
        return "";
    }
}

/* Does the pointer lead to something of that name, by whatever typedefs? */
static bool points_to(const struct ebpf_btf *btf, const struct btf_type *ptr, const char *name)
{
    uint32_t id = ptr->type;
    const struct btf_type *t;

    for (unsigned depth = 0; depth < 32; depth++) {
        t = ebpf_btf_type(btf, id);
        if (!t)
            return false;
        if (btf_is(t, BTF_BIT(STRUCT) | BTF_BIT(TYPEDEF)) &&
            ebpf_streq(ebpf_btf_name(btf, t), name))
            return true;
        if (!btf_is(t, BTF_KINDS_MODIFIER))
            return false;
        id = t->type;
    }
    return false;
}

/* "task_struct", or the same with a flavour: "task_struct___mine". */
static bool is_task(const struct ebpf_btf *btf, const struct btf_type *ptr)
{
    const struct btf_type *t = ebpf_btf_skip(btf, ptr->type, NULL);
    const char *name = t && btf_is(t, BTF_BIT(STRUCT)) ? ebpf_btf_name(btf, t) : "";

    return ebpf_streq(name, "task_struct") || ebpf_starts_with(name, "task_struct___");
}

static int pointer_argument(struct ebpf_verifier *v, const struct btf_type *ptr, unsigned n,
                            unsigned tags, struct argument *arg)
{
    const struct ebpf_btf *btf = v->prog->btf;
    const char *context = context_name(v->type->id);
    uint32_t id = ptr->type;

    if ((tags & TAG_CTX) || (*context && points_to(btf, ptr, context))) {
        if (tags & ~TAG_CTX)
            return ebpf_verify_refuse(v, -EINVAL, "arg#%u has invalid combination of tags", n);
        *arg = (struct argument){.kind = EBPF_KIND_CTX};
        return 0;
    }
    if (points_to(btf, ptr, "bpf_dynptr"))
        return ebpf_verify_refuse(v, -EOPNOTSUPP, "arg#%u: dynptrs as arguments are not supported",
                                  n);
    if (tags & TAG_TRUSTED ? tags & TAG_NONNULL || !is_task(btf, ptr) : tags & TAG_NULLABLE)
        return ebpf_verify_refuse(v, -EINVAL, "arg#%u has invalid combination of tags", n);
    if (tags & TAG_TRUSTED) {
        *arg = (struct argument){.kind = EBPF_KIND_TASK, .or_null = tags & TAG_NULLABLE};
        return 0;
    }
    *arg = (struct argument){.kind = EBPF_KIND_MEM, .or_null = !(tags & TAG_NONNULL)};
    if (!ebpf_btf_sized(btf, &id, &arg->size))
        return ebpf_verify_refuse(v, -EINVAL, "arg#%u reference type size cannot be determined", n);
    return 0;
}

static int find_argument(struct ebpf_verifier *v, uint32_t sub, const struct btf_param *param,
                         unsigned n, struct argument *arg)
{
    const struct btf_type *t = ebpf_btf_skip(v->prog->btf, param->type, NULL);
    unsigned tags;
    int err = find_tags(v, sub, n, &tags);

    if (err)
        return err;
    if (t && btf_is(t, BTF_BIT(PTR)))
        return pointer_argument(v, t, n, tags, arg);
    if (tags)
        return ebpf_verify_refuse(v, -EINVAL, "arg#%u has pointer tag, but is not a pointer type",
                                  n);
    *arg = (struct argument){.kind = EBPF_KIND_SCALAR};
    if (t && btf_is(t, BTF_BIT(INT) | BTF_KINDS_ENUM))
        return 0;
    return ebpf_verify_refuse(v, -EINVAL, "Arg#%u type of %s() is not supported yet.", n,
                              ebpf_verify_sub_name(v, sub));
}

/* All arguments of a global function. */
static int find_arguments(struct ebpf_verifier *v, uint32_t sub, struct argument args[5],
                          unsigned *count)
{
    const struct ebpf_btf *btf = v->prog->btf;
    const struct btf_type *proto = ebpf_btf_func_proto(btf, v->prog->func_info[sub].type_id);
    const char *name = ebpf_verify_sub_name(v, sub);
    const struct btf_type *ret;
    int err = 0;

    if (!proto)
        return ebpf_verify_refuse(v, -EFAULT, "Invalid type of function %s()", name);
    *count = btf_vlen(proto);
    if (*count > 5)
        return ebpf_verify_refuse(
            v, -EINVAL, "Global function %s() with %u > 5 args. Buggy compiler.", name, *count);
    ret = ebpf_btf_skip(btf, proto->type, NULL);
    if (!ret || !btf_is(ret, BTF_BIT(INT) | BTF_KINDS_ENUM))
        return ebpf_verify_refuse(
            v, -EINVAL, "Global function %s() doesn't return scalar. Only those are supported.",
            name);
    for (unsigned n = 0; !err && n < *count; n++)
        err = find_argument(v, sub, &btf_params(proto)[n], n, &args[n]);
    return err;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static int pass_memory(struct ebpf_verifier *v, unsigned n, const struct argument *arg)
{
    struct ebpf_vreg *reg = ebpf_verify_reg(v, n + 1);
    uint32_t flags = reg->flags;
    int err;

    if (ebpf_vreg_is_null(reg) && arg->or_null)
        return ebpf_verify_precise(v, n + 1);
    if (ebpf_vreg_is_pointer(reg))
        reg->flags &= ~EBPF_REG_OR_NULL; /* as if it were there, for this check */
    err = ebpf_verify_region(v, n + 1, arg->size, true);
    reg->flags = flags;
    if (!err && !arg->or_null && (ebpf_vreg_is_null(reg) || flags & EBPF_REG_OR_NULL))
        err = ebpf_verify_refuse(v, -EINVAL, "arg#%u is expected to be non-NULL", n);
    return err ? -EINVAL : 0;
}

static int pass(struct ebpf_verifier *v, unsigned n, const struct argument *arg)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n + 1);

    switch (arg->kind) {
    case EBPF_KIND_SCALAR:
        return reg->kind == EBPF_KIND_SCALAR
                   ? 0
                   : ebpf_verify_refuse(v, -EINVAL, "R%u is not a scalar", n + 1);
    case EBPF_KIND_CTX:
        if (reg->kind != EBPF_KIND_CTX)
            return ebpf_verify_refuse(v, -EINVAL, "arg#%u expects pointer to ctx", n);
        return ebpf_verify_unmodified(v, n + 1);
    case EBPF_KIND_TASK:
        if (ebpf_vreg_is_null(reg) && arg->or_null)
            return ebpf_verify_precise(v, n + 1);
        if (reg->kind != EBPF_KIND_TASK || (reg->flags & EBPF_REG_OR_NULL && !arg->or_null))
            return ebpf_verify_refuse(v, -EACCES,
                                      "R%u type=%s expected=ptr_, trusted_ptr_, rcu_ptr_", n + 1,
                                      ebpf_verify_type_name(reg));
        return ebpf_verify_unmodified(v, n + 1);
    default:
        return pass_memory(v, n, arg);
    }
}

int ebpf_verify_call_global(struct ebpf_verifier *v, uint32_t sub)
{
    struct argument args[5];
    unsigned count;
    int err = find_arguments(v, sub, args, &count);

    for (unsigned n = 0; !err && n < count; n++) {
        err = ebpf_verify_readable(v, n + 1);
        if (!err)
            err = pass(v, n, &args[n]);
    }
    if (v->now->lock_map)
        return ebpf_verify_refuse(v, -EINVAL,
                                  "global function calls are not allowed while holding a lock,\n"
                                  "use static function instead");
    if (err)
        return ebpf_verify_refuse(v, err, "Caller passes invalid args into func#%u ('%s')", sub,
                                  ebpf_verify_sub_name(v, sub));
    v->explore->subs[sub].called = true;
    if (v->explore->subs[sub].moves_packet)
        ebpf_verify_packet_moved(v);
    for (unsigned r = BPF_REG_0; r <= BPF_REG_5; r++)
        ebpf_verify_reg(v, r)->kind = EBPF_KIND_NOTHING;
    ebpf_vreg_set_unknown(ebpf_verify_reg(v, BPF_REG_0));
    return 0;
}

/* ---- by itself ------------------------------------------------------------------------------- */

static void any_argument(struct ebpf_verifier *v, const struct argument *arg, struct ebpf_vreg *reg)
{
    if (arg->kind == EBPF_KIND_SCALAR) {
        ebpf_vreg_set_unknown(reg);
        return;
    }
    ebpf_vreg_set_pointer(reg, arg->kind);
    if (arg->kind == EBPF_KIND_MEM)
        reg->mem_size = arg->size;
    if (arg->or_null) {
        reg->flags |= EBPF_REG_OR_NULL;
        reg->id = ebpf_verify_new_id(v);
    }
}

static int verify_one(struct ebpf_verifier *v, uint32_t sub)
{
    struct argument args[5];
    unsigned count;
    int err;

    if (ebpf_load_log_on(v->log, EBPF_LOG_LEVEL1 | EBPF_LOG_LEVEL2))
        ebpf_load_logf(v->log, "Validating %s() func#%u...\n", ebpf_verify_sub_name(v, sub), sub);
    err = find_arguments(v, sub, args, &count);
    if (!err)
        err = ebpf_vstate_push(&v->mem, v->now, 0);
    if (err)
        return err;
    ebpf_verify_frame(v)->subprog = sub;
    for (unsigned n = 0; n < count; n++)
        any_argument(v, &args[n], ebpf_verify_reg(v, n + 1));
    v->at = v->code->subprogs[sub].start;
    return ebpf_verify_explore(v);
}

/* Those that are called, which may call others. */
int ebpf_verify_globals(struct ebpf_verifier *v)
{
    bool more = true;
    int err = 0;

    while (!err && more) {
        more = false;
        for (uint32_t sub = 1; !err && sub < v->code->subprog_cnt; sub++) {
            struct ebpf_vsub *s = &v->explore->subs[sub];

            if (!s->called || s->verified)
                continue;
            s->verified = more = true;
            err = verify_one(v, sub);
        }
    }
    return err;
}
