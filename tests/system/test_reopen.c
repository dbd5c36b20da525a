/*
 * Logs: rotated under load, in every process; and a log that takes nothing, which costs lines and no request.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "ctl.h"
#include "fail.h"
#include "misdeed.h"
#include "server.h"
#include "wait.h"

#define HEAD SERVER_MODULES SERVER_MISDEED "worker { count 2; }\n"
#define HTTP(log)                                               \
    "http {\n"                                                  \
    "    listen 127.0.0.1:0;\n"                                 \
    "    access_log " log ";\n"                                 \
    "    keepalive_requests 1000000;\n"                         \
    "    location /hello { handler hello; }\n"                  \
    "    location /misdeed { handler misdeed; timeout 60s; }\n" \
    "}\n"

/* In the background, with both logs as files: nothing of lpm is to hold the old ones, standard error included. */
static void start_daemon(struct server *s)
{
    struct run run;

    server_write(
        s, "conf/lpm.conf",
        "daemon on;\npid run/lpm.pid;\nerror_log logs/error.log info;\n" HEAD HTTP("logs/access.log"));
    server_command(s, &run, NULL);
    assert_int_equal(run_exit(&run), 0);
    run_free(&run);
    server_adopt(s);
    server_wait_online(s);
}

static void move(const struct server *s, const char *from, const char *to)
{
    char a[4200], b[4200];
    assert_int_equal(rename(server_path(s, from, a, sizeof(a)), server_path(s, to, b, sizeof(b))), 0);
}

/* From now on the log is read from the new file. */
static void follow(struct server *s)
{
    int pidfd = s->pidfd;

    server_adopt(s);
    close(pidfd);
}

static char *read_text(const struct server *s, const char *name)
{
    char path[4200];
    char *text = run_read_file(server_path(s, name, path, sizeof(path)));

    if (text == NULL) {
        fail_test("%s: %s", path, strerror(errno));
    }
    return text;
}

/* How many descriptors of all of lpm's processes lead to that file. */
static size_t holders(const struct server *s, const char *name)
{
    pid_t pids[SERVER_PIDS_MAX];
    size_t count = server_pids(s, NULL, pids, SERVER_PIDS_MAX), found = 0;
    char want[4200], path[320], target[4200];

    server_path(s, name, want, sizeof(want));
    for (size_t i = 0; i < count; i++) {
        struct dirent *entry;
        DIR *dir;
        snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pids[i]);
        dir = opendir(path);
        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            ssize_t n;
            snprintf(path, sizeof(path), "/proc/%ld/fd/%.20s", (long)pids[i], entry->d_name);
            n = readlink(path, target, sizeof(target) - 1);
            target[n > 0 ? n : 0] = '\0';
            found += strcmp(target, want) == 0;
        }
        if (dir != NULL) {
            closedir(dir);
        }
    }
    return found;
}

/* Every line of the access log is whole; how many there are. */
static size_t check_access_log(const struct server *s, const char *name)
{
    char *text = read_text(s, name), *line, *end;
    size_t count = 0;

    for (line = text; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (end == NULL || strncmp(line, "127.0.0.1 - - [", 15) != 0) {
            fail_test("%s: a torn line: %.200s", name, line);
        }
        *end = '\0';
        if (run_count(line, "127.0.0.1 - - [") != 1 || strstr(line, " default/") == NULL) {
            fail_test("%s: a torn line: %.200s", name, line);
        }
        count++;
    }
    free(text);
    return count;
}

static void send_some(struct client *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        client_request(c, "GET", "/hello", "", "", 0);
        assert_int_equal(client_status(c, CLIENT_MS), 200);
    }
}

/* -- Rotating ----------------------------------------------------------------------------------------- */

/* Each way to ask for it, between requests; at the end each of them has its line, in one of the files. */
static void test_rotation(void **state)
{
    static const char *const names[][2] = {{"logs/error.1", "logs/access.1"},
                                           {"logs/error.2", "logs/access.2"},
                                           {"logs/error.3", "logs/access.3"}};
    struct server *s = *state;
    struct client c;
    struct run run;
    size_t lines = 0;
    char *text;

    start_daemon(s);
    client_open(&c, server_port(s));
    for (size_t i = 0; i < 3; i++) {
        send_some(&c, 500);
        assert_true(holders(s, "logs/error.log") >= 5); /* master, bus and workers; standard error too */
        move(s, "logs/error.log", names[i][0]);
        move(s, "logs/access.log", names[i][1]);
        if (i == 0) {
            ctl(s, 0, "", "reopen", NULL);
        } else if (i == 1) {
            server_command(s, &run, "-s", "reopen", NULL);
            assert_int_equal(run_exit(&run), 0);
            run_free(&run);
            ctl(s, 0, "", "reopen", NULL); /* waits until all have done it; it changes nothing more */
        } else {
            ctl_start(&run, s, "reopen", NULL);
            send_some(&c, 200);
            run_finish(&run, CTL_MS);
            assert_int_equal(run_exit(&run), 0);
            assert_string_equal(run.out, "2 logs are reopened\n");
            run_free(&run);
            lines += 200;
        }
        assert_int_equal(holders(s, names[i][0]), 0);
        assert_int_equal(holders(s, names[i][1]), 0);
        assert_int_equal(holders(s, "logs/access.log"), 2); /* master and bus */
        lines += 500;
    }
    client_close(&c);
    follow(s);
    server_mark(s);
    assert_int_equal(client_get(server_port(s), MISDEED("log=1"), NULL), 200);
    server_wait_log(s, "misdeed: line 1 of 1", SERVER_START_MS);
    server_signal(s, SIGTERM);
    server_wait_exit(s, SERVER_STOP_MS);
    for (size_t i = 0; i < 3; i++) {
        lines -= check_access_log(s, names[i][1]);
        text = read_text(s, names[i][0]);
        assert_int_equal(text[strlen(text) - 1], '\n');
        free(text);
    }
    assert_int_equal(check_access_log(s, "logs/access.log"), lines + 1);
    server_check_clean(s);
}

/* A worker that is forked later, and a bus that comes later, write to the new files. */
static void test_successors(void **state)
{
    struct server *s = *state;
    pid_t pids[2];

    start_daemon(s);
    move(s, "logs/error.log", "logs/error.1");
    move(s, "logs/access.log", "logs/access.1");
    ctl(s, 0, "", "reopen", NULL);
    follow(s);
    assert_int_equal(server_pids(s, "worker", pids, 2), 2);
    kill(pids[0], SIGKILL);
    server_wait_log(s, "died of SIGKILL", SERVER_START_MS);
    kill(server_pid(s, "bus"), SIGKILL);
    server_wait_log(s, "is online: generation 2", SERVER_START_MS);
    assert_int_equal(holders(s, "logs/error.1"), 0);
    assert_int_equal(holders(s, "logs/access.1"), 0);
    assert_int_equal(holders(s, "logs/access.log"), 2);
    server_stop(s);
}

/* A generation that drains, and has a worker that does not read now, changes as well. */
static void test_old_generation(void **state)
{
    struct server *s = *state;
    struct client slow;

    start_daemon(s);
    client_open(&slow, server_port(s));
    client_request(&slow, "GET", MISDEED_SLEEP("3000"), "", "", 0);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_signal(s, SIGHUP);
    server_wait_log(s, "is online: generation 2", SERVER_START_MS);
    move(s, "logs/error.log", "logs/error.1");
    move(s, "logs/access.log", "logs/access.1");
    ctl(s, 0, "", "reopen", NULL);
    follow(s);
    assert_int_equal(client_status(&slow, CLIENT_MS), 200);
    client_close(&slow);
    server_wait_log(s, "generation 1 has ended", SERVER_START_MS);
    assert_int_equal(holders(s, "logs/error.1"), 0);
    assert_int_equal(holders(s, "logs/access.1"), 0);
    server_stop(s);
    assert_int_equal(check_access_log(s, "logs/access.1") + check_access_log(s, "logs/access.log"), 2);
}

/* A generation that drains has handlers that run: they write to the old files, and lpmctl waits for them, too. */
static void test_draining_generation(void **state)
{
    struct server *s = *state;
    struct client slow;
    struct run run;

    start_daemon(s);
    client_open(&slow, server_port(s));
    client_request(&slow, "GET", MISDEED_SLEEP("3000"), "", "", 0);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    ctl(s, 0, "", "reload", NULL);
    move(s, "logs/error.log", "logs/error.1");
    ctl_start(&run, s, "reopen", NULL);
    run_finish(&run, CTL_MS);
    assert_int_equal(run_exit(&run), 0);
    assert_string_equal(run.out, "2 logs are reopened\n");
    assert_true(client_readable(&slow, 500)); /* it has been answered before */
    assert_int_equal(client_status(&slow, CLIENT_MS), 200);
    assert_int_equal(holders(s, "logs/error.1"), 0);
    run_free(&run);
    client_close(&slow);
    follow(s);
    server_stop(s);
}

/* Its handler runs: it gets the new file when it reads again, and lpmctl waits for that. */
static void test_busy_worker(void **state)
{
    struct server *s = *state;
    struct client slow;
    struct run run;

    start_daemon(s);
    client_open(&slow, server_port(s));
    client_request(&slow, "GET", MISDEED_SLEEP("1500"), "", "", 0);
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    move(s, "logs/error.log", "logs/error.1");
    ctl_start(&run, s, "reopen", NULL);
    assert_false(wait_gone(run.pidfd, wait_until(300)));
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    assert_int_equal(client_status(&slow, CLIENT_MS), 200);
    run_finish(&run, CTL_MS);
    assert_int_equal(run_exit(&run), 0);
    assert_int_equal(holders(s, "logs/error.1"), 0);
    run_free(&run);
    client_close(&slow);
    follow(s);
    server_stop(s);
}

/* One that does not come back is named, and nobody waits for it for ever. */
static void test_stopped_worker(void **state)
{
    struct server *s = *state;
    pid_t pids[2];
    char text[64];

    start_daemon(s);
    assert_int_equal(server_pids(s, "worker", pids, 2), 2);
    kill(pids[1], SIGSTOP);
    move(s, "logs/error.log", "logs/error.1");
    snprintf(text, sizeof(text), "(pid %d) has not taken its new log within 10 s", (int)pids[1]);
    ctl(s, 1, text, "reopen", NULL);
    assert_true(holders(s, "logs/error.1") > 0);
    kill(pids[1], SIGCONT);
    ctl(s, 0, "", "reopen", NULL);
    assert_int_equal(holders(s, "logs/error.1"), 0);
    follow(s);
    server_stop(s);
}

static void test_cannot_open(void **state)
{
    struct server *s = *state;
    char path[4200];
    struct client c;

    start_daemon(s);
    client_open(&c, server_port(s));
    move(s, "logs/access.log", "logs/access.1");
    server_path(s, "logs/access.log", path, sizeof(path));
    assert_int_equal(mkdir(path, 0755), 0);
    ctl(s, 1, "1 logs stay with their old files: the error log says why", "reopen", NULL);
    server_wait_log(s, "cannot open the log logs/access.log: Is a directory: it stays with the old file",
                    SERVER_START_MS);
    assert_int_equal(holders(s, "logs/access.1"), 2);
    send_some(&c, 3);
    assert_int_equal(rmdir(path), 0);
    ctl(s, 0, "", "reopen", NULL);
    send_some(&c, 4);
    client_close(&c);
    server_stop(s);
    assert_int_equal(check_access_log(s, "logs/access.1") + check_access_log(s, "logs/access.log"), 7);
}

/* -- A log that takes nothing ------------------------------------------------------------------------- */

/* The log's name leads to another file from now on. */
static void point(const struct server *s, const char *name, const char *target)
{
    char path[4200];

    server_path(s, name, path, sizeof(path));
    assert_true(unlink(path) == 0 || errno == ENOENT);
    assert_int_equal(symlink(target, path), 0);
    ctl(s, 0, "", "reopen", NULL);
}

static void test_full_device(void **state)
{
    struct server *s = *state;
    struct client c;

    start_daemon(s);
    point(s, "logs/access.log", "/dev/full");
    point(s, "logs/error.log", "/dev/full");
    client_open(&c, server_port(s));
    send_some(&c, 1000);
    assert_int_equal(client_get(server_port(s), MISDEED("log=100"), NULL), 200);
    assert_int_equal(client_get(server_port(s), MISDEED("crash"), NULL), 502);
    send_some(&c, 1);
    point(s, "logs/error.log", "error.2");
    follow(s);
    server_wait_log(s, " lines of this log were lost", SERVER_START_MS);
    assert_true(atoi(strstr(s->line, ": ") + 2) >= 101); /* theirs, and that of the death at least */
    point(s, "logs/access.log", "access.2");
    server_wait_log(s, " lines were lost while nothing could be written", SERVER_START_MS);
    client_close(&c);
    server_stop(s);
    check_access_log(s, "logs/access.2");
}

/* A file system that is full, and then has room again. */
static void test_full_disk(void **state)
{
    struct server *s = *state;
    struct client c;
    char path[4200], filler[4200];
    static const char zeroes[65536];
    int fd;

    server_path(s, "logs", path, sizeof(path));
    /* Of this process and its children only: it goes with them, whatever becomes of the test. */
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", path, "tmpfs", 0, "size=256k") != 0) {
        print_message("no file system of a size of its own: %s\n", strerror(errno));
        skip();
    }
    start_daemon(s);
    client_open(&c, server_port(s));
    send_some(&c, 100);
    fd = open(server_path(s, "logs/filler", filler, sizeof(filler)), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, zeroes, sizeof(zeroes)) > 0) {
    }
    close(fd);
    send_some(&c, 2000);
    assert_int_equal(client_get(server_port(s), MISDEED("log=200"), NULL), 200);
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(client_get(server_port(s), MISDEED("log=1"), NULL), 200);
    server_wait_log(s, " lines of this log were lost", SERVER_START_MS);
    server_wait_log(s, "misdeed: line 1 of 1", SERVER_START_MS);
    server_wait_log(s, " lines were lost while nothing could be written", SERVER_START_MS);
    client_close(&c);
    server_stop(s);
    assert_true(check_access_log(s, "logs/access.log") > 100);
    assert_int_equal(umount2(path, MNT_DETACH), 0); /* we read the log there */
}

/* Named pipes without a reader; then one comes, and reads whole lines. */
static void test_unread_fifos(void **state)
{
    struct server *s = *state;
    struct client c;
    char path[4200], *end;
    static char text[300000];
    size_t len = 0;
    ssize_t n;
    int fd;

    server_path(s, "logs/pipe", path, sizeof(path));
    assert_int_equal(mkfifo(path, 0600), 0);
    start_daemon(s);
    point(s, "logs/access.log", "pipe");
    client_open(&c, server_port(s));
    send_some(&c, 2000); /* more than pipe and buffer hold */
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    do {
        assert_true(wait_fd(fd, POLLIN, wait_until(CLIENT_MS)));
        n = read(fd, text + len, sizeof(text) - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
        text[len] = '\0';
    } while (run_count(text, "\n") < 500 || text[len - 1] != '\n');
    for (char *line = text; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_memory_equal(line, "127.0.0.1 - - [", 15);
        *end = '\0';
        assert_int_equal(run_count(line, "127.0.0.1 - - ["), 1);
    }
    server_wait_log(s, " lines were lost while nothing could be written", SERVER_START_MS);
    close(fd); /* it is gone: as good as one that does not read */
    send_some(&c, 100);
    client_close(&c);
    server_stop(s);
}

/* lpm's standard error is a pipe: first it is full, then its reader is gone. */
static void test_unread_stderr(void **state)
{
    struct server *s = *state;
    struct client c;
    int pipe_fds[2], log_fd = s->log_fd, port;
    char text[8192] = "", *said;
    size_t len = 0;

    server_conf(s, HEAD HTTP("off"));
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    s->log_fd = pipe_fds[1];
    server_launch(s, NULL);
    s->log_fd = log_fd;
    while (strstr(text, " is online") == NULL) {
        ssize_t n;
        assert_true(wait_fd(pipe_fds[0], POLLIN, wait_until(SERVER_START_MS)));
        n = read(pipe_fds[0], text + len, sizeof(text) - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
        text[len] = '\0';
    }
    assert_int_equal(fcntl(pipe_fds[1], F_GETFL) & O_NONBLOCK, 0); /* ours is as it was */
    said = strstr(text, "listening on 127.0.0.1:");
    assert_non_null(said);
    port = atoi(said + strlen("listening on 127.0.0.1:"));
    for (int gone = 0; gone < 2; gone++) {
        assert_int_equal(client_get(port, MISDEED("log=2000"), NULL), 200);
        assert_int_equal(client_get(port, MISDEED("crash"), NULL), 502);
        client_open(&c, port);
        send_some(&c, 100);
        client_close(&c);
        if (!gone) {
            close(pipe_fds[0]);
        }
    }
    close(pipe_fds[1]);
    server_stop(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rotation),       TEST(test_successors),
        TEST(test_busy_worker),    TEST(test_draining_generation),
        TEST(test_old_generation), TEST(test_stopped_worker),
        TEST(test_cannot_open),    TEST(test_full_device),
        TEST(test_full_disk),      TEST(test_unread_fifos),
        TEST(test_unread_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
