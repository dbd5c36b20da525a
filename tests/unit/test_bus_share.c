/*
 * Who has how much of a queue: counted rightly, and nobody is taken for another.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus/bus_share.h"

static struct bus_share share;

static struct bus_share_client client(uint32_t number)
{
    return bus_share_find(&share, &number, sizeof(number));
}

static void each_is_counted(void **state)
{
    struct bus_share_client nobody = bus_share_find(&share, "", 0);

    (void)state;
    share = (struct bus_share){.key = {1, 2}};
    for (uint32_t i = 0; i < 10; i++) {
        for (uint32_t k = 0; k <= i; k++) {
            bus_share_add(&share, client(i));
        }
    }
    bus_share_add(&share, nobody);
    bus_share_add(&share, (struct bus_share_client){.counted = false});
    assert_int_equal(bus_share_count(&share, nobody), 0);
    assert_int_equal(share.clients, 10);
    assert_int_equal(share.count, 56);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(bus_share_count(&share, client(i)), i + 1);
    }
    assert_int_equal(bus_share_count(&share, client(77)), 0);
    for (uint32_t i = 0; i < 10; i++) {
        for (uint32_t k = 0; k <= i; k++) {
            bus_share_remove(&share, client(i));
        }
    }
    bus_share_remove(&share, nobody);
    bus_share_remove(&share, (struct bus_share_client){.counted = false});
    assert_int_equal(share.clients + share.count, 0);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(bus_share_count(&share, client(i)), 0);
    }
}

/* Beside 20 that have much, one in about ten thousand is taken for one of them; under another key it is another one. */
static void few_are_taken_for_others(void **state)
{
    uint32_t wrong = 0, wrong_again = 0;

    (void)state;
    share = (struct bus_share){.key = {3, 4}};
    for (uint32_t i = 0; i < 20; i++) {
        bus_share_add(&share, client(i));
    }
    for (uint32_t i = 20; i < 100020; i++) {
        struct bus_share_client one = client(i);
        if (bus_share_count(&share, one) == 0) {
            continue;
        }
        wrong++;
        share.key[0] = 5;
        wrong_again += one.places[0] == client(i).places[0] && one.places[1] == client(i).places[1];
        share.key[0] = 3;
    }
    assert_true(wrong < 30);
    assert_int_equal(wrong_again, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_is_counted),
                                       cmocka_unit_test(few_are_taken_for_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
