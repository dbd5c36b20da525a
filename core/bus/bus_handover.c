/*
 * Connections on their way between two buses. Runs in both. Without a successor, and with one that died, a module keeps what
 * it has; what was sent to one that died is lost with it, as all that it had.
 */
#include "bus/bus_handover.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/handover.h"

/* Connections taken over in one turn of the loop. */
#define TURN_MESSAGES 64

/* How long a predecessor's connections wait in the channel when there is no descriptor for one. */
#define STARVED_MS 100

/* More than fit into the channel. */
#define LAST_MESSAGES 4096

/* On its way out. */
struct parcel {
    struct list link;
    struct handover message;
    int fd;
};

/* A bus that was retired. */
struct predecessor {
    struct list link;
    struct bus *bus;
    struct event readable, starved;
    bool was_starved; /* which is in the log */
    int fd;
};

/* -- Out ---------------------------------------------------------------------------------------------- */

static void drop_parcel(struct parcel *parcel)
{
    list_remove(&parcel->link);
    fd_close(&parcel->fd);
    free(parcel);
}

static void forget_successor(struct bus *bus)
{
    if (bus->successor >= 0) {
        event_del(&bus->successor_writable);
        fd_close(&bus->successor);
    }
}

/* What cannot be sent to this successor waits for the next. */
static void flush(struct bus *bus)
{
    LIST_EACH(link, after, &bus->parcels)
    {
        struct parcel *parcel = LIST_ENTRY(link, struct parcel, link);
        int rc = bus->successor >= 0 ? handover_send(bus->successor, &parcel->message, parcel->fd) : LPM_EIO;
        if (rc == LPM_EAGAIN) {
            event_add(&bus->successor_writable, NULL);
        } else if (rc != 0) {
            forget_successor(bus);
        }
        if (rc != 0) {
            return;
        }
        drop_parcel(parcel);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    flush(arg);
}

void bus_handover_successor(struct bus *bus, int fd)
{
    forget_successor(bus);
    if (fd < 0) {
        return;
    }
    bus->successor = fd;
    event_assign(&bus->successor_writable, bus->base, fd, EV_WRITE, on_writable, bus);
    flush(bus);
}

static int supervisor_has_successor(const lpm_supervisor *s)
{
    return s->bus->successor >= 0;
}

static int supervisor_hand_over(lpm_supervisor *s, int fd, const void *data, size_t len)
{
    struct bus *bus = s->bus;
    struct parcel *parcel;

    if (fd < 0 || (len > 0 && !data)) {
        return LPM_EINVAL;
    }
    if (len > HANDOVER_DATA_MAX) {
        return LPM_ETOOBIG;
    }
    if (bus->successor < 0) {
        return LPM_ENOHANDLER;
    }
    parcel = calloc(1, sizeof(*parcel));
    if (!parcel) {
        return LPM_ENOMEM;
    }
    strncpy(parcel->message.module, s->module->name, sizeof(parcel->message.module) - 1);
    parcel->message.len = (uint8_t)len;
    if (len > 0) {
        memcpy(parcel->message.data, data, len);
    }
    parcel->fd = fd;
    list_append(&bus->parcels, &parcel->link);
    if (!event_pending(&bus->successor_writable, EV_WRITE, NULL)) {
        flush(bus);
    }
    return 0;
}

/* -- In ----------------------------------------------------------------------------------------------- */

static void forget_predecessor(struct predecessor *from)
{
    event_del(&from->readable);
    event_del(&from->starved);
    fd_close(&from->fd);
    list_remove(&from->link);
    free(from);
}

/* Gives it to its module, or closes it when that is not loaded any more, or does not take connections. */
static void take(struct bus *bus, const struct handover *message, int fd)
{
    for (size_t i = 0; i < bus->loader.count; i++) {
        struct lpm_supervisor *m = &bus->modules[i];
        if (m->on_take_over && strcmp(m->module->name, message->module) == 0) {
            uint32_t step = bus_step_enter(m, ROLE_STEP_TAKE_OVER);
            m->on_take_over(m, fd, (lpm_slice){message->data, message->len}, m->on_take_over_arg);
            bus_step_back(m, step);
            return;
        }
    }
    fd_close(&fd);
}

/* Is there a descriptor for the next? The kernel throws away what it has none for. */
static bool has_descriptor(const struct predecessor *from)
{
    int spare = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
    bool has = spare >= 0;

    fd_close(&spare);
    return has;
}

static void starve(struct predecessor *from)
{
    struct timeval wait = clock_timeval(STARVED_MS * CLOCK_NS_PER_MS);

    if (!from->was_starved) {
        from->was_starved = true;
        log_write(from->bus->log, LPM_LOG_ERROR,
                  "no descriptor is left for connections of the bus before: they wait");
    }
    event_del(&from->readable);
    event_add(&from->starved, &wait);
}

static void on_starved(evutil_socket_t fd, short what, void *arg)
{
    struct predecessor *from = arg;

    (void)fd;
    (void)what;
    event_add(&from->readable, NULL);
}

/* Up to `max`: false: it is over, and `from` is gone. */
static bool receive(struct predecessor *from, unsigned max)
{
    for (unsigned i = 0; i < max; i++) {
        struct handover message;
        int fd, rc;

        if (!has_descriptor(from)) {
            starve(from);
            break;
        }
        rc = handover_receive(from->fd, &message, &fd);
        if (rc == LPM_ENOMEM) {
            log_write(from->bus->log, LPM_LOG_ERROR,
                      "a connection of the bus before is lost: no descriptor was left");
            continue;
        }
        if (rc == LPM_EPROTO) {
            log_write(from->bus->log, LPM_LOG_ERROR,
                      "the bus before sent what is no connection: not heard any more");
        }
        if (rc < 0) {
            forget_predecessor(from);
            return false;
        }
        if (rc == 0) {
            break;
        }
        take(from->bus, &message, fd);
    }
    return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    receive(arg, TURN_MESSAGES);
}

void bus_handover_predecessor(struct bus *bus, int fd)
{
    struct predecessor *from = calloc(1, sizeof(*from));

    if (!from) {
        fd_close(&fd); /* it keeps its connections */
        return;
    }
    from->bus = bus;
    from->fd = fd;
    list_append(&bus->predecessors, &from->link);
    event_assign(&from->readable, bus->base, fd, EV_READ | EV_PERSIST, on_readable, from);
    event_assign(&from->starved, bus->base, -1, 0, on_starved, from);
    event_add(&from->readable, NULL);
}

static int supervisor_take_over(lpm_supervisor *s, lpm_take_over_fn fn, void *arg)
{
    s->on_take_over = fn;
    s->on_take_over_arg = arg;
    return 0;
}

/* -- Life --------------------------------------------------------------------------------------------- */

void bus_handover_drain(struct bus *bus)
{
    if (bus->successor >= 0) {
        return; /* the predecessors get the same one, and then close their way to here */
    }
    LIST_EACH(link, after, &bus->predecessors)
    {
        struct predecessor *from = LIST_ENTRY(link, struct predecessor, link);
        if (receive(from, LAST_MESSAGES)) {
            forget_predecessor(from);
        }
    }
}

bool bus_handover_is_open(const struct bus *bus)
{
    return bus->successor >= 0 && (!list_empty(&bus->parcels) || !list_empty(&bus->predecessors));
}

void bus_handover_init(struct bus *bus)
{
    bus->successor = -1;
    list_init(&bus->parcels);
    list_init(&bus->predecessors);
}

void bus_handover_fini(struct bus *bus)
{
    forget_successor(bus);
    LIST_EACH(link, after, &bus->parcels)
    {
        drop_parcel(LIST_ENTRY(link, struct parcel, link));
    }
    LIST_EACH(link, after, &bus->predecessors)
    {
        forget_predecessor(LIST_ENTRY(link, struct predecessor, link));
    }
}

void bus_handover_host_init(lpm_host *host)
{
    host->supervisor_has_successor = supervisor_has_successor;
    host->supervisor_hand_over = supervisor_hand_over;
    host->supervisor_take_over = supervisor_take_over;
}
