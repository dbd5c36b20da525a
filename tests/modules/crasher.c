/*
 * The handler `crasher`: crashes, hangs and is slow in functions whose names the log has to tell. The order is the last word of
 * the path, or the data:
 *
 *     (anything else)  answers "ok"
 *     segv bus fpe ill abort      that signal, by an instruction of crasher_ORDER(); abort: by abort()
 *     null             calls a function at address 0
 *     overflow         uses up the stack
 *     thread           SIGSEGV in a thread of its own
 *     timer            SIGSEGV in a timer
 *     listener         SIGSEGV in a listener, to "request"
 *     reply            SIGSEGV where it is told what became of an event
 *     hang             crasher_hang(), for ever
 *     deaf             the same, with SIGABRT blocked
 *     slow             two seconds in crasher_slow(), then answers
 *     answered         answers, then SIGSEGV
 *     forgeBYTE        writes a report that nobody has: sizes, places and texts that cannot be; then dies of SIGKILL
 *
 * Directive: `crasher_online on;` SIGSEGV in supervisor_online.
 *
 * Runs in workers, and in the bus with that directive; the fault is the purpose.
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, no_sanitize("address", "undefined")))

static volatile int zero;
static int *volatile nowhere = (int *)16;
static void (*volatile nothing)(void);

NOINLINE static void crasher_segv(void)
{
    *nowhere = 1;
}

NOINLINE static void crasher_bus(void)
{
    FILE *file = tmpfile();
    char *memory = file ? mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0) : NULL;
    if (memory && memory != MAP_FAILED) {
        *(volatile char *)memory = 1; /* behind the end of the file */
    }
}

NOINLINE static void crasher_fpe(void)
{
    zero = 7 / zero;
}

NOINLINE static void crasher_ill(void)
{
    __builtin_trap();
}

NOINLINE static void crasher_abort(void)
{
    abort();
}

NOINLINE static void crasher_null(void)
{
    nothing();
    zero = 0; /* or it would be a jump */
}

NOINLINE static int crasher_overflow(int depth)
{
    volatile char room[4096];
    room[0] = (char)depth;
    return zero > 0 ? 0 : crasher_overflow(depth + 1) + room[0];
}

NOINLINE static void *crasher_thread(void *arg)
{
    *nowhere = 1;
    return arg;
}

NOINLINE static void crasher_hang(void)
{
    for (;;) {
        zero = 0;
    }
}

NOINLINE static void crasher_slow(void)
{
    struct timespec now, end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - end.tv_sec < 2);
}

static void block_abort(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGABRT);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void run_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, crasher_thread, NULL) == 0) {
        pthread_join(thread, NULL);
    }
}

/* Fills what is shared with the master, and looks like no channel: the bus does not mind that. */
static void forge(int byte)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long start, end;
    char line[512];

    while (maps && fgets(line, sizeof(line), maps)) {
        if (strstr(line, " rw-s ") && strstr(line, "/dev/zero") &&
            sscanf(line, "%lx-%lx", &start, &end) == 2 && end - start > 8192) {
            memset((void *)start, byte, end - start); /* NOLINT(performance-no-int-to-ptr) */
        }
    }
    if (maps) {
        fclose(maps);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    crasher_segv();
}

static void on_event(lpm_event *ev, void *arg)
{
    (void)ev;
    (void)arg;
    crasher_segv();
}

static void on_reply(lpm_response *res, void *arg)
{
    (void)res;
    (void)arg;
    crasher_segv();
}

/* False: that is none of these. */
static int crash_elsewhere(lpm_worker *w, const char *word)
{
    static const struct timeval soon = {0, 1000};

    if (strcmp(word, "timer") == 0) {
        return event_base_once(lpm_worker_event_base(w), -1, EV_TIMEOUT, on_timer, NULL, &soon) == 0;
    }
    if (strcmp(word, "listener") == 0) {
        return lpm_worker_on(w, "request", on_event, NULL) == 0;
    }
    return strcmp(word, "reply") == 0 && lpm_worker_emit(w, "unheard", "", 0, on_reply, NULL) == 0;
}

static void request(lpm_request *req)
{
    static const struct {
        const char *order;
        void (*run)(void);
    } orders[] = {
        {"segv", crasher_segv}, {"bus", crasher_bus},     {"fpe", crasher_fpe},
        {"ill", crasher_ill},   {"abort", crasher_abort}, {"null", crasher_null},
        {"hang", crasher_hang}, {"slow", crasher_slow},   {"thread", run_thread},
    };
    lpm_slice order = lpm_request_data(req);
    char word[32];

    if (order.len == 0) {
        order = lpm_request_header(req, ":path");
        for (size_t i = order.len; i-- > 0;) {
            if (order.data[i] == '?') {
                order.len = i;
            } else if (order.data[i] == '/') {
                order = (lpm_slice){order.data + i + 1, order.len - i - 1};
                break;
            }
        }
    }
    snprintf(word, sizeof(word), "%.*s", (int)order.len, order.data);
    if (strcmp(word, "answered") == 0) {
        lpm_respond_text(req, "ok\n");
        crasher_segv();
    }
    if (crash_elsewhere(lpm_request_worker(req), word)) {
        return;
    }
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(word, orders[i].order) == 0) {
            orders[i].run();
        }
    }
    if (strcmp(word, "overflow") == 0) {
        zero = crasher_overflow(0);
    } else if (strcmp(word, "deaf") == 0) {
        block_abort();
        crasher_hang();
    } else if (strncmp(word, "forge", 5) == 0) {
        forge(atoi(word + 5));
        raise(SIGKILL);
    }
    lpm_respond_text(req, "ok\n");
}

static void online(lpm_supervisor *s)
{
    if (lpm_conf_value(lpm_supervisor_conf(s), "crasher_online", 0)) {
        crasher_segv();
    }
}

static const lpm_directive directives[] = {
    {.name = "crasher_online",
     .context = "main",
     .type = LPM_CONF_FLAG,
     .help = "SIGSEGV in supervisor_online"},
    {.name = NULL},
};

LPM_MODULE(.name = "crasher", .version = "1.0", .directives = directives, .request = request,
           .supervisor_online = online);
