/*
 * Calls within a worker: a module of the test has another one answer, and the test looks at the board as the bus.
 */
#include "worker_fixture.h"

#include <fcntl.h>

#include "os/os_stream.h"

struct outcome {
    int count, error;
    char data[64], headers[128], text[64], id[37], worker[80];
    int stream; /* 0: none */
    void (*then)(struct outcome *o);
    struct fixture *f;
    lpm_request *answered; /* by `then` */
    int rc;
};

static void on_response(lpm_response *res, void *arg)
{
    struct outcome *o = arg;
    lpm_slice data = lpm_response_data(res);
    lpm_header header;

    o->count++;
    o->error = lpm_response_error(res);
    snprintf(o->data, sizeof(o->data), "%.*s", (int)data.len, data.data);
    for (size_t i = 0; lpm_response_header_at(res, i, &header); i++) {
        size_t used = strlen(o->headers);
        snprintf(o->headers + used, sizeof(o->headers) - used, "%s=%s;", header.name.data, header.value.data);
    }
    snprintf(o->text, sizeof(o->text), "%s", lpm_response_error_text(res));
    snprintf(o->id, sizeof(o->id), "%s", lpm_response_id(res));
    snprintf(o->worker, sizeof(o->worker), "%s", lpm_response_worker(res));
    o->stream = lpm_response_has_stream(res) ? lpm_response_stream(res) : 0;
    if (o->then) {
        o->then(o);
    }
}

static lpm_worker *caller(struct fixture *f)
{
    return &f->modules[WITHOUT_HOOK];
}

static lpm_enqueue spec_of(struct fixture *f)
{
    static const lpm_header path = {{":path", 5}, {"/x", 2}};
    return (lpm_enqueue){.size = sizeof(lpm_enqueue),
                         .handler = lpm_worker_handler(caller(f), "answers"),
                         .headers = &path,
                         .header_count = 1,
                         .data = "ping",
                         .len = 4,
                         .timeout = LPM_NONE,
                         .retries = LPM_DEFAULT};
}

static uint64_t call(struct fixture *f, int64_t timeout, struct outcome *o)
{
    lpm_enqueue spec = spec_of(f);
    uint64_t ticket = 0;

    spec.timeout = timeout;
    spec.ticket = &ticket;
    assert_int_equal(lpm_worker_call(caller(f), &spec, on_response, o), 0);
    assert_int_equal(o->count, 0);
    return ticket;
}

static void wait_for(struct fixture *f, const int *count, int wanted)
{
    uint64_t end = clock_now() + WAIT_MS * CLOCK_NS_PER_MS;

    while (*count < wanted && clock_now() < end) {
        event_base_loop(f->worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
    assert_int_equal(*count, wanted);
}

static void answer_and_look(struct fixture *f, lpm_request *req)
{
    lpm_header header;
    char data[] = "pong";

    assert_int_equal(channel_running(f->bus), CHANNEL_CALL);
    assert_int_equal(channel_call_until(f->bus), lpm_request_deadline(req));
    assert_int_equal(strlen(lpm_request_id(req)), 36);
    assert_string_equal(lpm_request_handler(req), "answers");
    assert_true(lpm_request_created_at(req) <= clock_now());
    assert_int_equal(lpm_request_cancelled(req), 0);
    assert_true(lpm_slice_is(lpm_request_data(req), "ping"));
    assert_true(lpm_slice_is(lpm_request_header(req, ":path"), "/x"));
    assert_int_equal(lpm_request_header_at(req, 1, &header), 0);
    assert_int_equal(lpm_request_has_stream(req), 0);
    assert_int_equal(lpm_worker_requests(lpm_request_worker(req), NULL, 0), 1);
    assert_int_equal(lpm_respond_header(req, "a", "b"), 0);
    assert_int_equal(lpm_respond_header(req, ":status", "404"), 0);
    assert_int_equal(lpm_respond(req, data, 4), 0);
    assert_int_equal(lpm_respond(req, data, 4), LPM_EDONE);
}

static void a_call_is_answered(void **state)
{
    struct fixture *f = fixture_new(answer_and_look);
    struct outcome o = {0};
    char id[37];
    lpm_enqueue spec = spec_of(f);

    (void)state;
    announce(f);
    spec.id = id;
    spec.timeout = 5000;
    assert_int_equal(lpm_worker_call(caller(f), &spec, on_response, &o), 0);
    assert_int_equal(script(f)->calls, 0); /* not from within the call */
    turn(f);
    assert_int_equal(o.count, 1);
    assert_int_equal(o.error, 0);
    assert_string_equal(o.text, "");
    assert_string_equal(o.data, "pong");
    assert_string_equal(o.headers, "a=b;:status=404;");
    assert_string_equal(o.id, id);
    assert_string_equal(o.worker, "default/0");
    assert_int_equal(channel_running(f->bus), 0);
    assert_int_equal(channel_call_until(f->bus), 0);
    assert_int_equal(channel_calls(f->bus), 1);
    assert_int_equal(f->worker.open_count, 0);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    fixture_free(f);
}

/* Answered after the handler is back, and the object serves the bus and calls in turn. */
static void answers_come_later(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct outcome o[2] = {{0}};

    (void)state;
    announce(f);
    for (int i = 0; i < 80; i++) {
        memset(o, 0, sizeof(o));
        call(f, i % 2 ? LPM_NONE : 5000, &o[0]);
        request(f, 0);
        assert_int_equal(f->worker.open_count, 2);
        call(f, LPM_NONE, &o[1]);
        turn(f);
        for (int k = 0; k < 3; k++) {
            lpm_request *req = script(f)->kept[(3 * i + k) % 8];
            assert_int_equal(lpm_respond(req, "late", 4), 0);
            assert_int_equal(lpm_respond(req, "late", 4), LPM_EDONE);
        }
        assert_true(o[0].count == 1 && o[1].count == 1);
        assert_int_equal(hear(f).type, FRAME_RESPONSE);
    }
    assert_int_equal(channel_calls(f->bus), 160);
    fixture_free(f);
}

static void respond_ok(struct fixture *f, lpm_request *req)
{
    (void)f;
    lpm_respond(req, "ok", 2);
}

/* Many at once: in their order, and the loop is not held. */
static void they_keep_their_order(void **state)
{
    struct fixture *f = fixture_new(respond_ok);
    static struct outcome o[200];

    (void)state;
    announce(f);
    memset(o, 0, sizeof(o));
    for (size_t i = 0; i < 200; i++) {
        call(f, LPM_NONE, &o[i]);
    }
    event_base_loop(f->worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_true(o[0].count == 1 && o[199].count == 0);
    wait_for(f, &o[199].count, 1);
    assert_int_equal(script(f)->calls, 200);
    fixture_free(f);
}

/* They wait while the worker says busy, and while so many run as the pool allows. */
static void they_wait_for_room(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct outcome o[3] = {{0}};

    (void)state;
    f->worker.concurrency = 2;
    announce(f);
    assert_int_equal(lpm_worker_busy(caller(f)), 0);
    call(f, LPM_NONE, &o[0]);
    call(f, LPM_NONE, &o[1]);
    call(f, 10, &o[2]);
    turn(f);
    assert_int_equal(script(f)->calls, 0);
    assert_int_equal(lpm_worker_ready(caller(f)), 0);
    turn(f);
    assert_int_equal(script(f)->calls, 2);
    wait_for(f, &o[2].count, 1); /* its time is over before there is room */
    assert_int_equal(o[2].error, LPM_ETIMEDOUT);
    assert_int_equal(script(f)->calls, 2);
    o[2].count = 0;
    call(f, LPM_NONE, &o[2]);
    assert_int_equal(lpm_ack(script(f)->kept[0]), 0);
    turn(f);
    assert_int_equal(script(f)->calls, 3);
    fixture_free(f);
}

static void a_deadline_passes(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct outcome o = {0};

    (void)state;
    announce(f);
    f->worker.kill_after = 20 * CLOCK_NS_PER_MS;
    call(f, 10, &o);
    wait_for(f, &o.count, 1);
    assert_int_equal(o.error, LPM_ETIMEDOUT);
    assert_string_equal(o.text, "the deadline passed before there was an answer");
    assert_int_equal(lpm_request_cancelled(script(f)->kept[0]), 1);
    assert_int_equal(f->worker.open_count, 1);
    while (f->worker.open_count > 0) { /* `kill_after` later its place is another's */
        event_base_loop(f->worker.base, EVLOOP_ONCE);
    }
    assert_int_equal(lpm_respond(script(f)->kept[0], "late", 4), LPM_ECANCELED);
    assert_int_equal(lpm_respond(script(f)->kept[0], "late", 4), LPM_EDONE);
    assert_int_equal(o.count, 1);
    fixture_free(f);
}

static void sleep_over(struct fixture *f, lpm_request *req)
{
    (void)f;
    while (clock_now() < lpm_request_deadline(req)) {
        usleep(1000);
    }
    assert_int_equal(lpm_respond(req, "late", 4), LPM_ECANCELED);
}

/* A handler that comes too late is told so, as if the bus had waited. */
static void a_handler_is_late(void **state)
{
    struct fixture *f = fixture_new(sleep_over);
    struct outcome o = {0};

    (void)state;
    announce(f);
    call(f, 5, &o);
    turn(f);
    assert_int_equal(o.count, 1);
    assert_int_equal(o.error, LPM_ETIMEDOUT);
    assert_int_equal(f->worker.open_count, 0);
    fixture_free(f);
}

static role_step_word step;
static uint32_t step_seen; /* of it, in the callback */

static void count_cancel(lpm_request *req, void *arg)
{
    (void)req;
    step_seen = step;
    ++*(int *)arg;
}

static void a_call_is_cancelled(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct outcome o = {0};
    int told = 0;
    uint64_t ticket;

    (void)state;
    announce(f);
    ticket = call(f, LPM_NONE, &o); /* before it starts */
    assert_int_equal(lpm_worker_cancel(caller(f), ticket), 0);
    assert_int_equal(lpm_worker_cancel(caller(f), ticket), LPM_EDONE);
    turn(f);
    assert_int_equal(script(f)->calls, 0);

    ticket = call(f, LPM_NONE, &o);
    turn(f);
    f->start.step = &step;
    assert_int_equal(lpm_request_on_cancel(script(f)->kept[0], count_cancel, &told), 0);
    assert_int_equal(lpm_worker_cancel(caller(f), ticket), 0);
    assert_int_equal(told, 1);
    assert_int_equal(step_seen, ROLE_STEP_CANCEL << 16 | ANSWERS);
    assert_int_equal(step, ROLE_STEP_NONE);
    assert_int_equal(lpm_worker_cancel(caller(f), ticket), LPM_EDONE);
    assert_int_equal(lpm_request_cancelled(script(f)->kept[0]), 1);
    assert_int_equal(lpm_respond(script(f)->kept[0], "x", 1), LPM_ECANCELED);
    assert_int_equal(o.count, 0);
    assert_int_equal(lpm_worker_cancel(caller(f), 0), LPM_EDONE);
    assert_int_equal(lpm_worker_cancel(caller(f), UINT64_MAX), LPM_EDONE);
    fixture_free(f);
}

/* In the callback anything may be called: a second answer, the ticket that ended, another call. */
static void misbehave(struct outcome *o)
{
    static struct outcome other;

    o->rc = lpm_respond(o->answered, "again", 5);
    memset(&other, 0, sizeof(other));
    call(o->f, LPM_NONE, &other);
}

static void a_callback_may_do_anything(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct outcome o = {.then = misbehave, .f = f};
    uint64_t ticket;

    (void)state;
    announce(f);
    ticket = call(f, LPM_NONE, &o);
    turn(f);
    o.answered = script(f)->kept[0];
    assert_int_equal(lpm_respond(o.answered, "x", 1), 0);
    assert_int_equal(o.rc, LPM_EDONE);
    assert_int_equal(lpm_worker_cancel(caller(f), ticket), LPM_EDONE);
    turn(f);
    assert_int_equal(script(f)->calls, 2);

    o.count = 0;
    call(f, 5, &o);
    turn(f);
    o.answered = script(f)->kept[2];
    wait_for(f, &o.count, 1);
    assert_int_equal(o.rc, LPM_EDONE);
    fixture_free(f);
}

static void take_stream(struct fixture *f, lpm_request *req)
{
    char bytes[8];
    int fd = lpm_request_stream(req);
    int fds[2];

    assert_int_equal(lpm_request_has_stream(req), 1);
    assert_true(fd > 0);
    assert_int_equal(lpm_request_stream(req), LPM_EDONE);
    assert_int_equal(read(fd, bytes, sizeof(bytes)), 3);
    close(fd);
    assert_int_equal(lpm_stream_pair(&f->modules[0], fds), 0);
    assert_int_equal(write(fds[1], "down", 4), 4);
    lpm_stream_end(&f->modules[0], fds[1]);
    assert_int_equal(lpm_respond_stream(req, "and", 3, fds[0]), 0);
    assert_true(fcntl(fds[0], F_GETFD) < 0); /* it was lpm's */
}

static void streams_go_both_ways(void **state)
{
    struct fixture *f = fixture_new(take_stream);
    struct outcome o = {0};
    lpm_enqueue spec = spec_of(f);
    char bytes[8];
    int fds[2];

    (void)state;
    announce(f);
    assert_int_equal(os_stream_pair(fds), 0);
    assert_int_equal(write(fds[1], "up!", 3), 3);
    spec.stream = fds[0];
    assert_int_equal(lpm_worker_call(caller(f), &spec, on_response, &o), 0);
    turn(f);
    assert_int_equal(o.count, 1);
    assert_string_equal(o.data, "and");
    assert_int_equal(read(o.stream, bytes, sizeof(bytes)), 4);
    assert_int_equal(read(o.stream, bytes, sizeof(bytes)), 0);
    close(o.stream);
    close(fds[1]);

    /* Nobody takes it: it is closed, and the bus hears nothing of it. */
    script(f)->request = respond_ok;
    assert_int_equal(os_stream_pair(fds), 0);
    spec.stream = fds[0];
    assert_int_equal(lpm_worker_call(caller(f), &spec, on_response, &o), 0);
    turn(f);
    assert_true(fcntl(fds[0], F_GETFD) < 0);
    close(fds[1]);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    fixture_free(f);
}

static void what_is_refused(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct outcome o = {0};
    lpm_enqueue spec = spec_of(f);
    struct lpm_handler strange = {&f->modules[0]};

    (void)state;
    assert_null(lpm_worker_handler(caller(f), "without"));
    assert_null(lpm_worker_handler(caller(f), "nobody"));
    assert_null(lpm_worker_handler(caller(f), NULL));
    assert_null(lpm_worker_handler(NULL, "answers"));
    assert_int_equal(lpm_worker_handler_minor(caller(f), spec.handler), 0);
    assert_int_equal(lpm_worker_handler_minor(caller(f), NULL), LPM_EINVAL);
    assert_int_equal(lpm_worker_call(NULL, &spec, on_response, &o), LPM_EINVAL);
    assert_int_equal(lpm_worker_call(caller(f), NULL, on_response, &o), LPM_EINVAL);
    spec.handler = NULL;
    assert_int_equal(lpm_worker_call(caller(f), &spec, on_response, &o), LPM_ENOHANDLER);
    spec.handler = &strange;
    assert_int_equal(lpm_worker_call(caller(f), &spec, on_response, &o), LPM_EINVAL);
    spec = spec_of(f);
    spec.timeout = -2;
    assert_int_equal(lpm_worker_call(caller(f), &spec, on_response, &o), LPM_EINVAL);
    spec = spec_of(f);
    spec.socket = 1;
    assert_int_equal(lpm_worker_call(caller(f), &spec, on_response, &o), LPM_EINVAL);
    spec = spec_of(f);
    spec.len = (size_t)2 << 30;
    assert_int_equal(lpm_worker_call(caller(f), &spec, on_response, &o), LPM_ETOOBIG);
    spec = spec_of(f);
    worker_life_hard_kill(&f->worker);
    assert_int_equal(lpm_worker_call(caller(f), &spec, on_response, &o), LPM_ESHUTDOWN);
    turn(f);
    assert_int_equal(o.count, 0);
    fixture_free(f);
}

/* A soft kill waits for those that run and those that have not begun. */
static void soft_kill_waits(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct outcome o[2] = {{0}};

    (void)state;
    f->worker.concurrency = 1;
    announce(f);
    call(f, LPM_NONE, &o[0]);
    call(f, LPM_NONE, &o[1]);
    turn(f);
    worker_life_soft_kill(&f->worker);
    assert_false(f->worker.over);
    assert_int_equal(lpm_respond(script(f)->kept[0], "x", 1), 0);
    assert_false(f->worker.over);
    turn(f);
    assert_int_equal(script(f)->calls, 2);
    assert_int_equal(lpm_respond(script(f)->kept[1], "x", 1), 0);
    assert_true(f->worker.over);
    assert_true(o[0].count == 1 && o[1].count == 1);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered),    cmocka_unit_test(answers_come_later),
        cmocka_unit_test(they_keep_their_order), cmocka_unit_test(they_wait_for_room),
        cmocka_unit_test(a_deadline_passes),     cmocka_unit_test(a_handler_is_late),
        cmocka_unit_test(a_call_is_cancelled),   cmocka_unit_test(a_callback_may_do_anything),
        cmocka_unit_test(streams_go_both_ways),  cmocka_unit_test(what_is_refused),
        cmocka_unit_test(soft_kill_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
