/* SPDX-License-Identifier: MIT */
/* What passes of the compiler make of a program, as text. */
#ifndef TESTS_UNIT_OPT_UTIL_H
#define TESTS_UNIT_OPT_UTIL_H

#include "tests/unit/engine.h"

#include "jit/opt/ir.h"

/* The operations of the main function after the passes of the mask: one a line. */
const char *opt_after_code(uint32_t passes, const struct ebpf_code *code);
const char *opt_after(uint32_t passes, const struct bpf_insn *insns, uint32_t cnt);

#endif /* TESTS_UNIT_OPT_UTIL_H */
