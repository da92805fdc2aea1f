#!/bin/sh
# SPDX-License-Identifier: MIT
# deps.sh build|test|demo|bench: makes sure that what the goal needs is installed. On Debian, as root or with sudo, it
# installs what is missing by apt-get; elsewhere it says what to install and stops. Quick when nothing is missing.
set -eu
goal=${1:-build}

missing=
need_command() { # COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need_file() { # PATH PACKAGE
    [ -e "$1" ] || missing="$missing $2"
}

need_command gcc gcc
need_command make make
need_command riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf
need_file /usr/include/uthash.h uthash-dev
need_pair() { # clang-N with ld.lld-N, N at least 19
    for n in 22 21 20 19; do
        if command -v clang-$n >/dev/null 2>&1 && command -v ld.lld-$n >/dev/null 2>&1; then
            return
        fi
    done
    n=22
    if command -v apt-cache >/dev/null 2>&1 && ! apt-cache show clang-22 >/dev/null 2>&1; then
        n=19
    fi
    missing="$missing clang-$n lld-$n"
}
if [ "$goal" != build ]; then
    need_file /usr/include/string.h libc6-dev
    need_command clang clang
    need_file /usr/include/linux/bpf.h linux-libc-dev
    need_file /usr/include/bpf/bpf_helpers.h libbpf-dev
    need_file /usr/include/libelf.h libelf-dev
    need_command qemu-system-riscv64 qemu-system-misc
    need_file /usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin opensbi
    need_command cpio cpio
fi
if [ "$goal" = bench ]; then
    # Linux programs for riscv64 are linked statically: by a clang and an lld of the same, late version
    need_pair
    need_command dpkg-deb dpkg
    need_file /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
fi
if [ "$goal" = test ] || [ "$goal" = bench ]; then
    need_command riscv64-linux-gnu-gcc gcc-riscv64-linux-gnu
    need_file /usr/riscv64-linux-gnu/lib/libc.a libc6-dev-riscv64-cross
    need_command qemu-riscv64 qemu-user
    need_command python3 python3
fi

[ -n "$missing" ] || exit 0
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
fi
if ! command -v apt-get >/dev/null 2>&1 || { [ -n "$sudo" ] && ! command -v sudo >/dev/null 2>&1; }; then
    echo "missing: please install $missing(Debian's names) and try again" >&2
    exit 1
fi
echo "installing: $missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q >/dev/null
# shellcheck disable=SC2086
$sudo apt-get install -y -q --no-install-recommends $missing >/dev/null
