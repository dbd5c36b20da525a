/*
 * The life of the bus. Runs in the bus; an init hook that refuses ends it.
 */
#include "bus/bus_lifecycle.h"

#include <string.h>

#include "base/fd.h"
#include "bus/bus_control.h"
#include "bus/bus_ctl.h"
#include "bus/bus_event.h"
#include "bus/bus_handover.h"
#include "bus/bus_master.h"
#include "bus/bus_reload.h"
#include "bus/bus_reopen.h"
#include "bus/bus_rule.h"

#define EACH_MODULE(m, bus) \
    for (struct lpm_supervisor *m = (bus)->modules, *m##_end = m + (bus)->loader.count; m < m##_end; m++)

#define EACH_WORKER(w, bus)                                                                                 \
    for (struct bus_pool *w##_pool = (bus)->pools; w##_pool < (bus)->pools + (bus)->pool_count; w##_pool++) \
        for (struct bus_worker *w = w##_pool->workers; w < w##_pool->workers + w##_pool->places; w++)

static void leave(struct bus *bus)
{
    bus->over = true;
    event_base_loopbreak(bus->base);
}

static role_step_word *word_of(const struct lpm_supervisor *m)
{
    return m == &m->bus->ctl ? NULL : m->bus->start->step;
}

uint32_t bus_step_enter(const struct lpm_supervisor *m, enum role_step step)
{
    return role_step_enter(word_of(m), step, (size_t)(m - m->bus->modules));
}

void bus_step_back(const struct lpm_supervisor *m, uint32_t before)
{
    role_step_back(word_of(m), before);
}

static void run_hard_kill_hooks(struct bus *bus)
{
    EACH_MODULE(m, bus)
    {
        if (m->up && m->module->supervisor_hard_kill) {
            uint32_t before = bus_step_enter(m, ROLE_STEP_HARD_KILL);
            m->module->supervisor_hard_kill(m);
            bus_step_back(m, before); /* it may be an init hook that has refused */
        }
    }
}

static void show_step(const struct bus *bus, enum role_step step, const struct lpm_supervisor *m)
{
    role_step_set(bus->start->step, step, (size_t)(m - bus->modules));
}

int bus_lifecycle_init(struct bus *bus)
{
    EACH_MODULE(m, bus)
    {
        int rc;
        show_step(bus, ROLE_STEP_INIT, m);
        rc = m->module->supervisor_init ? m->module->supervisor_init(m) : 0;
        if (rc != 0) {
            log_write(bus->log, LPM_LOG_ERROR, "module \"%s\": supervisor_init returned %d, expected 0",
                      m->module->name, rc);
            run_hard_kill_hooks(bus);
            return ROLE_EXIT_INIT;
        }
        m->up = true;
    }
    show_step(bus, ROLE_STEP_NONE, bus->modules);
    return 0;
}

void bus_lifecycle_tell_master(struct bus *bus, enum control_type type, const struct bus_worker *w)
{
    struct control message = {.type = type};

    if (w) {
        message.pool = (uint32_t)w->pool->place;
        message.index = (uint32_t)w->index;
        message.incarnation = w->incarnation;
    }
    bus_master_send(bus, &message);
}

void bus_lifecycle_want_signal(struct bus *bus, int number, bool wanted)
{
    struct control message = {.type = CONTROL_SIGNAL_WANTED, .index = wanted, .status = number};
    bus_master_send(bus, &message);
}

static void go_online(struct bus *bus)
{
    bus->phase = POLICY_SERVING;
    EACH_MODULE(m, bus)
    {
        if (m->module->supervisor_online) {
            show_step(bus, ROLE_STEP_ONLINE, m);
            m->module->supervisor_online(m);
        }
    }
    show_step(bus, ROLE_STEP_NONE, bus->modules);
    bus_event_tell(bus, "online", NULL, "");
    bus_ctl_open(bus);
    bus_lifecycle_tell_master(bus, CONTROL_ONLINE, NULL);
}

void bus_lifecycle_worker_ready(struct bus_worker *ready)
{
    bus_lifecycle_tell_master(ready->pool->bus, CONTROL_WORKER_READY, ready);
    ready->pool->bus->online_due = true;
}

/* All its workers serve. First what the master has said is heard: if one of them has died, this generation is given up, and must not
 * take anything in any more. */
static void look_whether_online(struct bus *bus)
{
    bus->online_due = false;
    if (bus->phase == POLICY_STARTING) {
        bus_control_hear(bus);
    }
    if (bus->phase != POLICY_STARTING || bus->over) {
        return;
    }
    EACH_WORKER(w, bus)
    {
        if (w->state != BUS_WORKER_SERVING) {
            return;
        }
    }
    go_online(bus);
}

void bus_lifecycle_worker_gone(struct bus *bus)
{
    for (size_t i = 0; i < bus->pool_count; i++) {
        struct bus_pool *pool = &bus->pools[i];
        if (pool->degraded && pool->alive == 0) {
            bus_pool_refuse_all(pool, LPM_ENOWORKER, "the pool has no worker, and may not start one yet");
        }
    }
}

/* The master's copies are the master's to close: then new connections are refused instead of left in a queue. */
static void close_listeners(struct bus *bus)
{
    for (struct lpm_conf *node = bus->start->core->tree->root; node; node = conf_tree_walk(node)) {
        if (strcmp(node->name, "listen") == 0) {
            fd_close(&node->fd);
        }
    }
}

void bus_lifecycle_soft_kill(struct bus *bus)
{
    if (bus->phase == POLICY_DRAINING) {
        return;
    }
    bus->phase = POLICY_DRAINING;
    bus_rule_soft_kill(bus);
    bus_handover_drain(bus);
    EACH_MODULE(m, bus)
    {
        if (m->module->supervisor_soft_kill) {
            m->soft_kill_open = true;
            show_step(bus, ROLE_STEP_SOFT_KILL, m);
            m->module->supervisor_soft_kill(m);
        }
    }
    show_step(bus, ROLE_STEP_NONE, bus->modules);
    close_listeners(bus);
    bus_reload_close(bus);
    EACH_WORKER(w, bus)
    {
        struct frame frame = {.type = FRAME_DRAIN};
        bus_worker_post(w, &frame, -1);
    }
}

static bool everything_answered(const struct bus *bus)
{
    if (bus->waiting > 0 || bus_handover_is_open(bus)) {
        return false;
    }
    EACH_MODULE(m, bus)
    {
        if (m->soft_kill_open) {
            return false;
        }
    }
    return true;
}

static void drain(struct bus *bus)
{
    if (bus->phase != POLICY_DRAINING || bus->over) {
        return;
    }
    if (!bus->released && everything_answered(bus)) {
        bus->released = true;
        bus_lifecycle_tell_master(bus, CONTROL_RELEASED, NULL);
    }
    if (!bus->released) {
        return;
    }
    /* Those that were started too late to be told with the others are told now. */
    EACH_WORKER(w, bus)
    {
        if (w->channel && !w->sent_home) {
            bus_worker_say(w, FRAME_SOFT_KILL);
        }
    }
    for (size_t i = 0; i < bus->pool_count; i++) {
        if (bus->pools[i].alive > 0) {
            return;
        }
    }
    leave(bus);
    bus_rule_soft_killed(bus);
}

void bus_lifecycle_again(struct bus *bus)
{
    event_active(&bus->master_readable, EV_READ, 0);
}

void bus_lifecycle_end_turn(struct bus *bus)
{
    if (bus->online_due) {
        look_whether_online(bus);
    }
    bus->turn_ends = true;
    bus_rule_turn(bus);
    bus_reopen_turn(bus);
    for (size_t i = 0; i < bus->pool_count; i++) {
        bus_pool_dispatch(&bus->pools[i]);
    }
    bus_pool_bound_all(bus);
    for (size_t i = 0; i < bus->pool_count; i++) {
        bus_pool_end_turn(&bus->pools[i]);
    }
    drain(bus);
    bus->turn_ends = false;
}

void bus_lifecycle_hard_kill(struct bus *bus)
{
    if (bus->waiting > 0) {
        log_write(bus->log, LPM_LOG_WARN, "%zu requests are cut", bus->waiting);
    }
    EACH_WORKER(w, bus)
    {
        bus_worker_say(w, FRAME_HARD_KILL);
    }
    leave(bus);
    bus_reload_close(bus);
    bus_rule_hard_kill(bus);
    run_hard_kill_hooks(bus);
}
