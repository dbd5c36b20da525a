/*
 * The new master's side of a binary upgrade. Runs in the new master. Until it serves it owns nothing that the old one
 * could miss; when it cannot, it says why and exits as any lpm does that cannot start.
 */
#include "master/master_arrival.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/master_context.h"
#include "master/master_inherit.h"
#include "master/master_listen.h"
#include "master/master_notify.h"
#include "master/master_rundir.h"
#include "master/master_share.h"
#include "master/master_upgrade.h"

/* -- From the environment ----------------------------------------------------------------------------- */

static int adopt(struct master_arrival *arrival, const char *text, struct error *err)
{
    struct lpm_conf *node;
    int rc = master_share_parse(&arrival->tree, text, err);

    if (rc) {
        return rc;
    }
    for (node = arrival->tree->root->first; node; node = node->next) {
        fcntl(node->fd, F_SETFD, FD_CLOEXEC);
    }
    node = conf_tree_child(arrival->tree->root, "master");
    arrival->elder = node && node->arg_count == 2 ? (pid_t)strtol(node->args[1].data, NULL, 10) : 0;
    if (!node || arrival->elder <= 0) {
        return error_set(err, LPM_ECONF, "the old master's channel and pid are missing");
    }
    arrival->channel = node->fd;
    node->fd = -1;
    return 0;
}

int master_arrival_take(struct master_arrival *arrival, struct error *err)
{
    const char *text = getenv(MASTER_UPGRADE_VARIABLE);
    struct error why;
    int rc = 0;

    *arrival = (struct master_arrival){.channel = -1};
    if (text && adopt(arrival, text, &why) != 0) {
        rc = error_set(err, LPM_ECONF, MASTER_UPGRADE_VARIABLE " is for an upgrade only: %s", why.text);
    }
    unsetenv(MASTER_UPGRADE_VARIABLE);
    return rc;
}

void master_arrival_fini(struct master_arrival *arrival)
{
    if (arrival->tree) {
        master_listen_part(arrival->tree);
        conf_tree_free(arrival->tree);
        arrival->tree = NULL;
    }
    fd_close(&arrival->channel);
}

/* One that cannot be told hears of the exit all the same. */
static void say(int channel, const char *text)
{
    ssize_t n = channel < 0 ? 0 : send(channel, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n;
}

void master_arrival_fail(struct master_arrival *arrival, const char *why)
{
    char text[ERROR_TEXT_SIZE + sizeof(MASTER_UPGRADE_FAILED)];

    snprintf(text, sizeof(text), MASTER_UPGRADE_FAILED "%s", why);
    say(arrival->channel, text);
}

/* -- The old master's end ----------------------------------------------------------------------------- */

static void sweep_old_names(const struct conf_core *core, pid_t elder)
{
    char *name;

    if (asprintf(&name, "%s" MASTER_UPGRADE_SUFFIX, core->pid) >= 0) {
        os_pidfile_sweep(name, elder);
        free(name);
    }
    if (core->control_fd >= 0 && asprintf(&name, "%s" MASTER_UPGRADE_SUFFIX, core->control) >= 0) {
        unlink(name);
        free(name);
    }
}

/* Before this one serves, what both have must not be closed: it has not taken its part yet. */
static void bury_elder(struct master *master)
{
    struct master_upgrade *upgrade = &master->upgrade;

    if (!upgrade->elder_gone || !master->online) {
        return;
    }
    event_free(upgrade->readable);
    upgrade->readable = NULL;
    fd_close(&master->options->arrival->channel);
    sweep_old_names(&master->current->core, upgrade->elder);
    master_share_end(master);
    master_rundir_clean();
    log_write(&master->log, LPM_LOG_NOTICE, "the old master (pid %ld) has gone", (long)upgrade->elder);
    upgrade->elder = 0;
    upgrade->elder_gone = false;
    master_inherit_store(master);
    master_notify_repeat(master);
}

static bool has_ended(int channel)
{
    char byte;
    return recv(channel, &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct master *master = arg;

    (void)what;
    if (!has_ended(fd)) {
        return;
    }
    event_del(master->upgrade.readable);
    master->upgrade.elder_gone = true;
    bury_elder(master);
}

int master_arrival_begin(struct master *master, struct error *err)
{
    struct master_arrival *arrival = master->options->arrival;
    struct conf_tree *tree;

    if (!arrival || !arrival->tree) {
        return 0;
    }
    tree = arrival->tree;
    arrival->tree = NULL;
    for (struct lpm_conf *node = tree->root->first; node; node = node->next) {
        if (node->arg_count > 2) {
            master_inherit_know(master, node->fd, node->args[2].data);
        }
    }
    master->upgrade.elder = arrival->elder;
    return master_share_begin(master, tree, err);
}

int master_arrival_watch(struct master *master, struct error *err)
{
    struct master_upgrade *upgrade = &master->upgrade;

    if (upgrade->elder == 0) {
        return 0;
    }
    upgrade->readable =
        event_new(master->base, master->options->arrival->channel, EV_READ | EV_PERSIST, on_readable, master);
    if (!upgrade->readable) {
        return error_set(err, LPM_ENOMEM, "no memory for the old master's channel");
    }
    event_add(upgrade->readable, NULL);
    return 0;
}

void master_arrival_online(struct master *master)
{
    if (master->upgrade.elder == 0 || master->upgrade.elder_told) {
        return;
    }
    master->upgrade.elder_told = true;
    say(master->options->arrival->channel, MASTER_UPGRADE_ONLINE);
    master_share_trim(master);
    bury_elder(master);
}

void master_arrival_end(struct master *master)
{
    const struct master_upgrade *upgrade = &master->upgrade;

    if (upgrade->elder > 0 && (upgrade->elder_gone || has_ended(master->options->arrival->channel))) {
        sweep_old_names(&master->current->core, upgrade->elder);
        master_share_end(master);
    }
}
