/*
 * The actions of the state table. Runs in the master. A generation that fails is ended and handed back with its
 * reason; what then happens to lpm is master_main.c's.
 */
#include "master/master_generation.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/fd.h"
#include "base/version.h"
#include "master/master_control.h"
#include "master/master_daemon.h"
#include "master/master_listen.h"
#include "master/master_notify.h"
#include "master/master_pool.h"
#include "master/master_rundir.h"
#include "master/master_spawn.h"
#include "master/master_trial.h"
#include "master/master_worker.h"

#define KILL_GRACE_NS CLOCK_NS_PER_S

static void set_timer(struct master_generation *generation, uint64_t ns)
{
    struct timeval wait = clock_timeval(ns);
    event_add(generation->timer, &wait);
}

static bool has_process(const struct master_generation *generation)
{
    return generation->bus > 0 || (generation->trial && master_trial_pid(generation->trial) > 0) ||
           master_worker_running(generation) > 0;
}

static void check_empty(struct master_generation *generation)
{
    if (!has_process(generation)) {
        master_generation_event(generation, MASTER_ON_EMPTY);
    }
}

static void tell_bus(struct master_generation *generation, enum control_type type)
{
    struct control message = {.type = type};
    master_control_send(generation, &message, -1);
}

/* -- Actions ------------------------------------------------------------------------------------------ */

static void do_nothing(struct master_generation *generation)
{
    (void)generation;
}

static void on_trial_done(void *arg, int code, const struct error *err)
{
    struct master_generation *generation = arg;

    if (code && generation->state == MASTER_TRIAL) {
        generation->reason = *err;
    }
    master_generation_event(generation, code ? MASTER_ON_TRIAL_FAILED : MASTER_ON_TRIAL_OK);
}

static void do_trial(struct master_generation *generation)
{
    int rc = master_trial_new(&generation->trial, generation->master, generation->dir, generation->number,
                              on_trial_done, generation, &generation->reason);
    if (rc) {
        master_generation_event(generation, MASTER_ON_TRIAL_FAILED);
    }
}

static int start_bus(struct master_generation *generation, struct error *err)
{
    struct role_start start;
    int fds[2];
    int rc = control_pair(fds, err);

    if (rc) {
        return rc;
    }
    rc = master_control_open(generation, fds[0]);
    if (rc) {
        close(fds[1]);
        return error_set(err, rc, "no memory for the bus");
    }
    master_spawn_prepare(generation->master, &start);
    start.modules = generation->dir;
    start.generation = generation->number;
    start.channel = fds[1];
    generation->bus = master_spawn(generation->master, generation->master->roles->bus, &start, err);
    close(fds[1]);
    if (generation->bus < 0) {
        generation->bus = 0;
        return LPM_EIO;
    }
    return 0;
}

static void do_start(struct master_generation *generation)
{
    struct error why;
    int rc = master_listen_open(generation->core->tree, &generation->master->log, &why);

    if (!rc) {
        rc = master_listen_control(generation->core, &why);
    }
    if (!rc) {
        rc = start_bus(generation, &why);
    }
    if (!rc) {
        rc = master_worker_start_all(generation, &why);
    }
    if (rc) {
        master_generation_fail(generation, &why);
    }
}

static void do_announce(struct master_generation *generation)
{
    struct master *master = generation->master;

    event_del(generation->timer);
    generation->was_active = true;
    log_write(&master->log, LPM_LOG_NOTICE, "lpm/" LPM_VERSION " is online: generation %u, %zu workers",
              generation->number, master_worker_running(generation));
    master_notify_ready(master, "generation %u serves with %zu workers", generation->number,
                        master_worker_running(generation));
    if (!master->online) {
        master->online = true;
        master_daemon_online(master);
    }
}

static void do_drain(struct master_generation *generation)
{
    int64_t limit = 0;

    tell_bus(generation, CONTROL_SOFT_KILL);
    generation->bus_phase = POLICY_DRAINING;
    for (size_t i = 0; i < generation->core->pool_count; i++) {
        int64_t drain = generation->core->pools[i].drain_timeout;
        if (drain < 0 || limit < 0) {
            limit = -1;
        } else if (drain > limit) {
            limit = drain;
        }
    }
    if (limit >= 0) {
        set_timer(generation, (uint64_t)limit * CLOCK_NS_PER_MS + CLOCK_NS_PER_S);
    }
}

static void do_hard_kill(struct master_generation *generation)
{
    master_pool_stop(generation);
    tell_bus(generation, CONTROL_HARD_KILL);
    set_timer(generation, KILL_GRACE_NS);
    check_empty(generation);
}

/* Says in the log who still runs. */
static void log_running(const struct master_generation *generation, const char *why)
{
    char text[1024] = "", name[MASTER_WORKER_NAME_SIZE];
    size_t used = 0;

    if (generation->bus > 0) {
        used = (size_t)snprintf(text, sizeof(text), "bus (pid %ld)", (long)generation->bus);
    }
    MASTER_EACH_WORKER(worker, generation)
    {
        if (worker->pid > 0 && used < sizeof(text)) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? ", " : "",
                                     master_worker_name(worker, name));
        }
    }
    log_write(&generation->master->log, LPM_LOG_WARN, "%s: %s killed", why, used ? text : "nobody");
}

static void do_cut(struct master_generation *generation)
{
    log_running(generation, "drain_timeout passed");
    do_hard_kill(generation);
}

static void do_sigkill(struct master_generation *generation)
{
    event_del(generation->timer);
    master_pool_stop(generation);
    if (generation->trial && master_trial_pid(generation->trial) > 0) {
        kill(master_trial_pid(generation->trial), SIGKILL);
    }
    if (generation->bus > 0) {
        kill(generation->bus, SIGKILL);
    }
    master_worker_kill_all(generation);
    check_empty(generation);
}

static void do_finish(struct master_generation *generation)
{
    event_del(generation->timer);
    event_active(generation->master->sweep, EV_TIMEOUT, 0);
}

static void (*const actions[MASTER_ACTIONS])(struct master_generation *) = {
    [MASTER_IGNORE] = do_nothing,
    [MASTER_DO_TRIAL] = do_trial,
    [MASTER_DO_START] = do_start,
    [MASTER_DO_ANNOUNCE] = do_announce,
    [MASTER_DO_REPLACE] = master_pool_refill,
    [MASTER_DO_DRAIN] = do_drain,
    [MASTER_DO_RELEASE] = master_pool_stop,
    [MASTER_DO_HARD_KILL] = do_hard_kill,
    [MASTER_DO_CUT] = do_cut,
    [MASTER_DO_SIGKILL] = do_sigkill,
    [MASTER_DO_FINISH] = do_finish,
};

void master_generation_event(struct master_generation *generation, enum master_event event)
{
    struct master_transition transition = master_state_next(generation->state, event);

    if (generation->state != transition.next) {
        log_write(&generation->master->log, LPM_LOG_DEBUG, "generation %u is %s", generation->number,
                  master_state_name(transition.next));
    }
    generation->state = transition.next;
    actions[transition.action](generation);
}

/* -- What happens to it ------------------------------------------------------------------------------- */

void master_generation_fail(struct master_generation *generation, const struct error *why)
{
    if (generation->state == MASTER_STARTING) {
        generation->reason = *why;
    }
    master_generation_event(generation, MASTER_ON_START_FAILED);
}

void master_generation_workers_ready(struct master_generation *generation)
{
    int64_t limit = generation->core->pools[0].ready_timeout;

    if (generation->state == MASTER_STARTING && limit >= 0) {
        set_timer(generation, (uint64_t)limit * CLOCK_NS_PER_MS);
    }
}

/* The state's time is over. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct master_generation *generation = arg;
    struct error why;

    (void)fd;
    (void)what;
    switch (generation->state) {
    case MASTER_NEW:
        master_generation_event(generation, MASTER_ON_RESTART);
        break;
    case MASTER_STARTING:
        error_set(&why, 0, "bus (pid %ld) was not online within %g s after the last worker was ready",
                  (long)generation->bus, (double)generation->core->pools[0].ready_timeout / 1000.0);
        master_generation_fail(generation, &why);
        break;
    case MASTER_KILLING:
        log_running(generation, "the second for the hard kill passed");
        master_generation_event(generation, MASTER_ON_KILL_TIMEOUT);
        break;
    default:
        master_generation_event(generation, MASTER_ON_DRAIN_TIMEOUT);
    }
}

static void bus_reaped(struct master_generation *generation, int status)
{
    bool expected =
        generation->state == MASTER_KILLING || (generation->state == MASTER_RELEASED && status == 0);
    char end[TEXT_EXIT_SIZE];
    struct error why;

    error_set(&why, 0, "bus (pid %ld) %s", (long)generation->bus, text_exit(status, end, sizeof(end)));
    log_write(&generation->master->log, expected ? LPM_LOG_INFO : LPM_LOG_ERROR, "%s", why.text);
    if (generation->state == MASTER_STARTING) {
        error_set(&generation->reason, 0, "%s before lpm was online: the error log may say why", why.text);
    }
    generation->bus = 0;
    generation->control_over = true;
    master_control_close(generation);
    master_generation_event(generation, MASTER_ON_BUS_DIED);
}

bool master_generation_has(const struct master_generation *generation, pid_t pid)
{
    return generation->bus == pid || (generation->trial && master_trial_pid(generation->trial) == pid) ||
           master_worker_find(generation, pid);
}

bool master_generation_reaped(struct master_generation *generation, pid_t pid, int status)
{
    struct master_worker *worker;

    if (!master_generation_has(generation, pid)) {
        return false;
    }
    master_control_read(generation);
    worker = master_worker_find(generation, pid);
    if (worker) {
        master_worker_reaped(worker, status);
    } else if (generation->bus == pid) {
        bus_reaped(generation, status);
    } else {
        master_trial_reaped(generation->trial, status);
    }
    check_empty(generation);
    return true;
}

/* -- Life --------------------------------------------------------------------------------------------- */

static struct master_generation *allocate(struct master *master)
{
    struct master_generation *generation = calloc(1, sizeof(*generation));

    if (!generation) {
        return NULL;
    }
    generation->master = master;
    generation->core = master->core;
    generation->control = generation->dir_lock = -1;
    generation->number = ++master->last_number;
    list_init(&generation->messages);
    list_append(&master->generations, &generation->link);
    generation->timer = evtimer_new(master->base, on_timer, generation);
    if (!generation->timer || master_pool_init(generation) != 0) {
        master_generation_free(generation);
        return NULL;
    }
    return generation;
}

int master_generation_new(struct master_generation **out, struct master *master, struct error *err)
{
    struct master_generation *generation = allocate(master);
    int rc;

    if (!generation) {
        return error_set(err, LPM_ENOMEM, "no memory for a generation");
    }
    rc = master_rundir_make(master->core, generation->number, generation->dir, sizeof(generation->dir),
                            &generation->dir_lock, err);
    if (rc) {
        generation->dir[0] = '\0';
        master_generation_free(generation);
        return rc;
    }
    *out = generation;
    return 0;
}

int master_generation_succeed(struct master_generation *lost, uint64_t wait_ns, struct error *err)
{
    struct master_generation *next = allocate(lost->master);

    if (!next) {
        return error_set(err, LPM_ENOMEM, "no memory for a generation");
    }
    snprintf(next->dir, sizeof(next->dir), "%s", lost->dir);
    next->dir_lock = lost->dir_lock;
    lost->dir[0] = '\0';
    lost->dir_lock = -1;
    master_rundir_rename(next->dir, sizeof(next->dir), next->number);
    set_timer(next, wait_ns);
    return 0;
}

void master_generation_free(struct master_generation *generation)
{
    list_remove(&generation->link);
    master_control_close(generation);
    master_pool_fini(generation);
    master_trial_free(generation->trial);
    if (generation->timer) {
        event_free(generation->timer);
    }
    if (generation->dir[0]) {
        master_rundir_remove(generation->core, generation->dir, &generation->dir_lock);
    }
    fd_close(&generation->dir_lock);
    free(generation);
}
