/* SPDX-License-Identifier: MIT */
/*
 * Calls of helpers: may this program call it, do the arguments fit its prototype (arg.c), and what
 * is different afterwards: references got and given back, packets that moved, buffers that were
 * written, functions of the program that will be called, and r0. The prototype (helpers/helper.h)
 * says all of that; the few helpers whose result depends on more are at the end of each part.
 *
 * r1 to r5 hold nothing after any call.
 */
#include "src/verifier/call.h"

#include "src/verifier/access.h"
#include "src/verifier/engine.h"

#include "src/base/log.h"

/* ---- may it be called here? ------------------------------------------------------------------ */

static int check_allowed(struct ebpf_verifier *v, const struct ebpf_helper *helper, uint32_t id)
{
    const char *name = ebpf_helper_name(id);

    if (v->now->lock_map && id != EBPF_FUNC_spin_unlock)
        return ebpf_verify_refuse(v, -EINVAL,
                                  "function calls are not allowed while holding a lock");
    if (!name)
        return ebpf_verify_refuse(v, -EINVAL, "invalid func unknown#%d", (int)id);
    if (!helper || (helper->types && !(helper->types >> v->type->id & 1)) ||
        (helper->caps & v->prog->caps) != helper->caps ||
        (helper->available && !helper->available()))
        return ebpf_verify_refuse(v, -EINVAL, "program of this type cannot use helper bpf_%s#%u",
                                  name, id);
    if (helper->gpl_only && !v->prog->gpl &&
        !(helper->free_attach >> v->prog->expected_attach_type & 1))
        return ebpf_verify_refuse(
            v, -EINVAL, "cannot call GPL-restricted function from non-GPL compatible program");
    if (helper->sleeps && !v->sleepable)
        return ebpf_verify_refuse(v, -EINVAL, "helper call might sleep in a non-sleepable prog");
    return 0;
}

/* ---- functions of the program that it calls -------------------------------------------------- */

/* (u64 index, ctx) */
static void setup_loop(struct ebpf_verifier *v, struct ebpf_vframe *frame,
                       const struct ebpf_vframe *caller)
{
    (void)v;
    ebpf_vreg_set_unknown(&frame->regs[BPF_REG_1]);
    frame->regs[BPF_REG_2] = caller->regs[BPF_REG_3];
}

/* (map, key, value), later. Each value is another one: an id of its own, for its lock. */
static void setup_timer(struct ebpf_verifier *v, struct ebpf_vframe *frame,
                        const struct ebpf_vframe *caller)
{
    const struct ebpf_map *map = caller->regs[BPF_REG_1].map;

    for (unsigned i = 0; i < 3; i++) {
        static const uint8_t kinds[] = {EBPF_KIND_MAP, EBPF_KIND_MAP_KEY, EBPF_KIND_MAP_VALUE};

        ebpf_vreg_set_pointer(&frame->regs[BPF_REG_1 + i], kinds[i]);
        frame->regs[BPF_REG_1 + i].map = map;
    }
    if (map->lock_off >= 0)
        frame->regs[BPF_REG_3].id = ebpf_verify_new_id(v);
}

/* (map, key, value, ctx) */
static void setup_map_elem(struct ebpf_verifier *v, struct ebpf_vframe *frame,
                           const struct ebpf_vframe *caller)
{
    setup_timer(v, frame, caller);
    frame->regs[BPF_REG_1] = caller->regs[BPF_REG_1];
    frame->regs[BPF_REG_4] = caller->regs[BPF_REG_3];
}

/* (dynptr, ctx) */
static void setup_user_ringbuf(struct ebpf_verifier *v, struct ebpf_vframe *frame,
                               const struct ebpf_vframe *caller)
{
    ebpf_vreg_set_pointer(&frame->regs[BPF_REG_1], EBPF_KIND_DYNPTR);
    frame->regs[BPF_REG_1].id = ebpf_verify_new_id(v);
    frame->regs[BPF_REG_2] = caller->regs[BPF_REG_3];
}

/* (task, vma, ctx) */
static void setup_task_vma(struct ebpf_verifier *v, struct ebpf_vframe *frame,
                           const struct ebpf_vframe *caller)
{
    (void)v;
    frame->regs[BPF_REG_1] = caller->regs[BPF_REG_1];
    ebpf_vreg_set_pointer(&frame->regs[BPF_REG_2], EBPF_KIND_BTF);
    frame->regs[BPF_REG_3] = caller->regs[BPF_REG_4];
}

static int call_back(struct ebpf_verifier *v, const struct ebpf_vcall *call)
{
    static void (*const setups[])(struct ebpf_verifier * v, struct ebpf_vframe * frame,
                                  const struct ebpf_vframe *caller) = {
        [CALLBACK_LOOP] = setup_loop,         [CALLBACK_MAP_ELEM] = setup_map_elem,
        [CALLBACK_TIMER] = setup_timer,       [CALLBACK_USER_RINGBUF] = setup_user_ringbuf,
        [CALLBACK_TASK_VMA] = setup_task_vma,
    };
    enum ebpf_callback kind = call->helper->callback;
    struct ebpf_vframe *frame = ebpf_verify_frame(v);
    int err;

    if (kind == CALLBACK_MAP_ELEM && !call->map->ops->for_each)
        return ebpf_verify_refuse(v, -ENOTSUPP, "callback function not allowed for map");
    if (kind == CALLBACK_LOOP) {
        /* r1 tells how often at most: what was called as often goes on behind the call only */
        err = ebpf_verify_precise(v, BPF_REG_1);
        if (err)
            return err;
        if (frame->callback_depth >= frame->regs[BPF_REG_1].var.full.umax) {
            frame->callback_depth = 0;
            return 0;
        }
    }
    return ebpf_verify_callback(v, call->subprog, kind, setups[kind]);
}

/* ---- effects --------------------------------------------------------------------------------- */

static int write_buffers(struct ebpf_verifier *v, const struct ebpf_vcall *call)
{
    int err = 0;

    for (unsigned n = BPF_REG_1; !err && n <= BPF_REG_5; n++) {
        if (call->raw[n] && ebpf_verify_reg(v, n)->kind == EBPF_KIND_STACK)
            err = ebpf_verify_stack_written(v, n, call->raw[n]);
    }
    return err;
}

static int end_reference(struct ebpf_verifier *v, const struct ebpf_vcall *call)
{
    uint32_t ref = call->released ? ebpf_verify_reg(v, call->released)->ref : 0;

    if (!call->released || ebpf_verify_release(v, ref))
        return 0;
    return ebpf_verify_refuse(v, -EINVAL, "func bpf_%s#%u reference has not been acquired before",
                              call->helper->name, call->id);
}

/* Linux: check_bpf_snprintf_call(). That r3 leads to a string that never changes, and ends, is known
 * by now (ARG_CONST_STR). */
static int check_format(struct ebpf_verifier *v, const struct ebpf_helper *helper)
{
    const struct ebpf_vreg *fmt = ebpf_verify_reg(v, BPF_REG_3);
    uint64_t addr, size = ebpf_verify_reg(v, BPF_REG_5)->var.known.value;
    int64_t off;

    EBPF_BUG_IF(!ebpf_verify_fixed(fmt, &off) ||
                fmt->map->ops->value_addr(fmt->map, (uint32_t)off, &addr));
    if (!(size % 8) && !helper->check_format(ebpf_reg_ptr(addr), (unsigned)size / 8))
        return 0;
    return ebpf_verify_refuse(v, -EINVAL, "Invalid format string");
}

static int check_special(struct ebpf_verifier *v, const struct ebpf_vcall *call)
{
    const struct ebpf_vreg *flags = ebpf_verify_reg(v, BPF_REG_2);

    if (call->helper->check_format)
        return check_format(v, call->helper);
    if (call->id == EBPF_FUNC_tail_call)
        return ebpf_verify_nothing_held(v, "tail_call");
    /* it cannot say that it refuses them: it always returns a value */
    if (call->id == EBPF_FUNC_get_local_storage && !ebpf_vreg_is_null(flags))
        return ebpf_verify_refuse(v, -EINVAL, "get_local_storage() doesn't support non-zero flags");
    return 0;
}

/* ---- r0 -------------------------------------------------------------------------------------- */

/*
 * The element of an array that is known to be there: the key is a number on the stack below
 * max_entries. As Linux has it (get_constant_map_key()), it must have been stored as 4 bytes, or be
 * zeros.
 */
static int known_element(struct ebpf_verifier *v, const struct ebpf_vcall *call, bool *known)
{
    const struct ebpf_vreg *key = ebpf_verify_reg(v, BPF_REG_2);
    const struct ebpf_map *map = call->map;
    struct ebpf_vreg *index = ebpf_verify_reg(v, BPF_REG_0);
    int64_t off;
    int err = 0;

    if (call->id == EBPF_FUNC_tail_call)
        *index = *ebpf_verify_reg(v, BPF_REG_3);
    else if (call->id != EBPF_FUNC_map_lookup_elem || map->inner || map->flags & BPF_F_INNER_MAP ||
             (map->type != BPF_MAP_TYPE_ARRAY && map->type != BPF_MAP_TYPE_PERCPU_ARRAY) ||
             key->kind != EBPF_KIND_STACK || !ebpf_verify_fixed(key, &off) ||
             !ebpf_vstack_number(v->now->frames[key->frame], (int)off, 4, index))
        *index = (struct ebpf_vreg){.kind = EBPF_KIND_NOTHING};
    else if (ebpf_scalar_is_const(&index->var) && index->var.known.value < map->max_entries)
        *known = true;
    if (*known)
        err = ebpf_verify_precise(v, BPF_REG_0);
    ebpf_verify_note_call(v, map, index);
    return err;
}

static bool returns_length(uint32_t id)
{
    return id == EBPF_FUNC_probe_read_str || id == EBPF_FUNC_probe_read_user_str ||
           id == EBPF_FUNC_probe_read_kernel_str || id == EBPF_FUNC_get_stack ||
           id == EBPF_FUNC_get_task_stack;
}

#define MAX_ERRNO 4095

static void returned_number(const struct ebpf_vcall *call, struct ebpf_vreg *r0)
{
    struct ebpf_scalar *s = &r0->var;

    ebpf_vreg_set_unknown(r0);
    if (returns_length(call->id)) {
        s->full.smin = s->half.smin = -MAX_ERRNO;
        s->full.smax = s->half.smax = (int64_t)call->at_most;
    } else if (call->id == EBPF_FUNC_get_smp_processor_id) {
        s->full.umax = s->half.umax = ebpf_os_cpu_count() - 1;
    }
    (void)ebpf_scalar_sync(s, 64); /* never empty */
}

static const struct {
    uint8_t kind;
    uint8_t flags;
} returns[] = {
    [RET_MAP_VALUE_OR_NULL] = {EBPF_KIND_MAP_VALUE, EBPF_REG_OR_NULL},
    [RET_MAP_VALUE] = {EBPF_KIND_MAP_VALUE, 0},
    [RET_RECORD_OR_NULL] = {EBPF_KIND_MEM, EBPF_REG_OR_NULL | EBPF_REG_RECORD},
    [RET_MEM_OR_NULL] = {EBPF_KIND_MEM, EBPF_REG_OR_NULL},
    [RET_DYNPTR_MEM_OR_NULL] = {EBPF_KIND_MEM, EBPF_REG_OR_NULL},
    [RET_TASK] = {EBPF_KIND_TASK, 0},
    [RET_SOCK_OR_NULL] = {EBPF_KIND_SOCK, EBPF_REG_OR_NULL},
    [RET_SOCK_COMMON_OR_NULL] = {EBPF_KIND_SOCK_COMMON, EBPF_REG_OR_NULL},
    [RET_TCP_SOCK_OR_NULL] = {EBPF_KIND_TCP_SOCK, EBPF_REG_OR_NULL},
    [RET_BTF_OR_NULL] = {EBPF_KIND_BTF, EBPF_REG_OR_NULL},
    [RET_BTF] = {EBPF_KIND_BTF, 0},
};

static bool acquires(const struct ebpf_vcall *call)
{
    return call->helper->acquires || call->helper->ret == RET_RECORD_OR_NULL ||
           (call->id == EBPF_FUNC_map_lookup_elem &&
            (call->map->type == BPF_MAP_TYPE_SOCKMAP || call->map->type == BPF_MAP_TYPE_SOCKHASH));
}

static int returned_pointer(struct ebpf_verifier *v, const struct ebpf_vcall *call,
                            struct ebpf_vreg *r0)
{
    enum ebpf_ret ret = call->helper->ret;
    int err;

    ebpf_vreg_set_pointer(r0, returns[ret].kind);
    r0->flags = returns[ret].flags;
    if (ret == RET_MAP_VALUE_OR_NULL || ret == RET_MAP_VALUE) {
        r0->map = call->map;
        r0->map_uid = call->map_uid;
    } else if (r0->kind == EBPF_KIND_MEM) {
        r0->mem_size = call->mem_size;
    } else if (r0->kind == EBPF_KIND_BTF) {
        r0->btf_id = call->helper->casts ? call->id : 0;
    }
    if (acquires(call)) {
        err = ebpf_verify_acquire(v, &r0->id);
        r0->ref = r0->id;
        return err;
    }
    if (r0->flags & EBPF_REG_OR_NULL || (r0->map && r0->map->lock_off >= 0))
        r0->id = ebpf_verify_new_id(v);
    if (call->helper->casts)
        r0->ref = call->ref;
    else if (ret == RET_DYNPTR_MEM_OR_NULL)
        r0->ref = call->dynptr;
    return 0;
}

static int find_returned(struct ebpf_verifier *v, const struct ebpf_vcall *call, bool known,
                         struct ebpf_vreg *r0)
{
    enum ebpf_ret ret = call->helper->ret;
    int err;

    if (ret == RET_SCALAR || ret == RET_VOID) {
        returned_number(call, r0);
        if (ret == RET_VOID)
            r0->kind = EBPF_KIND_NOTHING;
        return 0;
    }
    if (returns[ret].kind == EBPF_KIND_MAP_VALUE && !call->map)
        return ebpf_verify_refuse(v, -EINVAL, "kernel subsystem misconfigured verifier");
    err = returned_pointer(v, call, r0);
    if (known)
        r0->flags &= ~EBPF_REG_OR_NULL;
    if (known && r0->map->lock_off < 0)
        r0->id = 0;
    return err;
}

/* ---- the call -------------------------------------------------------------------------------- */

static int check_arguments(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    int err = 0;

    for (unsigned n = BPF_REG_1; !err && n <= BPF_REG_5; n++)
        err = ebpf_verify_arg(v, call, n);
    return !err && call->map && call->map->ops ? ebpf_verify_map_fits(v, call) : err;
}

int ebpf_verify_helper(struct ebpf_verifier *v, const struct bpf_insn *insn)
{
    struct ebpf_vcall call = {.id = (uint32_t)insn->imm};
    bool known = false;
    int err;

    call.helper = ebpf_helper_find(call.id);
    err = check_allowed(v, call.helper, call.id);
    if (!err)
        err = check_arguments(v, &call);
    if (!err)
        err = check_special(v, &call);
    if (!err)
        err = write_buffers(v, &call);
    if (!err && call.helper->callback)
        err = call_back(v, &call);
    if (!err && call.map)
        err = known_element(v, &call, &known);
    if (!err)
        err = find_returned(v, &call, known, ebpf_verify_reg(v, BPF_REG_0));
    if (!err)
        err = end_reference(v, &call);
    if (err)
        return err;
    if (call.helper->packet)
        ebpf_verify_packet_moved(v);
    for (unsigned n = BPF_REG_1; n <= BPF_REG_5; n++)
        ebpf_vreg_set_nothing(ebpf_verify_reg(v, n));
    return 0;
}
