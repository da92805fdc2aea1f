/* SPDX-License-Identifier: MIT */
/*
 * Instructions as text, the way Linux's disassembler writes them (kernel/bpf/disasm.c), which is
 * what users know from logs. Each form of instruction has a template; add_part() says what its %
 * letters stand for:
 *
 *     "%D %o %S"        r1 += r2, w1 += w2         "*%m = %s"       *(u32 *)(r10 -8) = r1
 *     "%d = *%l"        r1 = *(u8 *)(r2 +4)        "if %D %o %x goto %j"
 *
 * Context A, pure.
 */
#include "helpers/helper.h"
#include "src/base/fmt.h"
#include "src/verifier/access.h"
#include "src/verifier/engine.h"

static const char operators[16][5] = {"+=",  "-=", "*=", "/=", "|=",   "&=",  "<<=", ">>=",
                                      "neg", "%=", "^=", "=",  "s>>=", "end", "?",   "?"};
static const char comparisons[16][4] = {
    "?", "==", ">", ">=", "&", "!=", "s>", "s>=", "?", "?", "<", "<=", "s<", "s<=", "?", "?"};

const char *ebpf_insn_operator(uint8_t code)
{
    return operators[code >> 4];
}

/* ---- parts ----------------------------------------------------------------------------------- */

struct text {
    char *out;
    size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (t->len < t->size)
        t->len += (size_t)ebpf_vformat(t->out + t->len, t->size - t->len, format, args);
    va_end(args);
}

/* "%+d" */
static void add_offset(struct text *t, int64_t off)
{
    add(t, "%c%u", off < 0 ? '-' : '+', (unsigned)(off < 0 ? -off : off));
}

static void add_size(struct text *t, const struct bpf_insn *insn)
{
    bool sign = BPF_CLASS(insn->code) == BPF_LDX && BPF_MODE(insn->code) == BPF_MEMSX;

    add(t, "(%c%u *)", sign ? 's' : 'u', 8 * ebpf_verify_access_size(insn));
}

static void add_operator(struct text *t, const struct bpf_insn *insn)
{
    unsigned cls = BPF_CLASS(insn->code), op = insn->code >> 4;

    if (cls == BPF_STX) /* of an atomic operation */
        op = (insn->imm & 0xf0) >> 4;
    add(t, "%s", cls == BPF_JMP || cls == BPF_JMP32 ? comparisons[op] : operators[op]);
}

static void add_atomic(struct text *t, int32_t imm)
{
    unsigned op = imm & 0xf0;

    add(t, "%s", op == BPF_ADD ? "add" : op == BPF_AND ? "and" : op == BPF_OR ? "or" : "xor");
}

static void add_helper(struct text *t, int32_t id)
{
    const char *name = ebpf_helper_name((uint32_t)id);

    add(t, "%s%s#%d", name ? "bpf_" : "", name ? name : "unknown", id);
}

static void add_part(struct text *t, char part, const struct bpf_insn *insn)
{
    unsigned cls = BPF_CLASS(insn->code);
    bool narrow = cls == BPF_ALU || cls == BPF_JMP32;

    switch (part) {
    case 'd': /* the registers */
    case 's':
        add(t, "r%u", part == 'd' ? insn->dst_reg : insn->src_reg);
        break;
    case 'D': /* the same, as wide as the operation is */
    case 'S':
        add(t, "%c%u", narrow ? 'w' : 'r', part == 'D' ? insn->dst_reg : insn->src_reg);
        break;
    case 'm': /* memory at dst, at src */
    case 'l':
        add_size(t, insn);
        add(t, "(r%u ", part == 'm' ? insn->dst_reg : insn->src_reg);
        add_offset(t, insn->off);
        add(t, ")");
        break;
    case 'z':
        add_size(t, insn);
        break;
    case 'o':
        add_operator(t, insn);
        break;
    case 'a':
        add_atomic(t, insn->imm);
        break;
    case 'w': /* the width of an atomic operation */
        add(t, "%s", BPF_SIZE(insn->code) == BPF_DW ? "64" : "");
        break;
    case 'h':
        add_helper(t, insn->imm);
        break;
    case 'j': /* where a jump goes */
        add(t, "pc");
        add_offset(t, ebpf_verify_target(insn, 0) - 1);
        break;
    case 'i':
        add(t, "%d", insn->imm);
        break;
    case 'x':
        add(t, "0x%x", (unsigned)insn->imm);
        break;
    case 'q': /* of LD_IMM64 */
        add(t, "0x%llx", (unsigned long long)ebpf_insn_imm64(insn));
        break;
    default: /* 'f': the width of a sign-extending move */
        add(t, "%d", insn->off);
    }
}

/* ---- templates ------------------------------------------------------------------------------- */

static const char *of_alu(const struct bpf_insn *insn)
{
    unsigned op = BPF_OP(insn->code);
    bool wide = BPF_CLASS(insn->code) == BPF_ALU64, by_reg = BPF_SRC(insn->code) == BPF_X;

    if (op == BPF_END)
        return wide ? "%d = bswap%i %d" : by_reg ? "%d = be%i %d" : "%d = le%i %d";
    if (op == BPF_NEG)
        return "%D = -%D";
    if ((op == BPF_DIV || op == BPF_MOD) && insn->off)
        return by_reg ? "%D s%o %S" : "%D s%o %i";
    if (op == BPF_MOV && by_reg && insn->off)
        return "%D = (s%f)%S";
    return by_reg ? "%D %o %S" : "%D %o %i";
}

static const char *of_atomic(const struct bpf_insn *insn)
{
    switch (insn->imm) {
    case BPF_CMPXCHG:
        return "r0 = atomic%w_cmpxchg(%m, r0, %s)";
    case BPF_XCHG:
        return "%s = atomic%w_xchg(%m, %s)";
    case BPF_LOAD_ACQ:
        return "%d = load_acquire(%l)";
    case BPF_STORE_REL:
        return "store_release(%m, %s)";
    default:
        return insn->imm & BPF_FETCH ? "%s = atomic%w_fetch_%a(%m, %s)" : "lock *%m %o %s";
    }
}

static const char *of_load(const struct bpf_insn *insn)
{
    if (BPF_CLASS(insn->code) == BPF_LDX)
        return "%d = *%l";
    if (BPF_MODE(insn->code) == BPF_ABS)
        return "r0 = *%zskb[%i]";
    return BPF_MODE(insn->code) == BPF_IND ? "r0 = *%zskb[%s + %i]" : "%d = %q";
}

static const char *of_store(const struct bpf_insn *insn)
{
    if (BPF_CLASS(insn->code) == BPF_ST)
        return "*%m = %i";
    return BPF_MODE(insn->code) == BPF_ATOMIC ? of_atomic(insn) : "*%m = %s";
}

static const char *of_jump(const struct bpf_insn *insn)
{
    switch (BPF_OP(insn->code)) {
    case BPF_CALL:
        return insn->src_reg ? "call %j" : "call %h";
    case BPF_EXIT:
        return "exit";
    case BPF_JA:
        return BPF_CLASS(insn->code) == BPF_JMP32 ? "gotol %j" : "goto %j";
    case BPF_JCOND:
        return "may_goto %j";
    default:
        return BPF_SRC(insn->code) == BPF_X ? "if %D %o %S goto %j" : "if %D %o %x goto %j";
    }
}

void ebpf_insn_text(char *out, size_t size, const struct bpf_insn *insn)
{
    static const char *(*const classes[8])(const struct bpf_insn *insn) = {
        [BPF_LD] = of_load, [BPF_LDX] = of_load,  [BPF_ST] = of_store, [BPF_STX] = of_store,
        [BPF_ALU] = of_alu, [BPF_ALU64] = of_alu, [BPF_JMP] = of_jump, [BPF_JMP32] = of_jump};
    struct text t = {.out = out, .size = size};

    add(&t, "(%02x) ", insn->code);
    for (const char *c = classes[BPF_CLASS(insn->code)](insn); *c; c++) {
        if (*c == '%')
            add_part(&t, *++c, insn);
        else
            add(&t, "%c", *c);
    }
}
