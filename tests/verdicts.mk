# SPDX-License-Identifier: MIT
# bpf-check, and what it says of Linux's own verifier tests. Included by tests/tests.mk.
#   make bpf-check                        build/host/bpf-check
#   make verdicts [OBJS=DIR] [PEER=DIR]   against ../shared/verifier/portable.tsv; DIR keeps the objects, and is
#                                         filled with ../shared/verifier/build-selftests.sh where it is empty

BPF_CHECK_C := $(sort $(wildcard tools/bpf-check/*.c tools/linux/*.c))
BPF_CHECK_WRAP := -Wl,--wrap=ebpf_helper_find,--wrap=ebpf_prog_type_find,--wrap=ebpf_map_ops

$(foreach f,$(BPF_CHECK_C),$(eval $(call unit_test,$(HOST),$(HOST_CC),$(f),$(call unit,$(f)))))
$(HOST)/bpf-check: $(call without_mem,$(HOST)) \
		$(foreach f,$(OS_HOST_C) $(BPF_CHECK_C),$(HOST)/tests/$(call unit,$(f)).o)
	$(Q)$(HOST_CC) -pthread $^ $(BPF_CHECK_WRAP) -o $@ && echo "  LD      $@"

build-tests: $(HOST)/bpf-check

OBJS ?= $(BUILD)/verifier-selftests
PEER ?= ../shared/peer
.PHONY: bpf-check verdicts
bpf-check: $(HOST)/bpf-check
verdicts: $(HOST)/bpf-check
	$(Q)python3 tests/tools/verdicts.py --bpf-check $(HOST)/bpf-check --objects $(OBJS) --peer $(PEER)
