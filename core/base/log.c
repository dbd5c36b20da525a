/*
 * The error log. Runs in every process; a line that cannot be written is dropped, and counted where all can see it.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

#define LINE_SIZE 2048

/* Shared by all processes that write to one log: the one that lost lines may be gone when writing works again. */
struct log_tally {
    _Atomic uint64_t lost; /* lines, that nobody has told of yet */
    _Atomic bool torn;     /* the last line that was written has no end */
};

static const char *const level_names[] = {"debug", "info", "notice", "warn", "error", "crit", "alert"};
#define LEVEL_COUNT ((int)(sizeof(level_names) / sizeof(level_names[0])))

void log_init(struct log *log, int fd, int level, const char *who)
{
    *log = (struct log){.fd = fd, .level = level};
    snprintf(log->who, sizeof(log->who), "%s", who);
}

void log_count_losses(struct log *log)
{
    void *place = mmap(NULL, sizeof(*log->tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    log->tally = place == MAP_FAILED ? NULL : place;
}

void log_fini(struct log *log)
{
    if (log->tally) {
        munmap(log->tally, sizeof(*log->tally));
        log->tally = NULL;
    }
}

void log_switch(struct log *log, int fd, bool and_stderr)
{
    dup3(fd, log->fd, O_CLOEXEC);
    if (and_stderr) {
        dup2(fd, STDERR_FILENO);
    }
    if (log->tally) {
        atomic_store(&log->tally->torn, false); /* that was in the file before */
    }
    close(fd);
}

int log_level_parse(const char *word)
{
    for (int i = 0; i < LEVEL_COUNT; i++) {
        if (strcmp(word, level_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

const char *log_level_name(int level)
{
    return level >= 0 && level < LEVEL_COUNT ? level_names[level] : "?";
}

/* Writes the line at `line`, before which there is room for one byte: all of it, or false. */
static bool put(const struct log *log, char *line, size_t len)
{
    bool torn = log->tally && atomic_exchange(&log->tally->torn, false);
    ssize_t n;

    if (torn) { /* the rest of that line must not become the beginning of this one */
        *--line = '\n';
        len++;
    }
    n = send(log->fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL); /* standard error may be somebody's socket */
    if (n < 0 && errno == ENOTSOCK) {
        n = write(log->fd, line, len);
    }
    if (n == (ssize_t)len) {
        return true;
    }
    if (log->tally && (n > 0 ? n > torn : torn)) {
        atomic_store(&log->tally->torn, true);
    }
    return false;
}

/* The whole line, with its end, at `line` (LINE_SIZE bytes). Its length. */
static size_t format(const struct log *log, char *line, int level, const char *prefix, const char *fmt,
                     va_list args) __attribute__((format(printf, 5, 0)));

static size_t format(const struct log *log, char *line, int level, const char *prefix, const char *fmt,
                     va_list args)
{
    struct timespec now;
    struct tm tm;
    size_t used;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    used = strftime(line, LINE_SIZE, "%Y/%m/%d %H:%M:%S", &tm);
    used += (size_t)snprintf(line + used, LINE_SIZE - used, ".%03ld [%s] %ld %s: %s%s", now.tv_nsec / 1000000,
                             log_level_name(level), (long)getpid(), log->who, prefix ? prefix : "",
                             prefix ? ": " : "");
    if (used >= LINE_SIZE) { /* a prefix that fills the line */
        used = LINE_SIZE - 1;
    }
    vsnprintf(line + used, LINE_SIZE - used, fmt, args);
    text_clean(line);
    used = strlen(line);
    line[used] = '\n'; /* takes the place of the NUL */
    return used + 1;
}

/* Writes one line, whatever became of others. */
static bool say(const struct log *log, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static bool say(const struct log *log, int level, const char *fmt, ...)
{
    char room[1 + LINE_SIZE];
    va_list args;
    size_t len;

    va_start(args, fmt);
    len = format(log, room + 1, level, NULL, fmt, args);
    va_end(args);
    return put(log, room + 1, len);
}

void log_write(const struct log *log, int level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_write_args(log, level, NULL, fmt, args);
    va_end(args);
}

void log_write_args(const struct log *log, int level, const char *prefix, const char *fmt, va_list args)
{
    char room[1 + LINE_SIZE];
    uint64_t lost;
    size_t len;

    if (log->fd < 0 || level < log->level) {
        return;
    }
    lost = log->tally ? atomic_exchange(&log->tally->lost, 0) : 0;
    if (lost > 0 && say(log, LPM_LOG_ERROR, "%llu lines of this log were lost", (unsigned long long)lost)) {
        lost = 0;
    }
    len = format(log, room + 1, level, prefix, fmt, args);
    if (lost > 0 || !put(log, room + 1, len)) {
        lost++;
    }
    if (lost > 0 && log->tally) {
        atomic_fetch_add(&log->tally->lost, lost);
    }
}
