/*
 * The end of a worker. Runs in the bus. A process that the kernel cannot end yet keeps its requests for a second only: by
 * then it has been sent SIGKILL, and what it is stuck in is not code of its own.
 */
#include "bus/bus_end.h"

#include "base/clock.h"
#include "base/fd.h"
#include "bus/bus_event.h"
#include "bus/bus_lifecycle.h"
#include "bus/bus_outbox.h"
#include "bus/bus_settle.h"
#include "bus/bus_succession.h"
#include "bus/bus_sweep.h"

static const struct timeval burial_wait = {1, 0};
/* The master gives one that hangs a second before it sends SIGKILL. */
static const struct timeval late_burial_wait = {3, 0};

static void free_board(struct bus_worker *w)
{
    event_del(&w->buried);
    if (w->over) {
        channel_free(w->over);
        w->over = NULL;
    }
}

static void on_buried(evutil_socket_t fd, short what, void *arg)
{
    struct bus_worker *w = arg;

    (void)fd;
    (void)what;
    bus_settle_death(w, true);
    free_board(w);
}

void bus_end_init(struct bus_worker *w)
{
    event_assign(&w->buried, w->pool->bus->base, -1, 0, on_buried, w);
}

static void take_channel(struct bus_worker *w)
{
    if (w->channel) {
        event_del(&w->readable);
        event_del(&w->bell);
        w->over = w->channel;
        w->channel = NULL;
    }
    event_del(&w->starved);
    bus_sweep_end(w);
    event_del(&w->again);
    event_del(&w->overdue);
    fd_close(&w->statm);
    bus_outbox_clear(w);
    bus_event_forget(w);
}

void bus_end_fini(struct bus_worker *w)
{
    take_channel(w);
    free_board(w);
}

void bus_end_reset_load(struct bus_worker *w)
{
    bus_load_reset(bus_worker_load(w));
    bus_dispatch_update(&w->pool->dispatch, w->index);
}

void bus_end_channel(struct bus_worker *w)
{
    w->state = BUS_WORKER_GONE;
    bus_succession_event(w, BUS_LEAVE_ON_BROKEN);
    bus_worker_touch(w);
    bus_end_reset_load(w);
    take_channel(w);
    if (w->over) {
        channel_shut(w->over);
    }
    event_add(&w->buried, w->aborted ? &late_burial_wait : &burial_wait);
    bus_settle_death(w, false);
}

static void end(struct bus_worker *w, enum control_type how, const char *why)
{
    struct bus *bus = w->pool->bus;

    if (w->state == BUS_WORKER_GONE || w->state == BUS_WORKER_ABSENT) {
        return;
    }
    log_write(bus->log, LPM_LOG_ERROR, "worker %s (pid %d) is killed: %s", w->name, (int)w->pid, why);
    bus_lifecycle_tell_master(bus, how, w);
    w->aborted = how == CONTROL_WORKER_ABORT;
    bus_end_channel(w);
    /* This may be the end of a turn, and its requests want another one. */
    bus_lifecycle_again(bus);
}

void bus_end_kill(struct bus_worker *w, const char *why)
{
    end(w, CONTROL_WORKER_KILL, why);
}

void bus_end_abort(struct bus_worker *w, const char *why)
{
    end(w, CONTROL_WORKER_ABORT, why);
}

void bus_end_bury(struct bus_worker *w)
{
    if (w->state != BUS_WORKER_GONE) {
        bus_end_channel(w);
    }
    bus_settle_death(w, true);
    free_board(w);
}
