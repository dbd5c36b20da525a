/*
 * Output to the bus. Runs in a worker. When the bus is gone there is nobody to work for: the worker ends.
 */
#include "worker/worker_output.h"

#include <errno.h>
#include <poll.h>

static int wait_writable(struct worker *w)
{
    struct pollfd p = {.fd = channel_fd(w->channel), .events = POLLOUT};
    while (poll(&p, 1, -1) < 0) {
        if (errno != EINTR) {
            return LPM_EIO;
        }
    }
    return 0;
}

static int flush(struct worker *w)
{
    int rc;
    while ((rc = channel_flush(w->channel)) == LPM_EAGAIN) {
        rc = wait_writable(w);
        if (rc != 0) {
            break;
        }
    }
    return rc;
}

int worker_output_send(struct worker *w, const struct frame *frame)
{
    return worker_output_send_with(w, frame, -1);
}

int worker_output_send_with(struct worker *w, const struct frame *frame, int fd)
{
    size_t size = frame_size(frame);
    char *room;
    int rc;

    if (size == SIZE_MAX) {
        return LPM_ETOOBIG;
    }
    /* Every send ends with an empty batch, so there is room unless the bus is gone. */
    room = channel_reserve_with(w->channel, size, &fd, fd >= 0, &rc);
    if (room) {
        frame_encode(frame, room);
        channel_commit(w->channel);
        rc = flush(w);
    }
    if (rc == LPM_EIO) {
        w->unheard = true;
        event_active(w->readable, EV_READ, 0); /* the end, behind what the bus said last: a hard kill maybe */
    }
    return rc;
}

int worker_output_say(struct worker *w, enum frame_type type)
{
    struct frame frame = {.type = type};
    return worker_output_send(w, &frame);
}
