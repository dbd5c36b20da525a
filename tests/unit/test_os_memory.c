/*
 * cgroup v2 and PSI, from files of the test's own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ftw.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os_memory.h"

static const struct os_memory_paths paths = {"proc", "cgroup"};

/* With the folders above it; in the empty one that the test runs in. */
static void put(const char *path, const char *text)
{
    char folder[256];

    for (const char *end = path; (end = strchr(end, '/')) != NULL; end++) {
        snprintf(folder, sizeof(folder), "%.*s", (int)(end - path), path);
        mkdir(folder, 0755);
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static int clean(void **state)
{
    (void)state;
    nftw("proc", drop, 8, FTW_DEPTH | FTW_PHYS);
    nftw("cgroup", drop, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static struct os_memory seen(void)
{
    struct os_memory memory;
    os_memory_read(&paths, &memory);
    return memory;
}

static void nothing_is_there(void **state)
{
    (void)state;
    assert_int_equal(seen().limit, 0);
    assert_int_equal(seen().some, OS_MEMORY_UNKNOWN);
    put("proc/self/cgroup", "4:memory:/old\n");
    assert_int_equal(seen().limit, 0);
    put("proc/self/cgroup", "0::/../../etc\n");
    assert_int_equal(seen().limit, 0);
}

static void the_nearest_to_its_limit_counts(void **state)
{
    (void)state;
    put("proc/self/cgroup", "4:memory:/old\n0::/a/b\n");
    put("cgroup/a/b/memory.max", "max\n");
    put("cgroup/a/b/memory.high", "max\n");
    put("cgroup/a/b/memory.current", "700\n");
    assert_int_equal(seen().limit, 0);
    put("cgroup/a/memory.max", "1000\n");
    put("cgroup/a/memory.current", "800\n");
    put("cgroup/a/memory.stat", "anon 5\ninactive_file_x 9\ninactive_file 100\n");
    assert_int_equal(seen().limit, 1000);
    assert_int_equal(seen().used, 700);
    put("cgroup/a/memory.high", "750\n");
    assert_int_equal(seen().limit, 750);
    put("cgroup/a/b/memory.max", "900\n");
    assert_int_equal(seen().limit, 750);
    put("cgroup/a/b/memory.current", "899\n");
    assert_int_equal(seen().limit, 900);
    assert_int_equal(seen().used, 899);
    put("cgroup/a/b/memory.events", "low 0\noom 3\noom_kill 2\n");
    assert_int_equal(seen().oom_kills, 2);
    put("cgroup/a/b/memory.max", "rubbish\n");
    assert_int_equal(seen().limit, 750);
}

static void psi_of_the_cgroup_or_of_the_machine(void **state)
{
    (void)state;
    put("proc/pressure/memory", "some avg10=12.05 avg60=1.00 avg300=0.00 total=1\n"
                                "full avg10=100.00 avg60=1.00 avg300=0.00 total=1\n");
    assert_int_equal(seen().some, 1205);
    assert_int_equal(seen().full, 10000);
    put("proc/self/cgroup", "0::/\n");
    put("cgroup/memory.pressure", "some avg10=0.50 avg60=1.00 avg300=0.00 total=1\n");
    assert_int_equal(seen().some, 50);
    assert_int_equal(seen().full, OS_MEMORY_UNKNOWN);
    put("cgroup/memory.pressure", "nonsense\n");
    assert_int_equal(seen().some, 1205);
}

static uint64_t room(void)
{
    return os_memory_room(&paths);
}

/* Of the machine and of each cgroup, whichever leaves least. */
static void room_for_another(void **state)
{
    (void)state;
    assert_true(room() == UINT64_MAX);
    put("proc/meminfo", "MemTotal:       1000 kB\nMemFree:          20 kB\nMemAvailable:    250 kB\n");
    assert_int_equal(room(), 200 * 1024);
    put("proc/self/cgroup", "0::/a/b\n");
    assert_int_equal(room(), 200 * 1024);
    put("cgroup/a/memory.max", "100000\n");
    put("cgroup/a/memory.current", "85000\n");
    put("cgroup/a/memory.stat", "inactive_file 5000\n");
    assert_int_equal(room(), 10000);
    put("cgroup/a/b/memory.max", "20000\n");
    put("cgroup/a/b/memory.current", "10000\n");
    assert_int_equal(room(), 8000);
    put("cgroup/a/b/memory.current", "19000\n");
    assert_int_equal(room(), 0);
    put("cgroup/a/b/memory.max", "max\n");
    put("proc/meminfo", "MemTotal:       1000 kB\nMemAvailable:     49 kB\n");
    assert_int_equal(room(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_there, clean, clean),
        cmocka_unit_test_setup_teardown(the_nearest_to_its_limit_counts, clean, clean),
        cmocka_unit_test_setup_teardown(room_for_another, clean, clean),
        cmocka_unit_test_setup_teardown(psi_of_the_cgroup_or_of_the_machine, clean, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
