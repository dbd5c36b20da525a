/*
 * A pool on a virtual clock. One process, no I/O: a heap of events. What is random is drawn before from streams of its own, so
 * that each policy meets the same requests, and the same freezes.
 */
#include "sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bus_dispatch.h"
#include "sim_random.h"

#define US          UINT64_C(1000)
#define MIB         (UINT64_C(1) << 20)
#define HOP         (25 * US) /* a wake-up of a process on another processor */
#define LIMIT       (256 * MIB)
#define LEAK        MIB
#define BASE        (32 * MIB)
#define RESTART     (50 * CLOCK_NS_PER_MS)
#define FREEZE      (200 * CLOCK_NS_PER_MS)
#define FREEZE_EACH (2 * CLOCK_NS_PER_S)
#define SLOWER      10
#define FAILS_IN    (20 * US)
#define LOOK_EVERY  64
#define QUEUE_LIMIT (64 * SIM_WORKERS)
#define NONE        UINT32_MAX

/* The place of each antagonist. */
enum { LEAKS = SIM_WORKERS - 4, SLOW, FREEZES, FAILS };

const char *const sim_names[SIM_POLICIES] = {"least_pressure", "least_loaded", "prequal", "round_robin",
                                             "random",         "two_choices",  "ideal"};

struct request {
    uint64_t arrival, work, sent, told; /* told 0: refused, or failed */
    uint32_t next;                      /* in its queue */
};

struct queue {
    uint32_t first, last;
    uint32_t length;
};

enum event_kind { ARRIVES, DELIVERED, DONE, TOLD, UP };

struct event {
    uint64_t at, order;
    enum event_kind kind;
    uint32_t worker, request;
};

struct worker {
    struct queue queue;
    uint32_t running;         /* a request, or NONE */
    uint32_t in_flight, sent; /* as the bus counts; and of these, on their way */
    bool leaving, absent;
    uint64_t memory, last_event;
    unsigned answered;
};

struct sim {
    const struct sim_setup *setup;
    enum sim_policy policy;
    uint64_t now, order, random;
    struct request *requests;
    struct event *events;
    size_t event_count, event_room;
    struct worker workers[SIM_WORKERS];
    struct queue queue;
    uint64_t *freezes; /* when they begin */
    size_t freeze_count;
    struct bus_dispatch dispatch;
    struct sim_result *result;
    uint32_t refused, failed;
};

/* -- Chance ------------------------------------------------------------------------------------------- */

/* How many requests a ns the pool can answer well. */
static double capacity(const struct sim_setup *setup)
{
    double workers = SIM_WORKERS;

    if (setup->antagonists) {
        workers += -1 - 1 + 1.0 / SLOWER - (double)FREEZE / (double)(FREEZE + FREEZE_EACH);
    }
    return workers / (double)setup->service;
}

static void draw_requests(struct sim *sim)
{
    const struct sim_setup *setup = sim->setup;
    uint64_t seed = setup->seed, other = setup->seed ^ 1;
    double gap = 100.0 / setup->percent / capacity(setup), at = 0;
    double half = 20.0 * (double)setup->service * SIM_WORKERS / 10;

    for (uint32_t i = 0; i < setup->requests; i++) {
        double rate = !setup->bursty ? 1 : (uint64_t)(at / half) % 2 == 0 ? 1.5 : 0.5;
        at += sim_random_exponential(&seed) * gap / rate;
        sim->requests[i].arrival = (uint64_t)at;
        sim->requests[i].work = 1 + (uint64_t)(sim_random_exponential(&other) * (double)setup->service);
    }
}

static void draw_freezes(struct sim *sim)
{
    uint64_t seed = sim->setup->seed ^ 2, end = sim->requests[sim->setup->requests - 1].arrival * 2, at = 0;

    while (at < end) {
        at += (uint64_t)(sim_random_exponential(&seed) * (double)FREEZE_EACH);
        sim->freezes = realloc(sim->freezes, (sim->freeze_count + 1) * sizeof(*sim->freezes));
        assert(sim->freezes);
        sim->freezes[sim->freeze_count++] = at;
        at += FREEZE;
    }
}

/* -- Events ------------------------------------------------------------------------------------------- */

static bool is_earlier(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void plan(struct sim *sim, uint64_t at, enum event_kind kind, uint32_t worker, uint32_t request)
{
    struct event event = {at, sim->order++, kind, worker, request};
    size_t i = sim->event_count++;

    if (i == sim->event_room) {
        sim->event_room = sim->event_room ? sim->event_room * 2 : 1024;
        sim->events = realloc(sim->events, sim->event_room * sizeof(*sim->events));
        assert(sim->events);
    }
    for (; i > 0 && is_earlier(&event, &sim->events[(i - 1) / 2]); i = (i - 1) / 2) {
        sim->events[i] = sim->events[(i - 1) / 2];
    }
    sim->events[i] = event;
}

static struct event take(struct sim *sim)
{
    struct event first = sim->events[0], last = sim->events[--sim->event_count];
    size_t i = 0;

    for (size_t child = 1; child < sim->event_count; child = 2 * i + 1) {
        if (child + 1 < sim->event_count && is_earlier(&sim->events[child + 1], &sim->events[child])) {
            child++;
        }
        if (!is_earlier(&sim->events[child], &last)) {
            break;
        }
        sim->events[i] = sim->events[child];
        i = child;
    }
    sim->events[i] = last;
    return first;
}

static void push(struct sim *sim, struct queue *queue, uint32_t request)
{
    sim->requests[request].next = NONE;
    if (queue->length++ == 0) {
        queue->first = request;
    } else {
        sim->requests[queue->last].next = request;
    }
    queue->last = request;
}

static uint32_t pop(struct sim *sim, struct queue *queue)
{
    uint32_t request = queue->first;
    queue->first = sim->requests[request].next;
    queue->length--;
    return request;
}

/* -- Workers ------------------------------------------------------------------------------------------ */

static bool is(const struct sim *sim, uint32_t worker, uint32_t antagonist)
{
    return sim->setup->antagonists && worker == antagonist;
}

/* When so much work, begun now, is done. */
static uint64_t end_of(const struct sim *sim, uint32_t worker, uint64_t work)
{
    uint64_t at = sim->now;

    if (is(sim, worker, SLOW)) {
        work *= SLOWER;
    } else if (is(sim, worker, FAILS)) {
        work = FAILS_IN;
    }
    if (is(sim, worker, FREEZES)) {
        for (size_t i = 0; i < sim->freeze_count && sim->freezes[i] < at + work; i++) {
            uint64_t begin = sim->freezes[i];
            if (begin + FREEZE > at) {
                work -= begin > at ? begin - at : 0; /* done before it */
                at = begin + FREEZE;
            }
        }
    }
    return at + work;
}

static void start_next(struct sim *sim, uint32_t place)
{
    struct worker *w = &sim->workers[place];

    if (w->running == NONE && w->queue.length > 0) {
        w->running = pop(sim, &w->queue);
        plan(sim, end_of(sim, place, sim->requests[w->running].work), DONE, place, w->running);
    }
}

static void on_done(struct sim *sim, uint32_t place, uint32_t request)
{
    struct worker *w = &sim->workers[place];
    uint64_t all = 0;

    w->running = NONE;
    w->memory += is(sim, place, LEAKS) ? LEAK : 0;
    for (uint32_t i = 0; i < SIM_WORKERS; i++) {
        all += sim->workers[i].memory;
    }
    if (all > sim->result->peak_memory) {
        sim->result->peak_memory = all;
    }
    plan(sim, sim->now + (sim->policy == SIM_IDEAL ? 0 : HOP), TOLD, place, request);
    start_next(sim, place);
}

/* -- The bus ------------------------------------------------------------------------------------------ */

static void send(struct sim *sim, uint32_t place, uint32_t request)
{
    sim->requests[request].sent = sim->now;
    sim->workers[place].in_flight++;
    sim->workers[place].sent++;
    plan(sim, sim->now + (sim->policy == SIM_IDEAL ? 0 : HOP), DELIVERED, place, request);
}

/* The one with the least work before it for its speed, if it is idle. */
static int pick_ideal(const struct sim *sim)
{
    int best = -1;

    for (uint32_t i = 0; i < SIM_WORKERS; i++) {
        const struct worker *w = &sim->workers[i];
        if (w->in_flight > 0 || w->leaving || w->absent || is(sim, i, FAILS)) {
            continue;
        }
        if (best < 0 ||
            end_of(sim, i, sim->setup->service) < end_of(sim, (uint32_t)best, sim->setup->service)) {
            best = (int)i;
        }
    }
    return best;
}

static uint32_t any_present(struct sim *sim)
{
    uint32_t place;

    do {
        place = (uint32_t)(sim_random(&sim->random) % SIM_WORKERS);
    } while (sim->workers[place].leaving || sim->workers[place].absent);
    return place;
}

/* As the bus does it: from the boards of all. */
static int pick_as_the_bus(struct sim *sim)
{
    struct bus_dispatch *d = &sim->dispatch;

    for (uint32_t i = 0; i < SIM_WORKERS; i++) {
        const struct worker *w = &sim->workers[i];
        struct bus_load *load = &d->loads[i];
        load->serving = load->ready = !w->leaving && !w->absent;
        load->running = w->running != NONE;
        load->in_flight = w->in_flight;
        load->unstarted = w->sent + w->queue.length;
        bus_dispatch_update(d, i);
    }
    return bus_dispatch_pick(d, sim->now, false);
}

static int pick(struct sim *sim)
{
    uint32_t one, two;

    switch (sim->policy) {
    case SIM_IDEAL:
        return pick_ideal(sim);
    case SIM_RANDOM:
        return (int)any_present(sim);
    case SIM_TWO_CHOICES:
        one = any_present(sim);
        two = any_present(sim);
        return (int)(sim->workers[two].in_flight < sim->workers[one].in_flight ? two : one);
    default:
        return pick_as_the_bus(sim);
    }
}

static void dispatch(struct sim *sim)
{
    int place;

    while (sim->queue.length > 0 && (place = pick(sim)) >= 0) {
        send(sim, (uint32_t)place, pop(sim, &sim->queue));
        if (sim->policy <= SIM_ROUND_ROBIN) {
            bus_dispatch_sent(&sim->dispatch, (size_t)place, sim->now);
        }
    }
}

static void on_arrival(struct sim *sim, uint32_t request)
{
    uint32_t waiting = sim->queue.length;

    for (uint32_t i = 0; i < SIM_WORKERS; i++) {
        waiting += sim->workers[i].sent + sim->workers[i].queue.length;
    }
    if (request + 1 < sim->setup->requests) {
        plan(sim, sim->requests[request + 1].arrival, ARRIVES, 0, request + 1);
    }
    if (waiting >= QUEUE_LIMIT) {
        sim->refused++;
        return;
    }
    push(sim, &sim->queue, request);
    dispatch(sim);
}

static void look_at_memory(struct sim *sim, uint32_t place)
{
    struct worker *w = &sim->workers[place];
    struct bus_load *load = &sim->dispatch.loads[place];

    load->pressure = w->memory - BASE;
    load->seen_with = w->in_flight;
    load->hot = bus_load_is_hot(load->hot, w->memory, LIMIT);
    if (w->memory > LIMIT && !w->leaving) {
        w->leaving = true;
        sim->result->replaced++;
    }
}

static void on_told(struct sim *sim, uint32_t place, uint32_t request)
{
    struct worker *w = &sim->workers[place];
    struct request *req = &sim->requests[request];
    struct bus_load *load = &sim->dispatch.loads[place];

    w->in_flight--;
    load->service =
        bus_load_average(load->service, sim->now - (req->sent > w->last_event ? req->sent : w->last_event));
    w->last_event = sim->now;
    bus_load_answered(load, is(sim, place, FAILS), bus_dispatch_usual_failures(&sim->dispatch));
    if (is(sim, place, FAILS)) {
        sim->failed++;
    } else {
        req->told = sim->now;
    }
    if (++w->answered % LOOK_EVERY == 0) {
        look_at_memory(sim, place);
    }
    if (w->leaving && w->in_flight == 0) {
        w->leaving = false;
        w->absent = true;
        w->memory = 0;
        plan(sim, sim->now + RESTART, UP, place, NONE);
    }
    dispatch(sim);
}

static void on_event(struct sim *sim, const struct event *event)
{
    struct worker *w = &sim->workers[event->worker];

    switch (event->kind) {
    case ARRIVES:
        on_arrival(sim, event->request);
        break;
    case DELIVERED:
        w->sent--;
        push(sim, &w->queue, event->request);
        start_next(sim, event->worker);
        break;
    case DONE:
        on_done(sim, event->worker, event->request);
        break;
    case TOLD:
        on_told(sim, event->worker, event->request);
        break;
    case UP:
        w->absent = false;
        w->memory = BASE;
        bus_load_reset(&sim->dispatch.loads[event->worker]);
        dispatch(sim);
        break;
    }
}

/* -- Figures ------------------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double quantile(const uint64_t *sorted, uint32_t n, uint32_t thousandths)
{
    size_t place = (size_t)n * thousandths / 1000;
    return (double)sorted[place];
}

static void sum_up(struct sim *sim)
{
    uint32_t count = sim->setup->requests, n = 0;
    uint64_t *times = calloc(count, sizeof(*times));

    assert(times);
    for (uint32_t i = count / 20; i < count; i++) { /* the first are to fill the pool */
        if (sim->requests[i].told) {
            times[n++] = sim->requests[i].told - sim->requests[i].arrival;
        }
    }
    qsort(times, n, sizeof(*times), by_size);
    if (n > 0) {
        sim->result->p50 = quantile(times, n, 500);
        sim->result->p99 = quantile(times, n, 990);
        sim->result->p999 = quantile(times, n, 999);
    }
    sim->result->refused = (double)sim->refused / count;
    sim->result->failed = (double)sim->failed / count;
    free(times);
}

void sim_run(const struct sim_setup *setup, enum sim_policy policy, struct sim_result *result)
{
    struct sim sim = {.setup = setup, .policy = policy, .random = setup->seed ^ 3, .result = result};
    int rc;

    memset(result, 0, sizeof(*result));
    rc = bus_dispatch_init(&sim.dispatch,
                           policy <= SIM_ROUND_ROBIN ? (enum conf_dispatch)policy : CONF_LEAST_PRESSURE,
                           SIM_WORKERS);
    sim.requests = calloc(setup->requests, sizeof(*sim.requests));
    assert(rc == 0 && sim.requests);
    draw_requests(&sim);
    draw_freezes(&sim);
    for (uint32_t i = 0; i < SIM_WORKERS; i++) {
        sim.workers[i].running = NONE;
        sim.workers[i].memory = BASE;
        sim.dispatch.loads[i].concurrency = 1024;
    }
    plan(&sim, sim.requests[0].arrival, ARRIVES, 0, 0);
    while (sim.event_count > 0) {
        struct event event = take(&sim);
        sim.now = event.at;
        on_event(&sim, &event);
    }
    sum_up(&sim);
    bus_dispatch_fini(&sim.dispatch);
    free(sim.requests);
    free(sim.events);
    free(sim.freezes);
}
