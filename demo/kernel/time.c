/* SPDX-License-Identifier: MIT */
/* Time: the time CSR, which all harts share, counts at the device tree's timebase frequency. */
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
