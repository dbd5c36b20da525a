/*
 * The talk with a bus. Runs in the master. The bus loads modules and reads what clients send, so nothing it says is
 * believed before it was checked; one that breaks the rules, or does not read, is killed.
 */
#include "master/master_control.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "master/master_crash.h"
#include "master/master_fleet.h"
#include "master/master_generation.h"
#include "master/master_pool.h"
#include "master/master_reload.h"
#include "master/master_reopen.h"
#include "master/master_worker.h"

#define MESSAGES_MAX 4096

/* Of a bus in one turn of the loop, so that one which says more and more does not keep the master from all else; and of one
 * that has ended: more than fit into the channel. */
#define TURN_MESSAGES 64
#define LAST_MESSAGES 65536
#define END_GRACE_NS  CLOCK_NS_PER_S

static void drop_message(struct master_generation *generation, struct master_message *message)
{
    list_remove(&message->link);
    generation->message_count--;
    fd_close(&message->fd);
    free(message);
}

/* Nothing more is heard from it, or said to it: its end is the next that counts. */
static void kill_bus(struct master_generation *generation, const char *why)
{
    generation->control_over = true;
    event_del(generation->control_readable);
    if (generation->bus > 0) {
        log_write(&generation->master->log, LPM_LOG_ERROR, "bus (pid %ld) %s: killed", (long)generation->bus,
                  why);
        kill(generation->bus, SIGKILL);
    }
}

/* -- To the bus --------------------------------------------------------------------------------------- */

static void flush(struct master_generation *generation)
{
    LIST_EACH(link, after, &generation->messages)
    {
        struct master_message *message = LIST_ENTRY(link, struct master_message, link);
        int rc = generation->control_over ? LPM_EIO
                                          : control_send(generation->control, &message->control, message->fd);
        if (rc == LPM_EAGAIN) {
            event_add(generation->control_writable, NULL);
            return;
        }
        drop_message(generation, message); /* sent, or nobody is there to read it */
    }
}

void master_control_send(struct master_generation *generation, const struct control *control, int fd)
{
    struct master_message *message;

    if (generation->control < 0 || generation->control_over) {
        fd_close(&fd);
        return;
    }
    message = generation->message_count < MESSAGES_MAX ? calloc(1, sizeof(*message)) : NULL;
    if (!message) {
        fd_close(&fd);
        kill_bus(generation, "does not read its messages");
        return;
    }
    message->control = *control;
    message->fd = fd;
    list_append(&generation->messages, &message->link);
    generation->message_count++;
    flush(generation);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    flush(arg);
}

/* -- From the bus ------------------------------------------------------------------------------------- */

/* The worker that the message is about; NULL with `*known` when it is about the one that was there before. */
static struct master_worker *find_worker(struct master_generation *generation, const struct control *message,
                                         bool *known)
{
    struct master_pool *pool;
    struct master_worker *worker;

    *known = false;
    if (message->pool >= generation->core->pool_count) {
        return NULL;
    }
    pool = &generation->pools[message->pool];
    if (message->index >= pool->places || message->incarnation > pool->workers[message->index].incarnation) {
        return NULL;
    }
    *known = true;
    worker = &pool->workers[message->index];
    return worker->pid > 0 && worker->incarnation == message->incarnation ? worker : NULL;
}

static void handle_worker(struct master_generation *generation, const struct control *message)
{
    bool known;
    struct master_worker *worker = find_worker(generation, message, &known);

    if (!known) {
        kill_bus(generation, "named a worker that there is not");
    } else if (!worker) {
        return;
    } else if (message->type == CONTROL_WORKER_READY) {
        master_worker_ready(worker);
    } else if (message->type == CONTROL_WORKER_KILL) {
        master_worker_kill(worker);
    } else if (message->type == CONTROL_WORKER_ABORT) {
        master_worker_abort(worker);
    } else if (message->type == CONTROL_WORKER_SHOW) {
        master_crash_show(worker);
    } else {
        master_worker_retire(worker);
    }
}

/* It is about the place: a worker may have died there, and another have come, that the bus does not know of yet. */
static void handle_remove(struct master_generation *generation, const struct control *message)
{
    bool known;

    find_worker(generation, message, &known);
    if (known) {
        master_pool_remove_place(&generation->pools[message->pool], message->index);
    } else {
        kill_bus(generation, "gave up a place that there is not");
    }
}

/* One place more; not for a generation that has been told to end meanwhile. */
static void handle_resize(struct master_generation *generation, const struct control *message)
{
    if (message->pool >= generation->core->pool_count ||
        (master_fleet_serves(generation) &&
         !master_pool_add_place(&generation->pools[message->pool], message->index))) {
        kill_bus(generation, "asked for a place that cannot be");
    }
}

/* As if somebody had sent it. A new generation must not end the one that serves. */
static void handle_kill(struct master_generation *generation, int number)
{
    struct error why;

    bool others = generation->master->online && !generation->was_active;

    if (others && generation->state != MASTER_STARTING) {
        return; /* it has failed already, and is not to take those with it that serve */
    }
    if (others) {
        error_set(&why, 0, "a module asked for the end of lpm before generation %u was online",
                  generation->number);
        master_generation_fail(generation, &why);
    } else {
        kill(getpid(), number);
    }
}

static void handle(struct master_generation *generation, const struct control *message)
{
    if (!policy_control(POLICY_BUS, generation->bus_phase, (enum control_type)message->type)) {
        kill_bus(generation, "sent a message that is not allowed now");
        return;
    }
    switch (message->type) {
    case CONTROL_ONLINE:
        if (generation->bus_phase == POLICY_STARTING) {
            generation->bus_phase = POLICY_SERVING;
        }
        master_generation_event(generation, MASTER_ON_ONLINE);
        break;
    case CONTROL_RELEASED:
        master_generation_event(generation, MASTER_ON_RELEASED);
        break;
    case CONTROL_WORKER_REMOVE:
        handle_remove(generation, message);
        break;
    case CONTROL_RESIZE:
        handle_resize(generation, message);
        break;
    case CONTROL_SIGNAL_WANTED:
        generation->sigint_wanted = message->status == SIGINT && message->index != 0;
        break;
    case CONTROL_ASK_RELOAD:
        master_reload_ask(generation, message->index);
        break;
    case CONTROL_ASK_SOFT_KILL:
        handle_kill(generation, SIGQUIT);
        break;
    case CONTROL_ASK_HARD_KILL:
        handle_kill(generation, SIGTERM);
        break;
    case CONTROL_ASK_REOPEN:
        master_reopen(generation->master, generation, message->index);
        break;
    case CONTROL_LOGS_TAKEN:
        master_reopen_taken(generation, message->until);
        break;
    default:
        handle_worker(generation, message);
    }
}

/* The bus has closed its end: it ends, or it is broken. */
static void end_of_bus(struct master_generation *generation)
{
    struct timeval grace = clock_timeval(END_GRACE_NS);

    generation->control_over = true;
    event_del(generation->control_readable);
    event_add(generation->bus_end_timer, &grace);
}

static void read_some(struct master_generation *generation, unsigned max)
{
    struct control message;
    int fd, rc;

    while (max-- > 0 && generation->control >= 0 && !generation->control_over) {
        rc = control_receive(generation->control, &message, &fd);
        if (rc == 0) {
            return;
        }
        if (rc < 0) {
            if (rc == LPM_EPROTO) {
                kill_bus(generation, "sent what is no message");
            } else {
                end_of_bus(generation);
            }
            return;
        }
        fd_close(&fd);
        handle(generation, &message);
    }
}

void master_control_read(struct master_generation *generation)
{
    read_some(generation, LAST_MESSAGES);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    read_some(arg, TURN_MESSAGES);
}

static void on_bus_end(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    kill_bus(arg, "closed its channel to the master and did not end");
}

/* -- Life --------------------------------------------------------------------------------------------- */

int master_control_open(struct master_generation *generation, int fd)
{
    struct event_base *base = generation->master->base;

    generation->control = fd;
    generation->control_readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, generation);
    generation->control_writable = event_new(base, fd, EV_WRITE, on_writable, generation);
    generation->bus_end_timer = evtimer_new(base, on_bus_end, generation);
    if (!generation->control_readable || !generation->control_writable || !generation->bus_end_timer) {
        return LPM_ENOMEM;
    }
    event_add(generation->control_readable, NULL);
    return 0;
}

static void free_event(struct event **event)
{
    if (*event) {
        event_free(*event);
        *event = NULL;
    }
}

void master_control_close(struct master_generation *generation)
{
    free_event(&generation->control_readable);
    free_event(&generation->control_writable);
    free_event(&generation->bus_end_timer);
    LIST_EACH(link, after, &generation->messages)
    {
        drop_message(generation, LIST_ENTRY(link, struct master_message, link));
    }
    fd_close(&generation->control);
}
