/* SPDX-License-Identifier: MIT */
/* Programs of several functions with their types, loaded by us and, where this machine lets us, by
 * its Linux: one verdict expected of both. */
#ifndef TESTS_UNIT_FUNC_UTIL_H
#define TESTS_UNIT_FUNC_UTIL_H

#include <ebpf/ebpf.h>

#include "tests/unit/btf_build.h"
#include "tests/unit/insn.h"
#include "tests/unit/test.h"

/* A program on its way. The usual types are there from the beginning. */
struct funcs {
    struct btf_blob b;
    uint32_t number, skb, pair; /* int, struct __sk_buff *, struct pair * (8 bytes) */
    struct bpf_func_info info[8];
    uint32_t cnt;
    uint32_t type;   /* BPF_PROG_TYPE_*: a socket filter */
    bool ours_alone; /* Linux is not asked: what is tested is documented to differ */
};

void funcs_begin(struct funcs *f);

/* A function from instruction at on, global or static, with argc arguments of the types that
 * follow. ret: a type, 0: void. Returns its number as a type. */
uint32_t funcs_add(struct funcs *f, const char *name, bool global, uint32_t at, uint32_t ret,
                   unsigned argc, ...);
/* The usual main function: int main_prog(struct __sk_buff *skb) */
void funcs_main(struct funcs *f);
/* __attribute__((btf_decl_tag(tag))) of argument arg */
void funcs_tag(struct funcs *f, uint32_t func, uint32_t arg, const char *tag);

/* Loaded without a word (err 0), or refused with that errno and text in the log. */
void funcs_expect(struct funcs *f, const char *file, int line, int err, const char *text,
                  const struct bpf_insn *insns, uint32_t cnt);

#define EXPECT(f, err, text, ...)                              \
    do {                                                       \
        const struct bpf_insn insns_[] = {__VA_ARGS__};        \
        funcs_expect(f, __FILE__, __LINE__, err, text, insns_, \
                     sizeof(insns_) / sizeof(insns_[0]));      \
    } while (0)

#endif /* TESTS_UNIT_FUNC_UTIL_H */
