/* SPDX-License-Identifier: MIT */
/*
 * Time: the time CSR, which all harts share, counts at the device tree's timebase frequency. The
 * calendar comes from the machine's clock (a "goldfish" RTC), which is read once. The firmware has
 * one timer for each hart: it is set for the next tick of the scheduler or for the next timer of a
 * BPF program, whichever comes first.
 */
#include "kernel.h"

uint64_t timebase = 10000000;

/* Of each hart, as the time CSR counts. Interrupts are off around all uses. */
static struct alarm {
    uint64_t tick, program; /* program 0: none */
} alarms[MAX_HARTS];

/* Split so that the product cannot overflow. */
uint64_t time_ns(void)
{
    uint64_t t = csr_read(time);

    return t / timebase * NSEC_PER_SEC + t % timebase * NSEC_PER_SEC / timebase;
}

/* The first count at which time_ns() is not below ns. */
static uint64_t count_at(uint64_t ns)
{
    return ns / NSEC_PER_SEC * timebase +
           (ns % NSEC_PER_SEC * timebase + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
}

static void set_timer(const struct alarm *alarm)
{
    sbi_set_timer(alarm->program && alarm->program < alarm->tick ? alarm->program : alarm->tick);
}

void timer_arm(unsigned hart, uint64_t ns)
{
    alarms[hart].program = ns == UINT64_MAX ? 0 : count_at(ns) + !ns;
    set_timer(&alarms[hart]);
}

void timer_next_tick(unsigned hart)
{
    alarms[hart].tick = csr_read(time) + timebase / HZ;
    set_timer(&alarms[hart]);
}

/* The programs' part clears the interrupt by arming the timer again. */
bool timer_interrupt(unsigned hart)
{
    uint64_t now = csr_read(time);

    if (alarms[hart].program && alarms[hart].program <= now) {
        alarms[hart].program = 0;
        ebpf_timer_run();
    }
    if (now < alarms[hart].tick) {
        set_timer(&alarms[hart]);
        return false;
    }
    timer_next_tick(hart);
    return true;
}

/* ---- the calendar ---------------------------------------------------------------------------- */

#define RTC_TIME_LOW 0 /* nanoseconds of UTC since 1970; reading it keeps the other half */
#define RTC_TIME_HIGH 4
#define TAI_MINUS_UTC 37 /* seconds, since 2017 */

static uint64_t utc_at_boot;

void calendar_init(void)
{
    const volatile uint32_t *rtc = virt(RTC_PHYS);
    uint64_t low = rtc[RTC_TIME_LOW / 4];

    utc_at_boot = ((uint64_t)rtc[RTC_TIME_HIGH / 4] << 32 | low) - time_ns();
}

uint64_t utc_ns(void)
{
    return utc_at_boot + time_ns();
}

uint64_t tai_ns(void)
{
    return utc_ns() + TAI_MINUS_UTC * NSEC_PER_SEC;
}
