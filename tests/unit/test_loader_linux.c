/* SPDX-License-Identifier: MIT */
/* The object loader on what objects for Linux hold: types, maps of objects, Linux's names. */
#include "tests/unit/loader_util.h"

#include "maps/map.h"
#include "src/btf/btf.h"
#include "src/core/prog.h"
#include "tests/unit/test.h"

/* ---- what only some programs of an object can have ------------------------------------------- */

TEST(loader_refuses_only_programs_that_need_what_linux_defines)
{
    static const char *const needy[] = {"reads_variable", "calls_function"};
    struct ebpf_object *obj = object_open("loader_extern");

    REQUIRE(obj);
    for (unsigned i = 0; i < 2; i++) {
        mock_console_clear();
        CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), -ENOENT);
        CHECK(strstr(mock_console(), "the object does not define it"));
        CHECK(strstr(mock_console(), i ? "kernel_function" : "kernel_variable"));
        CHECK_EQ(ebpf_object_prog_set_autoload(ebpf_object_find_prog(obj, needy[i]), false), 0);
    }
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "asks_for_variable"), 2); /* weak: not there */
    CHECK_EQ(object_run(obj, "needs_nothing"), 3);
    ebpf_object_close(obj);
}

TEST(loader_leaves_maps_out_that_no_program_names)
{
    struct ebpf_object *obj = object_open("loader_multi");
    struct ebpf_object_map *map;

    REQUIRE(obj);
    map = ebpf_object_next_map(obj, NULL);
    REQUIRE(map);
    for (; map; map = ebpf_object_next_map(obj, map))
        CHECK_EQ(ebpf_object_map_set_autocreate(map, false), 0);
    mock_console_clear();
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), -EINVAL);
    CHECK(strstr(mock_console(), "is not created"));
    for (map = ebpf_object_next_map(obj, NULL); map; map = ebpf_object_next_map(obj, map))
        CHECK_EQ(ebpf_object_map_set_autocreate(map, true), 0);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(ebpf_object_map_set_autocreate(ebpf_object_next_map(obj, NULL), false), -EBUSY);
    ebpf_object_close(obj);
}

/* ---- maps of objects ------------------------------------------------------------------------- */

TEST(loader_fills_maps_of_maps)
{
    struct ebpf_object *obj = object_open("loader_inner");
    uint32_t at = 2, id = 0, value = 0, zero = 0;

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(ebpf_map_lookup(ebpf_object_map_map(ebpf_object_find_map(obj, "outer")), &at, &id), 0);
    CHECK(id != 0);
    at = 1;
    CHECK_EQ(ebpf_map_lookup(ebpf_object_map_map(ebpf_object_find_map(obj, "outer")), &at, &id),
             -ENOENT);
    CHECK_EQ(object_run(obj, "count"), 1);
    CHECK_EQ(object_run(obj, "count"), 2);
    CHECK_EQ(
        ebpf_map_lookup(ebpf_object_map_map(ebpf_object_find_map(obj, "first")), &zero, &value), 0);
    CHECK_EQ(value, 2);
    ebpf_object_close(obj);
}

TEST(loader_fills_program_arrays)
{
    struct ebpf_object *obj = object_open("loader_values");

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "jump"), 42);
    CHECK_EQ(object_run(obj, "jump_nowhere"), 2);
    ebpf_object_close(obj);
}

TEST(loader_leaves_places_of_programs_empty_that_are_not_loaded)
{
    struct ebpf_object *obj = object_open("loader_values");

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_prog_set_autoload(ebpf_object_find_prog(obj, "target"), false), 0);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(object_run(obj, "jump"), 1);
    ebpf_object_close(obj);
}

TEST(loader_refuses_to_pin)
{
    struct ebpf_object *obj = object_open("loader_pinned");
    struct ebpf_object_map *map;

    REQUIRE(obj);
    map = ebpf_object_find_map(obj, "pinned");
    REQUIRE(map);
    CHECK(ebpf_object_map_pinned(map));
    mock_console_clear();
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), -EOPNOTSUPP);
    CHECK(strstr(mock_console(), "map pinned: pinning"));
    CHECK_EQ(ebpf_object_map_set_pinned(map, false), 0);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(ebpf_object_map_set_pinned(map, false), -EBUSY);
    ebpf_object_close(obj);
}

static int load_values(const void *elf, size_t size)
{
    struct ebpf_object *obj;
    int err = ebpf_object_open_mem(elf, size, &obj);

    if (!err) {
        err = ebpf_object_load(obj, EBPF_CAP_ALL);
        ebpf_object_close(obj);
    }
    return err;
}

TEST(loader_of_maps_of_objects_survives_each_failing_allocation)
{
    static const char *const names[] = {"loader_inner", "loader_values"};

    for (unsigned i = 0; i < 2; i++) {
        size_t size;
        void *elf = object_read(names[i], &size);

        REQUIRE(elf);
        for (unsigned n = 1;; n++) {
            int err;

            mock_fail_alloc(n);
            err = load_values(elf, size);
            if (!mock_alloc_failed())
                break;
            CHECK(err == -ENOMEM ||
                  err == 0); /* without memory for its code a program is interpreted */
        }
        mock_fail_alloc(0);
        free(elf);
    }
}

TEST(loader_leaves_core_relocations_as_compiled_where_it_is_told_to)
{
    struct ebpf_object *obj = object_open("loader_core");

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), -EOPNOTSUPP);
    CHECK_EQ(ebpf_object_core_as_compiled(obj), 0);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_EQ(ebpf_object_core_as_compiled(obj), -EBUSY);
    ebpf_object_close(obj);
}

/* ---- types, functions, lines ----------------------------------------------------------------- */

TEST(loader_gives_programs_their_types_functions_and_lines)
{
    struct ebpf_object *obj = object_open("loader_subprogs");
    struct ebpf_prog *prog;

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    prog = ebpf_object_prog_prog(ebpf_object_find_prog(obj, "chain"));
    REQUIRE(prog && prog->btf);
    CHECK_EQ(prog->func_info_cnt, prog->code.subprog_cnt);
    CHECK(prog->func_info_cnt > 1);
    CHECK(prog->line_info_cnt > prog->func_info_cnt);
    for (uint32_t i = 0; i < prog->func_info_cnt; i++) {
        const struct btf_type *t = ebpf_btf_type(prog->btf, prog->func_info[i].type_id);

        CHECK_EQ(prog->func_info[i].insn_off, prog->code.subprogs[i].start);
        REQUIRE(t);
        if (!i)
            CHECK_STR(ebpf_btf_name(prog->btf, t), "chain");
    }
    ebpf_object_close(obj);
}

TEST(loader_gives_maps_the_types_of_keys_and_values)
{
    struct ebpf_object *obj = object_open("loader_btf_maps");
    unsigned typed = 0;

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    for (struct ebpf_object_map *map = ebpf_object_next_map(obj, NULL); map;
         map = ebpf_object_next_map(obj, map)) {
        const struct ebpf_map *made = ebpf_object_map_map(map);

        typed += made->btf && made->btf_key_type_id && made->btf_value_type_id;
    }
    CHECK(typed > 0);
    ebpf_object_close(obj);
}

TEST(loader_makes_types_of_what_linux_defines_acceptable)
{
    struct ebpf_object *obj = object_open("loader_extern");

    REQUIRE(obj);
    CHECK_EQ(ebpf_object_prog_set_autoload(ebpf_object_find_prog(obj, "reads_variable"), false), 0);
    CHECK_EQ(ebpf_object_prog_set_autoload(ebpf_object_find_prog(obj, "calls_function"), false), 0);
    mock_console_clear();
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK_STR(mock_console(), ""); /* its BTF is taken */
    CHECK(ebpf_object_prog_prog(ebpf_object_find_prog(obj, "needs_nothing"))->btf != NULL);
    ebpf_object_close(obj);
}

TEST(loader_does_without_types_that_the_kernel_refuses)
{
    struct ebpf_object *obj = object_open("loader_data"); /* clang cut a variable, not its type */

    REQUIRE(obj);
    mock_console_clear();
    CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), 0);
    CHECK(strstr(mock_console(), "BTF is not taken") ||
          ebpf_object_prog_prog(ebpf_object_find_prog(obj, "sum"))->btf);
    ebpf_object_close(obj);
}
