/*
 * The handler `misdeed`: does what it is told, good or bad. The order is the query of the path or else the data or
 * else the last part of the path; its words are cut at ' ', '=', '+' and '/' (curl 'http://HOST/?sleep=100',
 * curl -d 'sleep 100' http://HOST/, curl http://HOST/pid).
 *
 *     (nothing)      answers "ok"
 *     sleep MS       blocks the worker, then answers
 *     wait MS        answers later, from a timer; the worker goes on meanwhile
 *     never          never answers
 *     cancel-poll    looks every 10 ms whether anybody still waits; then writes "cancelled ID" to the journal and answers
 *     crash          SIGSEGV; `abort` SIGABRT; `exit N` exit(N); `stop` SIGSTOP; `loop` for ever
 *     timer-crash MS answers, and has SIGSEGV in a timer
 *     leak BYTES     takes memory, writes to it and keeps it
 *     respond-twice  answers, then again, which has to be refused
 *     after-free     answers, then makes every call there is with the handle
 *     last           answers with the code that the last refused call, or late answer, gave
 *     log N          writes that many lines to the error log, then answers
 *     big BYTES      answers with that much
 *     status N       answers with that HTTP status
 *     headers        answers with the request's headers, a line each
 *     orphan         leaves a process behind that has left its process group, too
 *     environ        answers with the worker's environment, a line each
 *     id             answers with the request's id; `pid` with the worker's
 *     count          answers with how many requests this worker process has been given
 *     busy [MS]      answers; the worker takes no more requests, for MS milliseconds
 *     ready          answers; the worker takes requests
 *     rubbish        writes rubbish to the channel to the bus
 *     scribble       writes over all the memory that it shares with the bus, and answers
 *     close          closes every descriptor but 0, 1 and 2
 *     soft-crash BYTES   as leak; and when this worker is sent home, it has SIGSEGV in its soft_kill hook
 *
 * A request's header "x-tag" comes back with its answer.
 *
 * Directives, all at the top:
 *
 *     misdeed_journal PATH;      to this file goes a line "start ID METHOD PID ORDER" for each request, before all else
 *     misdeed_init fail | crash | exit | hang | never_ready | late MS;       what worker_init does
 *     misdeed_supervisor fail | crash | exit | hang;                         what supervisor_init does
 *
 * Runs in workers; the fault is the purpose. Signals are raised with their default action, which sanitizers change.
 */
#include <lpm/module.h>

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ORDER_SIZE 256

struct kept {
    struct kept *next;
};

/* The worker's context. */
struct misdeed {
    const char *journal; /* NULL: none */
    struct kept *leaked;
    unsigned long count;
    int last;
    bool crashes_at_home;
};

/* What a timer needs to know. */
struct later {
    struct event *timer;
    lpm_request *req;
    lpm_worker *worker;
};

static struct misdeed *misdeed_of(const lpm_request *req)
{
    return lpm_worker_context(lpm_request_worker(req));
}

static void die_of(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

static void __attribute__((noreturn)) loop(void)
{
    for (volatile unsigned long i = 0;; i++) {
    }
}

static void block(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0) {
    }
}

/* One line, one write(): it is there even if the next thing is the end. */
static void journal(const struct misdeed *m, const char *line)
{
    int fd = m->journal ? open(m->journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd >= 0) {
        if (write(fd, line, strlen(line)) < 0) {
            abort();
        }
        close(fd);
    }
}

static void answer(lpm_request *req, const char *text)
{
    struct misdeed *m = misdeed_of(req);
    int rc = lpm_respond_text(req, text);
    if (rc != LPM_OK) {
        m->last = rc;
    }
}

static void answer_number(lpm_request *req, long number)
{
    char text[32];
    snprintf(text, sizeof(text), "%ld\n", number);
    answer(req, text);
}

/* Calls `fn` in `ms` milliseconds, which frees `later`. */
static void do_later(lpm_request *req, long ms, event_callback_fn fn)
{
    struct later *later = calloc(1, sizeof(*later));
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    if (!later) {
        abort();
    }
    later->req = req;
    later->worker = lpm_request_worker(req);
    later->timer = evtimer_new(lpm_worker_event_base(later->worker), fn, later);
    if (!later->timer || evtimer_add(later->timer, &tv) != 0) {
        abort();
    }
}

static void later_end(struct later *later)
{
    event_free(later->timer);
    free(later);
}

static void waited(evutil_socket_t fd, short what, void *arg)
{
    struct later *later = arg;
    (void)fd;
    (void)what;
    answer(later->req, "waited\n");
    later_end(later);
}

static void poll_cancelled(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval again = {0, 10000};
    struct later *later = arg;
    char line[64];
    (void)fd;
    (void)what;

    if (!lpm_request_cancelled(later->req)) {
        evtimer_add(later->timer, &again);
        return;
    }
    snprintf(line, sizeof(line), "cancelled %s\n", lpm_request_id(later->req));
    journal(misdeed_of(later->req), line);
    answer(later->req, "nobody reads this\n");
    later_end(later);
}

static void crash_now(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    later_end(arg);
    die_of(SIGSEGV);
}

static void ready_now(evutil_socket_t fd, short what, void *arg)
{
    struct later *later = arg;
    (void)fd;
    (void)what;
    lpm_worker_ready(later->worker);
    later_end(later);
}

static void do_sleep(lpm_request *req, long ms)
{
    block(ms);
    answer(req, "slept\n");
}

static void do_wait(lpm_request *req, long ms)
{
    do_later(req, ms, waited);
}

static void do_never(lpm_request *req, long n)
{
    (void)req;
    (void)n;
}

static void do_cancel_poll(lpm_request *req, long n)
{
    (void)n;
    do_later(req, 10, poll_cancelled);
}

static void do_crash(lpm_request *req, long n)
{
    (void)req;
    (void)n;
    die_of(SIGSEGV);
}

static void do_abort(lpm_request *req, long n)
{
    (void)req;
    (void)n;
    die_of(SIGABRT);
}

static void do_exit(lpm_request *req, long n)
{
    (void)req;
    exit((int)n);
}

static void do_stop(lpm_request *req, long n)
{
    (void)n;
    raise(SIGSTOP);
    answer(req, "continued\n");
}

static void do_loop(lpm_request *req, long n)
{
    (void)req;
    (void)n;
    loop();
}

static void do_timer_crash(lpm_request *req, long ms)
{
    do_later(req, ms, crash_now);
    answer(req, "soon\n");
}

static void do_leak(lpm_request *req, long bytes)
{
    struct misdeed *m = misdeed_of(req);
    size_t size = sizeof(struct kept) + (size_t)bytes;
    struct kept *kept = malloc(size);

    if (!kept) {
        answer(req, "no memory\n");
        return;
    }
    memset(kept, 1, size);
    kept->next = m->leaked;
    m->leaked = kept;
    answer(req, "leaked\n");
}

static void do_respond_twice(lpm_request *req, long n)
{
    struct misdeed *m = misdeed_of(req);
    lpm_worker *w = lpm_request_worker(req);
    (void)n;

    lpm_respond_text(req, "first\n");
    m->last = lpm_respond_text(req, "second\n");
    lpm_log(w, LPM_LOG_WARN, "the second answer gave %d", m->last);
}

static void do_after_free(lpm_request *req, long n)
{
    struct misdeed *m = misdeed_of(req);
    lpm_header header;
    (void)n;

    lpm_respond_text(req, "free\n");
    lpm_request_set_context(req, m);
    lpm_log(req, LPM_LOG_WARN,
            "used after the answer: %s, %zu bytes, header %d, context %d, cancelled %d, deadline %d",
            lpm_request_id(req), lpm_request_data(req).len, lpm_request_header_at(req, 0, &header),
            lpm_request_context(req) != NULL, lpm_request_cancelled(req), lpm_request_deadline(req) != 0);
    m->last = lpm_respond_header(req, "x-late", "1");
    if (m->last == LPM_EDONE) {
        m->last = lpm_ack(req);
    }
}

static void do_last(lpm_request *req, long n)
{
    (void)n;
    answer_number(req, misdeed_of(req)->last);
}

static void do_log(lpm_request *req, long count)
{
    for (long i = 1; i <= count; i++) {
        lpm_log(lpm_request_worker(req), LPM_LOG_WARN, "line %ld of %ld", i, count);
    }
    answer(req, "ok\n");
}

static void do_big(lpm_request *req, long bytes)
{
    char *data = malloc((size_t)bytes + 1);

    if (!data) {
        answer(req, "no memory\n");
        return;
    }
    memset(data, 'x', (size_t)bytes);
    misdeed_of(req)->last = lpm_respond(req, data, (size_t)bytes);
    free(data);
}

static void do_status(lpm_request *req, long status)
{
    char text[32];
    int rc;

    snprintf(text, sizeof(text), "%ld", status);
    rc = lpm_respond_header(req, ":status", text);
    answer_number(req, rc ? rc : status);
}

static void do_headers(lpm_request *req, long n)
{
    char text[8192];
    size_t used = 0;
    lpm_header h;
    (void)n;

    for (size_t i = 0;
         lpm_request_header_at(req, i, &h) && h.name.len + h.value.len + 4 < sizeof(text) - used; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%.*s: %.*s\n", (int)h.name.len,
                                 h.name.data, (int)h.value.len, h.value.data);
    }
    lpm_respond(req, text, used);
}

static void do_orphan(lpm_request *req, long n)
{
    pid_t child = fork();
    (void)n;

    if (child == 0) {
        setsid();
        if (fork() == 0) {
            pause();
        }
        _exit(0);
    }
    answer(req, waitpid(child, NULL, 0) == child ? "ok\n" : "cannot fork\n");
}

static void do_environ(lpm_request *req, long n)
{
    char text[65536];
    size_t used = 0;
    (void)n;

    for (char **at = environ; *at && strlen(*at) + 1 < sizeof(text) - used; at++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\n", *at);
    }
    lpm_respond(req, text, used);
}

static void do_id(lpm_request *req, long n)
{
    char text[64];
    (void)n;
    snprintf(text, sizeof(text), "%s\n", lpm_request_id(req));
    answer(req, text);
}

static void do_pid(lpm_request *req, long n)
{
    (void)n;
    answer_number(req, (long)getpid());
}

static void do_count(lpm_request *req, long n)
{
    (void)n;
    answer_number(req, (long)misdeed_of(req)->count);
}

static void do_busy(lpm_request *req, long ms)
{
    lpm_worker_busy(lpm_request_worker(req));
    if (ms > 0) {
        do_later(req, ms, ready_now);
    }
    answer(req, "busy\n");
}

static void do_ready(lpm_request *req, long n)
{
    (void)n;
    lpm_worker_ready(lpm_request_worker(req));
    answer(req, "ready\n");
}

static void do_rubbish(lpm_request *req, long n)
{
    (void)n;
    for (int fd = 3; fd < 1024; fd++) {
        int type = 0;
        socklen_t len = sizeof(type);
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET) {
            send(fd, "rubbish", 7, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    }
    answer(req, "rubbish\n");
}

/* All that this process can write to of what a memfd of lpm's is mapped to. */
static void do_scribble(lpm_request *req, long n)
{
    char line[512], *begin, *end;
    FILE *maps = fopen("/proc/self/maps", "re");
    (void)n;

    while (maps && fgets(line, sizeof(line), maps)) {
        begin = (char *)(uintptr_t)strtoull(line, &end, 16);
        if (strstr(line, "memfd:lpm-") && strstr(line, " rw-s ")) {
            memset(begin, 0xa5, (size_t)((char *)(uintptr_t)strtoull(end + 1, NULL, 16) - begin));
        }
    }
    if (maps) {
        fclose(maps);
    }
    answer(req, "scribbled\n");
}

static void do_close(lpm_request *req, long n)
{
    (void)n;
    for (int fd = 3; fd < 1024; fd++) {
        close(fd);
    }
    answer(req, "closed\n");
}

static void do_soft_crash(lpm_request *req, long bytes)
{
    misdeed_of(req)->crashes_at_home = true;
    do_leak(req, bytes);
}

static void do_nothing(lpm_request *req, long n)
{
    (void)n;
    answer(req, "ok\n");
}

static const struct {
    const char *name;
    void (*run)(lpm_request *req, long n);
} orders[] = {
    {"", do_nothing},
    {"sleep", do_sleep},
    {"wait", do_wait},
    {"never", do_never},
    {"cancel-poll", do_cancel_poll},
    {"crash", do_crash},
    {"abort", do_abort},
    {"exit", do_exit},
    {"stop", do_stop},
    {"loop", do_loop},
    {"timer-crash", do_timer_crash},
    {"leak", do_leak},
    {"respond-twice", do_respond_twice},
    {"after-free", do_after_free},
    {"last", do_last},
    {"log", do_log},
    {"big", do_big},
    {"status", do_status},
    {"headers", do_headers},
    {"orphan", do_orphan},
    {"environ", do_environ},
    {"id", do_id},
    {"pid", do_pid},
    {"count", do_count},
    {"busy", do_busy},
    {"ready", do_ready},
    {"rubbish", do_rubbish},
    {"scribble", do_scribble},
    {"close", do_close},
    {"soft-crash", do_soft_crash},
};

static void echo_tag(lpm_request *req)
{
    lpm_slice tag = lpm_request_header(req, "x-tag");
    char text[32];

    if (tag.len > 0) {
        snprintf(text, sizeof(text), "%.*s", (int)tag.len, tag.data);
        lpm_respond_header(req, "x-tag", text);
    }
}

/* The order as text, its words cut by one blank each. */
static void read_order(const lpm_request *req, char order[ORDER_SIZE])
{
    lpm_slice path = lpm_request_header(req, ":path"), text = lpm_request_data(req);
    const char *query = memchr(path.data, '?', path.len);

    if (query) {
        text.data = query + 1;
        text.len = path.len - (size_t)(text.data - path.data);
    } else if (text.len == 0) {
        text = path;
        while (text.len > 0 && text.data[0] == '/') {
            text.data++;
            text.len--;
        }
    }
    snprintf(order, ORDER_SIZE, "%.*s", (int)(text.len < ORDER_SIZE ? text.len : ORDER_SIZE - 1), text.data);
    for (char *c = order; *c; c++) {
        *c = strchr("=+/\r\n\t", *c) ? ' ' : *c;
    }
}

static void misdeed(lpm_request *req)
{
    struct misdeed *m = misdeed_of(req);
    lpm_slice method = lpm_request_header(req, ":method");
    char order[ORDER_SIZE], line[ORDER_SIZE + 128];
    size_t len;

    m->count++;
    read_order(req, order);
    snprintf(line, sizeof(line), "start %s %.*s %ld %s\n", lpm_request_id(req),
             method.len ? (int)method.len : 1, method.len ? method.data : "-", (long)getpid(), order);
    journal(m, line);
    echo_tag(req);
    len = strcspn(order, " ");
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strlen(orders[i].name) == len && strncmp(orders[i].name, order, len) == 0) {
            orders[i].run(req, strtol(order + len, NULL, 10));
            return;
        }
    }
    lpm_respond_header(req, ":status", "400");
    answer(req, "no such order\n");
}

static const lpm_directive directives[] = {
    {.name = "misdeed_journal",
     .context = "main",
     .type = LPM_CONF_STRING,
     .help = "a line for each request"},
    {.name = "misdeed_init",
     .context = "main",
     .type = LPM_CONF_STRINGS,
     .args_min = 1,
     .args_max = 2,
     .help = "what worker_init does"},
    {.name = "misdeed_supervisor",
     .context = "main",
     .type = LPM_CONF_ENUM,
     .words = "fail|crash|exit|hang",
     .help = "what supervisor_init does"},
    {.name = NULL},
};

/* What both init hooks can do; LPM_EINVAL when it is nothing of that. */
static int misbehave(const char *word)
{
    if (strcmp(word, "crash") == 0) {
        die_of(SIGSEGV);
    } else if (strcmp(word, "exit") == 0) {
        exit(0);
    } else if (strcmp(word, "hang") == 0) {
        loop();
    }
    return strcmp(word, "fail") == 0 ? LPM_EIO : LPM_EINVAL;
}

static void late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    lpm_worker_ready(arg);
}

static int worker_init(lpm_worker *w)
{
    const lpm_conf *root = lpm_worker_conf(w), *init = lpm_conf_child(root, "misdeed_init");
    static struct misdeed here; /* a process has one worker; what it leaked stays reachable */
    const char *word = init ? lpm_conf_arg(init, 0).data : "";
    long ms = init ? strtol(lpm_conf_arg(init, 1).data, NULL, 10) : 0;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    here.journal = lpm_conf_string(root, "misdeed_journal", NULL);
    here.count = 0;
    lpm_worker_set_context(w, &here);
    if (strcmp(word, "late") == 0) {
        return event_base_once(lpm_worker_event_base(w), -1, EV_TIMEOUT, late, w, &tv);
    }
    if (strcmp(word, "never_ready") == 0) {
        return 0;
    }
    return word[0] ? misbehave(word) : lpm_worker_ready(w);
}

static void soft_kill(lpm_worker *w)
{
    if (((struct misdeed *)lpm_worker_context(w))->crashes_at_home) {
        die_of(SIGSEGV);
    }
    lpm_worker_soft_kill_done(w);
}

static int supervisor_init(lpm_supervisor *s)
{
    const char *word = lpm_conf_string(lpm_supervisor_conf(s), "misdeed_supervisor", NULL);
    return word ? misbehave(word) : 0;
}

static int conf(lpm_conf *root)
{
    static const char *const words[] = {"fail", "crash", "exit", "hang", "never_ready", "late"};
    const lpm_conf *init = lpm_conf_child(root, "misdeed_init");

    if (!init) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (lpm_slice_is(lpm_conf_arg(init, 0), words[i])) {
            return 0;
        }
    }
    return lpm_conf_error(init, "\"misdeed_init\" knows no \"%s\"", lpm_conf_arg(init, 0).data);
}

LPM_MODULE(.name = "misdeed", .version = "1.0", .directives = directives, .conf = conf, .request = misdeed,
           .worker_init = worker_init, .soft_kill = soft_kill, .supervisor_init = supervisor_init);
