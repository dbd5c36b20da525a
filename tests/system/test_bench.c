/*
 * The programs and scripts of tests/bench in their smallest form: that they still work. What they measure here means nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
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

/* What the table says of lpm's CPU time beside nginx's, at most 1.25 and better 1. */
static void expect_verdict(const double lpm[3], const double nginx[3], double ratio, const char *verdict)
{
    FILE *file = fopen("figures", "w");
    json_t *all, *goal = NULL, *its;
    struct run run;
    size_t i;

    for (i = 0; i < 6; i++) {
        fprintf(file,
                "{\"part\": \"http\", \"run\": %zu, \"figure\": \"hello\", \"who\": \"%s\", \"value\": %g, "
                "\"unit\": \"CPU us/request\"}\n",
                i / 2 + 1, i % 2 ? "nginx" : "lpm", i % 2 ? nginx[i / 2] : lpm[i / 2]);
    }
    fclose(file);
    run_command(&run, BENCH_MS,
                (const char *const[]){LPM_BUILD_DIR "/tests/bench/table", "figures", "table.json",
                                      "a machine", "today", NULL});
    assert_int_equal(run_exit(&run), 0);
    if (strstr(run.out, verdict) == NULL) {
        fail_msg("no \"%s\" in: %s", verdict, run.out);
    }
    run_free(&run);
    all = json_load_file("table.json", 0, NULL);
    json_array_foreach(json_object_get(all, "goals"), i, its)
    {
        if (strcmp(json_string_value(json_object_get(its, "name")), "HTTP, CPU / nginx return") == 0) {
            goal = json_object_get(its, "ratio");
        }
    }
    assert_non_null(goal);
    assert_float_equal(json_number_value(json_object_get(goal, "median")), ratio, 0.001);
    json_decref(all);
}

/* A ratio is one of two figures of the same run: the medians' would be 0.5 and 1. */
static void test_verdicts(void **state)
{
    (void)state;
    expect_verdict((const double[]){8, 8, 8}, (const double[]){8, 8, 8}, 1, "reaches the aim");
    expect_verdict((const double[]){6, 10, 24}, (const double[]){5, 20, 20}, 1.2, "enough");
    expect_verdict((const double[]){6, 10, 24}, (const double[]){4, 20, 10}, 1.5, "FALLS SHORT");
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_parts), cmocka_unit_test(test_verdicts),
                                       cmocka_unit_test(test_unknown_part)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
