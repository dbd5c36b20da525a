/*
 * The master with roles of the test's own: what it does when its children live, die, hang, lie and are told to go;
 * and that nothing is left behind.
 *
 * The master runs in a child of the test; its log comes through a pipe. How a bus or worker behaves is in `plan`,
 * which each of them inherits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/conf_parse.h"
#include "ipc/control.h"
#include "ipc/report.h"
#include "master/master.h"

/* -- The roles ---------------------------------------------------------------------------------------- */

#define WORKERS_MAX 16

/* In the order of the tests. Zero: as it should be. */
static struct plan {
    const char *conf;
    enum trial {
        TRIAL_GOOD,
        TRIAL_SEGV,
        TRIAL_EXIT,
        TRIAL_HANG,
        TRIAL_HOOK,
        TRIAL_REFUSE,
        TRIAL_REPEAT,
        TRIAL_FLOOD
    } trial;
    bool worker_exits;       /* with ROLE_EXIT_INIT, at once */
    bool worker_deaf;        /* does not end with its bus */
    bool worker_forks;       /* leaves a process of its own running */
    bool worker_crashes;     /* the first one leaves a report, whatever it dies of */
    bool teller_hangs;       /* who tells of it; else it dies unless it is to tell no names */
    bool never_ready;        /* the bus does not say so */
    bool never_online;       /* nor that */
    unsigned bus_fails_at;   /* exits before it is online, from that generation on */
    unsigned bus_fails_with; /* if it has that many workers; 0: whatever */
    bool reload_hangs;       /* the trial of every generation but the first */
    unsigned step_limit_ms;  /* of a trial; 0: the usual one */
    bool ignore_kills;       /* soft and hard */
    bool late_release;       /* says RELEASED only after a worker has been replaced */
    bool retire;             /* retires worker 0 of incarnation 0 */
    uint32_t lie;            /* once online, sends this type */
    uint32_t lie_pool;
    bool close_channel; /* once online, and lives on */
    unsigned
        ends_from; /* its module asks for the end of lpm before it is online, twice; from that generation on */
} plan;

static int trial_role(struct role_start *start)
{
    if (role_enter(start, "trial", NULL, 0)) {
        return ROLE_EXIT_FAILED;
    }
    report_write(start->channel, REPORT_LOAD, 0, "");
    if (plan.reload_hangs && start->generation > 1) {
        pause();
    }
    switch (plan.trial) {
    case TRIAL_SEGV:
        raise(SIGKILL);
        break;
    case TRIAL_EXIT:
        return 0;
    case TRIAL_HANG:
        pause();
        break;
    case TRIAL_HOOK:
        report_write(start->channel, REPORT_CONF_HOOK, 0, "");
        raise(SIGKILL);
        break;
    case TRIAL_REFUSE:
        report_write(start->channel, REPORT_FAILED, 0, "this is refused in test.conf:7");
        return ROLE_EXIT_FAILED;
    case TRIAL_REPEAT:
    case TRIAL_FLOOD: /* without an end, to have more time, or to keep the master busy */
        while (report_write(start->channel, REPORT_LOAD, 0, "") == 0) {
            usleep(plan.trial == TRIAL_REPEAT ? 50000 : 0);
        }
        break;
    case TRIAL_GOOD:
        report_write(start->channel, REPORT_OK, 0, "");
    }
    return 0;
}

static int crash_role(struct role_start *start)
{
    if (role_enter(start, "teller", NULL, 0)) {
        return ROLE_EXIT_FAILED;
    }
    while (plan.teller_hangs) {
        pause();
    }
    if (!start->job->plain) {
        raise(SIGKILL);
    }
    log_write(&start->log, LPM_LOG_ERROR, "%s is told of, part %u", start->job->who,
              start->job->page->death.written);
    return 0;
}

static int worker_role(struct role_start *start)
{
    char byte;

    if (plan.worker_crashes && start->incarnation == 0) {
        start->crash->death.written = ROLE_CRASH_SIGNAL;
    }
    if (role_enter(start, "worker", NULL, 0)) {
        return ROLE_EXIT_FAILED;
    }
    if (plan.worker_exits) {
        return ROLE_EXIT_INIT;
    }
    if (plan.worker_forks && fork() == 0) {
        pause();
    }
    if (plan.worker_deaf) {
        pause();
    }
    for (;;) { /* until the bus goes */
        struct pollfd end = {start->channel, POLLIN, 0};
        poll(&end, 1, -1);
        if (recv(start->channel, &byte, 1, MSG_DONTWAIT) <= 0) {
            return 0;
        }
    }
}

struct fake_bus {
    struct role_start *start;
    int channels[WORKERS_MAX];
    size_t news, wanted;
    bool online, released;
};

static void say(struct fake_bus *bus, uint32_t type, const struct control *about)
{
    struct control message = *about;
    message.type = type;
    control_send(bus->start->channel, &message, -1);
}

static void bus_online(struct fake_bus *bus)
{
    struct control none = {.pool = plan.lie_pool};

    if (plan.never_online) {
        return;
    }
    say(bus, CONTROL_ONLINE, &none);
    bus->online = true;
    if (plan.lie) {
        say(bus, plan.lie, &none);
    }
    if (plan.close_channel) {
        close(bus->start->channel);
        pause();
    }
}

static void bus_worker_new(struct fake_bus *bus, const struct control *message, int fd)
{
    close(bus->channels[message->index]);
    bus->channels[message->index] = fd;
    bus->news++;
    if (plan.never_ready) {
        return;
    }
    say(bus, CONTROL_WORKER_READY, message);
    if (bus->news == bus->wanted) {
        bus_online(bus);
    }
    if (plan.retire && bus->online && message->incarnation == 0) {
        say(bus, CONTROL_WORKER_RETIRE, message);
        shutdown(fd, SHUT_RDWR);
    }
}

static void release(struct fake_bus *bus, const struct control *message)
{
    say(bus, CONTROL_RELEASED, message);
    bus->released = true;
    for (size_t i = 0; i < bus->wanted; i++) {
        close(bus->channels[i]);
        bus->channels[i] = -1;
    }
}

/* Returns true when the bus is to end. */
static bool bus_handle(struct fake_bus *bus, const struct control *message, int fd)
{
    switch (message->type) {
    case CONTROL_WORKER_NEW:
        bus_worker_new(bus, message, fd);
        if (plan.late_release && bus->news > bus->wanted) {
            release(bus, message);
        }
        return false;
    case CONTROL_WORKER_GONE:
        return bus->released && --bus->wanted == 0;
    case CONTROL_RETIRE:
    case CONTROL_SOFT_KILL:
        if (plan.late_release) {
            shutdown(bus->channels[0], SHUT_RDWR);
        } else if (!plan.ignore_kills) {
            release(bus, message);
        }
        return false;
    case CONTROL_HARD_KILL:
        return !plan.ignore_kills;
    default:
        return false;
    }
}

static int bus_role(struct role_start *start)
{
    struct fake_bus bus = {.start = start, .wanted = start->core->pools[0].count};
    struct control message;
    int fd, rc;

    if (role_enter(start, "bus", NULL, 0)) {
        return ROLE_EXIT_FAILED;
    }
    if (plan.bus_fails_at && start->generation >= plan.bus_fails_at &&
        (!plan.bus_fails_with || plan.bus_fails_with == bus.wanted)) {
        return ROLE_EXIT_INIT;
    }
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        bus.channels[i] = -1;
    }
    if (plan.ends_from && start->generation >= plan.ends_from) {
        say(&bus, CONTROL_ASK_SOFT_KILL, &(struct control){.pool = 0});
        say(&bus, CONTROL_ASK_HARD_KILL, &(struct control){.pool = 0});
    }
    for (;;) {
        struct pollfd readable = {start->channel, POLLIN, 0};
        poll(&readable, 1, -1);
        rc = control_receive(start->channel, &message, &fd);
        if (rc < 0 || (rc == 1 && bus_handle(&bus, &message, fd))) {
            return 0;
        }
    }
}

static const struct master_roles roles = {
    .trial = trial_role, .bus = bus_role, .worker = worker_role, .crash = crash_role};

/* -- The master under test ---------------------------------------------------------------------------- */

#define CONF                                                             \
    "load_module m.so; listen unix:run/s.sock; error_log stderr info;\n" \
    "worker { count 2; ready_timeout 5s; drain_timeout 5s; restarts 100; }"

struct run {
    pid_t pid;
    int log;
    char text[64 * 1024]; /* all that was logged */
    size_t len, seen;
};

static int be_master(void)
{
    static const struct conf_table table = {.owner = "core", .rows = conf_core_directives};
    static const struct conf_schema schema = {.tables = &table, .table_count = 1, .partial = true};
    struct conf_core core = {.tree = NULL};
    struct master_options options = {
        .conf_name = "test.conf", .core = &core, .step_limit_ms = MASTER_STEP_LIMIT_MS};
    const char *conf = plan.conf ? plan.conf : CONF;
    struct error err;
    int status;

    if (plan.step_limit_ms) {
        options.step_limit_ms = plan.step_limit_ms;
    }
    if (conf_parse_text(&core.tree, "test.conf", conf, strlen(conf), &err) ||
        conf_schema_check(core.tree, &schema, &err) || conf_core_read(&core, core.tree, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 99;
    }
    status = master_main(&options, &roles);
    conf_tree_free(core.tree);
    return status;
}

static struct run runs[2]; /* a test has two at most */

static struct run *start(void)
{
    struct run *run = runs[0].pid ? &runs[1] : &runs[0];
    pid_t pid;
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        exit(be_master());
    }
    close(fds[1]);
    run->pid = pid;
    run->log = fds[0];
    return run;
}

/* Reads more of the log: false at its end, or after 20 s. */
static bool read_more(struct run *run)
{
    struct pollfd readable = {run->log, POLLIN, 0};
    ssize_t n;

    if (poll(&readable, 1, 20000) != 1 || run->len + 1 >= sizeof(run->text)) {
        return false;
    }
    n = read(run->log, run->text + run->len, sizeof(run->text) - 1 - run->len);
    run->len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* Waits for a line with `text` behind the last one waited for; returns what follows the text. */
static const char *wait_for(struct run *run, const char *text)
{
    for (;;) {
        const char *found = strstr(run->text + run->seen, text);
        if (found && strchr(found, '\n')) {
            run->seen = (size_t)(found - run->text) + strlen(text);
            return found + strlen(text);
        }
        if (!read_more(run)) {
            fail_msg("no line with \"%s\" in:\n%s", text, run->text);
        }
    }
}

/* Waits for the end: the exit status is `status`, and neither files nor processes are left. */
static void expect_end(struct run *run, int status)
{
    struct dirent *entry;
    DIR *dir;
    int got;

    while (read_more(run)) { /* the pipe ends with the last process that has it */
    }
    assert_int_equal(waitpid(run->pid, &got, 0), run->pid);
    if (!WIFEXITED(got) || WEXITSTATUS(got) != status) {
        fail_msg("status %x, expected exit status %d; log:\n%s", (unsigned)got, status, run->text);
    }
    dir = opendir("run");
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] != '.') {
            fail_msg("run/%s is left behind", entry->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    }
    close(run->log);
    memset(run, 0, sizeof(*run));
}

/* The pid in "NAME (pid N)" of the next line with `name`. */
static pid_t pid_of(struct run *run, const char *name)
{
    return (pid_t)atol(wait_for(run, name) + strlen(" (pid "));
}

/* A child of `parent` whose title begins with `title`, not `other`; 0: none yet. */
static pid_t find_child(pid_t parent, const char *title, pid_t other)
{
    char path[64], text[64];
    pid_t pid, found = 0;
    FILE *children;

    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)parent, (long)parent);
    children = fopen(path, "r");
    while (children && !found && fscanf(children, "%d", &pid) == 1) {
        FILE *comm;
        snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
        comm = fopen(path, "r");
        if (comm && fgets(text, sizeof(text), comm) && strncmp(text, title, strlen(title)) == 0 &&
            pid != other) {
            found = pid;
        }
        if (comm) {
            fclose(comm);
        }
    }
    if (children) {
        fclose(children);
    }
    return found;
}

/* The same, waiting until it has its title; 20 s at most. */
static pid_t wait_for_child(const struct run *run, const char *title, pid_t other)
{
    uint64_t end = clock_now() + 20 * CLOCK_NS_PER_S;
    pid_t pid;

    while ((pid = find_child(run->pid, title, other)) == 0) {
        if (clock_now() > end) {
            fail_msg("no process \"%s\"; log:\n%s", title, run->text);
        }
        usleep(1000);
    }
    return pid;
}

static int set_up(void **state)
{
    char dir[] = "t-XXXXXX";
    int fd;

    (void)state;
    memset(&plan, 0, sizeof(plan));
    memset(runs, 0, sizeof(runs));
    if (!mkdtemp(dir) || chmod(dir, 0755) != 0 || chdir(dir) != 0) {
        return -1;
    }
    fd = open("m.so", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -1;
    }
    return close(fd);
}

/* What a failed test has left running would hold up the others. */
static int tear_down(void **state)
{
    (void)state;
    for (pid_t child; (child = find_child(getpid(), "", 0)) > 0;) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return chdir("..");
}

/* -- Start -------------------------------------------------------------------------------------------- */

static void test_term(void **state)
{
    struct run *run = start();

    (void)state;
    wait_for(run, "listening on unix:run/s.sock");
    wait_for(run, " is online: generation 1, 2 workers");
    assert_int_equal(access("run/gen-1", F_OK), 0);
    assert_int_equal(access("run/lpm.pid", F_OK), 0);
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static void test_second_instance_is_refused(void **state)
{
    struct run *first = start(), *second;

    (void)state;
    wait_for(first, " is online");
    second = start();
    wait_for(second, "already runs");
    close(second->log);
    waitpid(second->pid, NULL, 0);
    assert_int_equal(access("run/gen-1", F_OK), 0);
    assert_int_equal(access("run/s.sock", F_OK), 0);
    kill(first->pid, SIGTERM);
    expect_end(first, 0);
}

static void test_stale_directory_is_removed(void **state)
{
    struct run *run;
    int fd;

    (void)state;
    mkdir("run", 0755);
    assert_int_equal(mkdir("run/gen-7", 0755), 0);
    fd = open("run/gen-7/000-m.so", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
    run = start();
    wait_for(run, " is online");
    assert_int_equal(access("run/gen-7", F_OK), -1);
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static void expect_refusal(const char *text)
{
    struct run *run = start();
    wait_for(run, text);
    expect_end(run, 1);
}

static void test_trial_verdicts(void **state)
{
    static const struct {
        enum trial trial;
        const char *text;
    } rows[] = {
        {TRIAL_SEGV, "lpm: module \"m.so\" died of SIGKILL while it was loaded in test.conf:1"},
        {TRIAL_EXIT,
         "lpm: module \"m.so\" ended the process with exit status 0 while it was loaded in test.conf:1"},
        {TRIAL_HANG, "lpm: module \"m.so\" did not finish loading within 0.3 s in test.conf:1"},
        {TRIAL_REPEAT, "lpm: module \"m.so\" did not finish loading within 0.3 s in test.conf:1"},
        {TRIAL_FLOOD, "lpm: module \"m.so\" did not finish loading within 0.3 s in test.conf:1"},
        {TRIAL_HOOK, "lpm: module \"m.so\" died of SIGKILL in its conf hook in test.conf:1"},
        {TRIAL_REFUSE, "lpm: this is refused in test.conf:7"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        plan.trial = rows[i].trial;
        plan.step_limit_ms = strstr(rows[i].text, "0.3 s") ? 300 : 0;
        expect_refusal(rows[i].text);
    }
}

static void test_term_during_trial(void **state)
{
    struct run *run;

    (void)state;
    plan.trial = TRIAL_HANG;
    run = start();
    wait_for_child(run, "lpm: trial", 0);
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static void test_worker_init_fails(void **state)
{
    (void)state;
    plan.worker_exits = plan.never_ready = true;
    expect_refusal("lpm: worker default/");
}

static void test_worker_never_ready(void **state)
{
    struct run *run;

    (void)state;
    plan.never_ready = true;
    plan.conf = "load_module m.so; error_log stderr; worker { ready_timeout 200ms; }";
    run = start();
    wait_for(run, "lpm: worker default/0 (pid ");
    wait_for(run, ") was not ready within 0.2 s");
    expect_end(run, 1);
}

static void test_bus_never_online(void **state)
{
    struct run *run;

    (void)state;
    plan.never_online = true;
    plan.conf = "load_module m.so; error_log stderr; worker { ready_timeout 200ms; }";
    run = start();
    wait_for(run, "was not online within 0.2 s");
    expect_end(run, 1);
}

static void test_bus_fails_at_start(void **state)
{
    struct run *run;

    (void)state;
    plan.bus_fails_at = 1;
    run = start();
    wait_for(run, "lpm: bus (pid ");
    wait_for(run, " exited with status 3 before it was online");
    expect_end(run, 1);
}

static void test_listen_fails(void **state)
{
    struct run *run;

    (void)state;
    plan.conf = "load_module m.so; error_log stderr; listen unix:m.so/x;";
    run = start();
    wait_for(run, "lpm: ");
    wait_for(run, "test.conf:1");
    expect_end(run, 1);
}

/* -- Deaths ------------------------------------------------------------------------------------------- */

static void test_worker_is_replaced(void **state)
{
    struct run *run;
    pid_t worker;

    (void)state;
    plan.conf = "load_module m.so; error_log stderr debug; worker { count 1; }";
    run = start();
    wait_for(run, " is online");
    worker = wait_for_child(run, "lpm: worker", 0);
    kill(worker, SIGKILL);
    wait_for(run, "worker default/");
    wait_for(run, ") died of SIGKILL");
    wait_for_child(run, "lpm: worker", worker);
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static struct run *start_and_crash(void)
{
    struct run *run;

    plan.conf = "load_module m.so; error_log stderr debug; worker { count 1; }";
    plan.worker_crashes = true;
    run = start();
    wait_for(run, " is online");
    kill(wait_for_child(run, "lpm: worker", 0), SIGKILL);
    return run;
}

/* Who tells of it may die of it, too; then another one does, without what may have been the reason. */
static void test_crash_is_told(void **state)
{
    struct run *run = start_and_crash();

    (void)state;
    wait_for(run, "the process that told of worker default/0 (pid ");
    wait_for(run, ") died of SIGKILL");
    wait_for(run, ") is told of, part 1");
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

/* It has some seconds. */
static void test_crash_cannot_be_told(void **state)
{
    struct run *run;

    (void)state;
    plan.teller_hangs = true;
    run = start_and_crash();
    wait_for_child(run, "lpm: teller", 0);
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static void test_degraded_and_back(void **state)
{
    struct run *run;

    (void)state;
    plan.conf =
        "load_module m.so; error_log stderr debug; worker { restarts 1; max_restarts_in_interval 1s; }";
    run = start();
    wait_for(run, " is online");
    kill(wait_for_child(run, "lpm: worker", 0), SIGKILL);
    wait_for(run, "died of SIGKILL");
    wait_for_child(run, "lpm: worker", 0);
    kill(wait_for_child(run, "lpm: worker", 0), SIGKILL);
    wait_for(run, "pool default is degraded: 1 restarts within 1 s, the next is allowed ");
    wait_for(run, "pool default is no longer degraded");
    wait_for_child(run, "lpm: worker", 0);
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static void test_retired_costs_nothing(void **state)
{
    struct run *run;

    (void)state;
    plan.retire = true;
    plan.conf = "load_module m.so; error_log stderr info; worker { restarts 0; }";
    run = start();
    wait_for(run, "exited with status 0");
    wait_for_child(run, "lpm: worker", 0);
    assert_null(strstr(run->text, "degraded"));
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static void test_bus_dies(void **state)
{
    struct run *run = start();

    (void)state;
    wait_for(run, " is online: generation 1");
    kill(wait_for_child(run, "lpm: bus", 0), SIGKILL);
    wait_for(run, ") died of SIGKILL");
    wait_for(run, " is online: generation 2, 2 workers");
    assert_int_equal(access("run/gen-1/000-m.so", F_OK), 0); /* the copies are the same */
    assert_int_equal(access("run/s.sock", F_OK), 0);
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

/* Later generations fail to start: lpm tries as often as it may, waits, and still goes when told. */
static void test_bus_fails_again(void **state)
{
    struct run *run;

    (void)state;
    plan.bus_fails_at = 2;
    plan.conf = "load_module m.so; error_log stderr; worker { restarts 2; }";
    run = start();
    wait_for(run, " is online");
    kill(wait_for_child(run, "lpm: bus", 0), SIGKILL);
    /* The first to fail may still have workers when the second has failed. */
    wait_for(run, "2 restarts of the bus within 120 s, the next is allowed");
    run->seen = 0;
    wait_for(run, "generation 2 failed: bus");
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static void test_bus_may_never_restart(void **state)
{
    struct run *run;

    (void)state;
    plan.conf = "load_module m.so; error_log stderr; worker { restarts 0; }";
    run = start();
    wait_for(run, " is online");
    kill(wait_for_child(run, "lpm: bus", 0), SIGKILL);
    wait_for(run, "\"restarts 0\" allows no other");
    expect_end(run, 1);
}

/* A bus that breaks the rules is killed, and another takes its place. */
static void expect_bus_killed(const char *why)
{
    struct run *run;

    plan.conf = "load_module m.so; error_log stderr; worker { restarts 1; }";
    run = start();
    wait_for(run, " is online");
    pid_of(run, "bus");
    wait_for(run, why);
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static void test_bus_lies(void **state)
{
    (void)state;
    plan.lie = CONTROL_RELEASED; /* nobody asked it to drain */
    expect_bus_killed("sent a message that is not allowed now: killed");
    plan.lie = CONTROL_HARD_KILL; /* the master says that */
    expect_bus_killed("killed");
    plan.lie = CONTROL_WORKER_KILL;
    plan.lie_pool = 1000;
    expect_bus_killed("named a worker that there is not: killed");
}

static void test_bus_closes_channel(void **state)
{
    (void)state;
    plan.close_channel = true;
    expect_bus_killed("closed its channel to the master and did not end: killed");
}

/* -- Reloads ------------------------------------------------------------------------------------------ */

/* What a reload reads: the configuration of the start is in memory. */
static void write_conf(const char *text)
{
    FILE *f = fopen("test.conf", "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* The copies of a setup go when nobody holds it any more. */
static void wait_until_gone(const char *path)
{
    uint64_t end = clock_now() + 20 * CLOCK_NS_PER_S;

    while (access(path, F_OK) == 0) {
        assert_true(clock_now() < end);
        usleep(1000);
    }
}

static void test_reload(void **state)
{
    struct run *run = start();

    (void)state;
    wait_for(run, " is online: generation 1");
    write_conf(
        "load_module m.so; error_log stderr info; probation 0s; listen unix:run/s.sock; worker { count 3; }");
    kill(run->pid, SIGHUP);
    wait_for(run, " is online: generation 2, 3 workers");
    wait_for(run, "generation 1 has ended");
    wait_until_gone("run/gen-1");
    assert_int_equal(access("run/gen-2/000-m.so", F_OK), 0);
    assert_int_equal(access("run/s.sock", F_OK), 0);
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

/* The setup before is kept for as long as it may be needed, and a dead bus brings it back. */
static void test_probation(void **state)
{
    struct run *run = start();

    (void)state;
    wait_for(run, " is online: generation 1");
    write_conf("load_module m.so; error_log stderr info; probation 1m; worker { count 3; }");
    kill(run->pid, SIGHUP);
    wait_for(run, " is online: generation 2, 3 workers");
    wait_for(run, "generation 1 has ended");
    assert_int_equal(access("run/gen-1/000-m.so", F_OK), 0);
    assert_int_equal(access("run/s.sock", F_OK), -1); /* nobody serves there now */
    kill(wait_for_child(run, "lpm: bus", 0), SIGKILL);
    wait_for(run, "generation 2 failed on probation, lpm goes back to what ran before it: bus (pid ");
    wait_for(run, " is online: generation 3, 2 workers");
    assert_int_equal(access("run/gen-1/000-m.so", F_OK), 0);
    assert_int_equal(access("run/s.sock", F_OK), 0);
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

/* A way back that is none is tried once: on with what there is. */
static void test_way_back_fails(void **state)
{
    struct run *run;

    (void)state;
    plan.bus_fails_at = 3;
    plan.bus_fails_with = 2;
    run = start();
    wait_for(run, " is online: generation 1, 2 workers");
    write_conf("load_module m.so; error_log stderr info; probation 1m; worker { count 3; restarts 100; }");
    kill(run->pid, SIGHUP);
    wait_for(run, " is online: generation 2, 3 workers");
    wait_for(run, "generation 1 has ended");
    kill(wait_for_child(run, "lpm: bus", 0), SIGKILL);
    wait_for(run, "lpm goes back to what ran before it");
    wait_for(run, "generation 3 failed: bus");
    assert_memory_equal(wait_for(run, "generation 4"), ", 3 workers", strlen(", 3 workers"));
    wait_until_gone("run/gen-1");
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

/* What asks for the end of lpm before it serves fails, and takes nobody along, however often it asks. */
static void test_failed_one_asks_for_the_end(void **state)
{
    struct run *run;

    (void)state;
    plan.ends_from = 2;
    run = start();
    wait_for(run, " is online: generation 1");
    write_conf(CONF);
    kill(run->pid, SIGHUP);
    wait_for(run,
             "reload failed, generation 1 goes on: a module asked for the end of lpm before generation 2");
    kill(run->pid, SIGUSR1);
    wait_for(run, "the logs are reopened");
    assert_null(strstr(run->text, " kill\n"));
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static void test_reload_fails(void **state)
{
    struct run *run;

    (void)state;
    plan.bus_fails_at = 2;
    run = start();
    wait_for(run, " is online: generation 1");
    kill(run->pid, SIGHUP);
    wait_for(run, "reload failed, generation 1 goes on: cannot open \"test.conf\"");
    write_conf("load_module m.so;\nworker { count 0; }");
    kill(run->pid, SIGHUP);
    wait_for(run, "reload failed, generation 1 goes on: \"count\" expects a number");
    write_conf(CONF);
    kill(run->pid, SIGHUP);
    wait_for(run, "reload failed, generation 1 goes on: bus (pid ");
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

/* What ran before is back at once; the reload is done later, and fails by itself. */
static void test_bus_dies_during_reload(void **state)
{
    struct run *run;

    (void)state;
    plan.reload_hangs = true;
    plan.step_limit_ms = 3000; /* the first trial, too, has to be done by then */
    run = start();
    wait_for(run, " is online: generation 1");
    write_conf(CONF);
    kill(run->pid, SIGHUP);
    wait_for_child(run, "lpm: trial", 0);
    kill(wait_for_child(run, "lpm: bus", 0), SIGKILL);
    wait_for(run, "the reload begins anew when lpm serves again");
    wait_for(run, " is online: generation 3, 2 workers");
    wait_for(run, "reload failed, generation 3 goes on: module \"m.so\" did not finish loading");
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

/* What served can start no more: the corrected configuration does not wait for what is not to come. */
static void test_reload_mends_what_cannot_start(void **state)
{
    struct run *run;

    (void)state;
    plan.bus_fails_at = plan.bus_fails_with = 2;
    plan.conf =
        "load_module m.so; error_log stderr; worker { restarts 1; max_restarts_in_interval 1h; count 2; }";
    run = start();
    wait_for(run, " is online: generation 1");
    kill(wait_for_child(run, "lpm: bus", 0), SIGKILL);
    wait_for(run, "1 restarts of the bus within 3600 s, the next is allowed");

    /* One that fails changes nothing. */
    write_conf("worker { count 0; }");
    kill(run->pid, SIGHUP);
    wait_for(run, "reload failed: \"count\" expects a number");
    wait_for(run, "1 restarts of the bus within 3600 s, the next is allowed 3");
    write_conf("load_module m.so; error_log stderr; worker { count 3; }");
    kill(run->pid, SIGHUP);
    wait_for(run, " is online: generation ");
    wait_for(run, ", 3 workers");
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

/* A reload that is on its way is not thrown away for one that may not start yet. */
static void test_reload_goes_on_when_nothing_is_sooner(void **state)
{
    struct run *run;

    (void)state;
    plan.reload_hangs = true;
    plan.step_limit_ms = 3000;
    plan.conf = "load_module m.so; error_log stderr; worker { restarts 1; max_restarts_in_interval 1h; }";
    run = start();
    wait_for(run, " is online: generation 1");
    kill(wait_for_child(run, "lpm: bus", 0), SIGKILL);
    wait_for(run, " is online: generation 2");
    write_conf(CONF);
    kill(run->pid, SIGHUP);
    wait_for(run, "SIGHUP: reload");
    wait_for_child(run, "lpm: trial", 0);
    kill(wait_for_child(run, "lpm: bus", 0), SIGKILL);
    wait_for(run, "reload failed: module \"m.so\" did not finish loading");
    wait_for(run, "1 restarts of the bus within 3600 s, the next is allowed 3");
    assert_null(strstr(run->text, "begins anew"));
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

static void test_quit_during_reload(void **state)
{
    struct run *run;

    (void)state;
    plan.reload_hangs = true;
    run = start();
    wait_for(run, " is online: generation 1");
    write_conf(CONF);
    kill(run->pid, SIGHUP);
    wait_for_child(run, "lpm: trial", 0);
    kill(run->pid, SIGQUIT);
    wait_for(run, "soft kill");
    expect_end(run, 0);
}

/* -- Ends --------------------------------------------------------------------------------------------- */

static void test_quit(void **state)
{
    struct run *run = start();

    (void)state;
    wait_for(run, " is online");
    kill(run->pid, SIGQUIT);
    wait_for(run, "soft kill");
    wait_for(run, "exited with status 0");
    expect_end(run, 0);
}

static void test_quit_replaces_until_released(void **state)
{
    struct run *run;

    (void)state;
    plan.late_release = true;
    run = start();
    wait_for(run, " is online");
    kill(run->pid, SIGQUIT);
    wait_for(run, "worker default/0 (pid "); /* it ends before all is answered */
    expect_end(run, 0);
}

static void test_drain_timeout(void **state)
{
    struct run *run;

    (void)state;
    plan.ignore_kills = plan.worker_deaf = true;
    plan.conf = "load_module m.so; error_log stderr; worker { drain_timeout 100ms; }";
    run = start();
    wait_for(run, " is online");
    kill(run->pid, SIGQUIT);
    wait_for(run, "generation 1 has not drained in its time, it is cut: bus (pid ");
    wait_for(run, ", worker default/0 (pid ");
    expect_end(run, 0);
}

static void test_shutdown_timeout(void **state)
{
    struct run *run;

    (void)state;
    plan.ignore_kills = plan.worker_deaf = true;
    plan.conf = "load_module m.so; error_log stderr; shutdown_timeout 100ms;";
    run = start();
    wait_for(run, " is online");
    kill(run->pid, SIGQUIT);
    wait_for(run, "shutdown_timeout passed");
    wait_for(run, "generation 1 has not drained in its time, it is cut: bus (pid ");
    expect_end(run, 0);
}

static void test_term_makes_quit_hard(void **state)
{
    struct run *run;

    (void)state;
    plan.ignore_kills = plan.worker_deaf = true;
    run = start();
    wait_for(run, " is online");
    kill(run->pid, SIGQUIT);
    wait_for(run, "soft kill");
    kill(run->pid, SIGTERM);
    wait_for(run, "hard kill");
    expect_end(run, 0);
}

static void test_other_signals(void **state)
{
    struct run *run = start();

    (void)state;
    wait_for(run, " is online");
    kill(run->pid, SIGUSR1);
    wait_for(run, "the logs are reopened");
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

/* The pipe of the log ends only when the worker's own child is gone too. */
static void test_processes_of_workers_go_too(void **state)
{
    struct run *run;

    (void)state;
    plan.worker_forks = true;
    run = start();
    wait_for(run, " is online");
    kill(run->pid, SIGTERM);
    expect_end(run, 0);
}

/* -- lpm -t ------------------------------------------------------------------------------------------- */

static int test_only(struct error *err)
{
    struct conf_core core = {.tree = NULL};
    struct master_options options = {.conf_name = "test.conf", .core = &core, .step_limit_ms = 300};
    const char *conf = "load_module m.so;";
    sigset_t mask;
    int rc;

    sigprocmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(conf_parse_text(&core.tree, "test.conf", conf, strlen(conf), err), 0);
    assert_int_equal(conf_core_read(&core, core.tree, err), 0);
    rc = master_test(&options, &roles, err);
    conf_tree_free(core.tree);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return rc;
}

static void test_configuration_test(void **state)
{
    struct error err = {.text = ""};

    (void)state;
    assert_int_equal(test_only(&err), 0);
    plan.trial = TRIAL_HANG;
    assert_int_equal(test_only(&err), LPM_ECONF);
    assert_string_equal(err.text, "module \"m.so\" did not finish loading within 0.3 s in test.conf:1");
    assert_int_equal(rmdir("run"), 0); /* it is empty */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_term, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_second_instance_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stale_directory_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trial_verdicts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_term_during_trial, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_worker_init_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_worker_never_ready, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bus_never_online, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bus_fails_at_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_listen_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_worker_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash_cannot_be_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_degraded_and_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_retired_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bus_dies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bus_fails_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bus_may_never_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bus_lies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bus_closes_channel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_probation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_way_back_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_one_asks_for_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reload_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bus_dies_during_reload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reload_mends_what_cannot_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reload_goes_on_when_nothing_is_sooner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quit_during_reload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shutdown_timeout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quit_replaces_until_released, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drain_timeout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_term_makes_quit_hard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_signals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_processes_of_workers_go_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_configuration_test, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
