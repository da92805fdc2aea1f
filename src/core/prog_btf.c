/* SPDX-License-Identifier: MIT */
/*
 * What the compiler says about a program: which function is of which type (func_info), and which
 * line each instruction comes from (line_info). Records of PROG_LOAD, in terms of a BTF object.
 * Every rule is one of Linux's check_btf_func() and check_btf_line(), since who prints a line or
 * trusts a function's type relies on them.
 */
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/btf/btf.h"
#include "src/core/load.h"
#include "src/core/load_log.h"
#include "src/core/user.h"

#define MAX_RECORD 252u /* bytes, Linux's */

void ebpf_prog_btf_free(struct ebpf_prog *prog)
{
    ebpf_free(prog->func_info, prog->func_info_cnt * sizeof(*prog->func_info));
    ebpf_free(prog->line_info, prog->line_info_cnt * sizeof(*prog->line_info));
    if (prog->btf)
        ebpf_obj_put(&prog->btf->obj);
    prog->func_info = NULL;
    prog->line_info = NULL;
    prog->btf = NULL;
}

/* ---- records --------------------------------------------------------------------------------- */

/* One record: known bytes of it, and behind them, zeros. */
static int take_record(const struct ebpf_load *load, struct ebpf_load_records *records, uint32_t i,
                       void *out, uint32_t known)
{
    uint64_t at = records->addr + (uint64_t)i * records->size;
    int err = ebpf_check_zero_in(load->caller, at + known, records->size - known);

    if (err == -E2BIG)
        records->known = known;
    if (err)
        return err == -E2BIG ? err : -EFAULT;
    return ebpf_copy_in(load->caller, out, at, known) ? -EFAULT : 0;
}

/* All of them, as an array of known bytes each. what: for the log */
static int take_records(const struct ebpf_prog *prog, const struct ebpf_load *load,
                        struct ebpf_load_records *records, uint32_t known, const char *what,
                        void **out)
{
    uint8_t *copy;
    int err = 0;

    if (records->size < known || records->size > MAX_RECORD || records->size % 4)
        return ebpf_code_reject(&prog->code, -EINVAL, "invalid %s info rec size %u", what,
                                records->size);
    if (records->cnt > prog->code.insn_cnt) /* each begins at an instruction of its own */
        return ebpf_code_reject(&prog->code, -EINVAL, "more %s info than instructions", what);
    copy = ebpf_calloc(records->cnt, known);
    if (!copy)
        return -ENOMEM;
    for (uint32_t i = 0; !err && i < records->cnt; i++)
        err = take_record(load, records, i, copy + (size_t)i * known, known);
    if (err) {
        ebpf_free(copy, (size_t)records->cnt * known);
        return err == -E2BIG
                   ? ebpf_code_reject(&prog->code, err, "nonzero tailing record in %s info", what)
                   : err;
    }
    *out = copy;
    return 0;
}

/* ---- functions ------------------------------------------------------------------------------- */

static int check_func(const struct ebpf_prog *prog, uint32_t i)
{
    const struct bpf_func_info *info = &prog->func_info[i];

    if (!i && info->insn_off)
        return ebpf_code_reject(&prog->code, -EINVAL,
                                "nonzero insn_off %u for the first func info record",
                                info->insn_off);
    if (i && info->insn_off <= info[-1].insn_off)
        return ebpf_code_reject(
            &prog->code, -EINVAL,
            "same or smaller insn offset (%u) than previous func info record (%u)", info->insn_off,
            info[-1].insn_off);
    if (!ebpf_btf_func_proto(prog->btf, info->type_id))
        return ebpf_code_reject(&prog->code, -EINVAL, "invalid type id %u in func info",
                                info->type_id);
    return 0;
}

static int take_funcs(struct ebpf_prog *prog, const struct ebpf_load *load)
{
    void *records;
    int err;

    if (!load->func_info->cnt)
        return 0;
    err = take_records(prog, load, load->func_info, sizeof(*prog->func_info), "func", &records);
    if (err)
        return err;
    prog->func_info = records;
    prog->func_info_cnt = load->func_info->cnt;
    for (uint32_t i = 0; !err && i < prog->func_info_cnt; i++)
        err = check_func(prog, i);
    return err;
}

/* Does the function call tail_call, or load from a packet by BPF_ABS or BPF_IND? NULL: neither.
 * Both end the function with a number of their own. That is Linux's rule for types; the engines, and
 * who trusts a program, need none. */
static const char *unusual_return(const struct ebpf_prog *prog, const struct ebpf_subprog *func)
{
    for (uint32_t i = func->start; i < func->end; i++) {
        const struct bpf_insn *insn = &prog->code.insns[i];

        if (ebpf_insn_loads_packet(insn))
            return "LD_ABS";
        if (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg &&
            insn->imm == EBPF_HELPER_TAIL_CALL)
            return "tail_call";
    }
    return NULL;
}

/* Does BTF say that the function returns a number? */
static bool returns_number(const struct ebpf_prog *prog, uint32_t i)
{
    const struct btf_type *proto = ebpf_btf_func_proto(prog->btf, prog->func_info[i].type_id);
    const struct btf_type *ret = ebpf_btf_skip(prog->btf, proto->type, NULL);

    return ret && ebpf_btf_is_scalar(ret);
}

static int check_return(const struct ebpf_prog *prog, uint32_t i)
{
    const char *what = i ? unusual_return(prog, &prog->code.subprogs[i]) : NULL;

    if (!what || (prog->func_info_cnt && returns_number(prog, i)))
        return 0;
    return ebpf_code_reject(&prog->code, -EINVAL,
                            prog->func_info_cnt
                                ? "%s is only allowed in functions that return 'int'."
                                : "%s is not allowed in subprogs without BTF",
                            what);
}

static int check_funcs(const struct ebpf_prog *prog)
{
    int err = 0;

    if (!prog->func_info_cnt) {
        for (uint32_t i = 0; !err && prog->code.verifier_next && i < prog->code.subprog_cnt; i++)
            err = check_return(prog, i);
        return err;
    }
    if (prog->func_info_cnt != prog->code.subprog_cnt)
        return ebpf_code_reject(&prog->code, -EINVAL,
                                "number of funcs in func_info doesn't match number of subprogs");
    for (uint32_t i = 0; !err && i < prog->func_info_cnt; i++) {
        if (prog->func_info[i].insn_off != prog->code.subprogs[i].start)
            return ebpf_code_reject(
                &prog->code, -EINVAL,
                "func_info BTF section doesn't match subprog layout in BPF program");
        err = check_return(prog, i);
    }
    return err;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static int take_lines(struct ebpf_prog *prog, const struct ebpf_load *load)
{
    void *records;
    int err;

    if (!load->line_info->cnt)
        return 0;
    err = take_records(prog, load, load->line_info, sizeof(*prog->line_info), "line", &records);
    if (err)
        return err;
    prog->line_info = records;
    prog->line_info_cnt = load->line_info->cnt;
    return 0;
}

static int check_line(const struct ebpf_prog *prog, uint32_t i)
{
    const struct bpf_line_info *info = &prog->line_info[i];
    uint32_t before = i ? info[-1].insn_off : 0;

    if ((i && info->insn_off <= before) || info->insn_off >= prog->code.insn_cnt)
        return ebpf_code_reject(&prog->code, -EINVAL,
                                "Invalid line_info[%u].insn_off:%u (prev_offset:%u prog->len:%u)",
                                i, info->insn_off, before, prog->code.insn_cnt);
    if (!prog->code.insns[info->insn_off].code) /* the second half of a constant */
        return ebpf_code_reject(&prog->code, -EINVAL, "Invalid insn code at line_info[%u].insn_off",
                                i);
    if (!ebpf_btf_string(prog->btf, info->line_off) ||
        !ebpf_btf_string(prog->btf, info->file_name_off))
        return ebpf_code_reject(&prog->code, -EINVAL,
                                "Invalid line_info[%u].line_off or .file_name_off", i);
    return 0;
}

/* Each line by itself, and every function begins with one. */
static int check_lines(const struct ebpf_prog *prog)
{
    const struct ebpf_code *code = &prog->code;
    uint32_t func = 0;

    for (uint32_t i = 0; i < prog->line_info_cnt; i++) {
        uint32_t at = prog->line_info[i].insn_off;
        int err = check_line(prog, i);

        if (err)
            return err;
        if (func == code->subprog_cnt)
            continue;
        if (at > code->subprogs[func].start)
            return ebpf_code_reject(code, -EINVAL, "missing bpf_line_info for func#%u", func);
        func += at == code->subprogs[func].start;
    }
    if (prog->line_info_cnt && func != code->subprog_cnt)
        return ebpf_code_reject(code, -EINVAL,
                                "missing bpf_line_info for %u funcs starting from func#%u",
                                code->subprog_cnt - func, func);
    return 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

int ebpf_prog_btf_take(struct ebpf_prog *prog, const struct ebpf_load *load)
{
    int err;

    if (!load->func_info->cnt && !load->line_info->cnt)
        return 0; /* as on Linux, nobody looks at the BTF then */
    err = load->get_btf(load, &prog->btf);
    if (!err)
        err = take_funcs(prog, load);
    return err ? err : take_lines(prog, load);
}

int ebpf_prog_btf_check(const struct ebpf_prog *prog)
{
    int err = check_funcs(prog);

    return err ? err : check_lines(prog);
}
