/*
 * The old master's side of a binary upgrade. Runs in the old master, and for a moment in the child that becomes the
 * new one. Whatever becomes of that, this master has all that it needs to go on: its own listeners, its own setup; only
 * its names have to come back.
 */
#include "master/master_upgrade.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "master/master_fleet.h"
#include "master/master_listen.h"
#include "master/master_names.h"
#include "master/master_notify.h"
#include "master/master_rundir.h"
#include "master/master_share.h"

/* From TERM to KILL, for one that takes too long to start: its own hard kill takes a second. */
#define GRACE_NS (5 * CLOCK_NS_PER_S)

void master_upgrade_init(struct master *master)
{
    master->upgrade = (struct master_upgrade){.channel = -1};
}

/* -- The new master ----------------------------------------------------------------------------------- */

static void free_event(struct event **event)
{
    if (*event) {
        event_free(*event);
        *event = NULL;
    }
}

static void stop_hearing(struct master_upgrade *upgrade)
{
    free_event(&upgrade->readable);
    free_event(&upgrade->timer);
}

/* No other master: this one has everything again. */
static void alone(struct master *master)
{
    master_names_take_back(master);
    stop_hearing(&master->upgrade);
    fd_close(&master->upgrade.channel);
    master_share_end(master);
    master->upgrade.heir = 0;
    master->upgrade.heir_online = false;
}

/* All that the other one has said. */
static void hear(struct master *master)
{
    static const char failed[] = MASTER_UPGRADE_FAILED;
    struct master_upgrade *upgrade = &master->upgrade;
    char text[ERROR_TEXT_SIZE + sizeof(failed)];
    ssize_t n;

    while ((n = recv(upgrade->channel, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
        text[n] = '\0';
        if (strcmp(text, MASTER_UPGRADE_ONLINE) == 0) {
            upgrade->heir_online = true;
            event_del(upgrade->timer);
            log_write(&master->log, LPM_LOG_NOTICE,
                      "the new master (pid %ld) is online, this one serves beside it", (long)upgrade->heir);
        } else if (strncmp(text, failed, sizeof(failed) - 1) == 0) {
            error_set(&upgrade->why, 0, "%s", text + sizeof(failed) - 1);
        }
    }
    if (n == 0) {
        event_del(upgrade->readable); /* it ends: SIGCHLD says how */
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    hear(arg);
}

/* It does not come to serve. What it did say about that explains more. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct master *master = arg;
    struct master_upgrade *upgrade = &master->upgrade;
    struct timeval grace = clock_timeval(GRACE_NS);
    bool again = upgrade->overdue;

    (void)fd;
    (void)what;
    hear(master);
    if (upgrade->heir_online) {
        return;
    }
    if (!again && !upgrade->why.text[0]) {
        error_set(&upgrade->why, 0, "it did not serve within upgrade_timeout");
    }
    log_write(&master->log, LPM_LOG_ERROR, "the new master (pid %ld) does not serve %s: %s",
              (long)upgrade->heir, again ? "and does not end" : "within upgrade_timeout",
              again ? "killed" : "SIGTERM");
    upgrade->overdue = true;
    kill(upgrade->heir, again ? SIGKILL : SIGTERM);
    event_add(upgrade->timer, &grace);
}

/* In the child. What is not named in the environment is close-on-exec. */
static int become(const struct master *master, int channel, const char *variable, struct error *err)
{
    const struct master_options *options = master->options;
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    fcntl(channel, F_SETFD, 0);
    for (const struct lpm_conf *node = master->current->core.tree->root; node; node = conf_tree_walk(node)) {
        if (node->fd >= 0 && strcmp(node->name, "listen") == 0) {
            fcntl(node->fd, F_SETFD, 0);
        }
    }
    if (setenv(MASTER_UPGRADE_VARIABLE, variable, 1) != 0 || !os_notify_give(&master->notify.socket)) {
        return error_set(err, LPM_ENOMEM, "no memory for the environment");
    }
    if (options->start_dir && chdir(options->start_dir) != 0) {
        return error_set(err, LPM_EIO, "cannot enter %s, where lpm was started: %s", options->start_dir,
                         strerror(errno));
    }
    execv(options->program, options->argv);
    return error_set(err, LPM_EIO, "cannot execute %s: %s", options->program, strerror(errno));
}

static void __attribute__((noreturn)) run_child(struct master *master, const char *listeners, int channel)
{
    char *variable = NULL;
    char text[ERROR_TEXT_SIZE + sizeof(MASTER_UPGRADE_FAILED)];
    struct error why;
    int len;

    if (asprintf(&variable, "master %d %ld;\n%s", channel, (long)master->pid, listeners) < 0) {
        error_set(&why, LPM_ENOMEM, "no memory for the environment");
    } else {
        become(master, channel, variable, &why);
    }
    len = snprintf(text, sizeof(text), MASTER_UPGRADE_FAILED "%s", why.text);
    _exit(send(channel, text, (size_t)len, MSG_NOSIGNAL) == len ? 1 : 2);
}

static void start_timer(struct master *master)
{
    int64_t limit = master->current->core.upgrade_timeout;

    if (limit >= 0) {
        struct timeval wait = clock_timeval((uint64_t)limit * CLOCK_NS_PER_MS);
        event_add(master->upgrade.timer, &wait);
    }
}

static int fork_heir(struct master *master, const char *listeners, struct error *err)
{
    struct master_upgrade *upgrade = &master->upgrade;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
        return error_set(err, LPM_EIO, "cannot make a channel: %s", strerror(errno));
    }
    upgrade->channel = fds[0];
    upgrade->readable = event_new(master->base, fds[0], EV_READ | EV_PERSIST, on_readable, master);
    upgrade->timer = evtimer_new(master->base, on_timer, master);
    if (!upgrade->readable || !upgrade->timer) {
        close(fds[1]);
        return error_set(err, LPM_ENOMEM, "no memory for the channel");
    }
    event_add(upgrade->readable, NULL);
    fflush(NULL);
    upgrade->heir = fork();
    if (upgrade->heir == 0) {
        run_child(master, listeners, fds[1]);
    }
    close(fds[1]);
    if (upgrade->heir < 0) {
        upgrade->heir = 0;
        return error_set(err, LPM_EIO, "cannot fork: %s", strerror(errno));
    }
    start_timer(master);
    return 0;
}

/* Copies of what is in the text, as the part of ours that is shared from now on. */
static int share(struct master *master, const char *text, struct error *err)
{
    struct conf_tree *tree;
    int rc = master_share_parse(&tree, text, err);

    if (rc) {
        return rc;
    }
    for (struct lpm_conf *node = tree->root->first; node; node = node->next) {
        node->fd = fcntl(node->fd, F_DUPFD_CLOEXEC, 0);
        if (node->fd < 0) {
            rc = error_set(err, LPM_EIO, "cannot copy a descriptor: %s", strerror(errno));
        }
    }
    if (rc) {
        master_listen_part(tree);
        conf_tree_free(tree);
        return rc;
    }
    return master_share_begin(master, tree, err);
}

/* -- Orders ------------------------------------------------------------------------------------------- */

static int check(const struct master *master, struct error *err)
{
    const struct master_upgrade *upgrade = &master->upgrade;

    if (master->stopping) {
        return error_set(err, LPM_EAGAIN, "lpm ends");
    }
    if (upgrade->heir > 0) {
        return error_set(err, LPM_EAGAIN, "one runs already, the new master is pid %ld", (long)upgrade->heir);
    }
    if (upgrade->elder > 0) {
        return error_set(err, LPM_EAGAIN,
                         "the old master (pid %ld) still runs, one of the two has to end first",
                         (long)upgrade->elder);
    }
    if (!master->online) {
        return error_set(err, LPM_EAGAIN, "lpm is not online yet");
    }
    return master->options->program
               ? 0
               : error_set(err, LPM_EIO, "it is not known from which file lpm was started");
}

static int begin(struct master *master, struct error *err)
{
    char *text;
    int rc = check(master, err);

    if (rc) {
        return rc;
    }
    text = master_share_text(master);
    if (!text) {
        return error_set(err, LPM_ENOMEM, "no memory for the environment");
    }
    rc = share(master, text, err);
    if (!rc) {
        rc = master_names_give(master, err);
    }
    if (!rc) {
        rc = fork_heir(master, text, err);
    }
    if (rc) {
        alone(master);
    }
    free(text);
    return rc;
}

void master_upgrade_begin(struct master *master)
{
    struct master_upgrade *upgrade = &master->upgrade;
    struct error why;

    if (begin(master, &why) != 0) {
        log_write(&master->log, LPM_LOG_ERROR, "SIGUSR2: no upgrade: %s", why.text);
        return;
    }
    upgrade->why.text[0] = '\0';
    upgrade->overdue = false;
    log_write(&master->log, LPM_LOG_NOTICE, "SIGUSR2: upgrade: the new master is pid %ld, from %s",
              (long)upgrade->heir, master->options->program);
}

void master_upgrade_withdraw(struct master *master)
{
    const struct master_upgrade *upgrade = &master->upgrade;

    if (master->stopping || !upgrade->heir_online || master->withdrawn) {
        log_write(&master->log, LPM_LOG_WARN, "SIGWINCH: nothing changes: %s",
                  upgrade->heir_online ? "nothing serves here any more"
                                       : "there is no new master that serves");
        return;
    }
    log_write(&master->log, LPM_LOG_NOTICE,
              "SIGWINCH: what serves here retires, the new master (pid %ld) goes on", (long)upgrade->heir);
    master_fleet_withdraw(master);
}

bool master_upgrade_resume(struct master *master)
{
    const struct master_upgrade *upgrade = &master->upgrade;

    if (upgrade->heir == 0) {
        return false;
    }
    master_notify_reloading(master); /* a service manager waits for this, and for the end of it */
    if (master->withdrawn) {
        log_write(&master->log, LPM_LOG_NOTICE,
                  "SIGHUP: this one serves again, beside the new master (pid %ld)", (long)upgrade->heir);
        master_fleet_resume(master);
    } else {
        log_write(&master->log, LPM_LOG_WARN,
                  "SIGHUP: no reload while an upgrade runs, the new master is pid %ld", (long)upgrade->heir);
        master_notify_ready(master, "no reload while an upgrade runs");
    }
    return true;
}

static void tell_end(const struct master *master, pid_t heir, bool served, int status)
{
    const char *why = master->upgrade.why.text;
    char how[TEXT_EXIT_SIZE];

    text_exit(status, how, sizeof(how));
    if (master->stopping) {
        log_write(&master->log, LPM_LOG_WARN, "the new master (pid %ld) %s, and this one is told to end",
                  (long)heir, how);
    } else if (served) {
        log_write(&master->log, status ? LPM_LOG_ERROR : LPM_LOG_NOTICE,
                  "the new master (pid %ld) %s, this one goes on", (long)heir, how);
    } else {
        log_write(&master->log, LPM_LOG_ERROR,
                  "upgrade failed, this one goes on: the new master (pid %ld) %s%s%s", (long)heir, how,
                  why[0] ? ": " : "", why);
    }
}

bool master_upgrade_reaped(struct master *master, pid_t pid, int status)
{
    bool served;

    if (pid != master->upgrade.heir || pid == 0) {
        return false;
    }
    hear(master);
    served = master->upgrade.heir_online;
    alone(master);
    master_rundir_clean();
    tell_end(master, pid, served, status);
    master_fleet_resume(master);
    return true;
}

static bool stands_in(const struct master *master)
{
    return master->foreground && master->upgrade.heir > 0;
}

void master_upgrade_stop(const struct master *master, enum master_event kill_event)
{
    if (kill_event == MASTER_ON_HARD_KILL && stands_in(master)) {
        kill(master->upgrade.heir, SIGTERM);
    }
}

pid_t master_upgrade_fini(struct master *master, char **pid_path)
{
    struct master_upgrade *upgrade = &master->upgrade;
    char *control;
    pid_t heir;
    int status;

    *pid_path = NULL;
    if (upgrade->heir > 0 && waitpid(upgrade->heir, &status, WNOHANG) == upgrade->heir) {
        master_upgrade_reaped(master, upgrade->heir, status);
    }
    heir = stands_in(master) ? upgrade->heir : 0;
    control = upgrade->control ? master_names_old(upgrade->control) : NULL;
    if (upgrade->heir > 0) {
        master_notify_hand_on(master, upgrade->heir);
    }
    if (control) {
        unlink(control);
        free(control);
    }
    if (heir > 0) {
        *pid_path = upgrade->pid_path;
        upgrade->pid_path = NULL;
    }
    master_names_free(master);
    stop_hearing(upgrade);
    return heir;
}
