/* SPDX-License-Identifier: MIT */
/*
 * The structural check: whatever bytes come, what passes can be run by the interpreter and the JIT
 * without either leaving its tables: known opcodes, registers and reserved fields as RFC 9669 has
 * them, every jump to an instruction of the same function, every call to a function or an existing
 * helper, no way off the end, at most EBPF_MAX_FRAMES frames and no recursion (frames.c), no access
 * through r10 outside the frame. It says nothing about other memory accesses or about termination:
 * that is the verifier's work.
 *
 * All passes are linear in the number of instructions.
 */
#include "helpers/helper.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/fmt.h"
#include "src/core/load_log.h"
#include "src/core/prog.h"

/* Marks of an instruction slot. */
#define SECOND_HALF 1u /* of an LD_IMM64 */
#define ENTRY 2u       /* of a function */

struct check {
    struct ebpf_code *code;
    const struct ebpf_prog_type *type; /* NULL: see prog.h */
    bool gpl;
    uint32_t caps;
    uint8_t *marks; /* [insn_cnt] */
};

int ebpf_code_vreject(const struct ebpf_code *code, int err, const char *format, va_list args)
{
    char line[EBPF_CONFIG_LOG_LINE];

    ebpf_load_vlogf(code->log, format, args);
    ebpf_load_logf(code->log, "\n");
    if (code->log && code->log->buf)
        return err;
    ebpf_vformat(line, sizeof(line), format, args);
    ebpf_os_console(line);
    return err;
}

int ebpf_code_reject(const struct ebpf_code *code, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    ebpf_code_vreject(code, err, format, args);
    va_end(args);
    return err;
}

static int bad(const struct check *check, const struct bpf_insn *insn, const char *why)
{
    return ebpf_code_reject(check->code, -EINVAL, "insn %u (code 0x%02x): %s",
                            (unsigned)(insn - check->code->insns), insn->code, why);
}

/*
 * The same for what is wrong only where the instruction is reached: Linux refuses it while it
 * follows the program, so that dead code may hold it. Where a verifier comes next it is left to
 * that, which takes dead code out.
 */
static int bad_where_reached(const struct check *check, const struct bpf_insn *insn,
                             const char *why)
{
    if (!check->code->verifier_next)
        return bad(check, insn, why);
    check->code->deferred = true;
    return 0;
}

/* ---- one instruction ------------------------------------------------------------------------- */

static int check_end(const struct check *check, const struct bpf_insn *insn)
{
    if (BPF_CLASS(insn->code) == BPF_ALU64 && BPF_SRC(insn->code) != BPF_TO_LE)
        return bad(check, insn, "unknown opcode");
    if (insn->src_reg || insn->off || (insn->imm != 16 && insn->imm != 32 && insn->imm != 64))
        return bad(check, insn, "BPF_END uses reserved fields");
    return 0;
}

static bool mov_off_ok(const struct bpf_insn *insn)
{
    switch (insn->off) {
    case 0:
        return true;
    case 8:
    case 16:
        return BPF_SRC(insn->code) == BPF_X;
    case 32:
        return BPF_SRC(insn->code) == BPF_X && BPF_CLASS(insn->code) == BPF_ALU64;
    default:
        return false;
    }
}

static bool alu_off_ok(const struct bpf_insn *insn)
{
    switch (BPF_OP(insn->code)) {
    case BPF_MOV:
        return mov_off_ok(insn);
    case BPF_DIV:
    case BPF_MOD:
        return insn->off == 0 || insn->off == 1; /* 1: signed */
    default:
        return insn->off == 0;
    }
}

/* What Linux refuses although the engines could run it (RFC 9669 masks shift amounts). */
static int check_alu_imm(const struct check *check, const struct bpf_insn *insn)
{
    int32_t width = BPF_CLASS(insn->code) == BPF_ALU64 ? 64 : 32;

    switch (BPF_OP(insn->code)) {
    case BPF_DIV:
    case BPF_MOD:
        return insn->imm ? 0 : bad_where_reached(check, insn, "div by zero");
    case BPF_LSH:
    case BPF_RSH:
    case BPF_ARSH:
        return insn->imm >= 0 && insn->imm < width
                   ? 0
                   : bad_where_reached(check, insn, "invalid shift");
    default:
        return 0;
    }
}

/* A register that is written. */
static int check_dst(const struct check *check, const struct bpf_insn *insn, unsigned reg)
{
    if (reg > BPF_REG_10)
        return bad(check, insn, "no such register");
    return reg == BPF_REG_10 ? bad_where_reached(check, insn, "frame pointer is read only") : 0;
}

static int check_alu(const struct check *check, const struct bpf_insn *insn)
{
    bool by_reg = BPF_SRC(insn->code) == BPF_X;
    int err = check_dst(check, insn, insn->dst_reg);

    if (err)
        return err;
    if (BPF_OP(insn->code) == BPF_END)
        return check_end(check, insn);
    if (BPF_OP(insn->code) > BPF_END)
        return bad(check, insn, "unknown opcode");
    if (BPF_OP(insn->code) == BPF_NEG) {
        if (by_reg || insn->src_reg || insn->off || insn->imm)
            return bad(check, insn, "BPF_NEG uses reserved fields");
        return 0;
    }
    if ((by_reg ? insn->imm != 0 : insn->src_reg != 0) || insn->src_reg > BPF_REG_10 ||
        !alu_off_ok(insn))
        return bad(check, insn, "BPF_ALU uses reserved fields");
    return by_reg || !check->type ? 0 : check_alu_imm(check, insn);
}

static bool is_available(const struct ebpf_helper *helper)
{
    return !helper->available || helper->available();
}

/* As on Linux, a missing capability is a helper that the program's type has not got. */
static bool may_use(const struct check *check, const struct ebpf_helper *helper)
{
    return is_available(helper) && (helper->caps & check->caps) == helper->caps &&
           (!helper->types || helper->types >> check->type->id & 1);
}

static const char *why_not(const struct ebpf_helper *helper)
{
    return is_available(helper) ? "" : " (this kernel has not got what it needs)";
}

static int check_helper(const struct check *check, const struct bpf_insn *insn)
{
    const struct ebpf_helper *helper = ebpf_helper_find((uint32_t)insn->imm);
    unsigned at = (unsigned)(insn - check->code->insns);

    if (check->code->verifier_next) { /* it asks all of this where the call is reached */
        check->code->deferred |= !helper;
        return 0;
    }
    if (!helper)
        return ebpf_code_reject(check->code, -EINVAL, "insn %u: invalid func unknown#%d", at,
                                insn->imm);
    if (!check->type)
        return 0;
    if (!may_use(check, helper))
        return ebpf_code_reject(check->code, -EINVAL,
                                "insn %u: program of this type cannot use helper bpf_%s#%d%s", at,
                                helper->name, insn->imm, why_not(helper));
    if (helper->gpl_only && !helper->free_attach && !check->gpl)
        return ebpf_code_reject(
            check->code, -EINVAL,
            "insn %u: cannot call GPL-restricted function from non-GPL compatible program (%s)", at,
            helper->name);
    if (helper->sleeps) /* programs run with interrupts off */
        return ebpf_code_reject(check->code, -EINVAL,
                                "insn %u: helper call might sleep in a non-sleepable prog", at);
    return 0;
}

/* CALL by register: RFC 9669 has it for other platforms, Linux refuses it. Tools take it as the
 * conformance suite does, the helper's number being in dst_reg. */
static int check_callx(const struct check *check, const struct bpf_insn *insn)
{
    if (check->type)
        return bad(check, insn, "unknown opcode");
    if (insn->dst_reg > BPF_REG_9 || insn->src_reg || insn->off || insn->imm)
        return bad(check, insn, "BPF_CALL uses reserved fields");
    return 0;
}

/* The slot that a relative jump or call at insn goes to: gotol and calls count in imm, all others
 * in off. */
static int64_t target_of(const struct check *check, const struct bpf_insn *insn)
{
    bool far = insn->code == (BPF_JMP32 | BPF_JA) || insn->code == (BPF_JMP | BPF_CALL);

    return (insn - check->code->insns) + 1 + (far ? insn->imm : insn->off);
}

static int check_call(const struct check *check, const struct bpf_insn *insn)
{
    int64_t target = target_of(check, insn);

    if (insn->code == (BPF_JMP | BPF_CALL | BPF_X))
        return check_callx(check, insn);
    if (insn->code != (BPF_JMP | BPF_CALL | BPF_K))
        return bad(check, insn, "unknown opcode");
    if (insn->dst_reg || insn->off)
        return bad(check, insn, "BPF_CALL uses reserved fields");
    if (insn->src_reg == 0)
        return check_helper(check, insn);
    if (insn->src_reg != BPF_PSEUDO_CALL)
        return bad(check, insn, "calls of kernel functions are not supported");
    if (target < 0 || target >= check->code->insn_cnt)
        return bad(check, insn, "call out of range");
    check->marks[target] |= ENTRY;
    return 0;
}

static int check_jump(const struct check *check, const struct bpf_insn *insn)
{
    bool wide = BPF_CLASS(insn->code) == BPF_JMP, by_reg = BPF_SRC(insn->code) == BPF_X;

    switch (BPF_OP(insn->code)) {
    case BPF_CALL:
        return check_call(check, insn);
    case BPF_EXIT:
        if (insn->code != (BPF_JMP | BPF_EXIT) || insn->dst_reg || insn->src_reg || insn->off ||
            insn->imm)
            return bad(check, insn, "BPF_EXIT uses reserved fields");
        return 0;
    case BPF_JA:
        if (by_reg || insn->dst_reg || insn->src_reg || (wide ? insn->imm : insn->off))
            return bad(check, insn, "BPF_JA uses reserved fields");
        return 0;
    case BPF_JCOND:
        if (insn->code != (BPF_JMP | BPF_JCOND) || insn->src_reg != BPF_MAY_GOTO || insn->dst_reg ||
            insn->imm)
            return bad(check, insn, "invalid may_goto");
        return 0;
    default:
        if (BPF_OP(insn->code) > BPF_JSLE)
            return bad(check, insn, "unknown opcode");
        if ((by_reg ? insn->imm != 0 : insn->src_reg != 0) || insn->src_reg > BPF_REG_10 ||
            insn->dst_reg > BPF_REG_10)
            return bad(check, insn, "BPF_JMP uses reserved fields");
        return 0;
    }
}

/* Through r10 an access must stay in the frame; through other registers it is not looked at. */
static int check_frame(const struct check *check, const struct bpf_insn *insn, unsigned base)
{
    if (base != BPF_REG_10 ||
        (insn->off >= -(int)EBPF_FRAME_SIZE && insn->off + (int)ebpf_insn_size(insn) <= 0))
        return 0;
    if (check->code->verifier_next) {
        check->code->deferred = true;
        return 0;
    }
    return ebpf_code_reject(check->code, -EACCES, "insn %u: invalid stack access off=%d size=%u",
                            (unsigned)(insn - check->code->insns), insn->off, ebpf_insn_size(insn));
}

static int check_load(const struct check *check, const struct bpf_insn *insn)
{
    unsigned mode = BPF_MODE(insn->code);
    int err;

    if (mode != BPF_MEM && (mode != BPF_MEMSX || BPF_SIZE(insn->code) == BPF_DW))
        return bad(check, insn, "unknown opcode");
    if (insn->imm)
        return bad(check, insn, "BPF_LDX uses reserved fields");
    if (insn->src_reg > BPF_REG_10)
        return bad(check, insn, "no such register");
    err = check_dst(check, insn, insn->dst_reg);
    return err ? err : check_frame(check, insn, insn->src_reg);
}

static bool atomic_ok(const struct bpf_insn *insn)
{
    switch (insn->imm) {
    case BPF_LOAD_ACQ:
    case BPF_STORE_REL:
        return true;
    case BPF_ADD:
    case BPF_AND:
    case BPF_OR:
    case BPF_XOR:
    case BPF_ADD | BPF_FETCH:
    case BPF_AND | BPF_FETCH:
    case BPF_OR | BPF_FETCH:
    case BPF_XOR | BPF_FETCH:
    case BPF_XCHG:
    case BPF_CMPXCHG:
        return BPF_SIZE(insn->code) == BPF_W || BPF_SIZE(insn->code) == BPF_DW;
    default:
        return false;
    }
}

/* RFC 9669: an atomic that fetches writes its source register */
static bool fetches_into_src(const struct bpf_insn *insn)
{
    return (insn->imm & BPF_FETCH) && insn->imm != BPF_CMPXCHG;
}

static int check_store(const struct check *check, const struct bpf_insn *insn)
{
    bool imm = BPF_CLASS(insn->code) == BPF_ST;
    bool atomic = BPF_MODE(insn->code) == BPF_ATOMIC && !imm;
    bool loads = atomic && insn->imm == BPF_LOAD_ACQ;
    int err = 0;

    if (!atomic && BPF_MODE(insn->code) != BPF_MEM)
        return bad(check, insn, "unknown opcode");
    if (atomic && !atomic_ok(insn))
        return bad(check, insn, "unknown atomic operation");
    if (imm ? insn->src_reg != 0 : !atomic && insn->imm != 0)
        return bad(check, insn, "BPF_ST uses reserved fields");
    if (insn->dst_reg > BPF_REG_10 || insn->src_reg > BPF_REG_10)
        return bad(check, insn, "no such register");
    if (loads)
        err = check_dst(check, insn, insn->dst_reg);
    else if (atomic && fetches_into_src(insn))
        err = check_dst(check, insn, insn->src_reg);
    return err ? err : check_frame(check, insn, loads ? insn->src_reg : insn->dst_reg);
}

/* Legacy packet access (RFC 9669, section 5.5): for types whose context is a packet. */
static int check_packet(const struct check *check, const struct bpf_insn *insn)
{
    bool indirect = BPF_MODE(insn->code) == BPF_IND;

    if (!check->type || !check->type->packet_loads)
        return bad(check, insn, "BPF_LD_[ABS|IND] instructions not allowed for this program type");
    if (insn->dst_reg || insn->off || BPF_SIZE(insn->code) == BPF_DW ||
        (indirect ? insn->src_reg > BPF_REG_10 : insn->src_reg != 0))
        return bad(check, insn, "BPF_LD_[ABS|IND] uses reserved fields");
    return 0;
}

/* The address of a function, for helpers that call it: counted as in a call. The main function is
 * not one that can be called (Linux: no static function). */
static int check_func_address(const struct check *check, const struct bpf_insn *insn)
{
    int64_t target = (insn - check->code->insns) + 1 + (int64_t)insn->imm;

    if (target <= 0 || target >= check->code->insn_cnt)
        return bad(check, insn,
                   target ? "call out of range" : "callback function cannot be the main program");
    check->marks[target] |= ENTRY;
    return 0;
}

/* LD_IMM64 takes two slots. */
static int check_ld(const struct check *check, const struct bpf_insn *insn)
{
    const struct bpf_insn *last = check->code->insns + check->code->insn_cnt - 1;
    int err;

    if (BPF_MODE(insn->code) == BPF_ABS || BPF_MODE(insn->code) == BPF_IND)
        return check_packet(check, insn);
    if (insn->code != (BPF_LD | BPF_IMM | BPF_DW))
        return bad(check, insn, "unknown opcode");
    if (insn == last || insn[1].code || insn[1].dst_reg || insn[1].src_reg || insn[1].off)
        return bad(check, insn, "invalid bpf_ld_imm64 insn");
    if (insn->off)
        return bad(check, insn, "BPF_LD_IMM64 uses reserved fields");
    err = check_dst(check, insn, insn->dst_reg);
    if (err)
        return err;
    switch (insn->src_reg) {
    case 0:
    case BPF_PSEUDO_MAP_VALUE:
    case BPF_PSEUDO_MAP_IDX_VALUE:
        break;
    case BPF_PSEUDO_MAP_FD:
    case BPF_PSEUDO_MAP_IDX:
        /* checked again behind the verifier, it holds the map's address */
        if (check->type && insn[1].imm && (check->code->verifier_next || !check->code->deferred))
            return bad(check, insn, "unrecognized bpf_ld_imm64 insn");
        break;
    case BPF_PSEUDO_BTF_ID: /* Linux without BTF of its own, or of the program, says the same */
        return bad(check, insn, "kernel is missing BTF");
    case BPF_PSEUDO_FUNC:
        err = check_func_address(check, insn);
        if (err)
            return err;
        break;
    default:
        return bad(check, insn, "unrecognized bpf_ld_imm64 insn");
    }
    check->marks[insn - check->code->insns + 1] |= SECOND_HALF;
    return 0;
}

static int check_insn(const struct check *check, const struct bpf_insn *insn)
{
    switch (BPF_CLASS(insn->code)) {
    case BPF_LD:
        return check_ld(check, insn);
    case BPF_LDX:
        return check_load(check, insn);
    case BPF_ST:
    case BPF_STX:
        return check_store(check, insn);
    case BPF_ALU:
    case BPF_ALU64:
        return check_alu(check, insn);
    default:
        return check_jump(check, insn);
    }
}

static int check_insns(const struct check *check)
{
    for (uint32_t i = 0; i < check->code->insn_cnt; i++) {
        int err;

        if (check->marks[i] & SECOND_HALF)
            continue;
        err = check_insn(check, &check->code->insns[i]);
        if (err)
            return err;
    }
    return 0;
}

/* ---- functions ------------------------------------------------------------------------------- */

static int find_subprogs(const struct check *check)
{
    struct ebpf_code *code = check->code;
    uint32_t count = 0;

    check->marks[0] |= ENTRY;
    for (uint32_t i = 0; i < code->insn_cnt; i++)
        count += (check->marks[i] & ENTRY) != 0;
    code->subprogs = ebpf_calloc(count, sizeof(*code->subprogs));
    if (!code->subprogs)
        return -ENOMEM;
    for (uint32_t i = 0; i < code->insn_cnt; i++) {
        if (check->marks[i] & ENTRY)
            code->subprogs[code->subprog_cnt++].start = i;
        code->subprogs[code->subprog_cnt - 1].end = i + 1;
    }
    return 0;
}

static bool jumps(const struct bpf_insn *insn)
{
    unsigned cls = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

    return (cls == BPF_JMP || cls == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
}

static bool never_falls_through(const struct bpf_insn *insn)
{
    return insn->code == (BPF_JMP | BPF_EXIT) || insn->code == (BPF_JMP | BPF_JA) ||
           insn->code == (BPF_JMP32 | BPF_JA);
}

/* Entries and jumps hit whole instructions, jumps stay in their function, and its last instruction
 * leaves it. */
static int check_subprog(const struct check *check, const struct ebpf_subprog *sub)
{
    const struct bpf_insn *insns = check->code->insns;

    if (check->marks[sub->start] & SECOND_HALF)
        return bad(check, &insns[sub->start], "call into the middle of a bpf_ld_imm64 insn");
    for (uint32_t i = sub->start; i < sub->end; i++) {
        int64_t target;

        if (check->marks[i] & SECOND_HALF)
            continue;
        if (!jumps(&insns[i]))
            continue;
        target = target_of(check, &insns[i]);
        if (target < sub->start || target >= sub->end)
            return bad(check, &insns[i], "jump out of range");
        if (check->marks[target] & SECOND_HALF)
            return bad(check, &insns[i], "jump into the middle of a bpf_ld_imm64 insn");
    }
    if ((check->marks[sub->end - 1] & SECOND_HALF) || !never_falls_through(&insns[sub->end - 1]))
        return bad(check, &insns[sub->end - 1], "last insn is not an exit or jmp");
    return 0;
}

static int check_all(const struct check *check)
{
    int err = check_insns(check);

    if (!err)
        err = find_subprogs(check);
    for (uint32_t f = 0; !err && f < check->code->subprog_cnt; f++)
        err = check_subprog(check, &check->code->subprogs[f]);
    return err ? err : ebpf_code_frames(check->code);
}

int ebpf_code_check(struct ebpf_code *code, const struct ebpf_prog_type *type, bool gpl,
                    uint32_t caps)
{
    struct check check = {.code = code, .type = type, .gpl = gpl, .caps = caps};
    int err;

    code->subprogs = NULL;
    code->subprog_cnt = 0;
    if (!code->insn_cnt || code->insn_cnt > EBPF_CONFIG_MAX_INSNS)
        return -E2BIG;
    check.marks = ebpf_zalloc(code->insn_cnt);
    if (!check.marks)
        return -ENOMEM;
    err = check_all(&check);
    ebpf_free(check.marks, code->insn_cnt);
    if (err && code->subprogs) {
        /* the table is as long as it was filled: find_subprogs() counts first and then fills all of
         * it */
        ebpf_free(code->subprogs, code->subprog_cnt * sizeof(*code->subprogs));
        code->subprogs = NULL;
        code->subprog_cnt = 0;
    }
    return err;
}

void ebpf_code_fini(struct ebpf_code *code)
{
    ebpf_free(code->subprogs, code->subprog_cnt * sizeof(*code->subprogs));
    ebpf_free(code->insns, code->insn_cnt * sizeof(*code->insns));
    code->subprogs = NULL;
    code->insns = NULL;
}
