/* SPDX-License-Identifier: MIT */
/* What the object loader promises for good objects: maps, programs, data, linking, attaching. */
#include "tests/unit/loader_util.h"

#include <ebpf/kprobe.h>

#include "src/loader/loader.h"
#include "tests/unit/test.h"

static struct ebpf_map_spec spec_of(struct ebpf_object *obj, const char *map)
{
    struct ebpf_map_spec spec = {0};
    struct ebpf_object_map *m = ebpf_object_find_map(obj, map);

    if (m)
        ebpf_object_map_spec(m, &spec);
    else
        test_fail(__FILE__, __LINE__, "no map %s", map);
    return spec;
}

#define CHECK_SPEC(obj, name_, type_, key_, value_, entries_, flags_) \
    do {                                                              \
        struct ebpf_map_spec spec_ = spec_of(obj, name_);             \
        CHECK_EQ(spec_.type, type_);                                  \
        CHECK_EQ(spec_.key_size, key_);                               \
        CHECK_EQ(spec_.value_size, value_);                           \
        CHECK_EQ(spec_.max_entries, entries_);                        \
        CHECK_EQ(spec_.flags, flags_);                                \
    } while (0)

static uint64_t lookup(struct ebpf_object *obj, const char *map, uint32_t key, uint32_t off)
{
    struct ebpf_object_map *m = ebpf_object_find_map(obj, map);
    unsigned char value[256] = {0};
    uint64_t word;

    if (!m || !ebpf_object_map_map(m) || ebpf_map_lookup(ebpf_object_map_map(m), &key, value))
        return ~0ull;
    memcpy(&word, value + off, sizeof(word));
    return word;
}

/* ---- several maps and programs --------------------------------------------------------------- */

TEST(loader_finds_every_map_and_program)
{
    struct ebpf_object *obj = object_open("loader_multi");
    unsigned maps = 0, progs = 0;

    REQUIRE(obj);
    CHECK_STR(ebpf_object_license(obj), "Dual MIT/GPL");
    for (struct ebpf_object_map *m = NULL; (m = ebpf_object_next_map(obj, m));)
        CHECK(ebpf_object_find_map(obj, ebpf_object_map_name(m)) == m && ++maps);
    for (struct ebpf_object_prog *p = NULL; (p = ebpf_object_next_prog(obj, p));)
        CHECK(ebpf_object_find_prog(obj, ebpf_object_prog_name(p)) == p && ++progs);
    CHECK_EQ(maps, 3);
    CHECK_EQ(progs, 7);
    CHECK_SPEC(obj, "counts", BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
    CHECK_SPEC(obj, "by_pid", BPF_MAP_TYPE_HASH, 4, 24, 100, 0);
    CHECK_SPEC(obj, "per_cpu", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 5, 2, 0);
    CHECK(!ebpf_object_find_map(obj, "nothing"));
    CHECK(!ebpf_object_find_prog(obj, "count"));
    ebpf_object_close(obj);
}

TEST(loader_takes_program_types_from_section_names)
{
    struct ebpf_object *obj = object_open("loader_multi");
    static const struct {
        const char *name, *section;
        uint32_t type;
    } progs[] = {
        {"first", "socket", BPF_PROG_TYPE_SOCKET_FILTER},
        {"second", "socket", BPF_PROG_TYPE_SOCKET_FILTER},
        {"on_entry", "kprobe/do_something", BPF_PROG_TYPE_KPROBE},
        {"inside", "kprobe/do_something+0x8", BPF_PROG_TYPE_KPROBE},
        {"on_return", "kretprobe/do_something", BPF_PROG_TYPE_KPROBE},
        {"not_wanted", "xdp", BPF_PROG_TYPE_XDP},
        {"of_unknown_type", "nonsense/here", BPF_PROG_TYPE_UNSPEC},
    };

    REQUIRE(obj);
    for (unsigned i = 0; i < sizeof(progs) / sizeof(progs[0]); i++) {
        struct ebpf_object_prog *prog = ebpf_object_find_prog(obj, progs[i].name);

        REQUIRE(prog);
        CHECK_STR(ebpf_object_prog_section(prog), progs[i].section);
        CHECK_EQ(ebpf_object_prog_type(prog), progs[i].type);
    }
    ebpf_object_close(obj);
}

TEST(loader_loads_all_but_the_programs_marked_with_a_question_mark)
{
    struct ebpf_object *obj = object_open("loader_multi");

    REQUIRE(obj);
    CHECK(!ebpf_object_map_map(ebpf_object_find_map(obj, "counts")));
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), -EBUSY);
    CHECK(!ebpf_object_prog_prog(ebpf_object_find_prog(obj, "not_wanted")));
    CHECK(ebpf_object_prog_prog(ebpf_object_find_prog(obj, "on_return")));
    CHECK_EQ(object_run(obj, "first"), 11);
    CHECK_EQ(object_run(obj, "first"), 12);
    CHECK_EQ(object_run(obj, "second"), 21);
    CHECK_EQ(lookup(obj, "counts", 0, 0), 2);
    CHECK_EQ(lookup(obj, "counts", 1, 0), 1);
    ebpf_object_close(obj);
}

TEST(loader_refuses_a_program_without_type_until_it_is_given_one)
{
    struct ebpf_object *obj = object_open("loader_text");
    struct ebpf_object_prog *prog;

    REQUIRE(obj);
    prog = ebpf_object_find_prog(obj, "entry");
    REQUIRE(prog);
    CHECK_STR(ebpf_object_prog_section(prog), ".text");
    CHECK_STR(ebpf_object_license(obj), "");
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), -EINVAL);
    CHECK(strstr(mock_console(), "section .text names no type"));
    CHECK_EQ(ebpf_object_prog_set_type(prog, BPF_PROG_TYPE_SOCKET_FILTER), 0);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "entry"), 77);
    ebpf_object_close(obj);
}

TEST(loader_refuses_changes_after_load)
{
    struct ebpf_object *obj = object_open("loader_multi");
    struct ebpf_object_map *map;
    struct ebpf_object_prog *prog;
    uint32_t count;
    size_t size;

    REQUIRE(obj);
    map = ebpf_object_find_map(obj, "counts");
    prog = ebpf_object_find_prog(obj, "first");
    CHECK(ebpf_object_prog_insns(prog, &count));
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(ebpf_object_map_set_max_entries(map, 9), -EBUSY);
    CHECK_EQ(ebpf_object_map_reuse(map, ebpf_object_map_map(map)), -EBUSY);
    CHECK_EQ(ebpf_object_prog_set_type(prog, BPF_PROG_TYPE_XDP), -EBUSY);
    CHECK_EQ(ebpf_object_prog_set_autoload(prog, false), -EBUSY);
    CHECK(!ebpf_object_prog_insns(prog, &count));
    CHECK(!ebpf_object_map_initial(map, &size));
    ebpf_object_close(obj);
}

TEST(loader_needs_the_callers_capabilities)
{
    struct ebpf_object *obj = object_open("loader_multi");

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_load(obj, 0), -EPERM);
    CHECK(!ebpf_object_map_map(ebpf_object_find_map(obj, "counts")));
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    ebpf_object_close(obj);
}

TEST(loader_knows_section_names_exactly)
{
    static const struct {
        const char *name;
        uint32_t type, attach, flags;
    } rows[] = {
        {"socket", BPF_PROG_TYPE_SOCKET_FILTER, 0, 0},
        {"kprobe", BPF_PROG_TYPE_KPROBE, 0, 0},
        {"kretprobe.multi", BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, 0},
        {"ksyscall/open", BPF_PROG_TYPE_KPROBE, 0, 0},
        {"uprobe//bin/sh:main", BPF_PROG_TYPE_KPROBE, 0, 0},
        {"tp/sched/sched_switch", BPF_PROG_TYPE_TRACEPOINT, 0, 0},
        {"tracepoint/a/b", BPF_PROG_TYPE_TRACEPOINT, 0, 0},
        {"raw_tp/sys_enter", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0},
        {"raw_tracepoint", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0},
        {"classifier/ingress", BPF_PROG_TYPE_SCHED_CLS, 0, 0},
        {"perf_event", BPF_PROG_TYPE_PERF_EVENT, 0, 0},
        {"xdp", BPF_PROG_TYPE_XDP, BPF_XDP, 0},
        {"xdp/name", BPF_PROG_TYPE_XDP, BPF_XDP, 0},
        {"xdp/devmap", BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP, 0},
        {"xdp.frags/cpumap/x", BPF_PROG_TYPE_XDP, BPF_XDP_CPUMAP, BPF_F_XDP_HAS_FRAGS},
        {"tc", BPF_PROG_TYPE_SCHED_CLS, 0, 0},
        {"tcx/egress", BPF_PROG_TYPE_SCHED_CLS, BPF_TCX_EGRESS, 0},
        {"uprobe.s//proc/self/exe:f", BPF_PROG_TYPE_KPROBE, 0, BPF_F_SLEEPABLE},
        {"kprobe.multi/f*", BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, 0},
        {"raw_tp.w/x", BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0, 0},
        {"cgroup_skb/egress", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 0},
        {"cgroup/connect_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_CONNECT, 0},
        {"syscall", BPF_PROG_TYPE_SYSCALL, 0, BPF_F_SLEEPABLE},
        {"lsm.s/file_open", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, BPF_F_SLEEPABLE},
        {"netfilter", BPF_PROG_TYPE_NETFILTER, BPF_NETFILTER, 0},
        {"sk_reuseport/migrate", BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT_OR_MIGRATE, 0},
    };
    static const char *const unknown[] = {"kprob",    "kprobes", "kprobe.multiple", "xdpx",
                                          "tp_btfx/", "",        "/kprobe",         "socket1"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct ebpf_loader_sec_def *def = ebpf_loader_sec_def(rows[i].name);

        REQUIRE(def);
        CHECK_EQ(def->type, rows[i].type);
        CHECK_EQ(def->attach_type, rows[i].attach);
        CHECK_EQ(def->flags, rows[i].flags);
    }
    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        CHECK(!ebpf_loader_sec_def(unknown[i]));
}

/* ---- maps ------------------------------------------------------------------------------------ */

TEST(loader_resolves_sizes_through_btf)
{
    struct ebpf_object *obj = object_open("loader_btf_maps");
    struct ebpf_object_map *events;
    struct ebpf_map_spec spec;

    REQUIRE(obj);
    CHECK_SPEC(obj, "of_typedef", BPF_MAP_TYPE_HASH, 4, 40, 8, 0);
    CHECK_SPEC(obj, "of_union", BPF_MAP_TYPE_HASH, 8, 24, 8, 0);
    CHECK_SPEC(obj, "both", BPF_MAP_TYPE_HASH, 2, 8, 8, BPF_F_NO_PREALLOC);
    CHECK_SPEC(obj, "ring", BPF_MAP_TYPE_RINGBUF, 0, 0, 8192, 0);
    CHECK_SPEC(obj, "events", BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 0, 0);
    CHECK_SPEC(obj, "jumps", BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 3, 0);
    CHECK_EQ(ebpf_object_map_set_max_entries(ebpf_object_find_map(obj, "ring"), 4096), 0);
    CHECK_EQ(spec_of(obj, "ring").max_entries, 4096);
    CHECK_EQ(ebpf_object_map_set_max_entries(ebpf_object_find_map(obj, "ring"), 4097), 0);
    CHECK_EQ(spec_of(obj, "ring").max_entries, 8192);
    events = ebpf_object_find_map(obj, "events");
    ebpf_object_map_spec(events, &spec);
    CHECK_STR(spec.name, "events");
    ebpf_object_close(obj);
}

TEST(loader_reads_legacy_map_definitions)
{
    struct ebpf_object *obj = object_open("loader_legacy");

    REQUIRE(obj);
    CHECK_SPEC(obj, "first_map", BPF_MAP_TYPE_ARRAY, 4, 8, 16, 0);
    CHECK_SPEC(obj, "second_map", BPF_MAP_TYPE_HASH, 8, 4, 32, BPF_F_NO_PREALLOC);
    CHECK_SPEC(obj, "third_map", BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "use_maps"), 6);
    CHECK_EQ(object_run(obj, "use_maps"), 12);
    CHECK_EQ(lookup(obj, "first_map", 0, 0), 10);
    ebpf_object_close(obj);
}

TEST(loader_changes_a_maps_size_before_load)
{
    struct ebpf_object *obj = object_open("loader_multi");
    struct ebpf_object_map *map;
    struct ebpf_map_spec spec;

    REQUIRE(obj);
    map = ebpf_object_find_map(obj, "by_pid");
    CHECK_EQ(ebpf_object_map_set_max_entries(map, 7), 0);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    ebpf_map_spec(ebpf_object_map_map(map), &spec);
    CHECK_EQ(spec.max_entries, 7);
    CHECK_STR(spec.name, "by_pid");
    ebpf_object_close(obj);
}

TEST(loader_reuses_an_equal_map_only)
{
    struct ebpf_map_spec spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 5};
    struct ebpf_object *obj = object_open("loader_multi");
    struct ebpf_object_map *map;
    struct ebpf_map *existing, *other;
    uint64_t value = 50;
    uint32_t key = 0;

    REQUIRE(obj);
    map = ebpf_object_find_map(obj, "counts");
    CHECK_EQ(ebpf_map_create(&spec, &other), 0);
    spec.max_entries = 4;
    CHECK_EQ(ebpf_map_create(&spec, &existing), 0);
    CHECK_EQ(ebpf_map_update(existing, &key, &value, BPF_ANY), 0);
    CHECK_EQ(ebpf_object_map_reuse(map, other), -EINVAL);
    CHECK_EQ(ebpf_object_map_reuse(map, NULL), -EINVAL);
    CHECK_EQ(ebpf_object_map_reuse(map, existing), 0);
    CHECK_EQ(ebpf_object_map_reuse(map, existing), 0);
    CHECK_EQ(ebpf_object_map_set_max_entries(map, 5), -EBUSY);
    CHECK(!ebpf_object_map_map(map));
    CHECK_EQ(ebpf_object_load(obj, 0), -EPERM); /* a failed load keeps the reused map */
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK(ebpf_object_map_map(map) == existing);
    CHECK_EQ(object_run(obj, "first"), 61);
    ebpf_object_close(obj);
    CHECK_EQ(ebpf_map_lookup(existing, &key, &value), 0);
    CHECK_EQ(value, 51);
    ebpf_obj_put(ebpf_map_obj(existing));
    ebpf_obj_put(ebpf_map_obj(other));
}

TEST(loader_leaves_maps_to_others_who_hold_them)
{
    struct ebpf_object *obj = object_open("loader_multi");
    struct ebpf_map *map;
    uint32_t key = 0;
    uint64_t value;

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    object_run(obj, "first");
    map = ebpf_object_map_map(ebpf_object_find_map(obj, "counts"));
    ebpf_obj_get(ebpf_map_obj(map));
    ebpf_object_close(obj);
    CHECK_EQ(ebpf_map_lookup(map, &key, &value), 0);
    CHECK_EQ(value, 1);
    ebpf_obj_put(ebpf_map_obj(map));
}

/* ---- global data ----------------------------------------------------------------------------- */

TEST(loader_makes_array_maps_of_global_data)
{
    struct ebpf_object *obj = object_open("loader_data");

    REQUIRE(obj);
    CHECK_SPEC(obj, ".data.custom", BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);
    CHECK_SPEC(obj, ".rodata.custom", BPF_MAP_TYPE_ARRAY, 4, 4, 1, BPF_F_RDONLY_PROG);
    CHECK_EQ(spec_of(obj, ".rodata").flags, BPF_F_RDONLY_PROG);
    CHECK_EQ(spec_of(obj, ".bss").flags, 0);
    CHECK_STR(spec_of(obj, ".rodata.str1.1").name, ".rodata.str1.1");
    CHECK_EQ(ebpf_object_map_set_max_entries(ebpf_object_find_map(obj, ".data"), 2), -EINVAL);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "sum"), 1051);
    CHECK_EQ(object_run(obj, "sum"), 1052);
    CHECK_EQ(object_run(obj, "strings"), 'e' + 'c');
    ebpf_object_close(obj);
}

TEST(loader_gives_the_initial_data_to_be_changed)
{
    struct ebpf_object *obj = object_open("loader_data");
    size_t size = 0, elf_size, at = 0;
    unsigned char *elf = object_read("loader_data", &elf_size);
    unsigned char *rodata;

    REQUIRE(obj && elf);
    rodata = ebpf_object_map_initial(ebpf_object_find_map(obj, ".rodata"), &size);
    REQUIRE(rodata);
    CHECK_EQ(size, elf_section(elf, ".rodata")->sh_size);
    at = elf_symbol(elf, "config")->st_value;
    CHECK_EQ(rodata[at], 1);
    rodata[at] = 101;
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "sum"), 1151);
    CHECK(!ebpf_object_map_initial(ebpf_object_find_map(obj, ".rodata"), &size));
    ebpf_object_close(obj);
    free(elf);
}

TEST(loader_gives_bss_as_zeros_to_be_changed)
{
    struct ebpf_object *obj = object_open("loader_data");
    size_t size = 0, elf_size;
    unsigned char *elf = object_read("loader_data", &elf_size), *bss;
    uint64_t at, five = 5;

    REQUIRE(obj && elf);
    bss = ebpf_object_map_initial(ebpf_object_find_map(obj, ".bss"), &size);
    REQUIRE(bss);
    for (size_t i = 0; i < size; i++)
        CHECK_EQ(bss[i], 0);
    at = elf_symbol(elf, "zero")->st_value;
    memcpy(bss + at, &five, sizeof(five));
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "sum"), 1051);
    CHECK_EQ(lookup(obj, ".bss", 0, (uint32_t)at), 7);
    ebpf_object_close(obj);
    free(elf);
}

TEST(loader_gives_no_initial_data_of_other_maps)
{
    struct ebpf_object *obj = object_open("loader_multi");
    size_t size;

    REQUIRE(obj);
    CHECK(!ebpf_object_map_initial(ebpf_object_find_map(obj, "counts"), &size));
    ebpf_object_close(obj);
}

/* ---- linking --------------------------------------------------------------------------------- */

TEST(loader_links_subprograms_from_all_sections)
{
    struct ebpf_object *obj = object_open("loader_subprogs");

    REQUIRE(obj);
    CHECK(!ebpf_object_find_prog(obj, "twice"));
    CHECK(!ebpf_object_find_prog(obj, "global_add"));
    CHECK(!ebpf_object_find_prog(obj, "beside")); /* static */
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "chain"), 31);
    CHECK_EQ(object_run(obj, "neighbour"), 30);
    CHECK_EQ(object_run(obj, "alone"), 5);
    ebpf_object_close(obj);
}

/* Each needed function once, none that is not needed; calls reach the first instruction of a
 * function. */
TEST(loader_appends_each_needed_function_once)
{
    struct ebpf_object *obj = object_open("loader_subprogs");
    const struct bpf_insn *insns;
    uint32_t count = 0;
    unsigned calls = 0;

    REQUIRE(obj);
    ebpf_object_prog_insns(ebpf_object_find_prog(obj, "alone"), &count);
    CHECK_EQ(count, 2);
    insns = ebpf_object_prog_insns(ebpf_object_find_prog(obj, "chain"), &count);
    REQUIRE(insns);
    CHECK_EQ(count, 12 + 4 + 4 + 3); /* chain, twice_and_one, global_add, twice */
    for (uint32_t i = 0; i < count; i++) {
        if (insns[i].code != (BPF_JMP | BPF_CALL))
            continue;
        int64_t target = (int64_t)i + 1 + insns[i].imm;

        CHECK_EQ(insns[i].src_reg, BPF_PSEUDO_CALL);
        REQUIRE(target > 0 && target < count);
        CHECK_EQ(insns[target - 1].code, BPF_JMP | BPF_EXIT);
        calls++;
    }
    CHECK_EQ(calls, 4);
    ebpf_object_close(obj);
}

TEST(loader_links_functions_whose_address_is_taken)
{
    struct ebpf_object *obj = object_open("loader_subprogs");
    const struct bpf_insn *insns;
    uint32_t count = 0, found = 0;

    REQUIRE(obj);
    insns = ebpf_object_prog_insns(ebpf_object_find_prog(obj, "callback"), &count);
    REQUIRE(insns);
    for (uint32_t i = 0; i < count; i++) {
        if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
            continue;
        CHECK_EQ(insns[i].src_reg, BPF_PSEUDO_FUNC);
        CHECK_EQ((int64_t)i + 1 + insns[i].imm, 11); /* step() follows the 11 slots of callback() */
        CHECK_EQ(insns[i + 1].imm, 0);
        found++;
    }
    CHECK_EQ(found, 1);
    CHECK_EQ(count, 11 + 10 + 3); /* callback, step, twice */
    ebpf_object_close(obj);
}

TEST(loader_ends_on_recursion)
{
    struct ebpf_object *obj = object_open("loader_recursive");
    struct ebpf_object_prog *prog;
    uint32_t count = 0;

    REQUIRE(obj);
    prog = ebpf_object_find_prog(obj, "recursive");
    CHECK(ebpf_object_prog_insns(prog, &count));
    CHECK(count > 5);
    ebpf_object_close(obj);
}

TEST(loader_resolves_what_assembly_leaves_to_it)
{
    struct ebpf_object *obj = object_open("loader_asm");
    uint32_t count = 0;

    REQUIRE(obj);
    CHECK_STR(ebpf_object_license(obj), "GPL");
    ebpf_object_prog_insns(ebpf_object_find_prog(obj, "numbers"), &count);
    CHECK_EQ(count, 4); /* the bytes behind it belong to no function */
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "numbers"), 6);
    CHECK_EQ(object_run(obj, "local_call"), 12);
    ebpf_object_close(obj);
}

TEST(loader_refuses_core_relocations_of_programs_to_load_only)
{
    struct ebpf_object *obj = object_open("loader_core");

    REQUIRE(obj);
    mock_console_clear();
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), -EOPNOTSUPP);
    CHECK(strstr(mock_console(), "section .BTF.ext ("));
    CHECK(strstr(mock_console(), "CO-RE"));
    CHECK(strstr(mock_console(), "needs_core"));
    CHECK_EQ(ebpf_object_prog_set_autoload(ebpf_object_find_prog(obj, "needs_core"), false), 0);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "needs_none"), 3);
    ebpf_object_close(obj);
}

/* ---- attaching ------------------------------------------------------------------------------- */

/* stands for kernel text: c.nop */
static uint16_t text[32] __attribute__((aligned(4096)));

static struct ebpf_object *open_loaded_with_text(void)
{
    struct ebpf_object *obj = object_open("loader_multi");

    for (unsigned i = 0; i < 32; i++)
        text[i] = 0x0001;
    mock_text_add(text, sizeof(text));
    mock_symbol_add("do_something", (uintptr_t)text, sizeof(text));
    if (obj)
        CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    return obj;
}

TEST(loader_attaches_where_the_section_says)
{
    struct ebpf_object *obj = open_loaded_with_text();
    struct ebpf_object_prog *entry, *inside;

    REQUIRE(obj);
    entry = ebpf_object_find_prog(obj, "on_entry");
    inside = ebpf_object_find_prog(obj, "inside");
    CHECK_EQ(ebpf_object_prog_attach(entry), 0);
    CHECK_EQ(ebpf_object_prog_attach(entry), -EBUSY);
    CHECK_EQ(text[0], 0x9002); /* c.ebreak */
    CHECK_EQ(ebpf_object_prog_attach(inside), 0);
    CHECK_EQ(text[4], 0x9002);
    CHECK_EQ(ebpf_object_prog_detach(entry), 0);
    CHECK_EQ(ebpf_object_prog_detach(entry), -ENOENT);
    CHECK_EQ(text[0], 0x0001);
    CHECK_EQ(ebpf_object_prog_attach(entry), 0);
    ebpf_object_close(obj);
    CHECK_EQ(text[0], 0x0001);
    CHECK_EQ(text[4], 0x0001);
}

TEST(loader_refuses_to_attach_where_nothing_is)
{
    struct ebpf_object *obj = object_open("loader_multi");

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_prog_attach(ebpf_object_find_prog(obj, "on_entry")),
             -EINVAL); /* not loaded */
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    mock_console_clear();
    CHECK_EQ(ebpf_object_prog_attach(ebpf_object_find_prog(obj, "on_entry")),
             -ENOENT); /* no such function */
    CHECK(strstr(mock_console(), "kprobe/do_something"));
    CHECK_EQ(ebpf_object_prog_attach(ebpf_object_find_prog(obj, "on_return")), -EOPNOTSUPP);
    CHECK_EQ(ebpf_object_prog_attach(ebpf_object_find_prog(obj, "first")), -EOPNOTSUPP);
    CHECK_EQ(ebpf_object_prog_attach(ebpf_object_find_prog(obj, "not_wanted")),
             -EINVAL); /* not loaded */
    ebpf_object_close(obj);
}

/* loader_multi with another offset of the same length in the section's name. */
static int attach_at(const char *offset)
{
    size_t size;
    unsigned char *elf = object_read("loader_multi", &size), *at;
    struct ebpf_object *obj = NULL;
    int err;

    if (!elf)
        return 1;
    for (at = elf; at + 17 <= elf + size; at++) { /* in BTF, too */
        if (!memcmp(at, "do_something+0x8", 17))
            memcpy(at + 12, offset, 4);
    }
    CHECK_EQ(ebpf_object_open_mem(elf, size, &obj), 0);
    free(elf);
    if (!obj)
        return 1;
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    err = ebpf_object_prog_attach(ebpf_object_find_prog(obj, "inside"));
    ebpf_object_close(obj);
    return err;
}

TEST(loader_reads_offsets_of_probes_strictly)
{
    ebpf_object_close(open_loaded_with_text());
    CHECK_EQ(attach_at("+0xa"), 0);
    CHECK_EQ(attach_at("+0XA"), 0);
    CHECK_EQ(attach_at("+010"), 0); /* decimal */
    CHECK_EQ(attach_at("+62\0"), 0);
    CHECK_EQ(attach_at("+64\0"), -EINVAL); /* behind the function */
    CHECK_EQ(attach_at("+0xg"), -EINVAL);
    CHECK_EQ(attach_at("+0x\0"), -EINVAL);
    CHECK_EQ(attach_at("+1a\0"), -EINVAL);
    CHECK_EQ(attach_at("+-2\0"), -EINVAL);
    CHECK_EQ(attach_at("+\0\0\0"), -EINVAL);
    CHECK_EQ(attach_at("+2 \0"), -EINVAL);
    CHECK_EQ(attach_at("_or\0"), -ENOENT);
}

TEST(loader_attaches_no_kprobe_without_a_place)
{
    struct ebpf_object *obj = object_open("loader_probe");

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(ebpf_object_prog_attach(ebpf_object_find_prog(obj, "nowhere")), -EINVAL);
    CHECK_EQ(ebpf_object_prog_attach(ebpf_object_find_prog(obj, "too_large")), -EINVAL);
    CHECK_EQ(ebpf_object_prog_attach(ebpf_object_find_prog(obj, "long_name")), -EINVAL);
    ebpf_object_close(obj);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int open_and_load(const unsigned char *elf, size_t size)
{
    struct ebpf_object *obj;
    struct ebpf_object_map *bss;
    uint32_t count;
    size_t bytes;
    int err = ebpf_object_open_mem(elf, size, &obj);

    if (err)
        return err;
    bss = ebpf_object_find_map(obj, ".bss");
    if (bss && !ebpf_object_map_initial(bss, &bytes))
        err = -ENOMEM;
    if (!err && !ebpf_object_prog_insns(ebpf_object_next_prog(obj, NULL), &count))
        err = -ENOMEM;
    if (!err)
        err = ebpf_object_load(obj, EBPF_CAP_ALL);
    ebpf_object_close(obj);
    return err;
}

TEST(loader_reports_every_allocation_that_fails_while_it_opens)
{
    static const char *const names[] = {"loader_btf_maps", "loader_data", "loader_core",
                                        "loader_legacy"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t size, bytes = mock_live_bytes();
        unsigned char *elf = object_read(names[i], &size);
        struct ebpf_object *obj = NULL;
        unsigned n = 0;

        REQUIRE(elf);
        for (;;) {
            mock_fail_alloc(++n);
            int err = ebpf_object_open_mem(elf, size, &obj);

            if (!mock_alloc_failed()) {
                CHECK_EQ(err, 0);
                break;
            }
            CHECK_EQ(err, -ENOMEM);
            CHECK_EQ(mock_live_bytes(), bytes);
        }
        mock_fail_alloc(0);
        CHECK(n > 8);
        ebpf_object_close(obj);
        free(elf);
    }
}

TEST(loader_leaks_nothing_whichever_allocation_fails)
{
    static const char *const names[] = {"loader_multi", "loader_data", "loader_subprogs",
                                        "loader_legacy"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t size, bytes = mock_live_bytes();
        unsigned char *elf = object_read(names[i], &size);
        unsigned n = 0;

        REQUIRE(elf);
        for (;;) {
            mock_fail_alloc(++n);
            int err = open_and_load(elf, size);

            if (!mock_alloc_failed()) {
                CHECK_EQ(err, 0);
                break;
            }
            /* 0: it was the JIT that got no memory, and the interpreter runs the program */
            CHECK(err == -ENOMEM || err == 0);
            CHECK_EQ(mock_live_bytes(), bytes);
        }
        mock_fail_alloc(0);
        CHECK(n > 10);
        free(elf);
    }
}

TEST(loader_closes_nothing_and_opens_nothing_gracefully)
{
    struct ebpf_object *obj;

    ebpf_object_close(NULL);
    CHECK_EQ(ebpf_object_open_mem(NULL, 0, &obj), -EINVAL);
    CHECK_EQ(ebpf_object_open_mem("", 0, &obj), -ENOEXEC);
}
