/*
 * The events of the fake worker in lpm/test.h: a module that listens and emits is tested with it as it would run.
 */
#include <lpm/test.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>

static char calls[256];
static int last_error, last_fd;

static void note(lpm_event *ev, void *arg)
{
    strcat(strcat(calls, arg ? (const char *)arg : lpm_event_name(ev)), " ");
}

static void meddle(lpm_event *ev, void *arg)
{
    lpm_worker *w = arg;
    strcat(calls, "meddler ");
    lpm_worker_off(w, "note", meddle, w);
    lpm_worker_off(w, "note", note, (void *)"victim");
    lpm_worker_on(w, "note", note, (void *)"later");
    assert_true(lpm_slice_is(lpm_event_data(ev), "data"));
}

static void take_fd(lpm_event *ev, void *arg)
{
    lpm_health health;
    (void)arg;
    last_fd = lpm_event_fd(ev);
    assert_null(lpm_event_request(ev));
    assert_int_equal(lpm_event_worker(ev, &health), LPM_EINVAL);
}

static void answer(lpm_event *ev, void *arg)
{
    (void)arg;
    lpm_respond(lpm_event_request(ev), "by event", 8);
}

static void on_reply(lpm_response *res, void *arg)
{
    lpm_slice data = lpm_response_data(res);
    last_error = lpm_response_error(res);
    assert_in_range(lpm_response_created_at(res), 1, lpm_test_now());
    if (arg) {
        lpm_respond(arg, data.data, data.len);
    }
}

static void request(lpm_request *req)
{
    lpm_slice data = lpm_request_data(req);
    if (lpm_slice_is(data, "ask")) {
        lpm_worker_emit(lpm_request_worker(req), "ask", "what", 4, on_reply, req);
    } else if (!lpm_slice_is(data, "leave it")) {
        lpm_ack(req);
    }
}

static int start(lpm_worker *w)
{
    lpm_worker_on(w, "request", answer, NULL);
    lpm_worker_on(w, "softKill", note, NULL);
    lpm_worker_on(w, "hardKill", note, NULL);
    return lpm_worker_ready(w);
}

LPM_MODULE(.name = "events", .version = "1.0", .request = request, .worker_init = start);

static int set_up(void **state)
{
    lpm_test *t = malloc(sizeof(*t));
    lpm_test_init(t, &lpm_module_v1);
    assert_int_equal(lpm_test_start(t), 0);
    calls[0] = '\0';
    last_error = 99;
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    lpm_test_fini(*state);
    free(*state);
    return 0;
}

static void listeners(void **state)
{
    lpm_test *t = *state;
    lpm_worker *w = lpm_test_worker(t);

    lpm_worker_once(w, "note", note, (void *)"once");
    lpm_worker_on(w, "note", meddle, w);
    lpm_worker_on(w, "note", note, (void *)"victim");
    lpm_worker_on(w, "note", note, (void *)"rest");
    assert_int_equal(lpm_test_event(t, "note", "data", 4, 0), 3);
    assert_string_equal(calls, "once meddler rest ");
    calls[0] = '\0';
    assert_int_equal(lpm_test_event(t, "note", "data", 4, 0), 2);
    assert_string_equal(calls, "rest later ");
    assert_int_equal(lpm_test_event(t, "other", "", 0, 0), 0);
    assert_int_equal(lpm_worker_off(w, "note", note, (void *)"once"), LPM_EINVAL);
    assert_int_equal(lpm_worker_on(w, "", note, NULL), LPM_EINVAL);
    assert_int_equal(lpm_worker_on(w, "note", NULL, NULL), LPM_EINVAL);
    assert_true(lpm_test_listens(t, "softKill"));
    assert_false(lpm_test_listens(t, "other"));
}

static void descriptors(void **state)
{
    lpm_test *t = *state;
    lpm_worker *w = lpm_test_worker(t);
    int fd = open("/dev/null", O_RDONLY);

    lpm_worker_once(w, "note", take_fd, NULL);
    lpm_test_event(t, "note", "", 0, fd);
    assert_int_equal(last_fd, fd);
    assert_int_equal(fcntl(fd, F_GETFD) < 0, 0);
    lpm_test_event(t, "note", "", 0, fd); /* nobody takes it */
    assert_true(fcntl(fd, F_GETFD) < 0);
    lpm_worker_on(w, "note", take_fd, NULL);
    lpm_test_event(t, "note", "", 0, 0);
    assert_int_equal(last_fd, LPM_EINVAL);
}

static void emits(void **state)
{
    lpm_test *t = *state;
    lpm_worker *w = lpm_test_worker(t);
    lpm_request *req = lpm_test_request(t, "ask", 3);

    lpm_worker_off(w, "request", answer, NULL);
    lpm_test_run(t, req);
    assert_false(lpm_test_answered(req));
    assert_string_equal(lpm_test_emitted(t, 0)->event, "ask");
    assert_string_equal(lpm_test_emitted(t, 0)->data, "what");
    assert_null(lpm_test_emitted(t, 1));
    assert_true(lpm_test_reply(t, 0, 0, "that", 4));
    assert_true(lpm_slice_is(lpm_test_response_data(req), "that"));
    assert_false(lpm_test_reply(t, 0, 0, "again", 5));
    assert_int_equal(lpm_worker_emit(w, "two", NULL, 0, NULL, NULL), 0);
    assert_false(lpm_test_reply(t, 1, 0, "", 0));
    assert_int_equal(lpm_worker_emit(w, "three", NULL, 0, on_reply, NULL), 0);
    assert_true(lpm_test_reply(t, 2, LPM_ENOHANDLER, "", 0));
    assert_int_equal(last_error, LPM_ENOHANDLER);
    assert_int_equal(lpm_worker_emit(w, NULL, NULL, 0, NULL, NULL), LPM_EINVAL);
    assert_int_equal(lpm_worker_emit(w, "online", NULL, 0, NULL, NULL), LPM_EINVAL);
    assert_int_equal(lpm_worker_emit(w, "e", NULL, 1, NULL, NULL), LPM_EINVAL);
    assert_int_equal(lpm_worker_emit(w, "e", "", (size_t)2 << 30, NULL, NULL), LPM_ETOOBIG);
}

static void requests(void **state)
{
    lpm_test *t = *state;
    lpm_request *left = lpm_test_request(t, "leave it", 8), *done = lpm_test_request(t, "", 0);

    lpm_test_run(t, left);
    assert_true(lpm_slice_is(lpm_test_response_data(left), "by event"));
    lpm_test_run(t, done); /* the hook has answered: the listener would get LPM_EDONE */
    assert_true(lpm_test_acked(done));
}

static void the_end(void **state)
{
    lpm_test *t = *state;
    lpm_worker *w = lpm_test_worker(t);

    assert_int_equal(lpm_worker_emit(w, "e", NULL, 0, on_reply, NULL), 0);
    lpm_test_soft_kill(t);
    assert_string_equal(calls, "softKill ");
    assert_false(t->soft_kill_done); /* who listens says so */
    assert_int_equal(lpm_worker_soft_kill_done(w), 0);
    lpm_test_hard_kill(t);
    assert_string_equal(calls, "softKill hardKill ");
    assert_int_equal(last_error, LPM_ESHUTDOWN);
    assert_int_equal(lpm_worker_emit(w, "e", NULL, 0, on_reply, NULL), LPM_ESHUTDOWN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(listeners), TEST(descriptors), TEST(emits), TEST(requests),
                                       TEST(the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
