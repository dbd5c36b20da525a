/*
 * Which workers leave, and which places are filled, as tables.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus/bus_resize.h"

#define PLACES 4

/* A place, in the order of its letters below. */
static struct bus_resize_place place_of(char what, uint64_t pressure)
{
    struct bus_resize_place place = {.pressure = pressure};

    switch (what) {
    case 'U': /* up */
        place.up = true;
        break;
    case 'E': /* empty, to be filled */
        place.empty = true;
        break;
    case 'g': /* given up, and empty */
        place.given_up = place.empty = true;
        break;
    case 'l': /* given up, its worker still leaves */
        place.given_up = true;
        break;
    case 'R': /* up, and its successor on its way */
        place.up = place.replaced = true;
        break;
    case 'u': /* given up, its worker has not been told */
        place.given_up = place.up = true;
        break;
    default: /* S: it starts */
        break;
    }
    return place;
}

static size_t fill(struct bus_resize_place *places, const char *what, const uint64_t *pressure)
{
    size_t count = 0;

    for (; what[count]; count++) {
        places[count] = place_of(what[count], pressure ? pressure[count] : 0);
    }
    return count;
}

static void test_victims(void **state)
{
    static const struct {
        const char *places;
        uint64_t pressure[PLACES];
        int victims[PLACES + 1]; /* in the order of their going, then -1 */
    } cases[] = {
        {"UUUU", {10, 40, 30, 20}, {1, 2, 3, 0, -1}},
        {"UUUU", {7, 7, 7, 7}, {3, 2, 1, 0, -1}},
        {"UUUU", {0, 9, 0, 9}, {3, 1, 2, 0, -1}},
        {"USUE", {99, 0, 99, 0}, {3, 1, 2, 0, -1}},
        {"ESEU", {1, 1, 1, 1000}, {2, 0, 1, 3, -1}},
        {"SS", {5, 1}, {1, 0, -1}}, /* what one that starts has says nothing */
        {"gUlU", {100, 1, 100, 2}, {3, 1, -1}},
        {"glu", {0, 0, 0}, {-1}},
        {"RUSU", {100, 1, 0, 2}, {2, 3, 1, -1}}, /* the successor counts for the one that it replaces */
        {"", {0}, {-1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bus_resize_place places[PLACES];
        size_t count = fill(places, cases[i].places, cases[i].pressure);

        for (size_t k = 0;; k++) {
            int victim = bus_resize_victim(places, count);
            if (victim != cases[i].victims[k]) {
                fail_msg("case %zu, victim %zu: %d, expected %d", i, k, victim, cases[i].victims[k]);
            }
            if (victim < 0) {
                break;
            }
            places[victim].given_up = true;
        }
    }
}

static void test_vacancies(void **state)
{
    static const struct {
        const char *places;
        size_t max;
        int vacancy;
    } cases[] = {
        {"UU", 4, 2},   {"UU", 2, -1},  {"UgU", 4, 1},  {"ggU", 4, 0}, {"lgU", 4, 1},
        {"UlU", 4, 3},  {"UlUu", 4, 1}, {"UUUu", 4, 3}, {"EES", 4, 3}, {"UUUU", 4, -1},
        {"gggg", 4, 0}, {"", 1, 0},     {"RU", 4, 2},   {"UR", 2, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bus_resize_place places[PLACES];
        size_t count = fill(places, cases[i].places, NULL);
        int vacancy = bus_resize_vacancy(places, count, cases[i].max);

        if (vacancy != cases[i].vacancy) {
            fail_msg("case %zu: %d, expected %d", i, vacancy, cases[i].vacancy);
        }
    }
}

static void test_count(void **state)
{
    struct bus_resize_place places[PLACES];

    (void)state;
    assert_int_equal(bus_resize_count(places, fill(places, "UgES", NULL)), 3);
    assert_int_equal(bus_resize_count(places, fill(places, "glu", NULL)), 0);
    assert_int_equal(bus_resize_count(places, fill(places, "RUS", NULL)), 2);
    assert_int_equal(bus_resize_count(places, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_victims),
        cmocka_unit_test(test_vacancies),
        cmocka_unit_test(test_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
