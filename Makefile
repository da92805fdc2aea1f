# SPDX-License-Identifier: MIT
# barebpf. Goals: all (the library), size, test, demo, format, clean; see README.md.
#   CROSS=prefix-     another RV64 gcc (default riscv64-unknown-elf-)
#   CC=clang          the library with clang instead
#   CONFIG="-DEBPF_CONFIG_...=n ..."   limits, see include/ebpf/config.h

BUILD ?= build
Q ?= @
CROSS ?= riscv64-unknown-elf-
CLANG ?= clang
HOSTCC ?= gcc
CONFIG ?=

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# ---- the library ------------------------------------------------------------------------------------------

FOLDERS := src/base src/btf src/core src/verifier src/loader src/attach maps helpers jit jit/opt jit/rv64 kprobe kprobe/rv64
LIB_C := $(sort $(wildcard $(addsuffix /*.c,$(FOLDERS))))
LIB_S := $(sort $(wildcard $(addsuffix /*.S,$(FOLDERS))))

WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Werror
# The library never sees a libc: freestanding, and the two headers that uthash wants are ours.
LIB_INC := -Iinclude -I. -isystem src/base/shim -isystem $(BUILD)/include
LIB_CFLAGS := -std=c11 -ffreestanding $(LIB_INC) $(WARN) $(CONFIG) -include src/base/unit.h

RV_ARCH := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany
ifneq ($(findstring clang,$(CC)),)
# clang before 17 knows zicsr and zifencei as parts of the base only
RV_CC := $(CC) --target=riscv64-unknown-elf
ifneq ($(shell echo | $(RV_CC) $(RV_ARCH) -c -x c -o /dev/null - 2>/dev/null && echo ok),ok)
RV_ARCH := -march=rv64imac -mabi=lp64 -mcmodel=medany
endif
else ifeq ($(origin CC),default)
RV_CC := $(CROSS)gcc
else
RV_CC := $(CC)
endif
# Kernels have 4 KiB stacks. The interpreter is exempt: it runs on the program stack.
ifeq ($(findstring clang,$(CC)),)
RV_WARN := -Wframe-larger-than=640
# gcc puts every string at a multiple of 8 else
RV_ALIGN := -malign-data=natural
endif
RV_AR ?= $(CROSS)ar
RV_CFLAGS := $(RV_ARCH) $(RV_WARN) $(RV_ALIGN) -nostdlib -O2 -g -fno-common

RV := $(BUILD)/rv64
LIB := $(RV)/libbarebpf.a
UTHASH := $(BUILD)/include/uthash.h

# maps/array.c -> maps_array: one flat name per unit, so that archive members never collide
unit = $(subst /,_,$(basename $(1)))
objects = $(foreach f,$(LIB_C) $(LIB_S),$(1)/obj/$(call unit,$(f)).o) $(1)/obj/text_units.o

# $(call library,DIR,COMPILER AND FLAGS): rules for DIR/obj/*.o from all sources of the library
define library
$(foreach f,$(LIB_C) $(LIB_S),$(eval $(call library_unit,$(1),$(2),$(f),$(call unit,$(f)))))
$(1)/text_units.c: Makefile $(1)/units.list tools/text_units.sh
	$(Q)sh tools/text_units.sh <$(1)/units.list >$$@
$(1)/units.list: FORCE
	$(Q)mkdir -p $$(@D) && echo $(foreach f,$(LIB_C) $(LIB_S),$(call unit,$(f))) | tr ' ' '\n' >$$@.new && \
	{ cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@; }
$(1)/obj/text_units.o: $(1)/text_units.c
	$(Q)mkdir -p $$(@D) && $(2) $(filter-out -include src/base/unit.h,$(LIB_CFLAGS)) -c $$< -o $$@
endef
define library_unit
$(1)/obj/$(4).o: $(3) | $(UTHASH)
	$(Q)mkdir -p $$(@D) && $(2) $(LIB_CFLAGS) $$(UNIT_CFLAGS) -DEBPF_UNIT=$(4) -MMD -MP -c $$< -o $$@
-include $(1)/obj/$(4).d
endef

# The verifier is the largest part, and most of it runs seldom: -Os, but for what every instruction of a
# program goes through. Whoever compiles the sources with rules of their own may do the same, or -O2 all.
VERIFIER_FAST := bounds explore range state tnum
$(RV)/obj/src_verifier_%.o: UNIT_CFLAGS := -Os
$(VERIFIER_FAST:%=$(RV)/obj/src_verifier_%.o): UNIT_CFLAGS :=

$(eval $(call library,$(RV),$(RV_CC) $(RV_CFLAGS)))

.PHONY: all size clean format FORCE
all: $(LIB) $(RV)/symbols.ok

$(LIB): $(call objects,$(RV))
	$(Q)rm -f $@ && $(RV_AR) rcs $@ $^ && echo "  AR      $@"

# The gate: nothing undefined but hooks and mem*; nothing global that does not start with ebpf_.
$(RV)/symbols.ok: $(LIB) tools/check_symbols.sh
	$(Q)sh tools/check_symbols.sh $(CROSS)nm $(LIB) && touch $@

$(UTHASH):
	$(Q)mkdir -p $(@D) && for d in /usr/include /usr/local/include /opt/homebrew/include; do \
		if [ -f $$d/uthash.h ]; then cp $$d/uthash.h $@; fi; done; \
	[ -f $@ ] || { echo "uthash.h is missing: install uthash (Debian: uthash-dev)"; exit 1; }

size: $(LIB)
	$(Q)sh tools/size.sh $(CROSS)size $(RV)/obj $(FOLDERS)

clean:
	$(Q)rm -rf $(BUILD)

format:
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

include tools/tools.mk
include tests/tests.mk
-include demo/demo.mk
