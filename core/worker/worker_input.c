/*
 * Input from the bus. Runs in a worker. A bus that breaks the protocol, or is gone, ends it.
 */
#include "worker/worker_input.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/policy.h"
#include "worker/worker_event.h"
#include "worker/worker_life.h"
#include "worker/worker_output.h"
#include "worker/worker_request.h"
#include "worker/worker_stream.h"
#include "worker/worker_trim.h"

/* Frames in one turn of the loop, so that timers and descriptors of modules get theirs. */
#define TURN_FRAMES 128

static void cancel(struct worker *w, const struct frame *frame)
{
    struct lpm_request *req = worker_request_find(w, frame->key);
    if (req) {
        req->cancelled = true;
        worker_stream_cancelled(req);
    }
}

static void abandon(struct worker *w, const struct frame *frame)
{
    struct lpm_request *req = worker_request_find(w, frame->key);
    if (req) {
        worker_request_abandon(req);
        worker_life_end_if_done(w);
    }
}

/* The descriptor that came with it, taken from the message; -1: none. */
static int take_descriptor(struct channel_message *message)
{
    int fd = message->fd_count > 0 ? message->fds[0] : -1;
    message->fds[0] = -1;
    return fd;
}

/* A module's log goes on in another file, which takes the number of the old one's descriptor. */
static void take_module_log(struct worker *w, const struct lpm_conf *node, int fd)
{
    if (fd < 0 || (node && role_is_workers_log(node) && dup3(fd, node->fd, O_CLOEXEC) < 0)) {
        log_write(w->log, LPM_LOG_ERROR, "no descriptor is left for a new log: it stays with the old file");
    }
    fd_close(&fd);
}

/* A log goes on in another file. Without a descriptor left for the error log, it stays: the bus hears nothing. */
static void take_log(struct worker *w, const struct frame *frame, int fd)
{
    struct frame taken = {.type = FRAME_LOG_TAKEN, .key = frame->key};

    if (frame->key.slot != 0) {
        take_module_log(w, conf_tree_at(w->start->core->tree, frame->key.slot), fd);
        return;
    }

    if (fd < 0) {
        log_write(w->log, LPM_LOG_ERROR,
                  "no descriptor is left for the new error log: it stays with the old");
        return;
    }
    role_take_log(w->start, fd);
    worker_output_send(w, &taken);
}

static int act_on(struct worker *w, const struct frame *frame, struct channel_message *message)
{
    switch (frame->type) {
    case FRAME_CANCEL:
        cancel(w, frame);
        break;
    case FRAME_ABANDON:
        abandon(w, frame);
        break;
    case FRAME_DRAIN:
        worker_life_drain(w);
        break;
    case FRAME_SOFT_KILL:
        worker_life_soft_kill(w);
        break;
    case FRAME_HARD_KILL:
        worker_life_hard_kill(w);
        break;
    case FRAME_TRIM:
        worker_trim(w);
        break;
    case FRAME_EVENT:
        worker_event_broadcast(w, frame, take_descriptor(message));
        break;
    case FRAME_LOG:
        take_log(w, frame, take_descriptor(message));
        break;
    case FRAME_REPLY:
        return worker_event_reply(w, frame);
    default:
        return LPM_EPROTO;
    }
    return 0;
}

static unsigned descriptors_of(const struct frame *frame)
{
    return ((frame->flags & FRAME_STREAM) != 0 ? 1u : 0) + ((frame->flags & FRAME_SOCKET) != 0 ? 1u : 0);
}

/* Takes the message. */
static int act(struct worker *w, struct channel_message *message)
{
    struct frame frame;
    const char *why;
    int rc;
    enum policy_phase phase = w->draining     ? POLICY_DRAINING
                              : w->said_ready ? POLICY_SERVING
                                              : POLICY_STARTING;

    if (frame_decode(&frame, message->data, message->len, &why) != 0 ||
        !policy_frame(POLICY_BUS, phase, frame.type) || message->fd_count != descriptors_of(&frame)) {
        channel_release(w->channel, message);
        return LPM_EPROTO;
    }
    if (frame.type == FRAME_REQUEST && w->unheard) {
        channel_release(w->channel, message);
        return 0; /* another worker has it, or nobody waits */
    }
    if (frame.type == FRAME_REQUEST) {
        return worker_request_run(w, message, &frame);
    }
    rc = act_on(w, &frame, message);
    channel_release(w->channel, message);
    worker_request_tell_idle(w);
    return rc;
}

static void fail(struct worker *w, const char *why)
{
    log_write(w->log, LPM_LOG_ERROR, "%s", why);
    w->status = ROLE_EXIT_FAILED;
    w->over = true;
}

static void hear(struct worker *w)
{
    struct channel_message message;
    const char *why = "a message that cannot be";
    int rc = 0;

    for (int i = 0; i < TURN_FRAMES && !w->over; i++) {
        rc = channel_next(w->channel, &message, &why);
        if (rc <= 0) {
            break;
        }
        w->events++;
        rc = act(w, &message);
        if (rc < 0) {
            break;
        }
        rc = 1;
    }
    if (rc == LPM_EIO) {
        /* With the bus everybody is gone who waits. It may have had no room to say that this is a hard kill. */
        worker_life_hard_kill(w);
    } else if (rc == LPM_EPROTO) {
        fail(w, "the bus broke the protocol");
    } else if (rc == LPM_ENOMEM) {
        fail(w, "out of memory");
    } else if (rc > 0 && channel_waiting(w->channel)) {
        worker_input_again(w);
    }
    if (w->over) {
        event_base_loopbreak(w->base);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;

    (void)fd;
    (void)what;
    channel_look(w->channel);
    hear(w);
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    hear(arg);
}

void worker_input_again(struct worker *w)
{
    /* A timer, because the others come first: the loop runs what event_active() gives it before it looks at anything
     * else. */
    struct timeval at_once = {0, 0};
    event_add(w->again, &at_once);
}

int worker_input_init(struct worker *w)
{
    w->readable = event_new(w->base, channel_fd(w->channel), EV_READ | EV_PERSIST, on_readable, w);
    w->bell = event_new(w->base, channel_bell(w->channel), EV_READ | EV_PERSIST | EV_ET, on_bell, w);
    w->again = evtimer_new(w->base, on_bell, w);
    if (!w->readable || !w->bell || !w->again || event_add(w->readable, NULL) != 0) {
        return LPM_ENOMEM;
    }
    return event_add(w->bell, NULL) == 0 ? 0 : LPM_ENOMEM;
}

void worker_input_fini(struct worker *w)
{
    if (w->readable) {
        event_free(w->readable);
    }
    if (w->bell) {
        event_free(w->bell);
    }
    if (w->again) {
        event_free(w->again);
    }
}
