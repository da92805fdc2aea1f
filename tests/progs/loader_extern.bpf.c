/* SPDX-License-Identifier: MIT */
/* Programs that need what only Linux defines, beside one that does not. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

extern int kernel_variable __ksym;
extern int missing_variable __ksym __weak;
extern void *kernel_function(int pid) __ksym;

SEC("socket")
int reads_variable(void *ctx)
{
    return (int)(long)&kernel_variable;
}

SEC("socket")
int calls_function(void *ctx)
{
    return kernel_function(1) != 0;
}

SEC("socket")
int asks_for_variable(void *ctx)
{
    return &missing_variable ? 1 : 2;
}

SEC("socket")
int needs_nothing(void *ctx)
{
    return 3;
}
