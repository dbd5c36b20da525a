/*
 * The steady state allocates nothing: a request through the bus costs no malloc() in bus and worker, one of a connection of the
 * worker's own none there. Counted in the real processes, by a library that LD_PRELOAD puts before the C library's.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"
#include "fail.h"
#include "lpm_auto_config.h"
#include "server.h"

/* As tests/modules/mallocs.c has it. */
#define MALLOCS_PIDS 4096u
#define MALLOCS_SIZE (MALLOCS_PIDS * sizeof(_Atomic uint64_t))

#define CLIENTS  8u
#define WARM     1000u
#define REQUESTS 1000u

static const _Atomic uint64_t *counts;

/* The file that the processes count in. */
static void map_counts(const struct server *s, char *path, size_t size)
{
    int fd = open(server_path(s, "mallocs", path, size), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *map = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, MALLOCS_SIZE) == 0) {
        map = mmap(NULL, MALLOCS_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    }
    if (map == MAP_FAILED) {
        fail_test("%s: cannot be mapped", path);
    }
    close(fd);
    counts = map;
}

static uint64_t count_of(pid_t pid)
{
    return atomic_load(&counts[(unsigned)pid % MALLOCS_PIDS]);
}

/* `number` requests, of all clients in turn, a few of them under way at once. */
static void load(struct client *clients, unsigned number, const char *body, size_t len)
{
    for (unsigned done = 0; done < number; done += CLIENTS) {
        for (unsigned i = 0; i < CLIENTS; i++) {
            client_request(&clients[i], len > 0 ? "POST" : "GET", "/echo?some=query",
                           "accept: text/html\r\nuser-agent: the test\r\n", body, len);
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
            assert_int_equal(client_status(&clients[i], CLIENT_MS), 200);
        }
    }
}

/* What 1000 requests cost the bus and the worker, behind the first 1000. */
static void check(const struct server *s, int port, const char *body, size_t len)
{
    pid_t bus = server_pid(s, "bus"), worker = server_pid(s, "worker");
    struct client clients[CLIENTS];
    uint64_t in_bus, in_worker;

    for (unsigned i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], port);
    }
    load(clients, WARM, body, len);
    in_bus = count_of(bus);
    in_worker = count_of(worker);
    assert_true(in_bus > 0 && in_worker > 0); /* it does count */
    load(clients, REQUESTS, body, len);
    assert_int_equal(count_of(bus) - in_bus, 0);
    assert_int_equal(count_of(worker) - in_worker, 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_close(&clients[i]);
    }
}

static void test_steady(void **state)
{
    struct server *s = *state;
    char path[4200], variable[4300];
    const char *wrapper[] = {"env", "LD_PRELOAD=" LPM_BUILD_DIR "/tests/modules/mallocs.so", variable, NULL};
    static const char body[2000] = "x";

#ifdef SERVER_SANITIZED
    skip(); /* it has a malloc of its own */
#endif
#if !LPM_HAVE_MALLINFO2
    skip(); /* not the GNU C library, whose malloc has the second name that the counter needs */
#endif
    map_counts(s, path, sizeof(path));
    snprintf(variable, sizeof(variable), "LPM_TEST_MALLOCS=%s", path);
    s->wrapper = wrapper;
    server_conf(s, SERVER_MODULES "worker { count 1; }\n"
                                  "http {\n"
                                  "    listen 127.0.0.1:0;\n"
                                  "    listen 127.0.0.1:0 handoff;\n"
                                  "    access_log logs/access.log;\n"
                                  "    location / { handler echo; timeout 20s; retries 1; }\n"
                                  "}\n");
    server_start(s, NULL);
    for (size_t i = 0; i < 2; i++) {
        check(s, s->ports[i], NULL, 0);
        check(s, s->ports[i], body, sizeof(body));
    }
    server_stop(s);
    munmap((void *)(uintptr_t)counts, MALLOCS_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_steady, server_setup, server_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
