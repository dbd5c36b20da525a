/*
 * core/bus/bus_sweep: an answer of which no bell told is found all the same, and counted; and who has nothing to do is left
 * alone. Bells that tell of nothing are bounded.
 */
#include "bus_fixture.h"

#include "bus/bus_worker.h"
#include "ipc/bell.h"
#include "ipc/share.h"

/* A worker without a channel of its own: it may forget to ring. */
static void start_raw(struct fixture *f, struct share_end *raw)
{
    struct control message = {.type = CONTROL_WORKER_NEW, .incarnation = ++f->incarnation, .pid = getpid()};
    struct error err;
    int fds[2];

    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(control_send(f->master, &message, fds[0]), 0);
    close(fds[0]);
    turn(f);
    share_init(raw, fds[1]);
    assert_int_equal(share_accept(raw, WAIT_MS, &err), 0);
}

static void publish(struct share_end *raw, const struct frame *frame)
{
    uint32_t number = raw->mine->shown - SHARE_FIRST;
    struct ring_cell *cell = &raw->mine->cells[raw->mine->shown % RING_SLOTS];

    frame_encode(frame, raw->mine->bytes + (size_t)number * 8 * ARENA_BLOCK);
    cell->block = number * 8;
    cell->len = (uint32_t)frame_size(frame);
    raw->mine->shown++;
}

static void a_message_without_a_bell(void **state)
{
    struct fixture *f = fixture_new();
    struct frame frame = {.type = FRAME_READY};
    struct share_end raw;
    struct outcome o;
    const char *why;

    (void)state;
    start_raw(f, &raw);
    publish(&raw, &frame);
    bell_ring(raw.their);
    turn(f);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    assert_false(worker(f)->sweeping);

    put(f, &o, 0);
    turn(f);
    assert_true(worker(f)->sweeping);
    assert_int_equal(
        frame_decode(&frame, raw.theirs->bytes, raw.theirs->cells[SHARE_FIRST % RING_SLOTS].len, &why), 0);
    assert_int_equal(frame.type, FRAME_REQUEST);
    raw.mine->started = frame.key.seq;
    frame = (struct frame){.type = FRAME_RESPONSE, .key = frame.key, .data = lpm_slice_of("late")};
    publish(&raw, &frame);
    turn_until(f, &o.calls, 1);
    assert_string_equal(o.data, "late");
    assert_int_equal(worker(f)->bells_lost, 1);

    /* With nothing under way it ends by itself. */
    for (uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS; worker(f)->sweeping && clock_now() < end;) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
    }
    assert_false(worker(f)->sweeping);
    assert_int_equal(worker(f)->bells_lost, 1);
    share_fini(&raw);
    fixture_free(f);
}

/* One that rings for nothing costs the bus a turn each time: not for long. Nor does it help it that its channel is full. */
static void bells_for_nothing(void **state)
{
    (void)state;
    for (int full = 0; full < 2; full++) {
        struct fixture *f = fixture_new();
        struct frame frame = {.type = FRAME_READY};
        struct share_end raw;

        start_raw(f, &raw);
        publish(&raw, &frame);
        bell_ring(raw.their);
        turn(f);
        assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
        while (full && !worker(f)->blocked) {
            lpm_supervisor_broadcast(&f->supervisor, NULL, "e", "", 0, 0);
        }
        worker(f)->noise.since = clock_now();
        worker(f)->noise.messages = 10;
        worker(f)->noise.bells = BUS_NOISE_EMPTY_BELLS_MAX;
        for (int i = 0; i < 10; i++) {
            bell_ring(raw.their);
            turn(f);
        }
        assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
        bell_ring(raw.their);
        turn(f);
        assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
        share_fini(&raw);
        fixture_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_message_without_a_bell),
                                       cmocka_unit_test(bells_for_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
