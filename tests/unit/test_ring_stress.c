/*
 * core/ipc/ring, arena and bell between two threads that sleep whenever they can: every message arrives once, whole and in
 * order, though it is given back late and in another order, across the wrap of all indexes; and nobody is left asleep.
 *
 * LPM_STRESS_MESSAGES: how many (two million); `make soak` sends a hundred million under ThreadSanitizer.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/arena.h"
#include "ipc/bell.h"
#include "ipc/ring.h"

#define FIRST     (UINT32_MAX - 500000)
#define HELD      64
#define MOST      600   /* bytes of a message */
#define ASLEEP_MS 60000 /* so long nobody waits who was not forgotten */

static struct {
    struct ring_cell cells[RING_SLOTS];
    _Alignas(128) _Atomic uint32_t shown;
    _Alignas(128) _Atomic uint32_t taken;
    _Alignas(128) _Atomic uint32_t asleep_at;
    _Alignas(128) _Atomic uint32_t calls;
    struct arena_returns returns;
    _Alignas(128) char bytes[ARENA_SIZE];
    uint64_t count;
    int bells[2];
} shared;

struct sleeper {
    int loop;
    uint64_t slept;
};

static void sleeper_init(struct sleeper *s, int bell)
{
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLET};

    s->loop = epoll_create1(EPOLL_CLOEXEC);
    if (s->loop < 0 || epoll_ctl(s->loop, EPOLL_CTL_ADD, bell, &wanted) < 0) {
        abort();
    }
}

static void sleep_until_rung(struct sleeper *s, const char *who)
{
    struct epoll_event event;
    int n;

    while ((n = epoll_wait(s->loop, &event, 1, ASLEEP_MS)) < 0 && errno == EINTR) {
    }
    if (n != 1) {
        print_error("the %s was forgotten in its sleep\n", who);
        abort();
    }
    s->slept++;
}

static uint32_t length_of(uint64_t number)
{
    return 9 + (uint32_t)(number * 2654435761u >> 7) % (MOST - 9);
}

/* -- The writer ----------------------------------------------------------------------------------------- */

struct writer {
    struct ring_writer ring;
    struct arena arena;
    struct sleeper sleeper;
};

/* A place for the message, or ARENA_FULL. */
static uint32_t place(struct writer *w, uint32_t len)
{
    if (ring_refresh(&w->ring) < 0 || arena_collect(&w->arena) < 0) {
        abort();
    }
    return ring_room(&w->ring) > 0 ? arena_take(&w->arena, len) : ARENA_FULL;
}

static void publish(struct writer *w)
{
    uint32_t before = w->ring.published;

    ring_publish(&w->ring, w->ring.next);
    if (bell_due(&shared.asleep_at, before, w->ring.next)) {
        bell_ring(shared.bells[0]);
    }
}

static void put(struct writer *w, uint64_t number)
{
    uint32_t len = length_of(number), block = place(w, len);
    char *bytes;

    while (block == ARENA_FULL) {
        publish(w);
        bell_call(&shared.calls);
        block = place(w, len);
        if (block == ARENA_FULL) {
            sleep_until_rung(&w->sleeper, "writer");
            block = place(w, len);
        }
    }
    bytes = shared.bytes + (size_t)block * ARENA_BLOCK;
    memcpy(bytes, &number, sizeof(number));
    bytes[len - 1] = (char)number;
    ring_put(&w->ring, &(struct ring_slot){block, len, (uint32_t)number, 0});
}

static void *write_all(void *arg)
{
    static struct writer w;

    (void)arg;
    ring_writer_init(&w.ring, shared.cells, &shared.shown, &shared.taken, FIRST);
    arena_init(&w.arena, &shared.returns, FIRST);
    sleeper_init(&w.sleeper, shared.bells[1]);
    for (uint64_t i = 0; i < shared.count; i++) {
        put(&w, i);
        /* Batches of every length, and often of one. */
        if ((i & 1023) < 512 || i % 97 == 0) {
            publish(&w);
        }
    }
    publish(&w);
    close(w.sleeper.loop);
    print_message("the writer slept %llu times\n", (unsigned long long)w.sleeper.slept);
    return NULL;
}

/* -- The reader ----------------------------------------------------------------------------------------- */

struct reader {
    struct ring_reader ring;
    struct arena_giver giver;
    struct sleeper sleeper;
    uint32_t answered;
    struct {
        bool used;
        uint64_t number;
        struct ring_slot slot;
    } held[HELD];
};

static void check(uint64_t number, const struct ring_slot *slot)
{
    const char *bytes = shared.bytes + (size_t)slot->block * ARENA_BLOCK;
    uint64_t got;

    memcpy(&got, bytes, sizeof(got));
    if (got != number || slot->len != length_of(number) || bytes[slot->len - 1] != (char)number ||
        slot->fd_count != (uint32_t)number) {
        print_error("message %llu came as %llu\n", (unsigned long long)number, (unsigned long long)got);
        abort();
    }
}

static void give(struct reader *r, size_t i)
{
    if (r->held[i].used) {
        check(r->held[i].number, &r->held[i].slot);
        arena_give(&r->giver, r->held[i].slot.block);
        r->held[i].used = false;
    }
}

/* Half of them are given back at once, the others when their place is needed. */
static void keep(struct reader *r, uint64_t number, const struct ring_slot *slot)
{
    size_t i = (size_t)(number * 2654435761u >> 9) % HELD;

    if (number % 2) {
        arena_give(&r->giver, slot->block);
        return;
    }
    give(r, i);
    r->held[i].used = true;
    r->held[i].number = number;
    r->held[i].slot = *slot;
}

static void wait_for_more(struct reader *r)
{
    int rc = ring_look(&r->ring);

    if (rc == 0) {
        bell_arm(&shared.asleep_at, r->ring.next);
        rc = ring_look(&r->ring);
        if (bell_called(&shared.calls, &r->answered)) {
            bell_ring(shared.bells[1]);
        }
    }
    if (rc < 0) {
        abort();
    }
    if (rc == 0) {
        sleep_until_rung(&r->sleeper, "reader");
    }
}

static void *read_all(void *arg)
{
    static struct reader r;
    uint64_t number = 0;

    (void)arg;
    ring_reader_init(&r.ring, shared.cells, &shared.shown, &shared.taken, FIRST);
    arena_giver_init(&r.giver, &shared.returns, FIRST);
    sleeper_init(&r.sleeper, shared.bells[0]);
    while (number < shared.count) {
        struct ring_slot slot;

        if (ring_left(&r.ring) == 0) {
            wait_for_more(&r);
            continue;
        }
        ring_read(&r.ring, &slot);
        check(number, &slot);
        ring_advance(&r.ring);
        keep(&r, number, &slot);
        number++;
    }
    close(r.sleeper.loop);
    print_message("the reader slept %llu times\n", (unsigned long long)r.sleeper.slept);
    return NULL;
}

static void between_two_threads(void **state)
{
    const char *wanted = getenv("LPM_STRESS_MESSAGES");
    pthread_t threads[2];

    (void)state;
    shared.count = wanted ? strtoull(wanted, NULL, 10) : 2000000;
    shared.shown = shared.taken = shared.asleep_at = shared.returns.count = FIRST;
    shared.bells[0] = bell_new();
    shared.bells[1] = bell_new();
    assert_true(shared.bells[0] >= 0 && shared.bells[1] >= 0);
    assert_int_equal(pthread_create(&threads[0], NULL, write_all, NULL), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, read_all, NULL), 0);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    assert_int_equal(shared.taken, (uint32_t)(FIRST + shared.count));
    close(shared.bells[0]);
    close(shared.bells[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(between_two_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
