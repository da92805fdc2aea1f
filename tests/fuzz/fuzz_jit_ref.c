/* SPDX-License-Identifier: MIT */
/*
 * A third engine, slow and suspicious, for two purposes: it knows of every register and byte of
 * stack whether it is undefined, a number, or an address that differs between runs, and refuses
 * whatever could make two correct engines differ, or leave memory; and what it computes, the
 * interpreter must, too.
 */
#include "tests/fuzz/fuzz_jit.h"

#include "helpers/helper.h"
#include "maps/map.h"

enum kind { UNDEF, NUM, ADDR };

struct frame {
    uint64_t regs[5]; /* r6 to r10 of the caller */
    uint8_t kinds[5];
    uint32_t ret;
};

#define VALUES 64

static struct {
    const struct ebpf_code *code;
    uint64_t reg[11];
    uint8_t kind[11];
    unsigned depth;
    struct frame frames[EBPF_MAX_FRAMES];
    struct {
        uint8_t *at;
        uint32_t size;
        bool hash;
    } values[VALUES]; /* that lookups gave */
    unsigned value_cnt;
    const char *why;
} m;

#define STACK (EBPF_MAX_FRAMES * EBPF_FRAME_SIZE)
static uint8_t stack[STACK] __attribute__((aligned(16)));
static uint8_t shadow[STACK];

static bool wrong(const char *why)
{
    if (!m.why)
        m.why = why;
    return false;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool inside(uint64_t addr, size_t size, const void *start, size_t room)
{
    uint64_t first = (uintptr_t)start;

    return addr >= first && addr - first <= room && size <= room - (addr - first);
}

/* Where addr's bytes have their kinds; NULL: not on the stack. */
static uint8_t *shadow_of(uint64_t addr)
{
    return inside(addr, 1, stack, STACK) ? shadow + (addr - (uintptr_t)stack) : NULL;
}

static bool may_access(uint64_t addr, size_t size)
{
    uint64_t value;

    if (inside(addr, size, fuzz_buffer, FUZZ_BUFFER) || inside(addr, size, fuzz_ctx, FUZZ_CTX))
        return true;
    if (inside(addr, size, stack, STACK)) {
        size_t at = addr - (uintptr_t)stack;

        if (at / EBPF_FRAME_SIZE == (at + size - 1) / EBPF_FRAME_SIZE &&
            at >= STACK - (m.depth + 1) * EBPF_FRAME_SIZE)
            return true;
        return wrong("access of a frame that is not there");
    }
    for (unsigned i = 0; i < m.value_cnt; i++) {
        if (inside(addr, size, m.values[i].at, m.values[i].size))
            return true;
    }
    if (!fuzz_maps[FUZZ_GLOBAL]->ops->value_addr(fuzz_maps[FUZZ_GLOBAL], 0, &value) &&
        inside(addr, size, (void *)(uintptr_t)value, FUZZ_GLOBAL_SIZE))
        return true;
    return wrong("access outside");
}

/* The kind of the bytes, UNDEF where any is or they are mixed. */
static enum kind kind_at(uint64_t addr, size_t size)
{
    const uint8_t *kinds = shadow_of(addr);

    if (!kinds)
        return NUM;
    for (size_t i = 1; i < size; i++) {
        if (kinds[i] != kinds[0])
            return UNDEF;
    }
    return kinds[0] == ADDR && (size != 8 || addr % 8) ? UNDEF : kinds[0];
}

static bool reads_numbers(uint64_t addr, size_t size)
{
    if (!may_access(addr, size))
        return false;
    return kind_at(addr, size) == NUM || wrong("a helper reads what is no number");
}

static bool set_kind(uint64_t addr, size_t size, enum kind kind)
{
    uint8_t *kinds = shadow_of(addr);

    if (kind == UNDEF)
        return wrong("an undefined register is stored");
    if (kind == ADDR && (!kinds || size != 8 || addr % 8))
        return wrong("an address gets out");
    if (kinds)
        memset(kinds, kind, size);
    return true;
}

static uint64_t read_mem(uint64_t addr, unsigned size, bool sign)
{
    uint64_t value = 0;

    memcpy(&value, (const void *)(uintptr_t)addr, size);
    if (sign && size < 8 && value >> (8 * size - 1) & 1)
        value |= UINT64_MAX << 8 * size;
    return value;
}

static unsigned size_of(const struct bpf_insn *insn)
{
    return BPF_SIZE(insn->code) == BPF_B   ? 1
           : BPF_SIZE(insn->code) == BPF_H ? 2
           : BPF_SIZE(insn->code) == BPF_W ? 4
                                           : 8;
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

static int64_t to_signed(uint64_t x, unsigned bits)
{
    return (int64_t)(x << (64 - bits)) >> (64 - bits);
}

static uint64_t divide(uint64_t a, uint64_t b, unsigned bits, bool sign, bool mod)
{
    __int128 x = sign ? (__int128)to_signed(a, bits) : (__int128)a;
    __int128 y = sign ? (__int128)to_signed(b, bits) : (__int128)b;

    if (y == 0)
        return mod ? a : 0;
    return (uint64_t)(mod ? x % y : x / y);
}

static uint64_t reverse(uint64_t x, unsigned bits)
{
    uint64_t out = 0;

    for (unsigned i = 0; i < bits; i += 8)
        out = out << 8 | (x >> i & 0xff);
    return out;
}

static uint64_t arithmetic(const struct bpf_insn *insn, uint64_t a, uint64_t b)
{
    unsigned bits = BPF_CLASS(insn->code) == BPF_ALU64 ? 64 : 32;
    uint64_t mask = bits == 64 ? UINT64_MAX : UINT32_MAX, result = 0;

    if (BPF_OP(insn->code) == BPF_END) {
        if (bits == 64 || BPF_SRC(insn->code) == BPF_TO_BE)
            return reverse(a, (unsigned)insn->imm);
        return insn->imm == 64 ? a : a & (((uint64_t)1 << insn->imm) - 1);
    }
    a &= mask;
    b &= mask;
    switch (BPF_OP(insn->code)) {
    case BPF_ADD:
        result = a + b;
        break;
    case BPF_SUB:
        result = a + ~b + 1;
        break;
    case BPF_MUL:
        result = (uint64_t)((unsigned __int128)a * b);
        break;
    case BPF_OR:
        result = ~(~a & ~b);
        break;
    case BPF_AND:
        result = a & b;
        break;
    case BPF_XOR:
        result = (a | b) - (a & b);
        break;
    case BPF_LSH:
        result = a << b % bits;
        break;
    case BPF_RSH:
        result = a >> b % bits;
        break;
    case BPF_ARSH:
        result = (uint64_t)(to_signed(a, bits) >> b % bits);
        break;
    case BPF_NEG:
        result = ~a + 1;
        break;
    case BPF_MOV:
        result = insn->off ? (uint64_t)to_signed(b, (unsigned)insn->off) : b;
        break;
    default:
        result = divide(a, b, bits, insn->off == 1, BPF_OP(insn->code) == BPF_MOD);
    }
    return result & mask;
}

static enum kind kind_of_sum(unsigned op, enum kind a, enum kind b)
{
    if (op == BPF_ADD && a + b == NUM + ADDR)
        return ADDR;
    return op == BPF_SUB && a == ADDR && b == NUM ? ADDR : UNDEF;
}

static bool step_alu(const struct bpf_insn *insn)
{
    unsigned op = BPF_OP(insn->code), dst = insn->dst_reg;
    bool unary = op == BPF_NEG || op == BPF_END, by_reg = !unary && BPF_SRC(insn->code) == BPF_X;
    enum kind b_kind = by_reg ? (enum kind)m.kind[insn->src_reg] : NUM;
    enum kind a_kind = op == BPF_MOV ? NUM : (enum kind)m.kind[dst];
    uint64_t b = by_reg ? m.reg[insn->src_reg] : (uint64_t)(int64_t)insn->imm;

    if (a_kind == UNDEF || b_kind == UNDEF)
        return wrong("arithmetic on an undefined register");
    if (a_kind == ADDR || b_kind == ADDR) {
        bool wide = BPF_CLASS(insn->code) == BPF_ALU64;
        enum kind kind = op == BPF_MOV && !insn->off ? ADDR : kind_of_sum(op, a_kind, b_kind);

        if (!wide || kind == UNDEF)
            return wrong("arithmetic on an address");
        m.kind[dst] = (uint8_t)kind;
    } else {
        m.kind[dst] = NUM;
    }
    m.reg[dst] = arithmetic(insn, m.reg[dst], b);
    return true;
}

/* ---- loads and stores ------------------------------------------------------------------------ */

static bool step_load(const struct bpf_insn *insn)
{
    uint64_t addr = m.reg[insn->src_reg] + (uint64_t)(int64_t)insn->off;
    unsigned size = size_of(insn);
    enum kind kind;

    if (m.kind[insn->src_reg] == UNDEF)
        return wrong("load by an undefined register");
    if (!may_access(addr, size))
        return false;
    kind = kind_at(addr, size);
    if (kind == UNDEF)
        return wrong("load of undefined memory");
    m.reg[insn->dst_reg] = read_mem(addr, size, BPF_MODE(insn->code) == BPF_MEMSX);
    m.kind[insn->dst_reg] = (uint8_t)kind;
    return true;
}

static uint64_t combine(int32_t op, uint64_t old, uint64_t src)
{
    switch (op & ~BPF_FETCH) {
    case BPF_ADD:
        return old + src;
    case BPF_AND:
        return old & src;
    case BPF_OR:
        return old | src;
    case BPF_XOR:
        return old ^ src;
    default:
        return src;
    }
}

static bool step_atomic(const struct bpf_insn *insn)
{
    bool acquire = insn->imm == BPF_LOAD_ACQ;
    unsigned base = acquire ? insn->src_reg : insn->dst_reg, size = size_of(insn);
    uint64_t addr = m.reg[base] + (uint64_t)(int64_t)insn->off, src = m.reg[insn->src_reg], old,
             value;

    if (m.kind[base] == UNDEF || m.kind[insn->src_reg] == UNDEF ||
        (!acquire && m.kind[insn->src_reg] != NUM))
        return wrong("atomic operation on what is no number");
    if (addr % size)
        return wrong("atomic operation on a misaligned address");
    if (!may_access(addr, size))
        return false;
    if (insn->imm == BPF_STORE_REL) {
        memcpy((void *)(uintptr_t)addr, &src, size);
        return set_kind(addr, size, NUM);
    }
    if (kind_at(addr, size) != NUM)
        return wrong("atomic operation on what is no number");
    old = read_mem(addr, size, false);
    if (acquire) {
        m.reg[insn->dst_reg] = old;
        m.kind[insn->dst_reg] = NUM;
        return true;
    }
    if (insn->imm == BPF_CMPXCHG) {
        uint64_t mask = size == 8 ? UINT64_MAX : UINT32_MAX;

        if (m.kind[0] != NUM)
            return wrong("r0 of an exchange is no number");
        value = (m.reg[0] & mask) == old ? src : old;
        m.reg[0] = old;
    } else {
        value = combine(insn->imm, old, src);
        if (insn->imm & BPF_FETCH)
            m.reg[insn->src_reg] = old;
    }
    memcpy((void *)(uintptr_t)addr, &value, size);
    return true;
}

static bool step_store(const struct bpf_insn *insn)
{
    bool imm = BPF_CLASS(insn->code) == BPF_ST;
    uint64_t addr = m.reg[insn->dst_reg] + (uint64_t)(int64_t)insn->off;
    uint64_t value = imm ? (uint64_t)(int64_t)insn->imm : m.reg[insn->src_reg];
    unsigned size = size_of(insn);

    if (!imm && BPF_MODE(insn->code) == BPF_ATOMIC)
        return step_atomic(insn);
    if (m.kind[insn->dst_reg] == UNDEF)
        return wrong("store by an undefined register");
    if (!may_access(addr, size) ||
        !set_kind(addr, size, imm ? NUM : (enum kind)m.kind[insn->src_reg]))
        return false;
    memcpy((void *)(uintptr_t)addr, &value, size);
    return true;
}

/* ---- jumps and calls ------------------------------------------------------------------------- */

static bool compare(const struct bpf_insn *insn, uint64_t a, uint64_t b)
{
    unsigned bits = BPF_CLASS(insn->code) == BPF_JMP ? 64 : 32;
    int64_t sa = to_signed(a, bits), sb = to_signed(b, bits);

    a &= UINT64_MAX >> (64 - bits);
    b &= UINT64_MAX >> (64 - bits);
    switch (BPF_OP(insn->code)) {
    case BPF_JEQ:
        return !(a ^ b);
    case BPF_JNE:
        return a ^ b;
    case BPF_JSET:
        return a & b;
    case BPF_JGT:
        return b < a;
    case BPF_JGE:
        return !(a < b);
    case BPF_JLT:
        return a < b;
    case BPF_JLE:
        return !(b < a);
    case BPF_JSGT:
        return sb < sa;
    case BPF_JSGE:
        return !(sa < sb);
    case BPF_JSLT:
        return sa < sb;
    default:
        return !(sb < sa);
    }
}

static struct ebpf_map *map_of(uint64_t reg)
{
    for (unsigned i = 0; i < FUZZ_MAPS; i++) {
        if (reg == (uintptr_t)fuzz_maps[i])
            return fuzz_maps[i];
    }
    return NULL;
}

/* Values of hash maps go when elements do. */
static void forget_values(void)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < m.value_cnt; i++) {
        if (!m.values[i].hash)
            m.values[kept++] = m.values[i];
    }
    m.value_cnt = kept;
}

static bool check_arg(const struct ebpf_helper *helper, unsigned i)
{
    uint64_t reg = m.reg[i + 1];
    struct ebpf_map *map = map_of(m.reg[1]);

    if (helper->arg[i] == ARG_NONE)
        return true;
    if (m.kind[i + 1] == UNDEF)
        return wrong("undefined argument");
    switch (helper->arg[i]) {
    case ARG_MAP:
        return map || wrong("no map");
    case ARG_MAP_KEY:
        return reads_numbers(reg, map->key_size);
    case ARG_MAP_VALUE:
        return reads_numbers(reg, map->value_size);
    case ARG_MEM_WR:
        return m.reg[i + 2] <= EBPF_FRAME_SIZE && may_access(reg, m.reg[i + 2]) ? true
                                                                                : wrong("size");
    case ARG_ANYTHING:
        if (helper->arg[0] == ARG_MEM_WR) /* probe_read's source */
            return reads_numbers(reg, m.reg[2]);
        __attribute__((fallthrough));
    default:
        return m.kind[i + 1] == NUM || wrong("argument is no number");
    }
}

static bool step_helper(const struct bpf_insn *insn)
{
    const struct ebpf_helper *helper = ebpf_helper_find((uint32_t)insn->imm);
    struct ebpf_map *map;

    for (unsigned i = 0; i < 5; i++) {
        if (!check_arg(helper, i))
            return false;
    }
    if (helper->arg[0] == ARG_MEM_WR && m.reg[2] && !set_kind(m.reg[1], m.reg[2], NUM))
        return false;
    map = helper->arg[0] == ARG_MAP ? map_of(m.reg[1]) : NULL;
    m.reg[0] = helper->fn(m.reg[1], m.reg[2], m.reg[3], m.reg[4], m.reg[5]);
    m.kind[0] = NUM;
    memset(m.kind + 1, UNDEF, 5);
    if (helper->ret == RET_MAP_VALUE_OR_NULL && m.reg[0]) {
        if (m.value_cnt == VALUES)
            m.value_cnt = 0;
        m.kind[0] = ADDR;
        m.values[m.value_cnt].at = (uint8_t *)(uintptr_t)m.reg[0];
        m.values[m.value_cnt].hash = map->type == BPF_MAP_TYPE_HASH;
        m.values[m.value_cnt++].size = map->value_size;
    } else if (map && helper->ret == RET_SCALAR) {
        forget_values();
    }
    return true;
}

static void set_frame(void)
{
    size_t top = STACK - m.depth * EBPF_FRAME_SIZE;

    m.reg[10] = (uintptr_t)stack + top;
    m.kind[10] = ADDR;
    memset(shadow + top - EBPF_FRAME_SIZE, UNDEF, EBPF_FRAME_SIZE);
}

static void enter(uint32_t ret)
{
    struct frame *frame = &m.frames[m.depth++];

    memcpy(frame->regs, m.reg + 6, sizeof(frame->regs));
    memcpy(frame->kinds, m.kind + 6, sizeof(frame->kinds));
    frame->ret = ret;
    memset(m.kind + 6, UNDEF, 4);
    m.kind[0] = UNDEF;
    set_frame();
}

static uint32_t leave(void)
{
    const struct frame *frame = &m.frames[--m.depth];

    memcpy(m.reg + 6, frame->regs, sizeof(frame->regs));
    memcpy(m.kind + 6, frame->kinds, sizeof(frame->kinds));
    memset(m.kind + 1, UNDEF, 5);
    return frame->ret;
}

#define END UINT32_MAX

static bool taken(const struct bpf_insn *insn)
{
    bool by_reg = BPF_SRC(insn->code) == BPF_X,
         null = BPF_OP(insn->code) == BPF_JEQ || BPF_OP(insn->code) == BPF_JNE;
    uint64_t b = by_reg ? m.reg[insn->src_reg] : (uint64_t)(int64_t)insn->imm;

    if (BPF_OP(insn->code) == BPF_JA)
        return true;
    if (BPF_OP(insn->code) == BPF_JCOND) /* no program comes near the limit */
        return false;
    null = null && !by_reg && !insn->imm && BPF_CLASS(insn->code) == BPF_JMP;
    if ((m.kind[insn->dst_reg] != NUM && !(null && m.kind[insn->dst_reg] == ADDR)) ||
        (by_reg && m.kind[insn->src_reg] != NUM))
        return wrong("condition on what is no number");
    return compare(insn, m.reg[insn->dst_reg], b);
}

/* The next slot. */
static uint32_t step_jump(const struct bpf_insn *insn, uint32_t at)
{
    if (insn->code == (BPF_JMP | BPF_EXIT)) {
        if (m.kind[0] != NUM)
            wrong("the result is no number");
        return m.depth ? leave() : END;
    }
    if (BPF_OP(insn->code) == BPF_CALL && !fuzz_is_call(insn)) {
        step_helper(insn);
        return at + 1;
    }
    if (fuzz_is_call(insn)) {
        if (m.depth + 1 == EBPF_MAX_FRAMES) {
            wrong("too deep");
            return END;
        }
        enter(at + 1);
        return (uint32_t)fuzz_target(insn, at);
    }
    return taken(insn) ? (uint32_t)fuzz_target(insn, at) : at + 1;
}

static uint32_t step(uint32_t at)
{
    const struct bpf_insn *insn = &m.code->insns[at];

    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        m.reg[insn->dst_reg] = ebpf_insn_imm64(insn);
        m.kind[insn->dst_reg] = insn->src_reg ? ADDR : NUM;
        return at + 2;
    case BPF_LDX:
        step_load(insn);
        return at + 1;
    case BPF_ST:
    case BPF_STX:
        step_store(insn);
        return at + 1;
    case BPF_ALU:
    case BPF_ALU64:
        step_alu(insn);
        return at + 1;
    default:
        return step_jump(insn, at);
    }
}

const char *fuzz_ref(const struct ebpf_code *code, uint64_t *r0, uint32_t max_steps)
{
    static char why[100];

    memset(&m, 0, sizeof(m));
    m.code = code;
    set_frame();
    m.reg[1] = (uintptr_t)fuzz_ctx;
    m.kind[1] = ADDR;
    for (uint32_t at = 0, next; at != END && !m.why; at = next) {
        if (!max_steps--)
            return "it does not end";
        next = step(at);
        if (m.why)
            snprintf(why, sizeof(why), "slot %u: %s", (unsigned)at, m.why);
    }
    *r0 = m.reg[0];
    return m.why ? why : NULL;
}
