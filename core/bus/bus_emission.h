/*
 * What a worker emitted, as a request that a module in the bus can answer.
 */
#ifndef BUS_EMISSION_H
#define BUS_EMISSION_H

#include "bus/bus_worker.h"

/* Public as lpm_request in the bus. As in a worker, an object is used again as late as can be. */
struct lpm_request {
    lpm_handle handle; /* of the listener that had it last */
    struct list link;  /* of the worker's emissions, of the lost or of the unused ones */
    struct list due;   /* in bus->emissions_due while it has a deadline */
    struct bus *bus;
    struct bus_worker *worker; /* NULL: nobody waits for the answer */
    bool open;
    bool wants_reply;
    uint32_t seq;
    char id[UUID_TEXT_SIZE];
    char name[72];                 /* of the event */
    uint64_t created_at, deadline; /* ns; deadline 0: none */
    char *data;
    size_t len;
    void *context;
    char *headers; /* of the answer, encoded */
    size_t headers_len, header_count;
};

void bus_emission_init(struct bus *bus);
void bus_emission_fini(struct bus *bus);

/* A fresh one with a copy of the frame's data, open; NULL without memory. */
struct lpm_request *bus_emission_new(struct bus_worker *w, const struct frame *frame, lpm_slice name);

/* Ends it: with `reply`, sends that to the worker. 0, or LPM_ECANCELED: the worker will not get it. */
int bus_emission_close(struct lpm_request *req, const struct frame *reply);

/* Nobody waits for the answer any more; with `reply`, the worker hears that. It stays open for its listeners, until too many
 * are so: then the oldest is closed. */
void bus_emission_lose(struct lpm_request *req, const struct frame *reply);

/* lpm_request_*, lpm_respond*, lpm_ack in the host table. */
void bus_emission_host_init(lpm_host *host);

#endif
