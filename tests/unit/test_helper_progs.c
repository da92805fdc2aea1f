/* SPDX-License-Identifier: MIT */
/* Compiled programs (tests/progs/helper_callbacks.bpf.c) through loader, verifier and engine. */
#include "tests/unit/loader_util.h"
#include "tests/unit/test.h"

#include <ebpf/ebpf.h>

TEST(helper_programs_of_a_compiler_give_what_they_should)
{
    static const struct {
        const char *name;
        int32_t result;
    } programs[] = {
        {"nested", 6 * 10000 + 20 * 100 + 15}, {"elements", 60 * 100 + 3}, {"texts", -35}};
    struct ebpf_object *obj = object_open("helper_callbacks");
    int err;

    REQUIRE(obj);
    err = ebpf_object_load(obj, EBPF_CAP_ALL);
    CHECK_EQ(err, 0);
    if (err)
        test_fail(__FILE__, __LINE__, "%s", mock_console());
    for (unsigned i = 0; !err && i < sizeof(programs) / sizeof(programs[0]); i++) {
        int32_t got = (int32_t)object_run(obj, programs[i].name);

        if (got != programs[i].result)
            test_fail(__FILE__, __LINE__, "%s: %d, expected %d", programs[i].name, got,
                      programs[i].result);
    }
    ebpf_object_close(obj);
}

/* Two samples, 3 and 4, as user mode writes them: a header of 8 bytes with the length, the data. */
TEST(helper_programs_drain_what_user_mode_sends)
{
    static const uint32_t records[] = {8, 0, 3, 0, 8, 0, 4, 0};
    struct ebpf_object *obj = object_open("helper_callbacks");
    struct ebpf_mmap mapping;
    struct ebpf_map *map;

    REQUIRE(obj);
    if (ebpf_object_load(obj, EBPF_CAP_ALL)) {
        ebpf_object_close(obj);
        test_fail(__FILE__, __LINE__, "%s", mock_console());
        return;
    }
    CHECK_EQ(object_run(obj, "drain"), 0);
    map = ebpf_object_map_map(ebpf_object_find_map(obj, "from_user"));
    if (ebpf_obj_mmap(ebpf_map_obj(map), 4096, 3 * 4096, true, &mapping)) {
        ebpf_object_close(obj);
        test_fail(__FILE__, __LINE__, "no mapping");
        return;
    }
    memcpy(ebpf_mmap_page(&mapping, 1), records, sizeof(records));
    *(uint64_t *)ebpf_mmap_page(&mapping, 0) = sizeof(records);
    CHECK_EQ(object_run(obj, "drain"), (3 + 4) * 100 + 2);
    CHECK_EQ(object_run(obj, "drain"), 0);
    ebpf_mmap_close(&mapping);
    ebpf_object_close(obj);
}
