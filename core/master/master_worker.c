/*
 * Workers, from the fork to the reaping. Runs in the master. A worker that cannot be forked is its pool's to try again.
 */
#include "master/master_worker.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "ipc/channel.h"
#include "master/master_control.h"
#include "master/master_crash.h"
#include "master/master_generation.h"
#include "master/master_spawn.h"

const char *master_worker_name(const struct master_worker *worker, char room[MASTER_WORKER_NAME_SIZE])
{
    snprintf(room, MASTER_WORKER_NAME_SIZE, "worker %.100s/%zu (pid %ld)",
             worker->generation->pools[worker->pool].conf->name, worker->index, (long)worker->pid);
    return room;
}

/* -- Start -------------------------------------------------------------------------------------------- */

static int fork_worker(struct master_worker *worker, int fds[2], struct error *err)
{
    struct master_generation *generation = worker->generation;
    struct role_start start;
    pid_t pid;

    master_spawn_prepare(generation->setup, &start);
    start.generation = generation->number;
    start.channel = fds[1];
    start.pool = worker->pool;
    start.index = worker->index;
    start.incarnation = worker->incarnation;
    start.step = master_generation_step(generation, worker);
    role_step_set(start.step, ROLE_STEP_NONE, 0); /* what the one before it may have left */
    master_crash_page(&worker->crash);
    start.crash = worker->crash;
    pid = master_crash_spawn(generation->master->roles->worker, &start, err);
    if (pid < 0) {
        return LPM_EIO;
    }
    worker->pid = pid;
    worker->ready = worker->retired = worker->aborted = false;
    worker->not_before = clock_now() + MASTER_WORKER_PAUSE_NS; /* whatever the limit, no crash loop spins */
    return 0;
}

int master_worker_start(struct master_worker *worker, struct error *err)
{
    const struct conf_pool *conf = worker->generation->pools[worker->pool].conf;
    struct control message = {.type = CONTROL_WORKER_NEW,
                              .pool = (uint32_t)worker->pool,
                              .index = (uint32_t)worker->index,
                              .incarnation = worker->incarnation};
    int fds[2];
    int rc = channel_pair(fds, err);

    if (rc) {
        return rc;
    }
    rc = fork_worker(worker, fds, err);
    close(fds[1]);
    if (rc) {
        close(fds[0]);
        return rc;
    }
    message.pid = worker->pid;
    master_control_send(worker->generation, &message, fds[0]);
    if (conf->ready_timeout >= 0) {
        struct timeval limit = clock_timeval((uint64_t)conf->ready_timeout * CLOCK_NS_PER_MS);
        event_add(worker->ready_timer, &limit);
    }
    return 0;
}

int master_worker_start_all(struct master_generation *generation, struct error *err)
{
    MASTER_EACH_WORKER(worker, generation)
    {
        int rc = master_worker_start(worker, err);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

/* -- Life --------------------------------------------------------------------------------------------- */

void master_worker_ready(struct master_worker *worker)
{
    worker->ready = true;
    event_del(worker->ready_timer);
    if (master_worker_unready(worker->generation) == 0) {
        master_generation_workers_ready(worker->generation);
    }
}

void master_worker_kill(struct master_worker *worker)
{
    kill(worker->pid, SIGKILL);
}

void master_worker_abort(struct master_worker *worker)
{
    struct timeval grace = clock_timeval(MASTER_WORKER_ABORT_NS);

    worker->aborted = true;
    kill(worker->pid, SIGABRT);
    event_add(worker->ready_timer, &grace);
}

void master_worker_kill_all(struct master_generation *generation)
{
    MASTER_EACH_WORKER(worker, generation)
    {
        if (worker->pid > 0) {
            kill(worker->pid, SIGKILL);
        }
    }
}

void master_worker_retire(struct master_worker *worker)
{
    int64_t limit = worker->generation->pools[worker->pool].conf->drain_timeout;

    worker->retired = true;
    if (limit >= 0 && !worker->aborted) {
        struct timeval wait = clock_timeval((uint64_t)limit * CLOCK_NS_PER_MS);
        event_add(worker->ready_timer, &wait);
    }
}

static void on_ready_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct master_worker *worker = arg;
    struct master_generation *generation = worker->generation;
    char name[MASTER_WORKER_NAME_SIZE], step[MASTER_STEP_TEXT_SIZE];
    struct error why;

    (void)fd;
    (void)what;
    if (worker->aborted) {
        master_worker_kill(worker);
        return;
    }
    if (worker->retired) {
        log_write(&generation->master->log, LPM_LOG_WARN, "%s has not ended within drain_timeout: killed",
                  master_worker_name(worker, name));
        master_worker_kill(worker);
        return;
    }
    error_set(&why, 0, "%s was not ready within %g s%s", master_worker_name(worker, name),
              (double)generation->pools[worker->pool].conf->ready_timeout / 1000.0,
              master_generation_step_text(generation, worker, step));
    log_write(&generation->master->log, LPM_LOG_ERROR, "%s", why.text);
    kill(worker->pid, SIGKILL);
    master_generation_fail(generation, &why);
}

size_t master_worker_running(const struct master_generation *generation)
{
    size_t count = 0;

    MASTER_EACH_WORKER(worker, generation)
    {
        count += worker->pid > 0;
    }
    return count;
}

size_t master_worker_unready(const struct master_generation *generation)
{
    size_t count = 0;

    MASTER_EACH_WORKER(worker, generation)
    {
        count += !worker->ready && !worker->removed;
    }
    return count;
}

struct master_worker *master_worker_find(const struct master_generation *generation, pid_t pid)
{
    MASTER_EACH_WORKER(worker, generation)
    {
        if (worker->pid == pid) {
            return worker;
        }
    }
    return NULL;
}

/* -- Death -------------------------------------------------------------------------------------------- */

/* Was it to be expected that the worker ends so? */
static bool expected_end(const struct master_worker *worker, int status)
{
    const struct master_generation *generation = worker->generation;

    return generation->state == MASTER_KILLING || generation->control_over ||
           ((worker->retired || generation->state == MASTER_RELEASED) && WIFEXITED(status) &&
            WEXITSTATUS(status) == 0);
}

/* A bus that serves tells of the death itself, with what became of the requests: once is enough. */
static int death_level(const struct master_worker *worker, int status)
{
    if (expected_end(worker, status)) {
        return LPM_LOG_INFO;
    }
    return worker->generation->state == MASTER_STARTING ? LPM_LOG_ERROR : LPM_LOG_DEBUG;
}

/* For the one who tried to start it, or wants to know what has ended a probation. */
static void tell_death(const struct master_worker *worker, int status, struct error *why)
{
    bool starts = worker->generation->state == MASTER_STARTING;
    char name[MASTER_WORKER_NAME_SIZE], end[TEXT_EXIT_SIZE], step[MASTER_STEP_TEXT_SIZE];

    master_generation_step_text(worker->generation, worker, step);
    error_set(why, 0, "%s %s%s%s", master_worker_name(worker, name), text_exit(status, end, sizeof(end)),
              starts ? " before it was online" : "",
              step[0] || !starts ? step : ": the error log may say why");
}

void master_worker_reaped(struct master_worker *worker, int status)
{
    struct master_generation *generation = worker->generation;
    char name[MASTER_WORKER_NAME_SIZE], end[TEXT_EXIT_SIZE];
    struct control message = {.type = CONTROL_WORKER_GONE,
                              .pool = (uint32_t)worker->pool,
                              .index = (uint32_t)worker->index,
                              .incarnation = worker->incarnation,
                              .pid = worker->pid,
                              .status = status};
    struct error *why = &generation->pools[worker->pool].last_death;

    log_write(&generation->master->log, death_level(worker, status), "%s %s",
              master_worker_name(worker, name), text_exit(status, end, sizeof(end)));
    tell_death(worker, status, why);
    master_crash_died(generation, name, status, worker->crash,
                      worker->aborted ? ROLE_CRASH_HUNG : ROLE_CRASH_DIED);
    master_crash_page_free(&worker->crash);
    event_del(worker->ready_timer);
    worker->pid = 0;
    worker->ready = false;
    master_control_send(generation, &message, -1);
    if (generation->control_over) {
        return; /* its bus went first */
    }
    if (generation->state == MASTER_STARTING) {
        generation->reason = *why;
    }
    master_generation_event(generation, MASTER_ON_WORKER_DIED);
}

/* -- Place -------------------------------------------------------------------------------------------- */

int master_worker_init(struct master_worker *worker, struct master_pool *pool, size_t index)
{
    worker->generation = pool->generation;
    worker->pool = pool->index;
    worker->index = index;
    worker->ready_timer = evtimer_new(pool->generation->master->base, on_ready_timeout, worker);
    return worker->ready_timer ? 0 : LPM_ENOMEM;
}

void master_worker_fini(struct master_worker *worker)
{
    if (worker->ready_timer) {
        event_free(worker->ready_timer);
        worker->ready_timer = NULL;
    }
    master_crash_page_free(&worker->crash);
}
