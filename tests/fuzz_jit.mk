# SPDX-License-Identifier: MIT
# The engines' differential fuzzer. Included by tests/tests.mk.
#   make fuzz-jit N=100000 SEED=1   both engines under qemu-riscv64; the compiler under sanitizers on the host

FUZZ_JIT_C := $(sort $(wildcard tests/fuzz/fuzz_jit*.c))
FUZZ_JIT_DEPS := $(FUZZ_JIT_C) $(wildcard tests/fuzz/*.h)
JOBS ?= 2

$(HOST)/fuzz-jit: $(call without_mem,$(HOST)) $(FUZZ_JIT_DEPS)
	$(Q)$(HOST_CC) $(TEST_CFLAGS) $(filter %.c %.o,$^) -o $@ && echo "  LD      $@"
$(USER)/fuzz-jit: $(call without_mem,$(USER)) $(FUZZ_JIT_DEPS)
	$(Q)$(USER_CC) $(TEST_CFLAGS) -static $(filter %.c %.o,$^) -o $@ && echo "  LD      $@"

.PHONY: fuzz-jit
fuzz-jit: $(HOST)/fuzz-jit $(USER)/fuzz-jit
	$(Q)qemu-riscv64 $(USER)/fuzz-jit -n $(N) -s $(SEED) -j $(JOBS) -o $(BUILD)/fuzz
	$(Q)$(HOST)/fuzz-jit -n $(N) -s $(SEED) -j $(JOBS) -o $(BUILD)/fuzz
	$(Q)$(HOST)/fuzz-jit -w -n $(N) -s $(SEED) -j $(JOBS) -o $(BUILD)/fuzz
