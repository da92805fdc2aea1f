/* SPDX-License-Identifier: MIT */
/* Refused: a variable that somebody else must define. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

extern int kernel_variable __ksym;

SEC("socket")
int use(void *ctx)
{
    return (int)(long)&kernel_variable;
}
