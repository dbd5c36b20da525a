/*
 * lpm -t: a trial, and nothing else. Runs in the process that people started; leaves nothing behind.
 */
#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "master/master.h"
#include "master/master_context.h"
#include "master/master_listen.h"
#include "master/master_inherit.h"
#include "master/master_notify.h"
#include "master/master_rundir.h"
#include "master/master_signal.h"
#include "master/master_trial.h"

/* The signals' callbacks know the master; the test is around it. */
struct test {
    struct master master; /* first */
    struct master_setup setup;
    struct master_trial *trial;
    int code;
    struct error *err;
    int interrupted; /* by that signal */
};

static struct test *test_of(struct master *master)
{
    return (struct test *)(void *)master;
}

static void on_done(void *arg, int code, const struct error *err)
{
    struct test *test = arg;
    char name[32];

    test->code = code;
    *test->err = *err;
    if (test->interrupted) {
        test->code = error_set(test->err, LPM_EIO, "the test was ended by %s",
                               text_signal(test->interrupted, name, sizeof(name)));
    }
    event_base_loopbreak(test->master.base);
}

static void on_signal(struct master *master, int number)
{
    struct test *test = test_of(master);

    if (number == SIGTERM || number == SIGINT || number == SIGQUIT || number == SIGHUP) {
        test->interrupted = number;
        kill(master_trial_pid(test->trial), SIGKILL);
    }
}

static bool owns(const struct master *master, pid_t pid)
{
    const struct test *test = (const struct test *)(const void *)master;
    return master_trial_pid(test->trial) == pid;
}

static void on_reaped(struct master *master, pid_t pid, int status)
{
    struct test *test = test_of(master);

    if (master_trial_pid(test->trial) == pid) {
        master_trial_reaped(test->trial, status);
    }
}

static const struct master_signal_calls signal_calls = {on_signal, owns, on_reaped};

static int run(struct test *test, struct error *err)
{
    struct master *master = &test->master;
    int rc;

    master->base = event_base_new();
    if (!master->base) {
        return error_set(err, LPM_ENOMEM, "cannot make an event loop");
    }
    rc = master_trial_new(&test->trial, &test->setup, 1, on_done, test, err);
    if (rc) {
        goto out;
    }
    rc = master_signal_open(master, &signal_calls, err);
    if (rc) {
        kill(master_trial_pid(test->trial), SIGKILL);
        goto out;
    }
    event_base_dispatch(master->base);
    rc = test->code;
out:
    master_trial_free(test->trial);
    master_signal_close(master);
    event_base_free(master->base);
    return rc;
}

int master_test(const struct master_options *options, const struct master_roles *roles, struct error *err)
{
    struct test test = {
        .master = {.options = options, .roles = roles, .signals = -1, .launcher = -1, .pid = getpid()},
        .setup = {.master = &test.master, .core = *options->core},
        .err = err};
    struct master_setup *setup = &test.setup;
    int rc;

    log_init(&test.master.log, STDERR_FILENO, LPM_LOG_WARN, "master");
    master_notify_take(&test.master); /* a test is nothing to tell of, for modules either */
    master_inherit_init(&test.master);
    master_inherit_fini(&test.master);
    os_notify_close(&test.master.notify.socket);
    setup->log = test.master.log;
    rc = os_user_find(&setup->user, setup->core.user, err);
    if (!rc) {
        rc = master_listen_check(options->core->tree, err);
    }
    if (!rc) {
        rc = master_listen_resolve(options->core->tree, err);
    }
    if (rc) {
        return rc;
    }
    master_signal_block();
    rc = master_rundir_make(&setup->core, 0, setup->dir, sizeof(setup->dir), &setup->dir_lock, err);
    if (rc) {
        return rc;
    }
    rc = run(&test, err);
    master_rundir_remove(&setup->core, setup->dir, &setup->dir_lock);
    return rc;
}
