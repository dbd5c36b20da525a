/*
 * The verdict on the requests of a dead worker. Runs in the bus; pure.
 */
#include "bus/bus_retry.h"

enum bus_retry_verdict bus_retry_decide(const struct bus_retry *request)
{
    if (!request->waited) {
        return BUS_RETRY_DROP;
    }
    if (!request->started) {
        return BUS_RETRY_FREE;
    }
    if (request->running && request->poison_after >= 0 && request->kills >= request->poison_after) {
        return BUS_RETRY_POISON;
    }
    return request->left > 0 ? BUS_RETRY_AGAIN : BUS_RETRY_SPENT;
}

uint32_t bus_retry_unstarted(uint32_t sent, uint32_t started, uint32_t unfinished)
{
    uint32_t unstarted = sent - started;
    return unstarted <= unfinished ? unstarted : 0;
}
