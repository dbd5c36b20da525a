/*
 * core/ipc/ring: slots arrive whole and in order while the indexes wrap, and no index of a peer is believed that cannot be.
 */
#include "ipc/ring.h"

#include <lpm/module.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint32_t firsts[] = {0,         1, RING_SLOTS - 1, UINT32_MAX, UINT32_MAX - 3, 0u - RING_SLOTS,
                                  0x7fffffff};
#define FIRSTS (sizeof(firsts) / sizeof(firsts[0]))

struct both {
    struct ring_cell cells[RING_SLOTS];
    _Atomic uint32_t shown, taken;
    struct ring_writer w;
    struct ring_reader r;
};

static struct both *make(uint32_t first)
{
    static struct both both;

    both.shown = both.taken = first;
    ring_writer_init(&both.w, both.cells, &both.shown, &both.taken, first);
    ring_reader_init(&both.r, both.cells, &both.shown, &both.taken, first);
    return &both;
}

static void put(struct both *b, uint32_t number)
{
    ring_put(&b->w, &(struct ring_slot){number, number * 3, number * 5, number * 7});
}

static void get(struct both *b, uint32_t number)
{
    struct ring_slot slot;

    ring_read(&b->r, &slot);
    ring_advance(&b->r);
    assert_int_equal(slot.block, number);
    assert_int_equal(slot.len, number * 3);
    assert_int_equal(slot.fd_count, number * 5);
    assert_int_equal(slot.place, number * 7);
}

static void in_order_and_across_the_wrap(void **state)
{
    (void)state;
    for (size_t i = 0; i < FIRSTS; i++) {
        struct both *b = make(firsts[i]);
        uint32_t sent = 0, received = 0;

        for (uint32_t round = 0; round < 4000; round++) {
            uint32_t some = round * 37 % 300;
            assert_int_equal(ring_refresh(&b->w), 0);
            assert_int_equal(ring_room(&b->w), RING_SLOTS - (sent - received));
            while (some-- > 0 && ring_room(&b->w) > 0) {
                put(b, sent++);
            }
            ring_publish(&b->w, b->w.next);
            assert_int_equal(ring_look(&b->r), sent != received);
            assert_int_equal(ring_left(&b->r), sent - received);
            for (some = round * 53 % 300; some > 0 && ring_left(&b->r) > 0; some--) {
                get(b, received++);
            }
        }
        assert_true(received > 100000);
    }
}

static void nothing_is_seen_before_it_is_published(void **state)
{
    struct both *b = make(UINT32_MAX);

    (void)state;
    put(b, 1);
    put(b, 2);
    assert_int_equal(ring_look(&b->r), 0);
    ring_publish(&b->w, b->w.next - 1);
    assert_int_equal(ring_look(&b->r), 1);
    assert_int_equal(ring_left(&b->r), 1);
    get(b, 1);
    assert_int_equal(ring_look(&b->r), 0);
    ring_publish(&b->w, b->w.next);
    assert_int_equal(ring_look(&b->r), 1);
    get(b, 2);
}

static void an_index_of_the_writer(void **state)
{
    static const struct {
        uint32_t ahead; /* of what was read */
        int expected;
    } rows[] = {{0, LPM_EPROTO}, /* it showed 5 before */
                {4, LPM_EPROTO},
                {5, 1},
                {6, 1},
                {RING_SLOTS, 1},
                {RING_SLOTS + 1, LPM_EPROTO},
                {0x80000000, LPM_EPROTO},
                {UINT32_MAX, LPM_EPROTO}};

    (void)state;
    for (size_t i = 0; i < FIRSTS; i++) {
        for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
            struct both *b = make(firsts[i]);
            b->shown = firsts[i] + 5;
            assert_int_equal(ring_look(&b->r), 1);
            b->shown = firsts[i] + rows[j].ahead;
            assert_int_equal(ring_look(&b->r), rows[j].expected);
            assert_in_range(ring_left(&b->r), 5, RING_SLOTS);
        }
    }
}

static void an_index_of_the_reader(void **state)
{
    static const struct {
        uint32_t taken; /* of 10 published, after 3 were seen to be taken */
        int expected;
    } rows[] = {{3, 0},
                {4, 0},
                {10, 0},
                {11, LPM_EPROTO},
                {12, LPM_EPROTO},
                {2, LPM_EPROTO},
                {0, LPM_EPROTO},
                {0x80000000, LPM_EPROTO},
                {UINT32_MAX, LPM_EPROTO}};

    (void)state;
    for (size_t i = 0; i < FIRSTS; i++) {
        for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
            struct both *b = make(firsts[i]);
            for (uint32_t n = 0; n < 11; n++) {
                put(b, n);
            }
            ring_publish(&b->w, b->w.next - 1);
            b->taken = firsts[i] + 3;
            assert_int_equal(ring_refresh(&b->w), 0);
            b->taken = firsts[i] + rows[j].taken;
            assert_int_equal(ring_refresh(&b->w), rows[j].expected);
            assert_in_range(ring_room(&b->w), RING_SLOTS - 8, RING_SLOTS - 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_and_across_the_wrap),
        cmocka_unit_test(nothing_is_seen_before_it_is_published),
        cmocka_unit_test(an_index_of_the_writer),
        cmocka_unit_test(an_index_of_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
