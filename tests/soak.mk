# SPDX-License-Identifier: MIT
# The soak in the teaching kernel alone. Goal: soak (SECONDS=60). Included by tests/tests.mk.

SECONDS ?= 60
.PHONY: soak
soak:
	$(Q)sh tools/deps.sh demo
	$(Q)SOAK_SECONDS=$(SECONDS) BUILD=$(BUILD) bash tests/suites/soak.sh
