/*
 * A worker's ready, busy, soft kill and hard kill, with the test in the place of the bus.
 */
#include "worker_fixture.h"

static void ready_and_busy(void **state)
{
    struct fixture *f = fixture_new(NULL);
    lpm_worker *a = &f->modules[ANSWERS], *b = &f->modules[WITHOUT_HOOK];

    (void)state;
    a->ready = b->ready = false;
    worker_life_announce(&f->worker);
    assert_int_equal(lpm_worker_busy(a), 0); /* it never was anything else */
    assert_int_equal(lpm_worker_ready(a), 0);
    assert_int_equal(hear(f).type, FRAME_TYPE_END); /* the other is not */
    assert_int_equal(lpm_worker_ready(b), 0);
    assert_int_equal(hear(f).type, FRAME_READY);
    assert_int_equal(lpm_worker_ready(b), 0);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    assert_int_equal(lpm_worker_busy(a), 0);
    assert_int_equal(hear(f).type, FRAME_BUSY);
    assert_int_equal(lpm_worker_busy(b), 0);
    assert_int_equal(lpm_worker_ready(a), 0);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    assert_int_equal(lpm_worker_ready(b), 0);
    assert_int_equal(hear(f).type, FRAME_READY);
    fixture_free(f);
}

/* Before its hook has returned it may still refuse. */
static void ready_within_the_hook(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    f->modules[ANSWERS].up = f->modules[ANSWERS].ready = false;
    assert_int_equal(lpm_worker_ready(&f->modules[ANSWERS]), 0);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    f->modules[ANSWERS].up = true;
    announce(f);
    fixture_free(f);
}

static void soft_kill_of_an_idle_one(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    announce(f);
    assert_int_equal(lpm_worker_soft_kill_done(&f->modules[ANSWERS]), LPM_EROLE);
    say(f, FRAME_SOFT_KILL);
    assert_true(f->worker.over);
    assert_int_equal(f->worker.status, 0);
    fixture_free(f);
}

static void soft_kill_before_it_is_ready(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    f->modules[ANSWERS].ready = false;
    worker_life_announce(&f->worker);
    say(f, FRAME_SOFT_KILL);
    assert_false(f->worker.over);
    assert_int_equal(lpm_worker_ready(&f->modules[ANSWERS]), 0);
    assert_true(f->worker.over);
    fixture_free(f);
}

static void soft_kill_waits_for_answers(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct frame_key key;

    (void)state;
    announce(f);
    key = request(f, 0);
    request(f, 1);
    say(f, FRAME_SOFT_KILL);
    say(f, FRAME_SOFT_KILL);
    assert_false(f->worker.over);
    assert_int_equal(lpm_request_cancelled(script(f)->kept[0]), 1);
    assert_int_equal(lpm_respond(script(f)->kept[1], "x", 1), 0);
    assert_string_equal(hear(f).data, "x"); /* welcome all the same */
    assert_false(f->worker.over);
    say_about(f, FRAME_ABANDON, key);
    flush(f);
    assert_true(f->worker.over);
    fixture_free(f);
}

static void soft_kill_waits_for_a_busy_module(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    announce(f);
    assert_int_equal(lpm_worker_busy(&f->modules[WITHOUT_HOOK]), 0);
    say(f, FRAME_SOFT_KILL);
    assert_false(f->worker.over);
    assert_int_equal(lpm_worker_ready(&f->modules[WITHOUT_HOOK]), 0);
    assert_true(f->worker.over);
    fixture_free(f);
}

static void soft_kill_waits_for_the_hook(void **state)
{
    struct fixture *f = fixture_new(NULL);
    lpm_worker *m = &f->modules[WITHOUT_HOOK];

    (void)state;
    f->loaded[WITHOUT_HOOK].module.soft_kill = on_soft_kill;
    announce(f);
    request(f, 0);
    assert_int_equal(lpm_worker_soft_kill_done(m), LPM_EROLE);
    say(f, FRAME_SOFT_KILL);
    say(f, FRAME_SOFT_KILL);
    assert_int_equal(script(f)->soft_kills, 1);
    assert_int_equal(lpm_ack(script(f)->kept[0]), 0);
    assert_false(f->worker.over);
    assert_int_equal(lpm_worker_soft_kill_done(&f->modules[ANSWERS]), LPM_EROLE);
    assert_int_equal(lpm_worker_soft_kill_done(m), 0);
    assert_true(f->worker.over);
    assert_int_equal(lpm_worker_soft_kill_done(m), LPM_EDONE);
    fixture_free(f);
}

static void hard_kill_waits_for_nothing(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    f->loaded[ANSWERS].module.hard_kill = on_soft_kill;
    announce(f);
    request(f, 0);
    lpm_worker_busy(&f->modules[ANSWERS]);
    say(f, FRAME_HARD_KILL);
    assert_true(f->worker.over);
    assert_int_equal(script(f)->soft_kills, 1);
    fixture_free(f);
}

/* Its HARD_KILL may have found no room. */
static int trims[MODULES];

static void on_trim(lpm_worker *w)
{
    trims[w - script_of(w)->f->modules]++;
}

/* Those that have the hook and run in this pool; each time that the bus asks. */
static void trim_reaches_who_has_the_hook(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    announce(f);
    f->loaded[ANSWERS].module.trim = on_trim;
    say(f, FRAME_TRIM);
    assert_int_equal(trims[ANSWERS], 1);
    say(f, FRAME_TRIM);
    assert_int_equal(trims[ANSWERS], 2);
    f->modules[ANSWERS].here = false;
    f->loaded[WITHOUT_HOOK].module.trim = on_trim;
    say(f, FRAME_TRIM);
    assert_int_equal(trims[ANSWERS], 2);
    assert_int_equal(trims[WITHOUT_HOOK], 1);
    assert_false(f->worker.over);
    fixture_free(f);
}

static void the_end_of_the_bus_is_a_hard_kill(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    f->loaded[ANSWERS].module.hard_kill = on_soft_kill;
    announce(f);
    request(f, 0);
    channel_free(f->bus);
    f->bus = NULL;
    turn(f);
    assert_true(f->worker.over);
    assert_int_equal(f->worker.status, 0);
    assert_int_equal(script(f)->soft_kills, 1);
    turn(f);
    assert_int_equal(script(f)->soft_kills, 1);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_and_busy),
        cmocka_unit_test(ready_within_the_hook),
        cmocka_unit_test(soft_kill_of_an_idle_one),
        cmocka_unit_test(soft_kill_before_it_is_ready),
        cmocka_unit_test(soft_kill_waits_for_answers),
        cmocka_unit_test(soft_kill_waits_for_a_busy_module),
        cmocka_unit_test(soft_kill_waits_for_the_hook),
        cmocka_unit_test(hard_kill_waits_for_nothing),
        cmocka_unit_test(trim_reaches_who_has_the_hook),
        cmocka_unit_test(the_end_of_the_bus_is_a_hard_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
