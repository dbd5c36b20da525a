/*
 * Starting, what the processes look like, the command line, and that nothing is left at the end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "server.h"

#define BASIC               \
    SERVER_MODULES          \
    "worker { count 2; }\n" \
    "http { listen 127.0.0.1:0; location / { handler echo; } location /hello { handler hello; } }\n"

static void start_basic(struct server *s)
{
    server_conf(s, BASIC);
    server_start(s, NULL);
}

/* -- Processes ----------------------------------------------------------------------------------------- */

static void test_answers(void **state)
{
    struct server *s = *state;
    struct response r;
    char room[128];

    start_basic(s);

    assert_int_equal(client_get(server_port(s), "/hello", &r), 200);
    assert_string_equal(r.body, "hello\n");
    assert_string_equal(client_field(&r, "content-type", room, sizeof(room)), "text/plain; charset=utf-8");
    assert_non_null(client_field(&r, "date", room, sizeof(room)));
    client_forget(&r);

    assert_int_equal(client_once(server_port(s), "POST", "/", "Content-Type: text/x-test\r\n", "hi", 2, &r),
                     200);
    assert_string_equal(r.body, "hi");
    assert_string_equal(client_field(&r, "content-type", room, sizeof(room)), "text/x-test");
    assert_string_equal(client_field(&r, "content-length", room, sizeof(room)), "2");
    client_forget(&r);

    server_stop(s);
}

static void test_titles_and_parents(void **state)
{
    static const char *const titles[] = {"lpm: master", "lpm: bus gen 1", "lpm: worker default/0 gen 1",
                                         "lpm: worker default/1 gen 1"};
    struct server *s = *state;
    pid_t pids[SERVER_PIDS_MAX];

    start_basic(s);
    assert_int_equal(server_pids(s, NULL, pids, SERVER_PIDS_MAX), 4);
    for (size_t i = 0; i < 4; i++) {
        pid_t pid = server_pid(s, titles[i] + strlen("lpm: "));
        char path[64], *status;
        int parent = 0;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        status = run_read_file(path);
        assert_non_null(status);
        assert_int_equal(sscanf(strstr(status, "\nPPid:"), "\nPPid: %d", &parent), 1);
        assert_int_equal(parent, i == 0 ? getpid() : s->pid);
        free(status);
    }
    server_stop(s);
}

static int status_number(pid_t pid, const char *name)
{
    char path[64], *status, *at;
    int value = -1;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    status = run_read_file(path);
    assert_non_null(status);
    at = strstr(status, name);
    assert_non_null(at);
    value = atoi(at + strlen(name));
    free(status);
    return value;
}

static void test_privileges(void **state)
{
    struct server *s = *state;
    pid_t pids[SERVER_PIDS_MAX];
    size_t count;

    if (geteuid() != 0) {
        skip();
    }
    start_basic(s);
    count = server_pids(s, NULL, pids, SERVER_PIDS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (pids[i] == s->pid) {
            assert_int_equal(status_number(pids[i], "\nUid:"), 0);
        } else {
            assert_int_not_equal(status_number(pids[i], "\nUid:"), 0);
            assert_int_not_equal(status_number(pids[i], "\nGid:"), 0);
            assert_int_equal(status_number(pids[i], "\nNoNewPrivs:"), 1);
        }
    }
    server_stop(s);
}

/* The inode of the socket that listens on the port. */
static unsigned long listen_inode(int port)
{
    char *table = run_read_file("/proc/net/tcp");
    unsigned long inode = 0;

    assert_non_null(table);
    for (char *line = table; line != NULL && inode == 0; line = strchr(line, '\n')) {
        unsigned local, st;
        unsigned long found;
        line += *line == '\n';
        if (sscanf(line, " %*d: %*x:%x %*x:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu", &local, &st, &found) ==
                3 &&
            local == (unsigned)port && st == 0x0a) {
            inode = found;
        }
    }
    free(table);
    return inode;
}

/* Counts the descriptors of `pid` that are (begin with) `what`; `total`: all of them. */
static size_t count_fds(pid_t pid, const char *what, size_t *total)
{
    char path[64], target[4096];
    struct dirent *entry;
    size_t count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    assert_non_null(dir);
    *total = 0;
    while ((entry = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = '\0';
            ++*total;
            count += strncmp(target, what, strlen(what)) == 0;
        }
    }
    closedir(dir);
    return count;
}

static void test_descriptors(void **state)
{
    static const char *const allowed[] = {"/dev/null", "pipe:", "anon_inode:", "/memfd:", "socket:"};
    struct server *s = *state;
    char listener[64], log[4200], secret[4200];
    pid_t workers[SERVER_PIDS_MAX];
    size_t count, total, known;
    int inherited;

    /* What a careless parent leaves open reaches neither bus nor workers. */
    inherited = open(server_path(s, "secret", secret, sizeof(secret)), O_RDWR | O_CREAT, 0600);
    assert_true(inherited > 2);
    start_basic(s);
    close(inherited);
    snprintf(listener, sizeof(listener), "socket:[%lu]", listen_inode(server_port(s)));
    server_path(s, "stderr.log", log, sizeof(log));

    count = server_pids(s, "worker", workers, SERVER_PIDS_MAX);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(count_fds(workers[i], listener, &total), 0);
        assert_int_equal(count_fds(workers[i], secret, &total), 0);
        assert_true(count_fds(workers[i], "socket:", &total) <= 3);
        known = count_fds(workers[i], log, &total);
        for (size_t k = 0; k < sizeof(allowed) / sizeof(*allowed); k++) {
            known += count_fds(workers[i], allowed[k], &total);
        }
        assert_int_equal(known, total);
    }
    assert_int_equal(count_fds(server_pid(s, "bus"), listener, &total), 1);
    assert_int_equal(count_fds(server_pid(s, "bus"), secret, &total), 0);
    server_stop(s);
}

/* -- The one instance ---------------------------------------------------------------------------------- */

static void test_second_instance(void **state)
{
    struct server *s = *state;
    struct run run;
    char pid[32];

    start_basic(s);
    snprintf(pid, sizeof(pid), "%d", (int)s->pid);
    server_command(s, &run, NULL);
    assert_int_equal(run_exit(&run), 1);
    assert_non_null(strstr(run.err, pid));
    run_free(&run);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

static void test_stale_pid_file(void **state)
{
    struct server *s = *state;

    server_conf(s, BASIC);
    server_write(s, "run/lpm.pid", "1\n");
    server_start(s, NULL);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);

    /* And what a killed one leaves: its file and the directory of its generation. */
    server_signal(s, SIGKILL);
    server_wait_exit(s, 5000);
    server_start(s, NULL);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

static void test_address_in_use(void **state)
{
    struct server *s = *state;
    struct server *other = server_new();
    struct run run;
    char address[64];

    start_basic(s);
    snprintf(address, sizeof(address), "127.0.0.1:%d", server_port(s));
    server_conf(other, SERVER_MODULES "http { listen %s; location / { handler echo; } }\n", address);
    server_command(other, &run, NULL);
    assert_int_equal(run_exit(&run), 1);
    assert_non_null(strstr(run.err, address));
    run_free(&run);
    server_check_clean(other);
    assert_int_equal(server_free(other), 0);
    server_stop(s);
}

/* -- The command line ---------------------------------------------------------------------------------- */

/* Runs lpm with the words and checks its exit status and that what it says holds `text`. */
static void check_command(const struct server *s, int status, const char *text, const char *a, const char *b)
{
    struct run run;

    server_command(s, &run, a, b, NULL);
    if (run_exit(&run) != status || (strstr(run.out, text) == NULL && strstr(run.err, text) == NULL)) {
        print_message("stdout: %s\nstderr: %s\n", run.out, run.err);
        fail_msg("lpm %s %s: status %d, expected %d and \"%s\"", a, b ? b : "", run_exit(&run), status, text);
    }
    run_free(&run);
}

static void test_options(void **state)
{
    static const struct {
        int status;
        const char *text, *a, *b;
    } cases[] = {
        {0, "lpm", "-v", NULL},
        {0, "onfigure", "-V", NULL},
        {0, "-t", "-h", NULL},
        {0, "successful", "-t", NULL},
        {0, "load_module modules/lpm_echo.so;", "-T", NULL},
        {0, "conf/lpm.conf", "-T", NULL},
        {1, "-Z", "-Z", NULL},
        {1, "conf/none.conf", "-c", "conf/none.conf"},
        {1, "wokers", "-tg", "wokers 2;"},
        {1, "in -g:1", "-tg", "wokers 2;"},
        {1, "run/lpm.pid", "-s", "stop"},
        {1, "nonsense", "-s", "nonsense"},
    };
    struct server *s = *state;

    server_conf(s, BASIC);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        check_command(s, cases[i].status, cases[i].text, cases[i].a, cases[i].b);
    }
    server_check_clean(s);
}

static void test_directives_of_the_command_line(void **state)
{
    struct server *s = *state;

    server_write(s, "conf/other.conf",
                 "error_log stderr info;\n" SERVER_MODULES
                 "http { listen 127.0.0.1:0; location / { handler hello; } }\n");
    server_start(s, "-c", "conf/other.conf", "-g", "pid run/other.pid; worker { count 3; }", NULL);
    assert_int_equal(client_get(server_port(s), "/", NULL), 200);
    assert_int_equal(access(server_path(s, "run/other.pid", (char[4200]){0}, 4200), F_OK), 0);
    assert_int_equal(server_pids(s, "worker", (pid_t[SERVER_PIDS_MAX]){0}, SERVER_PIDS_MAX), 3);
    server_stop(s);
}

static void test_signals_by_command(void **state)
{
    static const char *const words[] = {"stop", "quit"};
    struct server *s = *state;

    server_conf(s, BASIC);
    for (size_t i = 0; i < 2; i++) {
        struct run run;
        server_start(s, NULL);
        server_command(s, &run, "-s", words[i], NULL);
        assert_int_equal(run_exit(&run), 0);
        run_free(&run);
        assert_int_equal(server_wait_exit(s, SERVER_STOP_MS), 0);
        server_check_clean(s);
    }
}

static void test_daemon(void **state)
{
    struct server *s = *state;
    struct run run;

    server_write(s, "conf/lpm.conf", "daemon on;\nerror_log logs/error.log info;\n" BASIC);
    server_command(s, &run, NULL);
    assert_int_equal(run_exit(&run), 0);
    run_free(&run);
    server_adopt(s);
    server_wait_online(s);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    assert_int_equal(getsid(s->pid) == getsid(0), 0);
    server_command(s, &run, "-s", "quit", NULL);
    assert_int_equal(run_exit(&run), 0);
    run_free(&run);
    server_wait_exit(s, SERVER_STOP_MS);
    server_check_clean(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_titles_and_parents, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_privileges, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_descriptors, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_second_instance, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_stale_pid_file, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_address_in_use, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_options, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_directives_of_the_command_line, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_signals_by_command, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_daemon, server_setup, server_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
