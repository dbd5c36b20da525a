/*
 * lpm: reads the command line and the configuration, then is the master (or tests, or sends a signal). Every error is
 * one line on stderr, "lpm: ...", and exit status 1.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/title.h"
#include "bus/bus.h"
#include "conf/conf_load.h"
#include "crash/crash.h"
#include "main/main_options.h"
#include "master/master.h"
#include "master/master_arrival.h"
#include "os/os_pidfile.h"
#include "os/os_program.h"
#include "trial/trial.h"
#include "worker/worker.h"

static const struct master_roles main_roles = {
    .trial = trial_main, .bus = bus_main, .worker = worker_main, .crash = crash_main};

static int enter_prefix(const char *prefix, struct error *err)
{
    if (chdir(prefix) != 0) {
        return error_set(err, LPM_EIO, "cannot enter the prefix \"%s\": %s", prefix, strerror(errno));
    }
    return 0;
}

static int send_signal(const struct conf_core *core, int number, struct error *err)
{
    pid_t pid;
    int rc = os_pidfile_read(core->pid, &pid, err);

    if (rc) {
        return rc;
    }
    if (kill(pid, number) != 0) {
        return error_set(err, LPM_EIO, "cannot send the signal to lpm (pid %ld): %s", (long)pid,
                         strerror(errno));
    }
    return 0;
}

static int dump(const struct conf_tree *tree, struct error *err)
{
    for (const struct conf_file *file = tree->files; file; file = file->next) {
        printf("# configuration file %s:\n%s\n", file->name, file->text);
    }
    if (fflush(stdout) != 0) {
        return error_set(err, LPM_EIO, "cannot write to stdout: %s", strerror(errno));
    }
    return 0;
}

static int test(const struct main_options *options, const struct master_options *master, struct error *err)
{
    int rc = master_test(master, &main_roles, err);

    if (rc) {
        return rc;
    }
    fprintf(stderr, "lpm: configuration file %s test is successful\n", options->conf);
    return options->dump ? dump(master->core->tree, err) : 0;
}

/* How to start the same again, with another file in the place of this one. */
struct main_start {
    char program[PATH_MAX];
    char dir[PATH_MAX];
};

/* Where the system does not tell, lpm runs all the same, but cannot be upgraded. */
static void remember_start(struct main_start *start, struct master_options *master, const char *prefix,
                           char *const *argv)
{
    struct error err;

    if (os_program_find(argv[0], start->program, sizeof(start->program), &err) != 0) {
        return;
    }
    if (prefix[0] != '/') {
        master->start_dir = getcwd(start->dir, sizeof(start->dir));
        if (!master->start_dir) {
            return;
        }
    }
    master->program = start->program;
    master->argv = argv;
}

/* Returns the exit status; with a text in `err` that is 1. */
static int run(const struct main_options *options, char *const *argv, struct master_arrival *arrival,
               struct error *err)
{
    struct conf_core core = {.tree = NULL};
    struct main_start start;
    struct master_options master = {.conf_name = options->conf,
                                    .directives = options->directives,
                                    .core = &core,
                                    .arrival = arrival,
                                    .step_limit_ms = MASTER_STEP_LIMIT_MS};
    int rc;

    remember_start(&start, &master, options->prefix, argv);
    rc = enter_prefix(options->prefix, err);
    if (!rc) {
        rc = conf_load(&core, options->conf, options->directives, err);
    }
    if (!rc) {
        if (options->signal) {
            rc = send_signal(&core, options->signal, err);
        } else if (options->test) {
            rc = test(options, &master, err);
        } else {
            rc = master_main(&master, &main_roles);
        }
    }
    conf_tree_free(core.tree);
    return rc ? 1 : 0;
}

static int begin(int argc, char **argv, struct master_arrival *arrival, struct error *err)
{
    struct main_options options;

    if (main_options_parse(&options, argc, argv, err) != 0) {
        return 1;
    }
    if (options.help) {
        main_options_help(stdout);
        return fflush(stdout) ? 1 : 0;
    }
    if (options.version) {
        main_options_version(stdout, options.build);
        return fflush(stdout) ? 1 : 0;
    }
    return run(&options, argv, arrival, err);
}

int main(int argc, char **argv)
{
    struct master_arrival arrival;
    struct error err = {.text = ""};
    int status;

    if (fd_reserve_standard() != 0) {
        return 1; /* there is no stderr to say so */
    }
    title_init(argc, argv);
    status = master_arrival_take(&arrival, &err) == 0 ? begin(argc, argv, &arrival, &err) : 1;
    if (err.text[0]) {
        fprintf(stderr, "lpm: %s\n", err.text);
        master_arrival_fail(&arrival, err.text);
    }
    master_arrival_fini(&arrival);
    return status;
}
