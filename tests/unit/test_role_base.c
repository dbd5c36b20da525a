/*
 * core/role/role_base: the loop listens for edges, also where the environment asks libevent for a method that cannot.
 */
#include "role/role_base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void edges(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct event_base *base = role_base_new();
        assert_non_null(base);
        assert_true((event_base_get_features(base) & EV_FEATURE_ET) != 0);
        event_base_free(base);
        assert_int_equal(setenv("EVENT_NOEPOLL", "1", 1), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
