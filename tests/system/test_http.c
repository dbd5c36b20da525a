/*
 * HTTP/1.1 from end to end: what RFC 9112 asks for, what it warns of, limits and time limits, the access log.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client.h"
#include "misdeed.h"
#include "server.h"
#include "wait.h"

/* Short limits, so that the tests that run into them are short. */
#define LIMITS                                                                                  \
    "header_timeout 400ms; body_timeout 400ms; keepalive_timeout 400ms; large_header_size 4k; " \
    "max_body_size 1m; body_buffer 1m;\n"

static void start_with(struct server *s, const char *limits)
{
    server_conf(s,
                SERVER_MODULES SERVER_MISDEED "worker { count 2; }\n"
                                              "http {\n"
                                              "    listen 127.0.0.1:0;\n"
                                              "    access_log logs/access.log;\n"
                                              "    %s"
                                              "    location /hello { handler hello; }\n"
                                              "    location /echo { handler echo; }\n"
                                              "    location /misdeed { handler misdeed; }\n"
                                              "    location /brief { handler misdeed; timeout 200ms; }\n"
                                              "}\n",
                limits);
    server_start(s, NULL);
}

static int setup(void **state)
{
    server_setup(state);
    start_with(*state, "");
    return 0;
}

static int setup_limits(void **state)
{
    server_setup(state);
    start_with(*state, LIMITS);
    return 0;
}

/* -- Connections --------------------------------------------------------------------------------------- */

static void test_keep_alive(void **state)
{
    struct server *s = *state;
    struct client c;
    struct response r;
    char room[64];

    client_open(&c, server_port(s));
    for (int i = 0; i < 100; i++) {
        char body[32];
        int len = snprintf(body, sizeof(body), "body %d", i);
        client_request(&c, "POST", "/echo", "", body, (size_t)len);
        client_read(&c, &r, CLIENT_MS);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, body);
        client_forget(&r);
    }
    client_request(&c, "GET", "/hello", "Connection: close\r\n", "", 0);
    client_read(&c, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    assert_string_equal(client_field(&r, "connection", room, sizeof(room)), "close");
    client_forget(&r);
    assert_true(client_closed(&c, CLIENT_MS));
    client_close(&c);
    server_stop(s);
}

static void test_http_1_0(void **state)
{
    struct server *s = *state;
    struct client c;

    client_open(&c, server_port(s));
    client_text(&c, "GET /hello HTTP/1.0\r\n\r\n");
    assert_int_equal(client_status(&c, CLIENT_MS), 200);
    assert_true(client_closed(&c, CLIENT_MS));
    client_close(&c);
    server_stop(s);
}

static void test_pipelining(void **state)
{
    struct server *s = *state;
    struct client c;
    struct response r;
    char all[16384];
    size_t used;

    /* A slow one first, then fast ones, which another worker has answered long before. */
    used = (size_t)snprintf(all, sizeof(all), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", MISDEED_SLEEP("300"));
    for (int i = 0; i < 50; i++) {
        char body[32];
        snprintf(body, sizeof(body), "number %d", i);
        used += (size_t)snprintf(all + used, sizeof(all) - used,
                                 "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s",
                                 strlen(body), body);
    }
    client_open(&c, server_port(s));
    client_text(&c, all);
    client_read(&c, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    assert_null(strstr(r.body, "number"));
    client_forget(&r);
    for (int i = 0; i < 50; i++) {
        char body[32];
        snprintf(body, sizeof(body), "number %d", i);
        client_read(&c, &r, CLIENT_MS);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, body);
        client_forget(&r);
    }
    client_close(&c);
    server_stop(s);
}

static void test_split_anywhere(void **state)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n";
    struct server *s = *state;

    for (size_t at = 1; at < sizeof(request) - 1; at++) {
        struct client c;
        struct response r;
        client_open(&c, server_port(s));
        client_send(&c, request, at);
        client_send(&c, request + at, sizeof(request) - 1 - at);
        client_read(&c, &r, CLIENT_MS);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, "abcdefg");
        client_forget(&r);
        client_close(&c);
    }

    /* And byte by byte, two of them on one connection. */
    struct client c;
    client_open(&c, server_port(s));
    for (int i = 0; i < 2; i++) {
        for (size_t at = 0; at < sizeof(request) - 1; at++) {
            assert_true(client_send(&c, request + at, 1));
        }
        assert_int_equal(client_status(&c, CLIENT_MS), 200);
    }
    client_close(&c);
    server_stop(s);
}

static void test_expect_continue(void **state)
{
    struct server *s = *state;
    struct client c;
    struct response r;

    client_open(&c, server_port(s));
    client_text(&c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    client_read_any(&c, &r, CLIENT_MS);
    assert_int_equal(r.status, 100);
    client_forget(&r);
    client_text(&c, "data");
    client_read_any(&c, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "data");
    client_forget(&r);
    client_close(&c);
    server_stop(s);
}

static void test_head(void **state)
{
    struct server *s = *state;
    struct client c;
    struct response r;
    char room[64];

    client_open(&c, server_port(s));
    client_request(&c, "HEAD", "/hello", "", "", 0);
    client_read(&c, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    assert_string_equal(client_field(&r, "content-length", room, sizeof(room)), "6");
    client_forget(&r);
    /* Had a body come, it would be taken for the next answer. */
    client_request(&c, "GET", "/hello", "", "", 0);
    client_read(&c, &r, CLIENT_MS);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "hello\n");
    client_forget(&r);
    client_close(&c);
    server_stop(s);
}

static void test_what_the_handler_sees(void **state)
{
    struct server *s = *state;
    struct response r;

    assert_int_equal(client_once(server_port(s), "GET", "/echo/a%20b%2f?x=%41&y=/?&headers",
                                 "X-Mixed-Case: Kept As Is\r\n", "", 0, &r),
                     200);
    assert_non_null(strstr(r.body, ":method: GET\n"));
    assert_non_null(strstr(r.body, ":path: /echo/a%20b%2f?x=%41&y=/?&headers\n"));
    assert_non_null(strstr(r.body, "x-mixed-case: Kept As Is\n"));
    assert_non_null(strstr(r.body, "host: localhost\n"));
    client_forget(&r);
    server_stop(s);
}

/* An interim status is no answer: the module is told, and the client never sees one in an answer's place. */
static void test_interim_status(void **state)
{
    static const char *const refused[] = {"/misdeed?status=100", "/misdeed?status=103",
                                          "/misdeed?status=199"};
    struct server *s = *state;
    struct response r;

    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        assert_int_equal(client_get(server_port(s), refused[i], &r), 200);
        assert_string_equal(r.body, "-2\n");
        client_forget(&r);
    }
    assert_int_equal(client_get(server_port(s), "/misdeed?status=201", NULL), 201);
    server_stop(s);
}

static void test_not_found(void **state)
{
    struct server *s = *state;
    struct response r;

    assert_int_equal(client_get(server_port(s), "/nowhere", &r), 404);
    assert_int_equal(run_count(r.body, "\n"), 1);
    client_forget(&r);
    server_stop(s);
}

/* -- What could be read in two ways -------------------------------------------------------------------- */

static const char *const ambiguous[] = {
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 5\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3x\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999999\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "GET /hello HTTP/1.1\r\nHost: a\r\nX: one\r\n two\r\n\r\n",
    "GET /hello HTTP/1.1\r\n X: one\r\nHost: a\r\n\r\n",
    "GET /hello HTTP/1.1\r\nHost: a\r\nX: one\rtwo\r\n\r\n",
    "GET /hello HTTP/1.1\r\nHost: a\r\nX: one\x01two\r\n\r\n",
    "GET /hello HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    "GET /hello HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n",
    "GET /hello HTTP/1.1\r\nHost: a\r\nX(Y): no token\r\n\r\n",
    "GET /hello HTTP/1.1\r\n\r\n",
    "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /hello  HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /hello here HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /hello http/1.1\r\nHost: a\r\n\r\n",
    "GET hello HTTP/1.1\r\nHost: a\r\n\r\n",
    "G@T /hello HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
};

static void test_ambiguous(void **state)
{
    struct server *s = *state;
    size_t wrong = 0;

    for (size_t i = 0; i < sizeof(ambiguous) / sizeof(*ambiguous); i++) {
        struct client c;
        struct response r;
        client_open(&c, server_port(s));
        client_text(&c, ambiguous[i]);
        client_text(&c, "GET /hello HTTP/1.1\r\nHost: smuggled\r\n\r\n");
        client_read(&c, &r, CLIENT_MS);
        if (r.status != 400 || r.broken || !client_closed(&c, CLIENT_MS)) {
            print_error("status %d, expected 400 and the end of the connection, for:\n%s\n", r.status,
                        ambiguous[i]);
            wrong++;
        }
        client_forget(&r);
        client_close(&c);
    }
    assert_int_equal(wrong, 0);
    server_stop(s);
}

static void test_nul_byte(void **state)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: a\r\nX: one\0two\r\n\r\n";
    struct server *s = *state;
    struct client c;

    client_open(&c, server_port(s));
    client_send(&c, request, sizeof(request) - 1);
    assert_int_equal(client_status(&c, CLIENT_MS), 400);
    assert_true(client_closed(&c, CLIENT_MS));
    client_close(&c);
    server_stop(s);
}

/* -- Limits -------------------------------------------------------------------------------------------- */

static char *letters(size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)('a' + i % 26 + (i >> 12) % 2);
    }
    text[len] = '\0';
    return text;
}

static void test_large_bodies(void **state)
{
    static const size_t sizes[] = {1, 4095, 16383, 16384, 16385, 65536, 900 * 1024};
    struct server *s = *state;
    struct client c;

    client_open(&c, server_port(s));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        char *body = letters(sizes[i]);
        struct response r;
        client_request(&c, "POST", "/echo", "", body, sizes[i]);
        client_read(&c, &r, CLIENT_MS);
        assert_int_equal(r.status, 200);
        assert_int_equal(r.len, sizes[i]);
        assert_memory_equal(r.body, body, sizes[i]);
        client_forget(&r);
        free(body);
    }
    client_close(&c);
    server_stop(s);
}

static void test_body_too_large(void **state)
{
    struct server *s = *state;
    struct client c;
    char *body = letters(2 * 1024 * 1024);

    /* Declared: refused before it comes. */
    client_open(&c, server_port(s));
    client_printf(&c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 2 * 1024 * 1024);
    assert_int_equal(client_status(&c, CLIENT_MS), 413);
    client_close(&c);

    /* Chunked: refused when it gets there. */
    client_open(&c, server_port(s));
    client_printf(&c, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
                  2 * 1024 * 1024);
    client_send(&c, body, 1200 * 1024);
    assert_int_equal(client_status(&c, CLIENT_MS), 413);
    client_close(&c);
    free(body);

    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

static void test_head_too_large(void **state)
{
    struct server *s = *state;
    struct client c;
    char *field = letters(5000);

    client_open(&c, server_port(s));
    client_printf(&c, "GET /hello HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n", field);
    assert_int_equal(client_status(&c, CLIENT_MS), 431);
    client_close(&c);
    free(field);
    server_stop(s);
}

/* A refusal reaches a client that writes all that it has before it reads. */
static void test_refused_while_sending(void **state)
{
    static const struct {
        const char *begin;
        int status;
    } cases[] = {
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n", 413},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7a1200\r\n", 413},
        {"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n", 404},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nX: ", 431},
        {"GET /", 414},
        {"GET /hello HTTP/1.1\r\nHost : a\r\n", 400},
    };
    struct server *s = *state;
    char *body = letters(8000000);

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct client c;
        client_open(&c, server_port(s));
        assert_true(client_text(&c, cases[i].begin));
        assert_true(client_send(&c, body, 8000000));
        assert_int_equal(client_status(&c, CLIENT_MS), cases[i].status);
        assert_true(client_closed(&c, CLIENT_MS));
        client_close(&c);
    }
    free(body);
    server_stop(s);
}

static void test_slow_clients(void **state)
{
    static const char *const beginnings[] = {
        "GET /hello HT",
        "GET /hello HTTP/1.1\r\nHost: a\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    };
    struct server *s = *state;
    struct client c;

    for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++) {
        client_open(&c, server_port(s));
        client_text(&c, beginnings[i]);
        assert_int_equal(client_status(&c, CLIENT_MS), 408);
        assert_true(client_closed(&c, CLIENT_MS));
        client_close(&c);
    }

    /* One that says nothing at all, and one that is idle after an answer: closed, without a word. */
    client_open(&c, server_port(s));
    client_request(&c, "GET", "/hello", "", "", 0);
    assert_int_equal(client_status(&c, CLIENT_MS), 200);
    assert_true(client_closed(&c, 5000));
    client_close(&c);
    server_stop(s);
}

static void test_drip(void **state)
{
    static const char request[] =
        "GET /hello HTTP/1.1\r\nHost: a\r\nX-Long: 123456789012345678901234567890\r\n\r\n";
    struct server *s = *state;
    struct client c;
    size_t sent = 0;

    /* A byte each 50 ms would take seconds: the limit is on the whole head, not on the pause. */
    client_open(&c, server_port(s));
    while (sent < sizeof(request) - 1 && client_send(&c, request + sent, 1) && !client_readable(&c, 50)) {
        sent++;
    }
    assert_true(sent < sizeof(request) - 10);
    assert_int_equal(client_status(&c, CLIENT_MS), 408);
    client_close(&c);
    server_stop(s);
}

static void test_timeout(void **state)
{
    struct server *s = *state;
    struct response r;
    char id[64];

    assert_int_equal(client_get(server_port(s), "/brief?sleep=600", &r), 504);
    assert_non_null(client_field(&r, "x-request-id", id, sizeof(id)));
    client_forget(&r);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

static void test_queue_full(void **state)
{
    enum { CLIENTS = 30 };
    struct server *s = *state;
    struct client clients[CLIENTS];
    size_t served = 0, refused = 0;

    server_conf(s, SERVER_MODULES SERVER_MISDEED
                "request { queue_limit 4; }\n"
                "worker { count 1; concurrency 1; }\n"
                "http { listen 127.0.0.1:0; client_address off; location /misdeed { handler misdeed; } }\n");
    server_start(s, NULL);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], server_port(s));
        client_request(&clients[i], "GET", MISDEED_SLEEP("100"), "", "", 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        struct response r;
        char room[64];
        client_read(&clients[i], &r, CLIENT_MS);
        if (r.status == 429) {
            assert_non_null(client_field(&r, "retry-after", room, sizeof(room)));
            assert_true(atoi(room) >= 1);
            assert_non_null(client_field(&r, "x-request-id", room, sizeof(room)));
            assert_int_equal(strlen(room), 36);
            refused++;
        } else {
            assert_int_equal(r.status, 200);
            served++;
        }
        client_forget(&r);
        client_close(&clients[i]);
    }
    /* Four that wait, one at work, and those that came when the first ones were answered. */
    assert_in_range(served, 5, 12);
    assert_int_equal(served + refused, CLIENTS);
    server_stop(s);
}

/* -- Clients that go ----------------------------------------------------------------------------------- */

static void test_client_aborts(void **state)
{
    struct server *s = *state;
    struct client c;

    for (int i = 0; i < 30; i++) {
        client_open(&c, server_port(s));
        client_request(&c, "GET", MISDEED_SLEEP("20"), "", "", 0);
        client_close(&c);
        client_open(&c, server_port(s));
        client_text(&c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc");
        client_close(&c);
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    }
    assert_int_equal(server_log_count(s, "died of"), 0);
    server_stop(s);
}

/* -- The access log ------------------------------------------------------------------------------------ */

static void test_access_log(void **state)
{
    struct server *s = *state;
    struct response r;
    char path[4200], id[64], *log, *line;

    assert_int_equal(client_once(server_port(s), "GET", "/hello?x=1",
                                 "Referer: http://from/\r\nUser-Agent: a \"b\" \x7f\r\n", "", 0, &r),
                     400);
    client_forget(&r);
    assert_int_equal(client_once(server_port(s), "GET", "/hello?x=1",
                                 "Referer: http://from/\r\nUser-Agent: a \"b\" c\\\r\n", "", 0, &r),
                     200);
    assert_non_null(client_field(&r, "x-request-id", id, sizeof(id)));
    client_forget(&r);
    assert_int_equal(client_get(server_port(s), "/nowhere", NULL), 404);
    server_stop(s);

    log = run_read_file(server_path(s, "logs/access.log", path, sizeof(path)));
    assert_non_null(log);
    print_message("%s", log);
    assert_int_equal(run_count(log, "\n"), 3);
    line = strstr(log, "\"GET /hello?x=1 HTTP/1.1\" 200 6 \"http://from/\" \"a \\x22b\\x22 c\\x5C\" ");
    assert_non_null(line);
    assert_int_equal(strspn(log, "127.0.0.1"), strlen("127.0.0.1"));
    assert_non_null(strstr(line, id));
    assert_non_null(strstr(line, " default/"));
    assert_non_null(strstr(log, "\"GET /nowhere HTTP/1.1\" 404 "));
    free(log);
}

#define TEST(name, with) cmocka_unit_test_setup_teardown(name, with, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keep_alive, setup),
        TEST(test_http_1_0, setup),
        TEST(test_pipelining, setup),
        TEST(test_split_anywhere, setup),
        TEST(test_expect_continue, setup),
        TEST(test_head, setup),
        TEST(test_what_the_handler_sees, setup),
        TEST(test_interim_status, setup),
        TEST(test_not_found, setup),
        TEST(test_ambiguous, setup),
        TEST(test_nul_byte, setup),
        TEST(test_large_bodies, setup),
        TEST(test_body_too_large, setup_limits),
        TEST(test_head_too_large, setup_limits),
        TEST(test_refused_while_sending, setup),
        TEST(test_slow_clients, setup_limits),
        TEST(test_drip, setup_limits),
        TEST(test_timeout, setup),
        TEST(test_queue_full, server_setup),
        TEST(test_client_aborts, setup),
        TEST(test_access_log, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
