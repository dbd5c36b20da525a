/*
 * The trial. A child of the master, unprivileged: module code runs here for the first time, and may crash, hang or
 * exit. Before each step the trial says what it is about to do, so that the master can name the culprit; then it says
 * what was wrong, or that all is well, and exits.
 */
#include "trial/trial.h"

#include <stddef.h>
#include <stdlib.h>

#include "ipc/report.h"
#include "loader/loader.h"

struct trial {
    struct loader_owner owner; /* first: the handles' owner */
    struct role_start *start;
    struct loader loader;
};

static void on_load(void *arg, size_t i)
{
    struct trial *trial = arg;
    report_write(trial->start->channel, REPORT_LOAD, (uint32_t)i, "");
}

/* The configuration as if `hook` alone (-1: nobody) had a conf hook, so that what happens in there is its doing.
 * `view` has room for every module. */
static int configure(struct trial *trial, struct loader_module *view, ptrdiff_t hook, const lpm_host *host,
                     struct error *err)
{
    struct loader loader = {.modules = view, .count = trial->loader.count};

    for (size_t i = 0; i < loader.count; i++) {
        view[i] = trial->loader.modules[i];
        if ((ptrdiff_t)i != hook) {
            view[i].module.conf = NULL;
        }
    }
    return loader_configure(&loader, trial->start->core->tree, host, trial, NULL, NULL, err);
}

static int check_conf(struct trial *trial, struct error *err)
{
    int channel = trial->start->channel;
    struct loader_module *view = calloc(trial->loader.count + 1, sizeof(*view));
    lpm_host host;
    int rc;

    if (!view) {
        return error_set(err, LPM_ENOMEM, "no memory for %zu modules", trial->loader.count);
    }
    loader_host_init(&host);
    report_write(channel, REPORT_CHECK, 0, "");
    rc = configure(trial, view, -1, &host, err);
    for (size_t i = 0; i < trial->loader.count && !rc; i++) {
        if (trial->loader.modules[i].module.conf) {
            report_write(channel, REPORT_CONF_HOOK, (uint32_t)i, "");
            rc = configure(trial, view, (ptrdiff_t)i, &host, err);
        }
    }
    free(view);
    return rc;
}

static int try_all(struct trial *trial, struct error *err)
{
    struct role_start *start = trial->start;
    int rc = loader_load(&trial->loader, start->core, start->modules, on_load, trial, err);

    if (rc) {
        return rc;
    }
    rc = check_conf(trial, err);
    loader_fini(&trial->loader);
    return rc;
}

int trial_main(struct role_start *start)
{
    struct error err = {.text = ""};
    struct trial trial = {.owner = {.log = &start->log, .conf_error = &err}, .start = start};
    int rc;

    if (role_enter(start, "trial", NULL, 0)) {
        return ROLE_EXIT_FAILED;
    }
    rc = try_all(&trial, &err);
    if (report_write(start->channel, rc ? REPORT_FAILED : REPORT_OK, 0, err.text)) {
        return ROLE_EXIT_FAILED;
    }
    return rc ? ROLE_EXIT_FAILED : 0;
}
