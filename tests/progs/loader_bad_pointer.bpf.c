/* SPDX-License-Identifier: MIT */
/* Refused: global data that holds an address. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

int number = 3;
int *pointer = &number;

SEC("socket")
int use(void *ctx)
{
    return *pointer;
}
