/*
 * The access log. Runs in the bus. A write that fails drops the lines it was of; how many, the error log is told at
 * most once a second.
 */
#include "http_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

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

void http_log_fini(struct http_log *log)
{
    if (log->fd >= 0) {
        http_log_flush(log);
        event_del(&log->timer);
        free(log->buffer);
        log->buffer = NULL;
        log->fd = -1;
    }
}

void http_log_add(struct http_log *log, const struct http_log_entry *entry)
{
    if (log->fd < 0) {
        return;
    }
    if (http_log_room(entry) > HTTP_LOG_BUFFER - log->used) {
        http_log_flush(log);
    }
    log->used = (size_t)(http_log_format(log->buffer + log->used, entry) - log->buffer);
    if (!log->timed) {
        struct timeval second = {1, 0};
        log->timed = event_add(&log->timer, &second) == 0;
    }
}

/* The lines from `at` on could not be written. */
static void drop(struct http_log *log, size_t at, int error)
{
    struct timespec t;
    uint64_t now;
    for (; at < log->used; at++) {
        log->dropped += log->buffer[at] == '\n';
    }
    clock_gettime(CLOCK_MONOTONIC, &t);
    now = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
    if (log->reported_at == 0 || now - log->reported_at >= NS_PER_S) {
        lpm_log(log->owner, LPM_LOG_ERROR, "access_log: cannot write: %s: %llu lines are lost",
                strerror(error), (unsigned long long)log->dropped);
        log->reported_at = now;
        log->dropped = 0;
    }
}

void http_log_flush(struct http_log *log)
{
    size_t at = 0;
    if (log->fd < 0 || log->used == 0) {
        return;
    }
    /* The rest of a line that was torn must not become the beginning of the next. */
    if (log->torn && write(log->fd, "\n", 1) == 1) {
        log->torn = false;
    }
    while (at < log->used) {
        ssize_t n = write(log->fd, log->buffer + at, log->used - at);
        if (n > 0) {
            at += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            drop(log, at, n == 0 ? EIO : errno);
            log->torn = log->torn || (at > 0 && log->buffer[at - 1] != '\n');
            break;
        }
    }
    log->used = 0;
}
