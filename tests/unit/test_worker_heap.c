/*
 * What a worker tells of its heap, and when: not more often than once a second, not without a change, and not too late.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lpm_auto_config.h"
#include "worker/worker_heap.h"

#define BIG  (8u << 20) /* mapped by malloc, on its own */
#define TINY 1000u

struct fixture {
    struct worker worker;
    struct channel *bus; /* its end */
};

/* Does malloc tell what it holds? That of a sanitizer does not. */
static bool malloc_tells(void)
{
#if LPM_HAVE_MALLINFO2
    void *volatile block = malloc(TINY);
    bool tells = mallinfo2().uordblks > 0;
    free(block);
    return tells;
#else
    return false;
#endif
}

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error err;
    int fds[2];

    assert_non_null(f);
    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(channel_new_bus(&f->bus, fds[0], &err), 0);
    assert_int_equal(channel_new_worker(&f->worker.channel, fds[1], 5000, &err), 0);
    f->worker.base = event_base_new();
    assert_non_null(f->worker.base);
    return f;
}

static void fixture_free(struct fixture *f)
{
    worker_heap_fini(&f->worker);
    event_base_free(f->worker.base);
    channel_free(f->worker.channel);
    channel_free(f->bus);
    free(f);
}

/* How many HEAP the bus has got since; `frame` receives the last one. */
static int told(struct fixture *f, struct frame *frame)
{
    struct channel_message message;
    const char *why;
    int count = 0;

    while (channel_next(f->bus, &message, &why) == 1) {
        assert_int_equal(frame_decode(frame, message.data, message.len, &why), 0);
        assert_int_equal(frame->type, FRAME_HEAP);
        channel_release(f->bus, &message);
        count++;
    }
    return count;
}

static void test_what_is_told_and_when(void **state)
{
    struct fixture *f = fixture_new();
    struct frame first = {.type = FRAME_HEAP}, second = {.type = FRAME_HEAP};
    uint64_t began;
    char *volatile big, *volatile tiny;

    (void)state;
    worker_heap_tell(&f->worker); /* the first turn */
    if (!malloc_tells()) {
        assert_int_equal(told(f, &first), 0);
        fixture_free(f);
        return;
    }
    assert_int_equal(told(f, &first), 1);
    assert_true(first.heap_used > 0 && first.heap_used <= first.heap_total);

    began = clock_now();
    big = malloc(BIG);
    assert_non_null(big);
    for (int i = 0; i < 1000; i++) {
        worker_heap_tell(&f->worker);
    }
    assert_int_equal(told(f, &second), 0);
    /* Nothing else runs any more: the look comes by itself. */
    event_base_loop(f->worker.base, EVLOOP_ONCE);
    worker_heap_tell(&f->worker);
    assert_in_range(clock_now() - began, CLOCK_NS_PER_S / 2, 20 * CLOCK_NS_PER_S);
    assert_int_equal(told(f, &second), 1);
    assert_in_range(second.heap_used - first.heap_used, BIG, BIG + (1u << 20));
    assert_in_range(second.heap_total - first.heap_total, BIG, BIG + (1u << 20));

    /* What is not worth telling; and then nothing is waited for. */
    tiny = malloc(TINY);
    worker_heap_tell(&f->worker);
    event_base_loop(f->worker.base, EVLOOP_ONCE);
    worker_heap_tell(&f->worker);
    assert_int_equal(told(f, &second), 0);
    assert_false(f->worker.heap_timer_runs);

    free(tiny);
    free(big);
    worker_heap_tell(&f->worker);
    event_base_loop(f->worker.base, EVLOOP_ONCE);
    worker_heap_tell(&f->worker);
    assert_int_equal(told(f, &second), 1);
    assert_true(second.heap_used < first.heap_used + (1u << 20));
    fixture_free(f);
}

/* A heap in so many pieces that it takes long to tell: the looks are rarer, so that they cost little all in all. */
static void test_a_slow_look_is_rare(void **state)
{
    enum { COUNT = 600000 };
    struct fixture *f = fixture_new();
    struct frame frame;
    void **blocks = calloc(COUNT, sizeof(*blocks));
    uint64_t before;

    (void)state;
    assert_non_null(blocks);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = malloc(136);
    }
    for (size_t i = 0; i < COUNT; i += 2) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
    before = clock_now();
    worker_heap_tell(&f->worker);
    told(f, &frame);
    assert_true(f->worker.heap_next >= before + CLOCK_NS_PER_S);
    if (malloc_tells()) {
        assert_true(f->worker.heap_next > before + CLOCK_NS_PER_S + CLOCK_NS_PER_S / 10);
    }
    for (size_t i = 0; i < COUNT; i++) {
        free(blocks[i]);
    }
    free(blocks);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_told_and_when),
        cmocka_unit_test(test_a_slow_look_is_rare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
