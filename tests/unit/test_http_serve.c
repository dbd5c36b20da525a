/*
 * The whole ingress over real sockets, with a bus that the test plays: what clients get, what the bus gets.
 */
#include "test_http_host.h"

static struct client a, b;

#define PLAIN     "location / { handler echo ; }"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* Sends `request` on a new connection, and waits for `text` in the answer, or for the end if it is NULL. */
static void ask(const char *request, const char *text)
{
    client_open(&a);
    client_send(&a, request);
    PUMP_UNTIL(text ? client_has(&a, text) : client_closed(&a));
}

static void test_simple(void **state)
{
    (void)state;
    serve(PLAIN);
    ask("POST /x%20y?z=1&%41 HTTP/1.1\r\nHost: example.org:80\r\nUser-Agent: t\r\nContent-Length: 2\r\n"
        "Connection: keep-alive, x-hop\r\nX-Hop: 1\r\nTE: trailers\r\nX-Two: 2\r\n\r\nhi",
        "\r\n\r\nhi");
    assert_memory_equal(a.got, "HTTP/1.1 200 OK\r\nServer: lpm\r\nDate: ", 35);
    assert_non_null(
        strstr(a.got, " GMT\r\nContent-Length: 2\r\nx-request-id: 00000000-0000-4000-8000-000000000000\r\n"
                      "x-path: /x%20y?z=1&%41\r\n\r\nhi"));
    assert_null(strstr(a.got, "Connection"));
    assert_null(strstr(a.got, "transfer-encoding"));
    assert_memory_equal(host.taken[0].headers,
                        ":method: POST\n:path: /x%20y?z=1&%41\n:scheme: http\n:authority: example.org:80\n"
                        ":remote: 127.0.0.1:",
                        94);
    assert_non_null(strstr(host.taken[0].headers,
                           "\nhost: example.org:80\nuser-agent: t\ncontent-length: 2\nx-two: 2\n"));
    assert_null(strstr(host.taken[0].headers, "hop"));
    assert_null(strstr(host.taken[0].headers, "\nte: "));
    assert_true(host.taken[0].timeout == LPM_DEFAULT);
    assert_int_equal(host.taken[0].retries, 0);
    /* the connection stays */
    a.len = 0;
    client_send(&a, GET("/2"));
    PUMP_UNTIL(client_has(&a, "x-path: /2\r\n\r\n"));
    assert_true(host.taken[1].retries == LPM_DEFAULT);
    client_close(&a);
    settle();
    stop();
}

static void test_byte_by_byte(void **state)
{
    static const char request[] = "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n" GET("/next");
    (void)state;
    serve(PLAIN);
    client_open(&a);
    for (size_t i = 0; i < sizeof(request) - 1; i++) {
        client_send_bytes(&a, request + i, 1);
        for (int turn = 0; turn < 3; turn++) {
            event_base_loop(host.base, EVLOOP_NONBLOCK);
        }
    }
    PUMP_UNTIL(client_has(&a, "x-path: /next"));
    assert_non_null(strstr(a.got, "Content-Length: 7\r\n"));
    assert_non_null(strstr(a.got, "\r\n\r\nabcdefgHTTP/1.1 200"));
    assert_null(strstr(host.taken[0].headers, "railer"));
    client_close(&a);
    stop();
}

static void test_pipelining(void **state)
{
    char request[4096] = "", expected[64];
    (void)state;
    serve(PLAIN);
    client_open(&a);
    for (int i = 0; i < 20; i++) {
        sprintf(request + strlen(request), "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nb%03d",
                i, i);
    }
    strcat(request, "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client_send(&a, request);
    PUMP_UNTIL(client_closed(&a));
    assert_int_equal(count_of(a.got, "HTTP/1.1 200"), 21);
    for (char *at = a.got, i = 0; i < 20; i++) {
        sprintf(expected, "x-path: /%d\r\n\r\nb%03d", i, i);
        at = strstr(at, expected);
        assert_non_null(at);
    }
    assert_int_equal(count_of(a.got, "Connection: close\r\n"), 1);
    client_close(&a);
    stop();
}

/* A client that sends ahead and takes no answer fills the read buffer and the kernel's, and no more. */
static void test_back_pressure(void **state)
{
    char bytes[4096];
    size_t sent = 0;
    int idle = 0;
    (void)state;
    serve(PLAIN);
    host.hold = true;
    memset(bytes, 'x', sizeof(bytes));
    ask(GET("/"), "");
    PUMP_UNTIL(host.taken_count == 1);
    while (idle < 50) {
        ssize_t n = send(a.fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        event_base_loop(host.base, EVLOOP_NONBLOCK);
        assert_true(sent < 64u << 20);
    }
    check_rest();
    /* nor when the answer waits for the client, too */
    static char large[16 << 20];
    answer(0, 0, NULL, 0, large, sizeof(large));
    check_rest();
    client_reset(&a);
    settle();
    stop();
}

static void test_head_and_statuses(void **state)
{
    static const struct {
        const char *status, *content_length;
        const char *data;
        const char *expected, *body;
    } cases[] = {
        {NULL, NULL, "abc", "HTTP/1.1 200 OK\r\n", "abc"},
        {"201", NULL, "abc", "HTTP/1.1 201 Created\r\n", "abc"},
        {"204", NULL, "abc", "HTTP/1.1 204 No Content\r\n", ""},
        {"205", NULL, "abc", "HTTP/1.1 205 Reset Content\r\n", ""},
        {"304", NULL, "abc", "HTTP/1.1 304 Not Modified\r\n", ""},
        {"599", NULL, "", "HTTP/1.1 599 Unknown\r\n", ""},
        {"100", NULL, "", "HTTP/1.1 500 ", NULL},
        {"abc", NULL, "", "HTTP/1.1 500 ", NULL},
    };
    (void)state;
    serve(PLAIN);
    host.hold = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lpm_header h[] = {{lpm_slice_of(":status"), lpm_slice_of(cases[i].status ? cases[i].status : "")}};
        client_open(&a);
        client_send(&a, GET("/"));
        PUMP_UNTIL(host.taken_count == i + 1);
        answer(i, 0, h, cases[i].status ? 1 : 0, cases[i].data, strlen(cases[i].data));
        PUMP_UNTIL(client_has(&a, "\r\n\r\n"));
        assert_memory_equal(a.got, cases[i].expected, strlen(cases[i].expected));
        if (cases[i].body) {
            assert_string_equal(strstr(a.got, "\r\n\r\n") + 4, cases[i].body);
            assert_int_equal(strstr(a.got, "Content-Length") == NULL,
                             strstr(a.got, " 204 ") != NULL || strstr(a.got, " 304 ") != NULL);
        }
        if (strstr(a.got, " 205 ")) {
            assert_non_null(strstr(a.got, "\r\nContent-Length: 0\r\n"));
        }
        assert_null(strstr(a.got, ":status"));
        client_close(&a);
    }
    stop();
}

static void test_head_method(void **state)
{
    lpm_header length = {lpm_slice_of("content-length"), lpm_slice_of("77")};
    lpm_header ours[] = {{lpm_slice_of("date"), lpm_slice_of("never")},
                         {lpm_slice_of("server"), lpm_slice_of("mine")},
                         {lpm_slice_of("connection"), lpm_slice_of("close")}};
    (void)state;
    serve(PLAIN);
    host.hold = true;
    ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET("/"), "");
    PUMP_UNTIL(host.taken_count == 1);
    answer_text(0, "hello");
    PUMP_UNTIL(host.taken_count == 2);
    answer(1, 0, &length, 1, "", 0);
    PUMP_UNTIL(host.taken_count == 3);
    answer(2, 0, ours, 3, "end", 3);
    PUMP_UNTIL(client_closed(&a));
    assert_int_equal(count_of(a.got, "Content-Length: 5\r\n"), 1);
    assert_int_equal(count_of(a.got, "Content-Length: 77\r\n"), 1);
    assert_null(strstr(a.got, "hello"));
    assert_int_equal(count_of(a.got, "date: never\r\n"), 1);
    assert_int_equal(count_of(a.got, "Date: "), 2);
    assert_int_equal(count_of(a.got, "server: mine\r\n"), 1);
    assert_int_equal(count_of(a.got, "Server: lpm\r\n"), 2);
    assert_int_equal(count_of(a.got, "Connection: close\r\n"), 1);
    client_close(&a);
    stop();
}

static void test_versions(void **state)
{
    (void)state;
    serve(PLAIN);
    ask("GET / HTTP/1.0\r\n\r\n", NULL);
    assert_non_null(strstr(a.got, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(a.got, "Connection: close\r\n"));
    client_close(&a);
    ask("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "\r\n\r\n");
    assert_non_null(strstr(a.got, "Connection: keep-alive\r\n"));
    assert_false(client_closed(&a));
    client_close(&a);
    ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", NULL);
    assert_non_null(strstr(a.got, "Connection: close\r\n"));
    client_close(&a);
    stop();
}

static void test_targets(void **state)
{
    static const struct {
        const char *request, *path, *authority;
    } cases[] = {
        {"GET http://b:1/p?q HTTP/1.1\r\nHost: a\r\n\r\n", "/p?q", "b:1"},
        {"GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "/", "b"},
        {"GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", "/?q", "b"},
        {"OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", "*", "b"},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", "a"},
        {"GET //x//?? HTTP/1.1\r\nHost: a\r\n\r\n", "//x//??", "a"},
    };
    (void)state;
    serve(PLAIN);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[256];
        ask(cases[i].request, "\r\n\r\n");
        snprintf(expected, sizeof(expected), "\n:path: %s\n:scheme: http\n:authority: %s\n", cases[i].path,
                 cases[i].authority);
        assert_non_null(strstr(host.taken[i].headers, expected));
        snprintf(expected, sizeof(expected), "\nhost: %s\n", cases[i].authority);
        assert_non_null(strstr(host.taken[i].headers, expected));
        client_close(&a);
    }
    stop();
}

static void test_locations(void **state)
{
    (void)state;
    serve(
        "location /a { handler echo ; timeout 5s ; retries 3 ; } location /a/b { handler echo ; timeout -1 ; "
        "retry_non_idempotent on ; retries 2 ; max_body_size 3 ; }");
    ask(GET("/a?/a/b"), "\r\n\r\n");
    assert_int_equal(host.taken[0].timeout, 5000);
    assert_int_equal(host.taken[0].retries, 3);
    client_send(&a, "POST /a/b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n123");
    PUMP_UNTIL(client_has(&a, "123"));
    assert_int_equal(host.taken[1].timeout, LPM_NONE);
    assert_int_equal(host.taken[1].retries, 2);
    /* not found, and the connection stays, as there is no body to be skipped */
    client_send(&a, GET("/") GET("/a"));
    PUMP_UNTIL(client_has(&a, "x-path: /a\r\n"));
    PUMP_UNTIL(host.taken_count == 3);
    assert_int_equal(count_of(a.got, "HTTP/1.1 404 Not Found\r\n"), 1);
    assert_non_null(strstr(a.got, "\r\n\r\n404 Not Found: no location for this path\n"));
    client_send(&a, "POST /a/b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n1234" GET("/a"));
    PUMP_UNTIL(client_has(&a, "HTTP/1.1 413 "));
    PUMP_UNTIL(host.taken_count == 4);
    client_close(&a);
    stop();
}

static void test_bodies(void **state)
{
    static char body[300000], request[400000];
    static const size_t sizes[] = {0, 1, 20000, 20480, 20481, 65536, 300000};
    (void)state;
    serve(PLAIN);
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (char)('a' + i % 23);
    }
    client_open(&a);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            size_t at = (size_t)sprintf(request, "PUT /%zu HTTP/1.1\r\nHost: a\r\n", i);
            if (!chunked) {
                at += (size_t)sprintf(request + at, "Content-Length: %zu\r\n\r\n", sizes[i]);
                memcpy(request + at, body, sizes[i]);
                at += sizes[i];
            } else {
                at += (size_t)sprintf(request + at, "Transfer-Encoding: chunked\r\n\r\n");
                for (size_t done = 0, n = 1; done < sizes[i]; done += n, n = n * 3) {
                    n = n < sizes[i] - done ? n : sizes[i] - done;
                    at += (size_t)sprintf(request + at, "%zx\r\n%.*s\r\n", n, (int)n, body + done);
                }
                at += (size_t)sprintf(request + at, "0\r\n\r\n");
            }
            /* and a request behind it, which must not be lost nor be taken for the body */
            at += (size_t)sprintf(request + at, GET("/behind"));
            a.len = 0;
            client_send_bytes(&a, request, at);
            PUMP_UNTIL(client_has(&a, "x-path: /behind\r\n\r\n"));
            struct taken *t = &host.taken[host.taken_count - 2];
            assert_int_equal(t->len, sizes[i]);
            assert_memory_equal(t->data, body, sizes[i]);
            assert_int_equal(a.got[a.len], 0);
        }
    }
    client_close(&a);
    stop();
}

static void test_expect(void **state)
{
    (void)state;
    serve("max_body_size 100 ; location /y { handler echo ; }");
    ask("POST /y HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n");
    assert_string_equal(a.got, "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(&a, "ok");
    PUMP_UNTIL(client_has(&a, "\r\n\r\nok"));
    assert_null(strstr(host.taken[0].headers, "expect"));
    client_close(&a);
    /* the body came along: nobody waits */
    ask("POST /y HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok", "\r\n\r\nok");
    assert_null(strstr(a.got, " 100 "));
    client_close(&a);
    /* it is not wanted */
    ask("POST /y HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n", NULL);
    assert_memory_equal(a.got, "HTTP/1.1 413 ", 13);
    client_close(&a);
    ask("POST /n HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", NULL);
    assert_memory_equal(a.got, "HTTP/1.1 404 ", 13);
    client_close(&a);
    ask("POST /y HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 1\r\n\r\n", NULL);
    assert_memory_equal(a.got, "HTTP/1.1 417 ", 13);
    client_close(&a);
    stop();
}

/* What is refused is answered and closed, even while the client still sends. */
static void test_refusals(void **state)
{
    static const struct {
        const char *request, *status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "400"},
        {"GET / HTTP/3.0\r\n\r\n", "505"},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
        {"\x16\x03\x01\x02", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\nx", "413"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", "413"},
    };
    char line[64], junk[8192];
    (void)state;
    serve(PLAIN);
    memset(junk, 'j', sizeof(junk));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        client_open(&a);
        client_send(&a, cases[i].request);
        for (int n = 0; n < 20; n++) {
            client_send_bytes(&a, junk, sizeof(junk));
        }
        shutdown(a.fd, SHUT_WR);
        PUMP_UNTIL(client_closed(&a));
        snprintf(line, sizeof(line), "HTTP/1.1 %s ", cases[i].status);
        assert_int_equal(count_of(a.got, "Server: lpm"), 1);
        assert_memory_equal(a.got, line, strlen(line));
        assert_non_null(strstr(a.got, "Connection: close\r\n"));
        assert_int_equal(a.got[a.len - 1], '\n');
        client_close(&a);
    }
    for (int in_line = 0; in_line < 2; in_line++) {
        client_open(&a);
        client_send(&a, in_line ? "GET /" : "GET / HTTP/1.1\r\nX: ");
        for (int n = 0; n < 5; n++) {
            client_send_bytes(&a, junk, sizeof(junk));
        }
        PUMP_UNTIL(client_has(&a, in_line ? "HTTP/1.1 414 " : "HTTP/1.1 431 "));
        client_close(&a);
    }
    assert_int_equal(host.taken_count, 0);
    stop();
}

/* An answer that ends the connection reaches a client that has sent ahead, even what nobody has read yet. */
static void test_sent_ahead(void **state)
{
    static const char head[] =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n";
    char junk[100100];
    (void)state;
    serve(PLAIN);
    host.refusal = LPM_ESHUTDOWN;
    memset(junk, 'j', sizeof(junk));
    client_open(&a);
    assert_int_equal(send(a.fd, head, strlen(head), 0), strlen(head));
    assert_int_equal(send(a.fd, junk, sizeof(junk), 0), sizeof(junk));
    PUMP_UNTIL(client_closed(&a));
    assert_non_null(strstr(a.got, "HTTP/1.1 503 "));
    assert_false(a.reset);
    client_close(&a);
    stop();
}

static void test_bus_errors(void **state)
{
    static const struct {
        int error;
        const char *status;
        bool retry;
    } cases[] = {{LPM_EWORKER, "502 Bad Gateway", 0},           {LPM_ESHED, "429 Too Many Requests", 1},
                 {LPM_ENOWORKER, "503 Service Unavailable", 1}, {LPM_ESHUTDOWN, "503 Service Unavailable", 1},
                 {LPM_ETIMEDOUT, "504 Gateway Timeout", 0},     {LPM_ENOMEM, "500 Internal Server Error", 0},
                 {LPM_ETOOBIG, "413 Content Too Large", 0}};
    char line[64];
    (void)state;
    serve(PLAIN);
    host.hold = true;
    client_open(&a);
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        bool refused = i % 2;
        size_t before = host.taken_count;
        a.len = 0;
        host.refusal = refused ? cases[i / 2].error : 0;
        client_send(&a, GET("/"));
        if (!refused) {
            PUMP_UNTIL(host.taken_count == before + 1);
            answer(before, cases[i / 2].error, NULL, 0, "", 0);
        }
        PUMP_UNTIL(client_has(&a, "\n") && a.got[a.len - 1] == '\n' && count_of(a.got, ": ") > 5);
        snprintf(line, sizeof(line), "HTTP/1.1 %s\r\n", cases[i / 2].status);
        assert_memory_equal(a.got, line, strlen(line));
        assert_non_null(strstr(a.got, "x-request-id: 00000000-0000-4000-8000-"));
        assert_non_null(strstr(a.got, "content-type: text/plain; charset=utf-8\r\n"));
        assert_int_equal(strstr(a.got, in_worker ? "Retry-After: 1\r\n" : "Retry-After: 2\r\n") != NULL,
                         cases[i / 2].retry);
        assert_int_equal(count_of(strstr(a.got, "\r\n\r\n") + 4, "\n"), 1);
    }
    client_close(&a);
    stop();
}

static void test_gone(void **state)
{
    (void)state;
    serve("half_close on ; " PLAIN);
    host.hold = true;
    /* a reset while the request runs */
    ask(GET("/reset"), "");
    PUMP_UNTIL(host.taken_count == 1);
    client_reset(&a);
    PUMP_UNTIL(host.taken[0].cancelled);
    /* a client that has said all it had to say still gets its answer */
    ask(GET("/half"), "");
    shutdown(a.fd, SHUT_WR);
    PUMP_UNTIL(host.taken_count == 2);
    settle();
    assert_false(host.taken[1].cancelled);
    answer_text(1, "late");
    PUMP_UNTIL(client_closed(&a));
    assert_non_null(strstr(a.got, "Connection: close\r\n"));
    assert_non_null(strstr(a.got, "\r\n\r\nlate"));
    client_close(&a);
    /* a reset after that */
    ask(GET("/half-reset"), "");
    shutdown(a.fd, SHUT_WR);
    PUMP_UNTIL(host.taken_count == 3);
    settle();
    client_reset(&a);
    PUMP_UNTIL(host.taken[2].cancelled);
    /* an end within a head, and within a body */
    ask("GET / HT", "");
    shutdown(a.fd, SHUT_WR);
    PUMP_UNTIL(client_closed(&a));
    assert_memory_equal(a.got, "HTTP/1.1 400 ", 13);
    client_close(&a);
    ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx", "");
    shutdown(a.fd, SHUT_WR);
    PUMP_UNTIL(client_closed(&a));
    assert_memory_equal(a.got, "HTTP/1.1 400 ", 13);
    client_close(&a);
    stop();
    assert_int_equal(count_of(access_log(), "\" 499 0 \"-\" \"-\" 00000000-"), 2);
    assert_int_equal(count_of(access_log(), "\"GET / HT\" 400 "), 1);
}

/* The end comes with the bytes before it: nothing else will tell of it. In a new connection, and in one that was served. */
static void test_end_with_bytes(void **state)
{
    static const char *const last[][2] = {{GET("/last"), "HTTP/1.1 200 "}, {"GET / HT", "HTTP/1.1 400 "}};
    (void)state;
    serve("half_close on ; " PLAIN);
    for (int i = 0; i < 4; i++) {
        const char *text = last[i / 2][0], *answer = last[i / 2][1];
        size_t served = (size_t)i % 2;
        client_open(&a);
        if (served > 0) {
            client_send(&a, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
            PUMP_UNTIL(client_has(&a, "\r\n\r\n"));
            a.len = 0;
        }
        assert_int_equal(send(a.fd, text, strlen(text), 0), strlen(text)); /* and the loop does not turn */
        shutdown(a.fd, SHUT_WR);
        PUMP_UNTIL(client_closed(&a));
        assert_memory_equal(a.got, answer, strlen(answer));
        client_close(&a);
    }
    stop();
}

/* Without half_close, the end of its side is the end of a client that waits; one that has its answer coming is left alone. */
static void test_end_is_gone(void **state)
{
    (void)state;
    serve(PLAIN);
    host.hold = true;
    ask(GET("/waits"), "");
    PUMP_UNTIL(host.taken_count == 1);
    shutdown(a.fd, SHUT_WR);
    PUMP_UNTIL(host.taken[0].cancelled && client_closed(&a));
    assert_int_equal(a.len, 0);
    client_close(&a);
    /* whatever it had sent ahead */
    ask(GET("/waits") GET("/next"), "");
    PUMP_UNTIL(host.taken_count == 2);
    client_close(&a);
    PUMP_UNTIL(host.taken[1].cancelled);
    settle();
    assert_int_equal(host.taken_count, 2);
    stop();
    assert_int_equal(count_of(access_log(), "\" 499 0 "), 2);
}

/* An answer that is larger than the socket's buffer, to a client that takes its time. */
static void test_large_answer(void **state)
{
    size_t len = 8u << 20, got = 0;
    char *data = malloc(len), *part = malloc(1 << 16);
    (void)state;
    assert_true(data && part);
    memset(data, 'd', len);
    serve(PLAIN);
    host.hold = true;
    ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "");
    PUMP_UNTIL(host.taken_count == 1);
    answer(0, 0, NULL, 0, data, len);
    free(data); /* lpm's memory is gone after the callback */
    PUMP_UNTIL(client_has(&a, "\r\n\r\n"));
    got = a.len - (size_t)(strstr(a.got, "\r\n\r\n") + 4 - a.got);
    for (ssize_t n = 1; n != 0;) {
        n = recv(a.fd, part, 1 << 16, 0);
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal(part[i], 'd');
        }
        got += n > 0 ? (size_t)n : 0;
        assert_true(n >= 0 || errno == EAGAIN);
        event_base_loop(host.base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(got, len);
    free(part);
    client_close(&a);
    stop();
    assert_non_null(strstr(access_log(), "\" 200 8388608 \""));
}

static void test_log(void **state)
{
    const char *log;
    (void)state;
    serve(PLAIN);
    ask("GET /?\"\\ HTTP/1.1\r\nHost: a\r\nReferer: r\"\xff\r\nUser-Agent: curl/8\r\nConnection: "
        "close\r\n\r\n",
        NULL);
    client_close(&a);
    stop();
    log = access_log();
    assert_memory_equal(log, "127.0.0.1 - - [", 15);
    assert_non_null(strstr(log, "] \"GET /?\\x22\\x5C HTTP/1.1\" 200 0 \"r\\x22\\xFF\" \"curl/8\" "
                                "00000000-0000-4000-8000-000000000000 default/0 0.000012 1.000304\n"));
    assert_int_equal(count_of(log, "\n"), 1);
}

static void test_full_disk(void **state)
{
    int full = open("/dev/full", O_WRONLY);
    (void)state;
    assert_true(full >= 0);
    serve(PLAIN);
    stop();
    serve(PLAIN);
    dup2(full, host.log_fd);
    close(full);
    ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", NULL);
    assert_memory_equal(a.got, "HTTP/1.1 200 ", 13);
    client_close(&a);
    hard_kill();
    assert_non_null(strstr(host.said, "access_log: 1 lines were lost while nothing could be written"));
    stop();
}

static void check_client(size_t i, const void *bytes, size_t len)
{
    PUMP_UNTIL(host.taken_count == i + 1);
    assert_int_equal(host.taken[i].client_len, len);
    assert_memory_equal(host.taken[i].client, bytes, len);
}

/* What lpm needs of a request when it has to choose among many. */
static void test_rank(void **state)
{
    (void)state;
    serve("location / { handler echo ; } location /low { handler echo ; priority low ; } "
          "location /high { handler echo ; priority high ; }");
    client_open(&a);
    client_send(&a, GET("/") GET("/low") GET("/high"));
    check_client(2, "\x7f\0\0\1", 4);
    assert_int_equal(host.taken[0].priority, LPM_PRIORITY_NORMAL);
    assert_int_equal(host.taken[1].priority, LPM_PRIORITY_LOW);
    assert_int_equal(host.taken[2].priority, LPM_PRIORITY_HIGH);
    client_close(&a);
    stop();
    serve("client_address off ; " PLAIN);
    client_open(&a);
    client_send(&a, GET("/"));
    check_client(0, "", 0);
    client_close(&a);
    stop();
}

#define NAMED(fields) "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

static void test_client_of_a_proxy(void **state)
{
    (void)state;
    serve("client_address header X-Forwarded-For ; " PLAIN);
    client_open(&a);
    client_send(&a, NAMED(""));
    check_client(0, "\x7f\0\0\1", 4);
    client_send(&a, NAMED("x-forwarded-for: 9.9.9.9\r\nX-Forwarded-For: 9.9.9.9, 10.1.2.3\r\n"));
    check_client(1, "\x0a\x01\x02\x03", 4);
    client_send(&a, NAMED("X-Forwarded-For: unknown\r\n"));
    check_client(2, "unknown", 7);
    client_send(&a, NAMED("X-Forwarded-For: \r\nX-Forwarded-Fox: 1.2.3.4\r\n"));
    check_client(3, "\x7f\0\0\1", 4);
    client_close(&a);
    stop();
}

static void test_shed_status(void **state)
{
    (void)state;
    serve("shed_status 503 ; " PLAIN);
    host.refusal = LPM_ESHED;
    client_open(&a);
    client_send(&a, GET("/"));
    PUMP_UNTIL(client_has(&a, "503 Service Unavailable: too many requests are waiting\n"));
    assert_non_null(strstr(a.got, "HTTP/1.1 503 "));
    assert_non_null(strstr(a.got, "Retry-After: "));
    client_close(&a);
    stop();
}

static void test_conf(void **state)
{
    static const struct {
        const char *text, *said; /* NULL: accepted */
    } cases[] = {
        {"http { listen x ; location / { handler a ; } location /b { handler b ; } }", NULL},
        {"worker { }", NULL},
        {"http { listen x ; }", "http has no location: nothing would ever be answered"},
        {"http { listen x ; location / { } }",
         "location \"/\" has no handler: expected \"handler NAME;\" in it"},
        {"http { location x { handler a ; } }", "location \"x\": expected a prefix that begins with \"/\""},
        {"http { location /a { handler a ; } location /b { handler a ; } location /a { handler b ; } }",
         "location \"/a\" stands twice"},
        {"http { listen x ; location / { handler http ; } }",
         "location \"/\": \"http\" does not answer requests itself"},
        {"http { client_address header X-Forwarded-For ; location / { handler a ; } }", NULL},
        {"http { client_address peer ; location / { handler a ; } }", NULL},
        {"http { client_address header ; location / { handler a ; } }",
         "client_address expects \"peer\", \"header NAME\" or \"off\""},
        {"http { client_address peer off ; location / { handler a ; } }",
         "client_address expects \"peer\", \"header NAME\" or \"off\""},
        {"worker w { handler b ; } http { listen x ; location / { handler a ; } location /b { handler b ; } "
         "}",
         NULL},
        {"worker w { handler b ; } worker v { handler http ; handler a ; } "
         "http { listen x ; listen y handoff ; location / { handler a ; } location /b { handler b ; } }",
         "\"listen y handoff\": \"http\" is in the pool \"v\", and \"b\", the handler of location \"/b\", in "
         "\"w\": expected all of them in one pool"},
        {"worker w { handler b ; } http { listen y handoff ; location / { handler b ; } }",
         "\"listen y handoff\": \"http\" is in the pool \"default\", and \"b\", the handler of location "
         "\"/\", in "
         "\"w\": expected all of them in one pool"},
        {"worker { } http { listen y backlog=5 handoff ; location / { handler a ; } }", NULL},
    };
    (void)state;
    memset(&host, 0, sizeof(host));
    host_table();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        conf_set(cases[i].text);
        assert_int_equal(lpm_module_v1.conf(&host.root), cases[i].said ? LPM_ECONF : 0);
        if (cases[i].said) {
            assert_string_equal(host.said, cases[i].said);
        }
    }
    host.supervisor.handle.host = &host.table;
    conf_set("http { location / { handler missing ; } }");
    assert_int_equal(lpm_module_v1.supervisor_init(&host.supervisor), LPM_ENOHANDLER);
    assert_string_equal(host.said, "no loaded module named \"missing\" answers requests");
    /* without the block there is nothing to do, and nothing to wait for */
    conf_set("worker { }");
    assert_int_equal(lpm_module_v1.supervisor_init(&host.supervisor), 0);
    lpm_module_v1.supervisor_online(&host.supervisor);
    lpm_module_v1.supervisor_soft_kill(&host.supervisor);
    assert_int_equal(host.done, 1);
}

/* In a worker there is nothing to do when no listener hands off, and for a request that brings no connection. */
static void test_no_handoff(void **state)
{
    struct lpm_request strange = {.len = 0};
    (void)state;
    serve(PLAIN);
    bring(&strange);
    hard_kill();
    bring(&strange);
    conf_set("http { listen x ; location / { handler a ; } }");
    assert_int_equal(lpm_module_v1.worker_init(&host.worker), 0);
    assert_int_equal(host.ready, 2);
    assert_null(host.context);
    strange.socket = host.listener;
    bring(&strange);
    assert_int_equal(strange.socket, host.listener); /* it stays with the request, which closes it */
    lpm_module_v1.soft_kill(&host.worker);
    assert_int_equal(host.done, 1);
    lpm_module_v1.hard_kill(&host.worker);
    stop();
}

/* Clients do not disturb each other. */
static void test_two_clients(void **state)
{
    (void)state;
    serve(PLAIN);
    host.hold = true;
    client_open(&a);
    client_open(&b);
    client_send(&a, GET("/a"));
    PUMP_UNTIL(host.taken_count == 1);
    client_send(&b, GET("/b"));
    PUMP_UNTIL(host.taken_count == 2);
    answer_text(1, "for b");
    PUMP_UNTIL(client_has(&b, "for b"));
    answer_text(0, "for a");
    PUMP_UNTIL(client_has(&a, "for a"));
    client_close(&a);
    client_close(&b);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH(test_simple),
        IN_BOTH(test_byte_by_byte),
        IN_BOTH(test_pipelining),
        IN_BOTH(test_back_pressure),
        IN_BOTH(test_head_and_statuses),
        IN_BOTH(test_head_method),
        IN_BOTH(test_versions),
        IN_BOTH(test_targets),
        IN_BOTH(test_locations),
        IN_BOTH(test_bodies),
        IN_BOTH(test_expect),
        IN_BOTH(test_refusals),
        IN_BOTH(test_bus_errors),
        IN_BOTH(test_rank),
        IN_BOTH(test_client_of_a_proxy),
        IN_BOTH(test_shed_status),
        IN_BOTH(test_sent_ahead),
        IN_BOTH(test_gone),
        IN_BOTH(test_end_with_bytes),
        IN_BOTH(test_end_is_gone),
        IN_BOTH(test_large_answer),
        IN_BOTH(test_log),
        IN_BOTH(test_full_disk),
        IN_BUS(test_conf),
        IN_BOTH(test_two_clients),
        IN_WORKER(test_no_handoff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
