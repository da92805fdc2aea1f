# SPDX-License-Identifier: MIT
# bpf-run for the host and for qemu-riscv64, and the conformance vectors on all engines.
#   make conformance                 ours, and those of ../shared where they are there
#   make conformance VECTORS=FILE    another file of the same form

BPF_RUN_C := $(sort $(wildcard tools/bpf-run/*.c))

# $(call bpf_run,DIR,COMPILER,LINK FLAGS)
define bpf_run
$(foreach f,$(BPF_RUN_C),$(eval $(call unit_test,$(1),$(2),$(f),$(call unit,$(f)))))
$(1)/bpf-run: $(call without_mem,$(1)) $(foreach f,$(BPF_RUN_C),$(1)/tests/$(call unit,$(f)).o)
	$(Q)$(2) $$^ $(3) -o $$@ && echo "  LD      $$@"
endef
$(eval $(call bpf_run,$(HOST),$(HOST_CC),))
$(eval $(call bpf_run,$(USER),$(USER_CC),-static))

build-tests: $(HOST)/bpf-run $(USER)/bpf-run

.PHONY: conformance
conformance: $(HOST)/bpf-run $(USER)/bpf-run
	$(Q)python3 tests/conformance/run.py --build $(BUILD) $(if $(VECTORS),--vectors $(VECTORS))
