/* SPDX-License-Identifier: MIT */
/* One program of an object through loader, verifier and compiler, in a library that was made for
 * it. */
#include "tools/bpf-check/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ebpf/object.h>

#include "jit/jit.h"
#include "src/core/prog.h"
#include "src/core/load_log.h"
#include "tests/os_host.h"
#include "tools/linux/linux.h"

#define LOG_SIZE (1u << 24)

/* The mock OS found that the library broke a hook's contract: that is a crash. */
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "bpf-check: %s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

/* mock_end() has looked for leaks already, and the sanitizer's search needs rights that not every
 * machine gives. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* ---- the last line --------------------------------------------------------------------------- */

/* Lines that say nothing about why. all: those too that say little. */
static bool is_noise(const char *line, size_t len, bool all)
{
    static const char *const starts[] = {"processed ", "verification time", "stack depth",
                                         "mark_precise"};
    static const char summary[] = "ebpf: object: program ";

    if (all && len >= strlen(summary) && !memcmp(line, summary, strlen(summary)))
        return true;

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (len >= strlen(starts[i]) && !memcmp(line, starts[i], strlen(starts[i])))
            return true;
    }
    return len == 0;
}

static bool last_line(const char *text, bool all, char out[VERDICT_LINE])
{
    size_t end = strlen(text);

    while (end) {
        size_t start = end;

        while (start && text[start - 1] != '\n')
            start--;
        if (!is_noise(text + start, end - start, all)) {
            snprintf(out, VERDICT_LINE, "%.*s", (int)(end - start), text + start);
            for (char *c = out; *c; c++)
                *c = *c == '\t' ? ' ' : *c;
            return true;
        }
        end = start ? start - 1 : 0;
    }
    return false;
}

/* "processed N insns": the last one, since there is one for each attempt. */
static uint64_t processed_in(const char *log)
{
    uint64_t count = 0;

    for (const char *at = strstr(log, "processed "); at; at = strstr(at + 1, "processed "))
        count = strtoull(at + strlen("processed "), NULL, 10);
    return count;
}

static void say(struct verdict *out, int err, const char *log)
{
    out->err = err;
    out->processed = processed_in(log);
    if (err && !last_line(log, true, out->line) && !last_line(mock_console(), true, out->line) &&
        !last_line(mock_console(), false, out->line))
        snprintf(out->line, sizeof(out->line), "%s", strerror(-err));
}

/* ---- the compiler ---------------------------------------------------------------------------- */

/* Encodes the program as for a kernel: a mistake in there is one of ours, and ends the process. */
static void encode(const struct ebpf_prog *prog, struct verdict *out)
{
    const uint64_t base = 0xffffffff80000000u;
    size_t size = 0, len = 0;
    int err = ebpf_jit_encode(&prog->code, base, NULL, 0, &size);
    uint8_t *buf = malloc(size + 1);

    if (!buf)
        abort();
    if (err == -ENOSPC)
        err = ebpf_jit_encode(&prog->code, base, buf, size, &len);
    free(buf);
    if (err)
        snprintf(out->line, sizeof(out->line), "accepted, but the compiler gives up: error %d",
                 -err);
}

/* ---- one program ----------------------------------------------------------------------------- */

static struct ebpf_object *open_object(const struct object *object, struct verdict *out)
{
    struct ebpf_object *obj;
    int err;

    mock_begin();
    mock_tai_ns = 1; /* a kernel that knows the date: bpf_ktime_get_tai_ns() is there */
    err = ebpf_object_open_mem(object->data, object->size, &obj);
    if (!err)
        return obj;
    say(out, err, "");
    mock_end();
    return NULL;
}

void list_programs(const struct object *object, FILE *out, struct verdict *why)
{
    struct ebpf_object *obj = open_object(object, why);

    if (!obj)
        return;
    for (struct ebpf_object_prog *p = ebpf_object_next_prog(obj, NULL); p;
         p = ebpf_object_next_prog(obj, p))
        fwrite(ebpf_object_prog_name(p), 1, strlen(ebpf_object_prog_name(p)) + 1, out);
    ebpf_object_close(obj);
    mock_end();
}

/* Only maps that the program names are made: the others may be of a kind that nobody here knows. */
static void choose_maps(struct ebpf_object *obj, struct ebpf_object_prog *prog)
{
    uint32_t count = 0, index = 0;
    const struct bpf_insn *insns = ebpf_object_prog_insns(prog, &count);

    for (struct ebpf_object_map *map = ebpf_object_next_map(obj, NULL); insns && map;
         map = ebpf_object_next_map(obj, map), index++) {
        bool used = false;

        for (uint32_t i = 0; i < count; i++)
            used |= insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) &&
                    (insns[i].src_reg == BPF_PSEUDO_MAP_IDX ||
                     insns[i].src_reg == BPF_PSEUDO_MAP_IDX_VALUE) &&
                    (uint32_t)insns[i].imm == index;
        ebpf_object_map_set_autocreate(map, used);
    }
}

/* Without --log, the log is only kept where the reason for a refusal is not said otherwise: keeping
 * one costs time, and it need not fit. */
static int load_logged(const struct options *options, struct ebpf_object *obj,
                       struct ebpf_object_prog *prog, char *log, struct verdict *out)
{
    int err;

    ebpf_object_prog_set_log(prog, options->log_level | EBPF_LOG_STATS, log, LOG_SIZE);
    err = ebpf_object_load(obj, EBPF_CAP_ALL);
    say(out, err, log);
    if (err && !options->log_level && !last_line(log, true, out->line)) {
        uint64_t processed = out->processed;

        ebpf_object_prog_set_log(prog, EBPF_LOG_LEVEL1 | EBPF_LOG_STATS, log, LOG_SIZE);
        if (ebpf_object_load(obj, EBPF_CAP_ALL) != 0)
            say(out, err, log);
        out->processed = processed;
    }
    return err;
}

static void load_only(const struct options *options, struct ebpf_object *obj,
                      struct ebpf_object_prog *prog, char *log, struct verdict *out)
{
    uint32_t type = options->type ? options->type : ebpf_object_prog_type(prog);

    for (struct ebpf_object_prog *p = ebpf_object_next_prog(obj, NULL); p;
         p = ebpf_object_next_prog(obj, p))
        ebpf_object_prog_set_autoload(p, p == prog);
    ebpf_object_prog_set_type(prog, type);
    ebpf_object_prog_set_flags(prog, ebpf_object_prog_flags(prog) | options->flags);
    if (options->linux_tables)
        ebpf_object_core_as_compiled(obj);
    tables_set_program(type, ebpf_object_prog_attach_type(prog));
    choose_maps(obj, prog);
    if (!load_logged(options, obj, prog, log, out))
        encode(ebpf_object_prog_prog(prog), out);
}

void check_program(const struct options *options, const struct object *object, const char *name,
                   struct verdict *out)
{
    struct ebpf_object *obj = open_object(object, out);
    char *log = calloc(1, LOG_SIZE);

    if (!log)
        abort();
    if (!obj)
        return;
    load_only(options, obj, ebpf_object_find_prog(obj, name), log, out);
    if (options->log_level)
        fputs(log, stderr);
    ebpf_object_close(obj);
    mock_end();
    free(log);
}
