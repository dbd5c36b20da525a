/*
 * The handler `relay`: does with a body that comes as a stream what the path says:
 *
 *     /copy      its bytes pass through this process into the answer's stream, as they come
 *     /count     it is read, then the answer says how many bytes it had
 *     /slow      likewise, but only 64 KiB every 10 ms
 *     /early     as /count, but the answer, "early", is first; the count is in the log
 *     /refuse    answered with 403 at once, and never looked at
 *     /close     closed after 1000 bytes, and answered 100 ms later
 *     /die       the process dies after 1000 bytes
 *     /hold      neither read nor answered
 *
 * What is not a stream is answered with "whole: LENGTH". An end that is none is in the log: "PATH: aborted after N".
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 262144

struct relay {
    lpm_worker *w;
    lpm_request *req; /* NULL: answered */
    struct event *readable, *writable, *timer;
    int in, out; /* out < 0: it is counted, not copied */
    char path[32];
    unsigned long long count;
    size_t start, end; /* of what is read and not written */
    char bytes[ROOM];
};

static const struct timeval pause_of_slow = {0, 10000}, pause_of_close = {0, 100000};

static int is(const struct relay *r, const char *path)
{
    return strcmp(r->path, path) == 0;
}

static void say(lpm_request *req, const char *before, unsigned long long n)
{
    char text[64];
    snprintf(text, sizeof(text), "%s%llu", before, n);
    lpm_respond_text(req, text);
}

static void end(struct relay *r, int error)
{
    if (error) {
        lpm_log(r->w, LPM_LOG_NOTICE, "%s: aborted after %llu: %s", r->path, r->count, strerror(error));
    } else if (!r->req) {
        lpm_log(r->w, LPM_LOG_NOTICE, "%s: read %llu", r->path, r->count);
    }
    if (r->out >= 0) {
        error ? close(r->out) : lpm_stream_end(r->w, r->out);
    }
    if (r->req) {
        say(r->req, error ? "aborted after " : "", r->count);
    }
    event_free(r->readable);
    event_free(r->timer);
    if (r->writable) {
        event_free(r->writable);
    }
    if (r->in >= 0) {
        close(r->in);
    }
    free(r);
}

/* What is here, to the answer: 1: all; 0: later; -1: nobody takes it. */
static int pass_on(struct relay *r)
{
    while (r->start < r->end) {
        ssize_t n = send(r->out, r->bytes + r->start, r->end - r->start, MSG_NOSIGNAL);
        if (n < 0) {
            return errno == EAGAIN ? 0 : -1;
        }
        r->start += (size_t)n;
    }
    return 1;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct relay *r = arg;
    ssize_t n;

    (void)fd;
    (void)what;
    if (r->out >= 0) {
        int rc = pass_on(r);
        if (rc < 0) {
            end(r, errno);
            return;
        }
        if (rc == 0) {
            event_add(r->writable, NULL);
            return;
        }
    }
    if (r->in < 0) {
        end(r, 0);
        return;
    }
    n = recv(r->in, r->bytes, is(r, "/slow") ? 65536 : ROOM, 0);
    if (n < 0 && errno == EAGAIN) {
        event_add(r->readable, NULL);
        return;
    }
    if (n <= 0) {
        end(r, n < 0 ? errno : 0);
        return;
    }
    r->count += (unsigned long long)n;
    r->start = 0;
    r->end = (size_t)n;
    if (is(r, "/die") && r->count >= 1000) {
        abort();
    }
    if (is(r, "/close") && r->count >= 1000) {
        close(r->in);
        r->in = -1;
        event_add(r->timer, &pause_of_close);
    } else if (is(r, "/slow")) {
        event_add(r->timer, &pause_of_slow);
    } else {
        event_add(r->out >= 0 ? r->writable : r->readable, NULL);
    }
}

static void begin_copy(struct relay *r)
{
    lpm_slice length = lpm_request_header(r->req, "content-length");
    int fds[2];

    if (lpm_stream_pair(r->w, fds) != 0) {
        return;
    }
    r->out = fds[1];
    r->writable = event_new(lpm_worker_event_base(r->w), r->out, EV_WRITE, on_event, r);
    if (length.len > 0) {
        lpm_respond_header_slice(r->req, lpm_slice_of("content-length"), length);
    }
    lpm_respond_stream(r->req, "", 0, fds[0]);
    r->req = NULL;
}

static void begin(lpm_request *req, lpm_slice path)
{
    struct relay *r = calloc(1, sizeof(*r));

    r->w = lpm_request_worker(req);
    r->req = req;
    r->in = lpm_request_stream(req);
    r->out = -1;
    snprintf(r->path, sizeof(r->path), "%.*s", (int)path.len, path.data);
    r->readable = event_new(lpm_worker_event_base(r->w), r->in, EV_READ, on_event, r);
    r->timer = evtimer_new(lpm_worker_event_base(r->w), on_event, r);
    if (is(r, "/copy")) {
        begin_copy(r);
    } else if (is(r, "/early")) {
        lpm_respond_text(req, "early");
        r->req = NULL;
    }
    event_add(r->readable, NULL);
}

static void request(lpm_request *req)
{
    lpm_slice path = lpm_request_header(req, ":path");

    if (lpm_slice_is(path, "/refuse")) {
        lpm_respond_header(req, ":status", "403");
        lpm_respond_text(req, "no");
    } else if (!lpm_request_has_stream(req)) {
        say(req, "whole: ", lpm_request_data(req).len);
    } else if (!lpm_slice_is(path, "/hold")) {
        begin(req, path);
    }
}

LPM_MODULE(.name = "relay", .version = "1.0", .request = request);
