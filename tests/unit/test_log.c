/*
 * The error log's lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

struct capture {
    int fds[2];
    char text[8192];
};

static void capture_open(struct capture *c)
{
    assert_int_equal(pipe2(c->fds, O_CLOEXEC | O_NONBLOCK), 0);
}

/* What was written since the last call; "" for nothing. */
static const char *captured(struct capture *c)
{
    ssize_t n = read(c->fds[0], c->text, sizeof(c->text) - 1);
    c->text[n > 0 ? n : 0] = '\0';
    return c->text;
}

static void capture_close(struct capture *c)
{
    close(c->fds[0]);
    close(c->fds[1]);
}

static void test_line(void **state)
{
    (void)state;
    struct capture c;
    struct log log;
    regex_t form;
    char want[256];

    capture_open(&c);
    log_init(&log, c.fds[1], LPM_LOG_INFO, "worker default/0");
    log_write(&log, LPM_LOG_WARN, "pool %s: %d of %d", "images", 3, 4);
    snprintf(want, sizeof(want),
             "^[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} "
             "\\[warn\\] %ld worker default/0: pool images: 3 of 4\n$",
             (long)getpid());
    assert_int_equal(regcomp(&form, want, REG_EXTENDED | REG_NOSUB), 0);
    assert_int_equal(regexec(&form, captured(&c), 0, NULL, 0), 0);
    regfree(&form);
    capture_close(&c);
}

static void write_prefixed(const struct log *log, const char *prefix, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void write_prefixed(const struct log *log, const char *prefix, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_write_args(log, LPM_LOG_ERROR, prefix, fmt, args);
    va_end(args);
}

static void test_prefix(void **state)
{
    (void)state;
    struct capture c;
    struct log log;

    capture_open(&c);
    log_init(&log, c.fds[1], LPM_LOG_DEBUG, "bus");
    write_prefixed(&log, "echo", "no %s", "room");
    assert_non_null(strstr(captured(&c), " bus: echo: no room\n"));
    capture_close(&c);
}

static void test_levels(void **state)
{
    (void)state;
    struct capture c;
    struct log log;

    capture_open(&c);
    for (int least = LPM_LOG_DEBUG; least <= LPM_LOG_ALERT; least++) {
        log_init(&log, c.fds[1], least, "bus");
        for (int level = LPM_LOG_DEBUG; level <= LPM_LOG_ALERT; level++) {
            log_write(&log, level, "x");
            assert_int_equal(captured(&c)[0] != '\0', level >= least);
        }
    }
    capture_close(&c);
    for (int level = LPM_LOG_DEBUG; level <= LPM_LOG_ALERT; level++) {
        assert_int_equal(log_level_parse(log_level_name(level)), level);
    }
    assert_string_equal(log_level_name(LPM_LOG_DEBUG), "debug");
    assert_string_equal(log_level_name(LPM_LOG_ALERT), "alert");
    assert_string_equal(log_level_name(-1), "?");
    assert_string_equal(log_level_name(LPM_LOG_ALERT + 1), "?");
    assert_int_equal(log_level_parse("fatal"), -1);
    assert_int_equal(log_level_parse(""), -1);
    assert_int_equal(log_level_parse("WARN"), -1);
}

static void test_no_line_is_forged(void **state)
{
    (void)state;
    struct capture c;
    struct log log;
    const char *text;

    capture_open(&c);
    log_init(&log, c.fds[1], LPM_LOG_DEBUG, "bus");
    log_write(&log, LPM_LOG_INFO, "%s", "a\r\n2026/01/01 [alert] 1 master: b\x1b[2J");
    text = captured(&c);
    assert_non_null(strstr(text, "a??2026/01/01 [alert] 1 master: b?[2J\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    capture_close(&c);
}

/* Whichever part is too long, the line has 2 KiB and its end. */
static void test_cut(void **state)
{
    (void)state;
    static const size_t lengths[] = {1900, 1960, 1990, 2000, 2010, 2020, 2047, 2048, 2049, 5000};
    struct capture c;
    struct log log;
    char text[5001];

    capture_open(&c);
    log_init(&log, c.fds[1], LPM_LOG_DEBUG, "bus");
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (int prefixed = 0; prefixed < 2; prefixed++) {
            memset(text, 'x', sizeof(text));
            text[lengths[i]] = '\0';
            if (prefixed) {
                write_prefixed(&log, text, "%s", "short");
            } else {
                log_write(&log, LPM_LOG_INFO, "%s", text);
            }
            const char *line = captured(&c);
            size_t len = strlen(line);
            assert_true(len <= 2048);
            assert_true(len == 2048 || lengths[i] < 2048);
            assert_ptr_equal(strchr(line, '\n'), line + len - 1);
        }
    }
    capture_close(&c);
}

static void test_nowhere_to_write(void **state)
{
    (void)state;
    struct log log;
    struct capture c;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    log_init(&log, -1, LPM_LOG_DEBUG, "bus");
    log_write(&log, LPM_LOG_ALERT, "dropped");
    assert_true(full >= 0);
    log_init(&log, full, LPM_LOG_DEBUG, "bus");
    log_write(&log, LPM_LOG_ALERT, "dropped");
    close(full);
    log_write(&log, LPM_LOG_ALERT, "dropped"); /* closed by now */

    signal(SIGPIPE, SIG_IGN);
    capture_open(&c);
    close(c.fds[0]);
    log_init(&log, c.fds[1], LPM_LOG_DEBUG, "bus");
    log_write(&log, LPM_LOG_ALERT, "dropped");
    close(c.fds[1]);
}

static size_t drain(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t n;

    while ((n = read(fd, text + len, size - 1 - len)) > 0) {
        len += (size_t)n;
    }
    text[len] = '\0';
    return len;
}

/* What a full pipe does not take is counted, by all processes together, and the first line that finds room tells. */
static void test_losses_are_counted(void **state)
{
    (void)state;
    static char text[1 << 20];
    struct capture c;
    struct log log;
    int status;
    pid_t pid;

    capture_open(&c);
    log_init(&log, c.fds[1], LPM_LOG_DEBUG, "bus");
    log_count_losses(&log);
    assert_non_null(log.tally);
    do {
        log_write(&log, LPM_LOG_INFO, "%02000d", 1);
        status = (int)write(c.fds[1], text, 4096);
    } while (status == 4096);
    assert_true(drain(c.fds[0], text, sizeof(text)) > 0);
    log_write(&log, LPM_LOG_INFO, "room"); /* may tell of the last of those */
    while (write(c.fds[1], text, 4096) == 4096) {
    }
    log_write(&log, LPM_LOG_INFO, "lost");
    pid = fork();
    if (pid == 0) {
        log_write(&log, LPM_LOG_INFO, "lost");
        log_write(&log, LPM_LOG_INFO, "lost");
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    drain(c.fds[0], text, sizeof(text));
    log_write(&log, LPM_LOG_INFO, "again");
    drain(c.fds[0], text, sizeof(text));
    assert_non_null(strstr(text, "[error]"));
    assert_non_null(strstr(text, " bus: 3 lines of this log were lost\n"));
    assert_true(strstr(text, " bus: again\n") > strstr(text, " were lost\n"));
    log_write(&log, LPM_LOG_INFO, "more");
    drain(c.fds[0], text, sizeof(text));
    assert_null(strstr(text, "lost"));
    log_fini(&log);
    assert_null(log.tally);
    capture_close(&c);
}

/* A file at the limit of its size takes the beginning of a line: the next one begins a new line. */
static void test_torn_line(void **state)
{
    (void)state;
    struct rlimit old, limit;
    struct log log;
    char text[4096], *second;
    int fd = open("torn.log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

    signal(SIGXFSZ, SIG_IGN);
    log_init(&log, fd, LPM_LOG_DEBUG, "bus");
    log_count_losses(&log);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 30;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_write(&log, LPM_LOG_INFO, "first");
    log_write(&log, LPM_LOG_INFO, "second");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    log_write(&log, LPM_LOG_INFO, "third");
    log_write(&log, LPM_LOG_INFO, "fourth");
    text[pread(fd, text, sizeof(text) - 1, 0)] = '\0';
    second = strchr(text, '\n');
    assert_int_equal(second - text, 30);
    assert_non_null(strstr(second, " bus: 2 lines of this log were lost\n"));
    assert_non_null(strstr(second, " bus: third\n"));
    assert_non_null(strstr(second, " bus: fourth\n"));
    assert_null(strstr(second + 1, "\n\n"));
    log_fini(&log);
    close(fd);
}

/* Whoever knows the number writes to the new file. */
static void test_switch(void **state)
{
    (void)state;
    struct capture old, new;
    struct log log;
    int number;

    capture_open(&old);
    capture_open(&new);
    number = old.fds[1];
    log_init(&log, number, LPM_LOG_DEBUG, "bus");
    log_switch(&log, dup(new.fds[1]), false);
    assert_int_equal(log.fd, number);
    assert_true(fcntl(number, F_GETFD) & FD_CLOEXEC);
    log_write(&log, LPM_LOG_INFO, "moved");
    assert_non_null(strstr(captured(&new), " bus: moved\n"));
    assert_int_equal(read(old.fds[0], old.text, 1), 0); /* its end: nobody has it any more */
    capture_close(&old);
    capture_close(&new);
}

/* Somebody's socket is not waited for, though it blocks. */
static void test_socket(void **state)
{
    (void)state;
    static char text[1 << 20];
    struct log log;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    log_init(&log, fds[1], LPM_LOG_DEBUG, "bus");
    for (int i = 0; i < 2000; i++) {
        log_write(&log, LPM_LOG_INFO, "%01000d", i);
    }
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_true(drain(fds[0], text, sizeof(text)) > 1000);
    assert_int_equal(text[strlen(text) - 1], '\n');
    close(fds[0]);
    log_write(&log, LPM_LOG_INFO, "dropped");
    close(fds[1]);
}

/* Lines of several processes do not mix. */
static void test_many_writers(void **state)
{
    (void)state;
    enum { WRITERS = 4, LINES = 200 };
    char line[4096];
    int counts[WRITERS] = {0};
    FILE *file;
    struct log log;
    int fd = open("shared.log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    for (int w = 0; w < WRITERS; w++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            log_init(&log, fd, LPM_LOG_DEBUG, "w");
            for (int i = 0; i < LINES; i++) {
                log_write(&log, LPM_LOG_INFO, "%0*d", 100 + 400 * w, w);
            }
            _exit(0);
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    close(fd);
    file = fopen("shared.log", "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        const char *text = strstr(line, " w: ");
        assert_non_null(text);
        int w = line[strlen(line) - 2] - '0';
        assert_in_range(w, 0, WRITERS - 1);
        assert_int_equal(strlen(text), 4 + 100 + 400 * w + 1);
        counts[w]++;
    }
    fclose(file);
    for (int w = 0; w < WRITERS; w++) {
        assert_int_equal(counts[w], LINES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),         cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_levels),       cmocka_unit_test(test_no_line_is_forged),
        cmocka_unit_test(test_cut),          cmocka_unit_test(test_nowhere_to_write),
        cmocka_unit_test(test_many_writers), cmocka_unit_test(test_losses_are_counted),
        cmocka_unit_test(test_torn_line),    cmocka_unit_test(test_switch),
        cmocka_unit_test(test_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
