/*
 * Descriptors in a worker. Runs in a worker.
 */
#include "worker/worker_stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "os/os_stream.h"
#include "worker/worker_life.h"
#include "worker/worker_output.h"
#include "worker/worker_request.h"

/* Where the descriptor stands among those of the message, or -1: none came. */
static int place_of(const struct lpm_request *req, unsigned flag)
{
    if ((req->frame.flags & flag) == 0) {
        return -1;
    }
    return flag == FRAME_SOCKET && (req->frame.flags & FRAME_STREAM) != 0 ? 1 : 0;
}

static int take(struct lpm_request *req, unsigned flag, const char *call)
{
    int place = place_of(req, flag);
    int fd;

    if (place < 0) {
        return LPM_EINVAL;
    }
    if (!req->open) {
        return worker_request_misused(req, call);
    }
    if ((req->taken & flag) != 0) {
        return LPM_EDONE;
    }
    fd = req->message.fds[place];
    if (fd < 0) {
        return LPM_EIO;
    }
    req->taken |= flag;
    req->message.fds[place] = -1;
    return fd;
}

static void set_on_cancel(struct lpm_request *req, lpm_cancel_fn fn, void *arg)
{
    req->on_cancel = fn;
    req->on_cancel_arg = arg;
    list_remove(&req->to_cancel);
    if (fn) {
        list_append(&req->owner->worker->to_cancel, &req->to_cancel);
    }
}

void worker_stream_close(struct lpm_request *req)
{
    if (place_of(req, FRAME_SOCKET) >= 0 && (req->taken & FRAME_SOCKET) == 0) {
        worker_output_say(req->owner->worker, FRAME_SOCKET_CLOSED);
    }
    req->taken = FRAME_STREAM | FRAME_SOCKET;
    for (unsigned i = 0; i < req->message.fd_count; i++) {
        fd_close(&req->message.fds[i]);
    }
    if (req->cancel_timer) {
        event_free(req->cancel_timer);
        req->cancel_timer = NULL;
    }
    set_on_cancel(req, NULL, NULL);
}

void worker_stream_cancelled(struct lpm_request *req)
{
    lpm_cancel_fn fn = req->on_cancel;
    const struct lpm_worker *owner = req->owner;

    set_on_cancel(req, NULL, req->on_cancel_arg);
    if (fn) {
        uint32_t step = worker_step_enter(owner, ROLE_STEP_CANCEL);
        fn(req, req->on_cancel_arg);
        worker_step_back(owner, step);
    }
}

/* A callback may answer any of them, and one who asks now is told within the call. */
void worker_stream_cancel_all(struct worker *w)
{
    while (!list_empty(&w->to_cancel)) {
        worker_stream_cancelled(LIST_ENTRY(w->to_cancel.next, struct lpm_request, to_cancel));
    }
}

void worker_stream_fini(struct worker *w)
{
    free(w->sockets);
}

/* -- The host table ----------------------------------------------------------------------------------- */

static int stream_pair(const void *handle, int fds[2])
{
    (void)handle;
    return os_stream_pair(fds);
}

static int stream_end(const void *handle, int fd)
{
    (void)handle;
    return os_stream_end(fd);
}

static int request_has_stream(const lpm_request *req)
{
    return place_of(req, FRAME_STREAM) >= 0;
}

static int request_has_socket(const lpm_request *req)
{
    return place_of(req, FRAME_SOCKET) >= 0;
}

static int request_stream(lpm_request *req)
{
    return take(req, FRAME_STREAM, "lpm_request_stream");
}

/* Room for the owner of `fd`. */
static int reserve_socket(struct worker *w, int fd)
{
    size_t room = w->socket_room ? w->socket_room : 64;
    const struct lpm_worker **sockets;

    while (room <= (size_t)fd) {
        room *= 2;
    }
    if (room == w->socket_room) {
        return 0;
    }
    sockets = realloc(w->sockets, room * sizeof(struct lpm_worker *));
    if (!sockets) {
        return LPM_ENOMEM;
    }
    memset(sockets + w->socket_room, 0, (room - w->socket_room) * sizeof(struct lpm_worker *));
    w->sockets = sockets;
    w->socket_room = room;
    return 0;
}

static int request_socket(lpm_request *req)
{
    struct worker *w = req->owner->worker;
    int place = place_of(req, FRAME_SOCKET);
    int fd;

    if (place >= 0 && req->message.fds[place] >= 0 && reserve_socket(w, req->message.fds[place]) != 0) {
        return LPM_ENOMEM;
    }
    fd = take(req, FRAME_SOCKET, "lpm_request_socket");
    if (fd >= 0) {
        w->sockets[fd] = req->owner;
    }
    return fd;
}

static int socket_close(lpm_worker *m, int fd)
{
    struct worker *w = m->worker;

    if (fd >= 0 && (size_t)fd < w->socket_room && w->sockets[fd] == m) {
        w->sockets[fd] = NULL;
        close(fd);
        worker_output_say(w, FRAME_SOCKET_CLOSED);
        return 0;
    }
    log_write(w->log, LPM_LOG_ERROR,
              "module \"%s\": lpm_socket_close() on %d, which is no socket of its own, or was closed",
              m->module->name, fd);
    return LPM_EINVAL;
}

static void watch_deadline(struct lpm_request *req)
{
    uint64_t now = clock_now();
    struct timeval wait = clock_timeval(req->frame.deadline > now ? req->frame.deadline - now : 0);
    event_add(req->cancel_timer, &wait);
}

/* The loop counts from the beginning of its turn, so that the timer comes early when it was set late in one. */
static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct lpm_request *req = arg;

    (void)fd;
    (void)what;
    if (lpm_request_cancelled(req)) {
        worker_stream_cancelled(req);
    } else {
        watch_deadline(req);
    }
}

static int request_on_cancel(lpm_request *req, lpm_cancel_fn fn, void *arg)
{
    if (!req->open) {
        return worker_request_misused(req, "lpm_request_on_cancel");
    }
    if (fn && req->frame.deadline && !req->given_up && !req->cancel_timer) {
        req->cancel_timer = evtimer_new(req->owner->worker->base, on_deadline, req);
        if (!req->cancel_timer) {
            return LPM_ENOMEM;
        }
        watch_deadline(req);
    }
    set_on_cancel(req, fn, arg);
    if (fn && lpm_request_cancelled(req)) {
        worker_stream_cancelled(req);
    }
    return 0;
}

static int respond_stream(lpm_request *req, const void *data, size_t len, int fd)
{
    int rc;

    if (!req->open) {
        return worker_request_misused(req, "lpm_respond_stream");
    }
    rc = fd <= 2 || os_stream_check(fd) != 0 ? LPM_EINVAL : worker_request_respond(req, data, len, fd);
    loader_misused(req, "lpm_respond_stream", rc);
    if (rc == 0 || rc == LPM_ECANCELED) {
        close(fd);
    }
    worker_life_end_if_done(req->owner->worker);
    return rc;
}

void worker_stream_host_init(lpm_host *host)
{
    host->stream_pair = stream_pair;
    host->stream_end = stream_end;
    host->request_has_stream = request_has_stream;
    host->request_stream = request_stream;
    host->request_has_socket = request_has_socket;
    host->request_socket = request_socket;
    host->request_on_cancel = request_on_cancel;
    host->respond_stream = respond_stream;
    host->socket_close = socket_close;
}
