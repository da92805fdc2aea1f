# SPDX-License-Identifier: MIT
# Fuzzers: `make fuzz-elf N=100000 SEED=7` opens N mutants of each object of tests/progs, and loads as many of its types
# (BTF) alone. Included by tests/tests.mk.

N ?= 10000
SEED ?= 1
FUZZ_ELF_C := tests/fuzz/fuzz_elf.c tests/unit/loader_mutate.c $(OS_HOST_C)

$(HOST)/fuzz_elf: $(call without_mem,$(HOST)) $(FUZZ_ELF_C) $(wildcard tests/unit/*.h)
	$(Q)$(HOST_CC) $(TEST_CFLAGS) $(filter %.c %.o,$^) -o $@ && echo "  LD      $@"

.PHONY: fuzz-elf
fuzz-elf: $(HOST)/fuzz_elf progs
	$(Q)BUILD=$(BUILD) $(HOST)/fuzz_elf $(N) $(SEED)
