# SPDX-License-Identifier: MIT
# `make demo`: what the demo needs, then the kernel under QEMU. At a terminal it gives a shell; with AUTO=1, CI=true or
# without a terminal it runs the four demo programs, checks what they print and ends. Included by demo/demo.mk.

.PHONY: demo
demo:
	$(Q)sh tools/deps.sh demo
	$(Q)$(MAKE) --no-print-directory demo-kernel initramfs
	$(Q)BUILD=$(BUILD) AUTO=$(AUTO) NM=$(CROSS)nm bash demo/run.sh
