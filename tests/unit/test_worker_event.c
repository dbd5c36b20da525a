/*
 * Events in a worker, with two modules in it and the test as the bus: what they emit and how replies find them, what they
 * hear, and how listening to the end delays it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/worker_event.h"
#include "worker/worker_host.h"
#include "worker/worker_life.h"
#include "worker/worker_request.h"

#define WAIT_MS 5000

enum { ONE, TWO, MODULES };

struct fixture {
    struct conf_pool conf;
    struct conf_core core;
    struct role_start start;
    struct loader_module loaded[MODULES];
    struct lpm_worker modules[MODULES];
    struct worker w;
    struct channel *bus;
};

static int hook_calls;
static bool hook_answers;

static void handle(lpm_request *req)
{
    hook_calls++;
    if (hook_answers) {
        lpm_ack(req);
    }
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error err;
    int fds[2];

    hook_calls = 0;
    hook_answers = false;
    f->conf.name = "default";
    f->core.pools = &f->conf;
    f->core.pool_count = 1;
    f->start.core = &f->core;
    log_init(&f->start.log, -1, 0, "worker");
    f->w.start = &f->start;
    f->w.log = &f->start.log;
    strcpy(f->w.name, "default/0");
    f->w.base = event_base_new();
    f->w.loader = (struct loader){f->loaded, MODULES};
    f->w.modules = f->modules;
    worker_request_init(&f->w);
    worker_event_init(&f->w);
    worker_host_init(&f->w);
    for (int i = 0; i < MODULES; i++) {
        f->loaded[i].module = (lpm_module){.name = i == ONE ? "one" : "two", .request = handle};
        f->modules[i] = (struct lpm_worker){.worker = &f->w,
                                            .module = &f->loaded[i].module,
                                            .here = true,
                                            .up = true,
                                            .ready = true,
                                            .owner = {f->w.log, &f->w.conf_error, f->loaded[i].module.name}};
        f->modules[i].handle = (lpm_handle){&f->w.host, &f->modules[i].owner};
    }
    assert_int_equal(channel_pair(fds, &err), 0);
    assert_int_equal(channel_new_bus(&f->bus, fds[0], &err), 0);
    assert_int_equal(channel_new_worker(&f->w.channel, fds[1], WAIT_MS, &err), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    worker_event_fini(&f->w);
    worker_request_free_all(&f->w);
    channel_free(f->w.channel);
    channel_free(f->bus);
    event_base_free(f->w.base);
    free(f);
    return 0;
}

/* Reads all that the worker has said to the bus; returns how many emits were in it. */
static size_t drain(struct fixture *f)
{
    struct channel_message message;
    struct frame frame;
    const char *why;
    size_t count = 0;

    while (channel_next(f->bus, &message, &why) == 1) {
        assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
        count += frame.type == FRAME_EMIT;
        channel_release(f->bus, &message);
    }
    return count;
}

/* -- Emits -------------------------------------------------------------------------------------------- */

struct reply {
    int calls, error;
    char data[32], text[80];
};

static void on_reply(lpm_response *res, void *arg)
{
    struct reply *reply = arg;
    lpm_slice data = lpm_response_data(res);
    lpm_header header;

    reply->calls++;
    reply->error = lpm_response_error(res);
    snprintf(reply->data, sizeof(reply->data), "%.*s", (int)data.len, data.data);
    snprintf(reply->text, sizeof(reply->text), "%s", lpm_response_error_text(res));
    assert_string_equal(lpm_response_id(res), "");
    assert_string_equal(lpm_response_worker(res), "default/0");
    assert_in_range(lpm_response_created_at(res), 1, UINT64_MAX);
    assert_true(lpm_response_created_at_wall(res) > lpm_response_created_at(res));
    assert_int_equal(lpm_response_queue_time(res), 0);
    assert_int_equal(lpm_response_service_time(res), 0);
    assert_int_equal(lpm_response_has_stream(res), 0);
    assert_int_equal(lpm_response_stream(res), LPM_EINVAL);
    assert_int_equal(lpm_response_header_at(res, 0, &header), 0);
    assert_int_equal(lpm_response_header(res, "none").len, 0);
}

static int reply(struct fixture *f, uint32_t seq, int error, const char *data)
{
    struct frame frame = {
        .type = FRAME_REPLY, .key = {0, seq}, .error = error, .headers = {"", 0}, .data = lpm_slice_of(data)};
    return worker_event_reply(&f->w, &frame);
}

static void an_emit_as_bytes(void **state)
{
    struct fixture *f = *state;
    struct channel_message message;
    struct frame frame;
    static struct reply r; /* some replies come with the end */
    const char *why;

    for (uint32_t seq = 1; seq <= 2; seq++) {
        assert_int_equal(
            lpm_worker_emit(&f->modules[ONE], "event", "data", 4, seq == 1 ? on_reply : NULL, &r), 0);
        assert_int_equal(channel_next(f->bus, &message, &why), 1);
        assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
        assert_int_equal(frame.type, FRAME_EMIT);
        assert_int_equal(frame.key.seq, seq);
        assert_int_equal(frame.flags, seq == 1 ? FRAME_WANTS_REPLY : 0);
        assert_true(lpm_slice_is(frame_header_find(frame.headers, FRAME_EVENT_NAME), "event"));
        assert_true(lpm_slice_is(frame.data, "data"));
        channel_release(f->bus, &message);
    }
    assert_int_equal(r.calls, 0);
}

/* In whatever order: each finds its own. */
static void replies(void **state)
{
    enum { COUNT = 3000 };
    struct fixture *f = *state;
    struct reply *r = calloc(COUNT, sizeof(*r));
    char text[16];

    assert_non_null(r);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(lpm_worker_emit(&f->modules[i % MODULES], "event", NULL, 0, on_reply, &r[i]), 0);
        drain(f);
    }
    for (uint32_t i = COUNT; i-- > 0;) {
        snprintf(text, sizeof(text), "%u", i);
        assert_int_equal(reply(f, i + 1, 0, text), 0);
        assert_string_equal(r[i].data, text);
        assert_int_equal(r[i].calls, 1);
        assert_string_equal(r[i].text, "");
    }
    assert_int_equal(f->w.emit_count, 0);
    assert_int_equal(reply(f, 1, 0, ""), LPM_EPROTO); /* a second time */
    assert_int_equal(reply(f, COUNT + 1, 0, ""), LPM_EPROTO);
    free(r);
}

static void errors_of_replies(void **state)
{
    static const int errors[] = {LPM_ENOHANDLER, LPM_EFULL, LPM_ENOMEM};
    struct fixture *f = *state;

    for (uint32_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct reply r = {0};
        assert_int_equal(lpm_worker_emit(&f->modules[ONE], "event", NULL, 0, on_reply, &r), 0);
        assert_int_equal(reply(f, i + 1, errors[i], ""), 0);
        assert_int_equal(r.error, errors[i]);
        assert_true(strlen(r.text) > 10);
    }
}

static void emits_that_are_refused(void **state)
{
    static const char *const own[] = {"SIGINT", "online", "childSpawned", "childExited", "", NULL};
    struct fixture *f = *state;
    lpm_worker *w = &f->modules[ONE];
    struct reply r = {0};
    char longest[66];

    memset(longest, 'n', 65);
    longest[65] = '\0';
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        assert_int_equal(lpm_worker_emit(w, own[i], NULL, 0, on_reply, &r), LPM_EINVAL);
    }
    assert_int_equal(lpm_worker_emit(NULL, "e", NULL, 0, on_reply, &r), LPM_EINVAL);
    assert_int_equal(lpm_worker_emit(w, longest, NULL, 0, on_reply, &r), LPM_EINVAL);
    assert_int_equal(lpm_worker_emit(w, "e", NULL, 1, on_reply, &r), LPM_EINVAL);
    assert_int_equal(lpm_worker_emit(w, "e", "", (size_t)2 << 30, on_reply, &r), LPM_ETOOBIG);
    assert_int_equal(drain(f), 0);
    assert_int_equal(f->w.emit_count, 0);
    assert_int_equal(lpm_worker_emit(w, longest + 1, NULL, 0, NULL, NULL), 0);
    assert_int_equal(r.calls, 0);
}

static void as_many_as_may_wait(void **state)
{
    struct fixture *f = *state;
    lpm_worker *w = &f->modules[ONE];
    static struct reply r; /* some replies come with the end */

    for (uint32_t i = 0; i < FRAME_EMITS_MAX; i++) {
        assert_int_equal(lpm_worker_emit(w, "e", NULL, 0, on_reply, &r), 0);
        if (i % 64 == 0) {
            drain(f); /* a full channel would be waited for */
        }
    }
    drain(f);
    assert_int_equal(lpm_worker_emit(w, "e", NULL, 0, on_reply, &r), LPM_EFULL);
    assert_int_equal(lpm_worker_emit(w, "e", NULL, 0, NULL, NULL), 0);
    r.calls = 0;
    assert_int_equal(reply(f, 77, 0, ""), 0);
    assert_int_equal(lpm_worker_emit(w, "e", NULL, 0, on_reply, &r), 0);
    assert_int_equal(r.calls, 1);
}

static void as_many_bytes_as_may_wait(void **state)
{
    enum { SIZE = 32 * 1024 * 1024 };
    struct fixture *f = *state;
    lpm_worker *w = &f->modules[ONE];
    static struct reply r; /* some replies come with the end */
    char *data = calloc(1, SIZE);

    assert_non_null(data);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lpm_worker_emit(w, "e", data, SIZE, on_reply, &r), 0);
        assert_int_equal(drain(f), 1);
    }
    assert_int_equal(lpm_worker_emit(w, "e", "", 0, on_reply, &r), LPM_EFULL);
    assert_int_equal(lpm_worker_emit(w, "e", data, SIZE, NULL, NULL), 0);
    assert_int_equal(reply(f, 2, 0, ""), 0);
    assert_int_equal(lpm_worker_emit(w, "e", "", 0, on_reply, &r), 0);
    free(data);
}

/* -- The end ------------------------------------------------------------------------------------------ */

static int emitted_at_the_end;

static void emit_again(lpm_response *res, void *arg)
{
    struct fixture *f = arg;
    assert_int_equal(lpm_response_error(res), LPM_ESHUTDOWN);
    emitted_at_the_end = lpm_worker_emit(&f->modules[ONE], "e", NULL, 0, emit_again, f);
}

struct told {
    struct fixture *f;
    int module; /* whose it is */
    int calls, rc;
};

static void emit_now(lpm_event *ev, void *arg)
{
    struct told *told = arg;
    assert_null(lpm_event_request(ev));
    told->calls++;
    told->rc = lpm_worker_emit(&told->f->modules[told->module], "e", NULL, 0, NULL, NULL);
}

static void hard_kill(void **state)
{
    struct fixture *f = *state;
    struct told one = {f, ONE, 0, 1}, two = {f, TWO, 0, 1};

    lpm_worker_on(&f->modules[ONE], "hardKill", emit_now, &one);
    lpm_worker_on(&f->modules[TWO], "hardKill", emit_now, &two);
    f->modules[TWO].up = false; /* its worker_init has refused */
    assert_int_equal(lpm_worker_emit(&f->modules[ONE], "e", NULL, 0, emit_again, f), 0);
    worker_life_hard_kill(&f->w);
    assert_true(f->w.over);
    assert_int_equal(one.calls, 1);
    assert_int_equal(one.rc, LPM_ESHUTDOWN);
    assert_int_equal(two.calls, 0);
    emitted_at_the_end = 0;
    worker_event_fini(&f->w);
    assert_int_equal(emitted_at_the_end, LPM_ESHUTDOWN);
    assert_int_equal(drain(f), 1);
}

static void count_it(lpm_event *ev, void *arg)
{
    (void)ev;
    ((struct told *)arg)->calls++;
}

static void done_now(lpm_event *ev, void *arg)
{
    struct told *told = arg;
    (void)ev;
    told->calls++;
    told->rc = lpm_worker_soft_kill_done(&told->f->modules[told->module]);
}

/* One that is done at once does not end the process of the other. */
static void soft_kill_waits_for_all(void **state)
{
    struct fixture *f = *state;
    struct told one = {f, ONE, 0, 1}, two = {f, TWO, 0, 1};

    assert_int_equal(lpm_worker_soft_kill_done(&f->modules[TWO]), LPM_EROLE);
    lpm_worker_on(&f->modules[ONE], "softKill", done_now, &one);
    lpm_worker_on(&f->modules[TWO], "softKill", count_it, &two);
    worker_life_soft_kill(&f->w);
    assert_int_equal(one.rc, 0);
    assert_int_equal(two.calls, 1);
    assert_false(f->w.over);
    assert_int_equal(lpm_worker_soft_kill_done(&f->modules[ONE]), LPM_EDONE);
    assert_int_equal(lpm_worker_emit(&f->modules[TWO], "e", NULL, 0, NULL, NULL),
                     0); /* only hard kill ends that */
    assert_false(f->w.over);
    assert_int_equal(lpm_worker_soft_kill_done(&f->modules[TWO]), 0);
    assert_true(f->w.over);
}

static void take_the_others_ear(lpm_event *ev, void *arg)
{
    struct told *told = arg;
    (void)ev;
    lpm_worker_off(&told->f->modules[TWO], "softKill", count_it, told);
    lpm_worker_soft_kill_done(&told->f->modules[ONE]);
}

static void soft_kill_waits_for_nobody_who_was_not_told(void **state)
{
    struct fixture *f = *state;
    struct told told = {f, ONE, 0, 1};

    lpm_worker_on(&f->modules[ONE], "softKill", take_the_others_ear, &told);
    lpm_worker_on(&f->modules[TWO], "softKill", count_it, &told);
    worker_life_soft_kill(&f->w);
    assert_int_equal(told.calls, 0);
    assert_true(f->w.over);
}

static void soft_kill_without_listeners(void **state)
{
    struct fixture *f = *state;
    struct told told = {f, ONE, 0, 1};

    lpm_worker_on(&f->modules[ONE], "softKill", count_it, &told);
    lpm_worker_off(&f->modules[ONE], "softKill", count_it, &told);
    worker_life_soft_kill(&f->w);
    assert_int_equal(told.calls, 0);
    assert_true(f->w.over);
}

/* -- What is heard ------------------------------------------------------------------------------------ */

static void broadcast(struct fixture *f, const char *event, const char *data, int fd)
{
    char headers[64];
    struct frame frame = {.type = FRAME_EVENT, .data = lpm_slice_of(data)};
    char *end = frame_header_encode(headers, lpm_slice_of(FRAME_EVENT_NAME), lpm_slice_of(event));

    frame.headers = (lpm_slice){headers, (size_t)(end - headers)};
    worker_event_broadcast(&f->w, &frame, fd);
}

struct heard {
    int calls, fd;
};

static void take_fd(lpm_event *ev, void *arg)
{
    struct heard *heard = arg;
    lpm_health health;

    heard->calls++;
    heard->fd = lpm_event_fd(ev);
    assert_string_equal(lpm_event_name(ev), "note");
    assert_true(lpm_slice_is(lpm_event_data(ev), "data"));
    assert_null(lpm_event_request(ev));
    assert_int_equal(lpm_event_worker(ev, &health), LPM_EINVAL);
}

static int some_fd(void)
{
    int fd = open("/dev/null", O_RDONLY);
    assert_true(fd >= 0);
    return fd;
}

static void broadcasts_with_descriptors(void **state)
{
    struct fixture *f = *state;
    struct heard one = {0, 0}, two = {0, 0};
    int fd = some_fd(), other = some_fd();

    broadcast(f, "note", "data", fd); /* nobody takes it */
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    lpm_worker_on(&f->modules[ONE], "note", take_fd, &one);
    lpm_worker_once(&f->modules[TWO], "note", take_fd, &two);
    broadcast(f, "note", "data", other);
    assert_int_equal(one.fd, other);
    assert_int_equal(two.fd, LPM_EDONE);
    assert_int_equal(close(other), 0);
    broadcast(f, "note", "data", -1);
    broadcast(f, "other", "data", -1);
    assert_int_equal(one.fd, LPM_EINVAL);
    assert_int_equal(one.calls, 2);
    assert_int_equal(two.calls, 1);
}

static void ack_it(lpm_event *ev, void *arg)
{
    *(int *)arg += 1;
    assert_int_equal(lpm_event_data(ev).len, 0);
    assert_non_null(lpm_event_request(ev));
    lpm_ack(lpm_event_request(ev));
}

/* The bus sends request `seq` to module ONE. */
static void run_request(struct fixture *f, uint32_t seq)
{
    struct frame frame = {.type = FRAME_REQUEST,
                          .key = {seq, seq},
                          .id = "00000000-0000-4000-8000-000000000000",
                          .headers = {"", 0},
                          .data = {"", 0}};
    struct channel_message message;
    const char *why;
    int code;
    char *room = channel_reserve(f->bus, frame_size(&frame), &code);

    assert_non_null(room);
    frame_encode(&frame, room);
    channel_commit(f->bus);
    assert_int_equal(channel_flush(f->bus), 0);
    assert_int_equal(channel_next(f->w.channel, &message, &why), 1);
    assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
    assert_int_equal(worker_request_run(&f->w, &message, &frame), 0);
}

static void requests(void **state)
{
    struct fixture *f = *state;
    int one = 0, two = 0;

    lpm_worker_on(&f->modules[ONE], "request", ack_it, &one);
    lpm_worker_on(&f->modules[TWO], "request", ack_it, &two);
    run_request(f, 1);
    assert_int_equal(hook_calls, 1);
    assert_int_equal(one, 1);
    assert_int_equal(f->w.open_count, 0);
    hook_answers = true; /* then there is none any more to tell of */
    run_request(f, 2);
    assert_int_equal(hook_calls, 2);
    assert_int_equal(one, 1);
    assert_int_equal(two, 0); /* it was the other module's */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_emit_as_bytes),
        TEST(replies),
        TEST(errors_of_replies),
        TEST(emits_that_are_refused),
        TEST(as_many_as_may_wait),
        TEST(as_many_bytes_as_may_wait),
        TEST(hard_kill),
        TEST(soft_kill_waits_for_all),
        TEST(soft_kill_waits_for_nobody_who_was_not_told),
        TEST(soft_kill_without_listeners),
        TEST(broadcasts_with_descriptors),
        TEST(requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
