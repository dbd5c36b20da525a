/*
 * The actions of the state table. Runs in the master. A generation that fails is ended and handed back with its
 * reason; what then happens to lpm is master_fleet.c's.
 */
#include "master/master_generation.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "master/master_control.h"
#include "master/master_crash.h"
#include "master/master_fleet.h"
#include "master/master_pool.h"
#include "master/master_reload.h"
#include "master/master_reopen.h"
#include "master/master_spawn.h"
#include "master/master_trial.h"
#include "master/master_worker.h"

#define KILL_GRACE_NS CLOCK_NS_PER_S

void master_generation_set_timer(struct master_generation *generation, uint64_t ns)
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

/* -- Steps of a start --------------------------------------------------------------------------------- */

/* From one to the next. A process writes its own with every call of a module: it has a cache line to itself, and the next, which the
 * processor may fetch with it. */
#define STEP_EACH (128 / sizeof(role_step_word))

static size_t steps_size(const struct conf_core *core)
{
    return (1 + core->pool_count * CONF_CORE_WORKERS_MAX) * STEP_EACH * sizeof(role_step_word);
}

static int map_steps(struct master_generation *generation)
{
    void *memory =
        mmap(NULL, steps_size(generation->core), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    generation->steps = memory == MAP_FAILED ? NULL : memory;
    return generation->steps ? 0 : LPM_ENOMEM;
}

role_step_word *master_generation_step(const struct master_generation *generation,
                                       const struct master_worker *worker)
{
    if (!generation->steps || !worker) {
        return generation->steps;
    }
    return generation->steps + (1 + worker->pool * CONF_CORE_WORKERS_MAX + worker->index) * STEP_EACH;
}

const char *master_generation_step_text(const struct master_generation *generation,
                                        const struct master_worker *worker, char room[MASTER_STEP_TEXT_SIZE])
{
    role_step_word *word = master_generation_step(generation, worker);

    return role_step_text(word ? *word : 0, generation->core, room, MASTER_STEP_TEXT_SIZE);
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
    int rc = master_trial_new(&generation->trial, generation->setup, generation->number, on_trial_done,
                              generation, &generation->reason);
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
    master_spawn_prepare(generation->setup, &start);
    start.generation = generation->number;
    start.channel = fds[1];
    start.step = master_generation_step(generation, NULL);
    master_crash_page(&generation->bus_crash);
    start.crash = generation->bus_crash;
    start.quarantine = generation->master->quarantine;
    generation->bus = master_crash_spawn(generation->master->roles->bus, &start, err);
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
    int rc = master_setup_listen(generation->setup, &why);

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

static void do_prove(struct master_generation *generation)
{
    event_del(generation->timer);
    master_fleet_prove(generation->master);
}

static void drain(struct master_generation *generation, enum control_type order)
{
    int64_t limit = 0;

    event_del(generation->timer);
    tell_bus(generation, order);
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
        master_generation_set_timer(generation, (uint64_t)limit * CLOCK_NS_PER_MS + CLOCK_NS_PER_S);
    }
}

static void do_retire(struct master_generation *generation)
{
    drain(generation, CONTROL_RETIRE);
}

static void do_drain(struct master_generation *generation)
{
    drain(generation, CONTROL_SOFT_KILL);
}

static void do_hard_kill(struct master_generation *generation)
{
    master_pool_stop(generation);
    tell_bus(generation, CONTROL_HARD_KILL);
    master_generation_set_timer(generation, KILL_GRACE_NS);
    check_empty(generation);
}

/* "bus (pid 6), worker default/0 (pid 7)": who still runs. */
static const char *name_running(const struct master_generation *generation, char *room, size_t size)
{
    char name[MASTER_WORKER_NAME_SIZE];
    size_t used = 0;

    snprintf(room, size, "nobody");
    if (generation->bus > 0) {
        used = (size_t)snprintf(room, size, "bus (pid %ld)", (long)generation->bus);
    }
    MASTER_EACH_WORKER(worker, generation)
    {
        if (worker->pid > 0 && used < size) {
            used += (size_t)snprintf(room + used, size - used, "%s%s", used ? ", " : "",
                                     master_worker_name(worker, name));
        }
    }
    return room;
}

static void do_cut(struct master_generation *generation)
{
    char names[1024];

    log_write(&generation->master->log, LPM_LOG_WARN,
              "generation %u has not drained in its time, it is cut: %s", generation->number,
              name_running(generation, names, sizeof(names)));
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
}

static void (*const actions[MASTER_ACTIONS])(struct master_generation *) = {
    [MASTER_IGNORE] = do_nothing,
    [MASTER_DO_TRIAL] = do_trial,
    [MASTER_DO_START] = do_start,
    [MASTER_DO_PROMOTE] = master_fleet_promote,
    [MASTER_DO_PROVE] = do_prove,
    [MASTER_DO_REPLACE] = master_pool_refill,
    [MASTER_DO_RETIRE] = do_retire,
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
    bool failed = generation->state == MASTER_STARTING && transition.next == MASTER_KILLING &&
                  generation->reason.text[0] != '\0';

    if (generation->state != transition.next) {
        log_write(&generation->master->log, LPM_LOG_DEBUG, "generation %u is %s", generation->number,
                  master_state_name(transition.next));
        master_fleet_look(generation->master);
    }
    generation->state = transition.next;
    if (failed) {
        master_fleet_failed(generation);
    }
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
        master_generation_set_timer(generation, (uint64_t)limit * CLOCK_NS_PER_MS);
    }
}

/* The state's time is over. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct master_generation *generation = arg;
    char names[1024], step[MASTER_STEP_TEXT_SIZE];
    struct error why;

    (void)fd;
    (void)what;
    switch (generation->state) {
    case MASTER_NEW:
        master_fleet_restart(generation);
        break;
    case MASTER_STARTING:
        error_set(&why, 0, "bus (pid %ld) was not online within %g s after the last worker was ready%s",
                  (long)generation->bus, (double)generation->core->pools[0].ready_timeout / 1000.0,
                  master_generation_step_text(generation, NULL, step));
        master_generation_fail(generation, &why);
        break;
    case MASTER_PROBATION:
        master_generation_event(generation, MASTER_ON_PROBATION_OVER);
        break;
    case MASTER_KILLING:
        log_write(&generation->master->log, LPM_LOG_WARN,
                  "generation %u has used up the second of the hard kill, killed: %s", generation->number,
                  name_running(generation, names, sizeof(names)));
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
    char end[TEXT_EXIT_SIZE], step[MASTER_STEP_TEXT_SIZE], who[32];
    struct error why;

    text_exit(status, end, sizeof(end));
    snprintf(who, sizeof(who), "bus (pid %ld)", (long)generation->bus);
    master_crash_died(generation, who, status, generation->bus_crash, ROLE_CRASH_DIED);
    master_generation_step_text(generation, NULL, step);
    error_set(&why, 0, "bus (pid %ld) %s%s", (long)generation->bus, end, expected ? "" : step);
    log_write(&generation->master->log, expected ? LPM_LOG_INFO : LPM_LOG_ERROR, "%s", why.text);
    if (generation->state == MASTER_STARTING) {
        error_set(&generation->reason, 0, "bus (pid %ld) %s before it was online%s", (long)generation->bus,
                  end, step[0] ? step : ": the error log may say why");
    }
    if (generation->state == MASTER_PROBATION) {
        master_reload_undone(generation, why.text);
    }
    generation->bus = 0;
    generation->control_over = true;
    master_control_close(generation);
    master_reopen_look(generation->master);
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

int master_generation_new(struct master_generation **out, struct master_setup *setup, bool is_reload,
                          struct error *err)
{
    struct master *master = setup->master;
    struct master_generation *generation = calloc(1, sizeof(*generation));

    if (!generation) {
        return error_set(err, LPM_ENOMEM, "no memory for a generation");
    }
    generation->master = master;
    generation->setup = master_setup_hold(setup);
    generation->core = &setup->core;
    generation->is_reload = is_reload;
    generation->control = -1;
    generation->number = ++master->last_number;
    list_init(&generation->messages);
    list_append(&master->generations, &generation->link);
    generation->timer = evtimer_new(master->base, on_timer, generation);
    if (!generation->timer || map_steps(generation) != 0 || master_pool_init(generation) != 0) {
        master_generation_free(generation);
        return error_set(err, LPM_ENOMEM, "no memory for a generation");
    }
    *out = generation;
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
    if (generation->steps) {
        munmap((void *)generation->steps, steps_size(generation->core));
    }
    master_crash_page_free(&generation->bus_crash);
    master_setup_release(&generation->setup);
    free(generation);
}
