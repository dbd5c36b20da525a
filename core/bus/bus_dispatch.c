/*
 * Dispatch. Runs in the bus; pure.
 */
#include "bus/bus_dispatch.h"

#include <lpm/module.h>
#include <stdlib.h>

#define NOT_THERE UINT32_MAX

/* Bits of the rank, above the number of requests before it. */
#define RANK_FAILING (UINT64_C(1) << 42)
#define RANK_HOT     (UINT64_C(1) << 41)
#define RANK_LOADED  (UINT64_C(1) << 40)

/* Prequal's bound is counted anew after so many sent, or one for each worker. */
#define SORT_EVERY 64

/* -- The order ---------------------------------------------------------------------------------------- */

static bool may_have(enum conf_dispatch policy, const struct bus_load *load)
{
    if (!load->ready || load->in_flight >= load->concurrency) {
        return false;
    }
    return policy == CONF_ROUND_ROBIN || bus_load_ahead(load) == 0 ||
           load->unstarted < bus_load_prefetch(load->service);
}

static uint64_t prequal_score(const struct bus_dispatch_pool *pool, const struct bus_load *load)
{
    uint64_t most = UINT64_MAX / 2, before = bus_load_ahead(load) + UINT64_C(1);

    if (load->in_flight > pool->in_flight) {
        return most + 1 + load->in_flight;
    }
    return load->service < most / before ? load->service * before : most;
}

bool bus_dispatch_key(const struct bus_dispatch_pool *pool, const struct bus_load *load,
                      struct bus_dispatch_key *key)
{
    bool failing = load->failing && !pool->all_fail;

    if (!may_have(pool->policy, load)) {
        return false;
    }
    *key = (struct bus_dispatch_key){0, 0, load->turn};
    if (pool->policy == CONF_ROUND_ROBIN) {
        return true;
    }
    key->rank = failing ? RANK_FAILING : load->hot ? RANK_HOT : 0;
    if (failing) {
        key->score = load->probe_at;
    } else if (pool->policy == CONF_LEAST_LOADED) {
        key->score = load->in_flight;
    } else if (pool->policy == CONF_PREQUAL) {
        key->score = prequal_score(pool, load);
    } else {
        key->rank |= (load->in_flight > 0 ? RANK_LOADED : 0) | bus_load_ahead(load);
        key->score = bus_load_expected(load);
    }
    return true;
}

static bool is_before(const struct bus_dispatch_key *a, const struct bus_dispatch_key *b)
{
    if (a->rank != b->rank) {
        return a->rank < b->rank;
    }
    if (a->score != b->score) {
        return a->score < b->score;
    }
    return a->turn < b->turn;
}

/* -- The heap ----------------------------------------------------------------------------------------- */

int bus_dispatch_init(struct bus_dispatch *d, enum conf_dispatch policy, size_t room)
{
    /* Pages that are never touched cost nothing. */
    *d = (struct bus_dispatch){.pool.policy = policy, .room = room};
    d->loads = calloc(room, sizeof(*d->loads));
    d->entries = calloc(room, sizeof(*d->entries));
    d->heap = calloc(room, sizeof(*d->heap));
    d->scratch = calloc(room, sizeof(*d->scratch));
    return d->loads && d->entries && d->heap && d->scratch ? 0 : LPM_ENOMEM;
}

void bus_dispatch_fini(struct bus_dispatch *d)
{
    free(d->loads);
    free(d->entries);
    free(d->heap);
    free(d->scratch);
}

static const struct bus_dispatch_key *key_at(const struct bus_dispatch *d, uint32_t position)
{
    return &d->entries[d->heap[position]].key;
}

static void put(struct bus_dispatch *d, uint32_t position, uint32_t place)
{
    d->heap[position] = place;
    d->entries[place].position = position;
}

/* Puts `place` at `position`, or where it has to be above or below it. */
static void sift(struct bus_dispatch *d, uint32_t position, uint32_t place)
{
    const struct bus_dispatch_key *key = &d->entries[place].key;

    while (position > 0 && is_before(key, key_at(d, (position - 1) / 2))) {
        put(d, position, d->heap[(position - 1) / 2]);
        position = (position - 1) / 2;
    }
    for (uint32_t child = 2 * position + 1; child < d->heap_count; child = 2 * position + 1) {
        if (child + 1 < d->heap_count && is_before(key_at(d, child + 1), key_at(d, child))) {
            child++;
        }
        if (!is_before(key_at(d, child), key)) {
            break;
        }
        put(d, position, d->heap[child]);
        position = child;
    }
    put(d, position, place);
}

static void take_out(struct bus_dispatch *d, uint32_t place)
{
    uint32_t position = d->entries[place].position;
    uint32_t last = d->heap[--d->heap_count];

    d->entries[place].position = NOT_THERE;
    if (last != place) {
        sift(d, position, last);
    }
}

static void rekey(struct bus_dispatch *d, uint32_t place)
{
    struct bus_dispatch_entry *entry = &d->entries[place];
    struct bus_dispatch_key key;
    bool there = entry->position != NOT_THERE;

    if (!bus_dispatch_key(&d->pool, &d->loads[place], &key)) {
        if (there) {
            take_out(d, place);
        }
        return;
    }
    if (there && !is_before(&key, &entry->key) && !is_before(&entry->key, &key)) {
        return;
    }
    entry->key = key;
    sift(d, there ? entry->position : d->heap_count++, place);
}

static void rekey_all(struct bus_dispatch *d)
{
    for (size_t i = 0; i < d->count; i++) {
        rekey(d, (uint32_t)i);
    }
}

/* -- What is known of the pool ------------------------------------------------------------------------ */

static void count_in(struct bus_dispatch *d, struct bus_dispatch_entry *entry, const struct bus_load *load)
{
    if (entry->serving) {
        d->serving--;
        d->failing -= entry->failing;
        d->failures -= entry->failures;
        d->in_flight -= entry->in_flight;
    }
    entry->serving = load->serving;
    entry->failing = load->failing;
    entry->failures = load->failures;
    entry->in_flight = load->in_flight;
    if (entry->serving) {
        d->serving++;
        d->failing += entry->failing;
        d->failures += entry->failures;
        d->in_flight += entry->in_flight;
    }
}

void bus_dispatch_update(struct bus_dispatch *d, size_t place)
{
    bool all_fail;

    for (; d->count <= place; d->count++) {
        d->entries[d->count].position = NOT_THERE;
    }
    count_in(d, &d->entries[place], &d->loads[place]);
    all_fail = d->failing * 2 > d->serving;
    if (all_fail != d->pool.all_fail) {
        d->pool.all_fail = all_fail;
        rekey_all(d);
    } else {
        rekey(d, (uint32_t)place);
    }
}

uint32_t bus_dispatch_usual_failures(const struct bus_dispatch *d)
{
    return d->serving ? (uint32_t)(d->failures / d->serving) : 0;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* How many 84 % of those that serve have in flight at the most. */
static void count_bound(struct bus_dispatch *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->count; i++) {
        if (d->loads[i].serving) {
            d->scratch[n++] = d->loads[i].in_flight;
        }
    }
    qsort(d->scratch, n, sizeof(*d->scratch), by_number);
    d->pool.in_flight = n > 0 ? d->scratch[(n - 1) * 84 / 100] : 0;
    d->sorted_at = 0;
    rekey_all(d);
}

/* -- Picking ------------------------------------------------------------------------------------------ */

static bool is_due(const struct bus_dispatch *d, uint32_t place, uint64_t now)
{
    const struct bus_dispatch_key *key = &d->entries[place].key;
    return (key->rank & RANK_FAILING) == 0 || key->score <= now;
}

static int pick_for_socket(const struct bus_dispatch *d, uint64_t now)
{
    int best = -1;

    for (uint32_t i = 0; i < d->heap_count; i++) {
        uint32_t place = d->heap[i];
        uint32_t sockets = d->loads[place].sockets;
        if (!is_due(d, place, now)) {
            continue;
        }
        if (best < 0 || sockets < d->loads[best].sockets ||
            (sockets == d->loads[best].sockets && is_before(key_at(d, i), &d->entries[best].key))) {
            best = (int)place;
        }
    }
    return best;
}

int bus_dispatch_pick(const struct bus_dispatch *d, uint64_t now, bool socket)
{
    if (socket) {
        return pick_for_socket(d, now);
    }
    /* Of those that fail, which come last, the first is the first that is due. */
    return d->heap_count > 0 && is_due(d, d->heap[0], now) ? (int)d->heap[0] : -1;
}

void bus_dispatch_sent(struct bus_dispatch *d, size_t place, uint64_t now)
{
    d->loads[place].turn = ++d->turn;
    d->loads[place].probe_at = now + BUS_PROBE_NS;
    if (d->pool.policy == CONF_PREQUAL && ++d->sorted_at >= (d->count > SORT_EVERY ? d->count : SORT_EVERY)) {
        count_bound(d);
    }
    bus_dispatch_update(d, place);
}
