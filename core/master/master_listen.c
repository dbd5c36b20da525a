/*
 * Listeners and logs. Runs in the master, with its privileges; the bus inherits the descriptors. Fails with the
 * directive's place.
 */
#include "master/master_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/os_dir.h"
#include "os/os_listen.h"
#include "os/os_log.h"

/* The next node `name` behind `node` in the order of reading; begin with the root. */
static struct lpm_conf *next_of(const struct lpm_conf *node, const char *name)
{
    struct lpm_conf *next = conf_tree_walk(node);

    while (next && strcmp(next->name, name) != 0) {
        next = conf_tree_walk(next);
    }
    return next;
}

/* A port that the system chooses is a new one each time. */
static bool any_port(const char *address)
{
    size_t len = strlen(address);

    return strcmp(address, "0") == 0 ||
           (len >= 2 && strcmp(address + len - 2, ":0") == 0 && strncmp(address, "unix:", 5) != 0);
}

/* The number of "backlog=N", -1 without one. Words without "=" are the module's, and checked by the trial. */
static int read_backlog(const struct lpm_conf *node, int *backlog, struct error *err)
{
    *backlog = -1;
    for (size_t i = 1; i < node->arg_count; i++) {
        const char *word = node->args[i].data;
        char *end = NULL;
        long n = -1;

        if (!strchr(word, '=')) {
            continue;
        }
        if (strncmp(word, "backlog=", 8) == 0) {
            errno = 0;
            n = strtol(word + 8, &end, 10);
        }
        if (!end || end == word + 8 || *end || errno || n < -1 || n == 0 || n > 1 << 24) {
            return conf_tree_error(node, err,
                                   "\"listen\" has \"%s\": expected backlog=NUMBER, from 1 on, or -1", word);
        }
        *backlog = (int)n;
    }
    return 0;
}

static int check_twice(const struct conf_tree *tree, const struct lpm_conf *node, struct error *err)
{
    const char *address = node->args[0].data;

    for (const struct lpm_conf *other = next_of(tree->root, "listen"); other != node;
         other = next_of(other, "listen")) {
        if (strcmp(other->args[0].data, address) == 0 && !any_port(address)) {
            return conf_tree_error(node, err, "a second \"listen %s\", after the one in %s:%d", address,
                                   other->file, other->line);
        }
    }
    return 0;
}

int master_listen_check(const struct conf_tree *tree, struct error *err)
{
    struct error why;
    int backlog, rc = 0;

    for (const struct lpm_conf *node = next_of(tree->root, "listen"); node && !rc;
         node = next_of(node, "listen")) {
        if (node->arg_count < 1 || node->is_block) {
            return conf_tree_error(node, err, "\"listen\" expects an address and then \";\"");
        }
        if (os_listen_check(node->args[0].data, &why) != 0) {
            return conf_tree_error(node, err, "%s", why.text);
        }
        rc = read_backlog(node, &backlog, err);
        if (!rc) {
            rc = check_twice(tree, node, err);
        }
    }
    return rc;
}

int master_listen_resolve(struct conf_tree *tree, struct error *err)
{
    char address[OS_LISTEN_TEXT_SIZE], *copy;
    struct error why;

    for (struct lpm_conf *node = next_of(tree->root, "listen"); node; node = next_of(node, "listen")) {
        int rc = os_listen_resolve(node->args[0].data, address, &why);
        if (rc) {
            conf_tree_error(node, err, "%s", why.text);
            return rc;
        }
        copy = conf_tree_alloc(tree, strlen(address) + 1);
        if (!copy) {
            return error_set(err, LPM_ENOMEM, "no memory for an address");
        }
        strcpy(copy, address);
        node->address = copy;
    }
    return 0;
}

const char *master_listen_address(const struct lpm_conf *node)
{
    return node->address ? node->address : node->args[0].data;
}

/* -- Shared with another configuration ---------------------------------------------------------------- */

/* How many listeners of the same words stand before `node`. */
static size_t twins_before(const struct conf_tree *tree, const struct lpm_conf *node)
{
    size_t count = 0;

    for (const struct lpm_conf *other = next_of(tree->root, "listen"); other != node;
         other = next_of(other, "listen")) {
        count += strcmp(master_listen_address(other), master_listen_address(node)) == 0;
    }
    return count;
}

/* The open listener of `from` that is the same as `node` of `tree`; NULL: none. */
static const struct lpm_conf *find_same(const struct conf_tree *from, const struct conf_tree *tree,
                                        const struct lpm_conf *node)
{
    const char *address = master_listen_address(node);
    bool any = any_port(address);
    size_t skip = any ? twins_before(tree, node) : 0;

    for (const struct lpm_conf *other = next_of(from->root, "listen"); other;
         other = next_of(other, "listen")) {
        if (other->fd >= 0 &&
            (any ? strcmp(master_listen_address(other), address) == 0
                 : os_listen_bound(other->fd, address)) &&
            skip-- == 0) {
            return other;
        }
    }
    return NULL;
}

static int copy_fd(int *fd, int from, struct error *err)
{
    *fd = fcntl(from, F_DUPFD_CLOEXEC, 0);
    return *fd < 0 ? error_set(err, LPM_EIO, "cannot copy a descriptor: %s", strerror(errno)) : 0;
}

int master_listen_inherit(struct conf_tree *tree, const struct conf_tree *from, struct error *err)
{
    int backlog, rc = 0;

    for (struct lpm_conf *node = next_of(tree->root, "listen"); node && !rc; node = next_of(node, "listen")) {
        const struct lpm_conf *same = node->fd < 0 ? find_same(from, tree, node) : NULL;
        if (same) {
            rc = copy_fd(&node->fd, same->fd, err);
            if (!rc && read_backlog(node, &backlog, err) == 0) {
                os_listen_backlog(node->fd, backlog);
            }
        }
    }
    return rc;
}

void master_listen_leave(struct conf_tree *tree, const struct conf_tree *other)
{
    for (struct lpm_conf *node = next_of(tree->root, "listen"); node; node = next_of(node, "listen")) {
        if (node->fd >= 0 && find_same(other, tree, node)) {
            fd_close(&node->fd);
        }
    }
}

int master_listen_control_inherit(struct conf_core *core, const struct conf_core *from, struct error *err)
{
    if (core->control_fd >= 0 || from->control_fd < 0 || strcmp(core->control, from->control) != 0) {
        return 0;
    }
    return copy_fd(&core->control_fd, from->control_fd, err);
}

void master_listen_control_leave(struct conf_core *core, const struct conf_core *other)
{
    if (other->control_fd >= 0 && strcmp(core->control, other->control) == 0) {
        fd_close(&core->control_fd);
    }
}

/* -- Opening and closing ------------------------------------------------------------------------------ */

static int open_listen(struct lpm_conf *node, const struct log *log, struct error *err)
{
    struct error why;
    char bound[256];
    int backlog, rc;

    rc = read_backlog(node, &backlog, err);
    if (rc) {
        return rc;
    }
    rc = os_listen(&node->fd, master_listen_address(node), backlog, bound, sizeof(bound), &why);
    if (rc) {
        node->fd = -1;
        conf_tree_error(node, err, "%s", why.text);
        return rc;
    }
    log_write(log, LPM_LOG_NOTICE, "listening on %s", bound);
    return 0;
}

static int open_log(struct lpm_conf *node, struct error *err)
{
    const char *path = node->arg_count > 0 ? node->args[0].data : "off";
    struct error why;

    if (strcmp(path, "off") == 0) {
        return 0;
    }
    node->fd = os_log_open(path, &why);
    if (node->fd < 0) {
        node->fd = -1;
        conf_tree_error(node, err, "%s", why.text);
        return LPM_EIO;
    }
    return 0;
}

int master_listen_open(struct conf_tree *tree, const struct log *log, struct error *err)
{
    int rc = master_listen_check(tree, err);

    for (struct lpm_conf *node = next_of(tree->root, "access_log"); node && !rc;
         node = next_of(node, "access_log")) {
        rc = node->fd < 0 ? open_log(node, err) : 0;
    }
    for (struct lpm_conf *node = next_of(tree->root, "listen"); node && !rc; node = next_of(node, "listen")) {
        rc = node->fd < 0 ? open_listen(node, log, err) : 0;
    }
    return rc;
}

static void do_without(const struct log *log, const struct error *why)
{
    log_write(log, LPM_LOG_CRIT, "lpm goes on without it until the next reload: %s", why->text);
}

void master_listen_reopen(struct conf_tree *tree, const char *dir, const struct log *log)
{
    struct error why;

    for (struct lpm_conf *node = next_of(tree->root, "access_log"); node;
         node = next_of(node, "access_log")) {
        if (node->fd < 0 && open_log(node, &why) != 0) {
            do_without(log, &why);
        }
    }
    for (struct lpm_conf *node = next_of(tree->root, "listen"); node; node = next_of(node, "listen")) {
        if (node->fd < 0 && open_listen(node, log, &why) != 0) {
            do_without(log, &why);
            os_listen_deaf(&node->fd, dir, &why);
        }
    }
}

static void control_address(const struct conf_core *core, char *room, size_t size)
{
    snprintf(room, size, "unix:%s", core->control);
}

int master_listen_control(struct conf_core *core, struct error *err)
{
    char address[PATH_MAX + 8], bound[256];
    struct error why;
    int rc;

    if (core->control_fd >= 0 || strcmp(core->control, "off") == 0) {
        return 0;
    }
    control_address(core, address, sizeof(address));
    rc = os_dir_make_parent(core->control, 0755, &why);
    if (!rc) {
        rc = os_listen_private(&core->control_fd, address, bound, sizeof(bound), &why);
    }
    if (rc) {
        core->control_fd = -1;
        return error_set(err, rc, "control socket: %s", why.text);
    }
    return 0;
}

void master_listen_control_close(struct conf_core *core)
{
    char address[PATH_MAX + 8];

    if (core->control_fd >= 0) {
        control_address(core, address, sizeof(address));
        os_listen_close(&core->control_fd, address);
    }
}

void master_listen_keep(struct conf_tree *tree, const struct conf_tree *other)
{
    for (struct lpm_conf *node = next_of(tree->root, "listen"); node; node = next_of(node, "listen")) {
        if (!find_same(other, tree, node)) {
            fd_close(&node->fd);
        }
    }
}

void master_listen_part(struct conf_tree *tree)
{
    for (struct lpm_conf *node = tree->root; node; node = conf_tree_walk(node)) {
        if (node->fd >= 0) {
            fd_close(&node->fd);
        }
    }
}

void master_listen_sweep(const struct conf_tree *tree)
{
    for (struct lpm_conf *node = next_of(tree->root, "listen"); node; node = next_of(node, "listen")) {
        os_listen_sweep(master_listen_address(node));
    }
}

void master_listen_close(struct conf_tree *tree)
{
    for (struct lpm_conf *node = next_of(tree->root, "access_log"); node;
         node = next_of(node, "access_log")) {
        fd_close(&node->fd);
    }
    for (struct lpm_conf *node = next_of(tree->root, "listen"); node; node = next_of(node, "listen")) {
        if (node->fd >= 0) {
            os_listen_close(&node->fd, master_listen_address(node));
        }
    }
}

int master_listen_error_log(int *fd, const char *path, struct error *err)
{
    if (strcmp(path, "stderr") == 0) {
        *fd = STDERR_FILENO;
        return 0;
    }
    *fd = os_log_open(path, err);
    return *fd < 0 ? *fd : 0;
}
