/*
 * Crash reports. Runs in the master. A report that cannot be told, for want of memory or processes, or because there are too
 * many, costs a line in the log and nothing else.
 */
#include "master/master_crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "master/master_generation.h"
#include "master/master_spawn.h"
#include "master/master_worker.h"
#include "os/os_log.h"
#include "os/os_shared.h"
#include "role/role_quarantine.h"

/* At once. A pool that dies as a whole, again and again, is to be told of, not to be slowed down. */
#define TELLERS_MAX 8u

#define LAST_WORDS_NS (3 * CLOCK_NS_PER_S)

/* A child that tells. */
struct teller {
    struct list link;
    pid_t pid;
    struct master_setup *setup; /* its modules' files have to be there */
    unsigned generation;
    struct role_crash_job job;
    struct role_crash_page
        *page; /* what the job tells of, if it is a copy: ours; else the worker's, and NULL */
};

/* -- Pages -------------------------------------------------------------------------------------------- */

void master_crash_page(struct role_crash_page **page)
{
    master_crash_page_free(page);
    *page = os_shared_new(sizeof(**page));
}

void master_crash_page_free(struct role_crash_page **page)
{
    os_shared_free(*page, sizeof(**page));
    *page = NULL;
}

static void show(const struct role_start *start, bool shown)
{
    if (start->crash) {
        os_shared_show(start->crash, sizeof(*start->crash), shown);
    }
    if (start->quarantine) {
        os_shared_show(start->quarantine, sizeof(*start->quarantine), shown);
    }
}

pid_t master_crash_spawn(role_main entry, struct role_start *start, struct error *err)
{
    pid_t pid;

    show(start, true);
    pid = master_spawn(entry, start, err);
    show(start, false);
    return pid;
}

/* -- Tellers ------------------------------------------------------------------------------------------ */

static void free_teller(struct master *master, struct teller *teller)
{
    list_remove(&teller->link);
    master->teller_count--;
    master_setup_release(&teller->setup);
    free(teller->page);
    free(teller);
}

/* Slow handlers may have a log of their own. It is opened for each, so that nobody has to reopen it. */
static int open_log(struct teller *teller, struct role_start *start)
{
    const char *path = teller->setup->core.slow_log;
    struct error err;
    int fd;

    if (teller->job.kind != ROLE_CRASH_SLOW || !path) {
        return -1;
    }
    fd = os_log_open(path, &err);
    if (fd < 0) {
        log_write(&start->log, LPM_LOG_ERROR, "%s", err.text);
    } else {
        start->log.fd = fd;
    }
    return fd;
}

static int fork_teller(struct master *master, struct teller *teller, struct error *err)
{
    struct role_start start;
    pid_t pid;
    int fd;

    master_spawn_prepare(teller->setup, &start);
    start.generation = teller->generation;
    start.job = &teller->job;
    start.crash = teller->page ? NULL : (struct role_crash_page *)teller->job.page;
    fd = open_log(teller, &start);
    pid = master_crash_spawn(master->roles->crash, &start, err);
    fd_close(&fd);
    if (pid < 0) {
        return LPM_EIO;
    }
    teller->pid = pid;
    return 0;
}

/* `copy`: the job's page, to be freed; NULL: that is another's. */
static void tell(struct master_generation *generation, const struct role_crash_job *job,
                 struct role_crash_page *copy)
{
    struct master *master = generation->master;
    struct teller *teller = master->teller_count < TELLERS_MAX ? calloc(1, sizeof(*teller)) : NULL;
    struct error why;

    if (!teller) {
        log_write(&master->log, LPM_LOG_WARN, "%s: its stack is not told, %s", job->who,
                  master->teller_count < TELLERS_MAX ? "there is no memory for it"
                                                     : "those of others are being told");
        free(copy);
        return;
    }
    *teller = (struct teller){.setup = master_setup_hold(generation->setup),
                              .generation = generation->number,
                              .job = *job,
                              .page = copy};
    list_append(&master->tellers, &teller->link);
    master->teller_count++;
    if (fork_teller(master, teller, &why) != 0) {
        log_write(&master->log, LPM_LOG_WARN, "%s: its stack is not told, %s", job->who, why.text);
        free_teller(master, teller);
    }
}

void master_crash_died(struct master_generation *generation, const char *who, int status,
                       const struct role_crash_page *page, enum role_crash_kind kind)
{
    struct role_crash_job job = {.kind = kind};
    struct role_crash_page *copy;

    if (!WIFSIGNALED(status) || !page || !generation->master->roles->crash ||
        atomic_load(&page->death.written) == ROLE_CRASH_NOTHING) {
        return;
    }
    snprintf(job.who, sizeof(job.who), "%s", who);
    /* A process that it has left behind may go on writing. */
    copy = malloc(sizeof(*copy));
    if (copy) {
        memcpy(copy, page, sizeof(*copy));
        job.page = copy;
        tell(generation, &job, copy);
    }
}

void master_crash_show(struct master_worker *worker)
{
    struct role_crash_job job = {.kind = ROLE_CRASH_SLOW, .page = worker->crash};
    char name[MASTER_WORKER_NAME_SIZE];

    if (!worker->crash || !worker->generation->master->roles->crash) {
        return;
    }
    snprintf(job.who, sizeof(job.who), "%s", master_worker_name(worker, name));
    job.shown = atomic_load(&worker->crash->shown);
    kill(worker->pid, role_crash_show_signal());
    tell(worker->generation, &job, NULL);
}

/* -- Ends --------------------------------------------------------------------------------------------- */

static struct teller *find(const struct master *master, pid_t pid)
{
    LIST_EACH(link, after, &master->tellers)
    {
        struct teller *teller = LIST_ENTRY(link, struct teller, link);
        if (teller->pid == pid) {
            return teller;
        }
    }
    return NULL;
}

bool master_crash_owns(const struct master *master, pid_t pid)
{
    return find(master, pid) != NULL;
}

bool master_crash_reaped(struct master *master, pid_t pid, int status)
{
    struct teller *teller = find(master, pid);
    char end[TEXT_EXIT_SIZE];
    struct error why;

    if (!teller) {
        return false;
    }
    if (status != 0) {
        log_write(&master->log, LPM_LOG_WARN, "the process that told of %s %s", teller->job.who,
                  text_exit(status, end, sizeof(end)));
    }
    /* A page that was not copied may be gone by now. */
    if (status != 0 && teller->page && !teller->job.plain) {
        teller->job.plain = true;
        if (fork_teller(master, teller, &why) == 0) {
            return true;
        }
    }
    free_teller(master, teller);
    return true;
}

void master_crash_fini(struct master *master)
{
    static const struct timespec pause = {0, 10000000};
    uint64_t end = clock_now() + LAST_WORDS_NS;

    while (master->teller_count > 0) {
        struct teller *teller = LIST_ENTRY(master->tellers.next, struct teller, link);
        int status;
        if (waitpid(teller->pid, &status, WNOHANG) == teller->pid) {
            master_crash_reaped(master, teller->pid, status);
        } else if (clock_now() > end) {
            kill(teller->pid, SIGKILL);
            waitpid(teller->pid, &status, 0);
            free_teller(master, teller);
        } else {
            nanosleep(&pause, NULL);
        }
    }
}
