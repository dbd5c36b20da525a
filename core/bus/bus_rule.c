/*
 * The supervisor's rule over its workers. Runs in the bus; the master does what is asked for. Modules ask from anywhere, also
 * from within what the workers' events cause; what they ask for is done at the end of the turn, and so are their callbacks.
 */
#include "bus/bus_rule.h"

#include <stdlib.h>
#include <string.h>

#include "bus/bus_lifecycle.h"
#include "bus/bus_memory.h"
#include "bus/bus_resize.h"
#include "bus/bus_scaler.h"
#include "bus/bus_succession.h"

/* -- Who waits ---------------------------------------------------------------------------------------- */

struct bus_rule_waiter {
    struct list link;
    const struct lpm_supervisor *asker;
    lpm_done_fn on_done;
    void *arg;
    int error;
};

/* `*waiter` is NULL when nobody wants to be told. 0 or LPM_ENOMEM. */
static int new_waiter(struct bus_rule_waiter **waiter, const lpm_supervisor *asker, lpm_done_fn on_done,
                      void *arg)
{
    *waiter = NULL;
    if (!on_done) {
        return 0;
    }
    *waiter = calloc(1, sizeof(**waiter));
    if (!*waiter) {
        return LPM_ENOMEM;
    }
    **waiter = (struct bus_rule_waiter){.asker = asker, .on_done = on_done, .arg = arg};
    list_init(&(*waiter)->link);
    return 0;
}

static void end_wait(struct bus *bus, struct bus_rule_waiter *waiter, int error)
{
    if (waiter) {
        list_remove(&waiter->link);
        list_append(&bus->rule_ended, &waiter->link);
        waiter->error = error;
        bus_lifecycle_again(bus);
    }
}

static void call_one(struct list *link)
{
    struct bus_rule_waiter *waiter = LIST_ENTRY(link, struct bus_rule_waiter, link);
    uint32_t step = bus_step_enter(waiter->asker, ROLE_STEP_DONE);

    list_remove(link);
    waiter->on_done(waiter->error, waiter->arg);
    bus_step_back(waiter->asker, step);
    free(waiter);
}

/* Those whose wait is over before the next turn has another one: a callback may ask again for what ends at once. */
static void call_ended(struct bus *bus)
{
    struct list *last = bus->rule_ended.prev;
    bool more = !list_empty(&bus->rule_ended);

    while (more) {
        more = bus->rule_ended.next != last;
        call_one(bus->rule_ended.next);
    }
}

static void free_waiters(struct list *waiters)
{
    LIST_EACH(link, after, waiters)
    {
        list_remove(link);
        free(LIST_ENTRY(link, struct bus_rule_waiter, link));
    }
}

void bus_rule_init(struct bus *bus)
{
    list_init(&bus->soft_kill_waiters);
    list_init(&bus->rule_ended);
}

void bus_rule_fini(struct bus *bus)
{
    for (size_t i = 0; i < bus->pool_count; i++) {
        free(bus->pools[i].resize_waiter);
    }
    free_waiters(&bus->soft_kill_waiters);
    free_waiters(&bus->rule_ended);
}

/* -- The end ------------------------------------------------------------------------------------------ */

static int supervisor_soft_kill(lpm_supervisor *s, lpm_done_fn on_done, void *arg)
{
    struct bus *bus = s->bus;
    bool begun = bus->phase == POLICY_DRAINING || bus->soft_kill_asked;
    struct bus_rule_waiter *waiter;
    int rc = bus->over ? LPM_ESHUTDOWN : new_waiter(&waiter, s, on_done, arg);

    if (rc != 0) {
        return rc;
    }
    if (waiter) {
        list_append(&bus->soft_kill_waiters, &waiter->link);
    }
    s->soft_kill_asked = true;
    if (begun) {
        return LPM_EDONE;
    }
    bus->soft_kill_asked = true;
    bus_lifecycle_tell_master(bus, CONTROL_ASK_SOFT_KILL, NULL);
    return 0;
}

static int supervisor_hard_kill(lpm_supervisor *s)
{
    bus_lifecycle_tell_master(s->bus, CONTROL_ASK_HARD_KILL, NULL);
    return 0;
}

static void end_resize(struct bus_pool *pool, int error)
{
    end_wait(pool->bus, pool->resize_waiter, error);
    pool->resize_waiter = NULL;
    pool->resizing = pool->resize_asked = false;
}

static void end_soft_kill(struct bus *bus, int error)
{
    LIST_EACH(link, after, &bus->soft_kill_waiters)
    {
        end_wait(bus, LIST_ENTRY(link, struct bus_rule_waiter, link), error);
    }
}

void bus_rule_soft_kill(struct bus *bus)
{
    for (size_t i = 0; i < bus->pool_count; i++) {
        end_resize(&bus->pools[i], LPM_ECANCELED);
    }
}

void bus_rule_soft_killed(struct bus *bus)
{
    end_soft_kill(bus, 0);
    call_ended(bus);
}

void bus_rule_hard_kill(struct bus *bus)
{
    bus_rule_soft_kill(bus);
    end_soft_kill(bus, LPM_ECANCELED);
    call_ended(bus);
}

/* -- Resizing ----------------------------------------------------------------------------------------- */

static size_t survey(const struct bus_pool *pool, struct bus_resize_place *places, bool pressure)
{
    for (size_t i = 0; i < pool->places; i++) {
        const struct bus_worker *w = &pool->workers[i];
        bool up = w->state == BUS_WORKER_SERVING;
        places[i] = (struct bus_resize_place){.given_up = w->removed,
                                              .replaced = w->leave.state == BUS_LEAVE_REPLACING,
                                              .up = up,
                                              .empty = w->state == BUS_WORKER_ABSENT,
                                              .pressure = up && pressure ? bus_memory_pressure(w) : 0};
    }
    return pool->places;
}

static int fill_place(struct bus_pool *pool, size_t index)
{
    struct bus_worker *w = &pool->workers[index];

    if (index == pool->made) {
        int rc = bus_worker_init(w, pool, index);
        if (rc != 0) {
            bus_worker_fini(w);
            return rc;
        }
        pool->made++;
    }
    if (index == pool->places) {
        pool->places++;
    }
    w->removed = false;
    if (w->state == BUS_WORKER_ABSENT) {
        w->leave.state = BUS_LEAVE_STAYING;
    }
    bus_lifecycle_tell_master(pool->bus, CONTROL_RESIZE, w);
    return 0;
}

/* A place without a process, for one worker more; -1: none. */
static int vacancy(const struct bus_pool *pool)
{
    struct bus_resize_place places[CONF_CORE_WORKERS_MAX];
    int index = bus_resize_vacancy(places, survey(pool, places, false), CONF_CORE_WORKERS_MAX);
    bool free =
        index >= 0 && ((size_t)index == pool->places || pool->workers[index].state == BUS_WORKER_ABSENT);

    return free ? index : -1;
}

bool bus_rule_has_place(const struct bus_pool *pool)
{
    return vacancy(pool) >= 0;
}

int bus_rule_add_place(struct bus_pool *pool)
{
    int index = vacancy(pool), rc = index < 0 ? LPM_EFULL : fill_place(pool, (size_t)index);
    return rc != 0 ? rc : index;
}

static int grow(struct bus_pool *pool, struct bus_resize_place *places, size_t have)
{
    for (; have < pool->target; have++) {
        int index = bus_resize_vacancy(places, pool->places, CONF_CORE_WORKERS_MAX);
        int rc = index < 0 ? LPM_ENOMEM : fill_place(pool, (size_t)index);
        if (rc != 0) {
            pool->target = (unsigned)have;
            return rc;
        }
        places[index] = (struct bus_resize_place){.empty = true};
    }
    return 0;
}

static void shrink(struct bus_pool *pool, struct bus_resize_place *places, size_t have)
{
    for (; have > pool->target; have--) {
        int index = bus_resize_victim(places, pool->places);
        places[index].given_up = true;
        bus_succession_event(&pool->workers[index], BUS_LEAVE_ON_REMOVE);
    }
}

static int begin_resize(struct bus_pool *pool)
{
    struct bus_resize_place places[CONF_CORE_WORKERS_MAX];
    size_t have = bus_resize_count(places, survey(pool, places, false));

    pool->resize_asked = false;
    pool->resizing = true;
    if (have == pool->target) {
        return 0;
    }
    log_write(pool->bus->log, LPM_LOG_NOTICE, "pool %s is resized from %zu to %u workers%s%s",
              pool->conf->name, have, pool->target, pool->resize_why ? ": " : "",
              pool->resize_why ? pool->resize_why : "");
    if (have < pool->target) {
        return grow(pool, places, have);
    }
    survey(pool, places, true);
    shrink(pool, places, have);
    return 0;
}

/* Those that are replaced meanwhile, and their successors, are as many as before. */
static bool is_resized(const struct bus_pool *pool)
{
    for (size_t i = 0; i < pool->places; i++) {
        const struct bus_worker *w = &pool->workers[i];
        if (w->relieves || w->leave.reason != BUS_LEAVE_FOR_NOTHING) {
            continue;
        }
        if (w->state != (w->removed ? BUS_WORKER_ABSENT : BUS_WORKER_SERVING)) {
            return false;
        }
    }
    return true;
}

static void resize_turn(struct bus_pool *pool)
{
    int rc = pool->resize_asked ? begin_resize(pool) : 0;

    if (rc != 0 || (pool->resizing && is_resized(pool))) {
        end_resize(pool, rc);
    }
    /* Places that nobody needs are not looked at any more. */
    while (pool->places > 0 && pool->workers[pool->places - 1].removed &&
           pool->workers[pool->places - 1].state == BUS_WORKER_ABSENT) {
        pool->places--;
    }
}

void bus_rule_turn(struct bus *bus)
{
    for (size_t i = 0; i < bus->pool_count; i++) {
        resize_turn(&bus->pools[i]);
    }
    call_ended(bus);
}

void bus_rule_start_failed(struct bus_pool *pool)
{
    if (pool->resizing) {
        end_resize(pool, LPM_EWORKER);
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

static void ask(struct bus_pool *pool, unsigned count, const char *why, struct bus_rule_waiter *waiter)
{
    end_resize(pool, LPM_ECANCELED);
    pool->target = count;
    pool->resize_asked = true;
    pool->resize_why = why;
    pool->resize_waiter = waiter;
    bus_lifecycle_again(pool->bus);
}

void bus_rule_scale(struct bus_pool *pool, unsigned count, const char *why)
{
    ask(pool, count, why, NULL);
}

/* Somebody wants so many: a pool that scales itself does so no more. */
static int resize(struct bus_pool *pool, const lpm_supervisor *s, unsigned count, lpm_done_fn on_done,
                  void *arg)
{
    struct bus_rule_waiter *waiter;
    int rc = new_waiter(&waiter, s, on_done, arg);

    if (rc == 0) {
        bus_scaler_pin(pool);
        ask(pool, count, NULL, waiter);
    }
    return rc;
}

static int supervisor_resize(lpm_supervisor *s, const char *name, unsigned count, lpm_done_fn on_done,
                             void *arg)
{
    struct bus_pool *pool = pool_named(s->bus, name ? name : "default");

    if (!pool || count < 1 || count > CONF_CORE_WORKERS_MAX) {
        return loader_misused(s, "lpm_supervisor_resize", LPM_EINVAL);
    }
    if (s->bus->phase == POLICY_STARTING) {
        return LPM_EAGAIN;
    }
    if (s->bus->phase == POLICY_DRAINING || s->bus->over) {
        return LPM_ESHUTDOWN;
    }
    return resize(pool, s, count, on_done, arg);
}

void bus_rule_step(struct bus *bus, int by)
{
    struct bus_pool *pool = &bus->pools[0];
    unsigned count = by > 0 ? pool->target + 1 : pool->target - 1;
    int rc;

    if (bus->phase != POLICY_SERVING) {
        return;
    }
    rc = count < 1 || count > CONF_CORE_WORKERS_MAX ? LPM_EINVAL : resize(pool, NULL, count, NULL, NULL);
    if (rc != 0) {
        log_write(bus->log, LPM_LOG_NOTICE, "pool %s keeps its %u workers, 1 to %u are possible",
                  pool->conf->name, pool->target, CONF_CORE_WORKERS_MAX);
    }
}

void bus_rule_host_init(lpm_host *host)
{
    host->supervisor_soft_kill = supervisor_soft_kill;
    host->supervisor_hard_kill = supervisor_hard_kill;
    host->supervisor_resize = supervisor_resize;
}
