#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Structure: headers stand alone, layers, symbols, compilers, lengths, nothing to do for a second make; and for the gates
# that are scripts of ours, that they notice what they are there for.
. "$(dirname "$0")/../lib.sh"

make=(make --no-print-directory -j2)
rv="-march=rv64imac -mabi=lp64 -mcmodel=medany" # clang 14 counts zicsr and zifencei in
gcc_rv="-march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany"
compilers=("gcc" "clang" "riscv64-unknown-elf-gcc $gcc_rv" "riscv64-linux-gnu-gcc $gcc_rv" "clang --target=riscv64-unknown-elf $rv")
warn="-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Werror"

# ---- the library: gcc, clang, the Linux cross compiler; a second make finds nothing to do -------------------
builds() { # builds NAME ARGUMENTS...
    local name=$1
    shift
    ok "$name: builds" "${make[@]}" BUILD="$tmp/$name" "$@"
    ok "$name: no warning" sh -c "! grep -i warning $tmp/out"
    ok "$name: symbols" sh tools/check_symbols.sh riscv64-unknown-elf-nm "$tmp/$name/rv64/libbarebpf.a"
}
builds gcc
builds clang CC=clang
builds linux-gcc CROSS=riscv64-linux-gnu-
touch "$tmp/before"
ok "second make: succeeds" "${make[@]}" BUILD="$tmp/gcc"
ok "second make: says nothing" sh -c "[ ! -s $tmp/out ]"
ok "second make: builds nothing" sh -c "find $tmp/gcc -type f -newer $tmp/before | tee /dev/stderr | wc -l | grep -qx 0"
"${make[@]}" BUILD="$tmp/gcc" -W src/base/mem.c >"$tmp/out" 2>&1 # as if that file had just been changed
ok "one file changed: only that one is compiled" sh -c \
    "[ \"\$(find $tmp/gcc/rv64/obj -name '*.o' -newer $tmp/before -printf '%f ')\" = 'src_base_mem.o ' ]"

# ---- sizes --------------------------------------------------------------------------------------------------
# What is counted: the machine code (.text) of src/verifier's objects as `make` builds them, before linking, which makes
# calls shorter. The strings and tables (.rodata), most of them the log's, are told with it.
verifier_bytes() { # verifier_bytes SECTION...: of sections whose names begin so
    riscv64-unknown-elf-size -A "$tmp"/gcc/rv64/obj/src_verifier_*.o |
        awk -v names="$*" 'BEGIN {n = split(names, name)} {for (i = 1; i <= n; i++) if (index($1, name[i]) == 1) sum += $2}
            END {print sum + 0}'
}
code=$(verifier_bytes .text) constants=$(verifier_bytes .rodata .srodata .data)
echo "NOTE the verifier: $code bytes of code, $constants of strings and tables, $((code + constants)) in all"
ok "the verifier's code was measured" [ "$code" -gt 10000 ]
ok "the verifier's code is at most 48 KiB" [ "$code" -le 49152 ]

# ---- every source with every compiler; every header alone --------------------------------------------------
inc="-Iinclude -I. -isystem src/base/shim -isystem $tmp/gcc/include"
for compiler in "${compilers[@]}"; do
    for source in src/*/*.c maps/*.c helpers/*.c jit/*.c jit/*/*.c kprobe/*.c kprobe/*/*.c; do
        [ -f "$source" ] || continue
        case "$compiler:$source" in
        # RISC-V assembly inside
        gcc:*/rv64/* | clang:*/rv64/*) grep -q '__riscv' "$source" || continue ;;
        esac
        ok "$compiler: $source" $compiler -std=c11 -ffreestanding -O2 $inc $warn -include src/base/unit.h -DEBPF_UNIT=x \
            -c "$source" -o "$tmp/o"
    done
    for header in include/ebpf/*.h src/*/*.h maps/*.h helpers/*.h jit/*.h jit/*/*.h kprobe/*.h kprobe/*/*.h; do
        [ -f "$header" ] || continue
        printf '#include "%s"\n#include "%s"\n' "$header" "$header" >"$tmp/alone.c"
        ok "$compiler: $header alone and twice" $compiler -std=c11 -ffreestanding $inc $warn -DEBPF_UNIT=x -fsyntax-only "$tmp/alone.c"
    done
done

# ---- layers -------------------------------------------------------------------------------------------------
ok "layers" python3 tests/tools/layers.py
mkdir "$tmp/tree"
cp -r include src maps helpers jit kprobe "$tmp/tree"
upward() { # upward FILE INCLUDE: a copy of the tree in which FILE includes it
    echo "#include $2" >"$tmp/tree/$1"
    refused "layers: $1 includes $2" "$1:1: may not include" python3 tests/tools/layers.py "$tmp/tree"
    rm "$tmp/tree/$1"
}
upward src/base/up.c '"src/core/prog.h"'
upward src/base/up.c '<ebpf/ebpf.h>'
upward maps/up.c '"helpers/helper.h"'
upward maps/up.c '"src/core/prog.h"'
upward helpers/up.c '"jit/jit.h"'
upward jit/up.c '"src/core/syscall.h"'
upward jit/up.c '"src/verifier/verifier.h"'
upward kprobe/up.c '<ebpf/ebpf.h>'
upward kprobe/rv64/up.c '"src/core/prog.h"'
upward src/loader/up.c '"src/core/prog.h"'
upward src/core/interp_up.c '"src/core/syscall.h"'
upward src/core/up.c '"src/loader/loader.h"'
upward src/core/up.c '<string.h>'
mkdir "$tmp/tree/src/newpart"
upward src/newpart/up.c '"src/base/mem.h"'

# ---- symbols ------------------------------------------------------------------------------------------------
symbol_gate() { # symbol_gate TEXT C-SOURCE: an archive with that in it is refused
    echo "$2" >"$tmp/s.c"
    riscv64-unknown-elf-gcc $rv -ffreestanding -O1 -c "$tmp/s.c" -o "$tmp/s.o"
    rm -f "$tmp/s.a"
    riscv64-unknown-elf-ar rcs "$tmp/s.a" "$tmp/s.o"
    refused "symbol gate: $2" "$1" sh tools/check_symbols.sh riscv64-unknown-elf-nm "$tmp/s.a"
}
symbol_gate printf 'int printf(const char *, ...); int ebpf_x(void) { return printf(""); }'
symbol_gate __popcountdi2 'int ebpf_x(unsigned long v) { return __builtin_popcountl(v); }'
symbol_gate helper 'int helper(void) { return 1; }'
symbol_gate counter 'int counter = 1;'

# ---- lengths ------------------------------------------------------------------------------------------------
ok "no function above 80 lines, no file above 600" python3 tests/tools/lengths.py
sed 's/^/NOTE /' "$tmp/out"
{ echo 'int ebpf_long(void)' && echo '{' && yes '    ;' | head -n 79 && echo '}'; } >"$tmp/tree/maps/long.c"
refused "lengths: a function of 82 lines" "maps/long.c: ebpf_long() has 82 lines" python3 tests/tools/lengths.py "$tmp/tree"
yes '' | head -n 601 >"$tmp/tree/maps/long.c"
refused "lengths: a file of 601 lines" "maps/long.c: 601 lines" python3 tests/tools/lengths.py "$tmp/tree"

# ---- every source says its licence -------------------------------------------------------------------------
sources=$(git ls-files 2>/dev/null | grep -E '\.(c|h|S|py|sh|mk|def|ld)$|^Makefile$')
ok "sources are listed" [ -n "$sources" ]
ok "licence lines" sh -c "for f in $(echo $sources); do [ ! -f \$f ] || head -n 3 \$f | grep -q SPDX-License-Identifier || echo \$f; done | tee /dev/stderr | wc -l | grep -qx 0"

finish
