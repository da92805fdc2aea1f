/* SPDX-License-Identifier: MIT */
/*
 * Time: the time CSR, which all harts share, counts at the device tree's timebase frequency. The
 * calendar comes from the machine's clock (a "goldfish" RTC), which is read once.
 */
#include "kernel.h"

uint64_t timebase = 10000000;

/* Split so that the product cannot overflow. */
uint64_t time_ns(void)
{
    uint64_t t = csr_read(time);

    return t / timebase * NSEC_PER_SEC + t % timebase * NSEC_PER_SEC / timebase;
}

void timer_next_tick(void)
{
    sbi_set_timer(csr_read(time) + timebase / HZ);
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
