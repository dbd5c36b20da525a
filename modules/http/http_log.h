/*
 * The access log: nginx's combined format, then the request's id, its worker, and its queue and service time in
 * seconds. Buffered; while the file takes nothing, what finds no room in the buffer is lost and counted, and no request is held up.
 */
#ifndef HTTP_LOG_H
#define HTTP_LOG_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <lpm/module.h>
#include <stdbool.h>
#include <sys/types.h>

#define HTTP_LOG_BUFFER    65536
#define HTTP_LOG_FIELD_MAX 4096 /* bytes of a request line, referer or user agent that are logged */

struct http_log_entry {
    lpm_slice remote, request, referer, user_agent;
    const char *time; /* "24/Nov/2026:08:13:51 +0000" */
    int status;
    uint64_t body_bytes;
    const char *id; /* NULL: it never reached the bus */
    const char *worker;
    uint64_t queue_time, service_time; /* ns */
};

struct http_log {
    int fd;            /* -1: off */
    const void *owner; /* of the error log */
    char *buffer;      /* HTTP_LOG_BUFFER bytes */
    size_t used;
    bool timed;             /* the timer runs */
    bool stuck;             /* the file takes nothing now, which the error log has said */
    ino_t torn;             /* the file that has the beginning of the buffer's first line; 0: none */
    uint64_t lost, told_at; /* lines; ns */
    struct event timer;
};

/* Bytes that an entry may need. Pure, as is the formatting. */
size_t http_log_room(const struct http_log_entry *entry);

/* Writes the line, with its end, to `to`, and returns the place behind it. */
char *http_log_format(char *to, const struct http_log_entry *entry);

/* Writes to `fd`, which stays the caller's; -1: no log. 0 or LPM_ENOMEM. */
int http_log_init(struct http_log *log, const void *owner, struct event_base *base, int fd);
void http_log_fini(struct http_log *log);
void http_log_add(struct http_log *log, const struct http_log_entry *entry);
void http_log_flush(struct http_log *log);

#endif
