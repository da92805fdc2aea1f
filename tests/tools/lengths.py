#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lengths.py [ROOT]: how long functions and files are, folder by folder. Exit status 1 if a function has more than 80 lines
(the interpreter's loop excepted) or a file more than 600; tests are shown, and not judged."""
import os
import re
import sys

MAX_FUNCTION, MAX_FILE = 80, 600
EXEMPT = {("src/core/interp.c", "run")}  # its loop is one switch over all instructions
FOLDERS = ("include", "src", "maps", "helpers", "jit", "kprobe", "tools", "demo", "tests")


def functions(lines):
    """(name, lines from the first of its head to its closing brace)"""
    start = head = None
    for number, line in enumerate(lines):
        if start is None and line.startswith("{"):
            head = number - 1
            while head > 0 and re.match(r"[ \t]|.*[^;{}*/]$", lines[head - 1]) and lines[head - 1].strip():
                if lines[head - 1].startswith(("#", "/*", " *", "}")) or lines[head - 1].endswith((";", "*/", "{", "}")):
                    break
                head -= 1
            start = number
        elif start is not None and line.startswith("}"):
            name = re.search(r"(\w+)\s*\(", " ".join(lines[head:start]))
            yield (name.group(1) if name else "?"), number - head + 1
            start = None


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else 0


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    bad = 0
    print(f"{'folder':8} {'files':>5} {'lines':>6} {'longest':>7} {'functions':>9} {'median':>6} {'p95':>4} {'max':>4}")
    for top in FOLDERS:
        files, lengths = [], []
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if not name.endswith((".c", ".h", ".S")):
                    continue
                path = os.path.relpath(os.path.join(folder, name), root)
                with open(os.path.join(root, path), encoding="utf-8") as file:
                    lines = file.read().split("\n")[:-1]
                files.append(len(lines))
                if len(lines) > MAX_FILE and top != "tests":
                    bad += 1
                    print(f"{path}: {len(lines)} lines")
                for function, length in functions(lines) if name.endswith(".c") else ():
                    lengths.append(length)
                    if length > MAX_FUNCTION and top != "tests" and (path, function) not in EXEMPT:
                        bad += 1
                        print(f"{path}: {function}() has {length} lines")
        if files:
            print(f"{top:8} {len(files):5} {sum(files):6} {max(files):7} {len(lengths):9} {percentile(lengths, 0.5):6} "
                  f"{percentile(lengths, 0.95):4} {max(lengths, default=0):4}")
    print(f"{bad} too long")
    sys.exit(bad != 0)


main()
