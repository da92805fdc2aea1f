#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""uapi_names.py INCLUDE: compares include/ebpf/uapi.h and errno.h with the system's <linux/bpf.h> and <errno.h>.

Reads every name out of our headers (INCLUDE is the folder that holds ebpf/): macros, enum constants, types, fields at any
depth; writes one C program that prints a number for each; compiles it against our header and against the system's; compares.
A name that the system does not know, because its header is older, is printed as a SKIP line. Last line: the counts.
"""
import os
import re
import subprocess
import sys
import tempfile

# Fields of ours that stand for room, not for a name of Linux's.
OURS_ONLY = {"struct bpf_link_info.reserved"}
# Unions and structs whose size grows from one Linux release to the next by fields at their end.
MISSING = re.compile(r"undeclared|has no member named|incomplete|invalid application of .sizeof.|storage size of|"
                     r"invalid use of undefined type")


def strip(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    return text.replace("\\\n", " ")


class Probes:
    """label -> C statement that prints the label and its number"""

    def __init__(self):
        self.lines = {}
        self.structs = {}  # probe of a size -> probes of the fields inside

    def value(self, label, expression):
        self.lines[label] = f'printf("%s %lld\\n", "{label}", (long long)({expression}));'

    def add_macro(self, name, args):
        if args is None:
            self.value(name, name)
        else:  # of one argument: its value for each byte
            self.lines[name + "()"] = (f'printf("%s", "{name}()"); for (int i = 0; i < 256; i++) '
                                       f'printf(" %d", (int)({name}(i))); puts("");')

    def add_bits(self, type_name, path):
        self.lines[f"bits {type_name}.{path}"] = (
            f'{{ {type_name} x; memset(&x, 0, sizeof(x)); x.{path} = ~0u; printf("%s ", "bits {type_name}.{path}"); '
            f'for (unsigned i = 0; i < sizeof(x); i++) printf("%02x", ((unsigned char *)&x)[i]); puts(""); }}')

    def add_field(self, type_name, path):
        if f"{type_name}.{path}" in OURS_ONLY:
            return
        self.value(f"offset {type_name}.{path}", f"offsetof({type_name}, {path})")
        self.value(f"size {type_name}.{path}", f"sizeof((({type_name} *)0)->{path})")
        self.structs[f"size {type_name}"].append(f"size {type_name}.{path}")


def parse_body(tokens, type_name, prefix, probes):
    """The fields behind '{' up to its '}'; tokens is consumed from the front."""
    while tokens[0] != "}":
        if tokens[0] in ("struct", "union") and tokens[1] == "{":
            del tokens[:2]
            inner = tokens_until_close(tokens)
            named = tokens.pop(0) if tokens[0] != ";" else None
            expect(tokens, ";")
            if named:
                probes.add_field(type_name, prefix + named)
            parse_body(inner, type_name, prefix + named + "." if named else prefix, probes)
            continue
        declaration = []
        while tokens[0] != ";":
            declaration.append(tokens.pop(0))
        expect(tokens, ";")
        parse_fields(declaration[1:], type_name, prefix, probes)


def parse_fields(words, type_name, prefix, probes):
    """What stands behind the type of one declaration: names, arrays, bit-fields."""
    for one in " ".join(words).split(","):
        match = re.fullmatch(r"(\w+)?\s*(\[ \w+ \])?\s*(: \d+)?", one.strip())
        if not match:
            sys.exit(f"cannot read the declaration {words} in {type_name}")
        name, _, bits = match.groups()
        if name and bits:
            probes.add_bits(type_name, prefix + name)
        elif name:
            probes.add_field(type_name, prefix + name)


def tokens_until_close(tokens):
    depth, inner = 1, []
    while depth:
        word = tokens.pop(0)
        depth += {"{": 1, "}": -1}.get(word, 0)
        inner.append(word)
    return inner


def expect(tokens, word):
    if tokens.pop(0) != word:
        sys.exit(f"'{word}' expected before {tokens[:5]}")


def parse_header(text, probes):
    text = strip(text)
    code = []
    for line in text.splitlines():
        macro = re.match(r"\s*#\s*define\s+(\w+)(\(\w+\))?[ \t]+\S", line)
        if macro:
            probes.add_macro(macro.group(1), macro.group(2))
        elif not line.lstrip().startswith("#"):
            code.append(line)
    tokens = re.findall(r"\w+|[^\s\w]", "\n".join(code))
    while tokens:
        word = tokens.pop(0)
        if word == "enum":
            tag = tokens.pop(0)
            if tag != "{":
                probes.value(f"size enum {tag}", f"sizeof(enum {tag})")
                expect(tokens, "{")
            for item in " ".join(tokens_until_close(tokens)[:-1]).split(","):
                if item.strip():
                    name = item.split()[0]
                    probes.value(name, name)
        elif word in ("struct", "union"):
            type_name = f"{word} {tokens.pop(0)}"
            expect(tokens, "{")
            probes.value(f"size {type_name}", f"sizeof({type_name})")
            probes.structs[f"size {type_name}"] = []
            parse_body(tokens_until_close(tokens), type_name, "", probes)
        elif word != ";" and word != "__attribute__":
            sys.exit(f"cannot read '{word}' before {tokens[:5]}")
        while tokens and tokens[0] in ("__attribute__", "(", ")", "aligned", "8", ";"):
            tokens.pop(0)


def check_complete(text, probes):
    """Every identifier of the header must occur in a probe: the parser may not lose one."""
    known = set(re.findall(r"\w+", " ".join(probes.lines)))
    known.update(re.findall(r"\w+", " ".join(OURS_ONLY)))
    words = set(re.findall(r"[A-Za-z_]\w*", re.sub(r"#\s*(include|ifndef|endif|if|define EBPF_\w+_H).*", " ", strip(text))))
    words -= {"define", "struct", "union", "enum", "char", "__attribute__", "aligned", "code", "u", "ull"}
    words = {w for w in words if not re.fullmatch(r"u?int\d+_t|EBPF_\w+_H|x[0-9a-f]+", w)}
    if words - known:
        sys.exit(f"the parser lost {sorted(words - known)}")


def program(include, probes, left_out):
    lines = ["#include <stddef.h>", "#include <stdint.h>", "#include <stdio.h>", "#include <string.h>"]
    lines += [f"#include {name}" for name in include]
    lines.append("int main(void) {")
    first = len(lines) + 1
    where = {}
    for label, code in probes.lines.items():
        if label not in left_out:
            where[first + len(where)] = label
            lines.append(code)
    return "\n".join(lines + ["return 0; }", ""]), where


def numbers(flags, include, probes, may_miss):
    """label -> what the program prints; and the labels that the header does not know"""
    missing = set()
    with tempfile.TemporaryDirectory() as folder:
        source, binary = os.path.join(folder, "p.c"), os.path.join(folder, "p")
        while True:
            text, where = program(include, probes, missing)
            with open(source, "w", encoding="ascii") as file:
                file.write(text)
            result = subprocess.run([os.environ.get("HOSTCC", "gcc"), "-std=gnu11", "-w", *flags, source, "-o", binary],
                                    capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
            if result.returncode == 0:
                break
            errors = re.findall(r"p\.c:(\d+):\d+: error: (.*)", result.stderr)
            lost = {where[int(line)] for line, why in errors if int(line) in where and MISSING.search(why)}
            if not may_miss or not lost:
                sys.exit("the probe does not compile:\n" + result.stderr[:3000])
            missing |= lost
        output = subprocess.run([binary], check=True, capture_output=True, text=True).stdout
    values = {}
    for label in sorted(probes.lines, key=len, reverse=True):
        values[label] = None
    for line in output.splitlines():
        label = next(l for l in values if line.startswith(l + " "))
        values[label] = line[len(label) + 1:]
    return values, missing


def is_older(label, ours, theirs, probes, missing):
    """Sizes may differ where the system's header has fields less than ours (older Linux, smaller)."""
    lacks = any(field in missing for field in probes.structs.get(label, []))
    return lacks and int(theirs) < int(ours)


def is_newer(label, ours, theirs, probes, version):
    return label in probes.structs and int(theirs) > int(ours) and version > (6 << 16 | 1 << 8 | 255)


def compare(header, system, include, counts):
    with open(os.path.join(include, header), encoding="ascii") as file:
        text = file.read()
    probes = Probes()
    parse_header(text, probes)
    check_complete(text, probes)
    mine, _ = numbers(["-I" + include], [f'<{header}>'], probes, False)
    probes.value("LINUX_VERSION_CODE", "LINUX_VERSION_CODE")
    theirs, missing = numbers([], [system, "<linux/version.h>"], probes, True)
    version = int(theirs["LINUX_VERSION_CODE"])
    for label, value in mine.items():
        other = theirs[label]
        if label in missing or value is None:
            counts["skipped"] += 1
            print(f"SKIP {label}: the system's {system} does not have it")
        elif value == other:
            counts["passed"] += 1
        elif is_older(label, value, other, probes, missing) or is_newer(label, value, other, probes, version):
            counts["skipped"] += 1
            print(f"SKIP {label}: {value} here, {other} in the system's {system}, which is of another release")
        else:
            counts["failed"] += 1
            print(f"FAIL {label}: {value} here, {other} in the system's {system}")


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    compare("ebpf/uapi.h", "<linux/bpf.h>", sys.argv[1], counts)
    compare("ebpf/errno.h", "<errno.h>", sys.argv[1], counts)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    sys.exit(counts["failed"] != 0)


main()
