/* SPDX-License-Identifier: MIT */
/*
 * Which addresses are the library's own code. Every object of the archive is compiled with
 * src/base/unit.h in front, which marks the begin and end of its .text; the build generates a table
 * of weak references to all marks (tools/text_units.sh), so that objects which the linker leaves
 * out count for nothing. Context A.
 */
#ifndef EBPF_BASE_TEXT_H
#define EBPF_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct ebpf_text_unit {
    const char *start, *end;
};
extern const struct ebpf_text_unit ebpf_text_units[]; /* generated */
extern const unsigned ebpf_text_unit_count;

bool ebpf_text_contains(uint64_t addr);

#endif /* EBPF_BASE_TEXT_H */
