/* SPDX-License-Identifier: MIT */
/*
 * Helpers 169 to 172: timers in maps' values (maps/timer.h), and ebpf_timer_run(), by which the
 * kernel runs those whose time has come.
 */
#include "maps/timer.h"

#include "helpers/helper.h"
#include "helpers/types.h"
#include "src/base/bits.h"
#include "src/core/prog.h"

/* Linux's numbers; it has more, but no timers on them. */
#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_BOOTTIME 7

/* r1: the value's timer, r2: its map, r3: flags, which are a clock. */
EBPF_HELPER_FN(timer_init)
{
    if (r3 != CLOCK_REALTIME && r3 != CLOCK_MONOTONIC && r3 != CLOCK_BOOTTIME)
        return ebpf_reg_int(-EINVAL);
    return ebpf_reg_int(ebpf_timer_init(ebpf_reg_ptr(r2), ebpf_reg_ptr(r1), (unsigned)r3));
}

const struct ebpf_helper ebpf_helper_timer_init = {
    .name = "timer_init",
    .fn = timer_init,
    .arg = {ARG_TIMER, ARG_MAP, ARG_ANYTHING},
    .gpl_only = true,
    .caps = EBPF_CAP_BPF,
    .maps = MAP(HASH) | MAP(ARRAY) | MAP(LRU_HASH),
    .available = ebpf_timers_available,
};

/* r1: the timer, r2: function; r3: the code that both come from, by the engine. */
EBPF_HELPER_FN(timer_set_callback)
{
    struct ebpf_code *code = ebpf_reg_ptr(r3);
    struct ebpf_prog *prog = EBPF_CONTAINER_OF(code, struct ebpf_prog, code);

    return ebpf_reg_int(ebpf_timer_set_callback(ebpf_reg_ptr(r1), &prog->obj, r2));
}

const struct ebpf_helper ebpf_helper_timer_set_callback = {
    .name = "timer_set_callback",
    .fn = timer_set_callback,
    .arg = {ARG_TIMER, ARG_FUNC},
    .gpl_only = true,
    .caps = EBPF_CAP_BPF,
    .callback = CALLBACK_TIMER,
    .available = ebpf_timers_available,
};

/* r1: the timer, r2: nanoseconds, r3: flags. Timers wait on the hart that starts them in any
 * case. */
EBPF_HELPER_FN(timer_start)
{
    if (r3 & ~(uint64_t)(BPF_F_TIMER_ABS | BPF_F_TIMER_CPU_PIN))
        return ebpf_reg_int(-EINVAL);
    return ebpf_reg_int(ebpf_timer_start(ebpf_reg_ptr(r1), r2, (r3 & BPF_F_TIMER_ABS) != 0));
}

const struct ebpf_helper ebpf_helper_timer_start = {
    .name = "timer_start",
    .fn = timer_start,
    .arg = {ARG_TIMER, ARG_ANYTHING, ARG_ANYTHING},
    .gpl_only = true,
    .caps = EBPF_CAP_BPF,
    .available = ebpf_timers_available,
};

EBPF_HELPER_FN(timer_cancel)
{
    return ebpf_reg_int(ebpf_timer_cancel(ebpf_reg_ptr(r1)));
}

const struct ebpf_helper ebpf_helper_timer_cancel = {
    .name = "timer_cancel",
    .fn = timer_cancel,
    .arg = {ARG_TIMER},
    .gpl_only = true,
    .caps = EBPF_CAP_BPF,
    .available = ebpf_timers_available,
};

/* ---- the kernel's side ----------------------------------------------------------------------- */

static void run(const struct ebpf_timer_call *call)
{
    const struct ebpf_later later = {
        .func = call->func,
        .args = {(uintptr_t)call->map, (uintptr_t)call->key, (uintptr_t)call->value},
    };

    (void)ebpf_prog_call(ebpf_prog_of(call->prog), &later); /* no program runs here */
}

void ebpf_timer_run(void)
{
    unsigned long irq = ebpf_os_irq_save();

    if (!ebpf_run_current())
        ebpf_timers_run(run);
    ebpf_os_irq_restore(irq);
}
