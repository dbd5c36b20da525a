/*
 * The outcome of reloads. Runs in the master. What cannot be told (the bus is gone, no descriptor is left) is in the log.
 */
#include "master/master_reload.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/master_control.h"
#include "master/master_fleet.h"

#define EACH_GENERATION(g, master)                         \
    LIST_EACH(g##_link, g##_after, &(master)->generations) \
    for (struct master_generation *g = LIST_ENTRY(g##_link, struct master_generation, link); g; g = NULL)

void master_reload_ask(struct master_generation *generation, uint32_t number)
{
    struct master *master = generation->master;

    if (master->stopping || !master_fleet_serves(generation)) {
        return;
    }
    log_write(&master->log, LPM_LOG_NOTICE, "lpmctl: reload");
    generation->reload_asked = number;
    master_fleet_reload(master);
}

void master_reload_begin(struct master *master)
{
    master->trouble.text[0] = '\0';
    EACH_GENERATION(g, master)
    {
        g->reload_begun = g->reload_asked;
    }
}

static bool waits(const struct master_generation *g)
{
    return g->reload_begun != g->reload_told;
}

/* A descriptor to read the text from, or -1. */
static int text_file(const char *text)
{
    int fd = memfd_create("lpm: why", MFD_CLOEXEC);
    size_t len = strlen(text);

    if (fd >= 0 && write(fd, text, len) != (ssize_t)len) {
        fd_close(&fd);
    }
    return fd;
}

static void tell_success(struct master_generation *g, unsigned number)
{
    g->reload_told = g->reload_begun;
    master_control_send(
        g, &(struct control){.type = CONTROL_RELOADED, .index = g->reload_told, .incarnation = number}, -1);
}

static void tell_failure(struct master_generation *g)
{
    struct control message = {.type = CONTROL_RELOADED, .index = g->reload_told, .status = LPM_ECONF};
    master_control_send(g, &message, text_file(g->master->trouble.text));
}

void master_reload_took(struct master_generation *generation)
{
    generation->master->trouble.text[0] = '\0';
    EACH_GENERATION(g, generation->master)
    {
        if (waits(g) || g == generation) {
            tell_success(g, generation->number);
        }
    }
}

void master_reload_failed(struct master *master, const struct error *text)
{
    master->trouble = *text;
    EACH_GENERATION(g, master)
    {
        if (waits(g) || master_fleet_serves(g)) {
            g->reload_told = g->reload_begun;
            tell_failure(g);
        }
    }
}

void master_reload_undone(struct master_generation *generation, const struct error *text)
{
    generation->master->trouble = *text;
    tell_failure(generation);
}
