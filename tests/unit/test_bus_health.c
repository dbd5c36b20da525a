/*
 * What health says of a worker: from the board, made safe; from /proc; from what it says itself; and of which places it says
 * something.
 */
#include "bus_fixture.h"

#include "bus/bus_memory.h"
#include "ipc/share.h"
#include "os/os_proc.h"

static lpm_health health_of(struct fixture *f)
{
    lpm_health list[4];

    memset(list, 0xff, sizeof(list));
    assert_int_equal(lpm_supervisor_health(&f->supervisor, list, 4), 1);
    return list[0];
}

static void a_life(void **state)
{
    struct fixture *f = fixture_new();
    struct frame heap = {.type = FRAME_HEAP, .heap_total = 3000, .heap_used = 1000};
    lpm_health health = health_of(f);

    (void)state;
    f->start.generation = 7;
    assert_string_equal(health.pool, "default");
    assert_int_equal(health.index, 0);
    assert_int_equal(health.state, LPM_WORKER_ABSENT);
    assert_int_equal(health.pid, 0);
    assert_int_equal(health.rss, 0);
    start_worker(f);
    health = health_of(f);
    assert_int_equal(health.state, LPM_WORKER_STARTING);
    assert_int_equal(health.pid, getpid());
    assert_int_equal(health.generation, 7);
    assert_int_equal(health.restarts, 1);
    say_type(f, FRAME_READY);
    say(f, &heap);
    turn(f);
    health = health_of(f);
    assert_int_equal(health.state, LPM_WORKER_READY);
    assert_int_equal(health.heap_total, 3000);
    assert_int_equal(health.heap_used, 1000);
    assert_in_range(health.rss, 100000, UINT64_C(1) << 40);
    assert_true(health.pressure <= health.rss);
    assert_in_range(health.uptime, 0, 60000);
    say_type(f, FRAME_BUSY);
    turn(f);
    assert_int_equal(health_of(f).state, LPM_WORKER_BUSY);
    say_type(f, FRAME_READY);
    turn(f);
    bus_succession_event(worker(f), BUS_LEAVE_ON_ALONE);
    assert_int_equal(health_of(f).state, LPM_WORKER_LEAVING);
    die(f);
    assert_int_equal(health_of(f).state, LPM_WORKER_ABSENT);
    assert_int_equal(health_of(f).in_flight, 0);
    reap(f);
    assert_int_equal(health_of(f).pid, 0);
    /* Nothing of it is said of the next one. */
    start_worker(f);
    health = health_of(f);
    assert_int_equal(health.restarts, 2);
    assert_int_equal(health.requests, 0);
    assert_int_equal(health.heap_total, 0);
    fixture_free(f);
}

/* On its board, which it writes as it likes, and in its messages: numbers that cannot be are not told. */
static void lies(void **state)
{
    struct fixture *f = fixture_new();
    struct frame heap = {.type = FRAME_HEAP, .heap_total = UINT64_MAX, .heap_used = UINT64_C(1) << 63};
    struct control message = {.type = CONTROL_WORKER_NEW, .pid = getpid()};
    struct share_end raw;
    struct error err;
    int fds[2];

    (void)state;
    start_ready_worker(f);
    say(f, &heap);
    turn(f);
    assert_int_equal(health_of(f).heap_total, 0);
    assert_int_equal(health_of(f).heap_used, 0);
    die(f);
    reap(f);

    message.incarnation = ++f->incarnation;
    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(control_send(f->master, &message, fds[0]), 0);
    close(fds[0]);
    turn(f);
    share_init(&raw, fds[1]);
    assert_int_equal(share_accept(&raw, WAIT_MS, &err), 0);
    raw.mine->call_count = 3;
    assert_int_equal(health_of(f).requests, 3);
    raw.mine->call_count = UINT64_C(0xa5a5a5a5a5a5a5a5);
    assert_int_equal(health_of(f).requests, 0);
    share_fini(&raw);
    fixture_free(f);
}

static void requests_in_it(void **state)
{
    struct fixture *f = fixture_new();
    struct frame_key key[3];
    struct outcome o[3];

    (void)state;
    start_ready_worker(f);
    /* Handlers come back without an answer: then the next one is sent. */
    for (int i = 0; i < 3; i++) {
        put(f, &o[i], 0);
        turn(f);
        assert_int_equal(hear(f, &key[i]), FRAME_REQUEST);
        assert_int_equal(health_of(f).in_flight, i + 1);
        assert_int_equal(health_of(f).started, i);
        begin(f, key[i]);
        assert_int_equal(health_of(f).started, i + 1);
        channel_show_running(f->channel, 0);
    }
    /* A board that cannot be true: more than it was sent. */
    channel_show_started(f->channel, key[2].seq + 1000);
    assert_int_equal(health_of(f).started, 3);
    channel_show_started(f->channel, key[2].seq);
    answer(f, key[0], "pong");
    turn(f);
    assert_int_equal(health_of(f).in_flight, 2);
    assert_int_equal(health_of(f).started, 2);
    assert_int_equal(health_of(f).requests, 1);
    fixture_free(f);
}

/* The pressure is what it is now, not what it was at the last of the looks, which follow answers. */
static void pressure_is_fresh(void **state)
{
    struct fixture *f = fixture_new();
    uint64_t before;

    (void)state;
    start_ready_worker(f);
    worker(f)->baseline = 0;
    before = health_of(f).pressure;
    assert_true(before > 0);
    worker(f)->baseline = before / 2;
    assert_in_range(health_of(f).pressure, before / 4, before);
    assert_int_equal(f->bus.pools->dispatch.loads[0].pressure, 0);
    fixture_free(f);
}

/* One whose memory is over the limit by now is still only looked at: health changes nothing. */
static void health_changes_nothing(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    start_ready_worker(f);
    f->conf.rss_limit = 1;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(health_of(f).state, LPM_WORKER_READY);
    }
    assert_int_equal(master_hears(f), CONTROL_TYPE_END);
    fixture_free(f);
}

/* A limit that this process is a little over, whichever way its memory is counted. */
static int64_t limit_passed(void)
{
    int fd = os_proc_open(getpid());
    struct os_proc proc;
    uint64_t own;

    assert_int_equal(os_proc_read(fd, &proc), 0);
    assert_int_equal(os_proc_private(getpid(), &own), 0);
    close(fd);
    own = own < proc.resident - proc.shared ? own : proc.resident - proc.shared;
    return (int64_t)(own / 50 * 49);
}

/* Without a request, too: it is looked at from time to time, and over its limit it is replaced. */
static void one_that_grows_is_seen(void **state)
{
    struct fixture *f = fixture_new();
    uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS;

    (void)state;
    start_ready_worker(f);
    f->conf.rss_limit = limit_passed(); /* now that it has what it needs: it is not to be far over it */
    assert_int_equal(health_of(f).to_limit, 0);
    while (worker(f)->leave.state == BUS_LEAVE_STAYING && clock_now() < end) {
        turn_for(f, BUS_WORKER_LEAVING, 10);
    }
    assert_int_equal(worker(f)->leave.state, BUS_LEAVE_REPLACING);
    assert_int_equal(worker(f)->over_limit, 2);
    fixture_free(f);
}

/* What statm says may be shared with the master: that is no reason to go. */
static void over_the_limit_has_to_be_true(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    start_ready_worker(f);
    f->conf.rss_limit = limit_passed();
    bus_memory_look(worker(f));
    assert_int_equal(worker(f)->leave.state, BUS_LEAVE_STAYING);
    worker(f)->pid = INT32_MAX; /* nothing to be seen there: one look more */
    bus_memory_look(worker(f));
    assert_int_equal(worker(f)->leave.state, BUS_LEAVE_STAYING);
    bus_memory_look(worker(f));
    assert_int_equal(worker(f)->leave.state, BUS_LEAVE_REPLACING);
    fixture_free(f);
}

/* The caller's structure may be older and shorter than ours, or newer and longer. */
static void structures_of_other_sizes(void **state)
{
    struct fixture *f = fixture_new();
    char list[2 * sizeof(lpm_health)];
    size_t size = offsetof(lpm_health, rss);

    (void)state;
    start_ready_worker(f);
    memset(list, 0x55, sizeof(list));
    assert_int_equal(f->bus.host.supervisor_health(&f->supervisor, (lpm_health *)(void *)list, 1, size), 1);
    assert_string_equal(list, "default");
    assert_int_equal(list[size], 0x55);
    assert_int_equal(
        f->bus.host.supervisor_health(&f->supervisor, (lpm_health *)(void *)list, 1, sizeof(lpm_health) + 8),
        1);
    assert_int_equal(list[sizeof(lpm_health)], 0x55);
    assert_int_equal(f->bus.host.supervisor_health(&f->supervisor, NULL, 9, size), 1);
    assert_int_equal(f->bus.host.supervisor_health(&f->supervisor, (lpm_health *)(void *)list, 0, size), 1);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life),
        cmocka_unit_test(lies),
        cmocka_unit_test(requests_in_it),
        cmocka_unit_test(pressure_is_fresh),
        cmocka_unit_test(health_changes_nothing),
        cmocka_unit_test(one_that_grows_is_seen),
        cmocka_unit_test(over_the_limit_has_to_be_true),
        cmocka_unit_test(structures_of_other_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
