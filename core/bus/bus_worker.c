/*
 * The workers of the bus. Runs in the bus. One that breaks the rules is killed, and what it had is settled as after any death.
 */
#include "bus/bus_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "bus/bus_batch.h"
#include "bus/bus_end.h"
#include "bus/bus_event.h"
#include "bus/bus_input.h"
#include "bus/bus_lifecycle.h"
#include "bus/bus_outbox.h"
#include "bus/bus_reopen.h"
#include "bus/bus_rule.h"
#include "bus/bus_settle.h"
#include "bus/bus_squeeze.h"
#include "bus/bus_succession.h"
#include "bus/bus_sweep.h"
#include "bus/bus_timeout.h"
#include "bus/bus_watch.h"
#include "os/os_proc.h"

/* A worker that has had so many requests is replaced, so that their numbers never start again. */
#define SEQ_LAST (UINT32_MAX - 2 * FRAME_SLOT_MAX)

/* Messages of one worker in one turn of the loop. */
#define TURN_MESSAGES 64

/* How long to wait when there is no memory or descriptor for a message. */
#define STARVED_MS 100

/* More than fit into a channel. */
#define LAST_MESSAGES 1024

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_bell(evutil_socket_t fd, short what, void *arg);
static void on_again(evutil_socket_t fd, short what, void *arg);
static void on_starved(evutil_socket_t fd, short what, void *arg);

int bus_worker_init(struct bus_worker *w, struct bus_pool *pool, size_t index)
{
    w->pool = pool;
    w->index = index;
    w->statm = -1;
    snprintf(w->name, sizeof(w->name), "%s/%zu", pool->conf->name, index);
    w->slot_count = pool->conf->concurrency + BUS_PREFETCH_MAX;
    list_init(&w->sent);
    list_init(&w->emissions);
    list_init(&w->outbox);
    event_assign(&w->starved, pool->bus->base, -1, 0, on_starved, w);
    event_assign(&w->again, pool->bus->base, -1, 0, on_again, w);
    bus_sweep_init(w);
    bus_end_init(w);
    bus_timeout_init(w);
    w->slots = calloc(w->slot_count, sizeof(struct bus_request *));
    w->free_slots = calloc(w->slot_count, sizeof(*w->free_slots));
    return w->slots && w->free_slots ? 0 : LPM_ENOMEM;
}

void bus_worker_fini(struct bus_worker *w)
{
    bus_end_fini(w);
    free(w->slots);
    free(w->free_slots);
    free(w->by_handler);
}

/* Places are handed out lowest first, so that those in use stay close together. */
static void reset_slots(struct bus_worker *w)
{
    for (uint32_t i = 0; i < w->slot_count; i++) {
        w->slots[i] = NULL;
        w->free_slots[i] = w->slot_count - 1 - i;
    }
    w->free_count = w->slot_count;
}

void bus_worker_new(struct bus_worker *w, const struct control *message, int fd)
{
    struct bus *bus = w->pool->bus;
    struct error err;

    w->pool->alive++;
    bus_worker_touch(w);
    w->incarnation = message->incarnation;
    w->pid = message->pid;
    w->busy = w->sent_home = w->blocked = w->aborted = false;
    w->seq = 0;
    w->last_event = w->answered = w->heap_total = w->heap_used = 0;
    w->log_due = w->log_sent = w->log_taken = 0; /* it was born with the newest, or a LOG is under way */
    w->held = 0;
    w->was_ready_now = false;
    w->born = clock_now();
    bus_succession_new(w);
    memset(&w->death, 0, sizeof(w->death));
    reset_slots(w);
    bus_end_reset_load(w);
    w->state = BUS_WORKER_STARTING;
    if (fd < 0) {
        bus_end_kill(w, "its channel is lost");
        return;
    }
    if (channel_new_bus(&w->channel, fd, &err) != 0) {
        log_write(bus->log, LPM_LOG_ERROR, "worker %s (pid %d): %s", w->name, (int)w->pid, err.text);
        bus_end_kill(w, "it has no channel");
        return;
    }
    bus_worker_want(w, w->pool->wanting);
    w->statm = os_proc_open(w->pid);
    event_assign(&w->readable, bus->base, channel_fd(w->channel), EV_READ | EV_PERSIST, on_readable, w);
    event_assign(&w->bell, bus->base, channel_bell(w->channel), EV_READ | EV_PERSIST | EV_ET, on_bell, w);
    event_add(&w->readable, NULL);
    event_add(&w->bell, NULL);
    bus_worker_go_home(w); /* if its place is given up: the master had forked it before it knew */
    bus_event_tell(bus, "childSpawned", w, "");
}

/* Into `load`: what it is now. */
static void look(struct bus_worker *w, struct bus_load *load)
{
    load->serving = w->state == BUS_WORKER_SERVING;
    load->concurrency = bus_squeeze_concurrency(w->pool->bus->squeeze, w->pool->conf->concurrency);
    load->ready = false;
    if (!load->serving || w->busy || w->blocked) {
        return;
    }
    load->unstarted = w->seq - channel_started(w->channel);
    if (load->unstarted > load->in_flight) {
        bus_end_kill(w, "its board says that it started what it did not get");
        return;
    }
    if (w->seq > SEQ_LAST) {
        bus_succession_event(w, BUS_LEAVE_ON_ALONE);
        return;
    }
    load->running = channel_running(w->channel) != 0;
    load->ready = true;
}

void bus_worker_look(struct bus_worker *w)
{
    look(w, bus_worker_load(w));
    bus_dispatch_update(&w->pool->dispatch, w->index);
}

bool bus_worker_is_quiet(const struct bus_worker *w)
{
    if (w->state == BUS_WORKER_ABSENT) {
        return true;
    }
    return w->state == BUS_WORKER_SERVING && bus_worker_load(w)->in_flight == 0 && w->held == 0 &&
           !w->blocked && channel_running(w->channel) == 0 && !channel_pending(w->channel);
}

void bus_worker_want(struct bus_worker *w, bool wanting)
{
    if (w->channel) {
        channel_want(w->channel, wanting);
    }
}

void bus_worker_let_go_of(struct bus_worker *w, struct bus_request *req)
{
    if (req->stream >= 0 || req->socket >= 0) {
        fd_let_go(&req->stream);
        fd_let_go(&req->socket);
        w->held--;
    }
}

void bus_worker_let_go(struct bus_worker *w)
{
    if (w->held == 0 || !w->channel) {
        return;
    }
    LIST_EACH(link, after, &w->sent)
    {
        struct bus_request *req = LIST_ENTRY(link, struct bus_request, link);
        if (bus_worker_has_started(w, req)) {
            bus_worker_let_go_of(w, req);
        }
    }
}

bool bus_worker_has_started(const struct bus_worker *w, const struct bus_request *req)
{
    uint32_t unstarted =
        bus_retry_unstarted(w->seq, channel_started(w->channel), bus_worker_load(w)->in_flight);
    return w->seq - req->key.seq >= unstarted;
}

/* Nothing tells when there will be something again to send with. */
static void starve(struct bus_worker *w)
{
    if (!event_pending(&w->starved, EV_TIMEOUT, NULL)) {
        struct timeval wait = clock_timeval(STARVED_MS * CLOCK_NS_PER_MS);
        event_add(&w->starved, &wait);
    }
}

char *bus_worker_reserve(struct bus_worker *w, size_t len, const int *fds, unsigned count, int *code)
{
    char *room = channel_reserve_with(w->channel, len, fds, count, code);

    bus_worker_touch(w);
    w->noise.messages += room != NULL;
    if (!room && *code == LPM_EAGAIN) {
        w->blocked = true; /* until the bell rings */
    } else if (!room && *code == LPM_ENOMEM) {
        starve(w);
    }
    return room;
}

int bus_worker_put(struct bus_worker *w, const struct frame *frame, const int *fds, unsigned count)
{
    int code;
    char *room = bus_worker_reserve(w, frame_size(frame), fds, count, &code);

    if (!room) {
        return code;
    }
    frame_encode(frame, room);
    channel_commit(w->channel);
    return 0;
}

int bus_worker_send(struct bus_worker *w, struct bus_request *req, uint64_t now)
{
    struct bus_load *load = bus_worker_load(w);
    uint32_t slot = w->free_slots[w->free_count - 1]; /* in flight < concurrency: there is one */
    struct frame frame = {.type = FRAME_REQUEST,
                          .key = {slot, w->seq + 1},
                          .handler = req->handler->index,
                          .created_at = req->created_at,
                          .deadline = req->deadline,
                          .header_count = req->header_count,
                          .headers = {req->payload, req->headers_len},
                          .data = {req->payload + req->headers_len, req->data_len}};
    int fds[CHANNEL_FDS_MAX];
    unsigned fd_count = 0;
    int rc;

    memcpy(frame.id, req->id, sizeof(frame.id));
    if (req->stream >= 0) {
        frame.flags |= FRAME_STREAM;
        fds[fd_count++] = req->stream;
    }
    if (req->socket >= 0) {
        frame.flags |= FRAME_SOCKET;
        fds[fd_count++] = req->socket;
    }
    rc = bus_worker_put(w, &frame, fds, fd_count);
    if (rc != 0) {
        return rc;
    }
    w->held += fd_count > 0;
    if (req->socket >= 0) {
        load->sockets++;
        bus_watch_begin(w->pool->bus);
    }
    w->free_count--;
    w->seq++;
    w->slots[slot] = req;
    req->key = frame.key;
    req->worker = w;
    req->sent_at = now;
    req->state = BUS_REQUEST_SENT;
    req->worker_name = w->name;
    bus_pool_sent(w->pool, req);
    list_append(&w->sent, &req->link);
    load->in_flight++;
    load->unstarted++;
    bus_sweep_begin(w);
    return 0;
}

void bus_worker_flush(struct bus_worker *w)
{
    /* LPM_EIO: it is dead; reading will find what it still said, and its end. */
    if (w->channel && channel_pending(w->channel) && channel_flush(w->channel) == LPM_EAGAIN) {
        starve(w);
    }
}

/* Says `type` about a request it has: false when the channel is over or full. */
static bool tell(struct bus_worker *w, enum frame_type type, const struct bus_request *req)
{
    struct frame frame = {.type = type, .key = req->key};
    return w->channel && bus_worker_put(w, &frame, NULL, 0) == 0;
}

void bus_worker_cancel(struct bus_worker *w, struct bus_request *req)
{
    req->owes_cancel = !tell(w, FRAME_CANCEL, req);
}

void bus_worker_abandon(struct bus_worker *w, struct bus_request *req)
{
    req->asked_back = true;
    req->owes_abandon = !tell(w, FRAME_ABANDON, req);
}

static void say_what_is_owed(struct bus_worker *w)
{
    LIST_EACH(link, after, &w->sent)
    {
        struct bus_request *req = LIST_ENTRY(link, struct bus_request, link);
        if (req->owes_cancel && !w->blocked) {
            bus_worker_cancel(w, req);
        }
        if (req->owes_abandon && !w->blocked) {
            bus_worker_abandon(w, req);
        }
    }
}

void bus_worker_say(struct bus_worker *w, enum frame_type type)
{
    struct frame frame = {.type = type};

    /* First what waits for it; and the master has to have heard that it goes, or it would be replaced. Whoever says this
     * says it again. */
    if (type == FRAME_SOFT_KILL && (!list_empty(&w->outbox) || w->pool->bus->master_message_count > 0)) {
        return;
    }
    if (w->channel && bus_worker_put(w, &frame, NULL, 0) == 0) {
        w->sent_home = true;
        bus_succession_event(w, BUS_LEAVE_ON_HOME);
        bus_worker_flush(w);
    }
}

void bus_worker_go_home(struct bus_worker *w)
{
    /* One that starts has nothing, and its init hooks may end first. */
    bool done = w->state == BUS_WORKER_LEAVING ? bus_worker_load(w)->in_flight == 0
                                               : w->state == BUS_WORKER_STARTING && w->removed;
    if (done && !w->sent_home) {
        bus_worker_say(w, FRAME_SOFT_KILL);
    }
}

/* There may be room in its channel. */
static void send_what_waits(struct bus_worker *w)
{
    bus_worker_touch(w);
    w->blocked = false;
    bus_outbox_flush(w);
    bus_reopen_send(w);
    bus_worker_flush(w);
    say_what_is_owed(w);
    bus_worker_go_home(w);
}

/* There may be memory and descriptors now: what waits for them is tried again here, requests at the end of the turn. */
static void on_starved(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    bus_outbox_flush(arg);
    bus_reopen_send(arg);
    say_what_is_owed(arg);
    bus_worker_flush(arg);
}

/* Acts on what the worker has sent next: 1: there may be more; 0: no more now; LPM_EIO: its end. */
static int receive_one(struct bus_worker *w)
{
    struct channel *channel = w->channel;
    struct channel_message message;
    const char *why = NULL;
    int rc = channel_next(channel, &message, &why);

    if (rc == 0 || rc == LPM_EIO) {
        return rc;
    }
    if (rc > 0) {
        w->noise.messages++;
        why = bus_input_act(w, &message);
        channel_release(channel, &message);
    } else if (!why) {
        why = "its channel failed";
    }
    if (why) {
        bus_end_kill(w, why);
    }
    return !why && w->state != BUS_WORKER_GONE;
}

/* The same for up to `max` messages. */
static int receive(struct bus_worker *w, unsigned max)
{
    int rc = 1;

    for (unsigned i = 0; i < max && rc > 0; i++) {
        if (i % BUS_BATCH_MAX == 0) {
            bus_batch_begin(w);
        }
        rc = receive_one(w);
    }
    bus_batch_end(w);
    return rc;
}

void bus_worker_hear(struct bus_worker *w)
{
    int rc;

    bus_worker_touch(w);
    w->pool->bus->events++;
    rc = receive(w, TURN_MESSAGES);
    if (rc == LPM_EIO) {
        /* Dead, or alive without a channel: the master sees to it that it is dead. One that was sent home ends by
         * itself, and the master bounds that. */
        if (!w->sent_home) {
            bus_lifecycle_tell_master(w->pool->bus, CONTROL_WORKER_KILL, w);
        }
        bus_end_channel(w);
    } else if (rc > 0 && channel_waiting(w->channel)) {
        /* No bell tells of what is there already. A timer, because the others come first: the loop runs
         * what event_active() gives it before it looks at anything else. */
        struct timeval at_once = {0, 0};
        event_add(&w->again, &at_once);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct bus_worker *w = arg;

    (void)fd;
    (void)what;
    channel_look(w->channel);
    bus_worker_hear(w);
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    struct bus_worker *w = arg;

    (void)fd;
    (void)what;
    bus_worker_hear(w);
    if (w->channel && w->blocked) {
        send_what_waits(w);
    }
    if (w->channel && bus_noise_rings(&w->noise, clock_now())) {
        bus_end_kill(w, "it rings its bell for nothing, again and again");
    }
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    bus_worker_hear(arg);
}

void bus_worker_reaped(struct bus_worker *w, const struct control *message)
{
    char end[TEXT_EXIT_SIZE];

    if (w->state == BUS_WORKER_ABSENT || w->incarnation != message->incarnation) {
        return;
    }
    /* All that it had sent, and no more: a process that it left behind might send for ever. */
    if (w->channel) {
        channel_look(w->channel);
        receive(w, LAST_MESSAGES);
    }
    bus_end_bury(w);
    bus_settle_log(w, message->status);
    bus_event_tell(w->pool->bus, "childExited", w, text_exit(message->status, end, sizeof(end)));
    w->state = BUS_WORKER_ABSENT;
    w->pool->alive--;
    if (!bus_succession_reaped(w) && !w->was_ready_now && !w->removed) {
        bus_rule_start_failed(w->pool);
    }
    bus_lifecycle_worker_gone(w->pool->bus);
}
