/*
 * Pools: they fill their empty places as far as their restart policy allows. Runs in the master. A fork that fails is
 * tried again after a pause; a pool that has used up its restarts waits for its window.
 */
#include "master/master_pool.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "master/master_control.h"
#include "master/master_fleet.h"
#include "master/master_generation.h"
#include "master/master_reload.h"
#include "master/master_worker.h"

/* -- Replacement -------------------------------------------------------------------------------------- */

static void set_degraded(struct master_pool *pool, uint64_t now, uint64_t until)
{
    const struct log *log = &pool->generation->master->log;
    struct control message = {.type = CONTROL_POOL_DEGRADED, .pool = (uint32_t)pool->index, .until = until};
    char next[64] = "no further one is allowed", within[64] = "";

    if (!until && !pool->degraded) {
        return;
    }
    if (pool->conf->max_restarts_in_interval >= 0) {
        snprintf(within, sizeof(within), " within %g s",
                 (double)pool->conf->max_restarts_in_interval / 1000.0);
    }
    if (until != MASTER_RESTART_NEVER) {
        snprintf(next, sizeof(next), "the next is allowed %.1f s from now",
                 (double)(until - now) / (double)CLOCK_NS_PER_S);
    }
    if (!until) {
        log_write(log, LPM_LOG_NOTICE, "pool %s is no longer degraded", pool->conf->name);
    } else if (!pool->degraded) {
        log_write(log, LPM_LOG_ERROR, "pool %s is degraded: %lld restarts%s, %s", pool->conf->name,
                  (long long)pool->conf->restarts, within, next);
    }
    pool->degraded = until != 0;
    master_control_send(pool->generation, &message, -1);
}

/* While the generation before comes back, what is there goes on as well as it can. */
static bool beyond_limits(const struct master_pool *pool)
{
    return pool->generation->state == MASTER_FAILING;
}

/* Forks the worker's successor. Returns when to try again, 0: it runs. */
static uint64_t replace(struct master_pool *pool, struct master_worker *worker, uint64_t now)
{
    bool free_of_charge = worker->retired || beyond_limits(pool);
    struct error err;

    worker->incarnation++;
    if (master_worker_start(worker, &err) != 0) {
        worker->incarnation--;
        worker->not_before = now + MASTER_WORKER_PAUSE_NS;
        if (!pool->fork_failed) {
            log_write(&pool->generation->master->log, LPM_LOG_ERROR,
                      "worker %s/%zu cannot be started, lpm tries again: %s", pool->conf->name, worker->index,
                      err.text);
        }
        pool->fork_failed = true;
        return worker->not_before;
    }
    pool->fork_failed = false;
    if (!free_of_charge && master_restart_note(&pool->restart, now) != 0) {
        log_write(&pool->generation->master->log, LPM_LOG_ERROR, "no memory to count a restart of pool %s",
                  pool->conf->name);
    }
    return 0;
}

static void exhausted(struct master_pool *pool)
{
    struct error why;

    error_set(&why, 0, "pool %s has lost more workers than \"restarts %lld\" allows, the last one: %s",
              pool->conf->name, (long long)pool->conf->restarts, pool->last_death.text);
    master_reload_undone(pool->generation, why.text);
    master_generation_event(pool->generation, MASTER_ON_EXHAUSTED);
}

static void refill(struct master_pool *pool)
{
    uint64_t now = clock_now(), next = MASTER_RESTART_NEVER, until = 0;

    for (struct master_worker *worker = pool->workers; worker < pool->workers + pool->places; worker++) {
        uint64_t when = worker->not_before;
        if (worker->pid > 0 || worker->removed) {
            continue;
        }
        if (!worker->retired && !beyond_limits(pool)) {
            uint64_t allowed = master_restart_when(&pool->restart, now);
            until = allowed > now ? allowed : until;
            when = allowed > when ? allowed : when;
        }
        if (when <= now) {
            when = replace(pool, worker, now);
        }
        if (when && when < next) {
            next = when;
        }
    }
    if (until && pool->generation->state == MASTER_PROBATION) {
        exhausted(pool);
        return; /* it has been here again by now, beyond the limits */
    }
    set_degraded(pool, now, until);
    event_del(pool->refill_timer);
    if (next != MASTER_RESTART_NEVER) {
        struct timeval wait = clock_timeval(next > now ? next - now : 0);
        event_add(pool->refill_timer, &wait);
    }
}

static void on_refill(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    refill(arg);
}

void master_pool_refill(struct master_generation *generation)
{
    for (size_t i = 0; i < generation->core->pool_count; i++) {
        refill(&generation->pools[i]);
    }
}

void master_pool_stop(struct master_generation *generation)
{
    for (size_t i = 0; generation->pools && i < generation->core->pool_count; i++) {
        event_del(generation->pools[i].refill_timer);
    }
    MASTER_EACH_WORKER(worker, generation)
    {
        event_del(worker->ready_timer);
    }
}

/* -- Another size ------------------------------------------------------------------------------------- */

/* The next generation of the same setup begins with as many as there are: its clients have not become fewer. */
static void remember(const struct master_pool *pool)
{
    master_pool_carry(pool->generation->core, pool->generation);
}

bool master_pool_add_place(struct master_pool *pool, size_t index)
{
    struct master_worker *worker = &pool->workers[index];

    if (index > pool->places || index >= CONF_CORE_WORKERS_MAX ||
        (index < pool->places && !worker->removed)) {
        return false;
    }
    if (index == pool->places) {
        if (master_worker_init(worker, pool, index) != 0) {
            return false;
        }
        pool->places++;
        worker->incarnation = UINT32_MAX; /* so that its first one has number 0 */
    }
    worker->removed = false;
    worker->retired = true; /* the first one in a place is no restart */
    remember(pool);
    refill(pool);
    return true;
}

void master_pool_remove_place(struct master_pool *pool, size_t index)
{
    struct master_worker *worker = &pool->workers[index];

    worker->removed = true;
    remember(pool);
    if (worker->pid > 0) {
        master_worker_retire(worker);
    } else if (master_fleet_serves(pool->generation)) {
        refill(pool); /* it may have been all that the pool waited for */
    }
}

static unsigned filled_places(const struct master_pool *pool)
{
    unsigned count = 0;

    for (size_t i = 0; i < pool->places; i++) {
        count += !pool->workers[i].removed;
    }
    return count;
}

static void carry(struct conf_pool *conf, const struct master_pool *from)
{
    unsigned count = filled_places(from);

    if (conf_core_is_scaled(conf) && strcmp(conf->name, from->conf->name) == 0) {
        conf->count = count < conf->count_min   ? conf->count_min
                      : count > conf->count_max ? conf->count_max
                                                : count;
    }
}

void master_pool_carry(struct conf_core *core, const struct master_generation *from)
{
    for (size_t i = 0; from && i < core->pool_count; i++) {
        for (size_t k = 0; k < from->core->pool_count; k++) {
            carry(&core->pools[i], &from->pools[k]);
        }
    }
}

/* -- Places ------------------------------------------------------------------------------------------- */

static int init_pool(struct master_pool *pool)
{
    struct event_base *base = pool->generation->master->base;

    master_restart_init(&pool->restart, pool->conf->restarts, pool->conf->max_restarts_in_interval);
    pool->refill_timer = evtimer_new(base, on_refill, pool);
    pool->workers =
        calloc(CONF_CORE_WORKERS_MAX, sizeof(*pool->workers)); /* what is not touched costs nothing */
    if (!pool->refill_timer || !pool->workers) {
        return LPM_ENOMEM;
    }
    for (; pool->places < pool->conf->count; pool->places++) {
        int rc = master_worker_init(&pool->workers[pool->places], pool, pool->places);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

int master_pool_init(struct master_generation *generation)
{
    const struct conf_core *core = generation->core;

    generation->pools = calloc(core->pool_count + 1, sizeof(*generation->pools));
    if (!generation->pools) {
        return LPM_ENOMEM;
    }
    for (size_t i = 0; i < core->pool_count; i++) {
        generation->pools[i].generation = generation;
        generation->pools[i].conf = &core->pools[i];
        generation->pools[i].index = i;
    }
    for (size_t i = 0; i < core->pool_count; i++) {
        int rc = init_pool(&generation->pools[i]);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

void master_pool_fini(struct master_generation *generation)
{
    MASTER_EACH_WORKER(worker, generation)
    {
        master_worker_fini(worker);
    }
    for (size_t i = 0; generation->pools && i < generation->core->pool_count; i++) {
        struct master_pool *pool = &generation->pools[i];
        if (pool->refill_timer) {
            event_free(pool->refill_timer);
        }
        master_restart_fini(&pool->restart);
        free(pool->workers);
    }
    free(generation->pools);
    generation->pools = NULL;
}
