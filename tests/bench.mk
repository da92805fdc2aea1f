# SPDX-License-Identifier: MIT
# The benchmark, see docs/BENCH.md. Goals: bench (BENCH=DIR: programs of another folder), bench-kprobe,
# bench-maps, bench-large.
# PEER=DIR is where the Linux peer is, or goes. Included by tests/tests.mk.

BENCH ?= tests/bench
PEER ?= $(BUILD)/peer
BENCH_OUT := $(BUILD)/bench
# Both sides run the same objects, made by the newest clang that is there.
BENCH_CLANG ?= $(or $(firstword $(foreach v,22 21 20 19,$(shell command -v clang-$(v)))),$(CLANG))
# BPF programs: of the folder, and `empty`, which is subtracted, if the folder has none of its own
BENCH_BPF_C = $(sort $(wildcard $(BENCH)/*.bpf.c)) $(if $(wildcard $(BENCH)/empty.bpf.c),,tests/bench/empty.bpf.c)
BENCH_BPF = $(patsubst %.bpf.c,$(BENCH_OUT)/bpf/%.bpf.o,$(notdir $(BENCH_BPF_C)))
BENCH_BPF_CFLAGS = $(filter-out -Werror,$(BPF_CFLAGS)) -I$(BENCH) -Itests/bench

.PHONY: bench bench-build bench-kprobe bench-kprobe-build
bench bench-kprobe:
	$(Q)sh tools/deps.sh bench
	$(Q)bash tests/bench/peer/setup.sh $(PEER)
	$(Q)$(MAKE) --no-print-directory $@-build
	$(Q)BUILD=$(BUILD) PEER=$(PEER) NM=$(CROSS)nm OBJDUMP=$(CROSS)objdump bash tests/bench/$@.sh

bench-build: demo-kernel $(BENCH_OUT)/run.cpio $(BENCH_OUT)/linux-run.done
bench-kprobe-build: demo-kernel $(BENCH_OUT)/kprobe.cpio $(BENCH_OUT)/linux-kprobe.done

# Other programs, another folder or compiler: all of them once more.
$(BENCH_OUT)/list: FORCE
	$(Q)mkdir -p $(@D) && echo '$(BENCH_CLANG) $(BENCH_BPF_CFLAGS) $(BENCH_BPF_C)' | cmp -s - $@ || \
	{ rm -rf $(BENCH_OUT)/bpf && echo '$(BENCH_CLANG) $(BENCH_BPF_CFLAGS) $(BENCH_BPF_C)' >$@; }

$(BENCH_OUT)/bpf/%.bpf.o: $(BENCH_OUT)/list
	$(Q)mkdir -p $(@D) && $(BENCH_CLANG) $(BENCH_BPF_CFLAGS) -c $(filter %/$*.bpf.c,$(BENCH_BPF_C)) -o $@
$(BENCH_OUT)/kprobe/%.bpf.o: tests/bench/kprobe/%.bpf.c
	$(Q)mkdir -p $(@D) && $(BENCH_CLANG) $(BENCH_BPF_CFLAGS) -c $< -o $@

# ---- our side: programs for the teaching kernel, linked as those of demo/user ------------------------------
$(BENCH_OUT)/guest_%: tests/bench/guest_%.c $(wildcard tests/bench/*.h) demo/user/bpfsys.h demo/user/lib.h \
    $(BUILD)/demo/user/crt0.S.o $(BUILD)/demo/user/libuser.a $(LIB) demo/user/user.ld | $(UTHASH)
	$(Q)mkdir -p $(@D) && $(DEMO_CC) $(filter-out -MMD -MP,$(DEMO_CFLAGS)) -Idemo/user -I. -isystem src/base/shim \
	    -isystem $(BUILD)/include -c $< -o $@.o && \
	$(DEMO_CC) $(DEMO_LDFLAGS) -T demo/user/user.ld -o $@ $@.o $(BUILD)/demo/user/crt0.S.o $(BUILD)/demo/user/libuser.a $(LIB)

# $(call bench_tree,DIR,PROGRAM,PATH OF PROGRAM,OBJECTS)
define bench_tree
	$(Q)rm -rf $(1) && mkdir -p $(1)/bench $(1)/bin $(1)/dev && cp $(2) $(1)/$(3) && cp $(4) $(1)/bench
endef
# As in the demo's: dev/console is there to be listed, the kernel knows it by its name.
define bench_cpio
	$(Q)cd $(@:.cpio=.root) && : >dev/console && find . | LC_ALL=C sort | \
	cpio -o -H newc -R 0:0 --quiet >$(abspath $@)
endef
$(BENCH_OUT)/run.cpio: $(BENCH_OUT)/guest_run $(BENCH_BPF)
	$(call bench_tree,$(@:.cpio=.root),$<,bin/run,$(filter %.bpf.o,$^))
	$(bench_cpio)
$(BENCH_OUT)/kprobe.cpio: $(BENCH_OUT)/guest_kprobe $(BENCH_OUT)/kprobe/kprobe_hit.bpf.o
	$(call bench_tree,$(@:.cpio=.root),$<,bin/kprobe,$(filter %.bpf.o,$^))
	$(bench_cpio)

# ---- Linux's side --------------------------------------------------------------------------------------------
$(BENCH_OUT)/linux_%: tests/bench/linux_%.c tests/bench/packet.h tests/bench/batch.h
	$(Q)mkdir -p $(@D) && $(PEER)/cc-static -Wall -Wextra -Werror $< -o $@ -lbpf -lelf -lz -lzstd
$(BENCH_OUT)/linux-run.done: $(BENCH_OUT)/linux_run $(BENCH_BPF)
	$(call bench_tree,$(@:.done=.root),$<,init,$(filter %.bpf.o,$^))
	$(Q)touch $@
$(BENCH_OUT)/linux-kprobe.done: $(BENCH_OUT)/linux_kprobe $(BENCH_OUT)/kprobe/kprobe_hit.bpf.o
	$(call bench_tree,$(@:.done=.root),$<,init,$(filter %.bpf.o,$^))
	$(Q)touch $@
.SECONDARY: $(addprefix $(BENCH_OUT)/,guest_run guest_kprobe linux_run linux_kprobe)

# ---- maps: needs no Linux ---------------------------------------------------------------------------------
.PHONY: bench-maps bench-maps-build
bench-maps:
	$(Q)sh tools/deps.sh test
	$(Q)$(MAKE) --no-print-directory $@-build
	$(Q)BUILD=$(BUILD) bash tests/bench/$@.sh
bench-maps-build: demo-kernel $(BENCH_OUT)/maps.cpio $(USER)/bench-memory
$(BENCH_OUT)/maps/%.bpf.o: tests/bench/maps/%.bpf.c tests/bench/common.h
	$(Q)mkdir -p $(@D) && $(CLANG) $(filter-out -Werror,$(BPF_CFLAGS)) -Itests/bench -c $< -o $@
$(BENCH_OUT)/maps.cpio: $(BENCH_OUT)/guest_maps $(BENCH_OUT)/maps/throughput.bpf.o
	$(call bench_tree,$(@:.cpio=.root),$<,bin/maps,$(filter %.bpf.o,$^))
	$(bench_cpio)
.SECONDARY: $(BENCH_OUT)/guest_maps
$(USER)/tests/bench_memory.o: tests/bench/memory.c | $(UTHASH)
	$(Q)mkdir -p $(@D) && $(USER_CC) $(TEST_CFLAGS) -MMD -MP -c $< -o $@
-include $(USER)/tests/bench_memory.d
$(USER)/bench-memory: $(call without_mem,$(USER)) $(USER)/tests/bench_memory.o
	$(Q)$(USER_CC) $^ -static -o $@ && echo "  LD      $@"

# ---- large programs: needs no Linux and no kernel -------------------------------------------------------------
.PHONY: bench-large
bench-large: $(USER)/bench-large
	$(Q)timeout -k 5 900 qemu-riscv64 $<
$(USER)/tests/bench_large.o: tests/bench/large.c | $(UTHASH)
	$(Q)mkdir -p $(@D) && $(USER_CC) $(TEST_CFLAGS) -MMD -MP -c $< -o $@
-include $(USER)/tests/bench_large.d
$(USER)/bench-large: $(call without_mem,$(USER)) $(USER)/tests/bench_large.o
	$(Q)$(USER_CC) $^ -static -o $@ && echo "  LD      $@"
