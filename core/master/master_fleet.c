/*
 * Carrying out the plan. Runs in the master. A reload that fails is one line in the log, and who serves goes on; lpm
 * ends by itself only when it cannot start, or may not start a bus again.
 */
#include "master/master_fleet.h"

#include <event2/event.h>

#include "base/clock.h"
#include "base/version.h"
#include "master/master_arrival.h"
#include "master/master_daemon.h"
#include "master/master_generation.h"
#include "master/master_handover.h"
#include "master/master_inherit.h"
#include "master/master_notify.h"
#include "master/master_plan.h"
#include "master/master_reload.h"
#include "master/master_upgrade.h"
#include "master/master_worker.h"

/* A generation that could not start again is not tried again sooner than this. */
#define PAUSE_NS      (100 * CLOCK_NS_PER_MS)
#define PAUSE_BACK_NS CLOCK_NS_PER_S

bool master_fleet_serves(const struct master_generation *g)
{
    return g->state == MASTER_PROBATION || g->state == MASTER_ACTIVE || g->state == MASTER_FAILING;
}

struct master_generation *master_fleet_serving(const struct master *master)
{
    MASTER_EACH_GENERATION(g, master)
    {
        if (master_fleet_serves(g)) {
            return g;
        }
    }
    return NULL;
}

void master_fleet_look(struct master *master)
{
    event_active(master->sweep, EV_TIMEOUT, 0);
}

static void give_up(struct master *master, const struct error *why)
{
    master->failure = *why;
    master_fleet_stop(master, MASTER_ON_SOFT_KILL);
}

/* -- The one that serves ------------------------------------------------------------------------------ */

/* What served until now is what to go back to, unless it was about to be given up itself. */
static void adopt(struct master *master, struct master_setup *setup, bool failing)
{
    const struct conf_pool *pool = &setup->core.pools[0];

    if (setup == master->current) {
        return;
    }
    if (setup == master->previous) {
        master_setup_release(&master->previous);
        master_setup_release(&master->current);
    } else if (failing) {
        master_setup_release(&master->current);
    } else {
        master_setup_release(&master->previous);
        master->previous = master->current;
    }
    master->current = master_setup_hold(setup);
    master->log = setup->log;
    master_restart_fini(&master->bus_restarts);
    master_restart_init(&master->bus_restarts, pool->restarts, pool->max_restarts_in_interval);
}

/* Nobody accepts any more from what the one that serves does not listen on: whoever connects there is not to wait. */
static void close_removed(struct master *master)
{
    LIST_EACH(link, after, &master->setups)
    {
        struct master_setup *setup = LIST_ENTRY(link, struct master_setup, link);
        if (setup != master->current && !setup->shared) {
            master_setup_leave(setup);
        }
    }
}

void master_fleet_promote(struct master_generation *generation)
{
    struct master *master = generation->master;
    bool failing = false;

    if (generation->is_reload) {
        master_reload_took(generation);
    }
    MASTER_EACH_GENERATION(other, master)
    {
        if (other != generation) {
            failing = failing || other->state == MASTER_FAILING;
            master_handover_open(other, generation);
            master_generation_event(other, MASTER_ON_RETIRE);
        }
    }
    adopt(master, generation->setup, failing);
    close_removed(master);
    generation->was_active = true;
    master->start_failed = false;
    log_write(&master->log, LPM_LOG_NOTICE, "lpm/" LPM_VERSION " is online: generation %u, %zu workers",
              generation->number, master_worker_running(generation));
    master->online = true;
    master_daemon_online(master);
    master_inherit_store(master);
    master_notify_ready(master, "generation %u serves with %zu workers", generation->number,
                        master_worker_running(generation));
    master_arrival_online(master);
    if (master->previous) {
        master_generation_set_timer(generation, (uint64_t)generation->core->probation * CLOCK_NS_PER_MS);
    } else {
        master_generation_event(generation, MASTER_ON_PROBATION_OVER);
    }
}

void master_fleet_prove(struct master *master)
{
    master_setup_release(&master->previous);
}

/* -- The next one ------------------------------------------------------------------------------------- */

/* A generation of what was tried already, which waits; NULL: lpm is given up. */
static struct master_generation *begin_again(struct master *master, struct master_setup *setup,
                                             uint64_t wait_ns)
{
    struct master_generation *next;
    struct error why;

    if (master_generation_new(&next, setup, false, &why) != 0) {
        give_up(master, &why);
        return NULL;
    }
    master_generation_set_timer(next, wait_ns);
    return next;
}

void master_fleet_restart(struct master_generation *generation)
{
    struct master *master = generation->master;

    if (generation->is_restart && master_restart_note(&master->bus_restarts, clock_now()) != 0) {
        log_write(&master->log, LPM_LOG_ERROR, "no memory to count a restart of the bus");
    }
    master_generation_event(generation, MASTER_ON_RESTART);
}

void master_fleet_failed(struct master_generation *generation)
{
    struct master *master = generation->master;

    if (!master->online || generation->is_reload) {
        return; /* that is said when it has ended */
    }
    log_write(&master->log, LPM_LOG_CRIT, "generation %u failed: %s", generation->number,
              generation->reason.text);
    master->start_failed = true;
    if (generation->setup == master->previous) {
        master_setup_release(&master->previous); /* no way back: on with what came after it */
    }
}

static void start_again(struct master *master)
{
    const struct conf_pool *pool = &master->current->core.pools[0];
    uint64_t now = clock_now();
    uint64_t when = master_restart_when(&master->bus_restarts, now);
    struct master_generation *next;
    struct error why;

    if (when == MASTER_RESTART_NEVER) {
        error_set(&why, 0, "the bus is gone, and \"restarts %lld\" allows no other",
                  (long long)pool->restarts);
        give_up(master, &why);
        return;
    }
    if (when > now) {
        log_write(&master->log, LPM_LOG_ERROR,
                  "%lld restarts of the bus within %g s, the next is allowed %.1f s from now",
                  (long long)pool->restarts, (double)pool->max_restarts_in_interval / 1000.0,
                  (double)(when - now) / (double)CLOCK_NS_PER_S);
    }
    if (master->start_failed && when < now + PAUSE_NS) {
        when = now + PAUSE_NS;
    }
    next = begin_again(master, master->current, when - now);
    if (next) {
        next->is_restart = true;
    }
}

static void go_back(struct master *master)
{
    begin_again(master, master->previous, master->start_failed ? PAUSE_BACK_NS : 0);
}

static void abandon_reload(struct master *master)
{
    MASTER_EACH_GENERATION(g, master)
    {
        if (g->is_reload) {
            master_generation_event(g, MASTER_ON_RETIRE);
        }
    }
    log_write(&master->log, LPM_LOG_WARN, "the reload begins anew when lpm serves again");
    master->reload_wanted = true;
}

/* -- The plan ----------------------------------------------------------------------------------------- */

/* No process of it is left. */
static void bury(struct master_generation *generation)
{
    struct master *master = generation->master;
    const struct error *why = &generation->reason;

    if (generation->was_active) {
        log_write(&master->log, LPM_LOG_INFO, "generation %u has ended", generation->number);
    } else if (why->text[0]) {
        if (!master->online) {
            master->failure = *why;
        } else if (generation->is_reload) {
            master_reload_failed(master, why);
        }
    }
    master_generation_free(generation);
}

/* One generation at most is on its way: one that only waits for its time gives way to the reload. */
static void begin_reload(struct master *master)
{
    MASTER_EACH_GENERATION(g, master)
    {
        if (g->state == MASTER_NEW) {
            master_generation_event(g, MASTER_ON_RETIRE);
        }
    }
    master_reload_begin(master);
}

/* May what has run before not start at once? */
static bool must_pause(struct master *master)
{
    uint64_t now = clock_now();

    return master->start_failed ||
           (!master->previous && master_restart_when(&master->bus_restarts, now) > now);
}

/* May a reload begin that somebody wants? If not now, the timer looks again. */
static bool reload_is_due(struct master *master)
{
    uint64_t now = clock_now();
    struct timeval wait;

    if (!master->reload_wanted || master->upgrade.heir > 0) {
        return false;
    }
    if (now >= master->not_before) {
        return true;
    }
    wait = clock_timeval(master->not_before - now);
    event_add(master->reload_timer, &wait);
    return false;
}

static enum master_plan next_plan(struct master *master)
{
    struct master_view view = {.stopping = master->stopping,
                               .withdrawn = master->withdrawn,
                               .online = master->online,
                               .can_go_back = master->previous != NULL,
                               .reload_due = reload_is_due(master),
                               .must_pause = must_pause(master),
                               .max_leaving = master->current->core.max_generations};

    MASTER_EACH_GENERATION(g, master)
    {
        master_plan_count(&view, g->state, g->is_reload);
    }
    if (view.reload_due && view.leaving >= view.max_leaving && !master->reload_waits) {
        log_write(&master->log, LPM_LOG_WARN, "%u generations drain: the reload waits until one has ended",
                  view.leaving);
    }
    master->reload_waits = view.reload_due && view.leaving >= view.max_leaving;
    return master_plan_next(&view);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct master *master = arg;

    (void)fd;
    (void)what;
    MASTER_EACH_GENERATION(g, master)
    {
        if (g->state == MASTER_GONE) {
            bury(g);
        }
    }
    switch (next_plan(master)) {
    case MASTER_RELOAD:
        begin_reload(master);
        break;
    case MASTER_AGAIN:
        start_again(master);
        break;
    case MASTER_BACK:
        go_back(master);
        break;
    case MASTER_ABANDON:
        abandon_reload(master);
        break;
    case MASTER_GIVE_UP:
        give_up(master, &master->failure);
        break;
    case MASTER_END:
        event_base_loopbreak(master->base);
        return;
    case MASTER_WAIT:
        return;
    }
    master_fleet_look(master);
}

/* -- Orders ------------------------------------------------------------------------------------------- */

int master_fleet_start(struct master *master, struct error *err)
{
    struct master_generation *first;
    int rc = master_generation_new(&first, master->current, false, err);

    if (!rc) {
        master_generation_event(first, MASTER_ON_START);
    }
    return rc;
}

void master_fleet_reload(struct master *master)
{
    master->reload_wanted = true;
    master_fleet_look(master);
}

void master_fleet_withdraw(struct master *master)
{
    master->withdrawn = true;
    master_setup_release(&master->previous);
    MASTER_EACH_GENERATION(g, master)
    {
        master_generation_event(g, MASTER_ON_RETIRE);
    }
}

void master_fleet_resume(struct master *master)
{
    if (master->withdrawn && !master->stopping) {
        begin_again(master, master->current, 0);
    }
    master->withdrawn = false;
    master_fleet_look(master);
}

void master_fleet_stop(struct master *master, enum master_event kill)
{
    int64_t limit = master->current->core.shutdown_timeout;

    master->stopping = true;
    master_upgrade_stop(master, kill);
    if (master->upgrade.heir == 0) {
        master_notify_stopping(master, kill == MASTER_ON_SOFT_KILL ? "answers what it has" : "ends");
    }
    /* The bus takes nothing new in, so nobody shall wait for it. Where another master may serve this one stays, to close for
     * both if the other dies. */
    LIST_EACH(link, after, &master->setups)
    {
        struct master_setup *setup = LIST_ENTRY(link, struct master_setup, link);
        if (!setup->shared) {
            master_setup_close_listeners(setup);
        }
    }
    MASTER_EACH_GENERATION(g, master)
    {
        master_generation_event(g, kill);
    }
    if (kill == MASTER_ON_SOFT_KILL && limit >= 0 && !evtimer_pending(master->shutdown_timer, NULL)) {
        struct timeval wait = clock_timeval((uint64_t)limit * CLOCK_NS_PER_MS);
        event_add(master->shutdown_timer, &wait);
    }
    master_fleet_look(master); /* there may be no generation whose end would be the end */
}

static void on_shutdown_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct master *master = arg;

    (void)fd;
    (void)what;
    log_write(&master->log, LPM_LOG_WARN, "shutdown_timeout passed");
    MASTER_EACH_GENERATION(g, master)
    {
        master_generation_event(g, MASTER_ON_DRAIN_TIMEOUT);
    }
}

int master_fleet_init(struct master *master)
{
    master->sweep = event_new(master->base, -1, 0, on_sweep, master);
    master->reload_timer = evtimer_new(master->base, on_sweep, master);
    master->shutdown_timer = evtimer_new(master->base, on_shutdown_timeout, master);
    return master->sweep && master->reload_timer && master->shutdown_timer ? 0 : LPM_ENOMEM;
}

static void free_event(struct event **event)
{
    if (*event) {
        event_free(*event);
        *event = NULL;
    }
}

void master_fleet_fini(struct master *master)
{
    MASTER_EACH_GENERATION(g, master)
    {
        master_generation_free(g);
    }
    master_setup_release(&master->previous);
    master_setup_release(&master->current);
    master_setup_release(&master->shared);
    free_event(&master->sweep);
    free_event(&master->reload_timer);
    free_event(&master->shutdown_timer);
}
