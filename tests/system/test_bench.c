/*
 * The programs and scripts of tests/bench in their smallest form: that they still work. What they measure here means nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

#define BENCH_MS 120000 /* it takes some seconds */

static const char *const parts[] = {"bus",    "http",   "headers",  "idle",      "dispatch",
                                    "memory", "reload", "policies", "simulation"};

/* Measurements of that part with a value of the one run. */
static size_t count_figures(const json_t *figures, const char *part)
{
    size_t i, count = 0;
    json_t *figure;

    json_array_foreach(figures, i, figure)
    {
        const char *its = json_string_value(json_object_get(figure, "part"));
        count += strcmp(its, part) == 0 && json_array_size(json_object_get(figure, "runs")) == 1;
    }
    return count;
}

static void test_all_parts(void **state)
{
    struct run run;
    json_t *all;

    (void)state;
    setenv("BUILD", LPM_BUILD_DIR, 1);
    setenv("BENCH_RUNS", "1", 1);
    setenv("BENCH_SECONDS", "0", 1);
    setenv("BENCH_JSON", "bench.json", 1);
    run_command(&run, BENCH_MS, (const char *const[]){LPM_SOURCE_DIR "/tests/bench/run.sh", NULL});
    if (run_exit(&run) != 0) {
        fail_msg("%s", run.err);
    }
    assert_non_null(strstr(run.out, "what it must show"));
    run_free(&run);

    all = json_load_file("bench.json", 0, NULL);
    assert_non_null(all);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (count_figures(json_object_get(all, "figures"), parts[i]) == 0) {
            fail_msg("%s has no figures", parts[i]);
        }
    }
    assert_true(json_array_size(json_object_get(all, "goals")) >= 10);
    json_decref(all);
}

static void test_unknown_part(void **state)
{
    struct run run;

    (void)state;
    setenv("BUILD", LPM_BUILD_DIR, 1);
    run_command(&run, BENCH_MS, (const char *const[]){LPM_SOURCE_DIR "/tests/bench/run.sh", "htp", NULL});
    assert_int_equal(run_exit(&run), 1);
    assert_non_null(strstr(run.err, "no part \"htp\", there are: bus dispatch"));
    run_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_parts), cmocka_unit_test(test_unknown_part)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
