/*
 * What waits for a worker's channel. Runs in the bus. Bounded: a worker that does not read misses what is beyond.
 */
#include "bus/bus_outbox.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/* Replies are counted when the worker asks for them. */
#define EVENTS_MAX 1024u
#define BYTES_MAX  (64u * 1024 * 1024)

struct outgoing {
    struct list link;
    enum frame_type type;
    int fd;
    size_t len;
    char bytes[];
};

static bool has_room(const struct bus_worker *w, const struct frame *frame)
{
    size_t len = frame->headers.len + frame->data.len;

    return len <= BYTES_MAX - w->outbox_bytes &&
           (frame->type != FRAME_EVENT || w->outbox_events < EVENTS_MAX);
}

static void count(struct bus_worker *w, const struct outgoing *out, int by)
{
    w->outbox_events += (size_t)(out->type == FRAME_EVENT ? by : 0);
    w->outbox_replies += (size_t)(out->type == FRAME_REPLY ? by : 0);
    w->outbox_bytes += (out->len - FRAME_HEAD_SIZE) * (size_t)by;
}

static void log_missed(struct bus_worker *w)
{
    if (!w->outbox_full) {
        w->outbox_full = true;
        log_write(w->pool->bus->log, LPM_LOG_ERROR,
                  "worker %s (pid %d) does not read: it misses events and replies until it does", w->name,
                  (int)w->pid);
    }
}

static int keep(struct bus_worker *w, const struct frame *frame, int fd)
{
    size_t len = frame_size(frame);
    struct outgoing *out;

    if (!has_room(w, frame)) {
        log_missed(w);
        return LPM_EFULL;
    }
    out = malloc(sizeof(*out) + len);
    if (!out) {
        return LPM_ENOMEM;
    }
    out->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (fd >= 0 && out->fd < 0) {
        free(out);
        return LPM_ENOMEM;
    }
    out->type = frame->type;
    out->len = len;
    frame_encode(frame, out->bytes);
    list_append(&w->outbox, &out->link);
    count(w, out, 1);
    return 0;
}

int bus_worker_post(struct bus_worker *w, const struct frame *frame, int fd)
{
    int rc;

    if (!w->channel) {
        return LPM_EIO;
    }
    if (list_empty(&w->outbox) && bus_worker_put(w, frame, &fd, fd >= 0) == 0) {
        return 0;
    }
    rc = keep(w, frame, fd);
    if (rc == LPM_EFULL && frame->type == FRAME_REPLY) {
        struct frame refusal = {.type = FRAME_REPLY, .key = frame->key, .error = rc};
        keep(w, &refusal, -1); /* without headers and data it has room */
    }
    return rc;
}

static void drop(struct bus_worker *w, struct outgoing *out)
{
    list_remove(&out->link);
    count(w, out, -1);
    fd_close(&out->fd);
    free(out);
}

void bus_outbox_flush(struct bus_worker *w)
{
    while (w->channel && !list_empty(&w->outbox)) {
        struct outgoing *out = LIST_ENTRY(w->outbox.next, struct outgoing, link);
        int code;
        char *room = bus_worker_reserve(w, out->len, &out->fd, out->fd >= 0, &code);

        if (!room) {
            return;
        }
        memcpy(room, out->bytes, out->len);
        channel_commit(w->channel);
        drop(w, out);
    }
    w->outbox_full = false;
}

void bus_outbox_clear(struct bus_worker *w)
{
    LIST_EACH(link, after, &w->outbox)
    {
        drop(w, LIST_ENTRY(link, struct outgoing, link));
    }
    w->outbox_full = false;
}
