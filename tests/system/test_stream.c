/*
 * Streams between bus and workers where one side goes wrong, and descriptors that are no streams: tests/modules/courier.c
 * plays both ends, tests/modules/seed those that go well.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "server.h"
#include "wait.h"

#define LOG_MS       10000
#define SETTLE_TRIES 200

static void start(struct server *s)
{
    server_conf(s, SERVER_MODULES "load_module tmodules/courier.so;\n"
                                  "worker { count 1; restarts 100; }\n"
                                  "http { listen 127.0.0.1:0; location / { handler courier; } }\n");
    server_start(s, NULL);
}

/* Gives the order and waits for what is said of it. */
static void expect(struct server *s, const char *order, const char *said)
{
    char text[256];
    int status;

    server_mark(s);
    status = client_once(server_port(s), "POST", "/", "", order, strlen(order), NULL);
    assert_true(status == 204 || status == 200);
    snprintf(text, sizeof(text), "courier: %s: %s", order, said);
    server_wait_log(s, text, LOG_MS);
}

static size_t descriptors_of(pid_t pid)
{
    char path[64];
    size_t count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}

/* No more than they were; of the connection that was just closed, then or now, one may still be there. */
static void wait_descriptors(struct server *s, pid_t pid, size_t count)
{
    for (int i = 0; descriptors_of(pid) > count; i++) {
        assert_in_range(i, 0, SETTLE_TRIES);
        assert_false(wait_gone(s->pidfd, wait_until(10)));
    }
}

static void test_any_descriptor(void **state)
{
    struct server *s = *state;
    char order[64], path[256], where[4096];
    size_t bus, worker;

    start(s);
    server_write(s, "letter", "dear worker");
    server_path(s, "letter", where, sizeof(where));
    snprintf(order, sizeof(order), "file letter");
    snprintf(path, sizeof(path), "error 0, \"dear worker\"");
    expect(s, order, path);
    bus = descriptors_of(server_pid(s, "bus"));
    worker = descriptors_of(server_pid(s, "worker"));
    expect(s, order, path);
    expect(s, "pipe", "error 0, \"through a pipe\"");
    expect(s, "broadcast", "1");
    server_wait_log(s, "parcel: \"through a pipe\", then -4", LOG_MS);
    expect(s, "file nowhere", "refused, -2");
    expect(s, "answer-pipe", "5 bytes, ended");
    expect(s, "refuse-file", "error 0, \"-2 0\"");
    expect(s, "twice", "error 0, \"-4 -2\" Broken pipe");
    expect(s, "untaken", "error 0, \"1 0\" Broken pipe");
    wait_descriptors(s, server_pid(s, "bus"), bus);
    wait_descriptors(s, server_pid(s, "worker"), worker);
    server_stop(s);
}

/* All that the worker had written arrives, and then an error; more than any buffer holds, and nothing at all. */
static void test_writer_dies(void **state)
{
    struct server *s = *state;
    size_t bus;

    start(s);
    expect(s, "untaken", "error 0,");
    bus = descriptors_of(server_pid(s, "bus"));
    expect(s, "writer-dies 100000", "100000 bytes, Connection reset by peer");
    server_wait_log(s, "died of SIGKILL", LOG_MS);
    expect(s, "writer-dies 30000000", "30000000 bytes, Connection reset by peer");
    server_wait_log(s, "died of SIGKILL", LOG_MS);
    expect(s, "writer-dies 0", "0 bytes, Connection reset by peer");
    server_wait_log(s, "died of SIGKILL", LOG_MS);
    expect(s, "untaken", "error 0,");
    wait_descriptors(s, server_pid(s, "bus"), bus);
    server_stop(s);
}

/* It is not tried again, whatever its retries: what was read is gone. The writer is told. */
static void test_reader_dies(void **state)
{
    struct server *s = *state;

    start(s);
    expect(s, "reader-dies", "error -8, \"\" Broken pipe");
    server_wait_log(s, "0 requests requeued, 0 retried, 1 failed", LOG_MS);
    server_stop(s);
}

/* The answer is dropped, and so is its stream. */
static void test_late(void **state)
{
    struct server *s = *state;

    start(s);
    expect(s, "late", "cancelled, 0");
    server_wait_log(s, "courier: late: -6, Broken pipe", LOG_MS);
    server_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_any_descriptor),
        TEST(test_writer_dies),
        TEST(test_reader_dies),
        TEST(test_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
