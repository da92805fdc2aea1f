/* SPDX-License-Identifier: MIT */
/* Control flow and calls of the fuzzer's programs, see fuzz_jit_gen.h. */
#include "tests/fuzz/fuzz_jit_gen.h"

#define R10 BPF_REG_10
#define MAX_COST 4000u   /* instructions that a program runs, about */
#define MAX_SLOTS 30000u /* of a function: off has 16 bits */

static void gen_body(struct gen *g, unsigned depth, unsigned items);

/* ---- what is known where paths meet ---------------------------------------------------------- */

static bool alike(const struct gen_reg *a, const struct gen_reg *b)
{
    return a->kind == b->kind &&
           (a->kind != GEN_PTR || (a->lo == b->lo && a->hi == b->hi && a->phase == b->phase &&
                                   a->same == b->same && a->element == b->element));
}

/* What holds on both; what is kept is to's business. */
static void merge(struct gen_regs *to, const struct gen_regs *from)
{
    for (unsigned i = 0; i < GEN_SLOT + GEN_SLOTS; i++) {
        if (!alike(&to->r[i], &from->r[i]))
            to->r[i].kind = GEN_UNDEF;
    }
}

/* ---- jumps and blocks ------------------------------------------------------------------------ */

static void set_target(struct gen *g, uint32_t at, uint32_t target)
{
    fuzz_set_target(&g->prog->insns[at], at, target);
}

/* A condition, whatever it is; returns where it is. */
static uint32_t put_branch(struct gen *g)
{
    static const uint8_t ops[] = {BPF_JEQ, BPF_JNE,  BPF_JSET, BPF_JGT,  BPF_JGE, BPF_JLT,
                                  BPF_JLE, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};
    uint8_t op = ops[gen_below(g, sizeof(ops))], cls = gen_chance(g, 50) ? BPF_JMP : BPF_JMP32;
    unsigned dst = gen_num(g), src = gen_num(g);
    int32_t imm = gen_chance(g, 30) ? (int32_t)gen_below(g, 3) - 1 : (int32_t)fuzz_value(&g->rnd);

    if (fuzz_has_may_goto && gen_chance(g, 4))
        gen_put(g, BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, BPF_MAY_GOTO, 0, 0));
    else if (gen_chance(g, 50))
        gen_put(g, BPF_RAW_INSN(cls | op | BPF_X, dst, src, 0, 0));
    else
        gen_put(g, BPF_RAW_INSN(cls | op | BPF_K, dst, 0, 0, imm));
    return g->prog->cnt - 1;
}

static void put_goto(struct gen *g)
{
    gen_put(g, gen_chance(g, 60) ? BPF_JMP_A(0) : BPF_JMP32_A(0));
}

static struct gen_block *open_block(struct gen *g)
{
    struct gen_block *block = &g->blocks[g->block_cnt++];

    block->jump_cnt = 0;
    return block;
}

/* The instruction at jump leaves the block. */
static void leave_block(struct gen *g, struct gen_block *block, uint32_t jump)
{
    if (!block->jump_cnt)
        block->state = g->regs;
    else
        merge(&block->state, &g->regs);
    block->jumps[block->jump_cnt++] = jump;
}

/* kept: whose keep flags hold again. */
static void close_block(struct gen *g, const struct gen_regs *kept)
{
    struct gen_block *block = &g->blocks[--g->block_cnt];

    for (unsigned i = 0; i < block->jump_cnt; i++)
        set_target(g, block->jumps[i], g->prog->cnt);
    if (block->jump_cnt && g->dead)
        g->regs = block->state;
    else if (block->jump_cnt)
        merge(&g->regs, &block->state);
    g->dead = g->dead && !block->jump_cnt;
    for (unsigned i = 0; i < GEN_SLOT + GEN_SLOTS; i++) {
        g->regs.r[i].keep = kept->r[i].keep;
        if (g->regs.r[i].element && !g->no_calls) /* from here on elements may be freed */
            g->regs.r[i].kind = GEN_UNDEF;
    }
}

/* Out of one of the blocks that are open, or out of the function. */
static void item_break(struct gen *g)
{
    struct gen_block *block = &g->blocks[gen_below(g, g->block_cnt + 1)];

    if (block == &g->blocks[g->block_cnt]) {
        gen_put(g, BPF_MOV64_REG(0, gen_num(g)));
        gen_put(g, BPF_EXIT_INSN());
        g->dead = true;
        return;
    }
    if (block->jump_cnt >= sizeof(block->jumps) / sizeof(block->jumps[0]) - 2)
        return;
    if (gen_chance(g, 60)) {
        leave_block(g, block, put_branch(g));
        return;
    }
    put_goto(g);
    leave_block(g, block, g->prog->cnt - 1);
    g->dead = true;
}

/* ---- if and loops ---------------------------------------------------------------------------- */

/* Thousands of instructions that a branch has to get over, on a number that no compiler knows.
 * Without Zbb byte swaps are the longest. */
static void pad(struct gen *g)
{
    unsigned cnt = gen_chance(g, 10) ? 20000 : 200 + gen_below(g, 1200), reg = gen_free(g, 0, 9);
    bool swaps = gen_chance(g, 50) || cnt == 20000;

    if (g->prog->cnt + cnt + 2000 > g->limit || g->weight > 1)
        return;
    gen_put_imm64(g, reg, FUZZ_SRC_BUFFER, 0);
    gen_put(g, BPF_LDX_MEM(BPF_DW, reg, reg, 0));
    gen_set_num(g, reg);
    for (unsigned i = 0; i < cnt; i++)
        gen_put(g, swaps ? BPF_BSWAP(reg, 64)
                         : BPF_ALU64_IMM(i & 1 ? BPF_XOR : BPF_ADD, reg, (int32_t)(i + 1)));
    g->functions[g->function].cost -= cnt / 2;
    g->pads = false;
}

static void item_if(struct gen *g, unsigned depth)
{
    struct gen_regs before;
    uint32_t otherwise = 0;
    bool has_else = gen_chance(g, 30);
    struct gen_block *block = open_block(g);
    uint32_t branch = put_branch(g);

    before = g->regs;
    if (has_else)
        otherwise = branch;
    else
        leave_block(g, block, branch);
    if (g->pads && gen_chance(g, 70))
        pad(g);
    gen_body(g, depth + 1, 1 + gen_below(g, 6));
    if (has_else) {
        if (!g->dead) {
            put_goto(g);
            leave_block(g, block, g->prog->cnt - 1);
        }
        set_target(g, otherwise, g->prog->cnt);
        g->regs = before;
        g->dead = false;
        gen_body(g, depth + 1, 1 + gen_below(g, 4));
    }
    close_block(g, &before);
}

/* A loop's body finds each time what it finds the first time: addresses stay, or are not looked
 * at. */
static void enter_loop(struct gen *g)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < 10; i++)
        kept += g->regs.r[i].keep;
    for (unsigned i = 0; i < GEN_SLOT + GEN_SLOTS; i++) {
        struct gen_reg *reg = &g->regs.r[i];

        if (i == R10 || reg->keep || (i < R10 && reg->kind != GEN_PTR))
            continue;
        if (reg->kind != GEN_UNDEF && gen_chance(g, 50) && (i >= GEN_SLOT || kept < 4)) {
            reg->keep = true;
            kept += i < R10;
        } else {
            reg->kind = GEN_UNDEF;
        }
    }
}

static void end_iteration(struct gen *g, const struct gen_regs *start)
{
    for (unsigned i = 0; i < 10; i++) {
        if (start->r[i].kind == GEN_NUM && g->regs.r[i].kind != GEN_NUM)
            gen_const(g, i);
    }
}

/* The counter's step and the jump back while it has not gone n rounds. */
static void put_loop_end(struct gen *g, unsigned counter, bool down, unsigned n, uint32_t head)
{
    static const uint8_t up[] = {BPF_JLT, BPF_JSLT, BPF_JNE},
                         downwards[] = {BPF_JNE, BPF_JGT, BPF_JSGT};
    uint8_t alu = gen_chance(g, 60) ? BPF_ALU64 : BPF_ALU,
            jmp = gen_chance(g, 60) ? BPF_JMP : BPF_JMP32;

    gen_put(g, BPF_RAW_INSN(alu | BPF_ADD | BPF_K, counter, 0, 0, down ? -1 : 1));
    gen_put(g, BPF_RAW_INSN(jmp | (down ? downwards : up)[gen_below(g, 3)] | BPF_K, counter, 0, 0,
                            down ? 0 : (int32_t)n));
    set_target(g, g->prog->cnt - 1, head);
}

static void item_loop(struct gen *g, unsigned depth)
{
    struct gen_regs before = g->regs, start;
    unsigned counter = gen_free(g, gen_chance(g, 70) ? 6 : 0, 9), n = 1 + gen_below(g, 5),
             weight = g->weight;
    bool down = gen_chance(g, 60);
    uint32_t head;

    if (counter > 9 || weight * n > 60)
        return;
    before.r[counter].kind = GEN_NUM;
    gen_put(g, BPF_MOV64_IMM(counter, down ? (int32_t)n : 0));
    gen_set_num(g, counter);
    enter_loop(g);
    g->regs.r[counter].keep = true;
    start = g->regs;
    open_block(g);
    g->weight *= n;
    head = g->prog->cnt;
    gen_body(g, depth + 1, 1 + gen_below(g, 6));
    if (!g->dead) {
        end_iteration(g, &start);
        put_loop_end(g, counter, down, n, head);
    }
    g->weight = weight;
    close_block(g, &before);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static bool arguments_free(const struct gen *g)
{
    for (unsigned i = 0; i <= 5; i++) {
        if (g->regs.r[i].keep)
            return false;
    }
    return true;
}

/* reg = address of size bytes of the frame or the buffer, which may be read and written. */
static void put_memory_arg(struct gen *g, unsigned reg, int32_t size)
{
    int32_t at;

    if (g->extent >= size && gen_chance(g, 70)) {
        at = (int32_t)gen_below(g, (unsigned)(g->extent - size) / 8 + 1) * 8 - g->extent;
        gen_put(g, BPF_MOV64_REG(reg, R10));
        gen_put(g, BPF_ALU64_IMM(BPF_ADD, reg, at));
    } else {
        at = (int32_t)gen_below(g, (FUZZ_BUFFER - (unsigned)size) / 8) * 8;
        gen_put_imm64(g, reg, FUZZ_SRC_BUFFER, (uint64_t)at);
    }
    gen_set_ptr(g, reg, 0, size, 0);
}

static void put_number_arg(struct gen *g, unsigned reg)
{
    unsigned from = gen_any_num(g); /* gen_num() could take an argument that is ready */

    if (from < 11 && gen_chance(g, 60))
        gen_put(g, BPF_MOV64_REG(reg, from));
    else
        gen_const(g, reg);
    gen_set_num(g, reg);
}

static void after_call(struct gen *g)
{
    for (unsigned i = 1; i <= 5; i++)
        g->regs.r[i].kind = GEN_UNDEF;
    gen_set_num(g, 0);
}

/* A function with a greater number, if there is one that is cheap enough. */
static void item_call(struct gen *g)
{
    struct gen_function *self = &g->functions[g->function], *callee;
    unsigned left = g->function_cnt - g->function - 1, to;

    if (!left || g->no_calls || !arguments_free(g))
        return;
    to = g->function + 1 + (gen_chance(g, 60) ? 0 : gen_below(g, left));
    callee = &g->functions[to];
    if (self->cost + g->weight * callee->cost > MAX_COST)
        return;
    for (unsigned i = 0; i < callee->args; i++) {
        if (callee->arg_ptr[i])
            put_memory_arg(g, i + 1, 16);
        else
            put_number_arg(g, i + 1);
    }
    self->cost += g->weight * callee->cost;
    gen_put(g,
            BPF_CALL_REL((int32_t)to)); /* made a distance when all functions have their places */
    after_call(g);
}

static void item_helper(struct gen *g)
{
    static const int32_t pure[] = {5, 8, 14, 15};

    if (!arguments_free(g))
        return;
    if (gen_chance(g, 60)) {
        gen_put(g, BPF_EMIT_CALL(pure[gen_below(g, 4)]));
    } else {
        bool comm = gen_chance(g, 50);
        int32_t size = 1 + (int32_t)gen_below(g, 16);

        put_memory_arg(g, 1, size);
        if (!comm)
            put_memory_arg(g, 3, size);
        gen_put(g, BPF_MOV64_IMM(2, size));
        gen_put(g, BPF_EMIT_CALL(comm ? 16 : 113));
    }
    after_call(g);
}

/* ---- maps ------------------------------------------------------------------------------------ */

/* r1 = the map; r2 = a key, likely one that is there. */
static void put_map_and_key(struct gen *g, unsigned map)
{
    unsigned words = fuzz_specs[map].key_size / 4;
    int16_t off = (int16_t)(4 * (int)gen_below(g, (unsigned)g->extent / 4 - words + 1) - g->extent);

    for (unsigned i = 0; i < words; i++) {
        int16_t at = (int16_t)(off + 4 * (int)i);

        if (!i && gen_chance(g, 40)) {
            unsigned reg = gen_free(g, 0, 5);

            gen_put(g, BPF_MOV64_REG(reg, gen_num(g)));
            gen_put(g, BPF_ALU64_IMM(BPF_AND, reg, 7));
            gen_set_num(g, reg);
            gen_put(g, BPF_STX_MEM(BPF_W, R10, reg, at));
        } else {
            gen_put(g, BPF_ST_MEM(BPF_W, R10, at,
                                  i ? 0 : (int32_t)gen_below(g, gen_chance(g, 90) ? 6 : 5000)));
        }
    }
    gen_put(g, BPF_MOV64_REG(2, R10));
    gen_put(g, BPF_ALU64_IMM(BPF_ADD, 2, off));
    gen_put_imm64(g, 1, FUZZ_SRC_MAP, map);
}

static void item_change_map(struct gen *g)
{
    unsigned map = gen_below(g, FUZZ_MAPS);
    bool update = gen_chance(g, 70);

    if (g->no_calls || !arguments_free(g) || g->extent < 16)
        return;
    put_map_and_key(g, map);
    if (update) {
        g->regs.r[1].kind = g->regs.r[2].kind = GEN_UNDEF;
        put_memory_arg(g, 3, (int32_t)fuzz_specs[map].value_size);
        gen_put(g, BPF_MOV64_IMM(4, (int32_t)gen_below(g, 4)));
    }
    gen_put(g, BPF_EMIT_CALL(update ? 2 : 3));
    after_call(g);
}

/* What is done with an element where there is one. */
static void item_lookup(struct gen *g, unsigned depth)
{
    unsigned map = gen_below(g, FUZZ_MAPS), saved;
    struct gen_regs before;
    struct gen_block *block;

    if (!arguments_free(g) || g->extent < 16)
        return;
    put_map_and_key(g, map);
    gen_put(g, BPF_EMIT_CALL(1));
    after_call(g);
    g->regs.r[0].kind = GEN_UNDEF;
    before = g->regs;
    block = open_block(g);
    gen_put(g, BPF_JMP_IMM(BPF_JEQ, 0, 0, 0));
    leave_block(g, block, g->prog->cnt - 1);
    gen_set_ptr(g, 0, 0, (int32_t)fuzz_specs[map].value_size, 0);
    g->regs.r[0].element = true;
    g->no_calls++;
    for (unsigned i = gen_below(g, 4); i < 4; i++)
        gen_access(g, 0);
    saved = gen_free(g, 6, 9);
    if (saved < 11 && g->regs.r[0].kind == GEN_PTR && gen_chance(g, 50)) {
        gen_put(g, BPF_MOV64_REG(saved, 0));
        g->regs.r[saved] = g->regs.r[0];
    }
    gen_body(g, depth + 1, gen_below(g, 4));
    g->no_calls--;
    close_block(g, &before);
}

/* ---- functions ------------------------------------------------------------------------------- */

static void gen_body(struct gen *g, unsigned depth, unsigned items)
{
    for (unsigned i = 0; i < items && !g->dead; i++) {
        unsigned kind = gen_below(g, 100);

        if (g->prog->cnt + 500 > g->limit || g->functions[g->function].cost > MAX_COST)
            return;
        if (kind < 8 && depth < 4)
            item_if(g, depth);
        else if (kind < 12 && depth < 4)
            item_loop(g, depth);
        else if (kind < 15)
            item_call(g);
        else if (kind < 18)
            item_helper(g);
        else if (kind < 19)
            item_change_map(g);
        else if (kind < 21 && depth < 4)
            item_lookup(g, depth);
        else if (kind < 22 && depth)
            item_break(g);
        else
            gen_item(g);
    }
}

static void choose_signature(struct gen *g, struct gen_function *fn)
{
    fn->args = gen_chance(g, 30) ? 0 : 1 + gen_below(g, 5);
    for (unsigned i = 0; i < fn->args; i++)
        fn->arg_ptr[i] = gen_chance(g, 25);
}

/* Registers as a caller leaves them, and a frame of a size that is chosen here. */
static void begin_function(struct gen *g)
{
    const struct gen_function *fn = &g->functions[g->function];
    static const int32_t extents[] = {0, 8, 16, 32, 64, 128, 256, 480};

    memset(&g->regs, 0, sizeof(g->regs));
    if (g->function == 0)
        gen_set_ptr(g, 1, 0, (int32_t)FUZZ_CTX, 0);
    for (unsigned i = 0; g->function && i < fn->args; i++) {
        if (fn->arg_ptr[i])
            gen_set_ptr(g, i + 1, 0, 16, 0);
        else
            gen_set_num(g, i + 1);
    }
    g->extent = extents[gen_below(g, gen_chance(g, 80) ? 6 : 8)];
    g->slots = gen_chance(g, 60) ? gen_below(g, GEN_SLOTS + 1) : 0;
    for (int32_t at = -8; at >= -g->extent; at -= 8) {
        if (gen_chance(g, 40))
            gen_put(g, BPF_STX_MEM(BPF_DW, R10, gen_num(g), (int16_t)at));
        else
            gen_put(g, BPF_ST_MEM(BPF_DW, R10, (int16_t)at, (int32_t)fuzz_value(&g->rnd)));
    }
    if (g->extent)
        gen_set_ptr(g, R10, -g->extent, 0, 0);
}

/* Every number that is left gets into the result, and some or all of the frame. */
static void end_function(struct gen *g)
{
    unsigned result = g->regs.r[0].kind == GEN_NUM ? 0 : gen_num(g);
    int32_t step = gen_chance(g, 60) ? g->extent / 3 / 8 * 8 + 8 : 8;

    if (result)
        gen_put(g, BPF_MOV64_REG(0, result));
    g->regs.r[0].keep = true;
    for (unsigned i = 1; i < 10; i++) {
        if (g->regs.r[i].kind != GEN_NUM)
            continue;
        gen_put(g, BPF_ALU64_IMM(BPF_MUL, 0, 31));
        gen_put(g, BPF_ALU64_REG(gen_chance(g, 50) ? BPF_ADD : BPF_XOR, 0, i));
    }
    for (int32_t at = -g->extent; at < 0; at += step) {
        gen_put(g, BPF_LDX_MEM(BPF_DW, 1, R10, (int16_t)at));
        gen_put(g, BPF_ALU64_IMM(BPF_MUL, 0, 31));
        gen_put(g, BPF_ALU64_REG(BPF_ADD, 0, 1));
    }
    gen_put(g, BPF_EXIT_INSN());
}

static void make_function(struct gen *g, unsigned number, unsigned items)
{
    struct gen_function *fn = &g->functions[number];

    g->function = number;
    g->weight = 1;
    g->no_calls = g->block_cnt = 0;
    g->dead = false;
    g->limit = g->prog->cnt + MAX_SLOTS;
    fn->start = g->prog->cnt;
    fn->cost = 0;
    choose_signature(g, fn);
    begin_function(g);
    gen_body(g, 0, items);
    /* a block always leaves something open at its end, but for what a function ends with */
    if (g->dead) {
        g->dead = false;
        memset(&g->regs, 0, sizeof(g->regs));
        g->extent = 0;
    }
    end_function(g);
    fn->end = g->prog->cnt;
}

/* Code that nobody calls would belong to the function before it. */
static void find_used(const struct gen *g, bool *used)
{
    used[0] = true;
    for (unsigned f = 0; f < g->function_cnt; f++) {
        for (uint32_t i = g->functions[f].start; used[f] && i < g->functions[f].end; i++) {
            if (fuzz_is_imm64(&g->prog->insns[i]))
                i++;
            else if (fuzz_is_call(&g->prog->insns[i]))
                used[g->prog->insns[i].imm] = true;
        }
    }
}

/* The main function is made last, and comes first; the others in any order. */
static void place_functions(struct gen *g)
{
    static struct bpf_insn made[FUZZ_MAX_INSNS];
    uint32_t start[GEN_FUNCTIONS] = {0}, at = 0;
    bool used[GEN_FUNCTIONS] = {false};
    unsigned first = gen_below(g, g->function_cnt);

    find_used(g, used);
    memcpy(made, g->prog->insns, g->prog->cnt * sizeof(made[0]));
    for (unsigned i = 0; i < g->function_cnt; i++) {
        unsigned f = i == 0 ? 0 : 1 + (first + i) % (g->function_cnt - 1);
        uint32_t cnt = used[f] ? g->functions[f].end - g->functions[f].start : 0;

        start[f] = at;
        memcpy(g->prog->insns + at, made + g->functions[f].start, cnt * sizeof(made[0]));
        at += cnt;
    }
    g->prog->cnt = at;
    for (uint32_t i = 0; i < at; i++) {
        struct bpf_insn *insn = &g->prog->insns[i];

        if (fuzz_is_imm64(insn))
            i++;
        else if (fuzz_is_call(insn))
            fuzz_set_target(insn, i, start[insn->imm]);
    }
}

void fuzz_generate(struct fuzz_prog *prog, uint64_t seed)
{
    static struct gen gen;
    struct gen *g = &gen;
    unsigned most;

    memset(g, 0, sizeof(*g));
    fuzz_seed(&g->rnd, seed);
    prog->cnt = 0;
    prog->seed = seed;
    g->prog = prog;
    g->function_cnt = gen_chance(g, 50)   ? 1
                      : gen_chance(g, 90) ? 1 + gen_below(g, 4)
                                          : GEN_FUNCTIONS;
    g->pads = gen_below(g, 100) == 0;
    most = g->pads ? 40 : gen_chance(g, 5) ? 120 : 25;
    for (unsigned f = g->function_cnt; f-- > 0;)
        make_function(g, f, 2 + gen_below(g, f ? most / 2 : most));
    place_functions(g);
}
