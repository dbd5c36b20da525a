/*
 * What both sides of the module `seed` use: texts, streams, answers that come later.
 */
#include "seed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void seed_text(lpm_slice data, char *room, size_t size)
{
    size_t len = data.len < size - 1 ? data.len : size - 1;
    memcpy(room, data.data, len);
    room[len] = '\0';
}

/* Cuts the first seed_word off. */
char *seed_word(char **text)
{
    return strsep(text, " ") ? *text : NULL;
}

int seed_say(lpm_request *req, const char *fmt, ...)
{
    char text[SEED_TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return lpm_respond(req, text, strlen(text));
}

static void on_flow(evutil_socket_t fd, short what, void *arg)
{
    struct seed_flow *flow = arg;
    unsigned char room[65536];
    ssize_t n = read(fd, room, sizeof(room));

    (void)what;
    if (n > 0) {
        for (ssize_t i = 0; i < n; i++) {
            flow->sum = flow->sum * 31 + room[i];
        }
        flow->bytes += (size_t)n;
    } else if (n == 0 || errno != EAGAIN) {
        int error = n < 0 ? errno : 0;
        event_free(flow->event);
        close(flow->fd);
        flow->done(flow, error);
        free(flow);
    }
}

void seed_flow_read(struct event_base *base, int fd, void (*done)(struct seed_flow *, int), void *arg)
{
    struct seed_flow *flow = calloc(1, sizeof(*flow));
    flow->fd = fd;
    flow->done = done;
    flow->arg = arg;
    flow->event = event_new(base, fd, EV_READ | EV_PERSIST, on_flow, flow);
    event_add(flow->event, NULL);
}

/* What goes into one: bytes 0, 1, 2 ... */
struct source {
    struct event *event;
    const void *handle;
    int fd;
    size_t at, size;
    int abort;
};

static void on_source(evutil_socket_t fd, short what, void *arg)
{
    struct source *source = arg;
    unsigned char room[65536];
    size_t len = source->size - source->at < sizeof(room) ? source->size - source->at : sizeof(room);
    ssize_t n;

    (void)what;
    for (size_t i = 0; i < len; i++) {
        room[i] = (unsigned char)(source->at + i);
    }
    n = len ? write(fd, room, len) : 0;
    if (n > 0) {
        source->at += (size_t)n;
    }
    if ((n < 0 && errno != EAGAIN) || source->at == source->size) {
        event_free(source->event);
        if (source->abort) {
            close(source->fd);
        } else {
            lpm_stream_end(source->handle, source->fd);
        }
        free(source);
    }
}

void seed_source_write(const void *handle, struct event_base *base, int fd, size_t size, int abort)
{
    struct source *source = calloc(1, sizeof(*source));
    source->handle = handle;
    source->fd = fd;
    source->size = size;
    source->abort = abort;
    source->event = event_new(base, fd, EV_WRITE | EV_PERSIST, on_source, source);
    event_add(source->event, NULL);
}

void seed_tell_flow(struct seed_flow *flow, int error)
{
    if (error) {
        seed_say(flow->arg, "aborted after %zu: %s", flow->bytes, strerror(error));
    } else {
        seed_say(flow->arg, "%zu bytes, sum %lu", flow->bytes, flow->sum);
    }
}

struct later {
    struct event *event;
    lpm_request *req;
    char text[64];
};

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    struct later *later = arg;
    (void)fd;
    (void)what;
    seed_say(later->req, "%s", later->text);
    event_free(later->event);
    free(later);
}

void seed_answer_later(struct event_base *base, lpm_request *req, long ms, const char *text)
{
    struct timeval wait = {ms / 1000, ms % 1000 * 1000};
    struct later *later = calloc(1, sizeof(*later));
    later->req = req;
    snprintf(later->text, sizeof(later->text), "%s", text);
    later->event = evtimer_new(base, on_later, later);
    event_add(later->event, &wait);
}
