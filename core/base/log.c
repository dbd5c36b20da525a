/*
 * The error log. Runs in every process; a line that cannot be written is dropped.
 */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

#define LINE_SIZE 2048

static const char *const level_names[] = {"debug", "info", "notice", "warn", "error", "crit", "alert"};
#define LEVEL_COUNT ((int) (sizeof(level_names) / sizeof(level_names[0])))

void log_init(struct log *log, int fd, int level, const char *who)
{
    log->fd = fd;
    log->level = level;
    snprintf(log->who, sizeof(log->who), "%s", who);
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

void log_write(const struct log *log, int level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_write_args(log, level, NULL, fmt, args);
    va_end(args);
}

void log_write_args(const struct log *log, int level, const char *prefix, const char *fmt, va_list args)
{
    char line[LINE_SIZE];
    struct timespec now;
    struct tm tm;
    size_t used;

    if (log->fd < 0 || level < log->level) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    used = strftime(line, sizeof(line), "%Y/%m/%d %H:%M:%S", &tm);
    used += (size_t) snprintf(line + used, sizeof(line) - used, ".%03ld [%s] %ld %s: %s%s", now.tv_nsec / 1000000,
                              log_level_name(level), (long) getpid(), log->who, prefix ? prefix : "",
                              prefix ? ": " : "");
    if (used >= sizeof(line)) { /* a prefix that fills the line */
        used = sizeof(line) - 1;
    }
    vsnprintf(line + used, sizeof(line) - used, fmt, args);
    text_clean(line);
    used = strlen(line);
    line[used] = '\n'; /* takes the place of the NUL */
    if (write(log->fd, line, used + 1) < 0) {
        return;
    }
}
