#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# setup.sh [DIR]: fetches the Linux riscv64 peer from Debian's own packages into DIR (build/peer):
#   DIR/root/boot/vmlinux-*     a Linux 6.12 riscv64 kernel with BPF, its RV64 JIT, kprobes and BTF
#   DIR/root/usr/...            a riscv64 sysroot: glibc, libbpf 1.5, libelf, zlib, zstd (static archives too)
#   DIR/ready                   made last; while it is there, nothing is fetched again
# and leaves the host's own apt set-up alone. Needs apt-get, dpkg-deb; no root. Then:
#   DIR/cc-static prog.c -o prog -lbpf -lelf -lz -lzstd   builds a static riscv64 Linux program (clang + lld),
#   run.sh DIR INITRAMFS_DIR                              boots it as /init under qemu-system-riscv64.
set -euo pipefail
dir=$(realpath -m "${1:-build/peer}")
suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
packages="libc6 libc6-dev linux-libc-dev libbpf1 libbpf-dev libelf1t64 libelf-dev zlib1g zlib1g-dev libzstd1 libzstd-dev"

# The Debian mirror that this machine uses.
mirror() {
    local found
    found=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | awk '
        /^URIs:/ && /debian/ && !/security/ {print $2; exit}
        /^deb / && /debian/ && !/security/ {for (i = 2; i <= NF; i++) if ($i ~ /^http/) {print $i; exit}}' || true)
    [ -n "$found" ] || { echo "apt has no Debian mirror on this machine" >&2; return 1; }
    echo "$found"
}

fetch() { # PACKAGE...: into DIR/debs, what is not there yet
    local apt kernel p url
    mkdir -p "$dir"/apt/{lists/partial,cache/archives/partial} "$dir/debs"
    url=$(mirror)
    echo "deb [arch=riscv64 signed-by=$keyring] $url $suite main" >"$dir/apt/sources.list"
    apt=(-o "Dir::Etc::SourceList=$dir/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt/cache" -o APT::Architecture=riscv64
        -o APT::Architectures=riscv64 -o "APT::Sandbox::User=$(id -un)" -q)
    apt-get "${apt[@]}" update >/dev/null
    kernel=$(apt-cache "${apt[@]}" depends linux-image-riscv64 | awk '/Depends: linux-image-[0-9]/ && !n++ {print $2}')
    cd "$dir/debs"
    find . -name 'linux-image-*.deb' ! -name "${kernel}_*" -delete
    for p in "$kernel" "$@"; do
        compgen -G "${p}_*.deb" >/dev/null || apt-get "${apt[@]}" download "$p" >/dev/null
    done
}

unpack() {
    local d
    rm -rf "$dir/root"
    mkdir -p "$dir/root"
    for d in "$dir"/debs/*.deb; do
        case $d in
        */linux-image*) dpkg-deb --fsys-tarfile "$d" | tar x -C "$dir/root" --wildcards './boot/*' ;;
        *) dpkg -x "$d" "$dir/root" ;;
        esac
    done
    [ -e "$dir/root/lib" ] || ln -s usr/lib "$dir/root/lib"
}

# A newer clang brings a linker of its own version: older ones do not know all riscv64 relocations.
write_compiler() {
    local version= cc gcc ld
    for version in -22 -21 -20 -19; do
        cc=$(command -v "clang$version") && ld=$(command -v "ld.lld$version") && break
        ld=
    done
    [ -n "$ld" ] || { echo "setup.sh: no clang with its lld, of version 19 to 22" >&2 && exit 1; }
    gcc=$(dirname "$(riscv64-linux-gnu-gcc -print-libgcc-file-name)")
    cat >"$dir/eu-stub.c" <<'C'
/* Debian trixie's libelf.a leaves these out; only its raw-chunk interface needs them. */
void eu_search_tree_init(void *t, void *c) { (void)t; (void)c; }
void eu_search_tree_fini(void *t, void *f) { (void)t; (void)f; }
void *eu_tsearch(void *k, void *t, void *c) { (void)k; (void)t; (void)c; return 0; }
void *eu_tfind(void *k, void *t, void *c) { (void)k; (void)t; (void)c; return 0; }
void *eu_tdelete(void *k, void *t) { (void)k; (void)t; return 0; }
C
    cat >"$dir/cc-static" <<C
#!/bin/sh
root=\$(dirname "\$(realpath "\$0")")/root
exec $cc --target=riscv64-linux-gnu --sysroot="\$root" --gcc-install-dir=$gcc --ld-path=$ld -static -O2 \\
    -L"\$root/usr/lib/riscv64-linux-gnu" -B"\$root/usr/lib/riscv64-linux-gnu" "\$root/../eu-stub.c" "\$@"
C
    chmod +x "$dir/cc-static"
}

[ ! -e "$dir/ready" ] || exit 0
[ -e "$keyring" ] || { echo "setup.sh: $keyring is missing (Debian: debian-archive-keyring)" >&2 && exit 1; }
echo "fetching the Linux peer into $dir"
# shellcheck disable=SC2086
fetch $packages
unpack
write_compiler
ls "$dir"/root/boot/vmlinux-* >"$dir/ready"
echo "peer ready: $(cat "$dir/ready")"
