/*
 * When memory is short in the machine, workers get fewer requests at once.
 */
#include "bus_fixture.h"

#include <sys/stat.h>

#include "bus/bus_squeeze.h"

static void levels(void **state)
{
    static const struct {
        unsigned level;
        struct os_memory memory;
        unsigned next;
    } cases[] = {
        {0, {0, 0, 0, -1, -1}, 0},
        {0, {89900, 100000, 0, 999, 999}, 0},
        {0, {90000, 100000, 0, -1, -1}, 1},
        {0, {97000, 100000, 0, 0, 0}, 2},
        {0, {0, 100000, 0, 1000, 0}, 1},
        {0, {0, 0, 0, 1000, 1000}, 2},
        {1, {85000, 100000, 0, 0, 0}, 1},
        {1, {84900, 100000, 0, 0, 0}, 0},
        {1, {0, 0, 0, 500, 0}, 1},
        {1, {0, 0, 0, 499, 0}, 0},
        {2, {94000, 100000, 0, 0, 0}, 2},
        {2, {93900, 100000, 0, 0, 0}, 1},
        {2, {0, 0, 0, 0, 0}, 1},
        {1, {98000, 100000, 0, 0, 0}, 2},
        {0, {9, 50, 0, 0, 0}, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("case %zu\n", i);
        assert_int_equal(bus_squeeze_next(cases[i].level, &cases[i].memory), cases[i].next);
    }
}

static void concurrency_shrinks(void **state)
{
    (void)state;
    assert_int_equal(bus_squeeze_concurrency(0, 1024), 1024);
    assert_int_equal(bus_squeeze_concurrency(1, 1024), 512);
    assert_int_equal(bus_squeeze_concurrency(2, 1024), 128);
    assert_int_equal(bus_squeeze_concurrency(2, 3), 1);
}

static void put_number(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* With files that say so: what a worker may have follows, and comes back. */
static void a_worker_gets_less(void **state)
{
    struct fixture *f = fixture_with(8);
    struct frame_key key;
    struct outcome o[8];

    (void)state;
    mkdir("self", 0755);
    put_number("self/cgroup", "0::/\n");
    put_number("memory.max", "1000000\n");
    put_number("memory.current", "980000\n");
    f->bus.memory_paths = (struct os_memory_paths){".", "."};
    start_ready_worker(f);
    bus_worker_load(worker(f))->service = 1000; /* fast, so that requests are sent ahead */
    bus_squeeze_look(&f->bus);
    for (int i = 0; i < 4; i++) {
        put(f, &o[i], 0);
    }
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_REQUEST);
    assert_int_equal(hear(f, &key), FRAME_TYPE_END);
    put_number("memory.current", "100000\n");
    bus_squeeze_look(&f->bus);
    turn(f);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(hear(f, &key), FRAME_REQUEST);
        bus_squeeze_look(&f->bus);
        turn(f);
    }
    assert_int_equal(f->bus.squeeze, 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),
        cmocka_unit_test(concurrency_shrinks),
        cmocka_unit_test(a_worker_gets_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
