/*
 * How much of a queue each client has. Runs in the bus; pure.
 */
#include "bus/bus_share.h"

#include "base/siphash.h"

struct bus_share_client bus_share_find(const struct bus_share *share, const void *name, size_t len)
{
    struct bus_share_client client = {.counted = true, .known = len > 0};

    if (client.known) {
        uint64_t hash = siphash(share->key, name, len);
        client.places[0] = (uint16_t)(hash % BUS_SHARE_PLACES);
        client.places[1] = (uint16_t)((hash >> 32) % BUS_SHARE_PLACES);
    }
    return client;
}

void bus_share_add(struct bus_share *share, struct bus_share_client client)
{
    share->count += client.counted;
    if (client.known) {
        share->clients += share->rows[0][client.places[0]]++ == 0;
        share->rows[1][client.places[1]]++;
    }
}

void bus_share_remove(struct bus_share *share, struct bus_share_client client)
{
    share->count -= client.counted;
    if (client.known) {
        share->clients -= --share->rows[0][client.places[0]] == 0;
        share->rows[1][client.places[1]]--;
    }
}

uint32_t bus_share_count(const struct bus_share *share, struct bus_share_client client)
{
    uint32_t first = share->rows[0][client.places[0]], second = share->rows[1][client.places[1]];

    return !client.known ? 0 : first < second ? first : second;
}
