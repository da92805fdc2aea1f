# SPDX-License-Identifier: MIT
# The verifier's fuzzer. Included by tests/tests.mk.
#   make fuzz-verifier N=50000 SEED=1     programs that are accepted keep their promises, and Linux accepts them too

FUZZ_VERIFIER_C := $(sort $(wildcard tests/fuzz/fuzz_verifier*.c)) tests/fuzz/fuzz_jit_text.c tests/fuzz/fuzz_jit_os.c

$(HOST)/fuzz-verifier: $(call without_mem,$(HOST)) $(FUZZ_VERIFIER_C) $(wildcard tests/fuzz/*.h)
	$(Q)$(HOST_CC) $(TEST_CFLAGS) $(filter %.c %.o,$^) -o $@ && echo "  LD      $@"

.PHONY: fuzz-verifier
fuzz-verifier: $(HOST)/fuzz-verifier
	$(Q)$(HOST)/fuzz-verifier -n $(N) -s $(SEED) -o $(BUILD)/fuzz
