/*
 * What modules ask of the supervisor, with the test in the place of the master and of the workers: resize, soft kill, hard
 * kill; each callback is called once, and at the end of a turn.
 */
#include <signal.h>

#include "bus_hands.h"

struct done {
    int calls, error;
    const role_step_word *step; /* NULL: nobody looks */
    uint32_t seen;
    lpm_supervisor *ask; /* asks again when it is called: for so many workers */
    unsigned count;
    struct done *next;
};

static void on_done(int error, void *arg)
{
    struct done *done = arg;

    done->calls++;
    done->error = error;
    done->seen = done->step ? *done->step : 0;
    if (done->ask) {
        assert_int_equal(lpm_supervisor_resize(done->ask, NULL, done->count, on_done, done->next), 0);
    }
}

static int resize(struct hands *h, unsigned count, struct done *done)
{
    *done = (struct done){.error = NOT_CALLED};
    return lpm_supervisor_resize(&h->f->supervisor, NULL, count, on_done, done);
}

/* What the master hears next: its type, and the place. */
static uint32_t master_hears_of(struct hands *h, uint32_t *index)
{
    struct control message = {.type = CONTROL_TYPE_END, .index = UINT32_MAX};
    int fd = -1;

    control_receive(h->f->master, &message, &fd);
    *index = message.index;
    return message.type;
}

static void expect_master(struct hands *h, enum control_type type, uint32_t index)
{
    uint32_t found;

    assert_int_equal(master_hears_of(h, &found), type);
    assert_int_equal(found, index);
}

static void skip_master(struct hands *h)
{
    while (master_hears(h->f) != CONTROL_TYPE_END) {
    }
}

static void up_at(struct hands *h, size_t index)
{
    fork_at(h, index);
    say_at(h, index, FRAME_READY);
    assert_int_equal(at(h, index)->state, BUS_WORKER_SERVING);
}

/* A pool of `count` that serves. */
static struct hands *hands_new(unsigned count)
{
    struct hands *h = calloc(1, sizeof(*h));
    struct done done;

    assert_non_null(h);
    h->f = fixture_new();
    up_at(h, 0);
    if (count > 1) {
        assert_int_equal(resize(h, count, &done), 0);
        turn(h->f);
        for (unsigned i = 1; i < count; i++) {
            up_at(h, i);
        }
        assert_int_equal(done.calls, 1);
        assert_int_equal(done.error, 0);
    }
    skip_master(h);
    return h;
}

static void hands_free(struct hands *h)
{
    for (size_t i = 0; i < HANDS; i++) {
        if (h->channel[i]) {
            channel_free(h->channel[i]);
        }
    }
    fixture_free(h->f);
    free(h);
}

/* -- Online ------------------------------------------------------------------------------------------- */

static struct hands *hands_starting(void)
{
    struct hands *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    h->f = fixture_of(2, 4);
    up_at(h, 0);
    fork_at(h, 1);
    assert_int_equal(h->f->bus.phase, POLICY_STARTING);
    return h;
}

static void online_when_all_serve(void **state)
{
    struct hands *h = hands_starting();

    (void)state;
    say_at(h, 1, FRAME_READY);
    assert_int_equal(h->f->bus.phase, POLICY_SERVING);
    hands_free(h);
}

/* One was ready, and died, before the other was: the master gives this generation up, so nothing is taken in. */
static void not_online_after_a_death(void **state)
{
    struct hands *h = hands_starting();

    (void)state;
    end_at(h, 0);
    say_at(h, 1, FRAME_READY);
    assert_int_equal(h->f->bus.phase, POLICY_STARTING);
    hands_free(h);
}

/* The last becomes ready, and the master has said already that it is over. */
static void not_online_when_the_master_has_said_otherwise(void **state)
{
    struct hands *h = hands_starting();
    struct control message = {.type = CONTROL_HARD_KILL};
    struct frame ready = {.type = FRAME_READY};

    (void)state;
    skip_master(h);
    h->f->channel = h->channel[1];
    say(h->f, &ready);
    h->f->channel = NULL;
    bus_worker_hear(at(h, 1)); /* which the loop may do first */
    assert_int_equal(control_send(h->f->master, &message, -1), 0);
    bus_lifecycle_end_turn(&h->f->bus);
    assert_int_equal(h->f->bus.phase, POLICY_STARTING);
    assert_true(h->f->bus.over);
    expect_master(h, CONTROL_WORKER_READY, 1);
    expect_master(h, CONTROL_TYPE_END, UINT32_MAX);
    hands_free(h);
}

/* -- Resize ------------------------------------------------------------------------------------------- */

static void more_are_done_when_all_are_ready(void **state)
{
    struct hands *h = hands_new(1);
    struct done done;

    (void)state;
    assert_int_equal(resize(h, 3, &done), 0);
    expect_master(h, CONTROL_TYPE_END, UINT32_MAX); /* it is done at the end of the turn */
    turn(h->f);
    expect_master(h, CONTROL_RESIZE, 1);
    expect_master(h, CONTROL_RESIZE, 2);
    expect_master(h, CONTROL_TYPE_END, UINT32_MAX);
    up_at(h, 1);
    assert_int_equal(done.calls, 0);
    fork_at(h, 2);
    assert_int_equal(done.calls, 0);
    say_at(h, 2, FRAME_READY);
    assert_int_equal(done.calls, 1);
    assert_int_equal(done.error, 0);
    hands_free(h);
}

static void fewer_finish_what_they_have(void **state)
{
    struct hands *h = hands_new(3);
    struct frame_key key, none;
    struct outcome o[3], late;
    struct done done;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        put(h->f, &o[i], 0);
        turn(h->f);
    }
    /* All are this process; what they count as their own differs. */
    at(h, 0)->baseline = UINT64_MAX;
    at(h, 1)->baseline = 0;
    at(h, 2)->baseline = UINT64_MAX / 2;
    assert_int_equal(resize(h, 2, &done), 0);
    turn(h->f);
    expect_master(h, CONTROL_WORKER_REMOVE, 1);
    assert_int_equal(at(h, 1)->state, BUS_WORKER_LEAVING);
    assert_int_equal(hear_at(h, 1, &key), FRAME_REQUEST);
    assert_int_equal(hear_at(h, 1, &none), FRAME_TYPE_END);
    put(h->f, &late, 0);
    turn(h->f);
    assert_int_equal(hear_at(h, 1, &none), FRAME_TYPE_END); /* nothing new */
    answer_at(h, 1, key);
    assert_int_equal(hear_at(h, 1, &none), FRAME_SOFT_KILL);
    assert_int_equal(done.calls, 0);
    end_at(h, 1);
    assert_int_equal(done.calls, 1);
    assert_int_equal(done.error, 0);
    assert_int_equal(o[0].calls + o[1].calls + o[2].calls, 1);
    assert_int_equal(o[0].error == 0 || o[1].error == 0 || o[2].error == 0, 1);
    expect_master(h, CONTROL_TYPE_END, UINT32_MAX); /* an orderly end is nothing to be killed for */
    hands_free(h);
}

/* The master is busy. A worker that went before the master knows would be taken for one that crashed. */
static void nobody_goes_before_the_master_knows(void **state)
{
    struct hands *h = hands_new(2);
    struct frame_key key;
    struct done done;

    (void)state;
    at(h, 0)->baseline = UINT64_MAX;
    at(h, 1)->baseline = 0;
    while (h->f->bus.master_message_count == 0) {
        bus_lifecycle_want_signal(&h->f->bus, SIGINT, true);
    }
    assert_int_equal(resize(h, 1, &done), 0);
    turn(h->f);
    assert_int_equal(at(h, 1)->state, BUS_WORKER_LEAVING);
    assert_int_equal(hear_at(h, 1, &key), FRAME_TYPE_END);
    skip_master(h);
    turn(h->f);
    assert_int_equal(hear_at(h, 1, &key), FRAME_SOFT_KILL);
    hands_free(h);
}

/* One that crashes on its way out: its place stays empty, and the others do its work. */
static void one_that_dies_on_its_way_out(void **state)
{
    struct hands *h = hands_new(2);
    struct frame_key key;
    struct outcome o;
    struct done done;

    (void)state;
    at(h, 0)->busy = true;
    bus_worker_touch(at(h, 0));
    put(h->f, &o, 0);
    turn(h->f);
    assert_int_equal(hear_at(h, 1, &key), FRAME_REQUEST);
    at(h, 0)->busy = false;
    bus_worker_touch(at(h, 0));
    at(h, 0)->baseline = UINT64_MAX;
    at(h, 1)->baseline = 0;
    assert_int_equal(resize(h, 1, &done), 0);
    turn(h->f);
    assert_int_equal(at(h, 1)->state, BUS_WORKER_LEAVING);
    end_at(h, 1);
    assert_int_equal(done.calls, 1);
    assert_int_equal(done.error, 0);
    assert_int_equal(hear_at(h, 0, &key), FRAME_REQUEST); /* it had not been started */
    answer_at(h, 0, key);
    assert_int_equal(o.error, 0);
    hands_free(h);
}

static void the_later_one_counts(void **state)
{
    struct hands *h = hands_new(1);
    struct done first, second, third;

    (void)state;
    assert_int_equal(resize(h, 4, &first), 0);
    assert_int_equal(resize(h, 2, &second), 0);
    assert_int_equal(first.calls, 0); /* not from within the call */
    turn(h->f);
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.error, LPM_ECANCELED);
    expect_master(h, CONTROL_RESIZE, 1);
    expect_master(h, CONTROL_TYPE_END, UINT32_MAX); /* of the first nothing was begun */
    assert_int_equal(resize(h, 1, &third), 0);
    turn(h->f);
    assert_int_equal(second.error, LPM_ECANCELED);
    assert_int_equal(third.error, 0); /* nobody had come yet */
    assert_int_equal(first.calls + second.calls + third.calls, 3);
    hands_free(h);
}

static void callbacks_may_ask_again(void **state)
{
    struct hands *h = hands_new(1);
    struct done chain[3] = {{.error = NOT_CALLED}, {.error = NOT_CALLED}, {.error = NOT_CALLED}}, last;

    (void)state;
    chain[0].ask = chain[1].ask = &h->f->supervisor;
    chain[0].count = 3;
    chain[0].next = &chain[1];
    chain[1].count = 1;
    chain[1].next = &chain[2];
    assert_int_equal(lpm_supervisor_resize(&h->f->supervisor, NULL, 2, on_done, &chain[0]), 0);
    assert_int_equal(resize(h, 4, &last), 0);
    turn(h->f);
    /* The second cancels the first, whose callback cancels the second by a third, which its worker fails. */
    assert_int_equal(chain[0].error, LPM_ECANCELED);
    assert_int_equal(last.error, LPM_ECANCELED);
    fork_at(h, 1);
    end_at(h, 1);
    assert_int_equal(chain[1].error, LPM_EWORKER);
    turn(h->f);
    assert_int_equal(chain[2].error, 0);
    assert_int_equal(chain[0].calls + chain[1].calls + chain[2].calls + last.calls, 4);
    hands_free(h);
}

static void a_start_that_fails_is_told_and_tried_again(void **state)
{
    struct hands *h = hands_new(1);
    struct done done, again;

    (void)state;
    assert_int_equal(resize(h, 2, &done), 0);
    turn(h->f);
    fork_at(h, 1);
    end_at(h, 1);
    assert_int_equal(done.calls, 1);
    assert_int_equal(done.error, LPM_EWORKER);
    up_at(h, 1); /* by the master's policy */
    assert_int_equal(done.calls, 1);
    assert_int_equal(resize(h, 2, &again), 0);
    turn(h->f);
    assert_int_equal(again.error, 0);
    hands_free(h);
}

/* The place whose worker is dead goes first. The master may have forked the next one before it knows. */
static void an_empty_place_is_given_up(void **state)
{
    struct hands *h = hands_new(2);
    struct frame_key key;
    struct done done;

    (void)state;
    end_at(h, 0);
    skip_master(h);
    assert_int_equal(resize(h, 1, &done), 0);
    turn(h->f);
    expect_master(h, CONTROL_WORKER_REMOVE, 0);
    assert_int_equal(done.error, 0);
    fork_at(h, 0);
    assert_int_equal(hear_at(h, 0, &key), FRAME_SOFT_KILL);
    say_at(h, 0, FRAME_READY); /* its init hooks were first */
    assert_int_equal(at(h, 0)->state, BUS_WORKER_LEAVING);
    end_at(h, 0);
    assert_int_equal(at(h, 0)->state, BUS_WORKER_ABSENT);
    hands_free(h);
}

/* Given up while it starts, and taken back before it is gone: what goes home is not taken for one that serves. */
static void a_place_is_taken_back(void **state)
{
    struct hands *h = hands_new(1);
    struct frame_key key;
    struct done up, down, back;

    (void)state;
    assert_int_equal(resize(h, 2, &up), 0);
    turn(h->f);
    fork_at(h, 1);
    assert_int_equal(resize(h, 1, &down), 0);
    turn(h->f);
    assert_int_equal(hear_at(h, 1, &key), FRAME_SOFT_KILL);
    assert_int_equal(resize(h, 2, &back), 0);
    turn(h->f);
    skip_master(h);
    assert_int_equal(at(h, 2)->removed, false); /* a new place rather than one whose worker has not ended */
    say_at(h, 1, FRAME_READY);
    assert_int_equal(at(h, 1)->state, BUS_WORKER_LEAVING);
    up_at(h, 2);
    assert_int_equal(back.calls, 0);
    end_at(h, 1);
    assert_int_equal(back.calls, 1);
    assert_int_equal(back.error, 0);
    assert_int_equal(down.error, LPM_ECANCELED);
    assert_int_equal(up.error, LPM_ECANCELED);
    hands_free(h);
}

/* As many as there may be, asked of a master that is busy; and back. */
static void a_thousand(void **state)
{
    struct hands *h = hands_new(1);
    struct done up, down;
    uint32_t index, next = 1;

    (void)state;
    assert_int_equal(resize(h, 1025, &up), LPM_EINVAL);
    assert_int_equal(resize(h, 0, &up), LPM_EINVAL);
    assert_int_equal(resize(h, 1024, &up), 0);
    turn(h->f);
    assert_false(h->f->bus.over);
    while (next < 1024) {
        uint32_t type = master_hears_of(h, &index);
        if (type == CONTROL_TYPE_END) {
            turn(h->f);
            continue;
        }
        assert_int_equal(type, CONTROL_RESIZE);
        assert_int_equal(index, next++);
    }
    assert_int_equal(lpm_supervisor_health(&h->f->supervisor, NULL, 0), 1024);
    assert_int_equal(resize(h, 1, &down), 0);
    turn(h->f);
    assert_int_equal(up.error, LPM_ECANCELED);
    assert_int_equal(down.error, 0);
    assert_int_equal(h->f->bus.pools->places, 1);
    assert_int_equal(lpm_supervisor_health(&h->f->supervisor, NULL, 0), 1);
    hands_free(h);
}

static void refusals(void **state)
{
    struct hands *h = calloc(1, sizeof(*h));
    struct done done;

    (void)state;
    assert_non_null(h);
    h->f = fixture_new();
    assert_int_equal(resize(h, 2, &done), LPM_EAGAIN); /* not online yet */
    up_at(h, 0);
    assert_int_equal(lpm_supervisor_resize(&h->f->supervisor, "nopool", 2, NULL, NULL), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_resize(&h->f->supervisor, "default", 2, NULL, NULL), 0);
    from_master(h, CONTROL_SOFT_KILL, 0, -1);
    assert_int_equal(resize(h, 2, &done), LPM_ESHUTDOWN);
    assert_int_equal(done.calls, 0);
    hands_free(h);
}

static void signals_step_by_one(void **state)
{
    struct hands *h = hands_new(1);
    struct control in = {.type = CONTROL_SIGNAL, .status = SIGTTIN};
    struct control out = {.type = CONTROL_SIGNAL, .status = SIGTTOU};

    (void)state;
    control_send(h->f->master, &in, -1);
    control_send(h->f->master, &in, -1);
    turn(h->f);
    expect_master(h, CONTROL_RESIZE, 1);
    expect_master(h, CONTROL_RESIZE, 2);
    for (int i = 0; i < 5; i++) {
        control_send(h->f->master, &out, -1);
    }
    turn(h->f);
    assert_int_equal(h->f->bus.pools->target, 1); /* the last one stays */
    assert_int_equal(at(h, 0)->state, BUS_WORKER_SERVING);
    hands_free(h);
}

/* -- The end ------------------------------------------------------------------------------------------ */

static void soft_kill_tells_when_the_last_is_gone(void **state)
{
    struct hands *h = hands_new(1);
    struct done done = {.error = NOT_CALLED}, second = {.error = NOT_CALLED}, resized;
    struct frame_key key;
    struct outcome o, late;

    (void)state;
    put(h->f, &o, 0);
    turn(h->f);
    assert_int_equal(hear_at(h, 0, &key), FRAME_REQUEST);
    assert_int_equal(resize(h, 2, &resized), 0);
    assert_int_equal(lpm_supervisor_soft_kill(&h->f->supervisor, on_done, &done), 0);
    assert_int_equal(lpm_supervisor_soft_kill(&h->f->supervisor, on_done, &second), LPM_EDONE);
    assert_int_equal(enqueue(h->f, &late, LPM_NONE, 0, NULL),
                     LPM_ESHUTDOWN); /* for the one who asked, at once */
    turn(h->f);
    expect_master(h, CONTROL_ASK_SOFT_KILL, 0);
    from_master(h, CONTROL_SOFT_KILL, 0, -1);
    assert_int_equal(resized.calls, 1);
    assert_int_equal(resized.error, LPM_ECANCELED);
    answer_at(h, 0, key);
    assert_int_equal(o.error, 0);
    assert_int_equal(hear_at(h, 0, &key), FRAME_DRAIN);
    assert_int_equal(hear_at(h, 0, &key), FRAME_SOFT_KILL);
    assert_int_equal(done.calls, 0);
    end_at(h, 0);
    assert_int_equal(done.calls, 1);
    assert_int_equal(done.error, 0);
    assert_int_equal(second.calls, 1);
    assert_int_equal(second.error, 0);
    assert_true(h->f->bus.over);
    hands_free(h);
}

static void hard_kill_tells_that_it_will_not_be(void **state)
{
    struct hands *h = hands_new(1);
    role_step_word step = 0;
    struct done done = {.error = NOT_CALLED, .step = &step}, resized;

    (void)state;
    h->f->start.step = &step;
    assert_int_equal(resize(h, 2, &resized), 0);
    assert_int_equal(lpm_supervisor_soft_kill(&h->f->supervisor, on_done, &done), 0);
    assert_int_equal(lpm_supervisor_hard_kill(&h->f->supervisor), 0);
    expect_master(h, CONTROL_ASK_SOFT_KILL, 0);
    expect_master(h, CONTROL_ASK_HARD_KILL, 0);
    from_master(h, CONTROL_HARD_KILL, 0, -1);
    assert_int_equal(done.error, LPM_ECANCELED);
    assert_int_equal(resized.error, LPM_ECANCELED);
    assert_int_equal(done.calls + resized.calls, 2);
    assert_int_equal(done.seen, ROLE_STEP_DONE << 16);
    assert_int_equal(step, ROLE_STEP_NONE);
    assert_true(h->f->bus.over);
    hands_free(h);
}

static void ask_once_more(int error, void *arg)
{
    struct done *done = arg;

    done->calls++;
    done->error = error;
    assert_int_equal(lpm_supervisor_soft_kill(done->ask, ask_once_more, done), LPM_ESHUTDOWN);
    assert_int_equal(lpm_supervisor_resize(done->ask, NULL, 2, ask_once_more, done), LPM_ESHUTDOWN);
}

/* Who asks whenever he is told gets no other end. */
static void there_is_one_end(void **state)
{
    (void)state;
    for (int hard = 0; hard <= 1; hard++) {
        struct hands *h = hands_new(1);
        struct done done = {.ask = &h->f->supervisor};

        assert_int_equal(lpm_supervisor_soft_kill(&h->f->supervisor, ask_once_more, &done), 0);
        if (!hard) {
            from_master(h, CONTROL_SOFT_KILL, 0, -1);
            end_at(h, 0);
        } else {
            from_master(h, CONTROL_HARD_KILL, 0, -1);
        }
        assert_true(h->f->bus.over);
        assert_int_equal(done.calls, 1);
        assert_int_equal(done.error, hard ? LPM_ECANCELED : 0);
        hands_free(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(online_when_all_serve),
        cmocka_unit_test(not_online_after_a_death),
        cmocka_unit_test(not_online_when_the_master_has_said_otherwise),
        cmocka_unit_test(more_are_done_when_all_are_ready),
        cmocka_unit_test(fewer_finish_what_they_have),
        cmocka_unit_test(nobody_goes_before_the_master_knows),
        cmocka_unit_test(one_that_dies_on_its_way_out),
        cmocka_unit_test(the_later_one_counts),
        cmocka_unit_test(callbacks_may_ask_again),
        cmocka_unit_test(a_start_that_fails_is_told_and_tried_again),
        cmocka_unit_test(an_empty_place_is_given_up),
        cmocka_unit_test(a_place_is_taken_back),
        cmocka_unit_test(a_thousand),
        cmocka_unit_test(refusals),
        cmocka_unit_test(signals_step_by_one),
        cmocka_unit_test(soft_kill_tells_when_the_last_is_gone),
        cmocka_unit_test(hard_kill_tells_that_it_will_not_be),
        cmocka_unit_test(there_is_one_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
