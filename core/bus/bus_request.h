/*
 * The table of requests, and the one outcome of each.
 */
#ifndef BUS_REQUEST_H
#define BUS_REQUEST_H

#include "bus/bus_process.h"
#include "bus/bus_share.h"
#include "ipc/frame.h"

enum bus_request_state { BUS_REQUEST_FREE = 0, BUS_REQUEST_QUEUED, BUS_REQUEST_SENT };

struct bus_worker;

struct bus_request {
    struct list link;           /* free list, or the worker's requests in the order of sending */
    struct bus_queue_item item; /* in the pool's queue */
    struct bus_share_client client;
    enum bus_request_state state;
    uint32_t place, uses;           /* the ticket: place in the table, and how often that was used */
    bool waited;                    /* somebody waits for the outcome */
    bool asked_back;                /* ABANDON was said */
    bool owes_cancel, owes_abandon; /* they are said when its channel has room again */
    bool suspected;                 /* its worker ran nothing when it was looked at ... */
    uint32_t suspected_at;          /* ... and had started so far */
    const struct lpm_handler *handler;
    struct lpm_supervisor *module; /* that enqueued it */
    lpm_response_fn on_response;
    void *arg;
    char id[UUID_TEXT_SIZE];
    uint64_t created_at, deadline; /* ns; deadline 0: none */
    uint64_t sent_at;
    int64_t retries_left;
    uint32_t kills;
    bool poison;               /* they were too many */
    struct bus_worker *worker; /* that has it, or had it last; NULL: none ever had */
    const char *worker_name;   /* "-": none ever had it */
    struct frame_key key;
    struct event timer;   /* the deadline; then, when nobody waits any more, kill_after */
    uint64_t due;         /* ns: when it is to do its work; 0: it has none */
    uint64_t timer_at;    /* ns: when it fires, which may be earlier; 0: it does not run */
    bool with_descriptor; /* it came with a stream or a socket */
    int stream, socket;   /* that go to the worker, ours until they are known to be there; -1 */
    char *payload;        /* encoded headers, then data; the room is kept for the next */
    size_t payload_room;
    size_t header_count, headers_len, data_len;
};

/* What an outcome carries next to its error: the answer's parts, valid during the call. */
struct bus_answer {
    size_t header_count;
    lpm_slice headers, data;
    int *stream; /* -1: taken by the callback; NULL: none came */
    bool lost;   /* it came, and this process had no descriptor left for it */
    uint64_t at; /* ns: when */
};

/* A fresh request with the payload of `spec`, whose headers take so many bytes, or NULL: LPM_ENOMEM. The caller checked the
 * spec. */
struct bus_request *bus_request_new(struct bus *bus, const lpm_enqueue *spec, size_t headers_len);

/* Gives it back without an outcome. It is in no list but the one it is taken from here. */
void bus_request_free(struct bus *bus, struct bus_request *req);

/*
 * The outcome: `error` 0 with `answer`, or LPM_E... with `text`. Calls on_response, unless nobody waits. The request is
 * in no queue and has no outcome yet. With `keep`, its worker still has it: the record stays until that ends.
 */
void bus_request_finish(struct bus *bus, struct bus_request *req, int error, const char *text,
                        const struct bus_answer *answer, bool keep);

/* The number for lpm_supervisor_cancel(), and its request: NULL when that has its outcome. */
uint64_t bus_request_ticket(const struct bus_request *req);
struct bus_request *bus_request_find(const struct bus *bus, uint64_t ticket);

void bus_request_free_all(struct bus *bus);

#endif
