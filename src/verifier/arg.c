/* SPDX-License-Identifier: MIT */
/*
 * Arguments of helpers. Each enum ebpf_arg has a row: which kinds of pointer it may be, whether
 * NULL is one, and what else is to be checked once the kind is right. A helper's prototype is
 * nothing but a list of such rows' names:
 *
 *     bpf_probe_read_kernel(dst, size, src)    ARG_MEM_WR, ARG_SIZE_OR_ZERO, ARG_ANYTHING
 *
 *     r1 = r10 - 64, r2 = [0, 64]: before a size is memory: 64 bytes at r1 must be writable
 *
 * Memory is looked at when its size is: the argument behind it. A buffer whose size is known and
 * that is only written may hold nothing before; it is marked as written when all arguments are
 * checked (call.c), since another argument might be read from there.
 */
#include "src/verifier/access.h"
#include "src/verifier/call.h"
#include "src/verifier/dynptr.h"

#include "src/base/bits.h"
#include "src/base/log.h"

#define K(kind) (1u << EBPF_KIND_##kind)
#define MEMORY (K(STACK) | K(PACKET) | K(PACKET_META) | K(MAP_KEY) | K(MAP_VALUE) | K(MEM))
#define SOCKETS (K(SOCK_COMMON) | K(SOCK) | K(TCP_SOCK) | K(XDP_SOCK))

/* ---- maps ------------------------------------------------------------------------------------ */

/* A map that is only a picture of those in another map: which one it is, nobody knows. */
static bool is_inner(const struct ebpf_verifier *v, const struct ebpf_map *map)
{
    for (uint32_t i = 0; i < v->code->map_cnt; i++) {
        if (v->code->maps[i] == map)
            return false;
    }
    return true;
}

static int arg_map(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    const struct ebpf_map *map = ebpf_verify_reg(v, n)->map;

    if (call->map && (call->map != map || is_inner(v, map)))
        return ebpf_verify_refuse(v, -EINVAL,
                                  "timer pointer in R1 doesn't match map pointer in R%u", n);
    call->map = map;
    return ebpf_verify_map_use(v, map);
}

static int map_buffer(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n, uint32_t size,
                      bool write)
{
    struct ebpf_vaccess a = {.reg = (uint8_t)n,
                             .helper = true,
                             .size = size,
                             .write = write,
                             .raw = write,
                             .value_reg = -1};
    int err = ebpf_verify_buffer(v, &a);

    if (!err && write)
        call->raw[n] = size;
    return err;
}

static int arg_key(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    if (!call->map)
        return ebpf_verify_refuse(v, -EACCES, "invalid map_ptr to access map->key");
    return map_buffer(v, call, n, call->map->key_size, false);
}

static int arg_value(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    enum ebpf_arg arg = call->helper->arg[n - 1];
    bool write = arg == ARG_MAP_VALUE_WR;

    if (arg == ARG_MAP_VALUE_OR_NULL && ebpf_vreg_is_null(ebpf_verify_reg(v, n)))
        return 0;
    if (!call->map)
        return ebpf_verify_refuse(v, -EACCES, "invalid map_ptr to access map->value");
    if (call->map->type == BPF_MAP_TYPE_BLOOM_FILTER) /* bpf_map_peek_elem() asks for it */
        write = false;
    return map_buffer(v, call, n, call->map->value_size, write);
}

/* ---- memory and its size --------------------------------------------------------------------- */

/* The kind is all; memory: its size comes in the next argument. */
static int arg_plain(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    (void)v;
    (void)call;
    (void)n;
    return 0;
}

static int arg_size(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);
    const struct ebpf_range *size = &reg->var.full;
    enum ebpf_arg mem = n > BPF_REG_1 ? call->helper->arg[n - 2] : ARG_NONE;
    bool empty = call->helper->arg[n - 1] == ARG_SIZE_OR_ZERO;
    bool only_written = mem == ARG_MEM_WR || mem == ARG_MEM_WR_OR_NULL;
    struct ebpf_vaccess a = {.reg = (uint8_t)(n - 1),
                             .helper = true,
                             .empty = empty,
                             .write = only_written || mem == ARG_MEM_RDWR,
                             .raw = only_written && ebpf_scalar_is_const(&reg->var),
                             .value_reg = -1};
    int err;

    call->at_most = size->umax;
    if (size->smin < 0)
        return ebpf_verify_refuse(
            v, -EACCES, "R%u min value is negative, either use unsigned or 'var &= const'", n);
    if (!size->umin && !empty)
        return ebpf_verify_refuse(v, -EACCES, "R%u invalid zero-sized read: u64=[%lld,%lld]", n,
                                  (long long)size->umin, (long long)size->umax);
    if (size->umax >= EBPF_VERIFY_MAX_OFF)
        return ebpf_verify_refuse(
            v, -EACCES, "R%u unbounded memory access, use 'var &= const' or 'if (var < const)'", n);
    a.size = (uint32_t)size->umax;
    err = ebpf_verify_buffer(v, &a);
    if (!err && a.raw)
        call->raw[n - 1] = a.size;
    return err ? err : ebpf_verify_precise(v, n);
}

static int arg_reserve_size(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);

    if (!ebpf_scalar_is_const(&reg->var))
        return ebpf_verify_refuse(v, -EACCES, "R%u is not a known constant'", n);
    if (reg->var.known.value >= EBPF_VERIFY_MAX_OFF)
        return ebpf_verify_refuse(v, -EACCES, "R%u is too large a size", n);
    call->mem_size = (uint32_t)reg->var.known.value;
    return ebpf_verify_precise(v, n);
}

/* Memory whose size the argument's kind says. */
static int arg_fixed(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    enum ebpf_arg arg = call->helper->arg[n - 1];
    bool out = arg == ARG_INT_OUT || arg == ARG_LONG_OUT, aligned = out || arg == ARG_INT_INOUT;
    struct ebpf_vaccess a = {.reg = (uint8_t)n,
                             .helper = true,
                             .write = aligned,
                             .raw = out,
                             .strict = aligned,
                             .size = arg == ARG_MEM_20   ? 20
                                     : arg == ARG_MEM_40 ? 40
                                     : arg == ARG_LONG_OUT ? 8
                                                           : 4,
                             .value_reg = -1};
    int err = ebpf_verify_buffer(v, &a);

    if (!err && aligned)
        err = ebpf_verify_aligned(v, &a);
    if (!err && out)
        call->raw[n] = a.size;
    return err;
}

static int arg_const_str(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);
    const struct ebpf_map *map = reg->map;
    struct ebpf_vaccess a = {.reg = (uint8_t)n, .helper = true, .size = 1, .value_reg = -1};
    int64_t off;
    char c = 1;
    int err;

    (void)call;
    if (!ebpf_verify_constant(map))
        return ebpf_verify_refuse(v, -EACCES, "R%u does not point to a readonly map'", n);
    if (!ebpf_verify_fixed(reg, &off))
        return ebpf_verify_refuse(v, -EACCES, "R%u is not a constant address'", n);
    err = ebpf_verify_buffer(v, &a);
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

static int arg_func(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    call->subprog = ebpf_verify_reg(v, n)->subprog;
    return 0;
}

static int arg_lock(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    return ebpf_verify_lock(v, n, call->id == EBPF_FUNC_spin_lock);
}

static int arg_timer(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);

    call->map = reg->map;
    return ebpf_verify_at_field(v, n, "bpf_timer", reg->map->timer_off);
}

static int arg_dynptr_new(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    bool record = call->helper->arg[n - 1] == ARG_DYNPTR_UNINIT_RINGBUF;

    /* what it points to must stay: values do, the stack of a function does not */
    if (!record && ebpf_verify_reg(v, BPF_REG_1)->kind != EBPF_KIND_MAP_VALUE)
        return ebpf_verify_refuse(v, -EACCES,
                                  "Unsupported reg type %s for bpf_dynptr_from_mem data",
                                  ebpf_verify_type_name(ebpf_verify_reg(v, BPF_REG_1)));
    return ebpf_verify_dynptr_make(v, n, record);
}

static int arg_dynptr(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    if (call->helper->arg[n - 1] == ARG_DYNPTR_RINGBUF)
        return ebpf_verify_dynptr_release(v, n);
    return ebpf_verify_dynptr_use(v, n, &call->dynptr);
}

static int arg_release(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);

    if (!reg->ref)
        return ebpf_verify_refuse(v, -EINVAL,
                                  "R%u must be referenced when passed to release function", n);
    call->released = n;
    return 0;
}

/* A struct of Linux's that is a socket too: what bpf_skc_to_*() gave. */
static int arg_sock(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);

    if (reg->kind == EBPF_KIND_BTF && !reg->btf_id)
        return ebpf_verify_refuse(v, -EACCES, "R%u is of another type than a socket", n);
    return call->helper->arg[n - 1] == ARG_SOCK_RELEASE ? arg_release(v, call, n) : 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const char memory_names[] =
    "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_";
static const char socket_names[] = "sock_common, sock, tcp_sock, xdp_sock";
static const char any_socket_names[] = "sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_";

static const struct {
    uint32_t kinds;
    bool null; /* also pointers that may be NULL, and the number 0 */
    int (*check)(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n);
    const char *names;
} rules[] = {
    [ARG_MAP] = {K(MAP), false, arg_map, "map_ptr"},
    [ARG_MAP_KEY] = {MEMORY, false, arg_key, memory_names},
    [ARG_MAP_VALUE] = {MEMORY, false, arg_value, memory_names},
    [ARG_MAP_VALUE_WR] = {MEMORY, false, arg_value, memory_names},
    [ARG_MAP_VALUE_OR_NULL] = {MEMORY, true, arg_value, memory_names},
    [ARG_MEM_RD] = {MEMORY, false, arg_plain, memory_names},
    [ARG_MEM_RD_OR_NULL] = {MEMORY, true, arg_plain, memory_names},
    [ARG_MEM_WR] = {MEMORY, false, arg_plain, memory_names},
    [ARG_MEM_WR_OR_NULL] = {MEMORY, true, arg_plain, memory_names},
    [ARG_MEM_RDWR] = {MEMORY, false, arg_plain, memory_names},
    [ARG_MEM_20] = {MEMORY, false, arg_fixed, memory_names},
    [ARG_MEM_40] = {MEMORY, false, arg_fixed, memory_names},
    [ARG_INT_OUT] = {MEMORY, false, arg_fixed, memory_names},
    [ARG_INT_INOUT] = {MEMORY, false, arg_fixed, memory_names},
    [ARG_LONG_OUT] = {MEMORY, false, arg_fixed, memory_names},
    [ARG_SIZE] = {K(SCALAR), false, arg_size, "scalar"},
    [ARG_SIZE_OR_ZERO] = {K(SCALAR), false, arg_size, "scalar"},
    [ARG_RESERVE_SIZE] = {K(SCALAR), false, arg_reserve_size, "scalar"},
    [ARG_SCALAR] = {K(SCALAR), false, arg_plain, "scalar"},
    [ARG_RECORD] = {K(MEM), false, arg_release, "ringbuf_mem"},
    [ARG_CTX] = {K(CTX), false, arg_plain, "ctx"},
    [ARG_CTX_OR_NULL] = {K(CTX), true, arg_plain, "ctx"},
    [ARG_CONST_STR] = {K(MAP_VALUE), false, arg_const_str, "map_value"},
    [ARG_FUNC] = {K(FUNC), false, arg_func, "func"},
    [ARG_STACK_OR_NULL] = {K(STACK), true, arg_plain, "fp"},
    [ARG_SPIN_LOCK] = {K(MAP_VALUE), false, arg_lock, "map_value, ptr_"},
    [ARG_TIMER] = {K(MAP_VALUE), false, arg_timer, "map_value"},
    [ARG_DYNPTR_UNINIT_MEM] = {K(STACK), false, arg_dynptr_new, "fp, dynptr_ptr"},
    [ARG_DYNPTR_UNINIT_RINGBUF] = {K(STACK), false, arg_dynptr_new, "fp, dynptr_ptr"},
    [ARG_DYNPTR] = {K(STACK) | K(DYNPTR), false, arg_dynptr, "fp, dynptr_ptr"},
    [ARG_DYNPTR_RINGBUF] = {K(STACK) | K(DYNPTR), false, arg_dynptr, "fp, dynptr_ptr"},
    [ARG_TASK] = {K(TASK), false, arg_plain, "ptr_, trusted_ptr_, rcu_ptr_"},
    [ARG_TASK_OR_NULL] = {K(TASK), true, arg_plain, "ptr_, trusted_ptr_, rcu_ptr_"},
    [ARG_SOCK_COMMON] = {SOCKETS, false, arg_plain, socket_names},
    [ARG_SOCK_OR_NULL] = {K(SOCK), true, arg_plain, "sock"},
    [ARG_SOCK_COMMON_BTF] = {SOCKETS | K(BTF), false, arg_sock, any_socket_names},
    [ARG_SOCK_RELEASE] = {SOCKETS | K(BTF), false, arg_sock, any_socket_names},
    [ARG_BTF] = {0, false, arg_plain, "ptr_, trusted_ptr_, rcu_ptr_"},
};

/* Maps of sockets have sockets for values, where programs put them in. */
static enum ebpf_arg of_map(const struct ebpf_vcall *call, enum ebpf_arg arg)
{
    if (arg == ARG_MAP_VALUE && call->map &&
        (call->map->type == BPF_MAP_TYPE_SOCKMAP || call->map->type == BPF_MAP_TYPE_SOCKHASH))
        return ARG_SOCK_COMMON_BTF;
    return arg;
}

static int check_kind(struct ebpf_verifier *v, enum ebpf_arg arg, unsigned n)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);
    bool null = rules[arg].null && (ebpf_vreg_is_null(reg) || reg->flags & EBPF_REG_OR_NULL);

    if (null && ebpf_vreg_is_null(reg))
        return 0;
    if ((rules[arg].kinds >> reg->kind & 1) && (null || !(reg->flags & EBPF_REG_OR_NULL)) &&
        (arg != ARG_RECORD || reg->flags & EBPF_REG_RECORD))
        return 0;
    return ebpf_verify_refuse(v, -EACCES, "R%u type=%s expected=%s", n, ebpf_verify_type_name(reg),
                              rules[arg].names);
}

/* Only what is memory to the helper may be passed from its middle. */
static int check_offset(struct ebpf_verifier *v, enum ebpf_arg arg, unsigned n)
{
    const struct ebpf_vreg *reg = ebpf_verify_reg(v, n);

    if ((arg == ARG_RECORD || arg == ARG_SOCK_RELEASE) && reg->off)
        return ebpf_verify_refuse(v, -EINVAL,
                                  "R%u must have zero offset when passed to release func or "
                                  "trusted arg to kfunc",
                                  n);
    if (!ebpf_vreg_is_pointer(reg) || (MEMORY >> reg->kind & 1 && arg != ARG_RECORD))
        return 0;
    return ebpf_verify_unmodified(v, n);
}

static int check_ref(struct ebpf_verifier *v, struct ebpf_vcall *call, unsigned n)
{
    uint32_t ref = ebpf_verify_reg(v, n)->ref;

    if (ref && call->ref)
        return ebpf_verify_refuse(v, -EFAULT, "more than one arg with ref_obj_id R%u %u %u", n, ref,
                                  call->ref);
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
    if (arg == ARG_ANYTHING || arg == ARG_UNCHECKED) {
        if (ebpf_vreg_is_pointer(ebpf_verify_reg(v, n)) && !v->may_leak)
            return ebpf_verify_refuse(v, -EACCES, "R%u leaks addr into helper function", n);
        return 0;
    }
    arg = of_map(call, arg);
    EBPF_BUG_IF(arg >= EBPF_ARRAY_SIZE(rules) || !rules[arg].check);
    if (packets >> ebpf_verify_reg(v, n)->kind & 1 && !call->helper->packet_args)
        return ebpf_verify_refuse(v, -EACCES, "helper access to the packet is not allowed");
    err = check_kind(v, arg, n);
    if (!err)
        err = check_offset(v, arg, n);
    if (!err)
        err = check_ref(v, call, n);
    return err ? err : rules[arg].check(v, call, n);
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
