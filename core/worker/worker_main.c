/*
 * The worker role. Fails before its loop with a line in the log and an exit status; in the loop it ends when the bus
 * says so, breaks the protocol, or is gone.
 */
#include "worker/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/policy.h"
#include "os/os_limit.h"
#include "worker/worker_event.h"
#include "worker/worker_heap.h"
#include "worker/worker_host.h"
#include "worker/worker_life.h"
#include "worker/worker_process.h"
#include "worker/worker_request.h"
#include "worker/worker_stream.h"

/* How long the bus may take to send the board: it has been running since before this process. */
#define BOARD_TIMEOUT_MS 10000

/* Frames in one turn of the loop, so that timers and descriptors of modules get theirs. */
#define TURN_FRAMES 64

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
    case FRAME_EVENT:
        worker_event_broadcast(w, frame, take_descriptor(message));
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
    if (frame.type == FRAME_REQUEST) {
        return worker_request_run(w, message, &frame);
    }
    rc = act_on(w, &frame, message);
    channel_release(w->channel, message);
    return rc;
}

static void fail(struct worker *w, const char *why)
{
    log_write(w->log, LPM_LOG_ERROR, "%s", why);
    w->status = ROLE_EXIT_FAILED;
    w->over = true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    struct channel_message message;
    const char *why = "a message that cannot be";
    int rc = 0;

    (void)fd;
    (void)what;
    for (int i = 0; i < TURN_FRAMES && !w->over; i++) {
        rc = channel_next(w->channel, &message, &why);
        if (rc <= 0) {
            break;
        }
        rc = act(w, &message);
        if (rc < 0) {
            break;
        }
        rc = 1;
    }
    if (rc == LPM_EIO) {
        w->over = true; /* the bus is gone, and with it everybody who waits */
    } else if (rc == LPM_EPROTO) {
        fail(w, "the bus broke the protocol");
    } else if (rc == LPM_ENOMEM) {
        fail(w, "out of memory");
    } else if (rc > 0) {
        event_active(w->readable, EV_READ, 0); /* what the channel holds does not show on its descriptor */
    }
    if (w->over) {
        event_base_loopbreak(w->base);
    }
}

/* Does the module work in this pool? One that answers requests does in its pool; any other everywhere. */
static bool belongs(const struct worker *w, const lpm_module *module)
{
    return !module->request || conf_core_pool_of(w->start->core, module->name) == w->start->pool;
}

static int set_up_modules(struct worker *w)
{
    w->modules = calloc(w->loader.count + 1, sizeof(*w->modules));
    if (!w->modules) {
        return LPM_ENOMEM;
    }
    for (size_t i = 0; i < w->loader.count; i++) {
        struct lpm_worker *m = &w->modules[i];
        m->owner = (struct loader_owner){w->log, &w->conf_error, w->loader.modules[i].module.name};
        m->handle = (lpm_handle){&w->host, &m->owner};
        m->worker = w;
        m->module = &w->loader.modules[i].module;
        m->here = belongs(w, m->module);
        m->ready = !m->module->worker_init;
    }
    return 0;
}

static int set_up(struct worker *w, struct error *err)
{
    struct role_start *start = w->start;
    int rc = channel_new_worker(&w->channel, start->channel, BOARD_TIMEOUT_MS, err);

    if (rc == 0) {
        rc = loader_load(&w->loader, start->core, start->modules, NULL, NULL, err);
    }
    if (rc == 0) {
        worker_host_init(w);
        rc = loader_configure(&w->loader, start->core->tree, &w->host, &w->owner, err);
    }
    if (rc != 0) {
        return rc;
    }
    w->base = event_base_new();
    if (w->base) {
        w->readable = event_new(w->base, channel_fd(w->channel), EV_READ | EV_PERSIST, on_readable, w);
    }
    if (!w->readable || set_up_modules(w) != 0) {
        return error_set(err, LPM_ENOMEM, "out of memory");
    }
    event_add(w->readable, NULL);
    return 0;
}

static void tear_down(struct worker *w)
{
    worker_event_fini(w);
    worker_request_free_all(w);
    worker_stream_fini(w);
    worker_heap_fini(w);
    free(w->modules);
    if (w->readable) {
        event_free(w->readable);
    }
    if (w->base) {
        event_base_free(w->base);
    }
    loader_fini(&w->loader);
    if (w->channel) {
        /* It stays open to the very end: the bus takes its closing for a death, and has the process killed. */
        fcntl(channel_fd(w->channel), F_DUPFD_CLOEXEC, 0);
        channel_free(w->channel);
    }
}

int worker_main(struct role_start *start)
{
    struct worker w = {.start = start, .log = &start->log};
    struct error err;

    list_init(&w.open);
    list_init(&w.idle);
    worker_event_init(&w);
    w.owner = (struct loader_owner){w.log, &w.conf_error, NULL};
    snprintf(w.name, sizeof(w.name), "%s/%zu", start->core->pools[start->pool].name, start->index);

    char who[sizeof(w.name) + 32];
    snprintf(who, sizeof(who), "worker %s gen %u", w.name, start->generation);
    if (role_enter(start, who, NULL, 0) != 0) {
        return ROLE_EXIT_FAILED;
    }
    os_limit_raise_files();
    if (set_up(&w, &err) != 0) {
        log_write(w.log, LPM_LOG_ERROR, "%s", err.text);
        w.status = ROLE_EXIT_FAILED;
    } else {
        w.status = worker_life_init(&w);
        if (w.status == 0) {
            worker_life_announce(&w);
            do {
                worker_heap_tell(&w);
            } while (!w.over && event_base_loop(w.base, EVLOOP_ONCE) == 0);
        }
    }
    tear_down(&w);
    return w.status;
}
