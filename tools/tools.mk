# SPDX-License-Identifier: MIT
# Host programs: every tools/*.c is one, with libelf.

TOOLS := $(patsubst tools/%.c,$(BUILD)/tools/%,$(sort $(wildcard tools/*.c)))

.PHONY: tools
tools: $(TOOLS)

$(BUILD)/tools/%: tools/%.c
	$(Q)mkdir -p $(@D) && $(HOSTCC) -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Werror -Iinclude -I. $< -lelf -o $@ && echo "  HOSTLD  $@"
# it reads tables with the library's own reader
$(BUILD)/tools/ksymgen: src/base/ksym.c src/base/ksym_none.c src/base/ksym_table.h
