/* How many processors a cgroup grants. */
#include "conf_fixture.h"

#include <sched.h>

#include "conf/conf_cpu.h"

static void reads_quotas(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned all, count;
    } cases[] = {
        {"max 100000\n", 8, 8},
        {"200000 100000\n", 8, 2},
        {"150000 100000\n", 8, 2},
        {"1000 100000\n", 8, 1},
        {"900000 100000\n", 8, 8},
        {"", 8, 8},
        {"rubbish", 8, 8},
        {"0 100000", 8, 8},
        {"100000 0", 8, 8},
        {"100000", 8, 8},
        {"18446744073709551615 1", 8, 8},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(conf_cpu_quota(cases[i].text, cases[i].all), cases[i].count);
    }
}

static void follows_the_affinity_mask(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    assert_in_range(conf_cpu_count(), 1, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &before)) {
            CPU_SET(i, &one);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(conf_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_quotas),
                                       cmocka_unit_test(follows_the_affinity_mask)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
