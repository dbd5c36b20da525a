/*
 * The handler `events`: the corners of events, by order. The request's data is the order, its words cut at the first blanks:
 *
 *     echo N       emits "echo" with N bytes; answers "same" when the reply holds the same, else what it holds instead
 *     leave        is left to the listener to "request", which answers "by listener"
 *     heard        answers with the broadcasts that this worker has heard: "EVENT N SUM;..."
 *     passing      adds listeners to "tick", one of which removes itself and another and adds a third
 *     bad          answers with what the calls say to arguments that cannot be
 *     open         emits "keep", to which nobody answers, and answers itself; what comes of it is logged
 *     die          the same, then kills its process
 *
 * Its side in the bus listens to: echo; keep; kept (answers what is kept, twice, and says with which codes); send "POOL
 * EVENT N" (POOL "-": all); hand (broadcasts a pipe with "hello" in it); once (listens once to SIGINT).
 *
 * It takes 300 ms for its soft kill, and says so in the log.
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int say(lpm_request *req, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int say(lpm_request *req, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return lpm_respond(req, text, strlen(text));
}

/* `size` bytes, each what its place says. */
static char *pattern(size_t size)
{
    char *data = malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)(i * 7 % 251);
    }
    return data;
}

static unsigned long sum(lpm_slice data)
{
    unsigned long value = 0;
    for (size_t i = 0; i < data.len; i++) {
        value = value * 31 + (unsigned char)data.data[i];
    }
    return value;
}

/* -- The worker's side -------------------------------------------------------------------------------- */

static char heard[4096];

static void hear(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void hear(const char *fmt, ...)
{
    size_t used = strlen(heard);
    va_list args;
    va_start(args, fmt);
    vsnprintf(heard + used, sizeof(heard) - used, fmt, args);
    va_end(args);
}

static void on_note(lpm_event *ev, void *arg)
{
    lpm_slice data = lpm_event_data(ev);
    (void)arg;
    hear("%s %zu %lu;", lpm_event_name(ev), data.len, sum(data));
}

static void on_hand(lpm_event *ev, void *arg)
{
    char text[16] = "";
    int fd = lpm_event_fd(ev);
    (void)arg;
    if (fd < 0) {
        hear("hand %d;", fd);
        return;
    }
    hear("hand %zd %s;", read(fd, text, sizeof(text) - 1), text);
    close(fd);
}

static void on_tick(lpm_event *ev, void *arg)
{
    (void)ev;
    hear("%s;", (const char *)arg);
}

static char victim[] = "victim", third[] = "third", rest[] = "rest";

static void on_first_tick(lpm_event *ev, void *arg)
{
    (void)ev;
    hear("first;");
    hear("off %d %d;", lpm_worker_off(arg, "tick", on_first_tick, arg),
         lpm_worker_off(arg, "tick", on_tick, victim));
    lpm_worker_on(arg, "tick", on_tick, third);
}

static void on_request(lpm_event *ev, void *arg)
{
    lpm_slice data = lpm_request_data(lpm_event_request(ev));
    (void)arg;
    if (lpm_slice_is(data, "leave")) {
        say(lpm_event_request(ev), "by listener");
    }
}

static void soft_kill_done(evutil_socket_t fd, short what, void *arg)
{
    int first = lpm_worker_soft_kill_done(arg), second = lpm_worker_soft_kill_done(arg);
    (void)fd;
    (void)what;
    lpm_log(arg, LPM_LOG_NOTICE, "soft kill done: %d, again: %d", first, second);
}

static void on_soft_kill(lpm_event *ev, void *arg)
{
    static const struct timeval wait = {0, 300000};
    (void)ev;
    event_base_once(lpm_worker_event_base(arg), -1, EV_TIMEOUT, soft_kill_done, arg, &wait);
}

static void on_hard_kill(lpm_event *ev, void *arg)
{
    (void)ev;
    lpm_log(arg, LPM_LOG_NOTICE, "emit after hard kill: %d", lpm_worker_emit(arg, "keep", "", 0, NULL, NULL));
}

static int worker_init(lpm_worker *w)
{
    lpm_worker_on(w, "note", on_note, w);
    lpm_worker_on(w, "hand", on_hand, w);
    lpm_worker_on(w, "request", on_request, w);
    lpm_worker_on(w, "softKill", on_soft_kill, w);
    lpm_worker_on(w, "hardKill", on_hard_kill, w);
    return lpm_worker_ready(w);
}

static void on_echo(lpm_response *res, void *arg)
{
    lpm_slice data = lpm_response_data(res);
    long size = (long)(intptr_t)lpm_request_context(arg);
    char *sent = pattern((size_t)size);
    int same = data.len == (size_t)size && memcmp(data.data, sent, data.len) == 0;

    free(sent);
    if (same && lpm_slice_is(lpm_response_header(res, "of"), "echo")) {
        say(arg, "same");
    } else {
        say(arg, "%d, %zu bytes", lpm_response_error(res), data.len);
    }
}

static void echo(lpm_worker *w, lpm_request *req, long size)
{
    char *data = pattern((size_t)size);
    int rc;

    lpm_request_set_context(req, (void *)(intptr_t)size);
    rc = lpm_worker_emit(w, "echo", data, (size_t)size, on_echo, req);
    free(data);
    if (rc != 0) {
        say(req, "emit: %d", rc);
    }
}

static void on_end(lpm_response *res, void *arg)
{
    lpm_log(arg, LPM_LOG_NOTICE, "open emit: %d, %s, then %d", lpm_response_error(res),
            lpm_response_error_text(res), lpm_worker_emit(arg, "keep", "", 0, on_end, arg));
}

static void bad(lpm_worker *w, lpm_request *req)
{
    char longest[66];
    memset(longest, 'n', 65);
    longest[65] = '\0';
    say(req, "%d %d %d %d %d, %d %d %d %d %d %d, %d", lpm_worker_on(w, NULL, on_note, w),
        lpm_worker_on(w, longest, on_note, w), lpm_worker_on(w, "note", NULL, w),
        lpm_worker_off(w, "note", on_tick, w), lpm_worker_off(w, NULL, on_note, w),
        lpm_worker_emit(w, NULL, "", 0, NULL, NULL), lpm_worker_emit(w, longest, "", 0, NULL, NULL),
        lpm_worker_emit(w, "SIGINT", "", 0, NULL, NULL), lpm_worker_emit(w, "e", NULL, 1, NULL, NULL),
        lpm_worker_emit(w, "e", "", (size_t)2 << 30, NULL, NULL),
        lpm_worker_emit(NULL, "e", "", 0, NULL, NULL), lpm_worker_soft_kill_done(w));
}

static void request(lpm_request *req)
{
    lpm_worker *w = lpm_request_worker(req);
    lpm_slice data = lpm_request_data(req);
    char order[64] = "";

    memcpy(order, data.data, data.len < sizeof(order) ? data.len : sizeof(order) - 1);
    if (strncmp(order, "echo ", 5) == 0) {
        echo(w, req, strtol(order + 5, NULL, 10));
    } else if (strcmp(order, "heard") == 0) {
        say(req, "%s", heard);
        heard[0] = '\0';
    } else if (strcmp(order, "passing") == 0) {
        lpm_worker_on(w, "tick", on_first_tick, w);
        lpm_worker_on(w, "tick", on_tick, victim);
        lpm_worker_on(w, "tick", on_tick, rest);
        say(req, "added");
    } else if (strcmp(order, "bad") == 0) {
        bad(w, req);
    } else if (strcmp(order, "open") == 0 || strcmp(order, "die") == 0) {
        int rc = lpm_worker_emit(w, "keep", order, strlen(order), on_end, w);
        if (order[0] == 'd') {
            raise(SIGKILL);
        }
        say(req, "%d", rc);
    } else if (strcmp(order, "leave") != 0) {
        say(req, "unknown order %s", order);
    }
}

/* -- The supervisor's side ---------------------------------------------------------------------------- */

static lpm_request *kept;

static void on_sigint(lpm_event *ev, void *arg)
{
    (void)ev;
    lpm_log(arg, LPM_LOG_NOTICE, "heard SIGINT once");
}

static void hand(lpm_supervisor *s, lpm_request *req)
{
    int fds[2], rc;

    if (pipe(fds) != 0 || write(fds[1], "hello", 5) != 5) {
        say(req, "no pipe");
        return;
    }
    rc = lpm_supervisor_broadcast(s, NULL, "hand", NULL, 0, fds[0]);
    close(fds[0]);
    close(fds[1]);
    say(req, "%d %d", rc, lpm_supervisor_broadcast(s, NULL, "hand", NULL, 0, fds[0]));
}

static void on_order(lpm_event *ev, void *arg)
{
    lpm_supervisor *s = arg;
    lpm_request *req = lpm_event_request(ev);
    lpm_slice data = lpm_event_data(ev);
    const char *event = lpm_event_name(ev);
    char text[64] = "", pool[64], name[64];
    unsigned long size;

    memcpy(text, data.data, data.len < sizeof(text) ? data.len : sizeof(text) - 1);
    if (strcmp(event, "echo") == 0) {
        lpm_respond_header(req, "of", "echo");
        lpm_respond(req, data.data, data.len);
    } else if (strcmp(event, "keep") == 0) {
        kept = req;
        lpm_log(s, LPM_LOG_NOTICE, "kept %s", text);
    } else if (strcmp(event, "kept") == 0) {
        int first = lpm_respond_text(kept, "late"), second = lpm_respond_text(kept, "later");
        say(req, "%d %d", first, second);
    } else if (strcmp(event, "hand") == 0) {
        hand(s, req);
    } else if (strcmp(event, "once") == 0) {
        say(req, "%d", lpm_supervisor_once(s, "SIGINT", on_sigint, s));
    } else if (sscanf(text, "%63s %63s %lu", pool, name, &size) == 3) {
        char *bytes = pattern(size);
        say(req, "%d", lpm_supervisor_broadcast(s, pool[0] == '-' ? NULL : pool, name, bytes, size, 0));
        free(bytes);
    } else {
        say(req, "unknown order");
    }
}

static int supervisor_init(lpm_supervisor *s)
{
    static const char *const orders[] = {"echo", "keep", "kept", "hand", "once", "send"};
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        lpm_supervisor_on(s, orders[i], on_order, s);
    }
    return 0;
}

LPM_MODULE(.name = "events", .version = "1.0", .request = request, .worker_init = worker_init,
           .supervisor_init = supervisor_init);
