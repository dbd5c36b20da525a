/*
 * The queue: its order, the bounds of waiting, and that it costs the same however many wait.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bus/bus_queue.h"

#define COUNT 64

static struct bus_queue queue;
static struct bus_queue_sum total;
static struct bus_queue_item items[COUNT];

static void begin(void)
{
    memset(&total, 0, sizeof(total));
    bus_queue_init(&queue, &total);
    for (size_t i = 0; i < COUNT; i++) {
        items[i] = (struct bus_queue_item){.level = BUS_QUEUE_NORMAL, .since = i, .bytes = 10};
    }
}

static void append(size_t i, enum bus_queue_level level)
{
    items[i].level = level;
    bus_queue_append(&queue, &items[i]);
}

static void check_sent(size_t i)
{
    struct bus_queue_item *next = bus_queue_next(&queue);

    assert_ptr_equal(next, &items[i]);
    bus_queue_sent(&queue, next);
}

static void first_in_first_out(void **state)
{
    (void)state;
    begin();
    assert_null(bus_queue_next(&queue));
    assert_null(bus_queue_oldest(&queue));
    assert_null(bus_queue_last(&queue, BUS_QUEUE_NORMAL));
    assert_null(bus_queue_after(&queue, NULL));
    for (size_t i = 0; i < 5; i++) {
        append(i, BUS_QUEUE_NORMAL);
    }
    bus_queue_remove(&queue, &items[2]);
    assert_int_equal(queue.sum.count, 4);
    assert_int_equal(total.bytes, 40);
    check_sent(0);
    check_sent(1);
    check_sent(3);
    check_sent(4);
    assert_null(bus_queue_next(&queue));
    assert_int_equal(total.count + total.bytes, 0);
}

static void what_came_back_goes_first_and_is_not_given_up(void **state)
{
    (void)state;
    begin();
    append(5, BUS_QUEUE_NORMAL);
    append(6, BUS_QUEUE_NORMAL);
    items[8].since = 8;
    bus_queue_return(&queue, &items[8]);
    items[7].since = 9; /* sent before 8, so put before it */
    bus_queue_return(&queue, &items[7]);
    assert_ptr_equal(bus_queue_oldest(&queue), &items[5]);
    assert_ptr_equal(bus_queue_last(&queue, BUS_QUEUE_NORMAL), &items[6]);
    bus_queue_remove(&queue, &items[5]);
    bus_queue_remove(&queue, &items[6]);
    assert_ptr_equal(bus_queue_oldest(&queue), &items[8]);
    assert_null(bus_queue_last(&queue, BUS_QUEUE_NORMAL));
    check_sent(7);
    check_sent(8);
}

/* Of 32 two are kept for each level. */
static void the_lowest_that_has_more_than_is_kept_is_over(void **state)
{
    (void)state;
    begin();
    for (size_t i = 0; i < 30; i++) {
        append(i, BUS_QUEUE_HIGH);
    }
    append(30, BUS_QUEUE_LOW);
    append(31, BUS_QUEUE_LOW);
    assert_false(bus_queue_is_over(&queue.sum, BUS_QUEUE_LOW, 32, 320));
    assert_false(bus_queue_is_over(&queue.sum, BUS_QUEUE_HIGH, 32, 320));
    append(32, BUS_QUEUE_HIGH);
    assert_false(bus_queue_is_over(&queue.sum, BUS_QUEUE_LOW, 32, 320));
    assert_false(bus_queue_is_over(&queue.sum, BUS_QUEUE_NORMAL, 32, 320));
    assert_true(bus_queue_is_over(&queue.sum, BUS_QUEUE_HIGH, 32, 1000));
    assert_true(bus_queue_is_over(&queue.sum, BUS_QUEUE_HIGH, 1000, 320));
    append(33, BUS_QUEUE_LOW);
    assert_true(bus_queue_is_over(&queue.sum, BUS_QUEUE_LOW, 32, 1000));
    assert_true(bus_queue_is_over(&queue.sum, BUS_QUEUE_LOW, 1000, 320));
    assert_false(bus_queue_is_over(&queue.sum, BUS_QUEUE_LOW, 34, 340));
    assert_ptr_equal(bus_queue_last(&queue, BUS_QUEUE_LOW), &items[33]);
    assert_ptr_equal(bus_queue_last(&queue, BUS_QUEUE_HIGH), &items[32]);
}

static void all_are_visited_by_priority(void **state)
{
    static const size_t order[] = {3, 5, 4, 2, 1};
    struct bus_queue_item *item = NULL;

    (void)state;
    begin();
    append(1, BUS_QUEUE_LOW);
    append(2, BUS_QUEUE_NORMAL);
    append(3, BUS_QUEUE_HIGH);
    items[4].level = items[5].level = BUS_QUEUE_NORMAL;
    bus_queue_return(&queue, &items[4]);
    bus_queue_return(&queue, &items[5]);
    for (size_t i = 0; i < 5; i++) {
        item = bus_queue_after(&queue, item);
        assert_ptr_equal(item, &items[order[i]]);
    }
    assert_null(bus_queue_after(&queue, item));
    assert_int_equal(bus_queue_count_from(&queue.sum, BUS_QUEUE_LOW), 5);
    assert_int_equal(bus_queue_count_from(&queue.sum, BUS_QUEUE_NORMAL), 4);
    assert_int_equal(bus_queue_bytes_from(&queue.sum, BUS_QUEUE_HIGH), 10);
}

/* Whoever else comes, of so many in a row one is of each level that waits; and there is a row with no more than one. */
static void nobody_starves(void **state)
{
    unsigned others[BUS_QUEUE_LEVELS] = {0}, most[BUS_QUEUE_LEVELS] = {0};
    uint64_t random = 7;

    (void)state;
    begin();
    for (size_t i = 0; i < COUNT; i++) {
        append(i, (enum bus_queue_level)(i % BUS_QUEUE_LEVELS));
    }
    for (unsigned turn = 0; turn < 200000; turn++) {
        struct bus_queue_item *item = bus_queue_next(&queue);
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bus_queue_sent(&queue, item);
        for (int level = 0; level < BUS_QUEUE_LEVELS; level++) {
            bool waits = queue.sum.levels[level].count > 0 && level != (int)item->level;
            others[level] = waits ? others[level] + 1 : 0;
            most[level] = others[level] > most[level] ? others[level] : most[level];
        }
        /* In some stretches nearly all is high, in others all alike. */
        unsigned kind = turn / 5000 % 3;
        uint64_t draw = (random >> 33) % 100;
        item->level = kind == 0 || draw >= 2 * kind ? BUS_QUEUE_HIGH : (enum bus_queue_level)(draw % 2);
        if (kind == 2) {
            item->level = (enum bus_queue_level)(draw % BUS_QUEUE_LEVELS);
        }
        item->since = COUNT + turn;
        bus_queue_append(&queue, item);
    }
    for (int level = 0; level < BUS_QUEUE_LEVELS; level++) {
        assert_int_equal(most[level], bus_queue_one_in[level] - 1);
    }
}

static void high_goes_first_most_of_the_time(void **state)
{
    unsigned sent[BUS_QUEUE_LEVELS] = {0};

    (void)state;
    begin();
    for (size_t i = 0; i < 6; i++) {
        append(i, (enum bus_queue_level)(i % BUS_QUEUE_LEVELS));
    }
    for (unsigned i = 0; i < 1600; i++) {
        struct bus_queue_item *item = bus_queue_next(&queue);
        sent[item->level]++;
        bus_queue_sent(&queue, item);
        bus_queue_append(&queue, item);
    }
    assert_int_equal(sent[BUS_QUEUE_LOW], 100);
    assert_in_range(sent[BUS_QUEUE_NORMAL], 320, 400);
    assert_true(sent[BUS_QUEUE_HIGH] >= 1100);
}

/* ns of processor time for one round of all that a request, a timer and a full queue do, beside `waiting` others. */
static double cost_beside(size_t waiting)
{
    enum { ROUNDS = 20000 };
    struct bus_queue_item *many = calloc(waiting, sizeof(*many)), one = {.level = BUS_QUEUE_LOW};
    clock_t before;
    double cost;

    assert_non_null(many);
    begin();
    for (size_t i = 0; i < waiting; i++) {
        many[i].level = (enum bus_queue_level)(i % BUS_QUEUE_LEVELS);
        bus_queue_append(&queue, &many[i]);
    }
    before = clock();
    for (int i = 0; i < ROUNDS; i++) {
        struct bus_queue_item *item;
        assert_non_null(bus_queue_oldest(&queue));
        bus_queue_append(&queue, &one);
        bus_queue_remove(&queue, bus_queue_last(&queue, BUS_QUEUE_LOW));
        assert_false(bus_queue_is_over(&queue.sum, BUS_QUEUE_LOW, 10000000, 10000000));
        item = bus_queue_next(&queue);
        bus_queue_sent(&queue, item);
        bus_queue_append(&queue, item);
    }
    cost = (double)(clock() - before) * 1e9 / CLOCKS_PER_SEC / ROUNDS;
    free(many);
    return cost;
}

/* What is not bounded would cost a thousand times as much. */
static void a_million_cost_as_ten(void **state)
{
    double few = cost_beside(10), many = cost_beside(1000000);

    (void)state;
    print_message("a round beside 10: %.0f ns, beside 1000000: %.0f ns\n", few, many);
    assert_true(many < few * 20 + 2000); /* other cache lines, and a busy machine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out),
        cmocka_unit_test(what_came_back_goes_first_and_is_not_given_up),
        cmocka_unit_test(the_lowest_that_has_more_than_is_kept_is_over),
        cmocka_unit_test(all_are_visited_by_priority),
        cmocka_unit_test(nobody_starves),
        cmocka_unit_test(high_goes_first_most_of_the_time),
        cmocka_unit_test(a_million_cost_as_ten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
