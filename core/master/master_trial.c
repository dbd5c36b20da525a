/*
 * The trial as the master sees it. Runs in the master. Whatever a module's code does to the trial ends in one line
 * that names the module: a crash, an exit, or silence for longer than a step may take.
 */
#include "master/master_trial.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "master/master_spawn.h"

struct master_trial {
    struct master_setup *setup;
    pid_t pid; /* 0: reaped */
    int pipe;
    bool deaf; /* nothing that it says counts any more */
    struct report_reader reader;
    struct master_trial_end end;
    struct event *readable, *timer;
    master_trial_done done;
    void *arg;
};

/* -- Judging ------------------------------------------------------------------------------------------ */

/* "died of SIGSEGV", "ended the process with exit status 0" */
static void tell_end(const struct master_trial_end *end, char *room, size_t size)
{
    char name[32];

    if (WIFSIGNALED(end->status)) {
        snprintf(room, size, "died of %s", text_signal(WTERMSIG(end->status), name, sizeof(name)));
    } else {
        snprintf(room, size, "ended the process with exit status %d", WEXITSTATUS(end->status));
    }
}

static int blame_module(const struct master_trial_end *end, const struct conf_core *core, struct error *err)
{
    const struct conf_module *module = &core->modules[end->last.module];
    bool load = end->last.type == REPORT_LOAD;
    double seconds = (double)end->step_limit_ms / 1000.0;
    char how[64], text[ERROR_TEXT_SIZE];

    if (end->timed_out) {
        snprintf(text, sizeof(text), "module \"%s\" did not finish %s within %g s", module->path,
                 load ? "loading" : "its conf hook", seconds);
    } else {
        tell_end(end, how, sizeof(how));
        snprintf(text, sizeof(text), "module \"%s\" %s %s", module->path, how,
                 load ? "while it was loaded" : "in its conf hook");
    }
    if (module->node) {
        return conf_tree_error(module->node, err, "%s", text);
    }
    return error_set(err, LPM_ECONF, "%s", text);
}

static int blame_trial(const struct master_trial_end *end, struct error *err)
{
    const char *when =
        end->last.type == REPORT_CHECK ? "while it checked the configuration" : "before it loaded a module";
    char how[64];

    if (end->timed_out) {
        return error_set(err, LPM_ECONF, "the trial did nothing for %g s %s",
                         (double)end->step_limit_ms / 1000.0, when);
    }
    tell_end(end, how, sizeof(how));
    return error_set(err, LPM_ECONF, "the trial %s %s", how, when);
}

int master_trial_judge(const struct master_trial_end *end, const struct conf_core *core, struct error *err)
{
    switch (end->last.type) {
    case REPORT_OK:
        return 0;
    case REPORT_FAILED:
        return error_set(err, LPM_ECONF, "%s", end->last.text);
    case REPORT_LOAD:
    case REPORT_CONF_HOOK:
        return blame_module(end, core, err);
    default:
        return blame_trial(end, err);
    }
}

/* -- Running ------------------------------------------------------------------------------------------ */

static void restart_timer(struct master_trial *trial)
{
    struct timeval limit = clock_timeval((uint64_t)trial->end.step_limit_ms * CLOCK_NS_PER_MS);
    event_add(trial->timer, &limit);
}

/* Each step comes once, in the order of their types and modules; so all of them have an end. */
static bool is_next_step(const struct report *last, const struct report *next)
{
    if (last->type == REPORT_FAILED || last->type == REPORT_OK) {
        return false;
    }
    return next->type > last->type || (next->type == last->type && next->module > last->module);
}

/* Takes in what the trial has said. What is no record of a next step is as good as silence, and so is all behind it. */
static void take_reports(struct master_trial *trial)
{
    uint32_t modules = (uint32_t)trial->setup->core.module_count;
    struct report report;

    while (!trial->deaf) {
        int rc = report_read(trial->pipe, &trial->reader, modules, &report);
        if (rc == 0) {
            return;
        }
        if (rc < 0 || !is_next_step(&trial->end.last, &report)) {
            trial->deaf = true;
            event_del(trial->readable);
            return;
        }
        trial->end.last = report;
        restart_timer(trial);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    take_reports(arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct master_trial *trial = arg;

    (void)fd;
    (void)what;
    trial->end.timed_out = true;
    kill(trial->pid, SIGKILL);
}

static int fork_trial(struct master_trial *trial, unsigned generation, struct error *err)
{
    struct role_start start;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return error_set(err, LPM_EIO, "cannot make a pipe: %s", strerror(errno));
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    trial->pipe = fds[0];
    master_spawn_prepare(trial->setup, &start);
    start.generation = generation;
    start.channel = fds[1];
    trial->pid = master_spawn(trial->setup->master->roles->trial, &start, err);
    close(fds[1]);
    return trial->pid < 0 ? LPM_EIO : 0;
}

int master_trial_new(struct master_trial **out, struct master_setup *setup, unsigned generation,
                     master_trial_done done, void *arg, struct error *err)
{
    struct master *master = setup->master;
    struct master_trial *trial = calloc(1, sizeof(*trial));
    int rc;

    if (!trial) {
        return error_set(err, LPM_ENOMEM, "no memory for the trial");
    }
    *trial = (struct master_trial){.setup = setup, .pipe = -1, .done = done, .arg = arg};
    trial->end.step_limit_ms = master->options->step_limit_ms;
    rc = fork_trial(trial, generation, err);
    if (rc) {
        trial->pid = 0;
        goto failed;
    }
    trial->readable = event_new(master->base, trial->pipe, EV_READ | EV_PERSIST, on_readable, trial);
    trial->timer = evtimer_new(master->base, on_timer, trial);
    if (!trial->readable || !trial->timer) {
        rc = error_set(err, LPM_ENOMEM, "no memory for the trial");
        kill(trial->pid, SIGKILL); /* and reaped as somebody unknown */
        goto failed;
    }
    event_add(trial->readable, NULL);
    restart_timer(trial);
    *out = trial;
    return 0;
failed:
    master_trial_free(trial);
    return rc;
}

void master_trial_free(struct master_trial *trial)
{
    if (!trial) {
        return;
    }
    if (trial->readable) {
        event_free(trial->readable);
    }
    if (trial->timer) {
        event_free(trial->timer);
    }
    fd_close(&trial->pipe);
    free(trial);
}

pid_t master_trial_pid(const struct master_trial *trial)
{
    return trial->pid;
}

void master_trial_reaped(struct master_trial *trial, int status)
{
    struct error err = {.text = ""};
    int code;

    take_reports(trial);
    event_del(trial->timer);
    event_del(trial->readable);
    fd_close(&trial->pipe);
    trial->pid = 0;
    trial->end.status = status;
    code = master_trial_judge(&trial->end, &trial->setup->core, &err);
    trial->done(trial->arg, code, &err);
}
