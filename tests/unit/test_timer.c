/* SPDX-License-Identifier: MIT */
/* Helpers 169 to 172, most on one hart, on both engines: what they return, when functions are
 * called and with what, and what ends timers. */
#include "tests/unit/timer_util.h"

#include <pthread.h>

#include "helpers/helper.h"
#include "maps/map.h"
#include "maps/timer.h"
#include "src/base/epoch.h"
#include "src/core/prog.h"
#include "tests/unit/loader_util.h"
#include "tests/unit/test.h"

#define MONOTONIC TIMER_MONOTONIC
#define ABS BPF_F_TIMER_ABS
#define PIN BPF_F_TIMER_CPU_PIN

#define ON_EACH_ENGINE(t)                                           \
    struct timers t;                                                \
                                                                    \
    for (int jit = 0; jit < TIMER_ENGINES; timers_close(&t), jit++) \
        if (!timers_open(&t, jit))                                  \
            return;                                                 \
        else

TEST(timer_calls_its_function_once_when_its_time_has_come)
{
    ON_EACH_ENGINE(t)
    {
        for (int map = 0; map < TIMER_MAPS; map++) {
            uint64_t start = mock_time_ns, before = t.shared->log.count;
            struct timer_value got;
            uint32_t key = 3;

            timers_put(&t, map, key);
            timers_make(&t, map, key, TIMER_NOTE, 1000);
            CHECK_EQ(mock_armed[0], start + 1000);
            timers_pass(999);
            CHECK_EQ(t.shared->log.count, before);
            timers_pass(1);
            CHECK_EQ(t.shared->log.count, before + 1);
            CHECK_EQ(t.shared->log.keys[before], 3);
            CHECK_EQ(t.shared->log.times[before], start + 1000);
            timers_pass(100000);
            CHECK_EQ(t.shared->log.count, before + 1);
            CHECK_EQ(mock_armed[0], UINT64_MAX);
            CHECK_EQ(ebpf_map_lookup(t.map[map], &key, &got), 0);
            CHECK_EQ(got.fired, 1);
            CHECK_EQ(got.last, start + 1000);
            /* and again, without more than a start */
            CHECK_EQ(timers_start(&t, map, key, 5), 0);
            timers_pass(5);
            CHECK_EQ(t.shared->log.count, before + 2);
        }
    }
}

TEST(timer_helpers_return_linux_s_errors)
{
    ON_EACH_ENGINE(t)
    {
        for (int map = 0; map < TIMER_MAPS; map++) {
            static const uint64_t bad[] = {2, 3, 4, 5, 6, 8, 9, 11, 15, 16, 17, 1ull << 32 | 1};
            static const uint64_t good[] = {0, 1, 7};

            timers_put(&t, map, 1);
            CHECK_EQ(timers_op(&t, TIMER_OP_SET, map, 1, 0), -EINVAL);
            CHECK_EQ(timers_op(&t, TIMER_OP_START, map, 1, 0), -EINVAL);
            CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, map, 1, 0), -EINVAL);
            for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                CHECK_EQ(timers_op(&t, TIMER_OP_INIT, map, 1, bad[i]), -EINVAL);
            for (unsigned i = 0; i < 3; i++) {
                timers_put(&t, map, 1);
                CHECK_EQ(timers_op(&t, TIMER_OP_INIT, map, 1, good[i]), 0);
                CHECK_EQ(timers_op(&t, TIMER_OP_INIT, map, 1, good[i]), -EBUSY);
            }
            CHECK_EQ(timers_op(&t, TIMER_OP_START, map, 1, 0), -EINVAL); /* no callback yet */
            CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, map, 1, 0), 0);
            t.shared->request.callback = TIMER_NOTE;
            CHECK_EQ(timers_op(&t, TIMER_OP_SET, map, 1, 0), 0);
            t.shared->request.ns = 100;
            CHECK_EQ(timers_op(&t, TIMER_OP_START, map, 1, 4), -EINVAL);
            CHECK_EQ(timers_op(&t, TIMER_OP_START, map, 1, 1ull << 32), -EINVAL);
            CHECK_EQ(timers_op(&t, TIMER_OP_START, map, 1, PIN), 0);
            CHECK_EQ(timers_op(&t, TIMER_OP_INIT, map, 1, MONOTONIC), -EBUSY);
            CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, map, 1, 0), 1);
            /* cancelling takes the callback away */
            CHECK_EQ(timers_op(&t, TIMER_OP_START, map, 1, 0), -EINVAL);
            CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, map, 1, 0), 0);
            timers_pass(1000);
        }
        CHECK_EQ(t.shared->log.count, 0);
    }
}

TEST(timer_start_takes_absolute_times_and_never)
{
    ON_EACH_ENGINE(t)
    {
        uint64_t now = mock_time_ns;

        timers_make(&t, TIMER_ARRAY, 0, TIMER_NOTE, 50);
        t.shared->request.ns = now + 70;
        CHECK_EQ(timers_op(&t, TIMER_OP_START, TIMER_ARRAY, 0, ABS | PIN), 0); /* instead of 50 */
        timers_pass(69);
        CHECK_EQ(t.shared->log.count, 0);
        timers_pass(1);
        CHECK_EQ(t.shared->log.count, 1);
        t.shared->request.ns = 5; /* long ago: at once */
        CHECK_EQ(timers_op(&t, TIMER_OP_START, TIMER_ARRAY, 0, ABS), 0);
        timers_pass(0);
        CHECK_EQ(t.shared->log.count, 2);
        for (unsigned i = 0; i < 4; i++) {
            static const uint64_t never[] = {INT64_MAX, 1ull << 63, UINT64_MAX, UINT64_MAX - 10};

            t.shared->request.ns = never[i];
            CHECK_EQ(timers_op(&t, TIMER_OP_START, TIMER_ARRAY, 0, 0), 0);
            CHECK_EQ(mock_armed[0], INT64_MAX);
            CHECK_EQ(timers_op(&t, TIMER_OP_START, TIMER_ARRAY, 0, ABS), 0);
            CHECK_EQ(mock_armed[0], INT64_MAX);
        }
    }
}

TEST(timer_on_the_wall_clock_counts_from_1970)
{
    ON_EACH_ENGINE(t)
    {
        uint64_t count;

        const uint64_t utc = 1700000000000000000;

        mock_tai_ns = utc + 37000000000;
        CHECK_EQ(timers_op(&t, TIMER_OP_INIT, TIMER_ARRAY, 2, 0), 0);
        t.shared->request.callback = TIMER_NOTE;
        CHECK_EQ(timers_op(&t, TIMER_OP_SET, TIMER_ARRAY, 2, 0), 0);
        t.shared->request.ns = utc + 5000;
        CHECK_EQ(timers_op(&t, TIMER_OP_START, TIMER_ARRAY, 2, ABS), 0);
        CHECK_EQ(mock_armed[0], mock_time_ns + 5000);
        t.shared->request.ns = 7; /* relative times are the same on all clocks */
        CHECK_EQ(timers_op(&t, TIMER_OP_START, TIMER_ARRAY, 2, 0), 0);
        CHECK_EQ(mock_armed[0], mock_time_ns + 7);
        count = t.shared->log.count;
        t.shared->request.ns = utc - 1;
        CHECK_EQ(timers_op(&t, TIMER_OP_START, TIMER_ARRAY, 2, ABS), 0);
        timers_pass(0);
        CHECK_EQ(t.shared->log.count, count + 1);
    }
}

TEST(timer_functions_may_start_cancel_and_delete_their_own)
{
    ON_EACH_ENGINE(t)
    {
        uint64_t count;

        t.shared->log.period = 100;
        timers_put(&t, TIMER_HASH, 1);
        timers_make(&t, TIMER_HASH, 1, TIMER_AGAIN, 100);
        timers_pass(1050);
        CHECK_EQ(t.shared->log.count, 10);
        CHECK_EQ(t.shared->log.result, 0);
        CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, TIMER_HASH, 1, 0), 1);
        timers_pass(1000);
        CHECK_EQ(t.shared->log.count, 10);

        for (int map = 0; map < TIMER_MAPS; map++) {
            timers_put(&t, map, 2);
            timers_make(&t, map, 2, TIMER_CANCEL_SELF, 100);
            timers_pass(100);
            CHECK_EQ(t.shared->log.result, -EDEADLK);
            CHECK_EQ(timers_start(&t, map, 2, 10), 0); /* it is as it was */
            timers_pass(10);
            CHECK_EQ(t.shared->log.result, -EDEADLK);

            timers_put(&t, map, 4);
            timers_make(&t, map, 4, TIMER_DELETE_SELF, 100);
            count = t.shared->log.count;
            timers_pass(100);
            CHECK_EQ(t.shared->log.count, count + 1);
            CHECK_EQ(t.shared->log.result, map == TIMER_ARRAY ? -EINVAL : 0);
            CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, map, 4, 0),
                     map == TIMER_ARRAY ? 0 : TIMER_NO_VALUE);
        }
    }
}

/* What runs then belongs to a life before: the new timer is not the one that runs. */
TEST(timer_can_be_renewed_by_its_own_function)
{
    ON_EACH_ENGINE(t)
    {
        timers_make(&t, TIMER_ARRAY, 5, TIMER_NOTE, 100);
        CHECK_EQ(timers_run(&t, "timer_renew"), 0);
        timers_pass(100);
        CHECK_EQ(t.shared->log.count, 1);
        CHECK_EQ(t.shared->log.result, 0);
        CHECK_EQ(t.shared->log.again, 1); /* it was waiting, and could be cancelled */
        timers_pass(1000);
        CHECK_EQ(t.shared->log.count, 1);
    }
}

/* ---- two harts ------------------------------------------------------------------------------- */

static struct {
    struct bpf_timer *field;
    pthread_t canceller;
    unsigned calls;
    int result;
} elsewhere;

static void *cancel_on_hart_1(void *arg)
{
    unsigned long irq;

    (void)arg;
    mock_set_cpu(1);
    irq = ebpf_os_irq_save();
    ebpf_epoch_enter(1);
    elsewhere.result = ebpf_timer_cancel(elsewhere.field);
    ebpf_epoch_exit(1);
    ebpf_os_irq_restore(irq);
    return NULL;
}

/* What the timer calls: starts it again, and returns when the other hart is in the middle of
 * cancelling it, which has taken the callback away. */
static void start_again(const struct ebpf_timer_call *call)
{
    (void)call;
    elsewhere.calls++;
    CHECK_EQ(ebpf_timer_start(elsewhere.field, 0, false), 0);
    REQUIRE(!pthread_create(&elsewhere.canceller, NULL, cancel_on_hart_1, NULL));
    while (ebpf_timer_start(elsewhere.field, 0, false) == 0)
        ;
}

TEST(timer_started_again_while_it_runs_is_cancelled_by_another_hart)
{
    struct timers t;
    struct ebpf_map *map;
    uint32_t key = 3;

    REQUIRE(timers_open(&t, false));
    map = t.map[TIMER_ARRAY];
    timers_make(&t, TIMER_ARRAY, key, TIMER_NOTE, 10);
    memset(&elsewhere, 0, sizeof(elsewhere));
    elsewhere.field = (void *)((uint8_t *)map->ops->lookup(map, &key) + map->timer_off);
    mock_time_ns += 10;
    ebpf_timers_run(start_again);
    REQUIRE(!pthread_join(elsewhere.canceller, NULL));
    CHECK_EQ(elsewhere.calls, 1);
    CHECK_EQ(elsewhere.result, 1);
    CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, TIMER_ARRAY, key, 0), 0); /* and nothing runs */
    timers_pass(1000);
    CHECK_EQ(t.shared->log.count, 0);
    timers_close(&t);
}

/* ---- what ends timers ------------------------------------------------------------------------ */

static uint32_t progs_and_maps(void)
{
    return ebpf_obj_count();
}

static void remove_as(struct timers *t, int how, int map, uint32_t key)
{
    uint8_t value[sizeof(struct timer_value)] = {0};

    if (how == 0)
        CHECK_EQ(ebpf_map_update(t->map[map], &key, value, BPF_ANY), 0);
    else if (how == 1)
        CHECK_EQ(timers_op(t, TIMER_OP_UPDATE, map, key, 0), 0);
    else if (how == 2)
        CHECK_EQ(ebpf_map_delete(t->map[map], &key), 0);
    else if (how == 3)
        CHECK_EQ(timers_op(t, TIMER_OP_DELETE, map, key, 0), 0);
    else
        CHECK_EQ(ebpf_map_lookup_and_delete(t->map[map], &key, value), 0);
}

TEST(timer_ends_when_its_value_is_replaced_or_deleted)
{
    ON_EACH_ENGINE(t)
    {
        for (int map = 0; map < TIMER_MAPS; map++) {
            for (int how = 0; how < (map == TIMER_ARRAY ? 2 : 5); how++) {
                timers_put(&t, map, 6);
                timers_make(&t, map, 6, TIMER_NOTE, 100);
                remove_as(&t, how, map, 6);
                timers_pass(1000);
                CHECK_EQ(t.shared->log.count, 0);
                if (how > 1)
                    timers_put(&t, map, 6);
                CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, map, 6, 0), -EINVAL);
                CHECK_EQ(timers_op(&t, TIMER_OP_INIT, map, 6, MONOTONIC), 0);
            }
        }
    }
}

TEST(timer_is_zeros_for_user_mode)
{
    ON_EACH_ENGINE(t)
    {
        for (int map = 0; map < TIMER_MAPS; map++) {
            struct timer_value value = {.timer = {~0ull, ~0ull}}, got;
            uint32_t key = 7;

            CHECK_EQ(ebpf_map_update(t.map[map], &key, &value, BPF_ANY), 0);
            timers_make(&t, map, key, TIMER_NOTE, 100);
            memset(&got, 0xff, sizeof(got));
            CHECK_EQ(ebpf_map_lookup(t.map[map], &key, &got), 0);
            CHECK_EQ(got.timer[0] | got.timer[1], 0);
        }
    }
}

TEST(timer_keeps_its_program_and_the_map_s_last_user_ends_both)
{
    for (int jit = 0; jit < TIMER_ENGINES; jit++) {
        struct timers t;
        struct ebpf_obj *map;
        uint32_t alone = progs_and_maps();

        if (!timers_open(&t, jit))
            return;
        t.shared->log.period = 50;
        timers_put(&t, TIMER_HASH, 1);
        timers_make(&t, TIMER_HASH, 1, TIMER_AGAIN, 50);
        map = ebpf_map_obj(t.map[TIMER_HASH]);
        ebpf_obj_get(map);
        timers_close(&t);
        CHECK(progs_and_maps() > alone + 1); /* the map, the program, its other maps */
        timers_pass(1000);
        CHECK_EQ(mock_armed[0], mock_time_ns + 50); /* the program goes on without its file */
        ebpf_obj_put(map);
        CHECK_EQ(progs_and_maps(), alone);
        timers_pass(1000);
        CHECK_EQ(mock_armed[0], UINT64_MAX);
    }
}

/* Programs hold maps, but are no users. */
TEST(timer_of_a_map_without_users_is_eperm)
{
    ON_EACH_ENGINE(t)
    {
        for (int map = 0; map < TIMER_MAPS; map++) {
            struct ebpf_map *m = t.map[map];

            timers_put(&t, map, 1);
            timers_put(&t, map, 2);
            timers_make(&t, map, 2, TIMER_NOTE, 100);
            m->obj.users--; /* of the object that was loaded */
            CHECK_EQ(timers_op(&t, TIMER_OP_INIT, map, 1, MONOTONIC), -EPERM);
            CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, map, 1, 0), -EINVAL);
            CHECK_EQ(timers_op(&t, TIMER_OP_SET, map, 2, 0), -EPERM);
            m->obj.users++;
            CHECK_EQ(timers_op(&t, TIMER_OP_INIT, map, 1, MONOTONIC), 0);
        }
    }
}

TEST(timer_in_an_inner_map_is_found_through_two_lookups)
{
    ON_EACH_ENGINE(t)
    {
        for (uint32_t key = 0; key < 2; key++) {
            t.shared->request.key = key;
            t.shared->request.ns = 100;
            CHECK_EQ(timers_run(&t, "timer_inner"), 0);
            CHECK_EQ(timers_run(&t, "timer_inner"), -EBUSY);
        }
        timers_pass(100);
        CHECK_EQ(t.shared->log.count, 2);
    }
}

/* ---- the hook -------------------------------------------------------------------------------- */

TEST(timer_many_at_once_leave_room_for_interrupts)
{
    ON_EACH_ENGINE(t)
    {
        uint64_t at;

        t.shared->log.period = 0;
        timers_make(&t, TIMER_ARRAY, 0, TIMER_AGAIN, 10); /* again and again at the same time */
        mock_time_ns += 10;
        at = mock_time_ns;
        ebpf_timer_run();
        CHECK_EQ(t.shared->log.count, 64);
        CHECK_EQ(mock_armed[0], at);
        CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, TIMER_ARRAY, 0, 0), 1);
        ebpf_timer_run(); /* nobody asked for it */
        CHECK_EQ(t.shared->log.count, 64);
        CHECK_EQ(mock_armed[0], UINT64_MAX);
    }
}

TEST(timer_first_of_many_is_what_the_hook_is_told)
{
    ON_EACH_ENGINE(t)
    {
        static const uint64_t after[] = {500, 300, 800, 100, 700, 200, 600, 400};

        for (uint32_t key = 0; key < TIMER_KEYS; key++)
            timers_make(&t, TIMER_ARRAY, key, TIMER_NOTE, after[key]);
        CHECK_EQ(mock_armed[0], mock_time_ns + 100);
        CHECK_EQ(timers_op(&t, TIMER_OP_CANCEL, TIMER_ARRAY, 5, 0), 1);
        CHECK_EQ(timers_start(&t, TIMER_ARRAY, 3, 750), 0);
        timers_pass(1000);
        CHECK_EQ(t.shared->log.count, 7);
        for (unsigned i = 0; i < 7; i++) {
            static const uint64_t keys[] = {1, 7, 0, 6, 4, 3, 2};

            CHECK_EQ(t.shared->log.keys[i], keys[i]);
        }
    }
}

/* What the hook does not ask for, programs do not get. */
TEST(timer_without_the_hook_is_refused_when_loading)
{
    static char log[65536];
    struct ebpf_object *obj;
    struct timers t;

    mock_no_hooks = true;
    obj = object_open("timer");
    if (obj) {
        CHECK_EQ(
            ebpf_object_prog_set_log(ebpf_object_find_prog(obj, "timer_op"), 1, log, sizeof(log)),
            0);
        CHECK_EQ(ebpf_object_load(obj, EBPF_CAP_ALL), -EINVAL);
        CHECK(strstr(log, "program of this type cannot use helper bpf_timer_"));
        ebpf_object_close(obj);
    }
    mock_no_hooks = false;
    if (timers_open(&t, false))
        timers_close(&t);
}

TEST(timer_needs_cap_bpf_and_gpl)
{
    for (uint32_t id = 169; id <= 172; id++) {
        const struct ebpf_helper *helper = ebpf_helper_find(id);

        CHECK_EQ(helper->caps, EBPF_CAP_BPF);
        CHECK(helper->gpl_only);
        CHECK_EQ(helper->types, 0);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

TEST(timer_loading_survives_every_failed_allocation)
{
    for (unsigned n = 1; n < 3000; n++) {
        struct ebpf_object *obj = object_open("timer");
        int err;

        if (!obj)
            return;
        mock_fail_alloc(n);
        err = ebpf_object_load(obj, EBPF_CAP_ALL);
        if (!mock_alloc_failed()) {
            mock_fail_alloc(0);
            CHECK_EQ(err, 0);
            ebpf_object_close(obj);
            return;
        }
        CHECK(err == -ENOMEM || err == 0); /* the JIT gives up quietly */
        ebpf_object_close(obj);
    }
}
