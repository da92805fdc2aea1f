# SPDX-License-Identifier: MIT
"""The notation of the vectors in *.data, and how it becomes bytes (RFC 9669, section 3 and the following).

Instructions stand on lines of their own, or with ';' between them; what follows '#' is a comment. W is a width: nothing is 64 bits, 32 is 32 bits.

    add W   dst, src|imm          also sub mul div mod sdiv smod or and xor lsh rsh arsh mov: add r1, 5; add32 r1, r2
    neg W   dst                   neg r1
    movsx8 W, movsx16 W, movsx32  dst, src: movsx8 r1, r2; movsx832 r1, r2 moves to 32 bits
    le16 le32 le64 be16 be32 be64 bswap16 bswap32 bswap64     dst
    lddw    dst, imm64            two slots
    ldx SZ  dst, [src+off]        SZ: b h w dw; ldxsb ldxsh ldxsw extend the sign
    st SZ   [dst+off], imm        stx SZ [dst+off], src
    atomic W OP [dst+off], src    OP: add or and xor, fetch_add fetch_or fetch_and fetch_xor, xchg cmpxchg: atomic32 add [r1], r2
    load_acq SZ dst, [src+off]    load_acqw r0, [r1]
    store_rel SZ [dst+off], src
    ja T; gotol T; may_goto T     T: a label, or +n, -n slots from the next instruction
    jeq W   dst, src|imm, T       also jne jgt jge jlt jle jset jsgt jsge jslt jsle
    call N; call T; callx reg     N: a helper's number; T: a function of the program
    exit
    raw CODE DST SRC OFF IMM      any fields, as numbers
    label:

Two more make several instructions of one line:

    repeat N INSTRUCTION          N times the same (a jump in it has no label)
    expect reg, value             if reg is something else, the program ends with r0 = 1 for the first such line, 2 for the
                                  second, ...: lddw r9, value; jeq reg, r9, +2; mov r0, n; exit
"""
import re
import struct

ALU = {"add": 0x00, "sub": 0x10, "mul": 0x20, "div": 0x30, "or": 0x40, "and": 0x50, "lsh": 0x60, "rsh": 0x70,
       "mod": 0x90, "xor": 0xA0, "mov": 0xB0, "arsh": 0xC0}
JUMP = {"jeq": 0x10, "jgt": 0x20, "jge": 0x30, "jset": 0x40, "jne": 0x50, "jsgt": 0x60, "jsge": 0x70, "jlt": 0xA0,
        "jle": 0xB0, "jslt": 0xC0, "jsle": 0xD0}
SIZE = {"w": 0x00, "h": 0x08, "b": 0x10, "dw": 0x18}
ATOMIC = {"add": 0x00, "or": 0x40, "and": 0x50, "xor": 0xA0, "fetch_add": 0x01, "fetch_or": 0x41, "fetch_and": 0x51,
          "fetch_xor": 0xA1, "xchg": 0xE1, "cmpxchg": 0xF1}


class Error(Exception):
    pass


def number(text):
    if not re.fullmatch(r"[+-]?(0x[0-9a-f]+|[0-9]+)", text):
        raise Error(f"not a number: {text}")
    return int(text, 0)


def imm32(value):
    """Immediates are written signed or unsigned, and must fit 32 bits in one of the two."""
    if not -0x80000000 <= value <= 0xFFFFFFFF:
        raise Error(f"immediate does not fit 32 bits: {value}")
    return value & 0xFFFFFFFF


def register(text):
    match = re.fullmatch(r"r([0-9]|10)", text)
    if not match:
        raise Error(f"not a register: {text}")
    return int(match.group(1))


def is_register(text):
    return re.fullmatch(r"r[0-9]+", text) is not None


def place(text):
    match = re.fullmatch(r"\[(r[0-9]+)\s*([+-]\s*[0-9a-fx]+)?\]", text)
    if not match:
        raise Error(f"not a place in memory: {text}")
    return register(match.group(1)), number((match.group(2) or "0").replace(" ", ""))


def slot(code, dst=0, src=0, off=0, imm=0):
    if not -0x8000 <= off <= 0x7FFF:
        raise Error(f"offset does not fit 16 bits: {off}")
    return struct.pack("<BBhI", code, src << 4 | dst, off, imm32(imm))


def operand(text):
    """(X or K, src, imm)"""
    return (0x08, register(text), 0) if is_register(text) else (0x00, 0, number(text))


class Assembler:
    def __init__(self, lines):
        self.labels = {}
        for final in (False, True):
            self.final = final
            self.out = bytearray()
            self.expected = 0
            for line in lines:
                for part in line.split("#")[0].split(";"):
                    self.line(part.strip())

    def line(self, text):
        if not text:
            return
        if text.endswith(":"):
            self.labels[text[:-1]] = len(self.out) // 8
            return
        name, _, rest = text.partition(" ")
        args = [a.strip() for a in rest.split(",")] if rest.strip() else []
        try:
            if name == "repeat":
                count, _, again = rest.strip().partition(" ")
                start = len(self.out)
                self.line(again)
                self.out += bytes(self.out[start:]) * (number(count) - 1)
            elif name == "expect":
                self.expect(args[0], args[1])
            else:
                self.out += self.instruction(name, args)
        except (Error, IndexError, struct.error, KeyError, TypeError, ValueError) as error:
            raise Error(f"{text}: {error}") from None

    def expect(self, reg, value):
        self.expected += 1
        for line in (f"lddw r9, {value}", f"jeq {reg}, r9, +2", f"mov r0, {self.expected}", "exit"):
            self.line(line)

    def target(self, text):
        if re.fullmatch(r"[+-][0-9]+", text):
            return int(text)
        if text not in self.labels and self.final:
            raise Error(f"no such label: {text}")
        return self.labels.get(text, 0) - len(self.out) // 8 - 1

    def instruction(self, name, args):
        for method in (self.fixed, self.alu, self.jump, self.memory, self.atomic):
            out = method(name, args)
            if out is not None:
                return out
        raise Error("no such instruction")

    def fixed(self, name, args):
        if name == "exit" and not args:
            return slot(0x95)
        if name == "lddw":
            value = number(args[1]) & 0xFFFFFFFFFFFFFFFF
            return slot(0x18, register(args[0]), 0, 0, value & 0xFFFFFFFF) + slot(0, 0, 0, 0, value >> 32)
        if name == "call":
            if re.fullmatch(r"[0-9]+", args[0]):
                return slot(0x85, 0, 0, 0, number(args[0]))
            return slot(0x85, 0, 1, 0, self.target(args[0]))
        if name == "callx":
            return slot(0x8D, register(args[0]))
        if name == "raw":
            code, dst, src, off, imm = (number(a) for a in args[0].split())
            return slot(code, dst, src, off, imm)
        return None

    def alu(self, name, args):
        match = re.fullmatch(r"(le|be|bswap)(16|32|64)", name)
        if match:
            code = {"le": 0xD4, "be": 0xDC, "bswap": 0xD7}[match.group(1)]
            return slot(code, register(args[0]), 0, 0, int(match.group(2)))
        match = re.fullmatch(r"movsx(8|16|32)(32)?", name)
        if match and (match.group(1), match.group(2)) != ("32", "32"):
            return slot(0xBC if match.group(2) else 0xBF, register(args[0]), register(args[1]), int(match.group(1)))
        match = re.fullmatch(r"neg(32)?", name)
        if match:
            return slot(0x84 if match.group(1) else 0x87, register(args[0]))
        match = re.fullmatch(r"(s?)([a-z]+)(32)?", name)
        if not match or match.group(1) + match.group(2) not in ALU and match.group(2) not in ("div", "mod"):
            return None
        plain = match.group(1) + match.group(2)
        op = ALU.get(plain, ALU.get(match.group(2)))
        mode, src, imm = operand(args[1])
        off = 1 if plain in ("sdiv", "smod") else 0
        return slot((0x04 if match.group(3) else 0x07) | op | mode, register(args[0]), src, off, imm)

    def jump(self, name, args):
        if name == "ja":
            return slot(0x05, 0, 0, self.target(args[0]))
        if name == "gotol":
            return slot(0x06, 0, 0, 0, self.target(args[0]))
        if name == "may_goto":
            return slot(0xE5, 0, 0, self.target(args[0]))
        match = re.fullmatch(r"(j[a-z]+)(32)?", name)
        if not match or match.group(1) not in JUMP:
            return None
        mode, src, imm = operand(args[1])
        code = (0x06 if match.group(2) else 0x05) | JUMP[match.group(1)] | mode
        return slot(code, register(args[0]), src, self.target(args[2]), imm)

    def memory(self, name, args):
        match = re.fullmatch(r"(ldxs|ldx|stx|st|load_acq|store_rel)(b|h|w|dw)", name)
        if not match:
            return None
        kind, size = match.group(1), SIZE[match.group(2)]
        if kind in ("ldx", "ldxs", "load_acq"):
            reg, off = place(args[1])
            code, imm = {"ldx": (0x61, 0), "ldxs": (0x81, 0), "load_acq": (0xC3, 0x100)}[kind]
            return slot(code | size, register(args[0]), reg, off, imm)
        reg, off = place(args[0])
        if kind == "st":
            return slot(0x62 | size, reg, 0, off, number(args[1]))
        code, imm = {"stx": (0x63, 0), "store_rel": (0xC3, 0x110)}[kind]
        return slot(code | size, reg, register(args[1]), off, imm)

    def atomic(self, name, args):
        match = re.fullmatch(r"atomic(32)?", name)
        if not match:
            return None
        op, _, where = args[0].partition(" ")
        reg, off = place(where.strip())
        return slot(0xC3 if match.group(1) else 0xDB, reg, register(args[1]), off, ATOMIC[op])


def assemble(lines):
    return bytes(Assembler(lines).out)
