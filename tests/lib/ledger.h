/*
 * A ledger of requests over keep-alive connections: each ends exactly once, with an answer of its own or with an error, or the
 * test fails and says which one has not.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "client.h"

#define LEDGER_SLOTS 32

struct ledger_entry {
    const char *what;     /* the caller's, for messages */
    const char *statuses; /* the outcomes that may be: "200 502" */
    int status;           /* the outcome; 0: none; LEDGER_LOST */
};

/* It ended because the bus did: `ledger_bus_died`. */
#define LEDGER_LOST (-1)

struct ledger_slot {
    struct client client;
    bool open, waits;
    size_t request; /* the last one */
    unsigned buses; /* how many buses had died when it was opened */
};

struct ledger {
    int port;
    unsigned buses;
    struct ledger_slot slots[LEDGER_SLOTS];
    struct ledger_entry *entries;
    size_t count, room, waiting;
};

void ledger_init(struct ledger *ledger, int port);

/* Closes all connections. */
void ledger_close(struct ledger *ledger);
void ledger_fini(struct ledger *ledger);

/* A slot in [from, to) in which nothing waits; `to`: none. */
size_t ledger_free_slot(const struct ledger *ledger, size_t from, size_t to);

/* Sends the next request there, number `ledger->count`. It goes to PREFIX/NUMBER?ORDER+0+NUMBER, and carries its number in "x-tag",
 * which an answer with 200 has to bring back. */
void ledger_send(struct ledger *ledger, size_t slot, const char *method, const char *prefix,
                 const char *order, const char *statuses);

/* Waits until a request ends, or so long, and books what has ended. */
void ledger_wait(struct ledger *ledger, int timeout_ms);

/* Until none waits; each has CLIENT_MS from the last end of another. Nothing may come then. */
void ledger_drain(struct ledger *ledger);

/* The bus is dead, and with it all connections that there were: their requests end with them. */
void ledger_bus_died(struct ledger *ledger);

/* How many ended so. */
size_t ledger_outcomes(const struct ledger *ledger, int status);

#endif
