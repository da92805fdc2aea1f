/* SPDX-License-Identifier: MIT */
/* uthash includes <string.h>, which a freestanding compiler has not got. */
#ifndef EBPF_SHIM_STRING_H
#define EBPF_SHIM_STRING_H
#include "src/base/mem.h"
#endif
