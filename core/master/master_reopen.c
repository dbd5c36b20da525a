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

/* To each bus that runs the setup. `fd` stays ours; -1: there is no new file. */
static void tell(const struct master_setup *setup, uint32_t index, int fd)
{
    LIST_EACH(link, after, &setup->master->generations)
    {
        struct master_generation *generation = LIST_ENTRY(link, struct master_generation, link);
        struct control message = {.type = CONTROL_LOG, .index = index};
        int copy;

        if (generation->setup != setup) {
            continue;
        }
        copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
        message.status = copy < 0 ? -1 : 0;
        master_control_send(generation, &message, copy);
    }
}

/* Has it a bus which has yet to say that all of it is done? */
static bool is_behind(const struct master_generation *generation)
{
    return generation->control >= 0 && !generation->control_over &&
           generation->logs_taken < generation->logs_due;
}

static bool others_are_behind(const struct master_generation *asker)
{
    LIST_EACH(link, after, &asker->master->generations)
    {
        const struct master_generation *generation = LIST_ENTRY(link, struct master_generation, link);
        if (generation != asker && is_behind(generation)) {
            return true;
        }
    }
    return false;
}

void master_reopen_look(struct master *master)
{
    LIST_EACH(link, after, &master->generations)
    {
        struct master_generation *generation = LIST_ENTRY(link, struct master_generation, link);
        struct control message = {.type = CONTROL_LOGS_ELSEWHERE, .index = generation->reopen_asked};

        if (generation->reopen_asked != 0 && !others_are_behind(generation)) {
            generation->reopen_asked = 0;
            master_control_send(generation, &message, -1);
        }
    }
}

void master_reopen_taken(struct master_generation *generation, uint64_t reopening)
{
    generation->logs_taken = reopening;
    master_reopen_look(generation->master);
}

/* Every bus that there is has to say when it is done. */
static void begin(struct master *master)
{
    master->reopens++;
    LIST_EACH(link, after, &master->generations)
    {
        LIST_ENTRY(link, struct master_generation, link)->logs_due = master->reopens;
    }
}

static void tell_end(const struct master_setup *setup, int count, const struct master_generation *asker,
                     uint32_t number)
{
    LIST_EACH(link, after, &setup->master->generations)
    {
        struct master_generation *generation = LIST_ENTRY(link, struct master_generation, link);
        struct control message = {.type = CONTROL_REOPENED,
                                  .pool = 1,
                                  .index = generation == asker ? number : 0,
                                  .status = count,
                                  .until = setup->master->reopens};

        if (generation->setup == setup) {
            master_control_send(generation, &message, -1);
        }
    }
}

/* Standard error goes along when it is a daemon's, who started it being gone. */
static int reopen_error_log(struct master_setup *setup)
{
    const struct master *master = setup->master;
    int fd;

    if (setup->log.fd <= STDERR_FILENO) {
        return 0;
    }
    fd = open_again(master, setup->core.error_log);
    tell(setup, 0, fd);
    if (fd < 0) {
        return 0;
    }
    log_switch(&setup->log, fd, setup == master->current && setup->core.daemon && master->launcher < 0);
    return 1;
}

static int reopen_access_logs(struct master_setup *setup)
{
    uint32_t index = 0;
    int count = 0;

    for (struct lpm_conf *node = setup->core.tree->root; node; node = conf_tree_walk(node), index++) {
        int fd;
        if (node->fd < 0 || strcmp(node->name, "access_log") != 0) {
            continue;
        }
        fd = open_again(setup->master, node->args[0].data);
        tell(setup, index, fd);
        if (fd >= 0) {
            dup3(fd, node->fd, O_CLOEXEC); /* for a bus that comes later */
            close(fd);
            count++;
        }
    }
    return count;
}

void master_reopen(struct master *master, struct master_generation *asker, uint32_t number)
{
    begin(master);
    LIST_EACH(link, after, &master->setups)
    {
        struct master_setup *setup = LIST_ENTRY(link, struct master_setup, link);
        int count = reopen_error_log(setup);

        count += reopen_access_logs(setup);
        tell_end(setup, count, asker, number);
    }
    if (asker) {
        asker->reopen_asked = number;
        master_reopen_look(master);
    }
    log_write(&master->log, LPM_LOG_NOTICE, "the logs are reopened");
}
