/*
 * The supervisor's rule over its workers. Runs in the bus; the master does what is asked for.
 */
#include "bus/bus_rule.h"

#include <stdlib.h>
#include <string.h>

#include "bus/bus_lifecycle.h"

/* Who waits for the end of a soft kill. */
struct waiter {
    struct list link;
    lpm_done_fn on_done;
    void *arg;
};

/* -- The end ------------------------------------------------------------------------------------------ */

static int supervisor_soft_kill(lpm_supervisor *s, lpm_done_fn on_done, void *arg)
{
    struct bus *bus = s->bus;
    bool begun = bus->phase == POLICY_DRAINING || bus->soft_kill_asked;
    struct waiter *waiter = NULL;

    if (on_done) {
        waiter = calloc(1, sizeof(*waiter));
        if (!waiter) {
            return LPM_ENOMEM;
        }
        waiter->on_done = on_done;
        waiter->arg = arg;
        list_append(&bus->soft_kill_waiters, &waiter->link);
    }
    if (begun) {
        return LPM_EDONE;
    }
    bus->soft_kill_asked = true;
    bus_lifecycle_tell_master(bus, CONTROL_ASK_SOFT_KILL, NULL);
    return 0;
}

void bus_rule_soft_killed(struct bus *bus)
{
    while (!list_empty(&bus->soft_kill_waiters)) {
        struct waiter *waiter = LIST_ENTRY(bus->soft_kill_waiters.next, struct waiter, link);
        list_remove(&waiter->link);
        waiter->on_done(0, waiter->arg);
        free(waiter);
    }
}

void bus_rule_fini(struct bus *bus)
{
    LIST_EACH(link, after, &bus->soft_kill_waiters)
    {
        list_remove(link);
        free(LIST_ENTRY(link, struct waiter, link));
    }
}

static int supervisor_hard_kill(lpm_supervisor *s)
{
    bus_lifecycle_tell_master(s->bus, CONTROL_ASK_HARD_KILL, NULL);
    return 0;
}

/* -- Resizing ----------------------------------------------------------------------------------------- */

static void finish_resize(struct bus_pool *pool, int error)
{
    lpm_done_fn on_done = pool->on_resized;
    void *arg = pool->on_resized_arg;

    pool->resizing = false;
    pool->on_resized = NULL;
    if (on_done) {
        on_done(error, arg);
    }
}

static unsigned wanted(const struct bus_pool *pool)
{
    unsigned count = 0;

    for (size_t i = 0; i < pool->places; i++) {
        count += !pool->workers[i].removed;
    }
    return count;
}

void bus_rule_check(struct bus_pool *pool)
{
    if (!pool->resizing) {
        return;
    }
    for (size_t i = 0; i < pool->places; i++) {
        const struct bus_worker *w = &pool->workers[i];
        if (w->removed ? w->state != BUS_WORKER_ABSENT : w->state != BUS_WORKER_SERVING) {
            return;
        }
    }
    finish_resize(pool, 0);
}

void bus_rule_start_failed(struct bus_pool *pool)
{
    if (pool->resizing) {
        finish_resize(pool, LPM_EWORKER);
    }
}

/* The place that is filled next: one that was emptied, or a new one; NULL: there is no room. */
static struct bus_worker *free_place(struct bus_pool *pool)
{
    for (size_t i = 0; i < pool->places; i++) {
        if (pool->workers[i].removed) {
            return &pool->workers[i];
        }
    }
    if (pool->places == BUS_RULE_PLACES_MAX ||
        bus_worker_init(&pool->workers[pool->places], pool, pool->places) != 0) {
        return NULL;
    }
    return &pool->workers[pool->places++];
}

static int grow(struct bus_pool *pool, unsigned by)
{
    for (; by > 0; by--) {
        struct bus_worker *w = free_place(pool);
        if (!w) {
            return LPM_ENOMEM;
        }
        w->removed = false;
        bus_lifecycle_tell_master(pool->bus, CONTROL_RESIZE, w);
    }
    return 0;
}

/* Who leaves next: one that is not up, else the one under the most pressure; of equals the last. */
static struct bus_worker *victim(const struct bus_pool *pool)
{
    struct bus_worker *worst = NULL;

    for (size_t i = 0; i < pool->places; i++) {
        struct bus_worker *w = &pool->workers[i];
        bool up = w->state == BUS_WORKER_SERVING, worst_up = worst && worst->state == BUS_WORKER_SERVING;

        if (w->removed) {
            continue;
        }
        if (!worst || (worst_up && !up) ||
            (worst_up == up && pool->loads[i].pressure >= pool->loads[worst->index].pressure)) {
            worst = w;
        }
    }
    return worst;
}

static void shrink(struct bus_pool *pool, unsigned by)
{
    for (; by > 0; by--) {
        struct bus_worker *w = victim(pool);
        w->removed = true;
        bus_worker_remove(w);
    }
}

static struct bus_pool *pool_named(const struct bus *bus, const char *name)
{
    for (size_t i = 0; i < bus->pool_count; i++) {
        if (strcmp(bus->pools[i].conf->name, name) == 0) {
            return &bus->pools[i];
        }
    }
    return NULL;
}

static int resize(struct bus_pool *pool, unsigned count, lpm_done_fn on_done, void *arg)
{
    unsigned have = wanted(pool);
    int rc = 0;

    if (pool->resizing) {
        finish_resize(pool, LPM_ECANCELED);
    }
    if (count > have) {
        rc = grow(pool, count - have);
    } else {
        shrink(pool, have - count);
    }
    if (rc == 0) {
        log_write(pool->bus->log, LPM_LOG_NOTICE, "pool %s is resized from %u to %u workers",
                  pool->conf->name, have, count);
        pool->resizing = true;
        pool->on_resized = on_done;
        pool->on_resized_arg = arg;
        bus_lifecycle_again(pool->bus);
    }
    return rc;
}

static int supervisor_resize(lpm_supervisor *s, const char *name, unsigned count, lpm_done_fn on_done,
                             void *arg)
{
    struct bus_pool *pool = pool_named(s->bus, name ? name : "default");

    if (!pool || count < 1 || count > BUS_RULE_PLACES_MAX) {
        return LPM_EINVAL;
    }
    if (s->bus->phase == POLICY_STARTING) {
        return LPM_EAGAIN;
    }
    if (s->bus->phase == POLICY_DRAINING) {
        return LPM_ESHUTDOWN;
    }
    return resize(pool, count, on_done, arg);
}

void bus_rule_step(struct bus *bus, int by)
{
    struct bus_pool *pool = &bus->pools[0];
    int count = (int)wanted(pool) + by;

    if (bus->phase == POLICY_SERVING && count >= 1 && count <= (int)BUS_RULE_PLACES_MAX) {
        resize(pool, (unsigned)count, NULL, NULL);
    }
}

void bus_rule_host_init(lpm_host *host)
{
    host->supervisor_soft_kill = supervisor_soft_kill;
    host->supervisor_hard_kill = supervisor_hard_kill;
    host->supervisor_resize = supervisor_resize;
}
