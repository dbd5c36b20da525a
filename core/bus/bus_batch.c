/*
 * Batches of messages. Runs in the bus.
 */
#include "bus/bus_batch.h"

#include "base/clock.h"
#include "bus/bus_memory.h"
#include "bus/bus_succession.h"

/* With fewer failures it cannot be failing after one more, whatever is usual. */
#define FAILURES_FEW (BUS_FAILURES_ALL / 4)

/* Those of a batch have come in the time since the last of the batch before: how long each took is not known, but its mean. */
static void measure(struct bus_worker *w)
{
    struct bus_load *load = bus_worker_load(w);
    unsigned answers = w->batch.answers;
    uint64_t each;

    w->batch.answers = 0;
    if (answers == 0 || !w->channel) {
        return;
    }
    each = (w->pool->bus->heard_at - w->batch.since) / answers;
    for (unsigned i = 0; i < answers; i++) {
        load->service = bus_load_average(load->service, each);
    }
    w->last_event = w->pool->bus->heard_at;
    bus_dispatch_update(&w->pool->dispatch, w->index);
}

void bus_batch_begin(struct bus_worker *w)
{
    measure(w);
    w->pool->bus->heard_at = clock_now();
}

void bus_batch_answered(struct bus_worker *w, const struct bus_request *req, bool failed)
{
    struct bus_load *load = bus_worker_load(w);

    if (w->batch.answers++ == 0) {
        w->batch.since = req->sent_at > w->last_event ? req->sent_at : w->last_event;
    }
    if (failed || load->failures > 0) {
        bus_load_answered(load, failed,
                          load->failures > FAILURES_FEW ? bus_dispatch_usual_failures(&w->pool->dispatch)
                                                        : BUS_FAILURES_ALL);
    }
    bus_memory_count(w, req->handler->in_pool);
    bus_succession_answered(w);
}

void bus_batch_end(struct bus_worker *w)
{
    measure(w);
    w->pool->bus->heard_at = 0;
}
