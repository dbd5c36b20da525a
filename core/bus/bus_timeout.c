/*
 * Time limits of requests. Runs in the bus.
 */
#include "bus/bus_timeout.h"

#include "base/clock.h"
#include "bus/bus_worker.h"

static void arm(struct bus_request *req, uint64_t ns)
{
    struct timeval wait = clock_timeval(ns);
    event_add(&req->timer, &wait);
}

static void arm_kill_after(struct bus_request *req)
{
    int64_t ms = req->handler->pool->conf->kill_after;
    if (ms != LPM_NONE) {
        arm(req, (uint64_t)ms * CLOCK_NS_PER_MS);
    }
}

static void on_deadline(struct bus *bus, struct bus_request *req)
{
    if (req->state == BUS_REQUEST_QUEUED) {
        bus_pool_remove(req->handler->pool, req);
        bus_request_finish(bus, req, LPM_ETIMEDOUT, "the deadline passed before a worker was free", NULL,
                           false);
        return;
    }
    req->overdue = true;
    arm_kill_after(req);
    if (req->waited) {
        bus_worker_cancel(req->worker, req);
        bus_worker_let_go_of(req->worker, req);
        bus_request_finish(bus, req, LPM_ETIMEDOUT, "the deadline passed before there was an answer", NULL,
                           true);
    }
}

static void on_kill_after(struct bus *bus, struct bus_request *req)
{
    struct bus_worker *w = req->worker;
    char name[80];

    if (channel_running(w->channel) == req->key.seq) {
        log_write(bus->log, LPM_LOG_ERROR,
                  "worker %s (pid %d): the handler of module \"%s\" still runs request %s, %lld ms after its "
                  "timeout",
                  bus_worker_name(w, name, sizeof(name)), (int)w->pid, req->handler->name, req->id,
                  (long long)w->pool->conf->kill_after);
        bus_worker_kill(w, "its handler does not come back");
    } else if (bus_worker_has_started(w, req) && !req->asked_back) {
        log_write(bus->log, LPM_LOG_WARN,
                  "worker %s (pid %d): module \"%s\" has not answered request %s: taken from it",
                  bus_worker_name(w, name, sizeof(name)), (int)w->pid, req->handler->name, req->id);
        req->asked_back = bus_worker_tell(w, FRAME_ABANDON, req) == 0;
        arm_kill_after(req);
    } else if (channel_running(w->channel) == 0) {
        bus_worker_kill(w, "it runs nothing and does not react: stopped, or blocked outside of a handler");
    } else {
        arm_kill_after(req); /* it stands behind another in that worker, whose own limit will tell */
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct bus_request *req = arg;
    struct bus *bus = req->module->bus;

    (void)fd;
    (void)what;
    if (req->overdue) {
        on_kill_after(bus, req);
    } else {
        on_deadline(bus, req);
    }
}

void bus_timeout_watch(struct bus *bus, struct bus_request *req)
{
    uint64_t now = clock_now();

    event_assign(&req->timer, bus->base, -1, 0, on_timer, req);
    arm(req, req->deadline > now ? req->deadline - now : 0);
}
