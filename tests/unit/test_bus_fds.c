/*
 * Descriptors in the bus: they reach the worker with their request, are kept until that has started, go to the next worker
 * only if it has not, and are closed on every other way; what comes with answers is held to what it says of itself.
 */
#include "bus_fixture.h"

#include "bus/bus_ctl.h"
#include "ipc/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A pair of which lpm gets one end, and the test sees by the other whether any copy of that is left. */
struct end {
    int given, kept;
};

static struct end end_make(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    return (struct end){fds[0], fds[1]};
}

static bool end_is_open(const struct end *end)
{
    char byte;
    ssize_t n = recv(end->kept, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static void end_gone(struct end *end)
{
    assert_false(end_is_open(end));
    close(end->kept);
}

static lpm_enqueue spec_with(struct fixture *f, int stream, int socket)
{
    return (lpm_enqueue){.size = sizeof(lpm_enqueue),
                         .handler = &f->handler,
                         .timeout = LPM_NONE,
                         .retries = 5,
                         .stream = stream,
                         .socket = socket};
}

static void put_with(struct fixture *f, struct outcome *o, int stream, int socket)
{
    lpm_enqueue spec = spec_with(f, stream, socket);
    *o = (struct outcome){.error = NOT_CALLED};
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, o), 0);
    turn(f);
}

/* What the worker gets: its descriptors, in order; -1: none. */
static struct frame_key take_request(struct fixture *f, unsigned flags, int fds[2])
{
    struct channel_message message;
    struct frame frame;
    const char *why;

    assert_int_equal(channel_next(f->channel, &message, &why), 1);
    assert_int_equal(frame_decode(&frame, message.data, message.len, &why), 0);
    assert_int_equal(frame.type, FRAME_REQUEST);
    assert_int_equal(frame.flags, flags);
    fds[0] = fds[1] = -1;
    for (unsigned i = 0; i < message.fd_count; i++) {
        fds[i] = message.fds[i];
        message.fds[i] = -1;
    }
    channel_release(f->channel, &message);
    return frame.key;
}

static void both_reach_the_worker(void **state)
{
    struct fixture *f = fixture_new();
    struct end stream = end_make(), socket = end_make();
    struct outcome o;
    struct frame_key key;
    int fds[2];
    char byte;

    (void)state;
    start_ready_worker(f);
    put_with(f, &o, stream.given, socket.given);
    key = take_request(f, FRAME_STREAM | FRAME_SOCKET, fds);
    assert_int_equal(write(stream.kept, "s", 1), 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(write(socket.kept, "c", 1), 1);
    assert_int_equal(read(fds[1], &byte, 1), 1);
    assert_int_equal(byte, 'c');
    assert_int_equal(f->bus.pools->dispatch.loads[0].sockets, 1);
    /* Not started: the bus keeps its own, whatever the worker does. */
    close(fds[0]);
    close(fds[1]);
    turn(f);
    assert_true(end_is_open(&stream));
    assert_true(end_is_open(&socket));
    begin(f, key);
    turn(f);
    end_gone(&stream);
    end_gone(&socket);
    answer(f, key, "");
    turn(f);
    assert_int_equal(o.error, 0);
    assert_int_equal(worker(f)->held, 0);
    fixture_free(f);
}

static void one_that_had_not_started_goes_on(void **state)
{
    struct fixture *f = fixture_new();
    struct end stream = end_make();
    struct outcome o;
    struct frame_key key;
    int fds[2];
    char byte;

    (void)state;
    start_ready_worker(f);
    put_with(f, &o, stream.given, 0);
    take_request(f, FRAME_STREAM, fds);
    close(fds[0]);
    die(f);
    reap(f);
    assert_int_equal(o.calls, 0);
    start_ready_worker(f);
    key = take_request(f, FRAME_STREAM, fds);
    assert_int_equal(write(stream.kept, "s", 1), 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    begin(f, key);
    answer(f, key, "");
    turn(f);
    assert_int_equal(o.error, 0);
    end_gone(&stream);
    fixture_free(f);
}

static void one_that_had_started_is_over(void **state)
{
    struct fixture *f = fixture_new();
    struct end socket = end_make();
    struct outcome o;
    int fds[2];

    (void)state;
    start_ready_worker(f);
    put_with(f, &o, 0, socket.given);
    begin(f, take_request(f, FRAME_SOCKET, fds));
    close(fds[0]);
    die(f); /* the bus may not even have seen that it started */
    assert_int_equal(o.error, LPM_EWORKER);
    assert_int_equal(f->bus.pools->dispatch.loads[0].sockets, 0);
    end_gone(&socket);
    reap(f);
    fixture_free(f);
}

/* In the queue, by its deadline, by its age, by cancel; and at the end of the bus. */
static void closed_on_every_way_out(void **state)
{
    struct fixture *f = fixture_new();
    struct end ends[4];
    struct outcome o;
    uint64_t ticket;
    lpm_enqueue spec;

    (void)state;
    for (int i = 0; i < 4; i++) {
        ends[i] = end_make();
    }
    spec = spec_with(f, ends[0].given, 0);
    spec.timeout = 0;
    o = (struct outcome){.error = NOT_CALLED};
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), 0);
    turn_until(f, &o.error, LPM_ETIMEDOUT);
    end_gone(&ends[0]);
    spec = spec_with(f, 0, ends[1].given);
    spec.ticket = &ticket;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), 0);
    assert_int_equal(lpm_supervisor_cancel(&f->supervisor, ticket), 0);
    end_gone(&ends[1]);
    put_with(f, &o, ends[2].given, 0);
    bus_pool_refuse_all(f->bus.pools, LPM_ENOWORKER, "");
    end_gone(&ends[2]);
    put_with(f, &o, ends[3].given, 0);
    fixture_free(f);
    end_gone(&ends[3]);
}

/* One that a worker has and has not started is not kept for another when nobody waits for it any more. */
static void given_up_in_the_worker(void **state)
{
    struct fixture *f = fixture_new();
    struct end ends[2] = {end_make(), end_make()};
    struct outcome o = {.error = NOT_CALLED};
    uint64_t ticket;
    lpm_enqueue spec = spec_with(f, ends[0].given, 0);
    struct frame_key key;
    int fds[2];

    (void)state;
    start_ready_worker(f);
    spec.ticket = &ticket;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), 0);
    turn(f);
    key = take_request(f, FRAME_STREAM, fds);
    close(fds[0]);
    assert_int_equal(lpm_supervisor_cancel(&f->supervisor, ticket), 0);
    end_gone(&ends[0]);
    assert_int_equal(worker(f)->held, 0);
    begin(f, key);
    answer_and_return(f, key, "");
    channel_show_running(f->channel, 0);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_CANCEL);
    spec = spec_with(f, 0, ends[1].given);
    spec.timeout = 30;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), 0);
    turn(f);
    turn_until(f, &o.error, LPM_ETIMEDOUT);
    take_request(f, FRAME_SOCKET, fds);
    close(fds[0]);
    end_gone(&ends[1]);
    assert_int_equal(worker(f)->held, 0);
    fixture_free(f);
}

static void what_is_refused_stays_the_callers(void **state)
{
    struct fixture *f = fixture_new();
    struct end end = end_make();
    struct outcome o = {0};
    struct {
        int stream, socket;
    } bad[] = {{-1, 0}, {0, -1}, {9999, 0}, {0, 9999}, {end.given, end.given}, {end.given, 9999}};
    lpm_enqueue spec;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        spec = spec_with(f, bad[i].stream, bad[i].socket);
        assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), LPM_EINVAL);
    }
    assert_int_equal(lpm_supervisor_broadcast(&f->supervisor, NULL, "e", "", 0, 9999), LPM_EINVAL);
    /* The fields do not exist for a module of 1.0, whatever lies behind its end. */
    spec = spec_with(f, end.given, end.given);
    spec.size = offsetof(lpm_enqueue, stream);
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, &o), 0);
    assert_true(end_is_open(&end));
    fixture_free(f);
    assert_true(end_is_open(&end));
    close(end.given);
    close(end.kept);
}

/* -- Answers ------------------------------------------------------------------------------------------ */

struct streamed {
    int calls, has, fd, again;
    bool take;
};

static void on_streamed(lpm_response *res, void *arg)
{
    struct streamed *s = arg;

    s->calls++;
    s->has = lpm_response_has_stream(res);
    s->fd = s->take ? lpm_response_stream(res) : -1;
    s->again = s->take ? lpm_response_stream(res) : 0;
}

static void put_streamed(struct fixture *f, struct streamed *s, bool take)
{
    lpm_enqueue spec = spec_with(f, 0, 0);

    *s = (struct streamed){.take = take, .fd = -1};
    spec.retries = 0;
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_streamed, s), 0);
    turn(f);
}

/* The worker answers with `fds` and says `flags` of them. */
static void answer_with(struct fixture *f, unsigned flags, const int *fds, unsigned count)
{
    struct frame frame = {.type = FRAME_RESPONSE, .flags = (uint8_t)flags};
    int code;
    char *room;

    assert_int_equal(hear(f, &frame.key), FRAME_REQUEST);
    begin(f, frame.key);
    room = channel_reserve_with(f->channel, frame_size(&frame), fds, count, &code);
    assert_non_null(room);
    frame_encode(&frame, room);
    channel_show_running(f->channel, 0); /* as answer_and_return() does */
    channel_commit(f->channel);
    assert_int_equal(channel_flush(f->channel), 0);
    channel_show_running(f->channel, 0);
    turn(f);
}

static void an_answer_brings_a_stream(void **state)
{
    struct fixture *f = fixture_new();
    struct end end;
    struct streamed s;
    int fds[2];

    (void)state;
    start_ready_worker(f);
    put_streamed(f, &s, true);
    assert_int_equal(pipe(fds), 0);
    answer_with(f, FRAME_STREAM, fds, 1);
    assert_int_equal(s.has, 1);
    assert_true(s.fd >= 0);
    assert_int_equal(s.again, LPM_EDONE);
    /* Whatever the worker does with its own, reading does not block the bus. */
    assert_int_equal(fcntl(fds[0], F_SETFL, 0), 0);
    assert_true((fcntl(s.fd, F_GETFL) & O_NONBLOCK) != 0);
    close(s.fd);
    close(fds[0]);
    close(fds[1]);
    put_streamed(f, &s, false);
    end = end_make();
    answer_with(f, FRAME_STREAM, &end.given, 1);
    close(end.given);
    assert_int_equal(s.has, 1);
    end_gone(&end);
    put_streamed(f, &s, true);
    answer_with(f, 0, NULL, 0);
    assert_int_equal(s.has, 0);
    assert_int_equal(s.fd, LPM_EINVAL);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    fixture_free(f);
}

static void liars(void **state)
{
    static const struct {
        unsigned flags, count;
        bool file;
    } lies[] = {{FRAME_STREAM, 0, false}, {0, 1, false}, {FRAME_STREAM, 2, false}, {FRAME_STREAM, 1, true}};

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct fixture *f = fixture_new();
        struct streamed s;
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        if (lies[i].file) {
            close(fds[0]);
            fds[0] = open("file", O_RDWR | O_CREAT, 0600);
            assert_true(fds[0] >= 0);
        }
        start_ready_worker(f);
        put_streamed(f, &s, true);
        answer_with(f, lies[i].flags, fds, lies[i].count);
        assert_int_equal(s.calls, 1);
        assert_int_equal(s.has, 0);
        assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
        assert_int_equal(master_hears(f), CONTROL_WORKER_KILL);
        close(fds[0]);
        close(fds[1]);
        fixture_free(f);
    }
}

/* -- Without descriptors ------------------------------------------------------------------------------- */

static struct rlimit take_descriptors(void)
{
    struct rlimit old, none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return old;
}

/* valgrind keeps the limit itself, and holds only some calls to it. */
static bool limit_holds(void)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0) {
        close(fds[0]);
        close(fds[1]);
        return false;
    }
    return true;
}

/* It waits, whatever else happens, and is sent without a further event when there are some again. */
static void a_request_waits_for_descriptors(void **state)
{
    struct fixture *f = fixture_new();
    struct end socket = end_make();
    struct outcome o;
    struct frame_key key;
    struct rlimit old;

    (void)state;
    start_ready_worker(f);
    old = take_descriptors();
    put_with(f, &o, 0, socket.given);
    assert_int_equal(hear(f, &key), FRAME_TYPE_END);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    wait_to_hear(f, FRAME_REQUEST, &key);
    assert_int_equal(o.calls, 0);
    fixture_free(f);
    end_gone(&socket);
}

static void put_bytes(struct fixture *f, struct outcome *o, size_t len)
{
    lpm_enqueue spec = spec_with(f, 0, 0);

    spec.data = calloc(1, len);
    spec.len = len;
    assert_non_null(spec.data);
    *o = (struct outcome){.error = NOT_CALLED};
    assert_int_equal(lpm_supervisor_enqueue(&f->supervisor, &spec, on_response, o), 0);
    free((void *)(uintptr_t)spec.data);
}

static void is_answered(struct fixture *f, struct outcome *o)
{
    struct frame_key key;

    wait_to_hear(f, FRAME_REQUEST, &key);
    begin(f, key);
    answer_and_return(f, key, "pong");
    turn_until(f, &o->calls, 1);
    assert_int_equal(o->error, 0);
}

/* Small ones pass it, events too; what it waits for comes to those that wait in their order. */
static void only_they_wait_for_descriptors(void **state)
{
    struct fixture *f = fixture_with(1);
    struct end socket = end_make();
    struct outcome large, with_socket, small[3];
    struct frame_key key;
    struct rlimit old;

    (void)state;
    start_ready_worker(f);
    old = take_descriptors();
    put_bytes(f, &large, 2 * CHANNEL_INLINE_MAX);
    put_with(f, &with_socket, 0, socket.given);
    for (int i = 0; i < 3; i++) {
        put_bytes(f, &small[i], 10);
        is_answered(f, &small[i]);
    }
    assert_int_equal(lpm_supervisor_broadcast(&f->supervisor, NULL, "e", "", 0, 0), 1);
    turn(f);
    assert_int_equal(hear(f, &key), FRAME_EVENT);
    assert_int_equal(f->bus.pools->queue.sum.count, 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    is_answered(f, &large);
    assert_int_equal(with_socket.calls, 0);
    is_answered(f, &with_socket);
    fixture_free(f);
    end_gone(&socket);
}

/* An event that waits for memory lets requests pass, but no other event. */
static void an_event_waits_for_descriptors(void **state)
{
    struct fixture *f = fixture_new();
    void *data = calloc(2, CHANNEL_INLINE_MAX);
    struct outcome o;
    struct frame_key key;
    struct rlimit old;

    (void)state;
    start_ready_worker(f);
    old = take_descriptors();
    assert_int_equal(lpm_supervisor_broadcast(&f->supervisor, NULL, "e", data, 2 * CHANNEL_INLINE_MAX, 0), 1);
    assert_int_equal(lpm_supervisor_broadcast(&f->supervisor, NULL, "e", "", 0, 0), 1);
    put_bytes(f, &o, 10);
    is_answered(f, &o);
    assert_int_equal(hear(f, &key), FRAME_TYPE_END);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    wait_to_hear(f, FRAME_EVENT, &key);
    wait_to_hear(f, FRAME_EVENT, &key);
    free(data);
    fixture_free(f);
}

static void an_answer_without_its_stream(void **state)
{
    struct fixture *f = fixture_new();
    struct end end = end_make();
    struct streamed s;
    struct frame frame = {.type = FRAME_RESPONSE, .flags = FRAME_STREAM};
    struct rlimit old;
    bool holds;
    int code;
    char *room;

    (void)state;
    start_ready_worker(f);
    put_streamed(f, &s, true);
    assert_int_equal(hear(f, &frame.key), FRAME_REQUEST);
    begin(f, frame.key);
    room = channel_reserve_with(f->channel, frame_size(&frame), &end.given, 1, &code);
    assert_non_null(room);
    frame_encode(&frame, room);
    channel_commit(f->channel);
    assert_int_equal(channel_flush(f->channel), 0);
    close(end.given);
    old = take_descriptors();
    holds = limit_holds();
    turn(f);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(s.has, 1);
    if (holds) {
        assert_int_equal(s.fd, LPM_EIO);
    } else {
        close(s.fd);
    }
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    end_gone(&end);
    fixture_free(f);
}

/* What the master sends does not get through, and the bus goes on without: a worker that it cannot talk to is killed. */
static void the_masters_messages_come_without(void **state)
{
    static const uint32_t types[] = {CONTROL_SUCCESSOR, CONTROL_PREDECESSOR, CONTROL_LOG, CONTROL_WORKER_NEW};
    struct fixture *f = fixture_new();
    struct rlimit old = take_descriptors();
    bool holds = limit_holds();

    (void)state;
    for (size_t i = 0; holds && i < sizeof(types) / sizeof(types[0]); i++) {
        struct control message = {.type = types[i], .incarnation = ++f->incarnation, .pid = getpid()};
        assert_int_equal(control_send(f->master, &message, f->master), 0);
        turn(f);
        assert_false(f->bus.over);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    if (holds) {
        assert_int_equal(f->bus.successor, -1);
        assert_true(list_empty(&f->bus.predecessors));
        assert_int_equal(f->bus.reopen_failed, 1);
        assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
        assert_int_equal(master_hears(f), CONTROL_WORKER_KILL);
        reap(f);
    }
    start_ready_worker(f);
    fixture_free(f);
}

struct taken {
    int count;
    uint32_t step;
};

static void on_take_over(lpm_supervisor *s, int fd, lpm_slice data, void *arg)
{
    struct taken *taken = arg;

    (void)data;
    taken->step = *s->bus->start->step;
    taken->count++;
    close(fd);
}

/* Connections of the bus before wait in their channel until there is a descriptor for each. */
static void connections_wait_for_descriptors(void **state)
{
    struct fixture *f = fixture_new();
    struct handover message = {.module = "m"};
    struct taken taken = {0};
    role_step_word step = 0;
    struct end end = end_make();
    struct rlimit old;
    struct error err;
    int fds[2];

    (void)state;
    f->bus.loader.count = 1;
    f->start.step = &step;
    lpm_supervisor_take_over(&f->supervisor, on_take_over, &taken);
    assert_int_equal(handover_pair(fds, &err), 0);
    bus_handover_predecessor(&f->bus, fds[1]);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(handover_send(fds[0], &message, end.given), 0);
    }
    close(end.given);
    old = take_descriptors();
    if (limit_holds()) {
        turn(f);
        assert_int_equal(taken.count, 0);
        assert_true(end_is_open(&end));
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    turn_until(f, &taken.count, 3);
    assert_int_equal(taken.step, ROLE_STEP_TAKE_OVER << 16);
    assert_int_equal(step, ROLE_STEP_NONE);
    end_gone(&end);
    close(fds[0]);
    turn(f);
    assert_true(list_empty(&f->bus.predecessors));
    f->bus.loader.count = 0;
    fixture_free(f);
}

/* Somebody knocks at the control socket, and the loop does not spin because he cannot be let in. */
static void a_command_waits_for_descriptors(void **state)
{
    struct fixture *f = fixture_new();
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "control"};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
    uint64_t end = clock_now() + 50 * CLOCK_NS_PER_MS;
    struct rlimit old;
    bool holds;
    int turns = 0;
    char answer[2];

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    list_init(&f->bus.ctl_clients);
    f->bus.starter = getuid();
    f->core.control_fd = listener;
    assert_int_equal(bus_ctl_init(&f->bus), 0);
    bus_ctl_open(&f->bus);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, "no command\n", 11), 11);
    old = take_descriptors();
    holds = limit_holds();
    for (; holds && clock_now() < end; turns++) {
        struct timeval tick = {0, 20000};
        event_base_loopexit(f->bus.base, &tick);
        event_base_loop(f->bus.base, EVLOOP_ONCE);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_true(turns < 10);
    while (recv(fd, answer, 2, MSG_DONTWAIT) < 0) {
        event_base_loop(f->bus.base, EVLOOP_ONCE);
    }
    assert_memory_equal(answer, "{\"", 2);
    close(fd);
    bus_ctl_close(&f->bus);
    bus_ctl_fini(&f->bus);
    fixture_free(f);
}

/* -- Sockets are counted ------------------------------------------------------------------------------ */

static void sockets_are_counted(void **state)
{
    struct fixture *f = fixture_new();
    struct outcome o;
    int fds[2];

    (void)state;
    start_ready_worker(f);
    for (int i = 0; i < 2; i++) {
        struct end socket = end_make();
        struct frame_key key;
        put_with(f, &o, 0, socket.given);
        key = take_request(f, FRAME_SOCKET, fds);
        begin(f, key);
        answer(f, key, ""); /* the answer is not the end of the socket */
        channel_show_running(f->channel, 0);
        turn(f);
        close(fds[0]);
        end_gone(&socket);
    }
    assert_int_equal(f->bus.pools->dispatch.loads[0].sockets, 2);
    say_type(f, FRAME_SOCKET_CLOSED);
    say_type(f, FRAME_SOCKET_CLOSED);
    turn(f);
    assert_int_equal(f->bus.pools->dispatch.loads[0].sockets, 0);
    assert_int_equal(worker(f)->state, BUS_WORKER_SERVING);
    say_type(f, FRAME_SOCKET_CLOSED);
    turn(f);
    assert_int_equal(worker(f)->state, BUS_WORKER_GONE);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_reach_the_worker),
        cmocka_unit_test(one_that_had_not_started_goes_on),
        cmocka_unit_test(one_that_had_started_is_over),
        cmocka_unit_test(closed_on_every_way_out),
        cmocka_unit_test(given_up_in_the_worker),
        cmocka_unit_test(what_is_refused_stays_the_callers),
        cmocka_unit_test(an_answer_brings_a_stream),
        cmocka_unit_test(liars),
        cmocka_unit_test(a_request_waits_for_descriptors),
        cmocka_unit_test(only_they_wait_for_descriptors),
        cmocka_unit_test(an_event_waits_for_descriptors),
        cmocka_unit_test(an_answer_without_its_stream),
        cmocka_unit_test(the_masters_messages_come_without),
        cmocka_unit_test(connections_wait_for_descriptors),
        cmocka_unit_test(a_command_waits_for_descriptors),
        cmocka_unit_test(sockets_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
