/*
 * A request that kills workers is given up, and its like are refused: under load, over a reload, until they are released or
 * their time is over.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "crowd.h"
#include "ctl.h"
#include "loader/loader_build_id.h"
#include "server.h"
#include "wait.h"

#define LOG_MS 20000

static void start(struct server *s, const char *request)
{
    server_conf(s,
                SERVER_MODULES "load_module tmodules/crasher.so;\n"
                               "request { retries 3; %s }\n"
                               "worker { count 4; restarts 1000; }\n"
                               "http {\n"
                               "    listen 127.0.0.1:0;\n"
                               "    location / { handler crasher; }\n"
                               "    location /hello { handler hello; }\n"
                               "}\n",
                request);
    server_start(s, NULL);
}

/* The status of `GET /segv`, whose answer has to name its id. */
static int poison(struct server *s)
{
    struct response r;
    char id[64];
    int status = client_get(server_port(s), "/segv", &r);

    assert_non_null(client_field(&r, "x-request-id", id, sizeof(id)));
    assert_int_equal(strlen(id), 36);
    client_forget(&r);
    return status;
}

static size_t deaths(struct server *s)
{
    return server_log_count(s, "died of SIGSEGV: ");
}

/* The line of a death comes when the process is reaped, maybe after the answer. */
static void wait_for_deaths(struct server *s, size_t count)
{
    server_wait_log_count(s, "died of SIGSEGV: ", count, LOG_MS);
    assert_int_equal(deaths(s), count);
}

/* `lpmctl WORD ARGUMENT`; fails unless its output holds `text`. */
static void expect(struct server *s, const char *word, const char *argument, const char *text)
{
    struct run run;

    ctl_start(&run, s, word, argument, NULL);
    run_finish(&run, CTL_MS);
    assert_int_equal(run_exit(&run), 0);
    if (!strstr(run.out, text)) {
        fail_msg("lpmctl %s says:\n%s", word, run.out);
    }
    run_free(&run);
}

static void test_under_load(void **state)
{
    struct server *s = *state;
    struct crowd crowd;
    const char *line;
    char print[17];

    start(s, "");
    crowd_open(&crowd, server_port(s));
    for (int i = 0; i < 10; i++) {
        struct client c;
        crowd_send(&crowd);
        client_open(&c, server_port(s));
        client_request(&c, "GET", "/segv", "", "", 0);
        crowd_check(&crowd);
        crowd_until(&crowd, &c, CLIENT_MS);
        assert_int_equal(client_status(&c, CLIENT_MS), 500);
        client_close(&c);
    }
    crowd_close(&crowd);
    line = server_wait_log(s, "are in quarantine as ", LOG_MS);
    assert_non_null(strstr(line, "(GET /segv) has killed 2 workers: its like"));
    snprintf(print, sizeof(print), "%.16s", strstr(line, "quarantine as ") + strlen("quarantine as "));
    server_wait_log(s, "is refused: in quarantine as ", LOG_MS);
    wait_for_deaths(s, 2);
    expect(s, "status", NULL, print);
    expect(s, "status", NULL, "crasher GET /segv");
    expect(s, "quarantine", "list", print);

    /* Others of the same handler are none of its like. */
    assert_int_equal(client_get(server_port(s), "/other", NULL), 200);

    /* Let go, it is tried again. */
    expect(s, "release", print, "1 released");
    expect(s, "quarantine", NULL, "nothing is in quarantine");
    assert_int_equal(poison(s), 500);
    wait_for_deaths(s, 4);
    expect(s, "release", "all", "1 released");
    expect(s, "release", "all", "0 released");
    ctl(s, 1, "nothing is in quarantine as 12", "release", "12", NULL);
    ctl(s, 1, "expects a fingerprint", "release", "nonsense", NULL);
    server_stop(s);
}

static void test_reload(void **state)
{
    struct server *s = *state;
    char end[64];

    start(s, "");
    assert_int_equal(poison(s), 500);
    snprintf(end, sizeof(end), "bus (pid %d) exited with status 0", (int)server_pid(s, "bus"));
    ctl(s, 0, "", "reload", NULL);
    server_wait_log(s, end, LOG_MS);
    expect(s, "status", NULL, "crasher GET /segv");
    assert_int_equal(poison(s), 500);
    wait_for_deaths(s, 2);

    /* And the death of the bus. */
    server_mark(s);
    kill(server_pid(s, "bus"), SIGKILL);
    server_wait_log(s, "is online", LOG_MS);
    assert_int_equal(poison(s), 500);
    assert_int_equal(deaths(s), 0);
    server_stop(s);
}

/* Copies the module under the prefix, with the build-id that it has, or with another. */
static void write_module(const struct server *s, bool other)
{
    static const char from[] = LPM_BUILD_DIR "/tests/modules/crasher.so";
    char path[4200], id[LOADER_BUILD_ID_SIZE];
    unsigned char first[8];
    FILE *in = fopen(from, "r"), *out = fopen(server_path(s, "logs/crasher.so", path, sizeof(path)), "w");
    char *bytes = malloc(16u << 20), *note;
    size_t len;

    assert_true(in && out && bytes);
    len = fread(bytes, 1, 16u << 20, in);
    loader_build_id(from, id);
    for (size_t i = 0; i < sizeof(first); i++) {
        char digits[3] = {id[2 * i], id[2 * i + 1], '\0'};
        first[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    note = memmem(bytes, len, first, sizeof(first));
    assert_non_null(note);
    if (other) {
        *note = (char)~*note;
    }
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    fclose(in);
    fclose(out);
    free(bytes);
}

static void test_new_build(void **state)
{
    struct server *s = *state;

    server_conf(s, SERVER_MODULES "load_module logs/crasher.so;\n"
                                  "request { retries 3; }\n"
                                  "worker { count 2; restarts 1000; }\n"
                                  "http { listen 127.0.0.1:0; location / { handler crasher; } }\n");
    write_module(s, false);
    server_start(s, NULL);
    assert_int_equal(poison(s), 500);
    wait_for_deaths(s, 2);
    write_module(s, true);
    ctl(s, 0, "", "reload", NULL);
    expect(s, "quarantine", NULL, "nothing is in quarantine");
    assert_int_equal(poison(s), 500);
    wait_for_deaths(s, 4);
    /* The build before is as bad as it was. */
    write_module(s, false);
    ctl(s, 0, "", "reload", NULL);
    assert_int_equal(poison(s), 500);
    wait_for_deaths(s, 4);
    server_stop(s);
}

static void test_expiry(void **state)
{
    struct server *s = *state;

    start(s, "quarantine 500ms;");
    assert_int_equal(poison(s), 500);
    wait_for_deaths(s, 2);
    for (uint64_t end = wait_until(LOG_MS); deaths(s) == 2;) {
        assert_true(wait_left(end) > 0);
        assert_int_equal(poison(s), 500);
        poll(NULL, 0, 50);
    }
    server_stop(s);
}

static void test_off(void **state)
{
    struct server *s = *state;

    start(s, "quarantine 0;");
    assert_int_equal(poison(s), 500);
    assert_int_equal(poison(s), 500);
    wait_for_deaths(s, 4);
    expect(s, "quarantine", NULL, "nothing is in quarantine");
    server_stop(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_under_load), TEST(test_reload), TEST(test_new_build), TEST(test_expiry), TEST(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
