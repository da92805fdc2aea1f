/* SPDX-License-Identifier: MIT */
/*
 * bpf-run: runs one BPF program, on the interpreter or as RV64 code, and prints r0. It speaks the
 * plugin protocol of bpf_conformance: the program's bytes as hex on stdin, the memory that r1
 * points to as hex in the first argument.
 *
 *     bpf-run [MEM] [--interpret | --jit] [--dump] [--program HEX]
 *
 * Where the tool itself is RV64 code, --jit is the default, else --interpret. --dump shows the
 * program and the RV64 code for it instead of running it. The program is checked as the library
 * checks what it loads, but not for what Linux refuses beyond that (shift amounts out of range are
 * masked, callx calls the helper of that number).
 */
#include "tools/bpf-run/disasm.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jit/jit.h"
#include "jit/opt/ir.h"
#include "src/core/prog.h"

struct options {
    const char *mem, *program;
    bool jit, dump;
};

struct bytes {
    uint8_t *data;
    size_t len;
};

/* The host's tool is built with sanitizers; what is left at exit is the system's to clean up, and
 * looking for it needs rights that not every machine gives. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static void die(const char *why, const char *what)
{
    fprintf(stderr, "bpf-run: %s%s\n", why, what);
    exit(1);
}

/* ---- input ----------------------------------------------------------------------------------- */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Pairs of hex digits, with any blanks between them. */
static struct bytes from_hex(const char *text)
{
    struct bytes out = {malloc(strlen(text) / 2 + 1), 0};

    if (!out.data)
        die("no memory", "");
    for (;;) {
        text += strspn(text, " \t\r\n");
        if (!*text)
            return out;
        if (digit(text[0]) < 0 || digit(text[1]) < 0)
            die("not pairs of hex digits: ", text);
        out.data[out.len++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
        text += 2;
    }
}

static char *read_all(FILE *file)
{
    size_t room = 65536, len = 0, got;
    char *text = malloc(room);

    while (text && (got = fread(text + len, 1, room - len - 1, file)) > 0) {
        len += got;
        if (len + 1 == room)
            text = realloc(text, room *= 2);
    }
    if (!text)
        die("no memory", "");
    text[len] = 0;
    return text;
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.jit = sizeof(void *) == 8};
    int i = 1;

#if !defined(__riscv)
    o.jit = false;
#endif
    if (argc > 1 && strncmp(argv[1], "--", 2) != 0)
        o.mem = argv[i++];
    for (; i < argc; i++) {
        if (!strcmp(argv[i], "--interpret"))
            o.jit = false;
        else if (!strcmp(argv[i], "--jit"))
            o.jit = true;
        else if (!strcmp(argv[i], "--dump"))
            o.dump = true;
        else if (!strcmp(argv[i], "--program") && i + 1 < argc)
            o.program = argv[++i];
        else if (argv[i][0]) /* the runner makes empty arguments of double blanks */
            die("unknown argument: ", argv[i]);
    }
    return o;
}

/* The library frees what it gets with its own hooks, which are malloc() and free() here. */
static struct ebpf_code take_code(const struct options *o)
{
    struct bytes bytes = from_hex(o->program ? o->program : read_all(stdin));
    struct ebpf_code code = {.insns = (struct bpf_insn *)(void *)bytes.data};

    if (!bytes.len || bytes.len % sizeof(struct bpf_insn) ||
        bytes.len / sizeof(struct bpf_insn) > EBPF_CONFIG_MAX_INSNS)
        die("the program is not a whole number of instructions, or too long", "");
    code.insn_cnt = (uint32_t)(bytes.len / sizeof(struct bpf_insn));
    return code;
}

static void refuse_maps(const struct ebpf_code *code)
{
    for (uint32_t i = 0; i < code->insn_cnt; i++) {
        if (code->insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
            continue;
        if (code->insns[i].src_reg)
            die("there are no maps, functions or variables to load addresses of", "");
        i++;
    }
}

/* ---- output ---------------------------------------------------------------------------------- */

static void dump_bpf(const struct ebpf_code *code)
{
    char text[96];
    unsigned slots;

    for (uint32_t i = 0; i < code->insn_cnt; i += slots) {
        slots = disasm(&code->insns[i], code->insn_cnt - i, text, sizeof(text));
        printf("%8" PRIu32 ":\t%s\n", i, text);
    }
}

static void show_pass(const struct ebpf_ir_trace *trace, const char *pass,
                      const struct ebpf_ir_fn *fn)
{
    char text[128];

    (void)trace;
    printf("# function %" PRIu32 " after %s\n", fn->subprog, pass);
    for (uint32_t i = 0; i < fn->list.cnt; i++) {
        ebpf_ir_print(&fn->list.ops[i], text, sizeof(text));
        printf("%s%s\n", fn->list.ops[i].code == IR_LABEL ? "" : "    ", text);
    }
}

/* The compiler's operations after each of its passes (docs/JIT.md). */
static void dump_passes(const struct ebpf_code *code)
{
    const struct ebpf_ir_trace trace = {show_pass};
    int err = ebpf_jit_trace(code, &trace);

    if (err)
        printf("# the compiler gives up: error %d\n", err);
}

/* Each parcel as a line that an assembler takes; objdump makes mnemonics of them. */
static void dump_rv64(const struct ebpf_code *code)
{
    const uint64_t base = 0x10000;
    size_t len = 0, room = 0;
    uint8_t *buf = NULL;
    int err;

    while ((err = ebpf_jit_encode(code, base, buf, room, &len)) == -ENOSPC) {
        room = len;
        buf = realloc(buf, room);
    }
    if (err) {
        printf("# the compiler gives up: error %d\n", err);
        return;
    }
    printf("# %zu bytes of RV64 code, for extensions %#x\n", len, (unsigned)ebpf_os_isa());
    for (size_t i = 0; i + 2 <= len;) {
        bool wide = (buf[i] & 3) == 3;
        uint32_t low = buf[i] | (uint32_t)buf[i + 1] << 8;

        if (wide && i + 4 <= len)
            printf("    .4byte 0x%08" PRIx32 "\t# %zx\n",
                   low | (uint32_t)buf[i + 2] << 16 | (uint32_t)buf[i + 3] << 24, i);
        else
            printf("    .2byte 0x%04" PRIx32 "\t# %zx\n", low, i);
        i += wide ? 4 : 2;
    }
    free(buf);
}

/* ---- running --------------------------------------------------------------------------------- */

/* r1 and r2 are the memory and its length. */

/* The interpreter is entered with r1 only: an instruction in front of the checked program sets
 * r2. */
static uint64_t run_interp(const struct ebpf_code *code, const struct bytes *mem)
{
    const struct bpf_insn head = {
        .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = (int32_t)mem->len};
    struct ebpf_code with_head = *code;
    uint64_t r0;

    with_head.insn_cnt++;
    with_head.insns = malloc(with_head.insn_cnt * sizeof(head));
    if (!with_head.insns)
        die("no memory", "");
    with_head.insns[0] = head;
    memcpy(with_head.insns + 1, code->insns, code->insn_cnt * sizeof(head));
    r0 = ebpf_interp(&with_head, mem->len ? mem->data : NULL);
    free(with_head.insns);
    return r0;
}

/* Compiled code takes r1 and r2 where C passes the first two arguments. */
static uint64_t run_jit(const struct ebpf_code *code, const struct bytes *mem)
{
    struct ebpf_jit_image image;
    union {
        void *mem;
        uint64_t (*fn)(void *mem, uint64_t len);
    } entry;
    int err = ebpf_jit_compile(code, &image);
    uint64_t r0;

    if (err)
        die("the JIT gives up: ", err == -EOPNOTSUPP ? "not supported" : "no memory, or too long");
    entry.mem = image.mem;
    r0 = entry.fn(mem->len ? mem->data : NULL, mem->len);
    ebpf_jit_free(&image);
    return r0;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct bytes mem = from_hex(o.mem ? o.mem : "");
    struct ebpf_code code = take_code(&o);

    if (o.dump)
        dump_bpf(&code);
    refuse_maps(&code);
    if (ebpf_code_check(&code, NULL, true, EBPF_CAP_ALL))
        return 1; /* the library has said why */
    if (o.dump) {
        dump_passes(&code);
        dump_rv64(&code);
    } else {
        printf("%" PRIx64 "\n", (o.jit ? run_jit : run_interp)(&code, &mem));
    }
    ebpf_code_fini(&code);
    free(mem.data);
    return 0;
}
