/*
 * The master's set-up, loop and end. Runs in the master. What fails before lpm is online is said on stderr as one
 * line, everything is taken down, and lpm exits with 1; later failures are in the log, and generations are started
 * anew as the restart policy allows.
 */
#include "master/master.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "base/title.h"
#include "master/master_arrival.h"
#include "master/master_context.h"
#include "master/master_control.h"
#include "master/master_crash.h"
#include "master/master_daemon.h"
#include "master/master_fleet.h"
#include "master/master_generation.h"
#include "master/master_inherit.h"
#include "master/master_notify.h"
#include "master/master_reopen.h"
#include "master/master_rundir.h"
#include "master/master_signal.h"
#include "master/master_standin.h"
#include "master/master_upgrade.h"
#include "os/os_log.h"
#include "os/os_shared.h"
#include "role/role_quarantine.h"

/* -- Signals ------------------------------------------------------------------------------------------ */

static void stop(struct master *master, int number)
{
    enum master_event event = number == SIGQUIT ? MASTER_ON_SOFT_KILL : MASTER_ON_HARD_KILL;
    char name[32];

    log_write(&master->log, LPM_LOG_NOTICE, "%s: %s", text_signal(number, name, sizeof(name)),
              number == SIGQUIT ? "soft kill" : "hard kill");
    master_fleet_stop(master, event);
}

/* The bus that is to hear of the signal: that which serves; at the end of lpm another may have asked for SIGINT. */
static struct master_generation *hearer(const struct master *master, int number)
{
    struct master_generation *serving = master_fleet_serving(master);

    if (serving) {
        return number != SIGINT || serving->sigint_wanted ? serving : NULL;
    }
    LIST_EACH(link, after, &master->generations)
    {
        struct master_generation *generation = LIST_ENTRY(link, struct master_generation, link);
        if (number == SIGINT && generation->sigint_wanted) {
            return generation;
        }
    }
    return NULL;
}

static bool pass_on(struct master *master, int number)
{
    struct control message = {.type = CONTROL_SIGNAL, .status = number};
    struct master_generation *generation = hearer(master, number);

    if (!generation || generation->control_over) {
        return false;
    }
    master_control_send(generation, &message, -1);
    return true;
}

static void hang_up(struct master *master)
{
    if (master_upgrade_resume(master)) {
        return;
    }
    log_write(&master->log, LPM_LOG_NOTICE, "SIGHUP: %s",
              master->stopping ? "no reload, lpm ends" : "reload");
    master_fleet_reload(master);
}

static void on_signal(struct master *master, int number)
{
    char name[32];

    if ((number == SIGINT || number == SIGTTIN || number == SIGTTOU) && pass_on(master, number)) {
        return;
    }
    switch (number) {
    case SIGTERM:
    case SIGINT:
    case SIGQUIT:
        stop(master, number);
        break;
    case SIGHUP:
        hang_up(master);
        break;
    case SIGUSR1:
        master_reopen(master, NULL, 0);
        break;
    case SIGUSR2:
        master_upgrade_begin(master);
        break;
    case SIGWINCH:
        master_upgrade_withdraw(master);
        break;
    case SIGTTIN:
    case SIGTTOU:
        log_write(&master->log, LPM_LOG_WARN, "%s: nothing serves now, the pool stays as it is",
                  text_signal(number, name, sizeof(name)));
        break;
    default:
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
    return master_crash_owns(master, pid);
}

static void on_reaped(struct master *master, pid_t pid, int status)
{
    if (master_upgrade_reaped(master, pid, status) || master_crash_reaped(master, pid, status)) {
        return;
    }
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
                              .signals = -1,
                              .launcher = -1,
                              .pidfile = {.path = NULL, .fd = -1}};
    master_upgrade_init(master);
    list_init(&master->generations);
    list_init(&master->setups);
    list_init(&master->tellers);
    master_restart_init(&master->bus_restarts, pool->restarts, pool->max_restarts_in_interval);
    os_log_own(STDERR_FILENO);
    log_init(&master->log, STDERR_FILENO, options->core->error_log_level, "master");
    log_count_losses(&master->log);
    master_notify_take(master);
    master_inherit_init(master);
}

/* The order: nothing of a running instance may be touched, so its lock comes first. */
static int open_all(struct master *master, struct error *err)
{
    int rc = os_pidfile_lock(&master->pidfile, master->current->core.pid, err);

    if (rc) {
        return rc;
    }
    master_rundir_clean();
    master->quarantine = os_shared_new(sizeof(*master->quarantine));
    if (master->quarantine) {
        role_quarantine_init(master->quarantine);
    }
    master->base = event_base_new();
    if (!master->base) {
        return error_set(err, LPM_ENOMEM, "cannot make an event loop");
    }
    if (master_fleet_init(master) != 0 || master_notify_init(master) != 0) {
        return error_set(err, LPM_ENOMEM, "no memory for the event loop");
    }
    rc = master_arrival_watch(master, err);
    if (!rc) {
        rc = master_signal_open(master, &signal_calls, err);
    }
    if (!rc) {
        rc = master_setup_prepare(master->current, 1, err);
        master->log = master->current->log;
    }
    return rc;
}

static int start(struct master *master, struct error *err)
{
    int rc = master_setup_take(&master->current, master, master->options->core, err);

    if (!rc) {
        rc = master_arrival_begin(master, err);
    }
    if (!rc && master->upgrade.elder == 0) {
        master->foreground = !master->current->core.daemon && master->notify.socket.socket < 0;
        rc = master->current->core.daemon ? master_daemon_start(master, err) : 0;
    }
    if (rc) {
        return rc;
    }
    master->pid = getpid();
    title_set("master %s", master->options->conf_name);
    master_signal_block();
    rc = open_all(master, err);
    return rc ? rc : master_fleet_start(master, err);
}

static void fini(struct master *master)
{
    master_crash_fini(master);
    master_fleet_fini(master);
    if (master->pidfile.fd >=
        0) { /* the lock of another master that was killed may have outlived it for a moment */
        master_rundir_clean();
    }
    master_signal_close(master);
    master_inherit_fini(master);
    master_notify_fini(master);
    if (master->base) {
        event_base_free(master->base);
    }
    master_restart_fini(&master->bus_restarts);
    os_pidfile_remove(&master->pidfile);
    log_fini(&master->log);
    os_shared_free(master->quarantine, sizeof(*master->quarantine));
    fd_close(&master->launcher);
    fd_close(&master->upgrade.channel); /* last: it says that nothing is ours any more */
}

/* Where people look: those who have just started lpm at stderr, the others in the log. */
static void tell_failure(const struct master *master)
{
    if (!master->online) {
        if (master->options->arrival) {
            master_arrival_fail(master->options->arrival, master->failure.text);
        }
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
    char *pid_path;
    pid_t heir;
    int status = 1;

    init(&master, options, roles);
    if (start(&master, &master.failure) == 0) {
        event_base_dispatch(master.base);
    }
    if (master.failure.text[0]) {
        tell_failure(&master);
    } else {
        log_write(&master.log, LPM_LOG_NOTICE, "%s has ended",
                  master.upgrade.heir > 0 ? "the old master" : "lpm");
        status = 0;
    }
    master_arrival_end(&master);
    heir = master_upgrade_fini(&master, &pid_path);
    fini(&master);
    if (heir > 0) {
        status = master_standin(heir, pid_path);
    }
    free(pid_path);
    return status;
}
