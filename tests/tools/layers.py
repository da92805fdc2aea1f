#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""layers.py [ROOT]: the layering rule of docs/ARCHITECTURE.md over all #include lines of the library.

Each folder, or file, may include what its row allows besides its own folder, and nothing else. Prints each line that breaks
the rule; the last line is the count. Exit status 1 if there is one, or if a file belongs to no row.
"""
import os
import re
import sys

STANDARD = {"<stdarg.h>", "<stdbool.h>", "<stddef.h>", "<stdint.h>"}
ISA = ("src/core/isa.h", "src/core/prog.h")
INTERP = ("src/core/interp.h",)
OBJECTS = ("maps/map.h", "helpers/helper.h")

# First match wins: path prefix -> prefixes of what may be included, <ebpf/...> written as include/ebpf/...
RULES = [
    ("include/ebpf/", ("include/ebpf/",)),
    ("src/base/shim/", ("src/base/",)),
    # the one file of base that knows uthash; its shims stand for the host's headers
    ("src/base/hash.h", ("src/base/", "include/ebpf/", "uthash.h")),
    ("src/base/", ("include/ebpf/os.h", "include/ebpf/config.h", "include/ebpf/errno.h", "include/ebpf/uapi.h")),
    # the public interface of objects: references, fds
    ("src/loader/", ("include/ebpf/", "src/base/")),
    ("src/attach/", ("include/ebpf/", "src/base/", "src/core/", "kprobe/kprobe.h", "maps/perf_event.h") + OBJECTS),
    ("src/core/interp", ("include/ebpf/", "src/base/") + INTERP + ISA + OBJECTS),
    ("src/core/", ("include/ebpf/", "src/base/", "src/attach/", "src/btf/", "src/verifier/", "jit/jit.h", "kprobe/kprobe.h") + OBJECTS),
    ("src/verifier/", ("include/ebpf/", "src/base/", "src/btf/btf.h", "src/core/load_log.h") + ISA + OBJECTS),
    # types: an object like maps, which maps refer to; what loads them has a log
    ("src/btf/", ("include/ebpf/", "src/base/", "src/core/load_log.h", "src/core/user.h")),
    # lookups in arrays and tail calls are compiled from what the maps' structs look like
    ("jit/opt/lookup.c", ("include/ebpf/", "src/base/", "maps/array.h", "maps/object_array.h", "jit/") + ISA + OBJECTS),
    # the layout of arrays is what lookups and tail calls are compiled to
    ("jit/", ("include/ebpf/", "src/base/", "maps/array.h", "maps/object_array.h") + ISA + OBJECTS),
    # a helper may ask which program runs on its hart
    ("helpers/", ("include/ebpf/", "src/base/", "maps/", "src/core/prog.h", "src/core/skb.h", "src/core/xdp.h")),
    ("maps/", ("include/ebpf/", "src/base/", "src/btf/btf.h")),
    ("kprobe/", ("include/ebpf/os.h", "include/ebpf/config.h", "include/ebpf/errno.h", "include/ebpf/kprobe.h", "src/base/")),
]
# What a row above would allow, but must not be: the verifier and the JIT do not know each other, kprobe knows no BPF.
NEVER = [("src/verifier/", "jit/"), ("jit/", "src/verifier/"), ("kprobe/", "include/ebpf/ebpf.h"), ("kprobe/", "src/base/obj.h")]

def sources(root):
    for top in ("include", "src", "maps", "helpers", "jit", "kprobe"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".S", ".def")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def includes(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|(<[^>]+>))', line)
            if match:
                yield number, match.group(1), match.group(2)


def target_of(root, path, quoted, angled):
    """The included file's path from the root; None: a standard header"""
    if angled:
        return None if angled in STANDARD else "include/" + angled[1:-1] if angled.startswith("<ebpf/") else angled[1:-1]
    beside = os.path.normpath(os.path.join(os.path.dirname(path), quoted))
    if not os.path.exists(os.path.join(root, quoted)) and os.path.exists(os.path.join(root, beside)):
        return beside
    return quoted


def allowed(path, target):
    row = next(((prefix, may) for prefix, may in RULES if path.startswith(prefix)), None)
    if row is None:
        return False
    if any(path.startswith(a) and target.startswith(b) for a, b in NEVER):
        return False
    own = "/".join(path.split("/")[: 2 if path.startswith("src/") else 1]) + "/"
    if target.startswith(own) and not path.startswith("src/core/interp"):
        return True
    return target.startswith(row[1])


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    lines = bad = 0
    for path in sources(root):
        for number, quoted, angled in includes(root, path):
            target = target_of(root, path, quoted, angled)
            lines += 1
            if target is not None and not allowed(path, target):
                bad += 1
                print(f"{path}:{number}: may not include {target}")
    print(f"{lines} #include lines, {bad} break the layering")
    sys.exit(bad != 0 or lines == 0)


main()
