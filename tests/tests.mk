# SPDX-License-Identifier: MIT
# The tests. Goals: test (everything, see tests/run.sh), unit-host, unit-user, progs.

HOST := $(BUILD)/host
USER := $(BUILD)/user
OS_HOST_C := tests/os_host.c tests/os_host_code.c
UNIT_C := $(sort $(wildcard tests/unit/*.c)) $(OS_HOST_C)
# tests that need a library of the host (libelf) run on the host only
UNIT_HOST_C := $(sort $(wildcard tests/unit/host/*.c))
PROGS := $(patsubst tests/progs/%.bpf.c,$(BUILD)/progs/%.bpf.o,$(sort $(wildcard tests/progs/*.bpf.c)))

# The library once more for the host, with sanitizers, still freestanding; and for qemu-riscv64, where JIT output runs.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
HOST_CC := $(HOSTCC) -O1 -g -fno-omit-frame-pointer $(SANITIZE)
USER_CC := riscv64-linux-gnu-gcc -O2 -g -fno-omit-frame-pointer
$(eval $(call library,$(HOST),$(HOST_CC)))
$(eval $(call library,$(USER),$(USER_CC)))

TEST_CFLAGS := -std=gnu11 -Iinclude -I. -isystem $(BUILD)/include -Wall -Wextra -Wshadow -Wno-format-nonliteral -Werror -pthread

# A hosted program has a libc with its own mem*.
without_mem = $(filter-out %/src_base_libc_mem.o,$(call objects,$(1)))

# $(call unit_tests,DIR,COMPILER,LINK FLAGS,SOURCES)
define unit_tests
$(foreach f,$(4),$(eval $(call unit_test,$(1),$(2),$(f),$(call unit,$(f)))))
$(1)/unit: $(call without_mem,$(1)) $(foreach f,$(4),$(1)/tests/$(call unit,$(f)).o)
	$(Q)$(2) -pthread $$^ $(3) -o $$@ && echo "  LD      $$@"
endef
define unit_test
$(1)/tests/$(4).o: $(3) | $(UTHASH)
	$(Q)mkdir -p $$(@D) && $(2) $(TEST_CFLAGS) -MMD -MP -c $$< -o $$@
-include $(1)/tests/$(4).d
endef
$(eval $(call unit_tests,$(HOST),$(HOST_CC),-lelf,$(UNIT_C) $(UNIT_HOST_C)))
$(eval $(call unit_tests,$(USER),$(USER_CC),-static,$(UNIT_C)))

BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Werror -I/usr/include/$(shell $(HOSTCC) -print-multiarch 2>/dev/null)
$(BUILD)/progs/%.bpf.o: tests/progs/%.bpf.c
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
-include $(PROGS:.o=.d)

.PHONY: test unit-host unit-user progs deps-test
deps-test:
	$(Q)sh tools/deps.sh test

# deps first, then a make of its own: what it installs is looked at afresh
test: deps-test
	$(Q)$(MAKE) --no-print-directory build-tests
	$(Q)bash tests/run.sh

.PHONY: build-tests
build-tests: all progs $(HOST)/unit $(USER)/unit tools

progs: $(PROGS)
unit-host: $(HOST)/unit progs
	$(Q)$(HOST)/unit $(T)
unit-user: $(USER)/unit progs
	$(Q)qemu-riscv64 $(USER)/unit $(T)

-include tests/fuzz.mk
include tests/fuzz_jit.mk
include tests/fuzz_verifier.mk
include tests/tsan.mk
include tests/soak.mk
include tests/bench.mk
include tests/conformance.mk
include tests/verdicts.mk
