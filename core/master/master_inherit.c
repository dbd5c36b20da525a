/*
 * Listeners that outlive a master. Runs in the master. Sockets are known by their inode: it stays the same in every copy.
 * What is kept for us has a name of ours, made of its address; whatever else comes is somebody's socket unit, and stays
 * his: nobody else's connections are refused because lpm ends.
 */
#include "master/master_inherit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "master/master_listen.h"
#include "os/os_listen.h"

#define PREFIX    "lpm_"
#define NAME_SIZE 256 /* with its end; the protocol's limit */

/* A socket that the service manager has. */
struct kept {
    struct list link;
    ino_t socket;
    bool borrowed; /* it had it before us */
    int fd;        /* a copy of what is borrowed, for a later configuration, or one that comes back; -1 */
    bool open;     /* a listener of ours */
    char name[NAME_SIZE];
};

#define EACH_KEPT(k, master)                        \
    LIST_EACH(k##_link, k##_after, &(master)->kept) \
    for (struct kept *k = LIST_ENTRY(k##_link, struct kept, link); k; k = NULL)

static bool is_listen(const struct lpm_conf *node)
{
    return strcmp(node->name, "listen") == 0;
}

static ino_t socket_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static struct kept *find(const struct master *master, ino_t socket)
{
    EACH_KEPT(k, master)
    {
        if (k->socket == socket) {
            return k;
        }
    }
    return NULL;
}

static void keep(struct master *master, int fd, const char *name)
{
    struct kept *k = calloc(1, sizeof(*k));

    if (k) {
        k->socket = socket_of(fd);
        k->borrowed = strncmp(name, PREFIX, strlen(PREFIX)) != 0;
        k->fd = k->borrowed ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
        snprintf(k->name, sizeof(k->name), "%s", name);
        list_append(&master->kept, &k->link);
    }
}

void master_inherit_know(struct master *master, int fd, const char *name)
{
    keep(master, fd, name);
}

const char *master_inherit_name(const struct master *master, int fd)
{
    const struct kept *k = find(master, socket_of(fd));
    return k ? k->name : NULL;
}

static void forget(struct kept *k)
{
    list_remove(&k->link);
    fd_close(&k->fd);
    free(k);
}

/* -- Handed over -------------------------------------------------------------------------------------- */

void master_inherit_init(struct master *master)
{
    struct error why;

    list_init(&master->kept);
    if (os_inherit_take(&master->inherited, &why) != 0) {
        log_write(&master->log, LPM_LOG_WARN, "%s", why.text);
    }
}

void master_inherit_fini(struct master *master)
{
    EACH_KEPT(k, master)
    {
        forget(k);
    }
    os_inherit_fini(&master->inherited);
}

static bool is_listener(int fd)
{
    int listens = 0;
    socklen_t len = sizeof(listens);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

static void give(struct master_setup *setup, struct lpm_conf *node)
{
    struct master *master = setup->master;

    for (size_t i = 0; i < master->inherited.count; i++) {
        struct os_inherited *given = &master->inherited.list[i];
        if (given->fd < 0 || !is_listener(given->fd) ||
            !os_listen_bound(given->fd, master_listen_address(node))) {
            continue;
        }
        node->fd = given->fd;
        given->fd = -1;
        fcntl(node->fd, F_SETFL, fcntl(node->fd, F_GETFL) | O_NONBLOCK);
        keep(master, node->fd, given->name);
        log_write(&setup->log, LPM_LOG_NOTICE, "listening on %s, handed over as \"%s\"", node->args[0].data,
                  given->name);
        return;
    }
}

/* A configuration in between had no use for it. */
static void give_again(struct master_setup *setup, struct lpm_conf *node)
{
    EACH_KEPT(k, setup->master)
    {
        if (k->fd >= 0 && node->fd < 0 && os_listen_bound(k->fd, master_listen_address(node))) {
            node->fd = fcntl(k->fd, F_DUPFD_CLOEXEC, 0);
        }
    }
}

void master_inherit_listen(struct master_setup *setup)
{
    for (struct lpm_conf *node = setup->core.tree->root; node; node = conf_tree_walk(node)) {
        if (is_listen(node) && node->fd < 0) {
            give(setup, node);
            give_again(setup, node);
        }
    }
}

/* One line of the protocol. 0, or LPM_EAGAIN. */
static int store(const struct master *master, const char *what, const char *name, int fd)
{
    char lines[NAME_SIZE + 64];

    snprintf(lines, sizeof(lines), "%s=1\nFDNAME=%s", what, name);
    return os_notify_send(&master->notify.socket, lines, fd);
}

void master_inherit_refuse(struct master *master)
{
    for (size_t i = 0; i < master->inherited.count; i++) {
        struct os_inherited *given = &master->inherited.list[i];
        char address[OS_LISTEN_TEXT_SIZE];
        if (given->fd < 0) {
            continue;
        }
        log_write(&master->log, LPM_LOG_WARN,
                  "\"%s\" was handed over (%s), but no \"listen\" names it: closed", given->name,
                  os_listen_text(given->fd, address));
        if (strncmp(given->name, PREFIX, strlen(PREFIX)) == 0) {
            store(master, "FDSTOREREMOVE", given->name, -1);
        }
    }
    os_inherit_fini(&master->inherited);
}

void master_inherit_leave(struct master_setup *setup)
{
    for (struct lpm_conf *node = setup->core.tree->root; node; node = conf_tree_walk(node)) {
        const struct kept *k =
            is_listen(node) && node->fd >= 0 ? find(setup->master, socket_of(node->fd)) : NULL;
        if (k && (k->borrowed || !setup->master->online)) {
            fd_close(&node->fd);
        }
    }
}

/* -- Kept for us -------------------------------------------------------------------------------------- */

/* "lpm_127.0.0.1_80": no ':' may stand in it. false: it has none, because it is too long, or a new port each time. */
static bool make_name(const char *address, char name[NAME_SIZE])
{
    size_t len = strlen(address);
    int n = snprintf(name, NAME_SIZE, PREFIX "%s", address);

    if (n < 0 || n >= NAME_SIZE || strcmp(address, "0") == 0 ||
        (len >= 2 && strcmp(address + len - 2, ":0") == 0)) {
        return false;
    }
    for (char *at = name; *at; at++) {
        if (*at == ':' || *at <= ' ' || *at > '~') {
            *at = '_';
        }
    }
    return true;
}

static void store_one(struct master *master, const struct lpm_conf *node)
{
    struct kept *k = find(master, socket_of(node->fd));
    char name[NAME_SIZE];

    if (!k && make_name(node->args[0].data, name) && store(master, "FDSTORE", name, node->fd) == 0) {
        keep(master, node->fd, name);
        k = find(master, socket_of(node->fd));
    }
    if (k) {
        k->open = true;
    }
}

/* What is gone first: a new listener may have the name of an old one. */
static void remove_closed(struct master *master)
{
    EACH_KEPT(k, master)
    {
        if (!k->open && !k->borrowed && store(master, "FDSTOREREMOVE", k->name, -1) == 0) {
            forget(k);
        }
    }
}

static void each_listener(struct master *master,
                          void (*act)(struct master *master, const struct lpm_conf *node))
{
    LIST_EACH(link, after, &master->setups)
    {
        const struct master_setup *setup = LIST_ENTRY(link, struct master_setup, link);
        for (struct lpm_conf *node = setup->core.tree->root; node; node = conf_tree_walk(node)) {
            if (is_listen(node) && node->fd >= 0) {
                act(master, node);
            }
        }
    }
}

static void mark_open(struct master *master, const struct lpm_conf *node)
{
    struct kept *k = find(master, socket_of(node->fd));
    if (k) {
        k->open = true;
    }
}

void master_inherit_store(struct master *master)
{
    if (master->notify.socket.socket < 0 || !master->online || master->upgrade.heir > 0 ||
        master->upgrade.elder > 0) { /* two masters: each would remove what the other has */
        return;
    }
    EACH_KEPT(k, master)
    {
        k->open = false;
    }
    each_listener(master, mark_open);
    remove_closed(master);
    each_listener(master, store_one);
}
