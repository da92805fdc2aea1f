/* SPDX-License-Identifier: MIT */
/* Programs for the verifier's tests: verified from an array of instructions, the log in a buffer.
 * */
#ifndef TESTS_UNIT_VERIFY_UTIL_H
#define TESTS_UNIT_VERIFY_UTIL_H

#include "tests/unit/insn.h"
#include "tests/unit/test.h"

#include "src/verifier/verifier.h"

struct verify {
    uint32_t type;  /* 0: BPF_PROG_TYPE_SOCKET_FILTER */
    uint32_t caps;  /* 0: all */
    uint32_t flags; /* BPF_F_* */
    uint32_t level; /* of the log, 0: EBPF_LOG_STATS */
    char log[65536];
    int err;
};

/* Runs structural check and verifier; t->err and t->log. */
void verify_run(struct verify *t, const struct bpf_insn *insns, uint32_t count);

/* Must be accepted, or refused with that errno and text in the log. */
void verify_accept(const char *file, int line, const struct bpf_insn *insns, uint32_t count);
void verify_reject(const char *file, int line, const struct bpf_insn *insns, uint32_t count,
                   int err, const char *text);
void verify_reject_strict(const char *file, int line, const struct bpf_insn *insns, uint32_t count,
                          int err, const char *text);

#define ACCEPT(...)                                                                    \
    do {                                                                               \
        const struct bpf_insn insns_[] = {__VA_ARGS__};                                \
        verify_accept(__FILE__, __LINE__, insns_, sizeof(insns_) / sizeof(insns_[0])); \
    } while (0)
#define REJECT(err, text, ...)                                                                    \
    do {                                                                                          \
        const struct bpf_insn insns_[] = {__VA_ARGS__};                                           \
        verify_reject(__FILE__, __LINE__, insns_, sizeof(insns_) / sizeof(insns_[0]), err, text); \
    } while (0)
/* By a loader without EBPF_CAP_PERFMON. */
#define REJECT_STRICT(err, text, ...)                                                             \
    do {                                                                                          \
        const struct bpf_insn insns_[] = {__VA_ARGS__};                                           \
        verify_reject_strict(__FILE__, __LINE__, insns_, sizeof(insns_) / sizeof(insns_[0]), err, \
                             text);                                                               \
    } while (0)

#endif /* TESTS_UNIT_VERIFY_UTIL_H */
