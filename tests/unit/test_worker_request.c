/*
 * Requests in a worker, with the test in the place of the bus: what their handles say before and after the answer, and
 * what the bus hears.
 */
#include "worker_fixture.h"

#include <sys/resource.h>
#include <sys/socket.h>

#define IDLE_OBJECTS 70 /* more than rest before one is used again */

static void respond_pong(struct fixture *f, lpm_request *req)
{
    lpm_header header;

    assert_int_equal(channel_started(f->bus), f->seq);
    assert_int_equal(channel_running(f->bus), f->seq);
    assert_string_equal(lpm_request_id(req), "01234567-89ab-4def-8123-456789abcdef");
    assert_string_equal(lpm_request_handler(req), "answers");
    assert_int_equal(lpm_request_created_at(req), 42);
    assert_int_equal(lpm_request_deadline(req), 0);
    assert_int_equal(lpm_request_cancelled(req), 0);
    assert_true(lpm_slice_is(lpm_request_data(req), "ping"));
    assert_true(lpm_slice_is(lpm_request_header(req, ":path"), "/x"));
    assert_int_equal(lpm_request_header_at(req, 0, &header), 1);
    assert_int_equal(lpm_request_header_at(req, 1, &header), 0);
    assert_null(lpm_request_context(req));
    lpm_request_set_context(req, f);
    assert_ptr_equal(lpm_request_context(req), f);
    assert_int_equal(lpm_respond_header(req, ":status", "404"), 0);
    assert_int_equal(lpm_respond_header(req, "a", "b"), 0);
    assert_int_equal(lpm_respond(req, "pong", 4), 0);
}

static void a_request_is_answered(void **state)
{
    struct fixture *f = fixture_new(respond_pong);
    struct frame_key key;
    struct heard heard;

    (void)state;
    announce(f);
    key = request(f, 3);
    heard = hear(f);
    assert_int_equal(heard.type, FRAME_RESPONSE);
    assert_int_equal(heard.key.slot, key.slot);
    assert_int_equal(heard.key.seq, key.seq);
    assert_int_equal(heard.error, 0);
    assert_string_equal(heard.data, "pong");
    assert_string_equal(heard.all_headers, "a=b;:status=404;");
    assert_int_equal(channel_running(f->bus), 0);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    assert_int_equal(f->worker.open_count, 0);
    fixture_free(f);
}

static void assert_stale(lpm_request *req)
{
    lpm_header header;

    assert_int_equal(lpm_respond(req, "x", 1), LPM_EDONE);
    assert_int_equal(lpm_ack(req), LPM_EDONE);
    assert_int_equal(lpm_respond_header(req, "a", "b"), LPM_EDONE);
    assert_int_equal(lpm_request_data(req).len, 0);
    assert_int_equal(lpm_request_header(req, ":path").len, 0);
    assert_int_equal(lpm_request_header_at(req, 0, &header), 0);
    assert_int_equal(lpm_request_cancelled(req), 1);
}

/* A handle is known as stale though many others came after it. */
static void after_the_answer(void **state)
{
    struct fixture *f = fixture_new(NULL);
    lpm_request *first;

    (void)state;
    announce(f);
    request(f, 0);
    first = script(f)->kept[0];
    assert_int_equal(lpm_ack(first), 0);
    assert_int_equal(hear(f).type, FRAME_RESPONSE);
    assert_stale(first);
    for (int i = 1; i < 60; i++) {
        request(f, 0);
        assert_int_equal(lpm_ack(script(f)->kept[i % 8]), 0);
        assert_int_equal(hear(f).type, FRAME_RESPONSE);
        assert_stale(first);
    }
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    fixture_free(f);
}

static void what_may_be_answered(void **state)
{
    static const struct {
        const char *name, *value;
        int rc;
    } rows[] = {
        {"a", "b", 0},
        {"A", "b", LPM_EINVAL},
        {"", "b", LPM_EINVAL},
        {"a b", "", LPM_EINVAL},
        {"a", "b\r\nc", LPM_EINVAL},
        {":status", "600", LPM_EINVAL},
        {":status", "99", LPM_EINVAL},
        {":status", "2xx", LPM_EINVAL},
        {":status", "200", 0},
        {":status", "503", 0},
    };
    struct fixture *f = fixture_new(NULL);
    char *large = malloc(70000);
    lpm_request *req;

    (void)state;
    assert_non_null(large);
    memset(large, 'x', 70000);
    announce(f);
    request(f, 0);
    req = script(f)->kept[0];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(lpm_respond_header(req, rows[i].name, rows[i].value), rows[i].rc);
    }
    assert_int_equal(lpm_respond_header_slice(req, lpm_slice_of("l"), (lpm_slice){large, 70000}),
                     LPM_ETOOBIG);
    assert_int_equal(lpm_respond_header_slice(req, lpm_slice_of("l"), (lpm_slice){large, 65000}), 0);
    assert_int_equal(lpm_respond_header_slice(req, lpm_slice_of("l"), (lpm_slice){large, 600}), LPM_ETOOBIG);
    assert_int_equal(lpm_respond(req, NULL, 1), LPM_EINVAL);
    assert_int_equal(lpm_respond(req, large, (size_t)FRAME_DATA_MAX + 1), LPM_ETOOBIG);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    assert_int_equal(lpm_respond(req, large, 70000), 0);
    assert_int_equal(hear(f).type, FRAME_RESPONSE);
    free(large);
    fixture_free(f);
}

/* An answer that could not be sent leaves the request open, and nothing of itself in the next. */
static void the_first_content_type_counts(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    announce(f);
    for (uint32_t i = 0; i < 3; i++) {
        request(f, i);
    }
    assert_int_equal(lpm_respond_header(script(f)->kept[0], "a", "b"), 0);
    assert_int_equal(lpm_respond_header(script(f)->kept[0], "content-type", "text/html"), 0);
    assert_int_equal(lpm_respond_text(script(f)->kept[0], "<p>"), 0);
    assert_string_equal(hear(f).all_headers, "a=b;content-type=text/html;");
    assert_int_equal(lpm_respond_header(script(f)->kept[1], "content-type", ""), 0);
    assert_int_equal(lpm_respond_text(script(f)->kept[1], "?"), 0);
    assert_string_equal(hear(f).all_headers, "content-type=;");
    assert_int_equal(lpm_respond_text(script(f)->kept[2], "text"), 0);
    assert_string_equal(hear(f).all_headers, "content-type=text/plain; charset=utf-8;");
    fixture_free(f);
}

static void after_a_failed_answer(void **state)
{
    struct fixture *f = fixture_new(NULL);
    char *large = calloc(1, 100000);
    struct rlimit old, none = {0, 0};
    struct heard heard;
    lpm_request *req;

    (void)state;
    assert_non_null(large);
    announce(f);
    request(f, 0);
    req = script(f)->kept[0];
    assert_int_equal(lpm_respond_header(req, ":status", "200"), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0); /* no descriptor for the memfd */
    assert_int_equal(lpm_respond(req, large, 100000), LPM_ENOMEM);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(lpm_respond_header(req, ":status", "500"), 0);
    assert_int_equal(lpm_respond(req, "sorry", 5), 0);
    heard = hear(f);
    assert_string_equal(heard.all_headers, ":status=500;");
    assert_string_equal(heard.data, "sorry");
    free(large);
    fixture_free(f);
}

static void answers_come_later_and_in_any_order(void **state)
{
    struct fixture *f = fixture_new(NULL);
    lpm_request *list[8];
    lpm_worker *m = &f->modules[ANSWERS];
    struct frame_key key[3];

    (void)state;
    announce(f);
    for (uint32_t i = 0; i < 3; i++) {
        key[i] = request_later(f, i, 0);
    }
    flush(f);
    assert_int_equal(hear(f).type, FRAME_TYPE_END); /* the bus did not want to know */
    assert_int_equal(lpm_worker_requests(m, list, 2), 3);
    assert_ptr_equal(list[1], script(f)->kept[1]);
    assert_int_equal(lpm_worker_requests(m, NULL, 0), 3);
    assert_int_equal(lpm_worker_requests(&f->modules[WITHOUT_HOOK], list, 8), 0);
    assert_int_equal(lpm_ack(script(f)->kept[1]), 0);
    assert_int_equal(lpm_worker_requests(m, list, 8), 2);
    assert_ptr_equal(list[1], script(f)->kept[2]);
    assert_int_equal(hear(f).key.seq, key[1].seq);
    assert_int_equal(lpm_ack(script(f)->kept[2]), 0);
    assert_int_equal(lpm_ack(script(f)->kept[0]), 0);
    assert_int_equal(hear(f).key.seq, key[2].seq);
    assert_int_equal(hear(f).key.seq, key[0].seq);
    assert_int_equal(lpm_worker_requests(m, list, 8), 0);
    fixture_free(f);
}

/* The second handler answers both. */
static void answer_all(struct fixture *f, lpm_request *req)
{
    struct script *s = script(f);

    if (s->calls == 2) {
        assert_ptr_equal(req, s->kept[1]);
        assert_int_equal(lpm_respond(s->kept[0], "first", 5), 0);
        assert_int_equal(lpm_respond(s->kept[0], "first", 5), LPM_EDONE);
        assert_int_equal(lpm_respond(req, "second", 6), 0);
    }
}

static void a_handler_answers_another_request(void **state)
{
    struct fixture *f = fixture_new(answer_all);

    (void)state;
    announce(f);
    request(f, 0);
    request(f, 1);
    assert_string_equal(hear(f).data, "first");
    assert_string_equal(hear(f).data, "second");
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    fixture_free(f);
}

static void cancelled(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct frame_key key;
    struct heard heard;
    lpm_request *req;

    (void)state;
    announce(f);
    key = request(f, 0);
    req = script(f)->kept[0];
    say_about(f, FRAME_CANCEL, (struct frame_key){0, key.seq + 1}); /* about none: it crossed the answer */
    say_about(f, FRAME_CANCEL, (struct frame_key){FRAME_SLOT_MAX - 1, key.seq});
    flush(f);
    assert_int_equal(lpm_request_cancelled(req), 0);
    say_about(f, FRAME_CANCEL, key);
    flush(f);
    assert_int_equal(lpm_request_cancelled(req), 1);
    assert_true(lpm_slice_is(lpm_request_data(req), "ping")); /* the handle is as good as before */
    assert_int_equal(lpm_respond_header(req, "a", "b"), 0);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    assert_int_equal(lpm_respond(req, "pong", 4), LPM_ECANCELED);
    heard = hear(f);
    assert_int_equal(heard.error, LPM_ECANCELED);
    assert_string_equal(heard.data, "");
    assert_string_equal(heard.all_headers, "");
    assert_stale(req);
    fixture_free(f);
}

static void given_up(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct frame_key key;
    struct heard heard;
    lpm_request *req;

    (void)state;
    announce(f);
    key = request(f, 0);
    req = script(f)->kept[0];
    say_about(f, FRAME_CANCEL, key);
    say_about(f, FRAME_ABANDON, key);
    say_about(f, FRAME_ABANDON, key);
    flush(f);
    heard = hear(f);
    assert_int_equal(heard.key.seq, key.seq);
    assert_int_equal(heard.error, LPM_ECANCELED);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    assert_int_equal(f->worker.open_count, 0); /* a soft kill does not wait for it */
    /* Its place is free again, but the object is the module's until it answers, so that it meets no other request. */
    for (int i = 0; i < 2 * IDLE_OBJECTS; i++) {
        request(f, 0);
        assert_ptr_not_equal(script(f)->kept[(i + 1) % 8], req);
        assert_int_equal(lpm_ack(script(f)->kept[(i + 1) % 8]), 0);
        assert_int_equal(hear(f).error, 0);
    }
    assert_int_equal(lpm_request_cancelled(req), 1);
    assert_true(lpm_slice_is(lpm_request_data(req), "ping"));
    assert_int_equal(lpm_respond_header(req, "a", "b"), 0);
    assert_int_equal(lpm_respond(req, "late", 4), LPM_ECANCELED);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    assert_stale(req);
    fixture_free(f);
}

/* What came with it is closed at once, and what the module never answers is no leak. */
static void given_up_with_descriptors(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct frame frame = {.type = FRAME_REQUEST,
                          .flags = FRAME_STREAM | FRAME_SOCKET,
                          .key = {0, ++f->seq},
                          .id = "01234567-89ab-4def-8123-456789abcdef"};
    int code, pairs[2][2], sent[2];
    char byte, *room;

    (void)state;
    announce(f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
        sent[i] = pairs[i][1];
    }
    room = channel_reserve_with(f->bus, frame_size(&frame), sent, 2, &code);
    assert_non_null(room);
    frame_encode(&frame, room);
    channel_commit(f->bus);
    flush(f);
    close(sent[0]);
    close(sent[1]);
    assert_int_equal(hear(f).type, FRAME_IDLE);
    say_about(f, FRAME_CANCEL, frame.key);
    say_about(f, FRAME_ABANDON, frame.key);
    flush(f);
    assert_int_equal(hear(f).type, FRAME_RESPONSE);
    assert_int_equal(hear(f).type, FRAME_SOCKET_CLOSED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read(pairs[i][0], &byte, 1), 0);
        close(pairs[i][0]);
    }
    assert_int_equal(lpm_request_stream(script(f)->kept[0]), LPM_EDONE);
    assert_int_equal(lpm_request_socket(script(f)->kept[0]), LPM_EDONE);
    fixture_free(f);
}

static void answer_when_told(lpm_request *req, void *arg)
{
    int *calls = arg;

    ++*calls;
    assert_int_equal(lpm_ack(req), LPM_ECANCELED);
}

/* One who learns of it only now may answer in time. */
static void answered_while_given_up(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct frame_key key;
    int calls = 0;

    (void)state;
    announce(f);
    key = request(f, 0);
    assert_int_equal(lpm_request_on_cancel(script(f)->kept[0], answer_when_told, &calls), 0);
    say_about(f, FRAME_ABANDON, key);
    flush(f);
    assert_int_equal(calls, 1);
    assert_int_equal(hear(f).error, LPM_ECANCELED);
    assert_int_equal(hear(f).type, FRAME_TYPE_END);
    assert_stale(script(f)->kept[0]);
    fixture_free(f);
}

/* Nobody told it yet, but it knows the time. */
static void past_its_deadline(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    announce(f);
    request_later(f, 0, clock_now());
    flush(f);
    assert_int_equal(lpm_request_cancelled(script(f)->kept[0]), 1);
    assert_int_equal(lpm_respond(script(f)->kept[0], "late", 4), 0);
    assert_string_equal(hear(f).data, "late");
    fixture_free(f);
}

struct told {
    struct fixture *f;
    char order[16];
};

/* The first answers the second, which is not told then; the third asks again, and is told at once. */
static void on_drain(lpm_request *req, void *arg)
{
    struct told *told = arg;
    size_t at = strlen(told->order);

    for (char i = 0; i < 5; i++) {
        if (req == script(told->f)->kept[(size_t)i]) {
            told->order[at] = (char)('0' + i);
        }
    }
    if (at == 0) {
        assert_int_equal(lpm_ack(script(told->f)->kept[1]), 0);
    } else if (at == 1) {
        assert_int_equal(lpm_request_on_cancel(req, on_drain, told), 0);
    }
}

static void all_are_told_of_the_drain(void **state)
{
    struct fixture *f = fixture_new(NULL);
    struct told told = {.f = f};

    (void)state;
    announce(f);
    for (uint32_t i = 0; i < 5; i++) {
        request(f, i);
        assert_int_equal(lpm_request_on_cancel(script(f)->kept[i], on_drain, &told), 0);
    }
    assert_int_equal(lpm_request_on_cancel(script(f)->kept[3], NULL, NULL), 0);
    say(f, FRAME_DRAIN);
    assert_string_equal(told.order, "0224");
    say(f, FRAME_SOFT_KILL);
    assert_string_equal(told.order, "0224");
    fixture_free(f);
}

static void ack(struct fixture *f, lpm_request *req)
{
    (void)f;
    assert_int_equal(lpm_ack(req), 0);
}

static unsigned count_idle(struct fixture *f)
{
    unsigned count = 0;
    struct heard heard;

    while ((heard = hear(f)).type != FRAME_TYPE_END) {
        count = heard.type == FRAME_IDLE ? count + 1 : 0;
    }
    return count;
}

/* A bus whose requests wait must hear of it when a handler is back: it may have read the answer before that. */
static void the_bus_wants_to_know(void **state)
{
    struct fixture *f = fixture_new(ack);

    (void)state;
    announce(f);
    channel_want(f->bus, true);
    request(f, 0);
    assert_int_equal(count_idle(f), 1);
    request_later(f, 0, 0);
    request_later(f, 1, 0);
    flush(f);
    assert_int_equal(count_idle(f), 1);
    /* What is here besides may tell nothing. */
    say_about(f, FRAME_CANCEL, request_later(f, 0, 0));
    say_about(f, FRAME_DRAIN, (struct frame_key){0, 0});
    flush(f);
    assert_int_equal(count_idle(f), 1);
    script(f)->request = NULL; /* it does not answer */
    request(f, 0);
    assert_int_equal(count_idle(f), 1);
    channel_want(f->bus, false);
    request(f, 1);
    assert_int_equal(count_idle(f), 0);
    fixture_free(f);
}

static void rules_of_the_bus(void **state)
{
    static const char *const breaches[] = {"too early",  "a slot in use", "no slot",
                                           "no handler", "no hook",       "rubbish"};

    (void)state;
    for (size_t i = 0; i < sizeof(breaches) / sizeof(breaches[0]); i++) {
        struct fixture *f = fixture_new(NULL);
        struct frame frame = {
            .type = FRAME_REQUEST, .key = {0, 1}, .id = "01234567-89ab-4def-8123-456789abcdef"};

        print_message("%s\n", breaches[i]);
        if (i > 0) {
            announce(f);
        }
        if (i == 1) {
            request(f, 0);
        }
        frame.key.slot = i == 2 ? FRAME_SLOT_MAX : 0;
        frame.handler = i == 3 ? MODULES : i == 4 ? WITHOUT_HOOK : ANSWERS;
        if (i == 5) {
            frame = (struct frame){.type = FRAME_READY};
        }
        say_later(f, &frame);
        flush(f);
        assert_true(f->worker.over);
        assert_int_equal(f->worker.status, ROLE_EXIT_FAILED);
        assert_int_equal(script(f)->calls, i == 1);
        fixture_free(f);
    }
}

/* What it says last is heard, but nothing is started for a bus that has sent it elsewhere. */
static void a_bus_that_listens_no_more(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    announce(f);
    request(f, 0);
    request_later(f, 1, 0);
    say_about(f, FRAME_HARD_KILL, (struct frame_key){0, 0});
    assert_int_equal(channel_flush(f->bus), 0);
    channel_shut(f->bus);
    assert_int_equal(lpm_ack(script(f)->kept[0]), LPM_EIO);
    f->loaded[ANSWERS].module.hard_kill = on_soft_kill;
    turn(f);
    assert_int_equal(script(f)->calls, 1);
    assert_int_equal(script(f)->soft_kills, 1);
    assert_true(f->worker.over);
    assert_int_equal(f->worker.status, 0);
    fixture_free(f);
}

static void without_a_bus(void **state)
{
    struct fixture *f = fixture_new(NULL);

    (void)state;
    announce(f);
    request(f, 0);
    channel_free(f->bus);
    f->bus = NULL;
    /* Memory does not tell that nobody reads it; the socket does. */
    assert_int_equal(lpm_respond(script(f)->kept[0], "x", 1), 0);
    assert_stale(script(f)->kept[0]);
    turn(f);
    assert_true(f->worker.over);
    assert_int_equal(f->worker.status, 0);
    fixture_free(f);
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (*(int *)arg)++;
}

/* A bus that never stops sending leaves the modules' timers their turn. */
static void an_endless_sender(void **state)
{
    enum { MANY = 250 };
    struct fixture *f = fixture_new(ack);
    int turns = 0, before = 0;

    (void)state;
    announce(f);
    for (int i = 0; i < MANY; i++) {
        request_later(f, 0, 0);
        assert_int_equal(channel_flush(f->bus), 0);
    }
    while (script(f)->calls < MANY && turns++ < 100) {
        struct timeval at_once = {0, 0};
        int beats = 0;
        event_base_once(f->worker.base, -1, EV_TIMEOUT, on_beat, &beats, &at_once);
        event_base_loop(f->worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        assert_int_equal(beats, 1);
        assert_in_range(script(f)->calls - before, 0, 128);
        before = script(f)->calls;
    }
    assert_int_equal(script(f)->calls, MANY);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(after_the_answer),
        cmocka_unit_test(what_may_be_answered),
        cmocka_unit_test(the_first_content_type_counts),
        cmocka_unit_test(after_a_failed_answer),
        cmocka_unit_test(answers_come_later_and_in_any_order),
        cmocka_unit_test(a_handler_answers_another_request),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(all_are_told_of_the_drain),
        cmocka_unit_test(given_up),
        cmocka_unit_test(given_up_with_descriptors),
        cmocka_unit_test(answered_while_given_up),
        cmocka_unit_test(past_its_deadline),
        cmocka_unit_test(the_bus_wants_to_know),
        cmocka_unit_test(rules_of_the_bus),
        cmocka_unit_test(a_bus_that_listens_no_more),
        cmocka_unit_test(without_a_bus),
        cmocka_unit_test(an_endless_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
