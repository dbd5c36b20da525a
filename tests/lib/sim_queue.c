/*
 * A queue in front of some workers, on a virtual clock. One process, no I/O.
 */
#include "sim_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bus_admit.h"
#include "bus/bus_drain.h"
#include "bus/bus_queue.h"
#include "sim_random.h"

#define WORKERS_MAX 64u
#define LIMIT       65536u
#define LONG        (100 * CLOCK_NS_PER_MS)
#define SHORT       (5 * CLOCK_NS_PER_MS)

const char *const sim_queue_names[SIM_QUEUE_POLICIES] = {
    "fifo", "lpm", "lpm, one client", "lpm, and drop", "adaptive lifo", "codel", "lifo and codel"};

struct request {
    struct bus_queue_item item;
    uint64_t arrival, work;
    uint64_t answered, refused; /* 0: not yet */
};

struct sim {
    const struct sim_queue_setup *setup;
    enum sim_queue_policy policy;
    struct request *requests;
    struct request *runs[WORKERS_MAX]; /* NULL: it is idle */
    uint64_t done[WORKERS_MAX];        /* when that is */
    uint64_t now, last_empty, wasted, worked;
    struct bus_queue queue;
    struct bus_queue_sum total;
    struct bus_drain drain;
    unsigned in_flight;
    bool left; /* some could not be sent */
};

static void draw(struct sim *sim)
{
    const struct sim_queue_setup *setup = sim->setup;
    uint64_t seed = setup->seed, other = setup->seed ^ 1;
    double gap = (double)setup->service / setup->workers * 100 / setup->percent, at = 0;

    for (uint32_t i = 0; i < setup->requests; i++) {
        double rate = !setup->bursty ? 1 : (uint64_t)at / CLOCK_NS_PER_S % 2 == 0 ? 1.5 : 0.5;
        at += sim_random_exponential(&seed) * gap / rate;
        sim->requests[i].arrival = 1 + (uint64_t)at;
        sim->requests[i].work = 1 + (uint64_t)(sim_random_exponential(&other) * (double)setup->service);
    }
}

static struct request *request_of(struct bus_queue_item *item)
{
    return LIST_ENTRY(item, struct request, item);
}

static void refuse(struct sim *sim, struct request *req, uint64_t at)
{
    bus_queue_remove(&sim->queue, &req->item);
    req->refused = at;
}

/* As the timer of a deadline does it: those whose time is over leave at that instant. */
static void expire(struct sim *sim)
{
    struct bus_queue_item *item;

    while ((item = bus_queue_oldest(&sim->queue)) && item->since + sim->setup->patience <= sim->now) {
        refuse(sim, request_of(item), item->since + sim->setup->patience);
    }
}

static bool is_ours(const struct sim *sim)
{
    return sim->policy >= SIM_QUEUE_LPM && sim->policy <= SIM_QUEUE_LPM_DROP;
}

static bool admit(const struct sim *sim)
{
    size_t count = sim->queue.sum.count;
    uint64_t gap = sim->drain.gap;
    struct bus_admit_line line = {
        .gap = gap, .level_gap = gap, .ahead = count, .level = count, .one_in = UINT32_MAX};
    struct bus_admit facts = {.bounds = {{count + 1, count + 1, LIMIT}},
                              .wait = is_ours(sim) && sim->left ? bus_admit_wait(&line) : 0,
                              .service = sim->in_flight * gap,
                              .in_queue = BUS_ADMIT_UNBOUNDED,
                              .in_all = sim->setup->patience,
                              .own = sim->policy == SIM_QUEUE_LPM_ONE ? count : 0,
                              .queued = count,
                              .clients = 1};

    return bus_admit_decide(&facts) == BUS_SHED_NONE;
}

static bool is_dropped(const struct sim *sim, const struct request *req)
{
    uint64_t waited = sim->now - req->arrival;

    if (sim->policy == SIM_QUEUE_LPM_DROP) {
        return waited + sim->setup->service > sim->setup->patience;
    }
    return sim->policy >= SIM_QUEUE_CODEL && waited > (sim->now - sim->last_empty > LONG ? SHORT : LONG);
}

static struct request *next(const struct sim *sim)
{
    struct bus_queue_item *item = bus_queue_next(&sim->queue);
    bool lifo = sim->policy == SIM_QUEUE_LIFO || sim->policy == SIM_QUEUE_BOTH;

    if (item && lifo && sim->now - bus_queue_oldest(&sim->queue)->since > LONG) {
        item = bus_queue_last(&sim->queue, BUS_QUEUE_NORMAL);
    }
    return item ? request_of(item) : NULL;
}

static void dispatch(struct sim *sim)
{
    struct request *req;

    expire(sim);
    for (unsigned i = 0; i < sim->setup->workers; i++) {
        while (!sim->runs[i] && (req = next(sim))) {
            if (is_dropped(sim, req)) {
                refuse(sim, req, sim->now);
                continue;
            }
            bus_queue_sent(&sim->queue, &req->item);
            bus_drain_left(&sim->drain, sim->now);
            sim->runs[i] = req;
            sim->done[i] = sim->now + req->work;
            sim->in_flight++;
        }
    }
    sim->left = sim->queue.sum.count > 0;
    bus_drain_waits(&sim->drain, sim->now, sim->left);
    sim->last_empty = sim->left ? sim->last_empty : sim->now;
}

static void finish(struct sim *sim, unsigned place)
{
    struct request *req = sim->runs[place];

    sim->runs[place] = NULL;
    sim->in_flight--;
    req->answered = sim->now;
    sim->worked += req->work;
    sim->wasted += sim->now - req->arrival > sim->setup->patience ? req->work : 0;
}

static unsigned first_done(const struct sim *sim)
{
    unsigned first = WORKERS_MAX;

    for (unsigned i = 0; i < sim->setup->workers; i++) {
        if (sim->runs[i] && (first == WORKERS_MAX || sim->done[i] < sim->done[first])) {
            first = i;
        }
    }
    return first;
}

static void arrive(struct sim *sim, struct request *req)
{
    req->item.level = BUS_QUEUE_NORMAL;
    req->item.since = req->arrival;
    expire(sim);
    if (admit(sim)) {
        bus_queue_append(&sim->queue, &req->item);
    } else {
        req->refused = sim->now;
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double quantile(const uint64_t *sorted, uint32_t n, uint32_t percent)
{
    return n ? (double)sorted[(uint64_t)n * percent / 100] : 0;
}

static void sum_up(const struct sim *sim, struct sim_queue_result *result)
{
    const struct sim_queue_setup *setup = sim->setup;
    uint64_t *good = calloc(setup->requests, sizeof(*good)),
             *refused = calloc(setup->requests, sizeof(*refused));
    uint32_t goods = 0, refusals = 0;
    double came = setup->requests, able;

    assert(good && refused);
    for (uint32_t i = 0; i < setup->requests; i++) {
        const struct request *req = &sim->requests[i];
        if (req->refused) {
            refused[refusals++] = req->refused - req->arrival;
        } else if (req->answered - req->arrival <= setup->patience) {
            good[goods++] = req->answered - req->arrival;
        }
    }
    qsort(good, goods, sizeof(*good), by_size);
    qsort(refused, refusals, sizeof(*refused), by_size);
    able = (double)sim->now / (double)setup->service * setup->workers;
    *result = (struct sim_queue_result){.goodput = goods / (came < able ? came : able),
                                        .wasted = (double)sim->wasted / (double)sim->worked,
                                        .p50 = quantile(good, goods, 50),
                                        .p99 = quantile(good, goods, 99),
                                        .refused = refusals / came,
                                        .refused_p50 = quantile(refused, refusals, 50),
                                        .refused_p99 = quantile(refused, refusals, 99)};
    free(good);
    free(refused);
}

void sim_queue_run(const struct sim_queue_setup *setup, enum sim_queue_policy policy,
                   struct sim_queue_result *result)
{
    struct sim sim = {.setup = setup, .policy = policy};
    uint32_t arrived = 0;
    unsigned place;

    bus_queue_init(&sim.queue, &sim.total);
    sim.requests = calloc(setup->requests, sizeof(*sim.requests));
    assert(sim.requests && setup->workers <= WORKERS_MAX);
    draw(&sim);
    while ((place = first_done(&sim)) < WORKERS_MAX || arrived < setup->requests) {
        struct request *req = arrived < setup->requests ? &sim.requests[arrived] : NULL;
        if (place == WORKERS_MAX || (req && req->arrival < sim.done[place])) {
            sim.now = req->arrival;
            arrive(&sim, req);
            arrived++;
        } else {
            sim.now = sim.done[place];
            finish(&sim, place);
        }
        dispatch(&sim);
    }
    sum_up(&sim, result);
    free(sim.requests);
}
