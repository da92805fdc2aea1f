/* SPDX-License-Identifier: MIT */
/*
 * Calls. Arguments are where C wants them (lower.h); a helper's result comes in a0, a function's of
 * the program in r0's register. By reach (lower.h): 0, 1: jal; 2: auipc, jalr; 3 (helpers
 * only): li, jalr.
 */
#include "helpers/helper.h"
#include "jit/rv64/lower.h"

/* jalr's hint for return-address stacks: rd = ra and rs1 neither ra nor t0 is a call. */
static void call_absolute(struct rv_jit *j, uint64_t target)
{
    int64_t lo = rv_lo((int64_t)target);

    ebpf_rv_li(&j->as, T1, target - (uint64_t)lo);
    rv_jalr(&j->as, RA, lo, T1);
}

static void call_distance(struct rv_jit *j, int64_t distance, unsigned reach)
{
    if (reach < 2) {
        rv_jal(&j->as, RA, distance);
        return;
    }
    rv_auipc(&j->as, T1, rv_hi(distance));
    ebpf_rv_emit_wide(&j->as, rv_i(0, RV_JALR, RA, T1, rv_lo(distance))); /* of one length */
}

void ebpf_rv_call_c(struct rv_jit *j, uint64_t target)
{
    int64_t distance = (int64_t)(target - j->base - j->as.pos);
    uint32_t start = j->as.pos;
    unsigned reach = 3;

    if (!j->anywhere && !j->longest && ebpf_rv_auipc_reaches(distance))
        reach = rv_fits(distance, 21) ? 0 : 2;
    reach = ebpf_rv_reach(j, reach);
    if (reach == 3)
        call_absolute(j, target);
    else
        call_distance(j, distance, reach);
    ebpf_rv_leave_room(j, start);
}

/* Skips the copy of a result that nobody reads. */
static void call_c(struct rv_jit *j, const struct ebpf_ir_op *op, uint64_t target)
{
    ebpf_rv_call_c(j, target);
    if (op->dst != IR_NONE)
        rv_mv(&j->as, ebpf_rv_reg(j, op->dst), A0);
}

void ebpf_rv_lower_call(struct rv_jit *j, const struct ebpf_ir_op *op)
{
    const struct ebpf_helper *helper;
    int64_t distance;

    if (op->code == IR_CALL_FUNC) {
        distance = ebpf_rv_entry_distance(j, op->target);
        call_distance(j, distance, ebpf_rv_reach(j, ebpf_rv_near(j, distance, 21) ? 0 : 2));
        if (j->fns[op->target].frame.c_result)
            rv_mv(&j->as, A5, A0);
    } else if (op->flags & IR_C) {
        call_c(j, op, (uint64_t)op->imm);
    } else {
        helper = ebpf_helper_find((uint32_t)op->imm);
        if (helper)
            call_c(j, op, (uint64_t)(uintptr_t)helper->fn);
        else
            ebpf_rv_unknown(j);
    }
}
