/*
 * New files for the logs. Runs in the bus, which has no right to open one: the master does. The new file takes the number
 * of the old one's descriptor, so nobody who writes there has to know. A worker that does not read gets the newest
 * when it does.
 */
#include "bus/bus_reopen.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/bus_master.h"

#define PATIENCE_S 10

/* Who wants to know. */
struct waiter {
    struct list link;
    struct bus *bus;
    uint32_t number;    /* of its question */
    uint32_t log;       /* what the workers are to have; counts once `opened` */
    bool opened;        /* the master has answered */
    bool elsewhere;     /* and other generations have theirs still to take */
    unsigned logs;      /* how many it has opened */
    size_t failed;      /* how many it could not open */
    struct event timer; /* the end of its patience */
    bus_reopen_fn on_done;
    void *arg;
};

#define EACH_WORKER(w, bus)                                                                                 \
    for (struct bus_pool *w##_pool = (bus)->pools; w##_pool < (bus)->pools + (bus)->pool_count; w##_pool++) \
        for (struct bus_worker *w = w##_pool->workers; w < w##_pool->workers + w##_pool->places; w++)

/* -- The logs ----------------------------------------------------------------------------------------- */

/* The workers are to have it, too. */
static void pass_on(struct bus *bus)
{
    bus->log_number++;
    EACH_WORKER(w, bus)
    {
        if (w->channel) {
            w->log_due = bus->log_number;
            bus_reopen_send(w);
        }
    }
}

void bus_reopen_log(struct bus *bus, const struct control *message, int *fd)
{
    struct lpm_conf *node = message->index > 0 ? conf_tree_at(bus->start->core->tree, message->index) : NULL;

    if (*fd < 0) {
        bus->reopen_failed++;
    } else if (message->index == 0) {
        role_take_log(bus->start, *fd);
        *fd = -1;
        pass_on(bus);
    } else if (node && node->fd >= 0 && dup3(*fd, node->fd, O_CLOEXEC) >= 0 && role_is_workers_log(node)) {
        pass_on(bus);
    }
}

static int send_log(struct bus_worker *w, uint32_t index, int fd)
{
    struct frame frame = {.type = FRAME_LOG, .flags = FRAME_STREAM, .key = {index, w->log_due}};
    return bus_worker_put(w, &frame, &fd, 1);
}

/* All of them, the error log last: when it is taken, so are the others. */
static int send_logs(struct bus_worker *w)
{
    const struct bus *bus = w->pool->bus;
    uint32_t index = 0;
    int rc = 0;

    for (const struct lpm_conf *node = bus->start->core->tree->root; node && rc == 0;
         node = conf_tree_walk(node), index++) {
        if (role_is_workers_log(node)) {
            rc = send_log(w, index, node->fd);
        }
    }
    return rc ? rc : send_log(w, 0, bus->log->fd);
}

void bus_reopen_send(struct bus_worker *w)
{
    if (w->log_sent != w->log_due && w->channel && !w->blocked && send_logs(w) == 0) {
        w->log_sent = w->log_due;
    }
}

const char *bus_reopen_taken(struct bus_worker *w, const struct frame *frame)
{
    if (frame->key.seq <= w->log_taken || frame->key.seq > w->log_sent) {
        return "it took a log that it was not sent";
    }
    w->log_taken = frame->key.seq;
    return NULL;
}

/* -- Who waits ---------------------------------------------------------------------------------------- */

/* A worker that writes to a file older than log `number`; NULL: there is none. */
static const struct bus_worker *behind(const struct bus *bus, uint32_t number)
{
    EACH_WORKER(w, bus)
    {
        if (w->channel && w->log_due != 0 && w->log_taken < number) {
            return w;
        }
    }
    return NULL;
}

static void end_wait(struct waiter *waiter, const struct bus_reopen_result *result)
{
    list_remove(&waiter->link);
    event_del(&waiter->timer);
    waiter->on_done(result, waiter->arg);
    free(waiter);
}

static void on_impatient(evutil_socket_t fd, short what, void *arg)
{
    struct waiter *waiter = arg;
    const struct bus_worker *w = behind(waiter->bus, waiter->log);
    struct bus_reopen_result result = {.code = LPM_ETIMEDOUT};
    struct error why;

    (void)fd;
    (void)what;
    if (!waiter->opened) {
        error_set(&why, 0, "the master has not answered within %d s", PATIENCE_S);
    } else if (!w) {
        error_set(&why, 0,
                  "a generation that drains has not taken its new logs within %d s: its workers will when "
                  "they read again",
                  PATIENCE_S);
    } else {
        error_set(&why, 0,
                  "worker %s (pid %d) has not taken its new log within %d s: it will when it reads again",
                  w->name, (int)w->pid, PATIENCE_S);
    }
    result.why = why.text;
    end_wait(waiter, &result);
}

int bus_reopen_ask(struct bus *bus, bus_reopen_fn on_done, void *arg)
{
    static const struct timeval patience = {PATIENCE_S, 0};
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    struct control message = {.type = CONTROL_ASK_REOPEN};

    if (!waiter) {
        return LPM_ENOMEM;
    }
    *waiter = (struct waiter){.bus = bus, .number = ++bus->reopen_asked, .on_done = on_done, .arg = arg};
    event_assign(&waiter->timer, bus->base, -1, 0, on_impatient, waiter);
    event_add(&waiter->timer, &patience);
    list_append(&bus->reopen_waiters, &waiter->link);
    message.index = waiter->number;
    bus_master_send(bus, &message);
    return 0;
}

void bus_reopen_done(struct bus *bus, const struct control *message)
{
    LIST_EACH(link, after, &bus->reopen_waiters)
    {
        struct waiter *waiter = LIST_ENTRY(link, struct waiter, link);
        if (waiter->number == message->index) {
            waiter->opened = true;
            waiter->log = bus->log_number;
            waiter->logs = (unsigned)message->status;
            waiter->failed = bus->reopen_failed;
            waiter->elsewhere = message->pool != 0;
        }
    }
    bus->reopen_failed = 0;
    bus->reopen_round = message->until;
    bus->reopen_round_log = bus->log_number;
}

void bus_reopen_elsewhere(struct bus *bus, const struct control *message)
{
    LIST_EACH(link, after, &bus->reopen_waiters)
    {
        struct waiter *waiter = LIST_ENTRY(link, struct waiter, link);
        if (waiter->number <= message->index) {
            waiter->elsewhere = false;
        }
    }
}

static void tell_master(struct bus *bus)
{
    struct control message = {.type = CONTROL_LOGS_TAKEN, .until = bus->reopen_round};

    if (bus->reopen_told != bus->reopen_round && !behind(bus, bus->reopen_round_log)) {
        bus->reopen_told = bus->reopen_round;
        bus_master_send(bus, &message);
    }
}

void bus_reopen_turn(struct bus *bus)
{
    tell_master(bus);
    LIST_EACH(link, after, &bus->reopen_waiters)
    {
        struct waiter *waiter = LIST_ENTRY(link, struct waiter, link);
        struct bus_reopen_result result = {.logs = waiter->logs};
        struct error why;

        if (!waiter->opened || waiter->elsewhere || behind(bus, waiter->log)) {
            continue;
        }
        if (waiter->failed > 0) {
            error_set(&why, 0, "%zu logs stay with their old files: the error log says why", waiter->failed);
            result.code = LPM_EIO;
            result.why = why.text;
        }
        end_wait(waiter, &result);
    }
}

/* -- Life --------------------------------------------------------------------------------------------- */

void bus_reopen_init(struct bus *bus)
{
    list_init(&bus->reopen_waiters);
}

void bus_reopen_fini(struct bus *bus)
{
    LIST_EACH(link, after, &bus->reopen_waiters)
    {
        struct waiter *waiter = LIST_ENTRY(link, struct waiter, link);
        list_remove(link);
        event_del(&waiter->timer);
        free(waiter);
    }
}
