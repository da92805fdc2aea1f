/* SPDX-License-Identifier: MIT */
/*
 * The log, in Linux's form: why a program is refused, each instruction with what it changed, the
 * numbers at the end. All of it costs nothing where nobody reads it.
 *
 *     0: R1=ctx() R10=fp0
 *     0: (b7) r0 = 7                        ; R0=7
 *     1: (95) exit
 *     processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 ...
 *
 * At level 1 only the path to the error remains, since the text of a path that came to a good end
 * is taken back.
 */
#include "src/base/bits.h"
#include "src/base/fmt.h"
#include "src/btf/btf.h"
#include "src/verifier/engine.h"

/* What the log showed last. */
struct ebpf_vshown {
    struct ebpf_vframe top; /* slots: not used */
    uint32_t slot_cnt;
    struct ebpf_vslot slots[EBPF_FRAME_SIZE / 8];
    const struct bpf_line_info *line;
    uint64_t end; /* position behind the last instruction; 0: none */
    unsigned column;
};

int ebpf_verify_refuse(struct ebpf_verifier *v, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (v->log) {
        ebpf_load_vlogf(v->log, format, args);
        ebpf_load_logf(v->log, "\n");
    } else {
        char line[EBPF_CONFIG_LOG_LINE];

        ebpf_vformat(line, sizeof(line), format, args);
        ebpf_code_reject(v->code, err, "%s", line);
    }
    va_end(args);
    return err;
}

int ebpf_verify_log_init(struct ebpf_verifier *v)
{
    if (!ebpf_load_log_on(v->log, EBPF_LOG_LEVEL1 | EBPF_LOG_LEVEL2))
        return 0;
    v->explore->shown = ebpf_vmem_zalloc(&v->mem, sizeof(*v->explore->shown));
    return v->explore->shown ? 0 : -ENOMEM;
}

void ebpf_verify_log_fini(struct ebpf_verifier *v)
{
    ebpf_vmem_free(&v->mem, v->explore->shown, sizeof(*v->explore->shown));
    v->explore->shown = NULL;
}

/* ---- registers ------------------------------------------------------------------------------- */

static void log_unsigned(struct ebpf_load_log *log, uint64_t n)
{
    if (n <= UINT16_MAX)
        ebpf_load_logf(log, "%llu", (unsigned long long)n);
    else
        ebpf_load_logf(log, "0x%llx", (unsigned long long)n);
}

static void log_signed(struct ebpf_load_log *log, int64_t n)
{
    if (n >= INT16_MIN && n <= UINT16_MAX)
        ebpf_load_logf(log, "%lld", (long long)n);
    else
        ebpf_load_logf(log, "0x%llx", (unsigned long long)n);
}

/* What stands between the brackets of a register: names, values, and commas between them. */
struct list {
    struct ebpf_load_log *log;
    const char *sep; /* what comes before the next one */
};

static void item(struct list *l, const char *name)
{
    ebpf_load_logf(l->log, "%s%s=", l->sep, name);
    l->sep = ",";
}

static void item_u32(struct list *l, const char *name, uint32_t value)
{
    item(l, name);
    ebpf_load_logf(l->log, "%u", value);
}

/* Bounds of one value are shown together: "umax=umax32=7". Those that say nothing are left out. */
static void log_bounds(struct list *l, const struct ebpf_scalar *s)
{
    static const char names[8][8] = {"smin",   "smax",   "umin",   "umax",
                                     "smin32", "smax32", "umin32", "umax32"};
    static const uint64_t nothing[8] = {(uint64_t)INT64_MIN, INT64_MAX, 0, UINT64_MAX,
                                        (uint64_t)INT32_MIN, INT32_MAX, 0, UINT32_MAX};
    const uint64_t values[8] = {
        (uint64_t)s->full.smin, (uint64_t)s->full.smax, s->full.umin, s->full.umax,
        (uint64_t)s->half.smin, (uint64_t)s->half.smax, s->half.umin, s->half.umax};
    bool done[8], negative[8];

    for (unsigned i = 0; i < 8; i++) {
        done[i] = values[i] == nothing[i];
        negative[i] = names[i][0] == 's' && (int64_t)values[i] < 0;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (done[i])
            continue;
        item(l, names[i]);
        for (unsigned j = i + 2; j < 8; j += 2) {
            if (done[j] || values[j] != values[i] || negative[j] != negative[i])
                continue;
            done[j] = true;
            ebpf_load_logf(l->log, "%s=", names[j]);
        }
        if (names[i][0] == 's')
            log_signed(l->log, (int64_t)values[i]);
        else
            log_unsigned(l->log, values[i]);
    }
}

static void log_var(struct list *l, const struct ebpf_scalar *var)
{
    struct ebpf_tnum known = var->known;

    if (!known.mask && known.value) {
        item(l, "imm");
        log_signed(l->log, (int64_t)known.value);
    }
    if (!known.mask)
        return;
    log_bounds(l, var);
    if (~known.mask)
        ebpf_load_logf(l->log, "%svar_off=(0x%llx; 0x%llx)", l->sep,
                       (unsigned long long)known.value, (unsigned long long)known.mask);
}

static void log_ids(struct list *l, const struct ebpf_vreg *reg)
{
    if (reg->id)
        item_u32(l, "id", reg->id);
    if (reg->kind == EBPF_KIND_SCALAR && reg->link)
        ebpf_load_logf(l->log, "%s%d", reg->link < 0 ? "" : "+", reg->link);
    if (reg->ref)
        item_u32(l, "ref_obj_id", reg->ref);
}

static void log_region(struct list *l, const struct ebpf_vreg *reg)
{
    bool packet = reg->kind == EBPF_KIND_PACKET || reg->kind == EBPF_KIND_PACKET_META;

    if (reg->map) {
        if (reg->map->name[0]) {
            item(l, "map");
            ebpf_load_logf(l->log, "%s", reg->map->name);
        }
        item_u32(l, "ks", reg->map->key_size);
        item_u32(l, "vs", reg->map->value_size);
    }
    if (reg->kind != EBPF_KIND_SCALAR && reg->off) {
        item(l, "off");
        log_signed(l->log, reg->off);
    }
    if (packet || reg->kind == EBPF_KIND_MEM) {
        item(l, packet ? "r" : "sz");
        log_unsigned(l->log, reg->range);
    }
}

static void log_reg(struct ebpf_load_log *log, const struct ebpf_vreg *reg, unsigned frame)
{
    bool known = ebpf_scalar_is_const(&reg->var);
    struct list l = {.log = log, .sep = ""};

    if (reg->kind == EBPF_KIND_SCALAR && known) {
        log_signed(log, (int64_t)reg->var.known.value);
        return;
    }
    ebpf_load_logf(log, "%s", ebpf_verify_type_name(reg));
    if (reg->kind == EBPF_KIND_STACK && reg->frame != frame)
        ebpf_load_logf(log, "[%u]", reg->frame);
    if (reg->kind == EBPF_KIND_STACK && known) {
        log_signed(log, reg->off + (int64_t)reg->var.known.value);
        return;
    }
    ebpf_load_logf(log, "(");
    log_ids(&l, reg);
    log_region(&l, reg);
    log_var(&l, &reg->var);
    ebpf_load_logf(log, ")");
}

/* ---- states ---------------------------------------------------------------------------------- */

static void log_slot(struct ebpf_load_log *log, const struct ebpf_vslot *slot, uint32_t n,
                     unsigned frame)
{
    static const char letters[] = "?rm0d"; /* enum ebpf_byte */
    char types[9];
    unsigned len = 0;

    /* from the highest address, as Linux does; of a register's part only the register is shown */
    while (len < 8 &&
           (slot->bytes[0] != EBPF_BYTE_SPILL || slot->bytes[7 - len] != EBPF_BYTE_SPILL)) {
        types[len] = letters[slot->bytes[7 - len]];
        len++;
    }
    types[len] = '\0';
    ebpf_load_logf(log, " fp-%u=%s", (n + 1) * 8, types);
    if (slot->bytes[0] == EBPF_BYTE_SPILL)
        log_reg(log, &slot->reg, frame);
}

static bool slot_empty(const struct ebpf_vslot *slot)
{
    for (unsigned i = 0; i < 8; i++) {
        if (slot->bytes[i] != EBPF_BYTE_NOTHING)
            return false;
    }
    return true;
}

/* Is it as it was shown last? */
static bool reg_shown(const struct ebpf_vshown *shown, const struct ebpf_vframe *top, unsigned r)
{
    return !memcmp(&top->regs[r], &shown->top.regs[r], sizeof(top->regs[r]));
}

static bool slot_shown(const struct ebpf_vshown *shown, const struct ebpf_vframe *top, uint32_t n)
{
    return n < shown->slot_cnt && !memcmp(&top->slots[n], &shown->slots[n], sizeof(*top->slots));
}

/* The top frame: all of it, or what is not as it was shown last. */
static void log_state(struct ebpf_verifier *v, bool all)
{
    struct ebpf_vshown *shown = v->explore->shown;
    const struct ebpf_vframe *top = ebpf_verify_frame(v);
    unsigned frame = v->now->frame_cnt - 1;

    if (frame)
        ebpf_load_logf(v->log, " frame%u:", frame);
    for (unsigned r = 0; r < 11; r++) {
        if (top->regs[r].kind == EBPF_KIND_NOTHING || (!all && reg_shown(shown, top, r)))
            continue;
        ebpf_load_logf(v->log, " R%u=", r);
        log_reg(v->log, &top->regs[r], frame);
    }
    for (uint32_t n = 0; n < top->slot_cnt; n++) {
        if (!slot_empty(&top->slots[n]) && (all || !slot_shown(shown, top, n)))
            log_slot(v->log, &top->slots[n], n, frame);
    }
    for (uint32_t i = 0; i < v->now->ref_cnt; i++)
        ebpf_load_logf(v->log, "%s%u", i ? "," : " refs=", v->now->refs[i].id);
    if (top->callback != CALLBACK_NONE)
        ebpf_load_logf(v->log, top->callback == CALLBACK_TIMER ? " async_cb" : " cb");
    ebpf_load_logf(v->log, "\n");
}

static void remember(struct ebpf_vshown *shown, const struct ebpf_vframe *top)
{
    shown->top = *top;
    shown->slot_cnt = top->slot_cnt;
    if (top->slot_cnt)
        memcpy(shown->slots, top->slots, top->slot_cnt * sizeof(*top->slots));
}

static bool changed(const struct ebpf_vshown *shown, const struct ebpf_vframe *top)
{
    for (unsigned r = 0; r < 11; r++) {
        if (top->regs[r].kind != EBPF_KIND_NOTHING && !reg_shown(shown, top, r))
            return true;
    }
    for (uint32_t n = 0; n < top->slot_cnt; n++) {
        if (!slot_shown(shown, top, n))
            return true;
    }
    return false;
}

/* What the last instruction changed goes behind it, in column 40 or so. */
static void log_changes(struct ebpf_verifier *v)
{
    struct ebpf_vshown *shown = v->explore->shown;
    unsigned column = shown->column + 4 > 40 ? shown->column + 4 : 40;

    if (!changed(shown, ebpf_verify_frame(v)))
        return;
    if (shown->end && shown->end == ebpf_load_log_mark(v->log)) {
        ebpf_load_log_reset(v->log, shown->end - 1);
        for (column = EBPF_ROUND_UP(column, 8u) - 1; shown->column < column; shown->column++)
            ebpf_load_logf(v->log, " ");
        ebpf_load_logf(v->log, ";");
    } else {
        ebpf_load_logf(v->log, "%u:", v->at);
    }
    log_state(v, false);
}

/* The line of source that the instruction was made from: the last record at or before it. */
static const struct bpf_line_info *line_of(const struct ebpf_prog *prog, uint32_t at)
{
    uint32_t low = 0, high = prog->line_info_cnt;

    if (!prog->btf || !high || prog->line_info[0].insn_off > at)
        return NULL;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (prog->line_info[middle].insn_off <= at)
            low = middle;
        else
            high = middle;
    }
    return &prog->line_info[low];
}

static void log_line(struct ebpf_verifier *v)
{
    const struct bpf_line_info *line = line_of(v->prog, v->at);
    const char *text, *file, *name;

    if (!line || line == v->explore->shown->line)
        return;
    v->explore->shown->line = line;
    text = ebpf_btf_string(v->prog->btf, line->line_off);
    file = name = ebpf_btf_string(v->prog->btf, line->file_name_off);
    if (!text || !file)
        return;
    while (*text == ' ' || *text == '\t')
        text++;
    for (; *file; file++)
        name = *file == '/' ? file + 1 : name;
    ebpf_load_logf(v->log, "; %s @ %s:%u\n", text, name, line->line_col >> 10);
}

void ebpf_verify_log_insn(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;
    char text[96];

    if (!x->shown)
        return;
    if (x->fresh_path && x->came_from != v->at)
        ebpf_load_logf(v->log, "\nfrom %u to %u:", x->came_from, v->at);
    else if (x->fresh_path)
        ebpf_load_logf(v->log, "%u:", v->at);
    if (x->fresh_path)
        log_state(v, true);
    else
        log_changes(v);
    x->fresh_path = false;
    remember(x->shown, ebpf_verify_frame(v));
    log_line(v);
    ebpf_insn_text(text, sizeof(text), &v->code->insns[v->at]);
    x->shown->column = (unsigned)ebpf_strlen(text) + 4;
    ebpf_load_logf(v->log, "%u: %s\n", v->at, text);
    x->shown->end = ebpf_load_log_mark(v->log);
}

void ebpf_verify_log_pruned(struct ebpf_verifier *v)
{
    struct ebpf_vexplore *x = v->explore;

    if (!x->shown)
        return;
    if (x->fresh_path)
        ebpf_load_logf(v->log, "\nfrom %u to %u: safe\n", x->came_from, v->at);
    else
        ebpf_load_logf(v->log, "%u: safe\n", v->at);
}

void ebpf_verify_log_stats(struct ebpf_verifier *v)
{
    const struct ebpf_vexplore *x = v->explore;

    if (ebpf_load_log_on(v->log, EBPF_LOG_LEVEL1 | EBPF_LOG_LEVEL2 | EBPF_LOG_STATS))
        ebpf_load_logf(
            v->log,
            "processed %u insns (limit %u) max_states_per_insn %u total_states %u peak_states %u "
            "mark_read 0\n",
            (unsigned)v->processed, EBPF_MAX_PROCESSED, x->max_per_insn, x->total_states,
            x->saved_peak);
}
