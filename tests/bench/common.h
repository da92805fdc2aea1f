/* SPDX-License-Identifier: MIT */
/* What every program of the benchmark starts with. */
#ifndef TESTS_BENCH_COMMON_H
#define TESTS_BENCH_COMMON_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "GPL";

#endif /* TESTS_BENCH_COMMON_H */
