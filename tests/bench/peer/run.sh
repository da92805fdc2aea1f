#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh PEER_DIR INITRAMFS_DIR [qemu options]: boots the Linux peer with INITRAMFS_DIR (its /init is the program) under
# qemu-system-riscv64 with -icount shift=0, where one nanosecond of guest time is one retired instruction.
# TIMEOUT=seconds (300). No root: /dev/console is in the kernel's own initramfs.
set -euo pipefail
peer=$1 tree=$2
shift 2
img=$(mktemp)
trap 'rm -f "$img"' EXIT
(cd "$tree" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$img"
timeout -k 5 "${TIMEOUT:-300}" qemu-system-riscv64 -machine virt -smp 1 -m 1G -nographic -icount shift=0 \
    -seed 1 -rtc base=2026-01-01,clock=vm \
    -kernel "$peer"/root/boot/vmlinux-* -initrd "$img" \
    -append "console=ttyS0 quiet panic=-1" -no-reboot "$@" </dev/null
