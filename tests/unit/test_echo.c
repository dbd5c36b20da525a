/*
 * modules/echo in the fake worker of lpm/test.h, which is tested by this as well.
 */
#include <lpm/test.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static int set_up(void **state)
{
    lpm_test *t = malloc(sizeof(*t));
    lpm_test_init(t, &lpm_module_v1);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    lpm_test_fini(*state);
    free(*state);
    return 0;
}

static void assert_slice(lpm_slice s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.data, text, s.len);
}

static void answers_with_the_data_and_its_type(void **state)
{
    lpm_test *t = *state;
    lpm_request *req = lpm_test_request(t, "hi", 2);

    lpm_test_request_header(req, "content-type", "text/plain");
    lpm_test_run(t, req);
    assert_true(lpm_test_answered(req));
    assert_slice(lpm_test_response_data(req), "hi");
    assert_slice(lpm_test_response_header(req, "content-type"), "text/plain");
    assert_int_equal(lpm_test_response_status(req), 200);
}

static void default_type_is_octet_stream(void **state)
{
    static const char data[] = "\0\xff";
    lpm_test *t = *state;
    lpm_request *req = lpm_test_request(t, data, sizeof(data));

    lpm_test_run(t, req);
    assert_int_equal(lpm_test_response_data(req).len, sizeof(data));
    assert_memory_equal(lpm_test_response_data(req).data, data, sizeof(data));
    assert_slice(lpm_test_response_header(req, "content-type"), "application/octet-stream");
}

static void type_that_no_answer_may_have_is_replaced(void **state)
{
    lpm_test *t = *state;
    lpm_request *req = lpm_test_request(t, "", 0);

    lpm_test_request_header(req, "content-type", "a/b\r\nset-cookie: x");
    lpm_test_run(t, req);
    assert_slice(lpm_test_response_header(req, "content-type"), "application/octet-stream");
    assert_slice(lpm_test_response_data(req), "");
}

static void headers_on_request(void **state)
{
    static const struct {
        const char *name, *value;
        int headers; /* are they the answer, or the data? */
    } rows[] = {
        {":path", "/?headers", 1},   {":path", "/a?x=1&headers", 1},
        {":path", "/?headers&x", 1}, {":path", "/?headers=1", 1},
        {":path", "/headers", 0},    {":path", "/?headersx", 0},
        {":path", "/?xheaders", 0},  {":path", "/?x=headers", 0},
        {":path", "/?", 0},          {":path", "", 0},
        {"x-echo-headers", "1", 1},  {"x-echo-headers", "0", 0},
        {"x-echo-headers", "11", 0}, {":path", "/?x&&headers", 1},
        {":path", "/?header", 0},
    };
    lpm_test *t = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lpm_request *req = lpm_test_request(t, "data", 4);
        char want[128];

        lpm_test_request_header(req, "a", "b");
        lpm_test_request_header(req, rows[i].name, rows[i].value);
        lpm_test_run(t, req);
        snprintf(want, sizeof(want), "a: b\n%s: %s\n", rows[i].name, rows[i].value);
        assert_slice(lpm_test_response_data(req), rows[i].headers ? want : "data");
        if (rows[i].headers) {
            assert_slice(lpm_test_response_header(req, "content-type"), "text/plain; charset=utf-8");
        }
    }
}

static void second_answer_is_refused(void **state)
{
    lpm_test *t = *state;
    lpm_request *req = lpm_test_request(t, "hi", 2);

    lpm_test_run(t, req);
    assert_int_equal(lpm_respond(req, "again", 5), LPM_EDONE);
    assert_int_equal(lpm_respond_text(req, "again"), LPM_EDONE);
    assert_int_equal(lpm_respond_header(req, "a", "b"), LPM_EDONE);
    assert_int_equal(lpm_ack(req), LPM_EDONE);
    assert_true(lpm_request_cancelled(req));
    assert_slice(lpm_test_response_data(req), "hi");
    assert_int_equal(lpm_request_data(req).len, 0);
}

static void answer_that_nobody_waits_for_is_dropped(void **state)
{
    lpm_test *t = *state;
    lpm_request *cancelled = lpm_test_request(t, "hi", 2);
    lpm_request *late = lpm_test_request(t, "hi", 2);

    assert_false(lpm_request_cancelled(cancelled));
    lpm_test_request_cancel(cancelled);
    lpm_test_request_timeout(late, 0);
    assert_true(lpm_request_cancelled(cancelled));
    assert_true(lpm_request_cancelled(late));
    lpm_test_run(t, cancelled);
    lpm_test_run(t, late);
    assert_int_equal(lpm_test_outcome(cancelled), LPM_ECANCELED);
    assert_int_equal(lpm_test_outcome(late), LPM_ECANCELED);
    assert_slice(lpm_test_response_data(late), "");
}

/* The calls that echo does not make. */
static void fake_worker_is_like_the_real_one(void **state)
{
    lpm_test *t = *state;
    lpm_worker *w = lpm_test_worker(t);
    lpm_request *req = lpm_test_request(t, NULL, 0), *list[2];
    int here;

    assert_int_equal(lpm_test_start(t), 0);
    assert_true(t->ready);
    assert_int_equal(lpm_worker_busy(w), 0);
    assert_false(t->ready);
    assert_int_equal(lpm_worker_ready(w), 0);
    assert_true(t->ready);
    assert_int_equal(lpm_worker_soft_kill_done(w), LPM_EROLE);
    lpm_worker_set_context(w, &here);
    assert_ptr_equal(lpm_worker_context(lpm_request_worker(req)), &here);
    assert_int_equal(lpm_worker_requests(w, list, 2), 0);
    lpm_test_request_of(req)->started = 1;
    assert_int_equal(lpm_worker_requests(w, list, 2), 1);
    assert_ptr_equal(list[0], req);
    assert_int_equal(strlen(lpm_request_id(req)), 36);
    lpm_log(req, LPM_LOG_WARN, "%d", 42);
    assert_true(lpm_test_log_has(t, "[warn] 42\n"));
    assert_int_equal(lpm_ack(req), 0);
    assert_true(lpm_test_acked(req));
    assert_int_equal(lpm_worker_requests(w, list, 2), 0);
    lpm_test_soft_kill(t);
    assert_true(t->soft_kill_done);
    assert_int_equal(lpm_worker_soft_kill_done(w), LPM_EDONE);
}

static void headers_of_answers_are_checked(void **state)
{
    static const struct {
        const char *name, *value;
        int rc;
    } rows[] = {
        {"x-a", "b", 0},
        {"X-A", "b", LPM_EINVAL},
        {"", "b", LPM_EINVAL},
        {":", "b", LPM_EINVAL},
        {"a b", "b", LPM_EINVAL},
        {"a:", "b", LPM_EINVAL},
        {"a", "", 0},
        {"a", "\r", LPM_EINVAL},
        {"a", "x\ny", LPM_EINVAL},
        {":status", "200", 0},
        {":status", "99", LPM_EINVAL},
        {":status", "600", LPM_EINVAL},
        {":status", "404", 0},
        {":status", "", LPM_EINVAL},
        {":status", "2000", LPM_EINVAL},
        {NULL, "b", LPM_EINVAL},
        {"a", NULL, LPM_EINVAL},
    };
    lpm_test *t = *state;
    lpm_request *req = lpm_test_request(t, "", 0);
    char *many = memset(malloc(65537), 'a', 65537);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(lpm_respond_header(req, rows[i].name, rows[i].value), rows[i].rc);
    }
    assert_int_equal(lpm_respond_header_slice(req, lpm_slice_of("a"), (lpm_slice){many, 65537}), LPM_ETOOBIG);
    free(many);
    lpm_test_run(t, req);
    assert_int_equal(lpm_test_response_status(req), 404);
}

static void null_handles_are_refused(void **state)
{
    lpm_header h;
    lpm_slice s = {"a", 1};
    (void)state;

    assert_int_equal(lpm_respond(NULL, "", 0), LPM_EINVAL);
    assert_int_equal(lpm_respond_text(NULL, ""), LPM_EINVAL);
    assert_int_equal(lpm_respond_header(NULL, "a", "b"), LPM_EINVAL);
    assert_int_equal(lpm_respond_header_slice(NULL, s, s), LPM_EINVAL);
    assert_int_equal(lpm_ack(NULL), LPM_EINVAL);
    assert_int_equal(lpm_request_cancelled(NULL), 0);
    assert_int_equal(lpm_request_header_at(NULL, 0, &h), 0);
    assert_int_equal(lpm_worker_ready(NULL), LPM_EINVAL);
    assert_int_equal(lpm_worker_busy(NULL), LPM_EINVAL);
    assert_int_equal(lpm_worker_soft_kill_done(NULL), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_enqueue(NULL, NULL, NULL, NULL), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_cancel(NULL, 1), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_soft_kill_done(NULL), LPM_EINVAL);
    assert_int_equal(lpm_supervisor_fd(NULL, NULL), LPM_EINVAL);
    assert_int_equal(lpm_response_error(NULL), LPM_EINVAL);
    assert_int_equal(lpm_response_header_at(NULL, 0, &h), 0);
    assert_int_equal(lpm_conf_error(NULL, "x"), LPM_EINVAL);
    assert_int_equal(lpm_conf_value(NULL, "x", 7), 7);
}

static void configuration_is_read_by_type(void **state)
{
    static const lpm_directive rows[] = {
        {.name = "flag", .context = "main", .type = LPM_CONF_FLAG},
        {.name = "size", .context = "main", .type = LPM_CONF_SIZE},
        {.name = "time",
         .context = "main",
         .type = LPM_CONF_TIME,
         .flags = LPM_CONF_MINUS_ONE | LPM_CONF_AUTO},
        {.name = "word", .context = "block", .type = LPM_CONF_ENUM, .words = "a|bb|c"},
        {.name = NULL},
    };
    lpm_module module = {.name = "test", .version = "1", .directives = rows};
    lpm_test t;
    const lpm_conf *root, *node;
    lpm_conf *block;
    (void)state;

    lpm_test_init(&t, &module);
    lpm_test_conf(&t, NULL, "flag", "on", (char *)NULL);
    lpm_test_conf(&t, NULL, "size", "64k", (char *)NULL);
    lpm_test_conf(&t, NULL, "time", "500ms", (char *)NULL);
    lpm_test_conf(&t, NULL, "time", "2m", (char *)NULL);
    lpm_test_conf(&t, NULL, "time", "-1", (char *)NULL);
    lpm_test_conf(&t, NULL, "time", "auto", (char *)NULL);
    block = lpm_test_conf(&t, NULL, "block", "x", "y", (char *)NULL);
    lpm_test_conf(&t, block, "word", "bb", (char *)NULL);

    root = lpm_worker_conf(lpm_test_worker(&t));
    assert_int_equal(lpm_conf_value(root, "flag", 0), 1);
    assert_int_equal(lpm_conf_value(root, "size", 0), 65536);
    assert_int_equal(lpm_conf_value(root, "none", 5), 5);
    assert_int_equal(lpm_conf_value(root, "time", 0), 500);
    node = lpm_conf_next(lpm_conf_child(root, "time"));
    assert_int_equal(LPM_HOST(node)->conf_value(node), 120000);
    node = lpm_conf_next(node);
    assert_int_equal(LPM_HOST(node)->conf_value(node), LPM_NONE);
    node = lpm_conf_next(node);
    assert_int_equal(LPM_HOST(node)->conf_value(node), LPM_DEFAULT);
    assert_null(lpm_conf_next(node));
    node = lpm_conf_child(root, "block");
    assert_int_equal(lpm_conf_arg_count(node), 2);
    assert_slice(lpm_conf_arg(node, 1), "y");
    assert_slice(lpm_conf_arg(node, 2), "");
    assert_int_equal(lpm_conf_value(node, "word", 0), 1);
    assert_string_equal(lpm_conf_string(node, "word", ""), "bb");
    assert_int_equal(lpm_conf_error(node, "bad %s", "thing"), LPM_ECONF);
    assert_string_equal(t.conf_error, "bad thing");
    lpm_test_fini(&t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(answers_with_the_data_and_its_type),
        TEST(default_type_is_octet_stream),
        TEST(type_that_no_answer_may_have_is_replaced),
        TEST(headers_on_request),
        TEST(second_answer_is_refused),
        TEST(answer_that_nobody_waits_for_is_dropped),
        TEST(fake_worker_is_like_the_real_one),
        TEST(headers_of_answers_are_checked),
        TEST(null_handles_are_refused),
        TEST(configuration_is_read_by_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
