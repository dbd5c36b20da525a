/*
 * How much of a queue each client has, in a table of fixed size: counters, two for each client, at places that a keyed
 * hash of its name gives. A client has what the lower of its two shows, which is too much only if it meets others at both (a
 * count-min sketch: Cormode and Muthukrishnan, 2005); and nobody can choose whom he meets. Pure.
 */
#ifndef BUS_SHARE_H
#define BUS_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_SHARE_PLACES 4096u /* a power of two */

struct bus_share {
    uint64_t key[2];
    uint32_t count;   /* of all clients together, and of nobody */
    uint32_t clients; /* places of the first row that are in use: about as many clients have something */
    uint32_t rows[2][BUS_SHARE_PLACES];
};

/* Where a client is counted. */
struct bus_share_client {
    bool counted; /* false: nobody asked whose it is */
    bool known;   /* false: it is nobody's */
    uint16_t places[2];
};

/* An empty one is all zero but for its key, which is random and nobody else's to know. */

/* Who has that name; without one it is nobody. */
struct bus_share_client bus_share_find(const struct bus_share *share, const void *name, size_t len);

/* One more of that client is there, or one less. */
void bus_share_add(struct bus_share *share, struct bus_share_client client);
void bus_share_remove(struct bus_share *share, struct bus_share_client client);

/* How many of that client there are; 0 for nobody's. */
uint32_t bus_share_count(const struct bus_share *share, struct bus_share_client client);

#endif
