/*
 * The access log. Runs in the bus and in workers. Where nothing can be written now (a full disk, a pipe whose reader is slow or gone),
 * the buffer's lines wait, and those that come when it is full are lost; the error log is told when that begins, and when
 * it is over how many they were.
 */
#include "http_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define FLUSH_MS 1000 /* how long a line may wait */
#define FULL_MS  10   /* how long a pipe is left alone that is full */

static size_t field_len(lpm_slice s)
{
    return s.len < HTTP_LOG_FIELD_MAX ? s.len : HTTP_LOG_FIELD_MAX;
}

size_t http_log_room(const struct http_log_entry *e)
{
    return 512 + e->remote.len +
           4 * (field_len(e->request) + field_len(e->referer) + field_len(e->user_agent));
}

/* As nginx: a quote, a backslash and all that does not print become \xHH; nothing becomes "-". */
static char *put_escaped(char *to, lpm_slice s)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t len = field_len(s);
    *to++ = '"';
    if (len == 0) {
        *to++ = '-';
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') {
            *to++ = (char)c;
            continue;
        }
        *to++ = '\\';
        *to++ = 'x';
        *to++ = hex[c >> 4];
        *to++ = hex[c & 15];
    }
    *to++ = '"';
    return to;
}

char *http_log_format(char *to, const struct http_log_entry *e)
{
    memcpy(to, e->remote.data, e->remote.len);
    to += e->remote.len;
    to += sprintf(to, " - - [%.40s] ", e->time);
    to = put_escaped(to, e->request);
    to += sprintf(to, " %d %llu ", e->status, (unsigned long long)e->body_bytes);
    to = put_escaped(to, e->referer);
    *to++ = ' ';
    to = put_escaped(to, e->user_agent);
    if (e->id == NULL) {
        to += sprintf(to, " - - - -\n");
        return to;
    }
    to += sprintf(to, " %.40s %.100s %llu.%06llu %llu.%06llu\n", e->id, e->worker,
                  (unsigned long long)(e->queue_time / NS_PER_S),
                  (unsigned long long)(e->queue_time % NS_PER_S / 1000),
                  (unsigned long long)(e->service_time / NS_PER_S),
                  (unsigned long long)(e->service_time % NS_PER_S / 1000));
    return to;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct http_log *log = arg;
    (void)fd;
    (void)what;
    log->timed = false;
    http_log_flush(log);
}

int http_log_init(struct http_log *log, const void *owner, struct event_base *base, int fd)
{
    *log = (struct http_log){.fd = fd, .owner = owner};
    if (fd < 0) {
        return 0;
    }
    log->buffer = malloc(HTTP_LOG_BUFFER);
    if (log->buffer == NULL) {
        log->fd = -1;
        return LPM_ENOMEM;
    }
    event_assign(&log->timer, base, -1, 0, on_timer, log);
    return 0;
}

static size_t count_lines(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += text[i] == '\n';
    }
    return count;
}

/* A pipe may fill up a hundred times a second: people hear of it once. */
static void tell_lost(struct http_log *log, bool at_once)
{
    struct timespec t;
    uint64_t now;
    clock_gettime(CLOCK_MONOTONIC, &t);
    now = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
    if (log->lost > 0 && (at_once || now - log->told_at >= NS_PER_S)) {
        lpm_log(log->owner, LPM_LOG_ERROR, "access_log: %llu lines were lost while nothing could be written",
                (unsigned long long)log->lost);
        log->told_at = now;
        log->lost = 0;
    }
}

void http_log_fini(struct http_log *log)
{
    if (log->fd >= 0) {
        http_log_flush(log);
        log->lost += count_lines(log->buffer, log->used);
        tell_lost(log, true);
        event_del(&log->timer);
        free(log->buffer);
        log->buffer = NULL;
        log->fd = -1;
    }
}

static void set_timer(struct http_log *log, int ms)
{
    struct timeval wait = {ms / 1000, ms % 1000 * 1000};
    log->timed = event_add(&log->timer, &wait) == 0;
}

void http_log_add(struct http_log *log, const struct http_log_entry *entry)
{
    if (log->fd < 0) {
        return;
    }
    if (http_log_room(entry) > HTTP_LOG_BUFFER - log->used && !log->stuck) {
        http_log_flush(log);
    }
    if (http_log_room(entry) > HTTP_LOG_BUFFER - log->used) {
        log->lost++;
        return;
    }
    log->used = (size_t)(http_log_format(log->buffer + log->used, entry) - log->buffer);
    if (!log->timed) {
        set_timer(log, FLUSH_MS);
    }
}

/* The first `len` bytes are written, or given up. */
static void take_out(struct http_log *log, size_t len)
{
    log->used -= len;
    memmove(log->buffer, log->buffer + len, log->used);
}

static ino_t file_of(const struct http_log *log)
{
    struct stat st;
    return fstat(log->fd, &st) == 0 ? st.st_ino : 0;
}

/* Another file has come since a line was torn: its rest must not become the beginning of that. */
static void leave_torn(struct http_log *log)
{
    const char *end = memchr(log->buffer, '\n', log->used);
    if (log->torn != 0 && log->torn != file_of(log) && end != NULL) {
        take_out(log, (size_t)(end - log->buffer) + 1);
        log->lost++;
        log->torn = 0;
    }
}

/* The rest waits for better times. */
static void get_stuck(struct http_log *log, int error)
{
    if (!log->stuck && error != EAGAIN) {
        lpm_log(log->owner, LPM_LOG_ERROR,
                "access_log: cannot write: %s: lines wait, and are lost when they are too many",
                strerror(error));
    }
    log->stuck = true;
    set_timer(log, error == EAGAIN ? FULL_MS : FLUSH_MS);
}

void http_log_flush(struct http_log *log)
{
    ssize_t n;
    if (log->fd < 0 || log->used == 0) {
        return;
    }
    leave_torn(log);
    do {
        n = write(log->fd, log->buffer, log->used);
        if (n > 0) {
            log->torn = log->buffer[n - 1] == '\n' ? 0 : file_of(log);
            take_out(log, (size_t)n);
        }
    } while (log->used > 0 && (n > 0 || (n < 0 && errno == EINTR)));
    if (log->used > 0) {
        get_stuck(log, n == 0 ? EIO : errno);
    } else {
        log->stuck = false;
        tell_lost(log, false);
    }
}
