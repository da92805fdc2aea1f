# SPDX-License-Identifier: MIT
# The teaching kernel, its user programs and its initramfs: `make demo-kernel initramfs`. Included by the top
# Makefile; also works alone, from the project's root: make -f demo/demo.mk demo-kernel initramfs

BUILD ?= build
LIB ?= $(BUILD)/rv64/libbarebpf.a
CLANG ?= clang
CROSS ?= riscv64-unknown-elf-
HOSTCC ?= gcc
Q ?= @

DEMO := $(BUILD)/demo
DEMO_CC := $(CROSS)gcc
DEMO_CFLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -ffreestanding -nostdlib -std=c11 \
    -O2 -g -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-strict-aliasing -fno-tree-loop-distribute-patterns \
    -Wall -Wextra -Wshadow -Werror -Iinclude -MMD -MP
# (no-tree-loop-distribute-patterns: or gcc finds a memcpy in our memcpy, and calls it. The frame pointers, and every
# caller among them, are for stack.c.)
# No __global_pointer$: the kernel has no gp register to keep, and text must not move between the two links.
DEMO_LDFLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -nostdlib -static -Wl,--build-id=none \
    -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments

.DEFAULT_GOAL ?= demo-kernel
.PHONY: demo-kernel initramfs demo-clean
demo-kernel: $(DEMO)/kernel.elf
initramfs: $(DEMO)/initramfs.cpio

# ---- the kernel: linked twice, the second time with the table of the first one's symbols ---------------
KERNEL_OBJ := $(patsubst demo/kernel/%,$(DEMO)/kernel/%.o,$(sort $(wildcard demo/kernel/*.[cS])))
KERNEL_LINK = $(DEMO_CC) $(DEMO_LDFLAGS) -T demo/kernel/kernel.ld -o $@ $(filter %.o,$^) $(LIB)
ifndef TOOLS
include tools/tools.mk
endif

# The objects that the kernel's own tests load are part of the image.
$(DEMO)/kernel/embed.S.o: DEMO_CFLAGS += -DINKERNEL_BPF='"$(DEMO)/bpf/inkernel.bpf.o"' \
    -DSOAK_BPF='"$(DEMO)/bpf/soak.bpf.o"'
$(DEMO)/kernel/embed.S.o: $(DEMO)/bpf/inkernel.bpf.o $(DEMO)/bpf/soak.bpf.o

# 4 KiB stacks: no function may take much of one.
$(DEMO)/kernel/%.o: demo/kernel/% demo/demo.mk
	@mkdir -p $(@D)
	$(Q)$(DEMO_CC) $(DEMO_CFLAGS) $(CONFIG) -Wframe-larger-than=768 -c -o $@ $<

$(DEMO)/kernel.stage1.elf: $(KERNEL_OBJ) $(LIB) demo/kernel/kernel.ld
	$(Q)$(KERNEL_LINK)

$(DEMO)/ksyms.S: $(DEMO)/kernel.stage1.elf $(BUILD)/tools/ksymgen
	$(Q)$(BUILD)/tools/ksymgen $< $@

$(DEMO)/ksyms.o: $(DEMO)/ksyms.S
	$(Q)$(DEMO_CC) $(DEMO_CFLAGS) -c -o $@ $<

$(DEMO)/kernel.elf: $(KERNEL_OBJ) $(DEMO)/ksyms.o $(LIB) demo/kernel/kernel.ld
	$(Q)$(KERNEL_LINK) && $(BUILD)/tools/ksymgen --check $@ && echo "  LD      $@"

# ---- user programs: every demo/user/NAME.c becomes /bin/NAME, except that what has a NAME.h is library --
# They are linked with barebpf too: its object loader works in user mode (bpfsys.c).
USER_ALL := $(patsubst demo/user/%.c,%,$(sort $(wildcard demo/user/*.c)))
USER_MODULES := $(filter $(USER_ALL),$(patsubst demo/user/%.h,%,$(wildcard demo/user/*.h)))
USER_LIB := $(DEMO)/user/crt0.S.o $(DEMO)/user/libuser.a
USER_BIN := $(addprefix $(DEMO)/user/,$(filter-out $(USER_MODULES),$(USER_ALL)))

$(DEMO)/user/%.o: demo/user/%.c demo/demo.mk
	@mkdir -p $(@D)
	$(Q)$(DEMO_CC) $(DEMO_CFLAGS) $(CONFIG) -Idemo/user -c -o $@ $<

$(DEMO)/user/%.S.o: demo/user/%.S demo/demo.mk
	@mkdir -p $(@D)
	$(Q)$(DEMO_CC) $(DEMO_CFLAGS) -c -o $@ $<

$(DEMO)/user/libuser.a: $(USER_MODULES:%=$(DEMO)/user/%.o)
	$(Q)rm -f $@ && $(CROSS)ar rcs $@ $^

# The library's archive comes last: its ELF loader, on the system calls of bpfsys.c instead of the library's own core.
$(USER_BIN): %: %.o $(USER_LIB) $(LIB) demo/user/user.ld
	$(Q)$(DEMO_CC) $(DEMO_LDFLAGS) -T demo/user/user.ld -o $@ $< $(USER_LIB) $(LIB)

# ---- BPF programs: every demo/bpf/NAME.bpf.c becomes /bpf/NAME.bpf.o -----------------------------------
BPF_OBJ := $(patsubst demo/bpf/%.c,$(DEMO)/bpf/%.o,$(wildcard demo/bpf/*.bpf.c))
BPF_CFLAGS ?= -O2 -g -target bpf -mcpu=v3 -ffreestanding -Wall -Werror -D__TARGET_ARCH_riscv -Iinclude \
    -idirafter /usr/include/$(shell uname -m)-linux-gnu

$(DEMO)/bpf/%.bpf.o: demo/bpf/%.bpf.c demo/demo.mk
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# ---- initramfs: cpio newc. dev/console is there to be listed; the kernel knows it by its name ----------
# The list of what goes in is a file that changes only when the list does: a deleted program leaves the archive.
$(DEMO)/initramfs.list: FORCE
	@mkdir -p $(@D)
	@echo '$(sort $(USER_BIN) $(BPF_OBJ))' | cmp -s - $@ || echo '$(sort $(USER_BIN) $(BPF_OBJ))' > $@
FORCE:
.PHONY: FORCE

$(DEMO)/initramfs.cpio: $(USER_BIN) $(BPF_OBJ) $(DEMO)/initramfs.list
	@rm -rf $(DEMO)/root
	@mkdir -p $(DEMO)/root/bin $(DEMO)/root/bpf $(DEMO)/root/dev
	@: > $(DEMO)/root/dev/console
	$(Q)cp $(USER_BIN) $(DEMO)/root/bin
	$(if $(BPF_OBJ),$(Q)cp $(BPF_OBJ) $(DEMO)/root/bpf)
	$(Q)cd $(DEMO)/root && find . | LC_ALL=C sort | \
	    cpio -o -H newc -R 0:0 --reproducible --quiet > $(abspath $@)

include demo/user/user.mk

demo-clean:
	rm -rf $(DEMO)

-include $(wildcard $(DEMO)/user/*.d $(DEMO)/bpf/*.d $(DEMO)/kernel/*.d)
