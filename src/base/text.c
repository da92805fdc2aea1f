/* SPDX-License-Identifier: MIT */
/* Is an address inside the library's own code? See text.h. */
#include "src/base/text.h"

bool ebpf_text_contains(uint64_t addr)
{
    for (unsigned i = 0; i < ebpf_text_unit_count; i++) {
        const struct ebpf_text_unit *unit = &ebpf_text_units[i];

        if (addr >= (uintptr_t)unit->start && addr < (uintptr_t)unit->end)
            return true;
    }
    return false;
}
