/* SPDX-License-Identifier: MIT */
/* What the test runs of all program types share (BPF_PROG_TEST_RUN in bpf(2)). Context T; errors as
 * Linux's. */
#ifndef EBPF_CORE_TEST_RUN_H
#define EBPF_CORE_TEST_RUN_H

#include "src/core/prog.h"
#include "src/core/user.h"

struct ebpf_test_data {
    uint32_t headroom; /* in: bytes in front of start */
    uint32_t max;      /* in: longest packet */
    bool grows;        /* in: there is room for max bytes, whatever the packet has */
    uint8_t *start;
    uint32_t size;
    uint8_t *mem;
    size_t mem_size;
};

/* Copies attr->test.data_in: at least an Ethernet header (-EINVAL), at most data->max bytes.
 * -ENOMEM, -EFAULT. */
int ebpf_test_data_in(const union bpf_attr *attr, const struct ebpf_caller *caller,
                      struct ebpf_test_data *data);
void ebpf_test_data_free(struct ebpf_test_data *data);

/* Gives the packet back and sets data_size_out: -ENOSPC, with what fits, where the caller's buffer
 * is too small. */
int ebpf_test_data_out(union bpf_attr *attr, const struct ebpf_caller *caller, const void *data,
                       uint32_t size);

/* The caller's context: a longer one must have a zero tail (-E2BIG); a shorter one is filled up
 * with zeros. */
int ebpf_test_ctx_in(const union bpf_attr *attr, const struct ebpf_caller *caller, void *ctx,
                     uint32_t size);
int ebpf_test_ctx_out(union bpf_attr *attr, const struct ebpf_caller *caller, const void *ctx,
                      uint32_t size);

/* Runs prog attr->test.repeat times (0: once); sets retval and the mean duration in ns. -EBUSY: a
 * program is running on this hart, which cannot happen to a caller in T. */
int ebpf_test_repeat(struct ebpf_prog *prog, union bpf_attr *attr, void *ctx);

#endif /* EBPF_CORE_TEST_RUN_H */
