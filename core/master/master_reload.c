/*
 * Reloads: their beginning, and their outcome. Runs in the master. One that fails changes nothing; what cannot be told
 * (the bus is gone, no descriptor is left) is in the log.
 */
#include "master/master_reload.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "conf/conf_load.h"
#include "master/master_control.h"
#include "master/master_fleet.h"
#include "master/master_generation.h"
#include "master/master_notify.h"
#include "master/master_pool.h"

/* From the beginning of one reload to the next: what is asked for in between is one. */
#define PAUSE_NS CLOCK_NS_PER_S

/* -- Who asks, and what is told ----------------------------------------------------------------------- */

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
    MASTER_EACH_GENERATION(g, generation->master)
    {
        if (waits(g) || g == generation) {
            tell_success(g, generation->number);
        }
    }
}

void master_reload_failed(struct master *master, const struct error *why)
{
    const struct master_generation *serving = master_fleet_serving(master);

    if (serving) {
        error_set(&master->trouble, 0, "reload failed, generation %u goes on: %s", serving->number,
                  why->text);
        master_notify_ready(master, "generation %u serves, the reload failed: %s", serving->number,
                            why->text);
    } else {
        error_set(&master->trouble, 0, "reload failed: %s", why->text);
    }
    log_write(&master->log, LPM_LOG_ERROR, "%s", master->trouble.text);
    MASTER_EACH_GENERATION(g, master)
    {
        if (waits(g) || g == serving) {
            g->reload_told = g->reload_begun;
            tell_failure(g);
        }
    }
}

void master_reload_undone(struct master_generation *generation, const char *why)
{
    struct master *master = generation->master;

    error_set(&master->trouble, 0,
              "generation %u failed on probation, lpm goes back to what ran before it: %s",
              generation->number, why);
    log_write(&master->log, LPM_LOG_CRIT, "%s", master->trouble.text);
    tell_failure(generation);
}

/* -- Beginning ---------------------------------------------------------------------------------------- */

/* The pid file is locked, and who has started lpm is gone: these two stay. */
static void warn_of_fixed(const struct master *master, const struct conf_core *core)
{
    const struct conf_core *now = &master->current->core;

    if (strcmp(now->pid, core->pid) != 0 || now->daemon != core->daemon) {
        log_write(&master->log, LPM_LOG_WARN,
                  "\"pid\" and \"daemon\" stay what they are until lpm is started anew");
    }
}

static int begin(struct master *master, struct error *err)
{
    struct master_setup *setup = NULL;
    struct master_generation *next;
    struct conf_core core;
    int rc = conf_load(&core, master->options->conf_name, master->options->directives, err);

    if (!rc) {
        master_pool_carry(&core, master_fleet_serving(master));
        rc = master_setup_take(&setup, master, &core, err);
    }
    if (!rc) {
        warn_of_fixed(master, &setup->core);
        rc = master_setup_prepare(setup, master->last_number + 1, err);
    }
    if (!rc) {
        rc = master_generation_new(&next, setup, true, err);
    }
    master_setup_release(&setup); /* the generation holds it */
    if (!rc) {
        master_generation_event(next, MASTER_ON_START);
    }
    return rc;
}

void master_reload_begin(struct master *master)
{
    struct error why;

    master_notify_reloading(master);
    master->reload_wanted = false;
    master->not_before = clock_now() + PAUSE_NS;
    master->trouble.text[0] = '\0';
    MASTER_EACH_GENERATION(g, master)
    {
        g->reload_begun = g->reload_asked;
    }
    if (begin(master, &why) != 0) {
        master_reload_failed(master, &why);
    }
}
