/*
 * What lpm does with too much load, on a virtual clock (sim_queue.h): seeded, so the same on every machine and under any load.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "sim_queue.h"

#define MS UINT64_C(1000000)

static struct sim_queue_result measure(const struct sim_queue_setup *setup, enum sim_queue_policy policy)
{
    struct sim_queue_result r;

    sim_queue_run(setup, policy, &r);
    print_message(
        "%u workers of %g ms, %u %%, %s: goodput %.1f %%, wasted %.1f %%, p99 %.0f ms, refused %.1f %% in "
        "%.1f ms (p99)\n",
        setup->workers, (double)setup->service / 1e6, setup->percent, sim_queue_names[policy],
        r.goodput * 100, r.wasted * 100, r.p99 / 1e6, r.refused * 100, r.refused_p99 / 1e6);
    return r;
}

static void goodput_stays(void **state)
{
    static const struct sim_queue_setup setups[] = {{.workers = 8, .percent = 110, .service = 5 * MS},
                                                    {.workers = 8, .percent = 125, .service = 5 * MS},
                                                    {.workers = 8, .percent = 200, .service = 5 * MS},
                                                    {.workers = 8, .percent = 125, .service = 50 * MS},
                                                    {.workers = 64, .percent = 125, .service = 20 * MS},
                                                    {.workers = 1, .percent = 125, .service = 5 * MS}};

    (void)state;
    for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct sim_queue_setup setup = setups[i];
            struct sim_queue_result r, one;
            setup.seed = seed;
            setup.patience = 500 * MS;
            setup.requests = 30000;
            r = measure(&setup, SIM_QUEUE_LPM);
            assert_true(r.goodput >= 0.97);
            assert_true(r.wasted <= 0.08);
            assert_true(r.refused_p50 < 1);
            one = measure(&setup, SIM_QUEUE_LPM_ONE);
            assert_true(one.goodput >= 0.97);
            assert_true(measure(&setup, SIM_QUEUE_FIFO).goodput < 0.9);
        }
    }
}

/* A burst that fits is not refused, as it is by those who look at the age of the queue alone. */
static void bursts_are_taken_in(void **state)
{
    struct sim_queue_setup setup = {.seed = 1,
                                    .workers = 8,
                                    .percent = 95,
                                    .service = 5 * MS,
                                    .patience = 500 * MS,
                                    .bursty = true,
                                    .requests = 50000};
    double lpm = measure(&setup, SIM_QUEUE_LPM).goodput;

    (void)state;
    assert_true(lpm >= 0.95);
    assert_true(lpm > measure(&setup, SIM_QUEUE_CODEL).goodput + 0.1);
    assert_true(lpm > measure(&setup, SIM_QUEUE_LIFO).goodput + 0.1);
}

static void nothing_is_refused_below(void **state)
{
    struct sim_queue_setup setup = {
        .seed = 1, .workers = 8, .percent = 80, .service = 5 * MS, .patience = 500 * MS, .requests = 50000};

    (void)state;
    assert_true(measure(&setup, SIM_QUEUE_LPM).refused < 1e-9);
    assert_true(measure(&setup, SIM_QUEUE_LPM_ONE).refused < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(goodput_stays), cmocka_unit_test(bursts_are_taken_in),
                                       cmocka_unit_test(nothing_is_refused_below)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
