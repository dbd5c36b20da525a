/*
 * Bodies that reach the handler as streams, and answers that are streams, over real sockets, with a bus that the test plays.
 */
#include "test_http_host.h"

#include <sys/resource.h>

#define ROOM        (8u << 20)
#define STREAMED    "max_body_size 64m ; location / { handler echo ; }"
#define HEAD(extra) "POST /up HTTP/1.1\r\nHost: a\r\n" extra "\r\n"
#define CHUNKED     HEAD("Transfer-Encoding: chunked\r\n")

static struct client a;
static char sent[ROOM], got[ROOM];

static int start(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROOM; i++) {
        sent[i] = (char)(i * 2654435761u >> 13);
    }
    return 0;
}

static void serve_streams(const char *directives)
{
    serve_minor(directives, 1);
    host.hold = true;
    client_open(&a);
}

/* As many open files are allowed as leave `files` to connections and their streams. */
static void serve_with_files(rlim_t files)
{
    struct rlimit old, low;

    serve_minor(STREAMED, 1);
    hard_kill();
    conf_set("http { listen x ; " STREAMED " }");
    host.hold = true;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 2 * files;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(lpm_module_v1.supervisor_init(&host.supervisor), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    lpm_module_v1.supervisor_online(&host.supervisor);
    client_open(&a);
}

static struct taken *the_request(size_t i)
{
    PUMP_UNTIL(host.taken_count == i + 1);
    assert_true(host.taken[i].stream > 0);
    assert_int_equal(host.taken[i].len, 0);
    return &host.taken[i];
}

/* Reads `fd` until `max` bytes are there, or its end, which `*end` tells: 0, or errno. */
static size_t take(int fd, size_t max, int *end)
{
    size_t len = 0;
    double until = seconds() + WAIT_S;

    *end = -1;
    while (len < max && *end < 0) {
        ssize_t n = recv(fd, got + len, max - len, MSG_DONTWAIT);
        if (n > 0) {
            len += (size_t)n;
        } else if (n == 0 || errno != EAGAIN) {
            *end = n == 0 ? 0 : errno;
        }
        event_base_loop(host.base, EVLOOP_NONBLOCK);
        assert_true(seconds() < until);
    }
    return len;
}

static void check_all(int fd, size_t len)
{
    int end;

    assert_int_equal(take(fd, ROOM, &end), len);
    assert_int_equal(end, 0);
    assert_memory_equal(got, sent, len);
    close(fd);
}

static void check_aborted(int fd)
{
    int end;

    take(fd, ROOM, &end);
    assert_int_equal(end, ECONNRESET);
    close(fd);
}

/* Sends and receives at once: a stream of `len` bytes, in pieces of `piece`. */
static void pass(int fd, const char *before, size_t len, size_t piece, bool chunked)
{
    size_t at = 0, taken = 0;
    char size[32];

    client_send(&a, before);
    while (at < len || taken < len) {
        size_t n = len - at < piece ? len - at : piece;
        ssize_t m;
        if (n > 0 && taken + (1u << 18) > at) {
            if (chunked) {
                snprintf(size, sizeof(size), "%zx\r\n", n);
                client_send(&a, size);
            }
            client_send_bytes(&a, sent + at, n);
            client_send(&a, chunked ? "\r\n" : "");
            at += n;
        }
        m = recv(fd, got + taken, ROOM - taken, MSG_DONTWAIT);
        taken += m > 0 ? (size_t)m : 0;
        event_base_loop(host.base, EVLOOP_NONBLOCK);
    }
    client_send(&a, chunked ? "0\r\n\r\n" : "");
    assert_memory_equal(got, sent, len);
}

static void answer_and_go_on(size_t i)
{
    a.len = 0;
    answer_text(i, "stored");
    PUMP_UNTIL(client_has(&a, "stored"));
    assert_null(strstr(a.got, "Connection: close"));
}

/* What is handed whole, and what is not. */
static void test_which(void **state)
{
    static const struct {
        const char *conf;
        int minor;
        size_t len; /* 0: chunked, three bytes */
        bool streamed;
    } cases[] = {
        {STREAMED, 1, 65536, false},
        {STREAMED, 1, 65537, true},
        {STREAMED, 1, 0, true},
        {STREAMED, 0, 65537, false}, /* a module of ABI 1.0 sees no stream */
        {STREAMED, 0, 0, false},
        {"body_buffer 10 ; " STREAMED, 1, 10, false},
        {"body_buffer 10 ; " STREAMED, 1, 11, true},
        {"body_buffer 10 ; location / { handler echo ; body_buffer 20 ; }", 1, 11, false},
        {"body_buffer 0 ; " STREAMED, 1, 1, true},
        {"max_body_size 100 ; body_buffer 100 ; location / { handler echo ; }", 1, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char head[128];
        serve_minor(cases[i].conf, cases[i].minor);
        host.hold = true;
        client_open(&a);
        snprintf(head, sizeof(head), HEAD("Content-Length: %zu\r\n"), cases[i].len);
        client_send(&a, cases[i].len > 0 ? head : CHUNKED "3\r\nabc\r\n0\r\n\r\n");
        client_send_bytes(&a, sent, cases[i].len);
        PUMP_UNTIL(host.taken_count == 1);
        assert_true((host.taken[0].stream > 0) == cases[i].streamed);
        if (cases[i].streamed && cases[i].len > 0) {
            check_all(host.taken[0].stream, cases[i].len);
        } else if (cases[i].streamed) {
            int end;
            assert_int_equal(take(host.taken[0].stream, ROOM, &end), 3);
            assert_memory_equal(got, "abc", 3);
            close(host.taken[0].stream);
        } else {
            assert_int_equal(host.taken[0].len, cases[i].len > 0 ? cases[i].len : 3);
        }
        answer_and_go_on(0);
        client_close(&a);
        stop();
    }
}

/* Small and large pieces, of known and of unknown length; the connection stays for the next. */
static void test_whole(void **state)
{
    static const size_t pieces[] = {700, 16000, 300000};
    size_t n = 0, len = 3000000;
    char head[128];
    int end;

    (void)state;
    serve_streams(STREAMED);
    snprintf(head, sizeof(head), HEAD("Content-Length: %zu\r\n"), len);
    for (int chunked = 0; chunked < 2; chunked++) {
        for (size_t i = 0; i < 3; i++, n++) {
            struct taken *t;
            client_send(&a, chunked ? CHUNKED : head);
            t = the_request(n);
            pass(t->stream, "", len, pieces[i], chunked);
            assert_int_equal(take(t->stream, 1, &end), 0);
            assert_int_equal(end, 0);
            close(t->stream);
            answer_and_go_on(n);
        }
    }
    /* and a body that is whole, behind one that was not, sent ahead */
    a.len = 0;
    client_send(&a, CHUNKED "3\r\nabc\r\n0\r\n\r\n" HEAD("Content-Length: 2\r\n") "hi");
    assert_int_equal(take(the_request(n)->stream, ROOM, &end), 3);
    close(host.taken[n].stream);
    answer_text(n, "one");
    PUMP_UNTIL(host.taken_count == n + 2);
    assert_string_equal(host.taken[n + 1].data, "hi");
    answer_text(n + 1, "two");
    PUMP_UNTIL(client_has(&a, "two"));
    client_close(&a);
    stop();
}

/* A handler that does not read stops the client; nothing piles up in between, and nothing spins. */
static void test_back_pressure(void **state)
{
    size_t pushed = 0;
    struct taken *t;
    int idle = 0, end;

    (void)state;
    serve_streams(STREAMED);
    client_send(&a, HEAD("Content-Length: 67108864\r\n"));
    t = the_request(0);
    while (idle < 50) {
        ssize_t n = send(a.fd, sent, ROOM, MSG_NOSIGNAL);
        pushed += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        event_base_loop(host.base, EVLOOP_NONBLOCK);
        assert_true(pushed < 48u << 20);
    }
    check_rest();
    /* what had come so far comes out again, and then it goes on */
    for (size_t at = 0; at < pushed;) {
        size_t n = take(t->stream, pushed - at < ROOM ? pushed - at : ROOM, &end);
        assert_true(n > 0);
        at += n;
    }
    client_send(&a, "more");
    assert_int_equal(take(t->stream, 4, &end), 4);
    assert_memory_equal(got, "more", 4);
    client_reset(&a);
    check_aborted(t->stream);
    assert_true(t->cancelled);
    stop();
}

/* A client that leaves in the middle, whichever way: the handler sees no clean end. */
static void test_client_leaves(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct taken *t;
        serve_streams(STREAMED);
        client_send(&a, way == 2 ? CHUNKED "5\r\nabc" : HEAD("Content-Length: 100000\r\n") "abc");
        t = the_request(0);
        if (way == 0) {
            client_reset(&a);
        } else {
            shutdown(a.fd, SHUT_WR);
        }
        check_aborted(t->stream);
        PUMP_UNTIL(t->cancelled);
        if (way > 0) {
            PUMP_UNTIL(client_has(&a, "HTTP/1.1 400 ") && client_closed(&a));
            assert_non_null(strstr(a.got, "400 Bad Request: the request ended early"));
            client_close(&a);
        }
        stop();
        assert_non_null(strstr(access_log(), way > 0 ? "\" 400 " : "\" 499 "));
    }
}

/* A body that breaks its rules on the way. */
static void test_broken(void **state)
{
    static const struct {
        const char *conf, *text, *status;
    } cases[] = {
        {STREAMED, CHUNKED "3\r\nabc\r\nx\r\n", "HTTP/1.1 400 "},
        {STREAMED, CHUNKED "3\r\nabcd\r\n", "HTTP/1.1 400 "},
        {"body_buffer 4 ; max_body_size 5 ; location / { handler echo ; }", CHUNKED "3\r\nabc\r\n3\r\n",
         "HTTP/1.1 413 "},
        {"body_timeout 50ms ; " STREAMED, CHUNKED "3\r\nabc\r\n", "HTTP/1.1 408 "},
        {"body_timeout 50ms ; " STREAMED, HEAD("Content-Length: 100000\r\n"), "HTTP/1.1 408 "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        serve_streams(cases[i].conf);
        client_send(&a, cases[i].text);
        check_aborted(the_request(0)->stream);
        PUMP_UNTIL(client_has(&a, cases[i].status));
        assert_true(host.taken[0].cancelled);
        assert_non_null(strstr(a.got, "Connection: close"));
        client_close(&a);
        stop();
    }
}

/* The handler takes its time, and the body is not late. */
static void test_slow_handler_is_no_slow_client(void **state)
{
    struct taken *t;
    size_t pushed = 0;
    int end;

    (void)state;
    serve_streams("body_timeout 50ms ; " STREAMED);
    client_send(&a, HEAD("Content-Length: 8388608\r\n"));
    t = the_request(0);
    for (double until = seconds() + 0.2; seconds() < until;) {
        ssize_t n = pushed < ROOM ? send(a.fd, sent + pushed, ROOM - pushed, MSG_NOSIGNAL) : 0;
        pushed += n > 0 ? (size_t)n : 0;
        event_base_loop(host.base, EVLOOP_NONBLOCK);
    }
    assert_true(take(t->stream, 1, &end) == 1);
    assert_false(t->cancelled);
    client_reset(&a);
    check_aborted(t->stream);
    stop();
}

/* A handler that does not want the rest: the client, still sending, can read the answer. */
static void test_reader_closes(void **state)
{
    (void)state;
    for (int before = 0; before < 2; before++) {
        struct taken *t;
        serve_streams(STREAMED);
        client_send(&a, HEAD("Content-Length: 5000000\r\n"));
        client_send_bytes(&a, sent, 1000);
        t = the_request(0);
        close(t->stream);
        if (before) {
            client_send_bytes(&a, sent, 1000); /* the bus meets EPIPE first */
            settle();
        }
        answer_text(0, "enough");
        client_send_bytes(&a, sent, 4000000);
        PUMP_UNTIL(client_has(&a, "enough") && client_closed(&a));
        assert_false(a.reset);
        assert_non_null(strstr(a.got, "Connection: close"));
        client_close(&a);
        stop();
    }
}

/* Answered before the body is there, and the rest is wanted all the same; then the next request. */
static void test_early_answer(void **state)
{
    struct taken *t;

    (void)state;
    serve_streams(STREAMED);
    client_send(&a, HEAD("Content-Length: 200000\r\n"));
    client_send_bytes(&a, sent, 1000);
    t = the_request(0);
    answer_and_go_on(0);
    client_send_bytes(&a, sent + 1000, 198999);
    settle();
    assert_true(recv(a.fd, got, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    client_send_bytes(&a, sent + 199999, 1);
    client_send(&a, HEAD("Content-Length: 2\r\n") "hi");
    check_all(t->stream, 200000);
    PUMP_UNTIL(host.taken_count == 2);
    answer_and_go_on(1);
    client_close(&a);
    stop();
}

/* The same from a client that sees the end of the answer by the end of the connection only. */
static void test_early_answer_old_client(void **state)
{
    struct taken *t;

    (void)state;
    serve_streams(STREAMED);
    client_send(&a, "POST / HTTP/1.0\r\nContent-Length: 200000\r\n\r\n");
    t = the_request(0);
    answer_text(0, "early");
    PUMP_UNTIL(client_has(&a, "early") && client_closed(&a));
    client_send_bytes(&a, sent, 200000);
    check_all(t->stream, 200000);
    client_close(&a);
    stop();
}

/* Answered, and nobody reads or writes the rest: the connection does not stay for ever. */
static void test_tail_ends(void **state)
{
    (void)state;
    for (int stuck = 0; stuck < 2; stuck++) {
        struct taken *t;
        serve_streams("body_timeout 50ms ; " STREAMED);
        client_send(&a, HEAD("Content-Length: 8388608\r\n"));
        t = the_request(0);
        for (size_t pushed = 0, turns = 0; stuck && turns < 100; turns++) {
            ssize_t n = send(a.fd, sent + pushed, ROOM - pushed, MSG_NOSIGNAL);
            pushed += n > 0 ? (size_t)n : 0;
            event_base_loop(host.base, EVLOOP_NONBLOCK);
        }
        answer_text(0, "done");
        PUMP_UNTIL(client_has(&a, "done") && client_closed(&a));
        check_aborted(t->stream);
        client_close(&a);
        stop();
    }
}

/* The bus says no, or its worker died: the body goes nowhere, and the client hears why. */
static void test_bus_errors(void **state)
{
    (void)state;
    serve_streams(STREAMED);
    host.refusal = LPM_ESHED;
    client_send(&a, CHUNKED "3\r\nabc\r\n");
    PUMP_UNTIL(client_has(&a, "HTTP/1.1 429 ") && client_closed(&a));
    client_close(&a);
    host.refusal = 0;
    client_open(&a);
    client_send(&a, CHUNKED "3\r\nabc\r\n");
    the_request(0);
    answer(0, LPM_EWORKER, NULL, 0, "", 0);
    PUMP_UNTIL(client_has(&a, "HTTP/1.1 502 "));
    check_aborted(host.taken[0].stream);
    client_close(&a);
    stop();
}

/* 100 Continue when the handler is found, not before. */
static void test_expect(void **state)
{
    (void)state;
    serve_streams(STREAMED);
    client_send(&a, HEAD("Expect: 100-continue\r\nContent-Length: 100000\r\n"));
    PUMP_UNTIL(client_has(&a, "HTTP/1.1 100 Continue\r\n\r\n"));
    client_send_bytes(&a, sent, 100000);
    check_all(the_request(0)->stream, 100000);
    answer_and_go_on(0);
    host.refusal = LPM_ESHED;
    a.len = 0;
    client_send(&a, HEAD("Expect: 100-continue\r\nContent-Length: 100000\r\n"));
    PUMP_UNTIL(client_has(&a, "HTTP/1.1 429 "));
    assert_null(strstr(a.got, "100 Continue"));
    client_close(&a);
    stop();
}

/* The stream of the body is the stream of the answer: both at once, more than all buffers hold. */
static void test_there_and_back(void **state)
{
    static const struct {
        const char *head;
        bool chunked;
    } cases[] = {{HEAD("Content-Length: 3000000\r\n"), false}, {CHUNKED, true}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        lpm_header length = {lpm_slice_of("content-length"), lpm_slice_of("3000000")};
        size_t at = 0, turns = 0;
        char *body;
        serve_streams(STREAMED);
        client_send(&a, cases[i].head);
        the_request(0);
        answer_with(0, 0, &length, cases[i].chunked ? 0 : 1, "", 0, host.taken[0].stream);
        a.len = 0;
        while (at < 900000) { /* the client's room is 1 MiB */
            size_t n = 30000;
            if (cases[i].chunked) {
                client_send(&a, "7530\r\n");
            }
            client_send_bytes(&a, sent + at, n);
            client_send(&a, cases[i].chunked ? "\r\n" : "");
            at += n;
            PUMP_UNTIL(turns++ > 0 || client_has(&a, "\r\n\r\n"));
            client_read(&a);
        }
        PUMP_UNTIL((client_read(&a), a.len) >= 900000 + (cases[i].chunked ? 100 : 0));
        body = strstr(a.got, "\r\n\r\n") + 4;
        if (cases[i].chunked) {
            assert_non_null(strstr(a.got, "Transfer-Encoding: chunked"));
        } else {
            PUMP_UNTIL((client_read(&a), a.len) == (size_t)(body - a.got) + 900000);
            assert_memory_equal(body, sent, 900000);
        }
        client_reset(&a);
        settle();
        stop();
    }
}

/* A pipe, opened once more as the bus does with those of workers. */
static void test_answer_from_pipe(void **state)
{
    char path[64];
    int fds[2], again;

    (void)state;
    serve_streams(STREAMED);
    client_send(&a, "GET /pipe HTTP/1.1\r\nHost: a\r\n\r\n");
    PUMP_UNTIL(host.taken_count == 1);
    assert_int_equal(pipe(fds), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
    again = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(again >= 0);
    close(fds[0]);
    answer_with(0, 0, NULL, 0, "", 0, again);
    settle();
    assert_int_equal(write(fds[1], "piped", 5), 5);
    close(fds[1]);
    PUMP_UNTIL(client_has(&a, "piped\r\n0\r\n\r\n"));
    client_close(&a);
    settle();
    stop();
}

/* The two ends of a TCP connection. */
static void tcp_pair(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&address, len), 0);
    fds[1] = accept(listener, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(listener);
}

/* A connection as the stream of an answer, which its worker has set to block and to linger: lpm waits for it neither in the
 * middle nor at the end. */
static void test_answer_from_connection(void **state)
{
    const struct linger long_time = {1, 60};
    int fds[2];

    (void)state;
    serve_streams(STREAMED);
    client_send(&a, "GET /tcp HTTP/1.1\r\nHost: a\r\n\r\n");
    PUMP_UNTIL(host.taken_count == 1);
    tcp_pair(fds);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &long_time, sizeof(long_time)), 0);
    /* More than the other end takes: a close that lingers would wait for that. */
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    while (send(fds[0], sent, ROOM, MSG_NOSIGNAL) > 0) {
    }
    assert_int_equal(fcntl(fds[0], F_SETFL, 0), 0);
    alarm(2 * WAIT_S); /* who waits for it waits for ever */
    answer_with(0, 0, NULL, 0, "", 0, fds[0]);
    for (size_t at = 0; at < 600000; at += 100000) {
        client_send_bytes(&(struct client){.fd = fds[1]}, sent + at, 100000);
        PUMP_UNTIL((client_read(&a), a.len) > at + 100000);
        settle();
    }
    client_reset(&a);
    settle();
    alarm(0);
    close(fds[1]);
    stop();
}

/* A body that comes without a pause is not late, however long it takes. */
static void test_fast_body(void **state)
{
    static char chunk[100000];
    size_t at = 0;
    int head = snprintf(chunk, sizeof(chunk), "%zx\r\n", sizeof(chunk) - 9);
    struct taken *t;
    double until;

    (void)state;
    assert_int_equal(head, 7);
    memcpy(chunk + sizeof(chunk) - 2, "\r\n", 2);
    serve_streams("body_timeout 500ms ; max_body_size 4096m ; location / { handler echo ; }");
    client_send(&a, CHUNKED);
    t = the_request(0);
    for (until = seconds() + 0.8; seconds() < until;) {
        ssize_t n = send(a.fd, chunk + at, sizeof(chunk) - at, MSG_NOSIGNAL);
        at = n > 0 ? (at + (size_t)n) % sizeof(chunk) : at;
        if (n > 0) {
            continue; /* there is always more than a turn of the loop takes */
        }
        event_base_loop(host.base, EVLOOP_NONBLOCK);
        while (recv(t->stream, got, ROOM, MSG_DONTWAIT) > 0) {
        }
        assert_false(t->cancelled);
    }
    client_reset(&a);
    PUMP_UNTIL(t->cancelled);
    close(t->stream);
    stop();
}

/* Both sides have said all, and what the client sent before its end is still on its way to the handler. */
static void test_end_after_early_answer(void **state)
{
    static const size_t len = 600000;
    struct taken *t;

    (void)state;
    serve_streams(STREAMED);
    client_send(&a, "POST / HTTP/1.0\r\nContent-Length: 600000\r\n\r\n");
    t = the_request(0);
    client_send_bytes(&a, sent, len);
    answer_text(0, "early");
    PUMP_UNTIL(client_has(&a, "early") && client_closed(&a));
    shutdown(a.fd, SHUT_WR);
    settle();
    check_all(t->stream, len);
    client_close(&a);
    settle();
    stop();
}

/* The head of an answer with a stream does not tell the length of what comes before it. */
static void test_head_of_stream(void **state)
{
    int fds[2];

    (void)state;
    serve_streams(STREAMED);
    for (size_t i = 0; i < 2; i++) {
        client_send(&a, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        PUMP_UNTIL(host.taken_count == i + 1);
        assert_int_equal(os_stream_pair(fds), 0);
        answer_with(i, 0, NULL, 0, "abc", 3, fds[0]);
        PUMP_UNTIL((client_read(&a), count_of(a.got, "\r\n\r\n") == i + 1));
        close(fds[0]); /* as lpm does with what was not taken */
        close(fds[1]);
    }
    assert_null(strstr(a.got, "Content-Length"));
    assert_null(strstr(a.got, "abc"));
    client_close(&a);
    stop();
}

/* The streams of an upload count like connections: nobody is accepted until it has ended. */
static void test_streams_take_files(void **state)
{
    static struct client b;
    struct taken *t;
    int end;

    (void)state;
    serve_with_files(3);
    client_send(&a, CHUNKED "3\r\nabc\r\n");
    t = the_request(0);
    client_open(&b);
    client_send(&b, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    settle();
    assert_int_equal(host.taken_count, 1);
    client_send(&a, "0\r\n\r\n");
    assert_int_equal(take(t->stream, 10, &end), 3);
    assert_int_equal(end, 0);
    PUMP_UNTIL(host.taken_count == 2);
    close(t->stream);
    answer_text(0, "one");
    answer_text(1, "two");
    PUMP_UNTIL(client_has(&a, "one") && client_has(&b, "two"));
    client_close(&a);
    client_close(&b);
    stop();
}

/* For which none are left is refused, and the connection stays. */
static void test_no_files_for_streams(void **state)
{
    int fds[2];

    (void)state;
    serve_with_files(1);
    client_send(&a, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    PUMP_UNTIL(host.taken_count == 1);
    assert_int_equal(os_stream_pair(fds), 0);
    answer_with(0, 0, NULL, 0, "", 0, fds[0]);
    PUMP_UNTIL(client_has(&a, "\r\n\r\n503 "));
    assert_int_equal(send(fds[1], "x", 1, MSG_NOSIGNAL), -1);
    close(fds[1]);
    assert_null(strstr(a.got, "Connection: close"));
    client_send(&a, CHUNKED "3\r\nabc\r\n0\r\n\r\n");
    PUMP_UNTIL((client_read(&a), count_of(a.got, "\r\n\r\n503 ") == 2));
    assert_int_equal(host.taken_count, 1);
    client_close(&a);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH(test_answer_from_connection),
        IN_BOTH(test_fast_body),
        IN_BOTH(test_end_after_early_answer),
        IN_BOTH(test_head_of_stream),
        IN_BUS(test_streams_take_files),
        IN_BUS(test_no_files_for_streams),
        IN_BOTH(test_which),
        IN_BOTH(test_whole),
        IN_BOTH(test_back_pressure),
        IN_BOTH(test_client_leaves),
        IN_BOTH(test_broken),
        IN_BOTH(test_slow_handler_is_no_slow_client),
        IN_BOTH(test_reader_closes),
        IN_BOTH(test_early_answer),
        IN_BOTH(test_early_answer_old_client),
        IN_BOTH(test_tail_ends),
        IN_BOTH(test_bus_errors),
        IN_BOTH(test_expect),
        IN_BOTH(test_there_and_back),
        IN_BOTH(test_answer_from_pipe),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
