/*
 * What becomes of a request when its worker dies.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus/bus_retry.h"

static void verdicts(void **state)
{
    static const struct {
        struct bus_retry request;
        enum bus_retry_verdict verdict;
    } cases[] = {
        /* waited, started, running, left, kills, poison_after */
        {{false, true, true, 5, 1, 2}, BUS_RETRY_DROP},
        {{false, false, false, 5, 0, 2}, BUS_RETRY_DROP},
        {{true, false, false, 0, 0, 2}, BUS_RETRY_FREE},
        {{true, false, false, 3, 0, 2}, BUS_RETRY_FREE},
        {{true, true, false, 1, 0, 2}, BUS_RETRY_AGAIN},
        {{true, true, false, 0, 0, 2}, BUS_RETRY_SPENT},
        {{true, true, true, 1, 1, 2}, BUS_RETRY_AGAIN},
        {{true, true, true, 0, 1, 2}, BUS_RETRY_SPENT},
        {{true, true, true, 5, 2, 2}, BUS_RETRY_POISON},
        {{true, true, true, 5, 1, 1}, BUS_RETRY_POISON},
        {{true, true, true, 5, 9, -1}, BUS_RETRY_AGAIN},
        /* it killed two, but this time another one ran: it is not to blame */
        {{true, true, false, 1, 1, 2}, BUS_RETRY_AGAIN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("case %zu\n", i);
        assert_int_equal(bus_retry_decide(&cases[i].request), cases[i].verdict);
    }
}

static void boards(void **state)
{
    static const struct {
        uint32_t sent, started, unfinished, unstarted;
    } cases[] = {
        {10, 10, 3, 0},        {10, 8, 3, 2},
        {10, 7, 3, 3},         {10, 6, 3, 0}, /* more unstarted than unfinished: a lie */
        {10, 11, 3, 0},                       /* started what was not sent: a lie */
        {1, UINT32_MAX, 3, 2}, {5, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(bus_retry_unstarted(cases[i].sent, cases[i].started, cases[i].unfinished),
                         cases[i].unstarted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(verdicts), cmocka_unit_test(boards)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
