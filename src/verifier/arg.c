/* SPDX-License-Identifier: MIT */
/*
 * Arguments of helpers. Each enum ebpf_arg has a row in rules[]: which kinds of pointer it may be,
 * and whether NULL is one; check_more() is what else is to be checked once the kind is right. A
 * helper's prototype is nothing but a list of such rows' names:
 *
 *     bpf_probe_read_kernel(dst, size, src)    ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING
 *
 *     r1 = r10 - 64, r2 = [0, 64]: before a size is memory: 64 bytes at r1 must be writable
 *
 * Memory is looked at when its size is: the argument behind it. A buffer whose size is known and
 * that is only written may hold nothing before; it is marked as written when all arguments are
 * checked (call.c), since another argument might be read from there.
 */
#include "src/verifier/call.h"
#include "src/verifier/dynptr.h"

#include "src/base/bits.h"
#include "src/base/log.h"

#define K(kind) (1u << EBPF_KIND_##kind)
#define MEMORY (K(STACK) | K(PACKET) | K(PACKET_META) | K(MAP_KEY) | K(MAP_VALUE) | K(MEM))
#define SOCKETS (K(SOCK_COMMON) | K(SOCK) | K(TCP_SOCK) | K(XDP_SOCK))

/* ---- maps ------------------------------------------------------------------------------------ */

/* Two maps in one map look the same: which lookup gave them tells them apart. */
static int arg_map(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    const struct ebpf_vreg *reg = call->reg;

    if (call->map && (call->map != reg->map || call->map_uid != reg->map_uid))
        return ebpf_verify_refuse(v, -EINVAL,
                                  "timer pointer in R1 map_uid=%u doesn't match map pointer in R%u "
                                  "map_uid=%u",
                                  call->map_uid, call->n, reg->map_uid);
    call->map = reg->map;
    call->map_uid = reg->map_uid;
    return ebpf_verify_map_use(v, reg->map);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* call->access is ready but for the size. */
static int check_memory(struct ebpf_verifier *v, struct ebpf_vcall *call, uint32_t size)
{
    struct ebpf_vaccess *a = &call->access;
    int err;

    a->size = size;
    err = ebpf_verify_buffer(v, a);
    if (!err && a->strict)
        err = ebpf_verify_aligned(v, a);
    if (!err && a->raw)
        call->raw[a->reg] = size;
    return err;
}

static int arg_key(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    if (!call->map)
        return ebpf_verify_refuse(v, -EACCES, "invalid map_ptr to access map->key");
    return check_memory(v, call, call->map->key_size);
}

static int arg_value(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    bool write = call->arg == ARG_MAP_VALUE_WR;

    if (call->arg == ARG_MAP_VALUE_OR_NULL && ebpf_vreg_is_null(call->reg))
        return 0;
    if (!call->map)
        return ebpf_verify_refuse(v, -EACCES, "invalid map_ptr to access map->value");
    if (call->map->type == BPF_MAP_TYPE_BLOOM_FILTER) /* bpf_map_peek_elem() asks for it */
        write = false;
    call->access.write = call->access.raw = write;
    return check_memory(v, call, call->map->value_size);
}

/* The size of the memory that the argument before it points to. */
static int arg_size(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    const struct ebpf_range *size = &call->reg->var.full;
    enum ebpf_arg mem = call->n > BPF_REG_1 ? call->helper->arg[call->n - 2] : ARG_NONE;
    bool only_written = mem == ARG_MEM_WR || mem == ARG_MEM_WR_OR_NULL;
    struct ebpf_vaccess *a = &call->access;
    int err;

    a->reg--;
    a->empty = call->arg == ARG_SIZE_OR_ZERO;
    a->write = only_written || mem == ARG_MEM_RDWR;
    a->raw = only_written && ebpf_scalar_is_const(&call->reg->var);
    call->at_most = size->umax;
    if (size->smin < 0)
        return ebpf_verify_refuse(
            v, -EACCES, "R%u min value is negative, either use unsigned or 'var &= const'",
            call->n);
    if (!size->umin && !a->empty)
        return ebpf_verify_refuse(v, -EACCES, "R%u invalid zero-sized read: u64=[%lld,%lld]",
                                  call->n, (long long)size->umin, (long long)size->umax);
    if (size->umax >= EBPF_VERIFY_MAX_OFF)
        return ebpf_verify_refuse(
            v, -EACCES, "R%u unbounded memory access, use 'var &= const' or 'if (var < const)'",
            call->n);
    err = check_memory(v, call, (uint32_t)size->umax);
    return err ? err : ebpf_verify_precise(v, call->n);
}

static int arg_reserve_size(struct ebpf_verifier *v, struct ebpf_vcall *call)
{

    if (!ebpf_scalar_is_const(&call->reg->var))
        return ebpf_verify_refuse(v, -EACCES, "R%u is not a known constant'", call->n);
    if (call->reg->var.known.value >= EBPF_VERIFY_MAX_OFF)
        return ebpf_verify_refuse(v, -EACCES, "R%u is too large a size", call->n);
    call->mem_size = (uint32_t)call->reg->var.known.value;
    return ebpf_verify_precise(v, call->n);
}

/* Memory whose size the argument's kind says; variables of the helper's are aligned, too. */
static int arg_fixed(struct ebpf_verifier *v, struct ebpf_vcall *call, uint32_t size)
{
    struct ebpf_vaccess *a = &call->access;

    a->raw = call->arg == ARG_INT_OUT || call->arg == ARG_LONG_OUT;
    a->write = a->strict = a->raw || call->arg == ARG_INT_INOUT;
    return check_memory(v, call, size);
}

static int arg_const_str(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    const struct ebpf_map *map = call->reg->map;
    int64_t off;
    char c = 1;
    int err;

    if (!ebpf_verify_constant(map))
        return ebpf_verify_refuse(v, -EACCES, "R%u does not point to a readonly map'", call->n);
    if (!ebpf_verify_fixed(call->reg, &off))
        return ebpf_verify_refuse(v, -EACCES, "R%u is not a constant address'", call->n);
    err = check_memory(v, call, 1);
    for (; !err && c && off < (int64_t)map->value_size; off++) {
        if (!ebpf_verify_read_constant(map, (uint32_t)off, &c, 1))
            return ebpf_verify_refuse(v, -EACCES,
                                      "no direct value access support for this map type");
    }
    if (!err && c)
        err = ebpf_verify_refuse(v, -EINVAL, "string is not zero-terminated");
    return err;
}

/* ---- special things -------------------------------------------------------------------------- */

static int arg_timer(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    int err = ebpf_verify_at_field(v, call->n, "bpf_timer", call->reg->map->timer_off);

    call->map = call->reg->map;
    call->map_uid = call->reg->map_uid;
    return err ? err : ebpf_verify_map_use(v, call->map);
}

static int arg_dynptr_new(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    bool record = call->arg == ARG_DYNPTR_UNINIT_RINGBUF;

    /* what it points to must stay: values do, the stack of a function does not */
    if (!record && ebpf_verify_reg(v, BPF_REG_1)->kind != EBPF_KIND_MAP_VALUE)
        return ebpf_verify_refuse(v, -EACCES,
                                  "Unsupported reg type %s for bpf_dynptr_from_mem data",
                                  ebpf_verify_type_name(ebpf_verify_reg(v, BPF_REG_1)));
    return ebpf_verify_dynptr_make(v, call->n, record);
}

static int arg_dynptr(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    if (call->arg == ARG_DYNPTR_RINGBUF)
        return ebpf_verify_dynptr_release(v, call->n);
    return ebpf_verify_dynptr_use(v, call->n, &call->dynptr);
}

static int arg_release(struct ebpf_verifier *v, struct ebpf_vcall *call)
{

    if (!call->reg->ref)
        return ebpf_verify_refuse(
            v, -EINVAL, "R%u must be referenced when passed to release function", call->n);
    call->released = call->n;
    return 0;
}

/* A struct of Linux's that is a socket too: what bpf_skc_to_*() gave. */
static int arg_sock(struct ebpf_verifier *v, struct ebpf_vcall *call)
{

    if (call->reg->kind == EBPF_KIND_BTF && !call->reg->btf_id)
        return ebpf_verify_refuse(v, -EACCES, "R%u is of another type than a socket", call->n);
    return call->arg == ARG_SOCK_RELEASE ? arg_release(v, call) : 0;
}

/* ---- the tables ------------------------------------------------------------------------------ */

/* What may be passed. */
enum what {
    TAKES_NO_RULE = 0,
    TAKES_NUMBER,
    TAKES_MEMORY,
    TAKES_MAP,
    TAKES_VALUE,
    TAKES_LOCK,
    TAKES_RECORD,
    TAKES_CTX,
    TAKES_FUNC,
    TAKES_STACK,
    TAKES_NEW_DYNPTR,
    TAKES_DYNPTR,
    TAKES_TASK,
    TAKES_BTF,
    TAKES_SOCK,
    TAKES_SOCK_COMMON,
    TAKES_ANY_SOCK,
};

static const struct {
    uint32_t kinds;
    const char *names; /* Linux's, which are of Linux's kinds */
} whats[] = {
    [TAKES_NUMBER] = {K(SCALAR), "scalar"},
    [TAKES_MEMORY] = {MEMORY, "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, "
                              "trusted_ptr_"},
    [TAKES_MAP] = {K(MAP), "map_ptr"},
    [TAKES_VALUE] = {K(MAP_VALUE), "map_value"},
    [TAKES_LOCK] = {K(MAP_VALUE), "map_value, ptr_"},
    [TAKES_RECORD] = {K(MEM), "ringbuf_mem"},
    [TAKES_CTX] = {K(CTX), "ctx"},
    [TAKES_FUNC] = {K(FUNC), "func"},
    [TAKES_STACK] = {K(STACK), "fp"},
    [TAKES_NEW_DYNPTR] = {K(STACK), "fp, dynptr_ptr"},
    [TAKES_DYNPTR] = {K(STACK) | K(DYNPTR), "fp, dynptr_ptr"},
    [TAKES_TASK] = {K(TASK), "ptr_, trusted_ptr_, rcu_ptr_"},
    [TAKES_BTF] = {0, "ptr_, trusted_ptr_, rcu_ptr_"},
    [TAKES_SOCK] = {K(SOCK), "sock"},
    [TAKES_SOCK_COMMON] = {SOCKETS, "sock_common, sock, tcp_sock, xdp_sock"},
    [TAKES_ANY_SOCK] = {SOCKETS | K(BTF),
                        "sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_"},
};

static const struct {
    uint8_t what; /* enum what */
    bool null;    /* also pointers that may be NULL, and the number 0 */
} rules[] = {
    [ARG_MAP] = {TAKES_MAP, false},
    [ARG_MAP_KEY] = {TAKES_MEMORY, false},
    [ARG_MAP_VALUE] = {TAKES_MEMORY, false},
    [ARG_MAP_VALUE_WR] = {TAKES_MEMORY, false},
    [ARG_MAP_VALUE_OR_NULL] = {TAKES_MEMORY, true},
    [ARG_MEM_RD] = {TAKES_MEMORY, false},
    [ARG_MEM_RD_OR_NULL] = {TAKES_MEMORY, true},
    [ARG_MEM_WR] = {TAKES_MEMORY, false},
    [ARG_MEM_WR_OR_NULL] = {TAKES_MEMORY, true},
    [ARG_MEM_RDWR] = {TAKES_MEMORY, false},
    [ARG_MEM_20] = {TAKES_MEMORY, false},
    [ARG_MEM_40] = {TAKES_MEMORY, false},
    [ARG_INT_OUT] = {TAKES_MEMORY, false},
    [ARG_INT_INOUT] = {TAKES_MEMORY, false},
    [ARG_LONG_OUT] = {TAKES_MEMORY, false},
    [ARG_SIZE] = {TAKES_NUMBER, false},
    [ARG_SIZE_OR_ZERO] = {TAKES_NUMBER, false},
    [ARG_RESERVE_SIZE] = {TAKES_NUMBER, false},
    [ARG_SCALAR] = {TAKES_NUMBER, false},
    [ARG_RECORD] = {TAKES_RECORD, false},
    [ARG_CTX] = {TAKES_CTX, false},
    [ARG_CTX_OR_NULL] = {TAKES_CTX, true},
    [ARG_CONST_STR] = {TAKES_VALUE, false},
    [ARG_FUNC] = {TAKES_FUNC, false},
    [ARG_STACK_OR_NULL] = {TAKES_STACK, true},
    [ARG_SPIN_LOCK] = {TAKES_LOCK, false},
    [ARG_TIMER] = {TAKES_VALUE, false},
    [ARG_DYNPTR_UNINIT_MEM] = {TAKES_NEW_DYNPTR, false},
    [ARG_DYNPTR_UNINIT_RINGBUF] = {TAKES_NEW_DYNPTR, false},
    [ARG_DYNPTR] = {TAKES_DYNPTR, false},
    [ARG_DYNPTR_RINGBUF] = {TAKES_DYNPTR, false},
    [ARG_TASK] = {TAKES_TASK, false},
    [ARG_TASK_OR_NULL] = {TAKES_TASK, true},
    [ARG_SOCK_COMMON] = {TAKES_SOCK_COMMON, false},
    [ARG_SOCK_OR_NULL] = {TAKES_SOCK, true},
    [ARG_SOCK_COMMON_BTF] = {TAKES_ANY_SOCK, false},
    [ARG_SOCK_RELEASE] = {TAKES_ANY_SOCK, false},
    [ARG_BTF] = {TAKES_BTF, false},
};

/* What else is to be checked, once that is right. */
static int check_more(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    switch (call->arg) {
    case ARG_MAP:
        return arg_map(v, call);
    case ARG_MAP_KEY:
        return arg_key(v, call);
    case ARG_MAP_VALUE:
    case ARG_MAP_VALUE_WR:
    case ARG_MAP_VALUE_OR_NULL:
        return arg_value(v, call);
    case ARG_MEM_20:
        return arg_fixed(v, call, 20);
    case ARG_MEM_40:
        return arg_fixed(v, call, 40);
    case ARG_INT_OUT:
    case ARG_INT_INOUT:
        return arg_fixed(v, call, 4);
    case ARG_LONG_OUT:
        return arg_fixed(v, call, 8);
    case ARG_SIZE:
    case ARG_SIZE_OR_ZERO:
        return arg_size(v, call);
    case ARG_RESERVE_SIZE:
        return arg_reserve_size(v, call);
    case ARG_RECORD:
        return arg_release(v, call);
    case ARG_CONST_STR:
        return arg_const_str(v, call);
    case ARG_FUNC:
        call->subprog = call->reg->subprog;
        return 0;
    case ARG_SPIN_LOCK:
        return ebpf_verify_lock(v, call->n, call->id == EBPF_FUNC_spin_lock);
    case ARG_TIMER:
        return arg_timer(v, call);
    case ARG_DYNPTR_UNINIT_MEM:
    case ARG_DYNPTR_UNINIT_RINGBUF:
        return arg_dynptr_new(v, call);
    case ARG_DYNPTR:
    case ARG_DYNPTR_RINGBUF:
        return arg_dynptr(v, call);
    case ARG_SOCK_COMMON_BTF:
    case ARG_SOCK_RELEASE:
        return arg_sock(v, call);
    default: /* nothing; memory: when its size comes, in the next argument */
        return 0;
    }
}

/* Maps of sockets have sockets for values, where programs put them in. */
static enum ebpf_arg of_map(const struct ebpf_vcall *call, enum ebpf_arg arg)
{
    if (arg == ARG_MAP_VALUE && call->map &&
        (call->map->type == BPF_MAP_TYPE_SOCKMAP || call->map->type == BPF_MAP_TYPE_SOCKHASH))
        return ARG_SOCK_COMMON_BTF;
    return arg;
}

static int check_kind(struct ebpf_verifier *v, const struct ebpf_vcall *call)
{
    const struct ebpf_vreg *reg = call->reg;
    bool null = rules[call->arg].null, or_null = reg->flags & EBPF_REG_OR_NULL;
    unsigned what = rules[call->arg].what;

    if (null && ebpf_vreg_is_null(reg))
        return 0;
    if ((whats[what].kinds >> reg->kind & 1) && (null || !or_null) &&
        (what != TAKES_RECORD || reg->flags & EBPF_REG_RECORD))
        return 0;
    return ebpf_verify_refuse(v, -EACCES, "R%u type=%s expected=%s", call->n,
                              ebpf_verify_type_name(reg), whats[what].names);
}

/* Only what is memory to the helper may be passed from its middle. */
static int check_offset(struct ebpf_verifier *v, const struct ebpf_vcall *call)
{
    const struct ebpf_vreg *reg = call->reg;

    if ((call->arg == ARG_RECORD || call->arg == ARG_SOCK_RELEASE) && reg->off)
        return ebpf_verify_refuse(v, -EINVAL,
                                  "R%u must have zero offset when passed to release func or "
                                  "trusted arg to kfunc",
                                  call->n);
    if (!ebpf_vreg_is_pointer(reg) || (MEMORY >> reg->kind & 1 && call->arg != ARG_RECORD))
        return 0;
    return ebpf_verify_unmodified(v, call->n);
}

static int check_ref(struct ebpf_verifier *v, struct ebpf_vcall *call)
{
    uint32_t ref = call->reg->ref;

    if (ref && call->ref)
        return ebpf_verify_refuse(v, -EFAULT, "more than one arg with ref_obj_id R%u %u %u",
                                  call->n, ref, call->ref);
    if (ref)
        call->ref = ref;
    return 0;
}

int ebpf_verify_arg(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    enum ebpf_arg arg = call->helper->arg[n - 1];
    uint32_t packets = K(PACKET) | K(PACKET_META);
    int err;

    if (arg == ARG_NONE || (arg == ARG_UNCHECKED && v->may_leak))
        return 0;
    err = ebpf_verify_readable(v, n);
    if (err)
        return err;
    call->n = n;
    call->reg = ebpf_verify_reg(v, n);
    if (arg == ARG_ANYTHING || arg == ARG_UNCHECKED) {
        if (ebpf_vreg_is_pointer(call->reg) && !v->may_leak)
            return ebpf_verify_refuse(v, -EACCES, "R%u leaks addr into helper function", n);
        return 0;
    }
    call->arg = arg = of_map(call, arg);
    call->access = (struct ebpf_vaccess){.reg = (uint8_t)n, .helper = true, .value_reg = -1};
    EBPF_BUG_IF(arg >= EBPF_ARRAY_SIZE(rules) || rules[arg].what == TAKES_NO_RULE);
    if (packets >> call->reg->kind & 1 && !call->helper->packet_args)
        return ebpf_verify_refuse(v, -EACCES, "helper access to the packet is not allowed");
    err = check_kind(v, call);
    if (!err)
        err = check_offset(v, call);
    if (!err)
        err = check_ref(v, call);
    return err ? err : check_more(v, call);
}

/* ---- helper and map -------------------------------------------------------------------------- */

int ebpf_verify_map_fits(struct ebpf_verifier *v, const struct ebpf_vcall *call)
{
    const struct ebpf_map *map = call->map;
    const struct ebpf_helper *helper = call->helper;
    uint64_t type = 1ull << map->type, prog = 1ull << v->type->id;
    bool fits = helper->maps ? (helper->maps & type) != 0 : !map->ops->own_helpers;

    if (map->inner && call->id != EBPF_FUNC_map_lookup_elem)
        fits = false;
    if (call->id == EBPF_FUNC_map_update_elem && map->ops->update_types &&
        !(map->ops->update_types & prog))
        fits = false;
    if (call->id == EBPF_FUNC_map_delete_elem && map->ops->delete_types &&
        !(map->ops->delete_types & prog))
        fits = false;
    if (fits)
        return 0;
    return ebpf_verify_refuse(v, -EINVAL, "cannot pass map_type %u into func bpf_%s#%u", map->type,
                              helper->name, call->id);
}
