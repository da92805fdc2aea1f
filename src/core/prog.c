/* SPDX-License-Identifier: MIT */
/*
 * Loading a program: copy, structural check, map references, verifier, context accesses, JIT. One
 * way, context T; the program becomes visible only when all of it has worked.
 */
#include "src/core/prog.h"

#include "jit/jit.h"
#include "maps/map.h"
#include "src/base/alloc.h"
#include "src/base/bits.h"
#include "src/base/log.h"
#include "src/base/sha1.h"
#include "src/core/load.h"
#include "src/core/load_log.h"
#include "src/core/user.h"
#include "src/verifier/verifier.h"

/* Linux: MAX_USED_MAPS */
#define MAX_MAPS 64u

/* include/linux/license.h names the same strings. */
bool ebpf_license_is_gpl(const char *license)
{
    static const char *const compatible[] = {
        "GPL",          "GPL v2",       "GPL and additional rights",
        "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL",
    };

    for (size_t i = 0; i < EBPF_ARRAY_SIZE(compatible); i++) {
        if (ebpf_streq(license, compatible[i]))
            return true;
    }
    return false;
}

/* Linux's bpf_obj_name_cpy(): letters, digits, '_' and '.', then zeros to the end. */
bool ebpf_name_ok(const char name[BPF_OBJ_NAME_LEN])
{
    size_t len = ebpf_strnlen(name, BPF_OBJ_NAME_LEN);

    if (len == BPF_OBJ_NAME_LEN || !ebpf_all_zero(name + len, BPF_OBJ_NAME_LEN - len))
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.'))
            return false;
    }
    return true;
}

/* The tag names the program whatever numbers its maps happen to have: Linux's bpf_prog_calc_tag().
 * Uses the program's own copy before the references are resolved, and puts them back. */
static int calc_tag(struct ebpf_prog *prog)
{
    size_t size = prog->code.insn_cnt * sizeof(struct bpf_insn);
    struct bpf_insn *copy = ebpf_memdup(prog->code.insns, size);
    uint8_t digest[20];

    if (!copy)
        return -ENOMEM;
    for (uint32_t i = 0; i < prog->code.insn_cnt; i++) {
        if (copy[i].code == (BPF_LD | BPF_IMM | BPF_DW)) {
            if (copy[i].src_reg && copy[i].src_reg != BPF_PSEUDO_FUNC)
                copy[i].imm = copy[i + 1].imm = 0;
            i++;
        }
    }
    ebpf_sha1(copy, size, digest);
    memcpy(prog->tag, digest, sizeof(prog->tag));
    ebpf_free(copy, size);
    return 0;
}

/* ---- map references -------------------------------------------------------------------------- */

/* Puts the reference of the caller, a user's, and holds one of the program's own. */
static int hold_map(struct ebpf_prog *prog, struct ebpf_map *map)
{
    for (uint32_t i = 0; i < prog->map_cnt; i++) {
        if (prog->maps[i] == map) {
            ebpf_obj_put(&map->obj);
            return 0;
        }
    }
    if (prog->map_cnt == MAX_MAPS) {
        ebpf_obj_put(&map->obj);
        return ebpf_code_reject(&prog->code, -E2BIG,
                                "The total number of maps per program has reached the limit of %u",
                                MAX_MAPS);
    }
    ebpf_obj_hold(&map->obj);
    prog->maps[prog->map_cnt++] = map;
    ebpf_obj_put(&map->obj);
    return 0;
}

/* One LD_IMM64 that names a map: from an fd or an index to an address. */
static int resolve_map(struct ebpf_prog *prog, struct bpf_insn *insn, const struct ebpf_load *load)
{
    bool by_index =
        insn->src_reg == BPF_PSEUDO_MAP_IDX || insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE;
    bool value = insn->src_reg == BPF_PSEUDO_MAP_VALUE || insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE;
    unsigned at = (unsigned)(insn - prog->code.insns);
    struct ebpf_map *map;
    uint64_t addr;
    int err = load->find_map(load, by_index, insn->imm, &map);

    if (err)
        return ebpf_code_reject(&prog->code, err, "insn %u: %s %d is not pointing to valid bpf_map",
                                at, by_index ? "map index" : "fd", insn->imm);
    err = hold_map(prog, map);
    if (err)
        return err;
    addr = (uint64_t)(uintptr_t)map;
    if (value) {
        err = map->ops->value_addr ? map->ops->value_addr(map, (uint32_t)insn[1].imm, &addr)
                                   : -EINVAL;
        if (err)
            return ebpf_code_reject(
                &prog->code, err,
                "insn %u: invalid access to map value pointer, value_size=%u off=%u", at,
                map->value_size, (uint32_t)insn[1].imm);
    }
    insn->src_reg = value ? BPF_PSEUDO_MAP_VALUE : BPF_PSEUDO_MAP_FD;
    ebpf_insn_set_imm64(insn, addr);
    return 0;
}

static int resolve_maps(struct ebpf_prog *prog, const struct ebpf_load *load)
{
    prog->maps = ebpf_calloc(MAX_MAPS, sizeof(*prog->maps));
    if (!prog->maps)
        return -ENOMEM;
    for (uint32_t i = 0; i < prog->code.insn_cnt; i++) {
        struct bpf_insn *insn = &prog->code.insns[i];
        int err = 0;

        if (insn->code != (BPF_LD | BPF_IMM | BPF_DW))
            continue;
        if (insn->src_reg && insn->src_reg != BPF_PSEUDO_FUNC)
            err = resolve_map(prog, insn, load);
        if (err)
            return err;
        i++;
    }
    prog->code.maps = prog->maps;
    prog->code.map_cnt = prog->map_cnt;
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void prog_free(struct ebpf_prog *prog)
{
    ebpf_jit_free(&prog->jit);
    for (uint32_t i = 0; i < prog->map_cnt; i++)
        ebpf_obj_drop(&prog->maps[i]->obj);
    ebpf_free(prog->maps, MAX_MAPS * sizeof(*prog->maps));
    ebpf_prog_btf_free(prog);
    ebpf_free(prog->stats, ebpf_os_cpu_count() * sizeof(*prog->stats));
    ebpf_code_fini(&prog->code);
    ebpf_free(prog, sizeof(*prog));
}

static void prog_destroy(struct ebpf_obj *obj)
{
    prog_free(ebpf_prog_of(obj));
}

/* Without the JIT, or where it gives up, the interpreter runs the program; only memory is worth a
 * word. */
static void compile(struct ebpf_prog *prog)
{
    union {
        void *mem;
        ebpf_prog_entry entry;
    } code;
    int err;

    err = ebpf_jit_compile(&prog->code, &prog->jit);
    code.mem = prog->jit.mem;
    prog->entry = prog->jit.mem ? code.entry : ebpf_prog_interpret;
    if (err && err != -EOPNOTSUPP)
        ebpf_log("ebpf: no JIT for program %s (%d), the interpreter runs it", prog->name, err);
}

/* As Linux's bpf_check_tail_call(): a program array serves programs of one kind. */
static int own_arrays(struct ebpf_prog *prog)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < prog->map_cnt; i++) {
        struct ebpf_map *map = prog->maps[i];

        if (map->ops->objects && map->ops->objects->own)
            err = map->ops->objects->own(map, ebpf_prog_kind(&prog->obj));
    }
    return err ? ebpf_code_reject(&prog->code, err,
                                  "a program array is for programs of another kind")
               : 0;
}

/* Linux's can_be_sleepable(), of the types that exist here: for uprobes; links refuse to put such a
 * program on a kprobe. */
static int check_sleepable(const struct ebpf_prog *prog)
{
    if (!(prog->load_flags & BPF_F_SLEEPABLE) || prog->type->id == BPF_PROG_TYPE_KPROBE ||
        prog->type->id == BPF_PROG_TYPE_SYSCALL)
        return 0;
    return ebpf_code_reject(&prog->code, -EINVAL,
                            "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops "
                            "programs can be sleepable");
}

#if EBPF_CONFIG_VERIFIER
/* What was left to the verifier is dead code, and gone: the engines' own check has the last
 * word. */
static int check_again(struct ebpf_prog *prog)
{
    struct ebpf_code *code = &prog->code;

    ebpf_free(code->subprogs, code->subprog_cnt * sizeof(*code->subprogs));
    code->subprogs = NULL;
    code->subprog_cnt = 0;
    code->verifier_next = false;
    return ebpf_code_check(code, prog->type, prog->gpl, prog->caps);
}

static int verify(struct ebpf_prog *prog)
{
    int err = ebpf_verify(prog);

    return err || !prog->code.deferred ? err : check_again(prog);
}
#else
static int verify(struct ebpf_prog *prog)
{
    (void)prog;
    return -EPERM; /* never called: verifier_next is false */
}
#endif

static int prepare(struct ebpf_prog *prog, const struct ebpf_load *load)
{
    int err = ebpf_prog_btf_take(prog, load);

    prog->code.verifier_next = EBPF_CONFIG_VERIFIER && !load->unverified;
    if (!err)
        err = ebpf_code_check(&prog->code, prog->type, prog->gpl, prog->caps);
    if (!err)
        err = ebpf_prog_btf_check(prog);
    if (!err)
        err = check_sleepable(prog);
    if (!err)
        err = calc_tag(prog);
    if (!err)
        err = resolve_maps(prog, load);
    if (!err && prog->code.verifier_next)
        err = verify(prog);
    if (!err)
        err = ebpf_code_rewrite_ctx(&prog->code, prog->type);
    if (!err)
        err = own_arrays(prog);
    if (!err)
        compile(prog);
    ebpf_free(prog->code.facts, prog->code.insn_cnt * sizeof(*prog->code.facts));
    prog->code.facts = NULL;
    return err;
}

/* Linux's, but for devices (BPF_F_XDP_DEV_BOUND_ONLY) and tokens. */
#define FLAGS                                                                                     \
    (BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT | BPF_F_TEST_RND_HI32 | BPF_F_TEST_STATE_FREQ | \
     BPF_F_SLEEPABLE | BPF_F_XDP_HAS_FRAGS | BPF_F_TEST_REG_INVARIANTS)

static int check_spec(const struct ebpf_prog_spec *spec, const struct ebpf_prog_type *type)
{
    if (spec->flags & ~FLAGS)
        return -EINVAL;
    if (!(spec->caps & EBPF_CAP_BPF))
        return -EPERM;
    /* where harts trap on misaligned accesses that flag lets programs trap in the kernel; Linux,
     * which does them by hand then, wants less */
    if (spec->flags & BPF_F_ANY_ALIGNMENT && !(spec->caps & EBPF_CAP_TRUST) &&
        !(ebpf_os_isa() & EBPF_ISA_ZICCLSM))
        return -EPERM;
    if (!spec->insn_cnt || spec->insn_cnt > EBPF_CONFIG_MAX_INSNS)
        return -E2BIG;
    if (!type || !ebpf_name_ok(spec->name))
        return -EINVAL;
    if ((type->caps & spec->caps) != type->caps)
        return -EPERM;
    if (!EBPF_CONFIG_VERIFIER && !(spec->caps & EBPF_CAP_TRUST)) {
        ebpf_log("ebpf: there is no verifier in this build: loading needs the trust capability");
        return -EPERM;
    }
    return 0;
}

static struct ebpf_prog *prog_alloc(const struct ebpf_prog_spec *spec)
{
    struct ebpf_prog *prog = ebpf_zalloc(sizeof(*prog));

    if (!prog)
        return NULL;
    prog->stats = ebpf_calloc(ebpf_os_cpu_count(), sizeof(*prog->stats));
    prog->code.insns = ebpf_calloc(spec->insn_cnt, sizeof(struct bpf_insn));
    prog->code.insn_cnt = spec->insn_cnt;
    if (!prog->stats || !prog->code.insns) {
        prog_free(prog);
        return NULL;
    }
    memcpy(prog->name, spec->name, sizeof(prog->name));
    return prog;
}

/* What a program takes over from its specification; the rest comes by prepare(). */
EBPF_NOINLINE static void take_spec(struct ebpf_prog *prog, const struct ebpf_prog_spec *spec)
{
    struct ebpf_task task = {0};

    ebpf_os_current(&task);
    prog->expected_attach_type = spec->expected_attach_type;
    prog->load_flags = spec->flags;
    prog->caps = spec->caps;
    prog->uid = task.uid;
    prog->gpl = ebpf_license_is_gpl(spec->license);
    prog->load_time_ns = ebpf_os_time_ns();
}

/* With the log open: the part of loading that says why it refuses. */
static int load_logged(struct ebpf_prog *prog, const struct ebpf_load *load, uint32_t *log_size)
{
    const struct ebpf_prog_spec *spec = &load->spec;
    struct ebpf_load_log *log = ebpf_zalloc(sizeof(*log)); /* kernels have small stacks */
    int log_err = 0, err;

    if (!log)
        return -ENOMEM;
    err = ebpf_load_log_init(log, load->caller, spec->log_level, (uint64_t)(uintptr_t)spec->log_buf,
                             spec->log_size);
    if (!err) {
        prog->code.log = prog->load_log = log;
        err = prepare(prog, load);
        prog->code.log = prog->load_log = NULL;
        log_err = ebpf_load_log_fini(log, log_size);
    }
    ebpf_free(log, sizeof(*log));
    return log_err ? log_err : err; /* Linux's order: who cannot read the log cannot see the rest */
}

int ebpf_prog_load_from(const struct ebpf_load *load, struct ebpf_prog **out, uint32_t *log_size)
{
    const struct ebpf_prog_spec *spec = &load->spec;
    const struct ebpf_prog_type *type = ebpf_prog_type_find(spec->type);
    struct ebpf_prog *prog;
    int err = check_spec(spec, type);

    *log_size = 0;
    if (err)
        return err;
    prog = prog_alloc(spec);
    if (!prog)
        return -ENOMEM;
    prog->type = type;
    take_spec(prog, spec);
    err = ebpf_copy_in(load->caller, prog->code.insns, (uint64_t)(uintptr_t)spec->insns,
                       prog->code.insn_cnt * sizeof(struct bpf_insn));
    if (!err)
        err = load_logged(prog, load, log_size);
    if (!err)
        err = ebpf_obj_init(&prog->obj, EBPF_OBJ_PROG, prog_destroy);
    if (err) {
        prog_free(prog);
        return err;
    }
    *out = prog;
    return 0;
}

/* ---- from inside the kernel ------------------------------------------------------------------ */

static int map_by_index(const struct ebpf_load *load, bool by_index, int32_t n,
                        struct ebpf_map **out)
{
    if (!by_index)
        return -EBADF;
    if (n < 0 || (uint32_t)n >= load->spec.map_cnt)
        return -EINVAL;
    *out = load->spec.maps[n];
    ebpf_obj_get(&(*out)->obj);
    return 0;
}

static int own_btf(const struct ebpf_load *load, struct ebpf_btf **out)
{
    if (!load->spec.btf)
        return -EBADF;
    ebpf_obj_get(ebpf_btf_obj(load->spec.btf));
    *out = load->spec.btf;
    return 0;
}

/* A load of the kernel's own; on the heap, since kernels have small stacks. */
struct own_load {
    struct ebpf_load load;
    struct ebpf_caller caller;
    struct ebpf_load_records func_info, line_info;
};

EBPF_NOINLINE static void fill_own(struct own_load *own, const struct ebpf_prog_spec *spec)
{
    own->caller = (struct ebpf_caller){.caps = spec->caps, .kernel = true};
    own->func_info.addr = (uint64_t)(uintptr_t)spec->func_info;
    own->func_info.cnt = spec->func_info_cnt;
    own->func_info.size = sizeof(*spec->func_info);
    own->line_info.addr = (uint64_t)(uintptr_t)spec->line_info;
    own->line_info.cnt = spec->line_info_cnt;
    own->line_info.size = sizeof(*spec->line_info);
    own->load.spec = *spec;
    own->load.func_info = &own->func_info;
    own->load.line_info = &own->line_info;
    own->load.caller = &own->caller;
    own->load.find_map = map_by_index;
    own->load.get_btf = own_btf;
}

static int load_in_kernel(const struct ebpf_prog_spec *spec, bool unverified,
                          struct ebpf_prog **out)
{
    struct own_load *own = ebpf_zalloc(sizeof(*own));
    uint32_t log_size;
    int err;

    if (!own)
        return -ENOMEM;
    fill_own(own, spec);
    own->load.unverified = unverified;
    err = ebpf_prog_load_from(&own->load, out, &log_size);
    ebpf_free(own, sizeof(*own));
    if (spec->log_true_size)
        *spec->log_true_size = log_size;
    return err;
}

int ebpf_prog_load(const struct ebpf_prog_spec *spec, struct ebpf_prog **out)
{
    return load_in_kernel(spec, false, out);
}

int ebpf_prog_load_unverified(const struct ebpf_prog_spec *spec, struct ebpf_prog **out)
{
    return load_in_kernel(spec, true, out);
}

struct ebpf_obj *ebpf_prog_obj(struct ebpf_prog *prog)
{
    return &prog->obj;
}

uint64_t ebpf_prog_kind(const struct ebpf_obj *obj)
{
    const struct ebpf_prog *prog = (const struct ebpf_prog *)obj;

    return prog->type->id | (uint64_t)prog->expected_attach_type << 32;
}

bool ebpf_prog_is_jited(const struct ebpf_prog *prog)
{
    return prog->jit.mem != NULL;
}

int ebpf_prog_test_run(struct ebpf_prog *prog, union bpf_attr *attr)
{
    const struct ebpf_caller caller = {.caps = EBPF_CAP_ALL, .kernel = true};

    return prog->type->test_run ? prog->type->test_run(prog, attr, &caller) : -ENOTSUPP;
}

int ebpf_prog_from_fd(int fd, struct ebpf_prog **out)
{
    struct ebpf_obj *obj;
    int err = ebpf_obj_from_fd(fd, EBPF_OBJ_PROG, &obj);

    if (!err)
        *out = ebpf_prog_of(obj);
    return err;
}
