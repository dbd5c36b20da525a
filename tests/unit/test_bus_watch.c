/*
 * Workers that serve connections of their own: what the bus sees of that on the board, and when it acts.
 */
#include "bus_fixture.h"

#include <sys/socket.h>

#define LOOK_MS 300 /* the bus looks within it */

/* Gives the worker a connection, which its module takes. */
static void give_socket(struct fixture *f)
{
    lpm_enqueue spec = {.size = sizeof(spec), .handler = &f->handler, .timeout = LPM_NONE, .retries = 0};
    struct outcome o = {.error = NOT_CALLED};
    struct channel_message message;
    struct frame frame;
    const char *why;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    spec.socket = fds[0];
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), 0);
    turn(f);
    assert_int_equal(channel_next(f->channel, &message, &why), 1);
    assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
    channel_release(f->channel, &message);
    begin(f, frame.key);
    answer_and_return(f, frame.key, "");
    turn(f);
    assert_int_equal(o.error, 0);
    close(fds[1]);
}

static void a_call_that_hangs_is_ended(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    start_ready_worker(f);
    give_socket(f);
    channel_show_call(f->channel, clock_now());
    turn_for(f, BUS_WORKER_GONE, WAIT_MS);
    assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
    assert_int_equal(master_hears(f), CONTROL_WORKER_ABORT);
    assert_true(worker(f)->death.called);
    fixture_free(f);
}

/* One without a time limit, one whose limit is not over, one that came back; a worker that has no connection. */
static void what_is_left_alone(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    start_ready_worker(f);
    channel_show_call(f->channel, 1);
    turn_for(f, BUS_WORKER_GONE, LOOK_MS);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    channel_show_called(f->channel);
    give_socket(f);
    turn_for(f, BUS_WORKER_GONE, LOOK_MS);
    channel_show_call(f->channel, 0);
    turn_for(f, BUS_WORKER_GONE, LOOK_MS);
    channel_show_called(f->channel);
    channel_show_call(f->channel, clock_now() + 3600 * CLOCK_NS_PER_S);
    turn_for(f, BUS_WORKER_GONE, LOOK_MS);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    fixture_free(f);
}

/* What a worker shows may be anything. */
static void times_that_cannot_be(void **state)
{
    static const uint64_t until[] = {UINT64_MAX, UINT64_MAX - 20 * CLOCK_NS_PER_MS};
    struct fixture *f = fixture_new();

    (void)state;
    start_ready_worker(f);
    give_socket(f);
    for (size_t i = 0; i < sizeof(until) / sizeof(until[0]); i++) {
        channel_show_call(f->channel, until[i]);
        turn_for(f, BUS_WORKER_GONE, LOOK_MS);
        assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    }
    fixture_free(f);
}

static void calls_are_counted(void **state)
{
    struct fixture *f = fixture_new();
    lpm_health health;

    (void)state;
    start_ready_worker(f);
    give_socket(f);
    channel_show_call(f->channel, 0);
    channel_show_called(f->channel);
    channel_show_call(f->channel, 0);
    channel_show_called(f->channel);
    assert_int_equal(lpm_supervisor_health(&f->supervisor, &health, 1), 1);
    assert_int_equal(health.requests, 3); /* with the one that brought the connection */
    assert_int_equal(health.sockets, 1);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_hangs_is_ended),
        cmocka_unit_test(what_is_left_alone),
        cmocka_unit_test(times_that_cannot_be),
        cmocka_unit_test(calls_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
