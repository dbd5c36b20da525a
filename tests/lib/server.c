/*
 * Driving the real lpm. Runs in test programs. lpm's standard error is a file that inotify watches: nothing that
 * lpm says can block it, and no line is missed. Fails the test where the system refuses.
 */
#include "server.h"

#include <stdarg.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "wait.h"

#define SERVER_ARGS_MAX 16
#define SERVER_LPM      LPM_BUILD_DIR "/lpm"

/* -- What it says -------------------------------------------------------------------------------------- */

/* Reads what has been written since the last time. */
static void server_read_log(struct server *s)
{
    for (;;) {
        ssize_t n = pread(s->log_fd, s->log + s->log_len, s->log_size - s->log_len - 1, (off_t)s->log_len);
        if (n <= 0) {
            return;
        }
        s->log_len += (size_t)n;
        s->log[s->log_len] = '\0';
        if (s->log_len + 1 == s->log_size) {
            char *larger = realloc(s->log, s->log_size * 2);
            if (larger == NULL) {
                fail_test("no memory");
            }
            s->log = larger;
            s->log_size *= 2;
        }
    }
}

/* The last part of the log, for people. */
static void server_print_log(struct server *s)
{
    const char *at;

    server_read_log(s);
    print_message("---- the end of lpm's log\n");
    /* cmocka cuts what is longer than 1024 bytes */
    for (at = s->log_len > 6000 ? s->log + s->log_len - 6000 : s->log; *at; at += strnlen(at, 1000)) {
        print_message("%.1000s", at);
    }
    print_message("---- end\n");
}

/* Fails the test with the last part of the log. */
static void __attribute__((noreturn)) server_fail(struct server *s, const char *what, const char *text)
{
    server_print_log(s);
    fail_test("%s%s", what, text);
}

/* -- The prefix ---------------------------------------------------------------------------------------- */

const char *server_path(const struct server *s, const char *name, char *room, size_t size)
{
    int n = snprintf(room, size, "%s/%s", s->prefix, name);

    if (n < 0 || (size_t)n >= size) {
        fail_test("the path of %s is too long", name);
    }
    return room;
}

static void server_link(const struct server *s, const char *target, const char *name)
{
    char path[4200];

    if (symlink(target, server_path(s, name, path, sizeof(path))) < 0) {
        fail_test("%s: %s", path, strerror(errno));
    }
}

static void server_mkdir(const struct server *s, const char *name)
{
    char path[4200];

    if (mkdir(server_path(s, name, path, sizeof(path)), 0755) < 0) {
        fail_test("%s: %s", path, strerror(errno));
    }
}

/* Makes the file that the log is read from, empty, and watches it. */
static void server_open_log(struct server *s, const char *name)
{
    char path[4200];

    server_path(s, name, path, sizeof(path));
    s->log_fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    s->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (s->log_fd < 0 || s->notify < 0 || inotify_add_watch(s->notify, path, IN_MODIFY) < 0) {
        fail_test("%s: %s", path, strerror(errno));
    }
    s->log_len = s->mark = 0;
    s->log[0] = '\0';
}

struct server *server_new(void)
{
    struct server *s = calloc(1, sizeof(*s));
    char here[3900];

    if (s == NULL || (s->log = malloc(s->log_size = 65536)) == NULL || getcwd(here, sizeof(here)) == NULL) {
        fail_test("no memory");
    }
    s->pidfd = -1;
    s->program = SERVER_LPM;
    snprintf(s->prefix, sizeof(s->prefix), "%s/lpm.XXXXXX", here);
    if (mkdtemp(s->prefix) == NULL || chmod(s->prefix, 0755) < 0) {
        fail_test("%s: %s", s->prefix, strerror(errno));
    }
    server_mkdir(s, "conf");
    server_mkdir(s, "logs");
    server_mkdir(s, "run");
    server_link(s, LPM_BUILD_DIR "/modules", "modules");
    server_link(s, LPM_BUILD_DIR "/tests/modules", "tmodules");
    server_link(s, LPM_BUILD_DIR "/tests/abi", "abi");
    server_open_log(s, "stderr.log");
    return s;
}

static int server_unlink(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    remove(path);
    return 0;
}

int server_free(struct server *s)
{
    pid_t pids[SERVER_PIDS_MAX];
    size_t count, left = 0;

    if (s->pid > 0) {
        server_print_log(s);
        kill(s->pid, SIGKILL);
        wait_gone(s->pidfd, wait_until(5000));
        if (s->ours) {
            waitpid(s->pid, NULL, 0);
        }
        close(s->pidfd);
        left++;
    }
    while ((count = server_pids(s, NULL, pids, SERVER_PIDS_MAX)) > 0) {
        for (size_t i = 0; i < count; i++) {
            int pidfd = wait_open(pids[i]);
            kill(pids[i], SIGKILL);
            if (pidfd >= 0) {
                wait_gone(pidfd, wait_until(5000));
                close(pidfd);
            }
        }
        left += count;
    }
    nftw(s->prefix, server_unlink, 16, FTW_DEPTH | FTW_PHYS);
    close(s->notify);
    close(s->log_fd);
    free(s->log);
    free(s);
    return left > 0 ? -1 : 0;
}

int server_setup(void **state)
{
    *state = server_new();
    return 0;
}

int server_teardown(void **state)
{
    return server_free(*state);
}

void server_write(const struct server *s, const char *name, const char *text)
{
    char path[4200], whole[4300];
    FILE *f;

    server_path(s, name, path, sizeof(path));
    snprintf(whole, sizeof(whole), "%s.new", path);
    f = fopen(whole, "we");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 || rename(whole, path) != 0) {
        fail_test("%s: %s", path, strerror(errno));
    }
}

void server_conf(struct server *s, const char *fmt, ...)
{
    char text[16384];
    size_t head = (size_t)snprintf(text, sizeof(text), "error_log stderr info;\npid run/lpm.pid;\n");
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text + head, sizeof(text) - head, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(text) - head) {
        fail_test("the configuration is too long");
    }
    server_write(s, "conf/lpm.conf", text);
}

/* -- The log ------------------------------------------------------------------------------------------- */

void server_mark(struct server *s)
{
    server_read_log(s);
    s->mark = s->log_len;
}

/* The `count`th whole line after the mark that holds `text`, copied to s->line; NULL: there is none. `*seen` is
 * how many there are. */
static const char *server_find_line(struct server *s, const char *text, size_t count, size_t *seen)
{
    const char *end;

    *seen = 0;
    for (const char *at = s->log + s->mark;
         (end = memchr(at, '\n', (size_t)(s->log + s->log_len - at))) != NULL; at = end + 1) {
        size_t len = (size_t)(end - at);
        if (memmem(at, len, text, strlen(text)) != NULL && ++*seen == count) {
            snprintf(s->line, sizeof(s->line), "%.*s", (int)len, at);
            return s->line;
        }
    }
    return NULL;
}

const char *server_wait_log_count(struct server *s, const char *text, size_t count, int timeout_ms)
{
    uint64_t deadline = wait_until(timeout_ms);
    bool over = false;
    size_t seen;

    for (;;) {
        char events[4096];
        while (read(s->notify, events, sizeof(events)) > 0) {
        }
        server_read_log(s);
        if (server_find_line(s, text, count, &seen) != NULL) {
            return s->line;
        }
        if (over) {
            server_fail(s, "the log does not say: ", text);
        }
        struct pollfd p[2] = {{.fd = s->notify, .events = POLLIN}, {.fd = s->pidfd, .events = POLLIN}};
        /* Once more after the deadline or the master's death: the last lines may have come with it. */
        over = poll(p, 2, wait_left(deadline)) == 0 || p[1].revents != 0;
    }
}

const char *server_wait_log(struct server *s, const char *text, int timeout_ms)
{
    return server_wait_log_count(s, text, 1, timeout_ms);
}

size_t server_log_count(struct server *s, const char *text)
{
    size_t seen;

    server_read_log(s);
    server_find_line(s, text, 0, &seen);
    return seen;
}

/* -- Starting ------------------------------------------------------------------------------------------ */

/* lpm -p PREFIX and what follows up to NULL. */
static void server_args(const struct server *s, const char **argv, va_list args)
{
    size_t n = 0;

    for (const char *const *word = s->wrapper; word != NULL && *word != NULL; word++) {
        argv[n++] = *word;
    }
    argv[n++] = s->program;
    argv[n++] = "-p";
    argv[n++] = s->prefix;
    do {
        argv[n] = va_arg(args, const char *);
    } while (argv[n++] != NULL && n < SERVER_ARGS_MAX);
    argv[SERVER_ARGS_MAX - 1] = NULL;
}

/* As sd_listen_fds(3) wants it. First above all that are to be handed over, so that none is in another's place. */
static void server_hand_over(const struct server *s)
{
    char text[32];

    for (size_t i = 0; i < s->handed_count; i++) {
        if (dup2(s->handed[i], 200 + (int)i) < 0) {
            _exit(126);
        }
    }
    for (size_t i = 0; i < s->handed_count; i++) {
        dup2(200 + (int)i, 3 + (int)i);
        close(200 + (int)i);
    }
    if (s->handed_count > 0) {
        snprintf(text, sizeof(text), "%zu", s->handed_count);
        setenv("LISTEN_FDS", text, 1);
        snprintf(text, sizeof(text), "%ld", (long)getpid());
        setenv("LISTEN_PID", text, 1);
        setenv("LISTEN_FDNAMES", s->handed_names, 1);
    }
}

static void server_exec(const struct server *s, const char *const *argv, pid_t parent)
{
    int null = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(s->log_fd, 2) < 0) {
        _exit(126);
    }
    server_hand_over(s);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void server_launch_args(struct server *s, va_list args)
{
    const char *argv[SERVER_ARGS_MAX];
    pid_t parent = getpid();

    server_args(s, argv, args);
    server_mark(s);
    s->port_count = 0;
    s->pid = fork();
    if (s->pid == 0) {
        server_exec(s, argv, parent);
    }
    s->pidfd = wait_open(s->pid);
    s->ours = true;
    if (s->pid < 0 || s->pidfd < 0) {
        fail_test("cannot start lpm: %s", strerror(errno));
    }
}

void server_launch(struct server *s, ...)
{
    va_list args;

    va_start(args, s);
    server_launch_args(s, args);
    va_end(args);
}

void server_start(struct server *s, ...)
{
    va_list args;

    va_start(args, s);
    server_launch_args(s, args);
    va_end(args);
    server_wait_online(s);
}

void server_command(const struct server *s, struct run *run, ...)
{
    const char *argv[SERVER_ARGS_MAX];
    va_list args;

    va_start(args, run);
    server_args(s, argv, args);
    va_end(args);
    run_command(run, 30000, argv);
}

void server_wait_online(struct server *s)
{
    static const char said[] = "listening on 127.0.0.1:";
    const char *line;
    size_t seen;

    server_wait_log(s, " is online: generation", SERVER_START_MS);
    s->port_count = 0;
    while (s->port_count < SERVER_PORTS_MAX &&
           (line = server_find_line(s, said, s->port_count + 1, &seen)) != NULL) {
        s->ports[s->port_count++] = atoi(strstr(line, said) + strlen(said));
    }
}

void server_adopt(struct server *s)
{
    char path[4200];
    char *text = run_read_file(server_path(s, "run/lpm.pid", path, sizeof(path)));

    if (text == NULL || (s->pid = atoi(text)) <= 0 || (s->pidfd = wait_open(s->pid)) < 0) {
        fail_test("%s names no process: %s", path, text == NULL ? strerror(errno) : text);
    }
    free(text);
    s->ours = false;
    close(s->notify);
    close(s->log_fd);
    server_open_log(s, "logs/error.log");
}

void server_follow(struct server *s, pid_t pid)
{
    s->pid = pid;
    s->ours = false;
    s->pidfd = wait_open(pid);
    if (s->pidfd < 0) {
        fail_test("there is no process %d: %s", (int)pid, strerror(errno));
    }
}

int server_port(const struct server *s)
{
    if (s->port_count == 0) {
        fail_test("lpm listens nowhere");
    }
    return s->ports[0];
}

/* -- Ending -------------------------------------------------------------------------------------------- */

void server_signal(const struct server *s, int number)
{
    if (s->pid <= 0 || kill(s->pid, number) < 0) {
        fail_test("cannot signal the master: it is not there");
    }
}

int server_wait_exit(struct server *s, int timeout_ms)
{
    int status = 0;

    if (!wait_gone(s->pidfd, wait_until(timeout_ms))) {
        server_read_log(s);
        server_fail(s, "the master did not end in time", "");
    }
    if (s->ours) {
        waitpid(s->pid, &status, 0);
    }
    close(s->pidfd);
    s->pidfd = -1;
    s->pid = 0;
    server_read_log(s);
    return status;
}

void server_check_clean(struct server *s)
{
    pid_t pids[SERVER_PIDS_MAX];
    char path[4200];
    DIR *dir = opendir(server_path(s, "run", path, sizeof(path)));
    struct dirent *entry;

    if (dir == NULL) {
        fail_test("%s: %s", path, strerror(errno));
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(s->line, sizeof(s->line), "%s", entry->d_name);
            closedir(dir);
            server_fail(s, "lpm left a file behind: run/", s->line);
        }
    }
    closedir(dir);
    if (server_pids(s, NULL, pids, SERVER_PIDS_MAX) > 0) {
        snprintf(s->line, sizeof(s->line), "%d", (int)pids[0]);
        server_fail(s, "lpm left a process behind: ", s->line);
    }
}

void server_stop(struct server *s)
{
    int status;

    server_signal(s, SIGTERM);
    status = server_wait_exit(s, SERVER_STOP_MS);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        snprintf(s->line, sizeof(s->line), "%#x", (unsigned)status);
        server_fail(s, "after SIGTERM the master's wait status was ", s->line);
    }
    server_check_clean(s);
}
