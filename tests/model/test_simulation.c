/*
 * What the default policy promises, in the simulator: seeded, on a virtual clock, so the same on every machine and under any load.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "sim.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

static struct sim_setup setup(uint64_t service, unsigned percent)
{
    return (struct sim_setup){
        .seed = 11, .service = service, .percent = percent, .antagonists = true, .requests = 30000};
}

static double ratio(const struct sim_setup *s, enum sim_policy policy, enum sim_policy to)
{
    struct sim_result a, b;

    sim_run(s, policy, &a);
    sim_run(s, to, &b);
    print_message("%s: p99 %.3f ms, %s: %.3f ms\n", sim_names[policy], a.p99 / 1e6, sim_names[to],
                  b.p99 / 1e6);
    return a.p99 / b.p99;
}

/* One run tells little about p99: which of two equal workers has the first request decides on a third more or less. */
#define SEEDS 6

/* With one that leaks, one that is slow, one that freezes, and one that fails fast, at 95 % of what the others can do. */
static void near_the_ideal_queue(void **state)
{
    static const uint64_t services[] = {200 * US, 5 * MS, 50 * MS};

    (void)state;
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        double sum = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct sim_setup s = setup(services[i], 95);
            s.seed = seed;
            s.bursty = seed % 3 == 0;
            sum += ratio(&s, SIM_LEAST_PRESSURE, SIM_IDEAL);
        }
        assert_true(sum / SEEDS <= 1.3);
    }
}

static void far_better_than_round_robin(void **state)
{
    struct sim_setup s = setup(5 * MS, 60);

    (void)state;
    assert_true(ratio(&s, SIM_ROUND_ROBIN, SIM_LEAST_PRESSURE) >= 3);
    s.antagonists = false;
    s.percent = 95;
    assert_true(ratio(&s, SIM_ROUND_ROBIN, SIM_LEAST_PRESSURE) >= 3);
}

/* Who fails fast is idle most of the time, and yet gets next to nothing. */
static void failing_fast_attracts_no_load(void **state)
{
    static const enum sim_policy policies[] = {SIM_LEAST_PRESSURE, SIM_LEAST_LOADED, SIM_PREQUAL};

    (void)state;
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        struct sim_setup s = setup(5 * MS, 95);
        struct sim_result result;
        sim_run(&s, policies[i], &result);
        assert_true(result.failed > 0); /* it is tried */
        assert_true(result.failed < 0.002);
    }
}

/* What is too much is refused, and what is not takes no longer than it would take without any choice. */
static void too_much_is_refused(void **state)
{
    struct sim_setup s = setup(5 * MS, 125);
    struct sim_result result, ideal;

    (void)state;
    sim_run(&s, SIM_LEAST_PRESSURE, &result);
    sim_run(&s, SIM_IDEAL, &ideal);
    assert_true(result.refused > 0.1 && result.refused < 0.25);
    assert_true(result.refused <= ideal.refused * 1.1);
    assert_true(result.p99 <= ideal.p99 * 1.1);
}

static void the_same_seed_gives_the_same(void **state)
{
    struct sim_setup s = setup(5 * MS, 80);
    struct sim_result a, b;

    (void)state;
    for (int policy = 0; policy < SIM_POLICIES; policy++) {
        sim_run(&s, (enum sim_policy)policy, &a);
        sim_run(&s, (enum sim_policy)policy, &b);
        assert_memory_equal(&a, &b, sizeof(a));
    }
    s.seed++;
    sim_run(&s, SIM_IDEAL, &a);
    sim_run(&s, SIM_RANDOM, &b);
    assert_true(a.p99 < b.p99 || a.p99 > b.p99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_the_ideal_queue),          cmocka_unit_test(far_better_than_round_robin),
        cmocka_unit_test(failing_fast_attracts_no_load), cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(the_same_seed_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
