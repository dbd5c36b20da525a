/*
 * The way to the master. Runs in the bus. The master is busy while it forks, and a pool of hundreds has as much to tell
 * then, so what finds no room waits; without a master the bus ends.
 */
#include "bus/bus_master.h"

#include <stdlib.h>

/* Far more than the workers of a few full pools give cause for while the master forks them. */
#define MESSAGES_MAX 16384u

struct message {
    struct list link;
    struct control control;
};

static void give_up(struct bus *bus, const char *why)
{
    if (bus->over) {
        return;
    }
    log_write(bus->log, LPM_LOG_ALERT, "the master %s: the bus ends", why);
    bus->status = ROLE_EXIT_FAILED;
    bus->over = true;
    event_base_loopbreak(bus->base);
}

/* true: it is sent, or never will be. */
static bool send_now(struct bus *bus, const struct control *control)
{
    int rc = control_send(bus->start->channel, control, -1);

    if (rc == LPM_EAGAIN) {
        event_add(&bus->master_writable, NULL);
        return false;
    }
    if (rc != 0) {
        give_up(bus, "is gone");
    }
    return true;
}

static void drop(struct bus *bus, struct message *message)
{
    list_remove(&message->link);
    bus->master_message_count--;
    free(message);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct bus *bus = arg;

    (void)fd;
    (void)what;
    while (!list_empty(&bus->master_messages)) {
        struct message *message = LIST_ENTRY(bus->master_messages.next, struct message, link);
        if (!send_now(bus, &message->control)) {
            return;
        }
        drop(bus, message);
    }
}

void bus_master_send(struct bus *bus, const struct control *control)
{
    struct message *message;

    if (list_empty(&bus->master_messages) && send_now(bus, control)) {
        return;
    }
    message = bus->master_message_count < MESSAGES_MAX ? calloc(1, sizeof(*message)) : NULL;
    if (!message) {
        give_up(bus, "does not read what it is told");
        return;
    }
    message->control = *control;
    list_append(&bus->master_messages, &message->link);
    bus->master_message_count++;
}

void bus_master_init(struct bus *bus)
{
    list_init(&bus->master_messages);
    event_assign(&bus->master_writable, bus->base, bus->start->channel, EV_WRITE, on_writable, bus);
}

void bus_master_fini(struct bus *bus)
{
    if (bus->master_message_count > 0) {
        event_del(&bus->master_writable);
    }
    while (bus->master_message_count > 0) {
        drop(bus, LIST_ENTRY(bus->master_messages.next, struct message, link));
    }
}
