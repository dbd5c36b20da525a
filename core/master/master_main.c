/*
 * The master's set-up, loop and end. Runs in the master. What fails before lpm is online is said on stderr as one
 * line, everything is taken down, and lpm exits with 1; later failures are in the log, and generations are started
 * anew as the restart policy allows.
 */
#include "master/master.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/title.h"
#include "master/master_context.h"
#include "master/master_control.h"
#include "master/master_daemon.h"
#include "master/master_generation.h"
#include "master/master_listen.h"
#include "master/master_notify.h"
#include "master/master_reopen.h"
#include "master/master_rundir.h"
#include "master/master_signal.h"
#include "os/os_log.h"

/* A generation that could not start again is not tried again sooner than this. */
#define PAUSE_NS (100 * CLOCK_NS_PER_MS)

/* -- Generations that are gone ------------------------------------------------------------------------ */

static void give_up(struct master *master, const struct error *why)
{
    master->failure = *why;
    master->stopping = true;
}

/* The next generation in the place of one that has lost its bus, or could not start again. */
static void succeed(struct master *master, struct master_generation *lost)
{
    const struct conf_pool *pool = &master->core->pools[0];
    uint64_t now = clock_now();
    uint64_t when = master_restart_when(&master->bus_restarts, now);
    struct error why;

    if (lost->reason.text[0]) {
        log_write(&master->log, LPM_LOG_CRIT, "generation %u failed: %s", lost->number, lost->reason.text);
    }
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
    if (!lost->was_active && when < now + PAUSE_NS) {
        when = now + PAUSE_NS;
    }
    if (master_restart_note(&master->bus_restarts, when) != 0 ||
        master_generation_succeed(lost, when - now, &why) != 0) {
        error_set(&why, 0, "no memory for another generation");
        give_up(master, &why);
    }
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct master *master = arg;

    (void)fd;
    (void)what;
    LIST_EACH(link, after, &master->generations)
    {
        struct master_generation *generation = LIST_ENTRY(link, struct master_generation, link);
        if (generation->state != MASTER_GONE) {
            continue;
        }
        if (generation->reason.text[0] && !master->online) {
            give_up(master, &generation->reason);
        } else if (!master->stopping) {
            succeed(master, generation);
        }
        master_generation_free(generation);
    }
    if (list_empty(&master->generations)) {
        event_base_loopbreak(master->base);
    }
}

/* -- Signals ------------------------------------------------------------------------------------------ */

static void stop(struct master *master, int number)
{
    enum master_event event = number == SIGQUIT ? MASTER_ON_SOFT_KILL : MASTER_ON_HARD_KILL;
    char name[32];

    log_write(&master->log, LPM_LOG_NOTICE, "%s: %s", text_signal(number, name, sizeof(name)),
              number == SIGQUIT ? "soft kill" : "hard kill");
    master->stopping = true;
    master_notify_stopping(master, number == SIGQUIT ? "answers what it has" : "ends");
    master_listen_close(master->core->tree); /* the bus takes nothing new in, so nobody shall wait for it */
    LIST_EACH(link, after, &master->generations)
    {
        master_generation_event(LIST_ENTRY(link, struct master_generation, link), event);
    }
}

/* Passes the signal on to the bus that serves, when that has asked for it. */
static bool pass_on(struct master *master, int number)
{
    bool passed = false;

    LIST_EACH(link, after, &master->generations)
    {
        struct master_generation *generation = LIST_ENTRY(link, struct master_generation, link);
        struct control message = {.type = CONTROL_SIGNAL, .status = number};
        bool wanted = number == SIGINT ? generation->sigint_wanted : generation->state == MASTER_ACTIVE;

        if (wanted && !generation->control_over) {
            master_control_send(generation, &message, -1);
            passed = true;
        }
    }
    return passed;
}

static void on_signal(struct master *master, int number)
{
    char name[32];

    if ((number == SIGINT || number == SIGTTIN || number == SIGTTOU) && pass_on(master, number)) {
        return;
    }
    if (number == SIGTERM || number == SIGINT || number == SIGQUIT) {
        stop(master, number);
    } else if (number == SIGUSR1) {
        master_reopen(master, NULL, 0);
    } else if (number == SIGTTIN || number == SIGTTOU) {
        log_write(&master->log, LPM_LOG_WARN, "%s: nothing serves now, the pool stays as it is",
                  text_signal(number, name, sizeof(name)));
    } else {
        log_write(&master->log, LPM_LOG_WARN, "%s: not supported by this version",
                  text_signal(number, name, sizeof(name)));
    }
}

static bool owns(const struct master *master, pid_t pid)
{
    LIST_EACH(link, after, &master->generations)
    {
        if (master_generation_has(LIST_ENTRY(link, struct master_generation, link), pid)) {
            return true;
        }
    }
    return false;
}

static void on_reaped(struct master *master, pid_t pid, int status)
{
    LIST_EACH(link, after, &master->generations)
    {
        if (master_generation_reaped(LIST_ENTRY(link, struct master_generation, link), pid, status)) {
            return;
        }
    }
}

static const struct master_signal_calls signal_calls = {on_signal, owns, on_reaped};

/* -- Set-up and end ----------------------------------------------------------------------------------- */

static void init(struct master *master, const struct master_options *options,
                 const struct master_roles *roles)
{
    const struct conf_pool *pool = &options->core->pools[0];

    *master = (struct master){.options = options,
                              .roles = roles,
                              .core = options->core,
                              .signals = -1,
                              .launcher = -1,
                              .pidfile = {.path = NULL, .fd = -1}};
    list_init(&master->generations);
    master_restart_init(&master->bus_restarts, pool->restarts, pool->max_restarts_in_interval);
    os_log_own(STDERR_FILENO);
    log_init(&master->log, STDERR_FILENO, options->core->error_log_level, "master");
    log_count_losses(&master->log);
    master_notify_take(master);
}

/* The order: nothing of a running instance may be touched, so its lock comes first. */
static int open_all(struct master *master, struct error *err)
{
    const struct conf_core *core = master->core;
    int rc = os_pidfile_lock(&master->pidfile, core->pid, err);

    if (rc) {
        return rc;
    }
    rc = master_listen_error_log(&master->log.fd, core->error_log, err);
    if (rc) {
        master->log.fd = STDERR_FILENO;
        return rc;
    }
    master_rundir_clean();
    master->base = event_base_new();
    if (!master->base) {
        return error_set(err, LPM_ENOMEM, "cannot make an event loop");
    }
    master->sweep = event_new(master->base, -1, 0, on_sweep, master);
    if (!master->sweep || master_notify_init(master) != 0) {
        return error_set(err, LPM_ENOMEM, "no memory for the event loop");
    }
    return master_signal_open(master, &signal_calls, err);
}

static int start(struct master *master, struct error *err)
{
    struct master_generation *first;
    int rc = os_user_find(&master->user, master->core->user, err);

    if (!rc) {
        rc = master_listen_check(master->core->tree, err);
    }
    if (!rc && master->core->daemon) {
        rc = master_daemon_start(master, err);
    }
    if (rc) {
        return rc;
    }
    master->pid = getpid();
    title_set("master %s", master->options->conf_name);
    master_signal_block();
    rc = open_all(master, err);
    if (!rc) {
        rc = master_generation_new(&first, master, err);
    }
    if (!rc) {
        master_generation_event(first, MASTER_ON_START);
    }
    return rc;
}

static void fini(struct master *master)
{
    LIST_EACH(link, after, &master->generations)
    {
        master_generation_free(LIST_ENTRY(link, struct master_generation, link));
    }
    master_listen_close(master->core->tree);
    master_listen_control_close(master->core);
    master_signal_close(master);
    master_notify_fini(master);
    if (master->sweep) {
        event_free(master->sweep);
    }
    if (master->base) {
        event_base_free(master->base);
    }
    master_restart_fini(&master->bus_restarts);
    os_pidfile_remove(&master->pidfile);
    if (master->log.fd > STDERR_FILENO) {
        fd_close(&master->log.fd);
    }
    log_fini(&master->log);
    fd_close(&master->launcher);
}

/* Where people look: those who have just started lpm at stderr, the others in the log. */
static void tell_failure(const struct master *master)
{
    if (!master->online) {
        fprintf(stderr, "lpm: %s\n", master->failure.text);
        if (master->log.fd <= STDERR_FILENO) {
            return;
        }
    }
    log_write(&master->log, LPM_LOG_CRIT, "%s", master->failure.text);
}

int master_main(const struct master_options *options, const struct master_roles *roles)
{
    struct master master;
    int status = 1;

    init(&master, options, roles);
    if (start(&master, &master.failure) == 0) {
        event_base_dispatch(master.base);
    }
    if (master.failure.text[0]) {
        tell_failure(&master);
    } else {
        log_write(&master.log, LPM_LOG_NOTICE, "lpm has ended");
        status = 0;
    }
    fini(&master);
    return status;
}
