/*
 * What waits for a worker's channel. Runs in the bus. Bounded: a worker that does not read misses what is beyond.
 */
#include "bus/bus_outbox.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/* As many replies as a worker may wait for, and some events. */
#define MESSAGES_MAX (65536u + 1024)
#define BYTES_MAX    (64u * 1024 * 1024)

struct outgoing {
    struct list link;
    int fd;
    size_t len;
    char bytes[];
};

static int keep(struct bus_worker *w, const struct frame *frame, int fd)
{
    size_t len = frame_size(frame);
    struct outgoing *out;
    char name[80];

    if (w->outbox_count >= MESSAGES_MAX || len > BYTES_MAX - w->outbox_bytes) {
        if (!w->outbox_full) {
            w->outbox_full = true;
            log_write(w->pool->bus->log, LPM_LOG_ERROR,
                      "worker %s (pid %d) does not read: it misses events until it does",
                      bus_worker_name(w, name, sizeof(name)), (int)w->pid);
        }
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
    out->len = len;
    frame_encode(frame, out->bytes);
    list_append(&w->outbox, &out->link);
    w->outbox_count++;
    w->outbox_bytes += len;
    return 0;
}

int bus_worker_post(struct bus_worker *w, const struct frame *frame, int fd)
{
    if (!w->channel) {
        return LPM_EIO;
    }
    if (list_empty(&w->outbox) && bus_worker_put(w, frame, &fd, fd >= 0) == 0) {
        return 0;
    }
    return keep(w, frame, fd);
}

static void drop(struct bus_worker *w, struct outgoing *out)
{
    list_remove(&out->link);
    w->outbox_count--;
    w->outbox_bytes -= out->len;
    fd_close(&out->fd);
    free(out);
}

void bus_outbox_flush(struct bus_worker *w)
{
    while (w->channel && !list_empty(&w->outbox)) {
        struct outgoing *out = LIST_ENTRY(w->outbox.next, struct outgoing, link);
        char *room = bus_worker_reserve(w, out->len, &out->fd, out->fd >= 0);

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
    while (!list_empty(&w->outbox)) {
        drop(w, LIST_ENTRY(w->outbox.next, struct outgoing, link));
    }
    w->outbox_full = false;
}
