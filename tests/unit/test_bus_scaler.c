/*
 * A pool with a range: requests that wait have the bus ask for another worker, if there is room for it, and nobody has asked
 * for a number of his own. The test is the master and the worker.
 */
#include "bus_fixture.h"

#include <sys/stat.h>

#include "bus/bus_scaler.h"

/* A pool of 1..3 whose one worker has a request, and another one waits. */
static struct fixture *fixture_waiting(struct outcome outcomes[2])
{
    struct fixture *f = fixture_with(1);
    struct frame_key key;

    f->conf.count_min = 1;
    f->conf.count_max = 3;
    f->conf.idle_timeout = 100;
    f->bus.memory_paths = (struct os_memory_paths){".", "."};
    start_ready_worker(f);
    for (int i = 0; i < 2; i++) {
        put(f, &outcomes[i], 0);
    }
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    begin(f, key);
    bus_scaler_init(&f->bus);
    return f;
}

static void end(struct fixture *f)
{
    bus_scaler_fini(&f->bus);
    fixture_free(f);
}

/* Turns until the pool has a reason for its size, or for as long as three looks take. */
static void turn_until_reason(struct fixture *f)
{
    uint64_t until = clock_now() + 4 * BUS_SCALE_LOOK_NS;

    while (f->bus.pools->scale_at == 0 && clock_now() < until) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
        bus_lifecycle_end_turn(&f->bus);
    }
    turn(f);
}

static void another_one_comes(void **state)
{
    struct outcome outcomes[2];
    struct fixture *f = fixture_waiting(outcomes);

    (void)state;
    turn_until_reason(f);
    assert_int_equal(f->bus.pools->target, 2);
    assert_non_null(strstr(f->bus.pools->scale_why, "requests wait"));
    assert_int_equal(master_hears(f), CONTROL_RESIZE);
    assert_int_equal(master_hears(f), CONTROL_TYPE_END);
    end(f);
}

static void put_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void no_room_for_another(void **state)
{
    struct outcome outcomes[2];
    struct fixture *f = fixture_waiting(outcomes);

    (void)state;
    mkdir("self", 0755);
    put_text("self/cgroup", "0::/\n");
    put_text("memory.max", "1000000000\n");
    put_text("memory.current", "899999999\n");
    turn_until_reason(f);
    unlink("self/cgroup");
    assert_int_equal(f->bus.pools->target, 1);
    assert_non_null(strstr(f->bus.pools->scale_why, "but another takes "));
    assert_int_equal(master_hears(f), CONTROL_TYPE_END);
    end(f);
}

/* Whoever asks for a number gets it, and the pool stays there. */
static void is_pinned(void **state)
{
    struct outcome outcomes[2];
    struct fixture *f = fixture_waiting(outcomes);
    struct bus_pool *pool = f->bus.pools;

    (void)state;
    assert_int_equal(lpm_supervisor_resize(&f->supervisor, NULL, 1, NULL, NULL), 0);
    turn(f);
    assert_true(pool->scale_pinned);
    pool->scale_at = 0;
    turn_until_reason(f);
    assert_int_equal(pool->scale_at, 0);
    assert_int_equal(pool->target, 1);
    assert_int_equal(master_hears(f), CONTROL_TYPE_END);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_one_comes),
        cmocka_unit_test(no_room_for_another),
        cmocka_unit_test(is_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
