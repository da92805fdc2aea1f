/* SPDX-License-Identifier: MIT */
/*
 * Checking BTF, second part: what types refer to. A walk in depth over the graph of types, on a
 * stack of its own of MAX_DEPTH types; every type is walked once.
 *
 * A walk need not go everywhere: through a pointer, a struct may well lead back to itself. So a
 * walk that began with a pointer follows pointers and modifiers only, and ends at what they lead
 * to; one that began with a struct or array follows what lies inside these and ends at pointers;
 * any other becomes one of these when it gets to such a type. What a walk ends at has a walk of its
 * own. Whoever is met a second time on the way is in a circle: of pointers and modifiers only, or a
 * struct inside itself.
 */
#include "src/btf/check.h"

#include "src/base/alloc.h"
#include "src/base/bits.h"

#define MAX_DEPTH 32u /* Linux: MAX_RESOLVE_DEPTH */

#define NEED_WALK                                                                           \
    (BTF_KINDS_MODIFIER | BTF_KINDS_STRUCT | BTF_BIT(PTR) | BTF_BIT(ARRAY) | BTF_BIT(VAR) | \
     BTF_BIT(FUNC) | BTF_BIT(DECL_TAG) | BTF_BIT(DATASEC))
/* Nothing refers to these but a DATASEC to its variables. */
#define ONLY_SOURCE (BTF_BIT(VAR) | BTF_BIT(DECL_TAG) | BTF_BIT(DATASEC))
#define NO_SIZE \
    (BTF_BIT(UNKN) | BTF_BIT(FWD) | BTF_BIT(FUNC) | BTF_BIT(FUNC_PROTO) | BTF_BIT(DECL_TAG))
#define TAG_TARGET (BTF_KINDS_STRUCT | BTF_BIT(FUNC) | BTF_BIT(VAR) | BTF_BIT(TYPEDEF))

enum visit { NEW = 0, ON_STACK, DONE };
enum mode { ANY, POINTERS, INSIDES };

struct walk {
    struct ebpf_btf_check *check;
    struct ebpf_btf *btf;
    uint8_t *visits; /* [type_cnt] of enum visit */
    enum mode mode;
    uint32_t depth;
    struct place {
        const struct btf_type *t;
        uint32_t id;
        uint32_t next; /* struct, DATASEC: the member to go on with */
    } stack[MAX_DEPTH];
};

static struct place *top(struct walk *w)
{
    return &w->stack[w->depth - 1];
}

/* -E2BIG, -EEXIST: see walk() */
static int push(struct walk *w, const struct btf_type *t, uint32_t id)
{
    if (w->depth == MAX_DEPTH)
        return -E2BIG;
    if (w->visits[id] != NEW)
        return -EEXIST;
    w->visits[id] = ON_STACK;
    w->stack[w->depth++] = (struct place){t, id, 0};
    if (w->mode == ANY && btf_is(t, BTF_BIT(PTR)))
        w->mode = POINTERS;
    else if (w->mode == ANY && btf_is(t, BTF_KINDS_STRUCT | BTF_BIT(ARRAY)))
        w->mode = INSIDES;
    return 0;
}

/* The type on top is done: it leads to id, and is size bytes long if it is an array. */
static int done(struct walk *w, uint32_t id, uint32_t size)
{
    uint32_t own = w->stack[--w->depth].id;

    w->btf->resolved_ids[own] = id;
    w->btf->resolved_sizes[own] = size;
    w->visits[own] = DONE;
    return 0;
}

static bool is_sink(const struct walk *w, const struct btf_type *t)
{
    static const uint32_t followed[] = {
        [ANY] = NEED_WALK,
        [POINTERS] = BTF_KINDS_MODIFIER | BTF_BIT(PTR),
        [INSIDES] = BTF_KINDS_MODIFIER | BTF_KINDS_STRUCT | BTF_BIT(ARRAY),
    };

    return !btf_is(t, followed[w->mode]);
}

/* Must t be walked before who refers to it can be judged? */
static bool open_end(const struct walk *w, const struct btf_type *t, uint32_t id)
{
    return !is_sink(w, t) && w->visits[id] != DONE;
}

static int bad(const struct walk *w, const struct btf_type *t, const char *why)
{
    return ebpf_btf_bad(w->check, t, why);
}

/* ---- one kind each: what the type on top of the stack refers to ------------------------------ */

/* A pointer or modifier to void, to a struct that is only declared, or to a function's type is
 * fine; everything else has a size. */
static int end_ref(struct walk *w, const struct btf_type *t, uint32_t id)
{
    const struct btf_type *next = ebpf_btf_type(w->btf, id);

    if (!ebpf_btf_sized(w->btf, &id, NULL)) {
        if (w->visits[id] == DONE) {
            id = w->btf->resolved_ids[id];
            next = ebpf_btf_type(w->btf, id);
        }
        if (!next || !btf_is(next, BTF_BIT(UNKN) | BTF_BIT(FWD) | BTF_BIT(FUNC_PROTO)))
            return bad(w, t, "Invalid type_id");
    }
    return done(w, id, 0);
}

static int resolve_modifier(struct walk *w, const struct btf_type *t)
{
    const struct btf_type *next = ebpf_btf_type(w->btf, t->type);

    if (!next || btf_is(next, ONLY_SOURCE))
        return bad(w, t, "Invalid type_id");
    if (open_end(w, next, t->type))
        return push(w, next, t->type);
    return end_ref(w, t, t->type);
}

/* A modifier that was walked on behalf of a struct led to a pointer and ended there: a walk over
 * pointers goes on. Returns true, and *err, where that is so. */
static bool goes_on(struct walk *w, const struct btf_type *next, uint32_t id, int *err)
{
    const struct btf_type *last;

    if (!btf_is(next, BTF_KINDS_MODIFIER))
        return false;
    id = w->btf->resolved_ids[id];
    last = ebpf_btf_type(w->btf, id);
    if (!last || !btf_is(last, BTF_BIT(PTR)) || !open_end(w, last, id))
        return false;
    *err = push(w, last, id);
    return true;
}

static int resolve_ptr_or_var(struct walk *w, const struct btf_type *t)
{
    const struct btf_type *next = ebpf_btf_type(w->btf, t->type);
    uint32_t id = t->type;
    int err;

    if (!next || btf_is(next, ONLY_SOURCE))
        return bad(w, t, "Invalid type_id");
    if (open_end(w, next, id))
        return push(w, next, id);
    if (goes_on(w, next, id, &err))
        return err;
    if (btf_is(t, BTF_BIT(PTR)))
        return end_ref(w, t, id);
    if (!ebpf_btf_sized(w->btf, &id, NULL))
        return bad(w, t, "Invalid type_id");
    return done(w, id, 0);
}

static bool can_be_inside(const struct btf_type *t)
{
    return t && !btf_is(t, NO_SIZE | ONLY_SOURCE);
}

static int resolve_array(struct walk *w, const struct btf_type *t)
{
    const struct btf_array *array = btf_array(t);
    const struct btf_type *index = ebpf_btf_type(w->btf, array->index_type);
    const struct btf_type *elem = ebpf_btf_type(w->btf, array->type);
    uint32_t index_id = array->index_type, elem_id = array->type, size;

    if (!can_be_inside(index))
        return bad(w, t, "Invalid index");
    if (open_end(w, index, index_id))
        return push(w, index, index_id);
    index = ebpf_btf_sized(w->btf, &index_id, NULL);
    if (!index || !ebpf_btf_int_is_regular(index))
        return bad(w, t, "Invalid index");
    if (!can_be_inside(elem))
        return bad(w, t, "Invalid elem");
    if (open_end(w, elem, elem_id))
        return push(w, elem, elem_id);
    elem = ebpf_btf_sized(w->btf, &elem_id, &size);
    if (!elem)
        return bad(w, t, "Invalid elem");
    if (btf_is(elem, BTF_BIT(INT)) && !ebpf_btf_int_is_regular(elem))
        return bad(w, t, "Invalid array of int");
    if (__builtin_mul_overflow(size, array->nelems, &size))
        return bad(w, t, "Array size overflows U32_MAX");
    return done(w, elem_id, size);
}

/* Bits [offset, offset + bits) of size bytes; 64 bits do not wrap. */
static bool is_inside(uint32_t size, uint64_t offset, uint64_t bits)
{
    return offset + bits <= (uint64_t)size * 8;
}

static const char *wrong_int(const struct btf_type *t, const struct btf_member *member,
                             const struct btf_type *type)
{
    uint32_t word = btf_int(type), bits = BTF_INT_BITS(word);
    uint64_t offset = btf_member_offset(t, member);

    if (!btf_kflag(t)) { /* the type itself may be a bitfield */
        offset += BTF_INT_OFFSET(word);
        if (offset > UINT32_MAX)
            return "bits_offset exceeds U32_MAX";
    } else {
        uint32_t field = btf_member_bits(t, member);

        if (!ebpf_btf_int_is_regular(type))
            return "Invalid member base type";
        if (!field && offset & 7)
            return "Invalid member offset";
        if (field > bits)
            return "Invalid member bitfield_size";
        bits = field ? field : bits;
    }
    if (bits + (offset & 7) > 128)
        return "nr_copy_bits exceeds 128";
    /* whole bytes are copied */
    return is_inside(t->size, offset & ~7ull, (bits + (offset & 7) + 7) & ~7ull)
               ? NULL
               : "Member exceeds struct_size";
}

static const char *wrong_float(const struct btf_type *t, const struct btf_member *member,
                               const struct btf_type *type)
{
    uint32_t offset = btf_member_offset(t, member);
    uint32_t align = (uint32_t)ebpf_min(type->size, sizeof(uint64_t)) * 8;

    if (offset % align)
        return "Member is not properly aligned";
    return is_inside(t->size, offset, type->size * 8ull) ? NULL : "Member exceeds struct_size";
}

static const char *wrong_enum(const struct btf_type *t, const struct btf_member *member,
                              const struct btf_type *type)
{
    uint32_t offset = btf_member_offset(t, member), field = btf_member_bits(t, member);

    if (!field && offset & 7)
        return "Member is not byte aligned";
    if (field > 32)
        return "Invalid member bitfield_size";
    if (!btf_kflag(t))
        return is_inside(t->size, offset, type->size * 8ull) ? NULL : "Member exceeds struct_size";
    return is_inside(t->size, offset, field ? field : 32) ? NULL : "Member exceeds struct_size";
}

/* Does a member of that type (resolved, with a size) fit where it is? */
static const char *wrong_member(const struct btf_type *t, const struct btf_member *member,
                                const struct btf_type *type, uint32_t size)
{
    if (btf_is(type, BTF_BIT(INT)))
        return wrong_int(t, member, type);
    if (btf_is(type, BTF_KINDS_ENUM))
        return wrong_enum(t, member, type);
    if (btf_member_bits(t, member))
        return "Invalid member bitfield_size";
    if (btf_is(type, BTF_BIT(FLOAT)))
        return wrong_float(t, member, type);
    if (btf_member_offset(t, member) & 7)
        return "Member is not byte aligned";
    return is_inside(t->size, btf_member_offset(t, member), size * 8ull)
               ? NULL
               : "Member exceeds struct_size";
}

static int resolve_struct(struct walk *w, const struct btf_type *t)
{
    for (uint32_t i = top(w)->next; i < btf_vlen(t); i++) {
        const struct btf_member *member = &btf_members(t)[i];
        const struct btf_type *type = ebpf_btf_type(w->btf, member->type);
        uint32_t id = member->type, size;
        const char *wrong;

        if (!can_be_inside(type))
            return ebpf_btf_bad_member(w->check, t, member, "Invalid member");
        if (open_end(w, type, id)) {
            top(w)->next = i;
            return push(w, type, id);
        }
        type = ebpf_btf_sized(w->btf, &id, &size);
        wrong = type ? wrong_member(t, member, type, size) : "Invalid member";
        if (wrong)
            return ebpf_btf_bad_member(w->check, t, member, wrong);
    }
    return done(w, 0, 0);
}

static int resolve_datasec(struct walk *w, const struct btf_type *t)
{
    w->mode = ANY; /* each variable is a walk of its own */
    for (uint32_t i = top(w)->next; i < btf_vlen(t); i++) {
        const struct btf_var_secinfo *info = &btf_secinfos(t)[i];
        const struct btf_type *var = ebpf_btf_type(w->btf, info->type);
        uint32_t id, size;

        if (!var || !btf_is(var, BTF_BIT(VAR)))
            return ebpf_btf_bad_var(w->check, t, info, "Not a VAR kind member");
        if (open_end(w, var, info->type)) {
            top(w)->next = i + 1; /* as Linux: its size is not compared any more */
            return push(w, var, info->type);
        }
        id = var->type;
        if (!ebpf_btf_sized(w->btf, &id, &size))
            return ebpf_btf_bad_var(w->check, t, info, "Invalid type");
        if (info->size < size)
            return ebpf_btf_bad_var(w->check, t, info, "Invalid size");
    }
    return done(w, 0, 0);
}

static int resolve_func(struct walk *w, const struct btf_type *t)
{
    const struct btf_type *proto = ebpf_btf_type(w->btf, t->type);

    if (!proto || !btf_is(proto, BTF_BIT(FUNC_PROTO)))
        return bad(w, t, "Invalid type_id");
    for (uint32_t i = 0; i < btf_vlen(proto); i++) {
        if (!btf_params(proto)[i].name_off && btf_params(proto)[i].type)
            return ebpf_btf_bad_number(w->check, t, "Invalid arg#%u", i + 1);
    }
    return done(w, t->type, 0);
}

static int resolve_decl_tag(struct walk *w, const struct btf_type *t)
{
    const struct btf_type *next = ebpf_btf_type(w->btf, t->type);
    int32_t component = btf_decl_tag(t)->component_idx;

    if (!next || !btf_is(next, TAG_TARGET))
        return bad(w, t, "Invalid type_id");
    if (open_end(w, next, t->type))
        return push(w, next, t->type);
    if (component != -1) {
        if (btf_is(next, BTF_BIT(VAR) | BTF_BIT(TYPEDEF)))
            return bad(w, t, "Invalid component_idx");
        if (btf_is(next, BTF_BIT(FUNC)))
            next = ebpf_btf_type(w->btf, next->type);
        if (!next || (uint32_t)component >= btf_vlen(next))
            return bad(w, t, "Invalid component_idx");
    }
    return done(w, t->type, 0);
}

static int resolve_top(struct walk *w)
{
    const struct btf_type *t = top(w)->t;

    w->check->id = top(w)->id;
    switch (btf_kind(t)) {
    case BTF_KIND_PTR:
    case BTF_KIND_VAR:
        return resolve_ptr_or_var(w, t);
    case BTF_KIND_ARRAY:
        return resolve_array(w, t);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
        return resolve_struct(w, t);
    case BTF_KIND_DATASEC:
        return resolve_datasec(w, t);
    case BTF_KIND_FUNC:
        return resolve_func(w, t);
    case BTF_KIND_DECL_TAG:
        return resolve_decl_tag(w, t);
    default:
        return resolve_modifier(w, t);
    }
}

/* ---- all ------------------------------------------------------------------------------------- */

/* Has what was walked ended where it should? Pointers and modifiers may have led to each other. */
static bool ends_well(const struct walk *w, const struct btf_type *t, uint32_t id)
{
    const struct btf_type *end = ebpf_btf_type(w->btf, w->btf->resolved_ids[id]);
    uint32_t elem = btf_is(t, BTF_BIT(ARRAY)) ? btf_array(t)->type : 0, size;

    if (w->visits[id] != DONE)
        return false;
    if (btf_is(t, BTF_KINDS_MODIFIER | BTF_BIT(PTR) | BTF_BIT(VAR)))
        return end && !btf_is(end, BTF_KINDS_MODIFIER | BTF_BIT(VAR) | BTF_BIT(DATASEC));
    if (btf_is(t, BTF_BIT(ARRAY))) {
        end = ebpf_btf_sized(w->btf, &elem, &size);
        return end && !btf_is(end, BTF_KINDS_MODIFIER) &&
               size * btf_array(t)->nelems == w->btf->resolved_sizes[id];
    }
    return true;
}

static int walk_from(struct walk *w, const struct btf_type *t, uint32_t id)
{
    uint32_t saved = w->check->id;
    int err;

    w->mode = ANY;
    w->depth = 0;
    err = push(w, t, id);
    while (!err && w->depth)
        err = resolve_top(w);
    w->check->id = id;
    if (err == -E2BIG)
        ebpf_btf_bad_number(w->check, t, "Exceeded max resolving depth:%u", MAX_DEPTH);
    else if (err == -EEXIST)
        ebpf_btf_bad(w->check, t, "Loop detected");
    if (!err && !ends_well(w, t, id))
        err = bad(w, t, "Invalid resolve state");
    w->check->id = saved;
    return err;
}

/* The type of a return value or an argument, which must have a size. */
static int walk_value(struct walk *w, uint32_t id, bool *ok)
{
    const struct btf_type *t = ebpf_btf_type(w->btf, id);
    int err = 0;

    *ok = t && !btf_is(t, ONLY_SOURCE);
    if (*ok && btf_is(t, NEED_WALK) && w->visits[id] != DONE)
        err = walk_from(w, t, id);
    if (*ok && !err)
        *ok = ebpf_btf_sized(w->btf, &id, NULL);
    return err;
}

/* A type of functions refers to others, but nothing follows it: it is judged by itself. */
static int check_proto(struct walk *w, const struct btf_type *t)
{
    const struct btf_param *args = btf_params(t);
    uint32_t cnt = btf_vlen(t);
    bool ok = true;
    int err = t->type ? walk_value(w, t->type, &ok) : 0;

    if (err || !ok)
        return err ? err : bad(w, t, "Invalid return type");
    if (cnt && !args[cnt - 1].type) { /* variable arguments: no name, no type */
        if (args[cnt - 1].name_off)
            return ebpf_btf_bad_number(w->check, t, "Invalid arg#%u", cnt);
        cnt--;
    }
    for (uint32_t i = 0; !err && i < cnt; i++) {
        ok = ebpf_btf_name_ok(w->check, args[i].name_off);
        if (ok)
            err = walk_value(w, args[i].type, &ok);
        if (!err && !ok)
            err = ebpf_btf_bad_number(w->check, t, "Invalid arg#%u", i + 1);
    }
    return err;
}

static int walk_all(struct walk *w)
{
    for (uint32_t id = 1; id < w->btf->type_cnt; id++) {
        const struct btf_type *t = ebpf_btf_type(w->btf, id);
        int err = 0;

        w->check->id = id;
        if (btf_is(t, NEED_WALK) && w->visits[id] != DONE)
            err = walk_from(w, t, id);
        else if (btf_is(t, BTF_BIT(FUNC_PROTO)))
            err = check_proto(w, t);
        if (err)
            return err;
    }
    return 0;
}

/* Type tags come first among the modifiers of a type, where who looks for them stops. What is below
 * id is known to be good. Chains end, all walks did; Linux limits what it looks at here. */
static int check_chain(const struct ebpf_btf_check *check, uint32_t id)
{
    const struct btf_type *t = ebpf_btf_type(check->btf, id);
    bool tags = btf_is(t, BTF_BIT(TYPE_TAG));
    uint32_t at = id;

    for (unsigned left = MAX_DEPTH; t && btf_is(t, BTF_KINDS_MODIFIER); left--) {
        if (!left) {
            ebpf_load_logf(check->log, "Max chain length or cycle detected\n");
            return -ELOOP;
        }
        if (!btf_is(t, BTF_BIT(TYPE_TAG)))
            tags = false;
        else if (!tags) {
            ebpf_load_logf(check->log, "Type tags don't precede modifiers\n");
            return -EINVAL;
        }
        if (at < id)
            return 0;
        at = t->type;
        t = ebpf_btf_type(check->btf, at);
    }
    return t ? 0 : -EINVAL;
}

static int check_chains(const struct ebpf_btf_check *check)
{
    int err = 0;

    for (uint32_t id = 1; !err && id < check->btf->type_cnt; id++)
        err = check_chain(check, id);
    return err;
}

int ebpf_btf_resolve_all(struct ebpf_btf_check *check)
{
    struct ebpf_btf *btf = check->btf;
    struct walk *w = ebpf_zalloc(sizeof(*w));
    int err = -ENOMEM;

    check->shown = true;
    if (!w)
        return -ENOMEM;
    w->check = check;
    w->btf = btf;
    w->visits = ebpf_calloc(btf->type_cnt, sizeof(*w->visits));
    btf->resolved_ids = ebpf_calloc(btf->type_cnt, sizeof(*btf->resolved_ids));
    btf->resolved_sizes = ebpf_calloc(btf->type_cnt, sizeof(*btf->resolved_sizes));
    if (w->visits && btf->resolved_ids && btf->resolved_sizes)
        err = walk_all(w);
    if (!err)
        err = check_chains(check);
    ebpf_free(w->visits, btf->type_cnt * sizeof(*w->visits));
    ebpf_free(w, sizeof(*w));
    return err;
}
