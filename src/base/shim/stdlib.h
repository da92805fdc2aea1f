/* SPDX-License-Identifier: MIT */
/* uthash includes <stdlib.h> for exit(), which src/base/hash.h makes it not use. */
#ifndef EBPF_SHIM_STDLIB_H
#define EBPF_SHIM_STDLIB_H
#endif
