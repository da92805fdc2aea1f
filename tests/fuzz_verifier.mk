# SPDX-License-Identifier: MIT
# The verifier's fuzzer. Included by tests/tests.mk.
#   make fuzz-verifier N=50000 SEED=1     programs that are accepted keep their promises, Linux accepts them too, and
#                                         interpreter and compiled code do what the checking machine does
#   make fuzz-verifier-campaign N=5000000 SEED=1 JOBS=2     very many of them

FUZZ_VERIFIER_C := $(sort $(wildcard tests/fuzz/fuzz_verifier*.c)) tests/fuzz/fuzz_jit_text.c tests/fuzz/fuzz_jit_os.c
# what the compiler is told is looked at: fuzz_verifier_facts.c
FUZZ_WRAP := -Wl,--wrap=ebpf_jit_compile
# random numbers must be the same for the machine and the engines: fuzz_verifier_world.c has a helper of its own
fuzz_verifier_library = $(filter-out %/helpers_random.o,$(call without_mem,$(1)))

$(HOST)/fuzz-verifier: $(call fuzz_verifier_library,$(HOST)) $(FUZZ_VERIFIER_C) $(wildcard tests/fuzz/*.h)
	$(Q)$(HOST_CC) $(TEST_CFLAGS) $(filter %.c %.o,$^) $(FUZZ_WRAP) -o $@ && echo "  LD      $@"

$(USER)/fuzz-verifier: $(call fuzz_verifier_library,$(USER)) $(FUZZ_VERIFIER_C) $(wildcard tests/fuzz/*.h)
	$(Q)$(USER_CC) $(TEST_CFLAGS) -static $(filter %.c %.o,$^) $(FUZZ_WRAP) -o $@ && echo "  LD      $@"

# For long runs: compiled for speed, without sanitizers. What sanitizers would find shows as a wrong access of the
# checking machine, or in the shorter runs that have them.
FAST := $(BUILD)/fast
FAST_CC := $(HOSTCC) -O2 -g
$(eval $(call library,$(FAST),$(FAST_CC)))
$(FAST)/fuzz-verifier: $(call fuzz_verifier_library,$(FAST)) $(FUZZ_VERIFIER_C) $(wildcard tests/fuzz/*.h)
	$(Q)$(FAST_CC) $(TEST_CFLAGS) $(filter %.c %.o,$^) $(FUZZ_WRAP) -o $@ && echo "  LD      $@"

.PHONY: fuzz-verifier
fuzz-verifier: $(HOST)/fuzz-verifier $(USER)/fuzz-verifier
	$(Q)$(HOST)/fuzz-verifier -n $(N) -s $(SEED) -o $(BUILD)/fuzz
	$(Q)qemu-riscv64 $(USER)/fuzz-verifier -l -n $(N) -s $(SEED) -o $(BUILD)/fuzz

# LINUX=-l leaves Linux out. Goes on where the last one with the same N, SEED and JOBS was interrupted.
.PHONY: fuzz-verifier-campaign
fuzz-verifier-campaign: $(FAST)/fuzz-verifier
	$(Q)$(FAST)/fuzz-verifier $(LINUX) -n $(N) -s $(SEED) -j $(JOBS) -o $(BUILD)/fuzz
