/*
 * Reloads for clients. Runs in the bus; the master does them. Asks are numbered, and an answer ends all up to its number,
 * so that many clients need no more than one reload.
 */
#include "bus/bus_reload.h"

#include <unistd.h>

#include "bus/bus_master.h"

void bus_reload_init(struct bus *bus)
{
    list_init(&bus->reload_waiters);
    error_set(&bus->trouble, 0, "%s", bus->start->trouble);
}

static void refuse(struct bus_ctl_client *client, int why)
{
    bus_ctl_refuse(client, why, why == LPM_EAGAIN ? "another generation serves: ask that" : "lpm ends");
}

void bus_reload_ask(struct bus_ctl_client *client)
{
    struct bus *bus = client->bus;
    struct control message = {.type = CONTROL_ASK_RELOAD};

    if (bus->reload_refusal) {
        refuse(client, bus->reload_refusal);
        return;
    }
    client->reload_number = message.index = ++bus->reloads_asked;
    list_append(&bus->reload_waiters, &client->reload_link);
    bus_master_send(bus, &message);
}

static void learn(struct bus *bus, const struct control *message, int fd)
{
    char text[ERROR_TEXT_SIZE];
    ssize_t len = fd < 0 ? 0 : pread(fd, text, sizeof(text), 0);

    bus->trouble.text[0] = '\0';
    if (message->status != 0 && len > 0) {
        error_set(&bus->trouble, 0, "%.*s", (int)len, text);
    } else if (message->status != 0) {
        error_set(&bus->trouble, 0, "the reload failed, the error log says why");
    }
}

static void refuse_until(struct bus *bus, uint32_t number)
{
    LIST_EACH(link, after, &bus->reload_waiters)
    {
        struct bus_ctl_client *client = LIST_ENTRY(link, struct bus_ctl_client, reload_link);
        if (client->reload_number <= number) {
            list_remove(link);
            bus_ctl_refuse(client, LPM_ECONF, "%s", bus->trouble.text);
        }
    }
}

void bus_reload_done(struct bus *bus, const struct control *message, int fd)
{
    learn(bus, message, fd);
    if (message->status == 0) {
        bus->reload_took = message->index;
        bus->reload_successor = message->incarnation;
    } else {
        refuse_until(bus, message->index);
    }
}

void bus_reload_retire(struct bus *bus)
{
    bus->reload_refusal = LPM_EAGAIN;
}

void bus_reload_close(struct bus *bus)
{
    if (!bus->reload_refusal) {
        bus->reload_refusal = LPM_ESHUTDOWN;
    }
    while (!list_empty(&bus->reload_waiters)) {
        struct bus_ctl_client *client =
            LIST_ENTRY(bus->reload_waiters.next, struct bus_ctl_client, reload_link);
        list_remove(&client->reload_link);
        if (client->reload_number <= bus->reload_took) {
            bus_ctl_answer(client,
                           json_pack("{s:b,s:I}", "ok", 1, "generation", (json_int_t)bus->reload_successor));
        } else {
            refuse(client, bus->reload_refusal);
        }
    }
}
