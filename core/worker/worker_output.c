/*
 * Output to the bus. Runs in a worker. When the bus is gone there is nobody to work for: the worker ends.
 */
#include "worker/worker_output.h"

#include "worker/worker_input.h"

/* Waits for the bus's side. What the bell told of meanwhile is for the loop. */
static int wait_for_room(struct worker *w)
{
    worker_input_again(w);
    return channel_wait(w->channel);
}

static char *reserve(struct worker *w, size_t size, int fd, int *rc)
{
    char *room;

    do {
        room = channel_reserve_with(w->channel, size, &fd, fd >= 0, rc);
    } while (!room && *rc == LPM_EAGAIN && (*rc = wait_for_room(w)) == 0);
    return room;
}

static int flush(struct worker *w)
{
    int rc;

    do {
        rc = channel_flush(w->channel);
    } while (rc == LPM_EAGAIN && (rc = wait_for_room(w)) == 0);
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
    room = reserve(w, size, fd, &rc);
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
