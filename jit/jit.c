/* SPDX-License-Identifier: MIT */
/*
 * Compiling a program: its functions are decoded into operations and go through the passes of opt/,
 * one after the other; rv64/ encodes them; code memory is got and written. Working memory is linear
 * in the number of instructions.
 */
#include "jit/jit.h"

#include "jit/rv64/lower.h"
#include "src/base/alloc.h"

uint32_t ebpf_jit_passes = UINT32_MAX;

/* ---- building -------------------------------------------------------------------------------- */

static void fini(struct rv_jit *j)
{
    for (uint32_t f = 0; j->fns && f < j->code->subprog_cnt; f++) {
        struct rv_fn *fn = &j->fns[f];

        ebpf_ir_fini(&fn->ir);
        ebpf_free(fn->places, fn->places_cnt * sizeof(*fn->places));
        ebpf_free(fn->labels, fn->labels_cnt * sizeof(*fn->labels));
    }
    ebpf_free(j->fns, j->code->subprog_cnt * sizeof(*j->fns));
}

/* What the encoder wants to know of a list. Positions start from a guess that no program undercuts
 * by much: what a pass finds replaces it. */
static int prepare(struct rv_fn *fn, uint32_t at)
{
    const struct ebpf_ir_list *list = &fn->ir.list;

    fn->places = ebpf_calloc(list->cnt, sizeof(*fn->places));
    fn->places_cnt = list->cnt;
    fn->labels = fn->ir.label_cnt ? ebpf_calloc(fn->ir.label_cnt, sizeof(*fn->labels)) : NULL;
    fn->labels_cnt = fn->ir.label_cnt;
    if (!fn->places || (!fn->labels && fn->ir.label_cnt))
        return -ENOMEM;
    for (uint32_t i = 0; i < list->cnt; i++) {
        fn->places[i] = at + 2 * i;
        if (list->ops[i].code == IR_LABEL)
            fn->labels[list->ops[i].target] = i;
    }
    if (!ebpf_rv_assign(fn))
        return -EOPNOTSUPP;
    ebpf_rv_frame_plan(fn);
    fn->frame.entry = at;
    return 0;
}

/* The function that op calls, or gives helpers the address of; code->subprog_cnt: none. */
static uint32_t names_function(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    const struct bpf_insn *insn = &j->code->insns[op->slot];
    uint32_t subprog = j->code->subprog_cnt;

    if (op->code == IR_CALL_FUNC)
        return op->target;
    if (op->code == IR_OPAQUE && ebpf_ir_is_func_address(insn))
        subprog = ebpf_ir_func_address(j->code, insn);
    if (subprog < j->code->subprog_cnt)
        j->fns[subprog].callback = true;
    return subprog;
}

/* What f calls is used. True: something that was not. */
static bool use_callees(struct rv_jit *j, uint32_t f)
{
    const struct ebpf_ir_list *list = &j->fns[f].ir.list;
    bool more = false;

    for (uint32_t i = 0; i < list->cnt; i++) {
        uint32_t callee = names_function(j, &list->ops[i]);

        if (callee < j->code->subprog_cnt && !j->fns[callee].used)
            more = j->fns[callee].used = true;
    }
    return more;
}

/* Functions that nobody calls (any more) get no code. Each is looked through once; calls go to a
 * depth of 8. */
static void find_used(struct rv_jit *j)
{
    bool more = true;

    j->fns[0].used = true;
    while (more) {
        more = false;
        for (uint32_t f = 0; f < j->code->subprog_cnt; f++) {
            if (j->fns[f].used && !j->fns[f].seen) {
                j->fns[f].seen = true;
                more |= use_callees(j, f);
            }
        }
    }
}

static int inline_functions(struct rv_jit *j, const struct ebpf_ir_env *env,
                            const struct ebpf_ir_trace *trace)
{
    uint32_t cnt = j->code->subprog_cnt;
    struct ebpf_ir_fn **fns;
    int err;

    if (cnt < 2)
        return 0;
    fns = ebpf_calloc(cnt, sizeof(struct ebpf_ir_fn *));
    if (!fns)
        return -ENOMEM;
    for (uint32_t f = 0; f < cnt; f++)
        fns[f] = &j->fns[f].ir;
    err = ebpf_ir_inline(env, fns, cnt, ebpf_jit_passes, trace);
    ebpf_free(fns, cnt * sizeof(struct ebpf_ir_fn *));
    return err;
}

/* Operations of all functions that have code, as good as they get. */
static int make_operations(struct rv_jit *j, const struct ebpf_ir_trace *trace)
{
    const struct ebpf_ir_env env = {
        .code = j->code,
        .facts = ebpf_jit_passes & EBPF_PASS(facts) ? j->code->facts : NULL,
        .isa = j->isa, .li_length = ebpf_rv_li_length, .spare = ebpf_rv_spare};
    int err = 0;

    for (uint32_t f = 0; !err && f < j->code->subprog_cnt; f++) {
        ebpf_ir_init(&j->fns[f].ir, f);
        err = ebpf_ir_decode(j->code, &j->fns[f].ir);
        if (!err && trace)
            trace->show(trace, "decode", &j->fns[f].ir);
        if (!err && env.facts) {
            err = ebpf_ir_facts(&env, &j->fns[f].ir);
            if (!err && trace)
                trace->show(trace, "facts", &j->fns[f].ir);
        }
    }
    if (!err)
        err = inline_functions(j, &env, trace);
    if (!err)
        find_used(j);
    for (uint32_t f = 0; !err && f < j->code->subprog_cnt; f++) {
        if (j->fns[f].used)
            err = ebpf_ir_optimize(&env, &j->fns[f].ir, ebpf_jit_passes, trace);
    }
    return err;
}

static int build(struct rv_jit *j, const struct ebpf_code *code, const struct ebpf_ir_trace *trace)
{
    uint32_t at = 0;
    int err;

    memset(j, 0, sizeof(*j));
    j->code = code;
    j->isa = ebpf_os_isa();
    if (!code->insn_cnt || code->insn_cnt > EBPF_CONFIG_MAX_INSNS ||
        code->subprog_cnt > code->insn_cnt)
        return -E2BIG;
    j->fns = ebpf_calloc(code->subprog_cnt, sizeof(*j->fns));
    if (!j->fns)
        return -ENOMEM;
    err = make_operations(j, trace);
    for (uint32_t f = 0; !err && f < code->subprog_cnt; f++) {
        if (!j->fns[f].used)
            continue;
        err = prepare(&j->fns[f], at);
        at += 2 * j->fns[f].ir.list.cnt;
    }
    if (err)
        fini(j);
    return err;
}

/* ---- encoding -------------------------------------------------------------------------------- */

/* Bytes for one base, for which nothing has been found yet. */
static int encode(struct rv_jit *j, uint64_t base, uint8_t *buf, size_t cap, size_t *len)
{
    int err;

    j->base = base;
    j->as.buf = buf;
    j->as.cap = cap;
    err = ebpf_rv_relax(j);
    *len = j->as.pos;
    return err ? err : *len > cap ? -ENOSPC : 0;
}

int ebpf_jit_encode(const struct ebpf_code *code, uint64_t base, uint8_t *buf, size_t cap,
                    size_t *len)
{
    struct rv_jit j;
    int err = build(&j, code, NULL);

    if (err)
        return err;
    err = encode(&j, base, NULL, SIZE_MAX, len);
    if (!err && cap < *len)
        err = -ENOSPC;
    if (!err)
        err = encode(&j, base, buf, cap, len);
    fini(&j);
    return err;
}

int ebpf_jit_trace(const struct ebpf_code *code, const struct ebpf_ir_trace *trace)
{
    struct rv_jit j;
    int err = build(&j, code, trace);

    if (!err)
        fini(&j);
    return err;
}

#if defined(__riscv) && __riscv_xlen == 64

/* Where code memory was last: the next will be as far from everything, most likely. 0: none yet. */
static uint64_t last_base;

/* How long the code is: for a base like the last one, or at most, wherever it will be. */
static int measure(struct rv_jit *j, bool anywhere, size_t *size)
{
    int err = 0;

    j->as.buf = NULL;
    j->anywhere = anywhere;
    j->base = __atomic_load_n(&last_base, __ATOMIC_RELAXED);
    if (anywhere)
        ebpf_rv_forget(j);
    if (anywhere || !(ebpf_jit_passes & EBPF_PASS(relax)) || !ebpf_rv_settles(j))
        err = ebpf_rv_relax(j);
    j->anywhere = false;
    *size = j->as.pos;
    return err;
}

/* Bytes for the place that there is. If they are shorter than for the last one, what was found for
 * that one is of no use. */
static int encode_at(struct rv_jit *j, struct ebpf_jit_image *image, uint8_t *buf)
{
    uint64_t base = (uint64_t)(uintptr_t)image->mem;
    int err;

    __atomic_store_n(&last_base, base, __ATOMIC_RELAXED);
    err = encode(j, base, buf, image->size, &image->len);
    if (!err && j->shorter) {
        ebpf_rv_forget(j);
        err = encode(j, base, buf, image->size, &image->len);
    }
    return err;
}

static int install(struct rv_jit *j, struct ebpf_jit_image *image)
{
    uint8_t *buf = ebpf_alloc(image->size);
    int err = -ENOMEM;

    if (!buf)
        return err;
    image->mem = ebpf_os_code_alloc(image->size);
    err = image->mem ? encode_at(j, image, buf) : -EOPNOTSUPP;
    if (!err)
        err = ebpf_os_text_write(image->mem, buf, image->len);
    ebpf_free(buf, image->size);
    if (err)
        ebpf_jit_free(image);
    return err;
}

/* If the place is so much further from everything than the last one that there is too little room,
 * room for any place will do. */
int ebpf_jit_compile(const struct ebpf_code *code, struct ebpf_jit_image *out)
{
    struct ebpf_jit_image image = {0};
    struct rv_jit j;
    int err = build(&j, code, NULL);

    if (err)
        return err;
    err = measure(&j, false, &image.size);
    if (!err)
        err = install(&j, &image);
    if (err == -ENOSPC) {
        err = measure(&j, true, &image.size);
        if (!err)
            err = install(&j, &image);
    }
    if (!err)
        *out = image;
    fini(&j);
    return err;
}

#else

int ebpf_jit_compile(const struct ebpf_code *code, struct ebpf_jit_image *out)
{
    (void)code;
    (void)out;
    return -EOPNOTSUPP;
}

#endif

void ebpf_jit_free(struct ebpf_jit_image *image)
{
    if (image->mem)
        ebpf_os_code_free(image->mem, image->size);
    memset(image, 0, sizeof(*image));
}
