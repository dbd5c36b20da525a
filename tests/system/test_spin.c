/*
 * `spin`: all is answered as without it, through the bus and direct, and who has nothing to do takes no time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "fail.h"
#include "server.h"

#define REQUESTS 300u
#define IDLE_MS  500

/* The processor time that the process has had, in ticks of the clock that `sysconf(_SC_CLK_TCK)` counts. */
static unsigned long ticks_of(pid_t pid)
{
    unsigned long user = 0, system = 0;
    char path[64], line[1024];
    const char *end = NULL;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        end = strrchr(line, ')'); /* the name may hold anything */
    }
    if (end == NULL ||
        sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
        fail_test("%s: cannot be read", path);
    }
    fclose(file);
    return user + system;
}

static void ask(int port)
{
    struct client c;

    client_open(&c, port);
    for (unsigned i = 0; i < REQUESTS; i++) {
        client_request(&c, "GET", "/", "", NULL, 0);
        assert_int_equal(client_status(&c, CLIENT_MS), 200);
    }
    client_close(&c);
}

static void test_spin(void **state)
{
    const struct timespec idle = {0, IDLE_MS * 1000000L};
    struct server *s = *state;
    pid_t pids[2];
    unsigned long before;

    server_conf(s, SERVER_MODULES "spin 1000us;\n"
                                  "worker { count 1; }\n"
                                  "http {\n"
                                  "    listen 127.0.0.1:0;\n"
                                  "    listen 127.0.0.1:0 handoff;\n"
                                  "    location / { handler hello; }\n"
                                  "}\n");
    server_start(s, NULL);
    ask(s->ports[0]);
    ask(s->ports[1]);
    pids[0] = server_pid(s, "bus");
    pids[1] = server_pid(s, "worker");
    before = ticks_of(pids[0]) + ticks_of(pids[1]);
    nanosleep(&idle, NULL); /* what is measured is that nothing happens in it */
    assert_in_range(ticks_of(pids[0]) + ticks_of(pids[1]) - before, 0,
                    (unsigned long)sysconf(_SC_CLK_TCK) * IDLE_MS / 1000 / 10);
    server_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_spin, server_setup, server_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
