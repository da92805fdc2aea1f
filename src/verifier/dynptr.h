/* SPDX-License-Identifier: MIT */
/* Arguments of helpers that are dynptrs: see dynptr.c. n: the register. Context T. */
#ifndef EBPF_VERIFIER_DYNPTR_H
#define EBPF_VERIFIER_DYNPTR_H

#include "src/verifier/verifier.h"

/* The helper makes one there; record: over a reserved record, which is a reference. */
int ebpf_verify_dynptr_make(struct ebpf_verifier *v, unsigned n, bool record);

/* The helper uses the one there; *id: which one. */
int ebpf_verify_dynptr_use(struct ebpf_verifier *v, unsigned n, uint32_t *id);

/* The helper gives the one over a record back. */
int ebpf_verify_dynptr_release(struct ebpf_verifier *v, unsigned n);

#endif /* EBPF_VERIFIER_DYNPTR_H */
