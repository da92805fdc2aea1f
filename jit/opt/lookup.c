/* SPDX-License-Identifier: MIT */
/*
 * Pass "lookup": calls for a map that is known. A lookup in an array becomes a compare and an
 * address (maps/array.h), with the key that was stored just before and the check for NULL that
 * follows, and in a per-CPU one with the number of this hart; other maps' operations are called
 * directly.
 *
 *     store32 [v10-4], v3                   store32 [v10-4], v3     (dead, if nobody else reads it)
 *     v1 = li MAP                           v0 = zext32 v3
 *     v2 = add v10, -4                      br v0 >= 256, L5
 *     call helper 1                   ->    v0 = lsh v0, 3
 *     br v0 == 0, L0                        v1 = li VALUES
 *                                           v0 = add v0, v1
 *                                           ...
 *                                           L5: v0 = li 0
 *                                           jump L0
 */
#include "jit/opt/ir.h"
#include "maps/array.h"
#include "maps/object_array.h"
#include "src/base/bits.h"

/* Linux's numbers of the helpers of helpers/map_ops.c, and of one that tells what is known here */
enum { LOOKUP = 1, UPDATE = 2, DELETE = 3, SMP_PROCESSOR_ID = 8 };

/* What is known where the pass is. */
struct lookup {
    const struct ebpf_ir_env *env;
    struct ebpf_ir_fn *fn;
    struct ebpf_ir_list out, stubs; /* stubs: the ends of the function's cold ways */
    unsigned cpu;                   /* the register with this hart's number; IR_NONE: none (yet) */
    struct ebpf_map *map;           /* in r1; NULL: none that is known */
    struct ebpf_map *tail_map;      /* in r2 */
    bool index_known;               /* r3 is index */
    uint32_t index;
    bool key_known; /* r2 is r10 + key_off */
    int32_t key_off;
    bool stored; /* the 32 bits at r10 + store_off are what store stored */
    int32_t store_off;
    struct ebpf_ir_op store;
    uint32_t slot;
};

/* Only the addresses of maps that the program holds are looked at, whatever its LD_IMM64s say. */
static struct ebpf_map *find_map(const struct ebpf_code *code, uint64_t addr)
{
    for (uint32_t i = 0; i < code->map_cnt; i++) {
        if ((uint64_t)(uintptr_t)code->maps[i] == addr)
            return code->maps[i];
    }
    return NULL;
}

/* ---- emitting -------------------------------------------------------------------------------- */

static void emit(const struct lookup *l, struct ebpf_ir_list *list, struct ebpf_ir_op op)
{
    op.slot = l->slot;
    ebpf_ir_append(list, &op);
}

static void emit_imm(struct lookup *l, unsigned code, unsigned dst, unsigned src1, int64_t imm)
{
    emit(l, &l->out,
         (struct ebpf_ir_op){.code = (uint8_t)code,
                             .flags = IR_WIDE | IR_IMM,
                             .dst = (uint8_t)dst,
                             .src1 = (uint8_t)src1,
                             .src2 = IR_NONE,
                             .imm = imm});
}

static void emit_add(struct lookup *l, unsigned dst, unsigned src)
{
    emit(l, &l->out,
         (struct ebpf_ir_op){.code = IR_ADD,
                             .flags = IR_WIDE,
                             .dst = (uint8_t)dst,
                             .src1 = (uint8_t)dst,
                             .src2 = (uint8_t)src});
}

static void emit_li(struct lookup *l, struct ebpf_ir_list *list, unsigned dst, uint64_t imm)
{
    emit(l, list,
         (struct ebpf_ir_op){.code = IR_LI,
                             .flags = IR_WIDE,
                             .dst = (uint8_t)dst,
                             .src1 = IR_NONE,
                             .src2 = IR_NONE,
                             .imm = (int64_t)imm});
}

static void emit_target(struct lookup *l, struct ebpf_ir_list *list, unsigned code, uint32_t label)
{
    emit(l, list,
         (struct ebpf_ir_op){.code = (uint8_t)code,
                             .dst = IR_NONE,
                             .src1 = IR_NONE,
                             .src2 = IR_NONE,
                             .target = label});
}

static void emit_c_call(struct lookup *l, uint64_t target, unsigned args)
{
    emit(l, &l->out,
         (struct ebpf_ir_op){.code = IR_CALL,
                             .flags = IR_C,
                             .dst = BPF_REG_0,
                             .src1 = IR_NONE,
                             .src2 = IR_NONE,
                             .size = (uint8_t)args,
                             .imm = (int64_t)target});
}

/* The key in dst, zero-extended. */
static void emit_key(struct lookup *l, unsigned dst)
{
    struct ebpf_ir_op op = {
        .code = IR_LOAD, .dst = (uint8_t)dst, .src1 = BPF_REG_2, .src2 = IR_NONE, .size = 4};

    if (l->key_known) {
        op.src1 = IR_FP;
        op.off = l->key_off;
    }
    if (l->key_known && l->stored && l->store_off == l->key_off)
        op = (struct ebpf_ir_op){.code = IR_ZEXT,
                                 .dst = (uint8_t)dst,
                                 .src1 = l->store.src2,
                                 .src2 = IR_NONE,
                                 .imm = 32};
    emit(l, &l->out, op);
}

/* What the verifier knows of the call. */
static bool fact(const struct lookup *l, unsigned flag)
{
    return l->env->facts && l->env->facts[l->slot].flags & flag;
}

static struct ebpf_map *map_of_fact(const struct lookup *l)
{
    return l->env->code->maps[l->env->facts[l->slot].map];
}

static bool key_is_constant(const struct lookup *l, uint32_t *key)
{
    if (fact(l, EBPF_FACT_KEY)) {
        *key = (uint32_t)l->env->facts[l->slot].value;
        return true;
    }
    *key = (uint32_t)l->store.imm;
    return l->key_known && l->stored && l->store_off == l->key_off && l->store.flags & IR_IMM;
}

/* ---- checks for NULL ------------------------------------------------------------------------- */

static bool checks_null(const struct ebpf_ir_op *op)
{
    return op && op->code == IR_BRANCH && op->flags & IR_WIDE && op->flags & IR_IMM &&
           op->imm == 0 && op->src1 == BPF_REG_0 && (op->size == BPF_JEQ || op->size == BPF_JNE);
}

/* It is known which way a check behind the call goes. */
static uint32_t skip_check(struct lookup *l, const struct ebpf_ir_op *next, bool found)
{
    if (!checks_null(next))
        return 0;
    if ((next->size == BPF_JNE) == found)
        emit_target(l, &l->out, IR_JUMP, next->target);
    return 1;
}

#define NO_NULL UINT32_MAX

/* What to do with a NULL: the branch behind the call may say. Returns how many operations it has
 * answered. */
static uint32_t null_goes_to(struct lookup *l, const struct ebpf_ir_op *next, uint32_t null)
{
    bool checks = checks_null(next);
    uint32_t back;

    if (null == NO_NULL)
        return skip_check(l, next, true);
    emit_target(l, &l->stubs, IR_LABEL, null);
    emit_li(l, &l->stubs, BPF_REG_0, 0);
    if (checks && next->size == BPF_JEQ) {
        emit_target(l, &l->stubs, IR_JUMP, next->target);
        return 1;
    }
    back = l->fn->label_cnt++;
    if (checks)
        emit_target(l, &l->out, IR_JUMP, next->target);
    emit_target(l, &l->out, IR_LABEL, back);
    emit_target(l, &l->stubs, IR_JUMP, back);
    return checks ? 1 : 0;
}

/* ---- the hart's number ----------------------------------------------------------------------- */

/*
 * A program stays on its hart. Its number is in the struct ebpf_run that main is called with as its
 * second argument, which is where r2 lives: the first operation of main loads it into a register,
 * if anything wants it. Other functions have to call.
 */
static unsigned cpu_register(struct lookup *l)
{
    unsigned temporary, saved;

    if (l->cpu == IR_NONE && l->fn->subprog == 0) {
        l->env->spare(l->fn, &temporary, &saved);
        l->cpu = saved ? ebpf_ir_new_vreg(l->fn) : IR_NONE;
    }
    return l->cpu;
}

/* The place for it. */
static void begin(struct lookup *l)
{
    const struct ebpf_ir_op nothing = {.code = IR_NOP};

    l->cpu = IR_NONE;
    if (l->fn->subprog == 0)
        ebpf_ir_append(&l->out, &nothing);
}

static void end(struct lookup *l)
{
    struct ebpf_ir_op *first = l->out.ops;

    if (l->fn->subprog != 0 || l->out.err)
        return;
    if (l->cpu == IR_NONE) {
        l->fn->holes = true;
        return;
    }
    *first = (struct ebpf_ir_op){.code = IR_LOAD,
                                 .dst = (uint8_t)l->cpu,
                                 .src1 = BPF_REG_2,
                                 .src2 = IR_NONE,
                                 .size = sizeof(uint32_t),
                                 .off = offsetof(struct ebpf_run, cpu)};
    for (uint32_t i = 0; i < l->out.cnt; i++) {
        if (ebpf_ir_is_call(&l->out.ops[i]))
            l->fn->survive |= IR_BIT(l->cpu);
    }
}

/* It is in the register that is returned: where there is none for it in r0, by a call. */
static unsigned emit_cpu(struct lookup *l)
{
    unsigned cpu = cpu_register(l);

    if (cpu != IR_NONE)
        return cpu;
    /* destroys what calls destroy: a key that was there is read from the stack */
    l->stored &= l->store.flags & IR_IMM || l->store.src2 >= BPF_REG_6;
    emit_c_call(l, (uint64_t)(uintptr_t)&ebpf_os_cpu_id, 0);
    return BPF_REG_0;
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static void constant_key(struct lookup *l, uint32_t key, uint64_t values)
{
    if (key < l->map->max_entries)
        values += (uint64_t)key * l->map->value_stride;
    else
        values = 0;
    emit_li(l, &l->out, BPF_REG_0, values);
}

/* The key in dst. Returns the label where one that is too large goes; NO_NULL: none is. */
static uint32_t emit_checked_key(struct lookup *l, unsigned dst)
{
    uint32_t null = NO_NULL;

    emit_key(l, dst);
    if (fact(l, EBPF_FACT_INSIDE))
        return null;
    null = l->fn->label_cnt++;
    emit(l, &l->out,
         (struct ebpf_ir_op){.code = IR_BRANCH,
                             .flags = IR_WIDE | IR_IMM,
                             .dst = IR_NONE,
                             .src1 = (uint8_t)dst,
                             .src2 = IR_NONE,
                             .size = BPF_JGE,
                             .target = null,
                             .imm = l->map->max_entries});
    return null;
}

static uint32_t array_lookup(struct lookup *l, const struct ebpf_ir_op *next)
{
    const struct ebpf_array *array = (const struct ebpf_array *)l->map;
    uint64_t values = (uint64_t)(uintptr_t)array->values;
    uint32_t key, null;

    if (key_is_constant(l, &key)) {
        constant_key(l, key, values);
        return skip_check(l, next, key < l->map->max_entries);
    }
    null = emit_checked_key(l, BPF_REG_0);
    emit_imm(l, IR_MUL, BPF_REG_0, BPF_REG_0, l->map->value_stride);
    emit_li(l, &l->out, BPF_REG_1, values);
    emit_add(l, BPF_REG_0, BPF_REG_1);
    return null_goes_to(l, next, null);
}

/* The key first: it may be in r0. */
static uint32_t percpu_lookup(struct lookup *l, const struct ebpf_ir_op *next)
{
    const struct ebpf_percpu_array *array = (const struct ebpf_percpu_array *)l->map;
    uint64_t values = (uint64_t)(uintptr_t)array->values;
    unsigned cpu = emit_cpu(l);
    bool constant;
    uint32_t key, null = 0;

    constant = key_is_constant(l, &key);
    if (constant) {
        values += (uint64_t)key * l->map->value_stride;
    } else {
        null = emit_checked_key(l, BPF_REG_1);
        emit_imm(l, IR_MUL, BPF_REG_1, BPF_REG_1, l->map->value_stride);
    }
    emit_imm(l, IR_MUL, BPF_REG_0, cpu, (int64_t)array->cpu_stride);
    if (!constant)
        emit_add(l, BPF_REG_0, BPF_REG_1);
    emit_li(l, &l->out, BPF_REG_1, values);
    emit_add(l, BPF_REG_0, BPF_REG_1);
    if (!constant)
        return null_goes_to(l, next, null);
    if (key >= l->map->max_entries)
        emit_li(l, &l->out, BPF_REG_0, 0);
    return skip_check(l, next, key < l->map->max_entries);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* The type's own function behind the helpers 1 to 3, and how many arguments it has; 0: none. */
static uint64_t own_function(const struct ebpf_map *map, int64_t helper, unsigned *args)
{
    *args = helper == UPDATE ? 4 : 2;
    switch (helper) {
    case LOOKUP:
        return (uint64_t)(uintptr_t)map->ops->lookup;
    case UPDATE:
        return (uint64_t)(uintptr_t)map->ops->update;
    case DELETE:
        return (uint64_t)(uintptr_t)map->ops->remove;
    default:
        return 0;
    }
}

static void emit_mov(struct lookup *l, unsigned dst, unsigned src)
{
    emit(l, &l->out,
         (struct ebpf_ir_op){.code = IR_MOV,
                             .flags = IR_WIDE,
                             .dst = (uint8_t)dst,
                             .src1 = (uint8_t)src,
                             .src2 = IR_NONE});
}

/* Returns how many operations behind the call need not be copied. */
static uint32_t call(struct lookup *l, const struct ebpf_ir_op *op, const struct ebpf_ir_op *next)
{
    unsigned args;
    uint64_t fn;

    if (!l->map && fact(l, EBPF_FACT_MAP))
        l->map = map_of_fact(l);
    fn = l->map ? own_function(l->map, op->imm, &args) : 0;

    if (op->imm == SMP_PROCESSOR_ID && cpu_register(l) != IR_NONE) {
        emit_mov(l, BPF_REG_0, l->cpu);
        return 0;
    }
    if (fn && op->imm == LOOKUP && l->map->ops->lookup_cpu &&
        l->map->type != BPF_MAP_TYPE_PERCPU_ARRAY && cpu_register(l) != IR_NONE) {
        emit_mov(l, BPF_REG_3, l->cpu);
        emit_c_call(l, (uint64_t)(uintptr_t)l->map->ops->lookup_cpu, 3);
        return 0;
    }

    if (fn && op->imm == LOOKUP && l->map->type == BPF_MAP_TYPE_ARRAY)
        return array_lookup(l, next);
    if (fn && op->imm == LOOKUP && l->map->type == BPF_MAP_TYPE_PERCPU_ARRAY &&
        (l->key_known || fact(l, EBPF_FACT_KEY) || cpu_register(l) != IR_NONE))
        return percpu_lookup(l, next);
    if (fn)
        emit_c_call(l, fn, args);
    else
        ebpf_ir_append(&l->out, op);
    return 0;
}

/* A tail call of the main function through an array that is known. */
static bool tail_call(struct lookup *l, const struct ebpf_ir_op *op)
{
    const struct ebpf_object_array *array;
    struct ebpf_ir_op tail = {
        .code = IR_TAIL_CALL, .dst = IR_NONE, .src1 = BPF_REG_1, .src2 = BPF_REG_3};

    if (op->code != IR_OPAQUE || op->size != (BPF_JMP | BPF_CALL) || l->fn->subprog != 0)
        return false;
    if (!l->tail_map && fact(l, EBPF_FACT_MAP))
        l->tail_map = map_of_fact(l);
    if (fact(l, EBPF_FACT_KEY)) {
        l->index_known = true;
        l->index = (uint32_t)l->env->facts[l->slot].value;
    }
    array = (const struct ebpf_object_array *)l->tail_map;
    if (!array || array->map.type != BPF_MAP_TYPE_PROG_ARRAY || array->map.max_entries > INT32_MAX)
        return false;
    tail.imm = (int64_t)(uintptr_t)array->slots;
    tail.off = (int32_t)array->map.max_entries;
    if (l->index_known) {
        if (l->index >= array->map.max_entries)
            return true; /* fails always */
        tail.flags = IR_IMM;
        tail.src2 = IR_NONE;
        tail.imm += (int64_t)(l->index * sizeof(array->slots[0]));
    }
    emit(l, &l->out, tail);
    return true;
}

/* ---- the pass -------------------------------------------------------------------------------- */

static void see_store(struct lookup *l, const struct ebpf_ir_op *op)
{
    l->stored = op->code == IR_STORE && op->src1 == IR_FP && op->size == 4 &&
                (op->flags & IR_IMM || op->src2 != IR_FP);
    l->store_off = op->off;
    l->store = *op;
}

/* What op does to what is known. */
static void see(struct lookup *l, const struct ebpf_ir_op *op)
{
    uint64_t writes = ebpf_ir_writes(op);

    if (writes & IR_BIT(BPF_REG_1))
        l->map = op->code == IR_LI && op->flags & IR_MAP ? find_map(l->env->code, (uint64_t)op->imm)
                                                         : NULL;
    if (writes & IR_BIT(BPF_REG_3)) {
        l->index_known = op->code == IR_LI;
        l->index = (uint32_t)op->imm;
    }
    if (writes & IR_BIT(BPF_REG_2)) {
        l->tail_map = op->code == IR_LI && op->flags & IR_MAP
                          ? find_map(l->env->code, (uint64_t)op->imm)
                          : NULL;
        l->key_known =
            op->code == IR_ADD && op->src1 == IR_FP && op->flags & IR_IMM && op->flags & IR_WIDE;
        l->key_off = (int32_t)op->imm;
    }
    if (op->code == IR_STORE || op->code == IR_ATOMIC)
        see_store(l, op);
    else if (ebpf_ir_is_call(op))
        l->stored = false;
    else if (l->stored && !(l->store.flags & IR_IMM) && l->store.src2 < IR_NONE &&
             writes >> l->store.src2 & 1)
        l->stored = false;
    if (op->code == IR_LABEL)
        l->map = l->tail_map = NULL, l->key_known = l->stored = l->index_known = false;
}

static bool has_calls(const struct ebpf_ir_fn *fn)
{
    for (uint32_t i = 0; i < fn->list.cnt; i++) {
        if (ebpf_ir_is_call(&fn->list.ops[i]))
            return true;
    }
    return false;
}

int ebpf_ir_lookup(const struct ebpf_ir_env *env, struct ebpf_ir_fn *fn)
{
    struct lookup l = {.env = env, .fn = fn};
    const struct ebpf_ir_list *list = &fn->list;

    if (!env->code->map_cnt || !has_calls(fn))
        return 0;
    ebpf_ir_reserve(&l.out, list->cnt + 16);
    begin(&l);
    for (uint32_t i = 0; i < list->cnt; i++) {
        const struct ebpf_ir_op op = list->ops[i];

        l.slot = op.slot;
        if (op.code == IR_CALL && !(op.flags & IR_C))
            i += call(&l, &op, i + 1 < list->cnt ? &list->ops[i + 1] : NULL);
        else if (!tail_call(&l, &op))
            ebpf_ir_append(&l.out, &op);
        see(&l, &op);
    }
    for (uint32_t i = 0; i < l.stubs.cnt; i++)
        ebpf_ir_append(&l.out, &l.stubs.ops[i]);
    end(&l);
    l.out.err = l.out.err ? l.out.err : l.stubs.err;
    ebpf_ir_list_fini(&l.stubs);
    return ebpf_ir_replace(fn, &l.out);
}
