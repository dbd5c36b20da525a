/*
 * The control socket: lpmctl's clients, one JSON object a line each way. The protocol is in docs/control.md.
 */
#ifndef BUS_CTL_H
#define BUS_CTL_H

#include <event2/bufferevent.h>
#include <jansson.h>

#include "bus/bus_process.h"

/* A client; one command of it at a time. */
struct bus_ctl_client {
    struct list link;
    struct bus *bus;
    struct bufferevent *io;
    bool waiting;            /* its command is not answered yet */
    bool active;             /* its lines are being acted on */
    bool gone;               /* closed; its memory stays as long as one of those two is true */
    struct list reload_link; /* see bus_reload */
    uint32_t reload_number;
};

/* For core->control_fd, if that is not -1. 0 or LPM_ENOMEM. */
int bus_ctl_init(struct bus *bus);
void bus_ctl_fini(struct bus *bus);

/* Begins to accept; leaves it to another bus. Clients that are here stay. */
void bus_ctl_open(struct bus *bus);
void bus_ctl_close(struct bus *bus);

/* Answers the client's command and goes on with the next. Takes `answer` (NULL: no memory for one). */
void bus_ctl_answer(struct bus_ctl_client *client, json_t *answer);

/* The same for a refusal: {"ok": false, "code": ..., "error": ...}. */
void bus_ctl_refuse(struct bus_ctl_client *client, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
