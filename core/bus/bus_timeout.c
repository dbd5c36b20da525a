/*
 * Time limits of requests. Runs in the bus.
 */
#include "bus/bus_timeout.h"

#include "base/clock.h"
#include "bus/bus_end.h"

/* How long a worker may look as if it were between two handlers. */
#define SECOND_LOOK_NS (100 * CLOCK_NS_PER_MS)

static void arm(struct event *timer, uint64_t due)
{
    uint64_t now = clock_now();
    struct timeval wait = clock_timeval(due > now ? due - now : 0);
    event_add(timer, &wait);
}

/* The timer is moved only when it has to be earlier: it looks what is due when it fires, and stays when its request ends, for the
 * next that is kept in the same record. So most requests do not touch it at all. */
static void watch(struct bus_request *req, uint64_t due)
{
    req->due = due;
    if (req->timer_at == 0 || req->timer_at > due) {
        req->timer_at = due;
        arm(&req->timer, due);
    }
}

static void arm_in(struct bus_request *req, uint64_t ns)
{
    watch(req, clock_now() + ns);
}

static uint64_t kill_after(const struct bus_pool *pool)
{
    return (uint64_t)pool->conf->kill_after * CLOCK_NS_PER_MS;
}

static void arm_kill_after(struct bus_request *req)
{
    arm_in(req, kill_after(req->handler->pool));
}

static void on_deadline(struct bus *bus, struct bus_request *req)
{
    if (req->state == BUS_REQUEST_QUEUED) {
        bus_pool_remove(req->handler->pool, req);
        bus_request_finish(bus, req, LPM_ETIMEDOUT, "the deadline passed before a worker was free", NULL,
                           false);
        return;
    }
    arm_kill_after(req);
    bus_worker_cancel(req->worker, req);
    bus_worker_let_go_of(req->worker, req);
    bus_request_finish(bus, req, LPM_ETIMEDOUT, "the deadline passed before there was an answer", NULL, true);
}

/* Does it take so long that its worker may be killed for it? That nobody waits any more is no reason: a client could kill
 * workers by hanging up. */
static bool is_overdue(const struct bus_request *req)
{
    return req->deadline && clock_now() >= req->deadline + kill_after(req->handler->pool);
}

/* It runs nothing. Between two handlers it does not either, but then it has started more at the second look. */
static bool is_stuck(const struct bus_worker *w, struct bus_request *req)
{
    uint32_t started = channel_started(w->channel);
    bool stuck = req->suspected && req->suspected_at == started;

    req->suspected = true;
    req->suspected_at = started;
    return stuck;
}

static void give_up(struct bus_worker *w, struct bus_request *req)
{
    log_write(
        w->pool->bus->log, is_overdue(req) ? LPM_LOG_WARN : LPM_LOG_INFO,
        "worker %s (pid %d): module \"%s\" has not answered request %s, for which nobody waits: given up",
        w->name, (int)w->pid, req->handler->name, req->id);
    bus_worker_abandon(w, req);
    arm_kill_after(req);
}

/* Nobody has waited for it for `kill_after`, and its worker still has it. */
static void on_kill_after(struct bus *bus, struct bus_request *req)
{
    struct bus_worker *w = req->worker;
    uint32_t running;

    if (!w->channel) {
        return; /* it is being killed */
    }
    running = channel_running(w->channel);
    if (running != req->key.seq && bus_worker_has_started(w, req) && !req->asked_back) {
        give_up(w, req);
    } else if (!is_overdue(req)) {
        arm_kill_after(req);
    } else if (running == req->key.seq) {
        log_write(bus->log, LPM_LOG_ERROR,
                  "worker %s (pid %d): the handler of module \"%s\" still runs request %s, %lld ms after its "
                  "timeout",
                  w->name, (int)w->pid, req->handler->name, req->id, (long long)w->pool->conf->kill_after);
        bus_end_abort(w, "its handler does not come back");
    } else if (running != 0) {
        req->suspected = false;
        arm_kill_after(req); /* it stands behind another in that worker, whose own limit will tell */
    } else if (!is_stuck(w, req)) {
        arm_in(req, SECOND_LOOK_NS);
    } else {
        bus_end_abort(w, "it runs nothing and does not react: stopped, or blocked outside of a handler");
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct bus_request *req = arg;

    (void)fd;
    (void)what;
    req->timer_at = 0;
    if (req->due == 0) {
        return;
    }
    if (clock_now() < req->due) {
        watch(req, req->due); /* or the loop counts from the beginning of the turn in which it was set */
    } else if (req->waited) {
        on_deadline(req->module->bus, req);
    } else {
        on_kill_after(req->module->bus, req);
    }
}

void bus_timeout_init_request(struct bus *bus, struct bus_request *req)
{
    event_assign(&req->timer, bus->base, -1, 0, on_timer, req);
}

void bus_timeout_watch(struct bus_request *req)
{
    watch(req, req->deadline);
}

void bus_timeout_cancelled(struct bus_request *req)
{
    arm_kill_after(req);
}

/* -- Handlers that have answered ---------------------------------------------------------------------- */

/* Most are back long before: the timer is set once, and looks who is meant when it is due. */
static void on_overdue(evutil_socket_t fd, short what, void *arg)
{
    struct bus_worker *w = arg;

    (void)fd;
    (void)what;
    if (channel_running(w->channel) != w->answered_seq) {
        return;
    }
    if (clock_now() < w->answered_due) {
        arm(&w->overdue, w->answered_due);
    } else {
        bus_end_abort(w, "its handler has answered and does not come back");
    }
}

void bus_timeout_init(struct bus_worker *w)
{
    event_assign(&w->overdue, w->pool->bus->base, -1, 0, on_overdue, w);
}

void bus_timeout_answered(struct bus_worker *w, const struct bus_request *req, uint64_t now)
{
    if (!req->deadline || channel_running(w->channel) != req->key.seq) {
        return;
    }
    w->answered_seq = req->key.seq;
    w->answered_due = (req->deadline > now ? req->deadline : now) + kill_after(w->pool);
    if (!event_pending(&w->overdue, EV_TIMEOUT, NULL)) {
        arm(&w->overdue, w->answered_due);
    }
}
