/* SPDX-License-Identifier: MIT */
/*
 * uthash for the control plane (ids, fds, symbols, probes), context T, always under a mutex. Its
 * memory comes from the hooks and its fatal error becomes a flag: after HASH_ADD,
 * ebpf_hash_failed(&elt->hh) tells that memory ran out and nothing was added.
 */
#ifndef EBPF_BASE_HASH_H
#define EBPF_BASE_HASH_H

#include "src/base/alloc.h"
#include "src/base/mem.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) ebpf_alloc(size)
#define uthash_free(ptr, size) ebpf_free(ptr, size)
#define uthash_nonfatal_oom(elt) ((void)((elt)->hh.tbl = NULL))
#define uthash_strlen(s) ebpf_strlen(s)
#include <uthash.h>

static inline int ebpf_hash_failed(const UT_hash_handle *hh)
{
    return !hh->tbl;
}

#endif /* EBPF_BASE_HASH_H */
