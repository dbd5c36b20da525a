/*
 * The master's messages. Runs in the bus; without a master, it ends.
 */
#include "bus/bus_control.h"

#include <signal.h>

#include "base/fd.h"
#include "bus/bus_ctl.h"
#include "bus/bus_event.h"
#include "bus/bus_handover.h"
#include "bus/bus_lifecycle.h"
#include "bus/bus_master.h"
#include "bus/bus_reload.h"
#include "bus/bus_reopen.h"
#include "bus/bus_rule.h"

static struct bus_pool *pool_of(const struct bus *bus, const struct control *message)
{
    return message->pool < bus->pool_count ? &bus->pools[message->pool] : NULL;
}

static struct bus_worker *worker_of(const struct bus *bus, const struct control *message)
{
    struct bus_pool *pool = pool_of(bus, message);
    return pool && message->index < pool->places ? &pool->workers[message->index] : NULL;
}

static void on_degraded(struct bus *bus, const struct control *message)
{
    struct bus_pool *pool = pool_of(bus, message);
    if (pool) {
        pool->degraded = message->until;
        bus_lifecycle_worker_gone(bus);
    }
}

static void on_signal(struct bus *bus, int number)
{
    if (number == SIGINT) {
        bus_event_sigint(bus);
    } else if (number == SIGTTIN || number == SIGTTOU) {
        bus_rule_step(bus, number == SIGTTIN ? 1 : -1);
    }
}

/* Takes `*fd` by setting it to -1. */
static void act(struct bus *bus, const struct control *message, int *fd)
{
    struct bus_worker *w = worker_of(bus, message);

    switch (message->type) {
    case CONTROL_WORKER_NEW:
        if (w) {
            bus_worker_new(w, message, *fd);
            *fd = -1;
        }
        break;
    case CONTROL_WORKER_GONE:
        if (w) {
            bus_worker_reaped(w, message);
        }
        break;
    case CONTROL_POOL_DEGRADED:
        on_degraded(bus, message);
        break;
    case CONTROL_SIGNAL:
        on_signal(bus, message->status);
        break;
    case CONTROL_LOG:
        bus_reopen_log(bus, message, fd);
        break;
    case CONTROL_REOPENED:
        bus_reopen_done(bus, message);
        break;
    case CONTROL_LOGS_ELSEWHERE:
        bus_reopen_elsewhere(bus, message);
        break;
    case CONTROL_SUCCESSOR:
        bus_handover_successor(bus, *fd);
        *fd = -1;
        break;
    case CONTROL_PREDECESSOR:
        if (*fd >= 0) {
            bus_handover_predecessor(bus, *fd);
            *fd = -1;
        }
        break;
    case CONTROL_RELOADED:
        bus_reload_done(bus, message, *fd);
        break;
    case CONTROL_RETIRE:
        bus_ctl_close(bus);
        bus_reload_retire(bus);
        bus_lifecycle_soft_kill(bus);
        break;
    case CONTROL_SOFT_KILL:
        bus_lifecycle_soft_kill(bus);
        break;
    case CONTROL_HARD_KILL:
        bus_lifecycle_hard_kill(bus);
        break;
    default:
        break;
    }
}

/* The kernel has thrown it away: the bus does without. */
static void tell_of_loss(const struct bus *bus, const struct control *message)
{
    const char *what = message->type == CONTROL_WORKER_NEW ? "the channel of a new worker, which is killed"
                       : message->type == CONTROL_SUCCESSOR
                           ? "the way to the next generation: connections stay here"
                       : message->type == CONTROL_PREDECESSOR
                           ? "the way from the generation before: its connections stay there"
                           : "the new file of a log: it stays with the old one";
    log_write(bus->log, LPM_LOG_ERROR, "no descriptor was left for %s", what);
}

void bus_control_hear(struct bus *bus)
{
    struct control message;
    int fd = -1, rc = 0;

    while (!bus->over && (rc = control_receive(bus->start->channel, &message, &fd)) > 0) {
        if (control_has_lost(&message, fd)) {
            tell_of_loss(bus, &message);
        }
        act(bus, &message, &fd);
        fd_close(&fd);
    }
    if (rc < 0) {
        bus->status = ROLE_EXIT_FAILED;
        bus->over = true;
        event_base_loopbreak(bus->base);
    }
}

static void on_readable(evutil_socket_t channel, short what, void *arg)
{
    (void)channel;
    (void)what;
    bus_control_hear(arg);
}

int bus_control_init(struct bus *bus)
{
    bus_master_init(bus);
    event_assign(&bus->master_readable, bus->base, bus->start->channel, EV_READ | EV_PERSIST, on_readable,
                 bus);
    return event_add(&bus->master_readable, NULL) == 0 ? 0 : LPM_ENOMEM;
}
