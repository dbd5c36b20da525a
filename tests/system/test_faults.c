/*
 * Faults at random beside innocent requests, with a ledger: whatever happens to the workers, each request ends exactly once, the
 * innocent ones well, what has begun is not begun again, and nothing leaks in bus or master. Then the same with buses that are
 * killed, and reloads.
 *
 * Some hundred faults here, a hundred times SOAK with `make soak`. The seed is printed; LPM_SEED repeats a run, as far
 * as the machine's timing does.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"
#include "fail.h"
#include "ledger.h"
#include "server.h"
#include "sim_random.h"
#include "wait.h"

#define WORKERS     8u
#define FAULT_SLOTS 8u  /* of the ledger's; the others are for the innocent */
#define CALM_EACH   3u  /* innocent requests beside each fault */
#define PAUSE_EACH  75u /* faults */
#define PAUSE_MS    1200
#define SETTLE_MS   30000

#ifdef SERVER_SANITIZED
#define FEW       100
#define RSS_LIMIT "150m"
#define LEAK      "=160000000" /* over the limit */
#define GROWTH_KB 1000000      /* AddressSanitizer keeps what is freed */
#else
#define FEW       300
#define RSS_LIMIT "24m"
#define LEAK      "=30000000"
#define GROWTH_KB 512
#endif

/* Outcomes of those that have a time limit: too much may be before them for it. */
#define BAD "429 502 504"
#define ANY "200 " BAD

/* What can go wrong: an order for the handler, or a signal for any worker. */
struct fault {
    const char *order, *location, *statuses; /* order NULL: not a request */
    void (*act)(struct server *s, uint64_t *seed);
    unsigned weight;
};

static unsigned faults_wanted(void)
{
    const char *text = getenv("LPM_SOAK");
    return text ? (unsigned)atoi(text) * 100 : FEW;
}

static uint64_t seed_wanted(void)
{
    const char *text = getenv("LPM_SEED");
    return text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
}

static void configure(struct server *s)
{
    server_conf(s,
                SERVER_MODULES SERVER_MISDEED
                "misdeed_journal journal;\n"
                "probation 0s;\n"
                "request { retries 2; poison_after 9; }\n"
                "worker { count %u; restarts -1; kill_after 300ms; drain_timeout 5s; rss_limit " RSS_LIMIT
                "; }\n"
                "http {\n"
                "    listen 127.0.0.1:0;\n"
                "    keepalive_requests 1000000000;\n"
                "    keepalive_timeout 1h;\n"
                "    location /calm { handler misdeed; retries 9; }\n"
                "    location /fault { handler misdeed; timeout 10s; }\n"
                "    location /brief { handler misdeed; timeout 300ms; }\n"
                "}\n",
                WORKERS);
}

static void start(struct server *s)
{
    char journal[4200];

    /* Whoever the workers run as writes there. */
    server_write(s, "journal", "");
    chmod(server_path(s, "journal", journal, sizeof(journal)), 0666);
    configure(s);
    server_start(s, NULL);
}

/* -- Signals ------------------------------------------------------------------------------------------ */

/* Those that were stopped from outside, and when they go on. */
static struct {
    int pidfd;
    uint64_t due;
} stopped[64];
static size_t stopped_count;

static pid_t any_worker(const struct server *s, uint64_t *seed)
{
    pid_t pids[SERVER_PIDS_MAX];
    size_t count = server_pids(s, "worker", pids, SERVER_PIDS_MAX);

    return count > 0 ? pids[sim_random(seed) % count] : 0;
}

static void do_kill(struct server *s, uint64_t *seed)
{
    pid_t pid = any_worker(s, seed);

    if (pid > 0) {
        kill(pid, SIGKILL);
    }
}

static void send_signal(int pidfd, int number)
{
    syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0); /* it may be gone */
}

static void go_on(uint64_t now)
{
    for (size_t i = 0; i < stopped_count;) {
        if (stopped[i].due > now) {
            i++;
            continue;
        }
        send_signal(stopped[i].pidfd, SIGCONT);
        close(stopped[i].pidfd);
        stopped[i] = stopped[--stopped_count];
    }
}

static void do_stop(struct server *s, uint64_t *seed)
{
    pid_t pid = any_worker(s, seed);
    int pidfd = pid > 0 && stopped_count < 64 ? wait_open(pid) : -1;

    if (pidfd >= 0) {
        send_signal(pidfd, SIGSTOP);
        stopped[stopped_count].pidfd = pidfd;
        stopped[stopped_count++].due = wait_until((int)(sim_random(seed) % 300));
    }
}

/* A client that asks for something and goes away. */
static void do_hang_up(struct server *s, uint64_t *seed)
{
    const struct linger at_once = {1, 0};
    struct client client;

    (void)seed;
    client_open(&client, server_port(s));
    client_request(&client, "GET", "/fault/gone?sleep=20", "", "", 0);
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    client_close(&client);
}

/* -- Faults ------------------------------------------------------------------------------------------- */

static const struct fault faults[] = {
    {.act = do_kill, .weight = 15},
    {.act = do_stop, .weight = 15},
    {.act = do_hang_up, .weight = 5},
    {"crash", "/fault", BAD, NULL, 10},
    {"abort", "/fault", BAD, NULL, 5},
    {"exit", "/fault", BAD, NULL, 5},
    {"timer-crash=5", "/fault", ANY, NULL, 8},
    {"soft-crash" LEAK, "/fault", ANY, NULL, 6},
    {"leak" LEAK, "/fault", ANY, NULL, 8},
    {"respond-twice", "/fault", ANY, NULL, 6},
    {"after-free", "/fault", ANY, NULL, 4},
    {"scribble", "/fault", ANY, NULL, 6},
    {"rubbish", "/fault", ANY, NULL, 4},
    {"close", "/fault", ANY, NULL, 4},
    {"wait=20", "/fault", ANY, NULL, 6},
    {"big=300000", "/fault", ANY, NULL, 6}, /* in memory of its own */
    {"sleep=3000", "/brief", BAD, NULL, 3},
    {"loop", "/brief", BAD, NULL, 1},
    {"stop", "/brief", ANY, NULL, 2}, /* do_stop() may have it go on */
    {"never", "/brief", BAD, NULL, 4},
};

static const struct fault *draw(uint64_t *seed)
{
    unsigned all = 0, at;

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        all += faults[i].weight;
    }
    at = (unsigned)(sim_random(seed) % all);
    for (size_t i = 0;; i++) {
        if (at < faults[i].weight) {
            return &faults[i];
        }
        at -= faults[i].weight;
    }
}

/* Innocent requests, as many as there are connections for. */
static void send_calm(struct ledger *ledger)
{
    for (unsigned i = 0; i < CALM_EACH; i++) {
        size_t slot = ledger_free_slot(ledger, FAULT_SLOTS, LEDGER_SLOTS);
        if (slot < LEDGER_SLOTS) {
            ledger_send(ledger, slot, "GET", "/calm", "", "200");
        }
    }
}

/* No new faults: workers live long enough for their memory to be seen, and for what follows. */
static void pause_faults(struct ledger *ledger)
{
    uint64_t end = wait_until(PAUSE_MS);

    while (wait_left(end) > 0) {
        send_calm(ledger);
        go_on(wait_until(0));
        ledger_wait(ledger, 20);
        usleep(5000);
    }
}

/* One fault, and innocent requests beside it. */
static void do_one(struct server *s, struct ledger *ledger, unsigned number, uint64_t *seed)
{
    const struct fault *fault = draw(seed);
    size_t slot;

    if (fault->act) {
        fault->act(s, seed);
    } else {
        while ((slot = ledger_free_slot(ledger, 0, FAULT_SLOTS)) == FAULT_SLOTS) {
            go_on(wait_until(0));
            ledger_wait(ledger, 20);
        }
        ledger_send(ledger, slot, "POST", fault->location, fault->order, fault->statuses);
    }
    send_calm(ledger);
    go_on(wait_until(0));
    ledger_wait(ledger, 5);
    if (number % PAUSE_EACH == PAUSE_EACH - 1) {
        pause_faults(ledger);
    }
}

/* -- What must be flat -------------------------------------------------------------------------------- */

static bool all_ready(const struct ctl_worker *list, size_t count, const void *arg)
{
    (void)arg;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].state, "ready") != 0 || list[i].in_flight > 0) {
            return false;
        }
    }
    return count == WORKERS;
}

/* lpmctl's own connection, too, is closed a moment later. */
static void wait_still(pid_t pid)
{
    size_t fds = server_fds(pid);

    for (int same = 0; same < 20; same++) {
        usleep(10000);
        if (server_fds(pid) != fds) {
            fds = server_fds(pid);
            same = 0;
        }
    }
}

/* All is answered, and nobody is connected. */
static void settle_requests(struct ledger *ledger)
{
    go_on(UINT64_MAX);
    ledger_drain(ledger);
    ledger_close(ledger);
}

/* All workers are there, too. */
static void settle(struct server *s, struct ledger *ledger)
{
    struct ctl_worker list[SERVER_PIDS_MAX];

    settle_requests(ledger);
    ctl_health_until(s, list, SERVER_PIDS_MAX, "all ready", all_ready, NULL);
}

struct flat {
    pid_t pid;
    size_t fds;
    long anon_kb; /* what it shares with its workers is as large as they are many */
};

static struct flat measure(pid_t pid)
{
    wait_still(pid);
    return (struct flat){pid, server_fds(pid), server_anon_kb(pid)};
}

static void check_flat(const char *who, const struct flat *before)
{
    struct flat now = measure(before->pid);

    print_message("soak: %s: %zu descriptors and %ld kB, then %zu and %ld\n", who, before->fds,
                  before->anon_kb, now.fds, now.anon_kb);
    if (now.fds != before->fds || now.anon_kb > before->anon_kb + GROWTH_KB) {
        fail_test("%s leaks", who);
    }
}

/* What has begun was begun once: the faults are POST, which nobody may repeat. */
static void check_starts(const struct server *s, const struct ledger *ledger)
{
    char path[4200], *text = run_read_file(server_path(s, "journal", path, sizeof(path)));
    unsigned char *starts = calloc(ledger->count, 1);

    assert_non_null(text);
    assert_non_null(starts);
    for (char *line = strstr(text, " POST "); line; line = strstr(line + 1, " POST ")) {
        char *end = strchr(line + 1, '\n');
        size_t number = end ? strtoul((char *)memrchr(line, ' ', (size_t)(end - line)), NULL, 10) : 0;
        assert_true(number < ledger->count);
        if (starts[number]++ > 0) {
            fail_test("request %zu (%s) was begun twice", number, ledger->entries[number].what);
        }
    }
    free(starts);
    free(text);
}

static void tell(struct server *s, const struct ledger *ledger, unsigned count, uint64_t seed)
{
    print_message("soak: %u faults (seed %llu), %zu requests: %zu answered, %zu with 502, %zu with 504, %zu "
                  "with 429, %zu "
                  "lost with their bus\n",
                  count, (unsigned long long)seed, ledger->count, ledger_outcomes(ledger, 200),
                  ledger_outcomes(ledger, 502), ledger_outcomes(ledger, 504), ledger_outcomes(ledger, 429),
                  ledger_outcomes(ledger, LEDGER_LOST));
    s->mark = 0;
    print_message("soak: %zu workers died, %zu were replaced for their memory; generations: %zu\n",
                  server_log_count(s, SERVER_DEATH), server_log_count(s, "over the rss_limit"),
                  server_log_count(s, "is online"));
}

/* -- The tests ---------------------------------------------------------------------------------------- */

static void test_faults_of_workers(void **state)
{
    struct server *s = *state;
    unsigned count = faults_wanted();
    uint64_t seed = seed_wanted(), random = seed;
    struct ledger ledger;
    struct flat bus, master;

    print_message("seed %llu\n", (unsigned long long)seed);
    start(s);
    ledger_init(&ledger, server_port(s));
    for (unsigned i = 0; i < count; i++) {
        if (i == count / 3) { /* by now, all that they ever need at once is there */
            settle(s, &ledger);
            bus = measure(server_pid(s, "bus"));
            master = measure(s->pid);
        }
        do_one(s, &ledger, i, &random);
    }
    settle(s, &ledger);
    assert_int_equal(server_pid(s, "bus"), bus.pid);
    check_flat("bus", &bus);
    check_flat("master", &master);
    check_starts(s, &ledger);
    tell(s, &ledger, count, seed);
    ledger_fini(&ledger);
    server_stop(s);
}

/* All of them: that which serves, and those that drain. */
static void kill_buses(struct server *s, struct ledger *ledger)
{
    pid_t pids[SERVER_PIDS_MAX];
    size_t count = server_pids(s, "bus", pids, SERVER_PIDS_MAX);

    for (size_t i = 0; i < count; i++) {
        int pidfd = wait_open(pids[i]);
        if (pidfd >= 0) {
            send_signal(pidfd, SIGKILL);
            assert_true(wait_gone(pidfd, wait_until(SETTLE_MS)));
            close(pidfd);
        }
    }
    ledger_bus_died(ledger);
}

/* Now and then: the buses die, a reload comes, another number of workers is wanted. */
static void do_more(struct server *s, struct ledger *ledger, uint64_t *seed)
{
    static const int signals[] = {SIGHUP, SIGHUP, SIGTTIN, SIGTTIN, SIGTTOU};
    unsigned at = (unsigned)(sim_random(seed) % 150);

    if (at < 4) {
        kill_buses(s, ledger);
    } else if (at < 4 + sizeof(signals) / sizeof(signals[0])) {
        server_signal(s, signals[at - 4]);
    }
}

/* As many processes as there should be, and no others. */
static void wait_processes(struct server *s)
{
    uint64_t deadline = wait_until(SETTLE_MS);
    pid_t pids[SERVER_PIDS_MAX];
    size_t count;

    while ((count = server_pids(s, NULL, pids, SERVER_PIDS_MAX)) != WORKERS + 2) {
        if (wait_left(deadline) == 0) {
            fail_test("%zu processes are there, expected %u", count, WORKERS + 2);
        }
        usleep(10000);
    }
}

static struct flat settled_master(struct server *s, struct ledger *ledger)
{
    settle_requests(ledger);
    ctl(s, 0, "", "reload", NULL);
    settle(s, ledger);
    wait_processes(s);
    return measure(s->pid);
}

static void test_faults_of_all(void **state)
{
    struct server *s = *state;
    unsigned count = faults_wanted();
    uint64_t seed = seed_wanted(), random = seed;
    struct ledger ledger;
    struct flat master;

    print_message("seed %llu\n", (unsigned long long)seed);
    start(s);
    ledger_init(&ledger, server_port(s));
    for (unsigned i = 0; i < count; i++) {
        if (i == count / 3) {
            master = settled_master(s, &ledger);
        }
        do_more(s, &ledger, &random);
        do_one(s, &ledger, i, &random);
    }
    settled_master(s, &ledger);
    check_flat("master", &master);
    check_starts(s, &ledger);
    tell(s, &ledger, count, seed);
    ledger_fini(&ledger);
    server_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, server_setup, server_teardown)
    const struct CMUnitTest tests[] = {TEST(test_faults_of_workers), TEST(test_faults_of_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
