/*
 * New files for the logs, after somebody has renamed the old ones. Runs in the master, since only it may open them; no
 * process is without a log for a moment, because each puts the new file in the place of the old one's descriptor.
 */
#include "master/master_reopen.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "master/master_control.h"
#include "os/os_log.h"

/* The new file, or -1 with a line in the log. */
static int open_again(const struct master *master, const char *path)
{
    struct error why;
    int fd = os_log_open(path, &why);

    if (fd < 0) {
        log_write(&master->log, LPM_LOG_ERROR, "%s: it stays with the old file", why.text);
    }
    return fd < 0 ? -1 : fd;
}

/* `fd` stays ours; -1: there is no new file. */
static void tell(struct master_generation *generation, uint32_t index, int fd)
{
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    struct control message = {.type = CONTROL_LOG, .index = index, .status = copy < 0 ? -1 : 0};

    master_control_send(generation, &message, copy);
}

/* Each log of the generation that is a file. How many are open again. */
static int reopen_access_logs(struct master_generation *generation)
{
    uint32_t index = 0;
    int count = 0;

    for (struct lpm_conf *node = generation->core->tree->root; node; node = conf_tree_walk(node), index++) {
        int fd;
        if (node->fd < 0 || strcmp(node->name, "access_log") != 0) {
            continue;
        }
        fd = open_again(generation->master, node->args[0].data);
        tell(generation, index, fd);
        if (fd >= 0) {
            dup3(fd, node->fd, O_CLOEXEC); /* for a bus that comes after this one */
            close(fd);
            count++;
        }
    }
    return count;
}

/* Standard error goes along when it is a daemon's, who started it being gone. */
static bool reopen_error_log(struct master *master)
{
    int fd = open_again(master, master->core->error_log);

    if (fd < 0) {
        return false;
    }
    log_switch(&master->log, fd, master->core->daemon && master->launcher < 0);
    return true;
}

void master_reopen(struct master *master, const struct master_generation *asker, uint32_t number)
{
    bool is_file = master->log.fd > STDERR_FILENO;
    bool opened = is_file && reopen_error_log(master);

    LIST_EACH(link, after, &master->generations)
    {
        struct master_generation *generation = LIST_ENTRY(link, struct master_generation, link);
        struct control done = {.type = CONTROL_REOPENED, .index = generation == asker ? number : 0};

        if (is_file) {
            tell(generation, 0, opened ? master->log.fd : -1);
        }
        done.status = reopen_access_logs(generation) + opened;
        master_control_send(generation, &done, -1);
    }
    log_write(&master->log, LPM_LOG_NOTICE, "the logs are reopened");
}
