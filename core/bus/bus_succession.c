/*
 * Succession. Runs in the bus; the master forks and kills. Without memory for another place the worker goes on.
 */
#include "bus/bus_succession.h"

#include <stdio.h>

#include "base/clock.h"
#include "bus/bus_end.h"
#include "bus/bus_lifecycle.h"
#include "bus/bus_resize.h"
#include "bus/bus_rule.h"
#include "bus/bus_squeeze.h"

/* After a successor that did not get ready. */
#define PAUSE_NS (5 * CLOCK_NS_PER_S)

#define NEVER UINT64_MAX

static struct bus_worker *successor_of(const struct bus_worker *w)
{
    for (size_t i = 0; i < w->pool->places; i++) {
        if (w->pool->workers[i].relieves == w) {
            return &w->pool->workers[i];
        }
    }
    return NULL;
}

/* -- What is done ------------------------------------------------------------------------------------- */

static void drain(struct bus_worker *w, enum control_type type)
{
    bus_worker_touch(w);
    w->removed = w->removed || type == CONTROL_WORKER_REMOVE;
    bus_lifecycle_tell_master(w->pool->bus, type, w);
    if (w->state == BUS_WORKER_SERVING) {
        w->state = BUS_WORKER_LEAVING;
    }
    bus_worker_go_home(w);
}

static void give_up(struct bus_worker *w)
{
    w->removed = true;
    bus_lifecycle_tell_master(w->pool->bus, CONTROL_WORKER_REMOVE, w);
}

static void call_successor(struct bus_worker *w)
{
    int index = bus_rule_add_place(w->pool);

    if (index < 0) {
        bus_succession_event(w, BUS_LEAVE_ON_LOST);
    } else {
        w->pool->workers[index].relieves = w;
    }
}

static void dismiss(struct bus_worker *w, struct bus_worker *successor)
{
    w->leave.reason = BUS_LEAVE_FOR_NOTHING;
    w->pool->no_successor_before = clock_now() + PAUSE_NS;
    if (successor) {
        log_write(w->pool->bus->log, LPM_LOG_WARN,
                  "worker %s (pid %d) goes on: its successor did not get ready", w->name, (int)w->pid);
        bus_succession_event(successor, BUS_LEAVE_ON_REMOVE);
    }
}

static void act(struct bus_worker *w, enum bus_leave_action action, struct bus_worker *successor)
{
    static const char over[] = "it has half as much memory again as rss_limit";

    switch (action) {
    case BUS_LEAVE_DO_CALL:
        call_successor(w);
        break;
    case BUS_LEAVE_DO_DISMISS:
        dismiss(w, successor);
        break;
    case BUS_LEAVE_DO_RETIRE:
        drain(w, CONTROL_WORKER_RETIRE);
        break;
    case BUS_LEAVE_DO_REMOVE:
        drain(w, CONTROL_WORKER_REMOVE);
        break;
    case BUS_LEAVE_DO_GIVE_UP:
        give_up(w);
        break;
    case BUS_LEAVE_DO_KILL_RETIRE:
        bus_lifecycle_tell_master(w->pool->bus, CONTROL_WORKER_RETIRE, w);
        bus_end_kill(w, over);
        break;
    case BUS_LEAVE_DO_KILL_REMOVE:
        give_up(w);
        bus_end_kill(w, over);
        break;
    case BUS_LEAVE_DO_KILL:
        bus_end_kill(w, over);
        break;
    default:
        break;
    }
}

void bus_succession_event(struct bus_worker *w, enum bus_leave_event event)
{
    struct bus_leave_step step = bus_leave_next(w->leave.state, event);
    struct bus_worker *successor = NULL, *before = w->relieves;

    if (w->leave.state == BUS_LEAVE_REPLACING && step.next != BUS_LEAVE_REPLACING) {
        successor = successor_of(w);
    }
    if (successor) {
        successor->relieves = NULL; /* it is a worker like any other from now on */
    }
    if (step.next == BUS_LEAVE_DRAINING && w->leave.state != BUS_LEAVE_DRAINING) {
        w->pool->leaves[w->leave.reason]++;
    }
    w->leave.state = step.next;
    act(w, step.action, successor);
    if (event == BUS_LEAVE_ON_REMOVE && before) {
        w->relieves = NULL;
        bus_succession_event(before, BUS_LEAVE_ON_TAKEN);
    }
}

/* -- When it is time ---------------------------------------------------------------------------------- */

/* It is to serve, and does not yet; in a degraded pool nobody knows when one that is missing will. */
static bool is_coming(const struct bus_worker *w)
{
    bool missing = w->state == BUS_WORKER_ABSENT && w->pool->degraded == 0;
    return (missing || w->state == BUS_WORKER_STARTING) && !w->removed && !w->relieves;
}

/* Those on their way out for reasons of their own, and those that are coming, and not beside one that they come after. */
static size_t count_away(const struct bus_pool *pool)
{
    size_t away = 0;

    for (size_t i = 0; i < pool->places; i++) {
        const struct bus_worker *w = &pool->workers[i];
        bool leaves = w->leave.state != BUS_LEAVE_STAYING && w->leave.reason != BUS_LEAVE_FOR_NOTHING;
        away += leaves || is_coming(w);
    }
    return away;
}

/* For one that begins with what this one began with. */
static bool has_room(const struct bus_worker *w)
{
    const struct bus *bus = w->pool->bus;
    uint64_t limit = bus->memory.limit / 100 * BUS_SQUEEZE_FULL;

    return bus_rule_has_place(w->pool) && bus->squeeze < BUS_SQUEEZE_MAX &&
           (bus->memory.limit == 0 || bus->memory.used + w->baseline <= limit);
}

/* What follows from it: bus_leave_choose(). */
static int choose(const struct bus_worker *w, enum bus_leave_reason reason, bool urgent)
{
    const struct bus_pool *pool = w->pool;
    struct bus_leave_facts facts = {.state = w->leave.state, .reason = reason, .urgent = urgent};

    if (w->state != BUS_WORKER_SERVING || pool->bus->phase != POLICY_SERVING) {
        return -1;
    }
    facts.away = count_away(pool);
    facts.count = pool->target;
    facts.may_start = pool->degraded == 0 && clock_now() >= pool->no_successor_before;
    facts.has_room = facts.away < bus_leave_bound(facts.count) && has_room(w);
    return bus_leave_choose(&facts);
}

static void leave(struct bus_worker *w, enum bus_leave_reason reason, int event, const char *why)
{
    const char *how = w->leave.state == BUS_LEAVE_REPLACING ? "it goes before its successor is ready"
                      : event == BUS_LEAVE_ON_DUE           ? "a successor is started"
                                                            : "it goes, and is replaced";

    log_write(w->pool->bus->log, LPM_LOG_NOTICE, "worker %s (pid %d) %s: %s", w->name, (int)w->pid, why, how);
    if (w->leave.state == BUS_LEAVE_STAYING) {
        w->leave.reason = reason;
    }
    bus_succession_event(w, (enum bus_leave_event)event);
}

bool bus_succession_may(const struct bus_worker *w, enum bus_leave_level level)
{
    return level == BUS_LEAVE_HARD || choose(w, BUS_LEAVE_FOR_MEMORY, level >= BUS_LEAVE_URGENT) >= 0;
}

static void kill_it(struct bus_worker *w)
{
    /* Before all is up the master hears of nobody who leaves. */
    if (w->pool->bus->phase != POLICY_STARTING) {
        w->pool->killed++;
        bus_succession_event(w, BUS_LEAVE_ON_OVER);
    }
}

void bus_succession_over(struct bus_worker *w, uint64_t bytes, uint64_t limit)
{
    enum bus_leave_level level = bus_leave_level(bytes, limit);
    char why[128];
    int event;

    if (level == BUS_LEAVE_HARD) {
        kill_it(w);
        return;
    }
    event = level == BUS_LEAVE_BELOW ? -1 : choose(w, BUS_LEAVE_FOR_MEMORY, level == BUS_LEAVE_URGENT);
    if (event >= 0) {
        snprintf(why, sizeof(why), "has %llu bytes of its own, over the rss_limit of %llu",
                 (unsigned long long)bytes, (unsigned long long)limit);
        leave(w, BUS_LEAVE_FOR_MEMORY, event, why);
    }
}

void bus_succession_look(struct bus_worker *w)
{
    uint64_t answered = w->answered + (w->channel ? channel_calls(w->channel) : 0);
    enum bus_leave_reason reason = answered >= w->leave.requests_max ? BUS_LEAVE_FOR_REQUESTS
                                   : clock_now() >= w->leave.age_due ? BUS_LEAVE_FOR_AGE
                                                                     : BUS_LEAVE_FOR_NOTHING;
    char why[128];
    int event = reason == BUS_LEAVE_FOR_NOTHING ? -1 : choose(w, reason, false);

    if (event < 0) {
        return;
    }
    if (reason == BUS_LEAVE_FOR_REQUESTS) {
        snprintf(why, sizeof(why), "has answered %llu requests, its share of max_requests",
                 (unsigned long long)answered);
    } else {
        snprintf(why, sizeof(why), "is %.1f s old, its share of max_age",
                 (double)(clock_now() - w->born) / (double)CLOCK_NS_PER_S);
    }
    leave(w, reason, event, why);
}

/* -- Life --------------------------------------------------------------------------------------------- */

void bus_succession_new(struct bus_worker *w)
{
    w->leave.state = w->removed ? BUS_LEAVE_DRAINING : BUS_LEAVE_STAYING;
    w->leave.reason = BUS_LEAVE_FOR_NOTHING;
    w->leave.requests_max = w->leave.age_due = NEVER;
}

void bus_succession_ready(struct bus_worker *w)
{
    const struct conf_pool *conf = w->pool->conf;

    if (conf->max_requests != LPM_NONE) {
        w->leave.requests_max =
            bus_leave_jitter((uint64_t)conf->max_requests, (uint32_t)w->index, w->incarnation);
    }
    if (conf->max_age != LPM_NONE) {
        uint64_t age = (uint64_t)conf->max_age * CLOCK_NS_PER_MS;
        w->leave.age_due = w->born + bus_leave_jitter(age, (uint32_t)w->index, w->incarnation);
    }
    if (w->relieves) {
        bus_succession_event(w->relieves, BUS_LEAVE_ON_READY);
    }
}

/* It may be another one's turn. */
static void look_at_all(struct bus_pool *pool)
{
    for (size_t i = 0; i < pool->places; i++) {
        if (pool->workers[i].state == BUS_WORKER_SERVING) {
            bus_succession_look(&pool->workers[i]);
        }
    }
}

bool bus_succession_reaped(struct bus_worker *w)
{
    bool lost = !w->was_ready_now && w->relieves;
    bool left = w->leave.reason != BUS_LEAVE_FOR_NOTHING;

    bus_succession_event(w, BUS_LEAVE_ON_REAPED);
    w->leave.reason = BUS_LEAVE_FOR_NOTHING;
    if (lost) {
        bus_succession_event(w->relieves, BUS_LEAVE_ON_LOST);
    }
    if (left) {
        look_at_all(w->pool);
    }
    return lost;
}
