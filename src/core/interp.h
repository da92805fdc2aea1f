/* SPDX-License-Identifier: MIT */
/* The interpreter's side of callbacks (src/core/callback.c). Context A. */
#ifndef EBPF_CORE_INTERP_H
#define EBPF_CORE_INTERP_H

#include "src/core/prog.h"

/* A function's address that is for the interpreter, not compiled code's */
#define EBPF_INTERP_FUNC 1u

/* Calls a function of the program that called the helper which this is called from. */
uint64_t ebpf_interp_callback(uint64_t func, const uint64_t args[5]);

/* The same for a function of code that is not running: on a stack of its own. */
uint64_t ebpf_interp_func(const struct ebpf_code *code, uint64_t func, const uint64_t args[5]);

#endif /* EBPF_CORE_INTERP_H */
