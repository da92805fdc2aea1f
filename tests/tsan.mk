# SPDX-License-Identifier: MIT
# ThreadSanitizer. Goal: tsan (T=substring: those tests), the unit tests that start threads, with the
# library and the mock OS built under -fsanitize=thread. Included by tests/tests.mk.

TSAN := $(BUILD)/tsan
# tsan cannot follow fences and gcc says so. What they order here are atomic accesses, which never
# are data races.
TSAN_CC := $(HOSTCC) -O1 -g -fno-omit-frame-pointer -fsanitize=thread -Wno-tsan
TSAN_C := $(sort $(shell grep -l pthread_create tests/unit/test_*.c)) $(OS_HOST_C) \
    $(sort $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
$(eval $(call library,$(TSAN),$(TSAN_CC)))
$(eval $(call unit_tests,$(TSAN),$(TSAN_CC),,$(TSAN_C)))

# What the names of such tests say; the others in the same files take long and have one thread.
TSAN_TESTS := threads harts while exclude grace gone waits moment

# A report makes the exit status 66; history: so that reports have both stacks.
.PHONY: tsan tsan-build
tsan-build: $(TSAN)/unit
tsan: $(TSAN)/unit
	$(Q)TSAN_OPTIONS="history_size=4" timeout -k 5 600 $(TSAN)/unit $(or $(T),$(TSAN_TESTS))
