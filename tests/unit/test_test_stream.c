/*
 * The fake worker of lpm/test.h: streams, sockets, cancels and headers behave as in a worker.
 */
#include <lpm/test.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

static void on_cancel(lpm_request *req, void *arg)
{
    (void)req;
    ++*(int *)arg;
}

/* What a module may do: called by the tests in its place. */
static void handle(lpm_request *req)
{
    (void)req;
}

static const lpm_module module = {.name = "m", .version = "1.0", .request = handle};

static int set_up(void **state)
{
    lpm_test *t = malloc(sizeof(*t));
    lpm_test_init(t, &module);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    lpm_test_fini(*state);
    free(*state);
    return 0;
}

static void trim(lpm_worker *w)
{
    ++*(int *)lpm_worker_context(w);
}

static void the_hook_trim_is_run(void **state)
{
    lpm_module trims = module;
    lpm_test *t = *state;
    int count = 0;

    lpm_test_trim(t); /* it has none */
    trims.trim = trim;
    t->module = &trims;
    lpm_worker_set_context(lpm_test_worker(t), &count);
    lpm_test_trim(t);
    assert_int_equal(count, 1);
    t->module = &module;
}

static void a_stream_comes_and_goes(void **state)
{
    lpm_test *t = *state;
    lpm_request *req = lpm_test_request(t, "", 0);
    int in[2], out[2], fd;
    char room[8];

    assert_int_equal(lpm_request_stream(req), LPM_EINVAL);
    assert_int_equal(lpm_stream_pair(lpm_test_worker(t), in), 0);
    lpm_test_request_stream(req, in[0]);
    lpm_test_run(t, req);
    assert_int_equal(lpm_request_has_stream(req), 1);
    fd = lpm_request_stream(req);
    assert_int_equal(fd, in[0]);
    assert_int_equal(lpm_request_stream(req), LPM_EDONE);
    assert_int_equal(write(in[1], "in", 2), 2);
    assert_int_equal(lpm_stream_end(lpm_test_worker(t), in[1]), 0);
    assert_int_equal(read(fd, room, 8), 2);
    assert_int_equal(read(fd, room, 8), 0);
    close(fd);
    assert_int_equal(lpm_stream_pair(req, out), 0);
    assert_int_equal(lpm_respond_stream(req, "", 0, 1), LPM_EINVAL);
    assert_int_equal(lpm_respond_stream(req, "", 0, out[0]), 0);
    close(out[1]); /* an abort */
    fd = lpm_test_response_stream(req);
    assert_int_equal(fd, out[0]);
    assert_int_equal(read(fd, room, 8), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
    assert_int_equal(lpm_respond_stream(req, "", 0, 9), LPM_EDONE);
}

static void a_socket_is_the_modules(void **state)
{
    lpm_test *t = *state;
    lpm_request *req = lpm_test_request(t, "", 0), *other = lpm_test_request(t, "", 0);
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    lpm_test_request_socket(req, fds[0]);
    lpm_test_request_socket(other, fds[1]);
    assert_int_equal(lpm_request_socket(req), fds[0]);
    assert_int_equal(lpm_ack(req), 0);
    assert_int_equal(t->socket_count, 1);
    assert_int_equal(lpm_ack(other), 0); /* which closes what was not taken */
    assert_int_equal(fcntl(fds[1], F_GETFD), -1);
    assert_int_equal(lpm_socket_close(lpm_test_worker(t), fds[0]), 0);
    assert_int_equal(lpm_socket_close(lpm_test_worker(t), fds[0]), LPM_EINVAL);
    assert_int_equal(t->socket_count, 0);
}

static void a_cancel_is_told_once(void **state)
{
    lpm_test *t = *state;
    lpm_request *req = lpm_test_request(t, "", 0), *late = lpm_test_request(t, "", 0);
    int calls = 0, fds[2];

    assert_int_equal(lpm_request_on_cancel(req, on_cancel, &calls), 0);
    assert_int_equal(calls, 0);
    lpm_test_request_cancel(req);
    lpm_test_request_cancel(req);
    assert_int_equal(calls, 1);
    lpm_test_request_timeout(late, 0);
    assert_int_equal(lpm_request_on_cancel(late, on_cancel, &calls), 0);
    assert_int_equal(calls, 2);
    assert_int_equal(lpm_stream_pair(req, fds), 0);
    assert_int_equal(lpm_respond_stream(req, "", 0, fds[0]), LPM_ECANCELED);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    close(fds[1]);
}

/* As in a worker, also of this the first one counts. */
static void the_first_content_type_counts(void **state)
{
    lpm_request *req = lpm_test_request(*state, "", 0);
    lpm_header header;

    lpm_test_run(*state, req);
    assert_int_equal(lpm_respond_header(req, "content-type", "a/b"), 0);
    assert_int_equal(lpm_respond_text(req, "x"), 0);
    assert_true(lpm_slice_is(lpm_test_response_header(req, "content-type"), "a/b"));
    assert_int_equal(lpm_test_response_header_at(req, 1, &header), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_hook_trim_is_run),  TEST(a_stream_comes_and_goes),       TEST(a_socket_is_the_modules),
        TEST(a_cancel_is_told_once), TEST(the_first_content_type_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
