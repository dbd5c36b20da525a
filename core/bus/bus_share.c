/*
 * How much of a queue each client has. Runs in the bus; pure.
 */
#include "bus/bus_share.h"

#include "base/siphash.h"

struct bus_share_client bus_share_named(const struct bus_share *share, const void *name, size_t len)
{
    uint64_t hash = siphash(share->key, name, len);

    return (struct bus_share_client){
        true, {(uint16_t)(hash % BUS_SHARE_PLACES), (uint16_t)((hash >> 32) % BUS_SHARE_PLACES)}};
}

uint32_t bus_share_count(const struct bus_share *share, struct bus_share_client client)
{
    uint32_t first = share->rows[0][client.places[0]], second = share->rows[1][client.places[1]];

    return !client.known ? 0 : first < second ? first : second;
}
