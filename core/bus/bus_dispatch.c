/*
 * Dispatch. Runs in the bus; pure.
 */
#include "bus/bus_dispatch.h"

#include <lpm/module.h>
#include <stdlib.h>

#define NOT_THERE UINT32_MAX
#define NONE      UINT32_MAX

/* Places below one in the heap. */
#define WAYS 4u

/* Bits of the rank, above the number of requests before it. */
#define RANK_FAILING (UINT64_C(1) << 42)
#define RANK_HOT     (UINT64_C(1) << 41)
#define RANK_LOADED  (UINT64_C(1) << 40)

/* How a key is packed: its parts, from the highest. */
#define AHEAD_BITS  17
#define RANK_BITS   (3 + AHEAD_BITS)
#define TURN_BITS   46
#define AHEAD_MAX   ((UINT64_C(1) << AHEAD_BITS) - 1)
#define FAILING_BIT (UINT64_C(1) << 63)
#define SCORE_MAX   ((UINT64_C(1) << 62) - 1)
#define TURN_MAX    ((UINT64_C(1) << TURN_BITS) - 1)

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
    uint64_t most = SCORE_MAX / 2, before = bus_load_ahead(load) + UINT64_C(1);

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

/* The three flags and 17 bits of what is before a request, 62 bits of the score, 46 of the turn. What is more than fits counts as
 * the most that does; turns begin again after two years of a million in a second, when some equals change places once. */
static struct bus_dispatch_node pack(const struct bus_dispatch_key *key, uint32_t place)
{
    uint64_t ahead = key->rank & (RANK_LOADED - 1), rank = key->rank / RANK_LOADED << AHEAD_BITS;
    uint64_t score = key->score < SCORE_MAX ? key->score : SCORE_MAX;

    rank |= ahead < AHEAD_MAX ? ahead : AHEAD_MAX;
    return (struct bus_dispatch_node){.high = rank << (64 - RANK_BITS) | score >> (64 - TURN_BITS),
                                      .low = score << TURN_BITS | (key->turn & TURN_MAX),
                                      .place = place};
}

/* Without a jump: which of two it is cannot be foreseen. */
static bool is_before(const struct bus_dispatch_node *a, const struct bus_dispatch_node *b)
{
    return (a->high < b->high) | ((a->high == b->high) & (a->low < b->low));
}

/* -- The heap ----------------------------------------------------------------------------------------- */

int bus_dispatch_init(struct bus_dispatch *d, enum conf_dispatch policy, size_t room)
{
    /* Pages that are never touched cost nothing. */
    *d = (struct bus_dispatch){.pool.policy = policy, .room = room, .changed = NONE};
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

static void put(struct bus_dispatch *d, uint32_t position, const struct bus_dispatch_node *node)
{
    d->heap[position] = *node;
    d->entries[node->place].position = position;
}

static uint32_t first_of(const struct bus_dispatch *d, uint32_t a, uint32_t b)
{
    return is_before(&d->heap[b], &d->heap[a]) ? b : a;
}

/* The first of those below `position`, of which there is one at least. */
static uint32_t first_below(const struct bus_dispatch *d, uint32_t position)
{
    uint32_t first = WAYS * position + 1;

    if (first + WAYS <= d->heap_count) {
        return first_of(d, first_of(d, first, first + 1), first_of(d, first + 2, first + 3));
    }
    for (uint32_t i = first + 1; i < d->heap_count; i++) {
        first = first_of(d, first, i);
    }
    return first;
}

/* Puts `node` at `position`, or where it has to be above or below it. */
static void sift(struct bus_dispatch *d, uint32_t position, const struct bus_dispatch_node *node)
{
    while (position > 0 && is_before(node, &d->heap[(position - 1) / WAYS])) {
        put(d, position, &d->heap[(position - 1) / WAYS]);
        position = (position - 1) / WAYS;
    }
    while (WAYS * position + 1 < d->heap_count) {
        uint32_t below = first_below(d, position);
        if (!is_before(&d->heap[below], node)) {
            break;
        }
        put(d, position, &d->heap[below]);
        position = below;
    }
    put(d, position, node);
}

static void take_out(struct bus_dispatch *d, uint32_t place)
{
    uint32_t position = d->entries[place].position;
    struct bus_dispatch_node last = d->heap[--d->heap_count];

    d->entries[place].position = NOT_THERE;
    if (last.place != place) {
        sift(d, position, &last);
    }
}

static void rekey(struct bus_dispatch *d, uint32_t place)
{
    uint32_t position = d->entries[place].position;
    struct bus_dispatch_key key;

    if (bus_dispatch_key(&d->pool, &d->loads[place], &key)) {
        struct bus_dispatch_node node = pack(&key, place);
        if (position == NOT_THERE) {
            sift(d, d->heap_count++, &node);
        } else if (d->heap[position].high != node.high || d->heap[position].low != node.low) {
            sift(d, position, &node);
        }
    } else if (position != NOT_THERE) {
        take_out(d, place);
    }
}

static void settle(struct bus_dispatch *d)
{
    if (d->changed != NONE) {
        rekey(d, d->changed);
        d->changed = NONE;
    }
}

static void rekey_all(struct bus_dispatch *d)
{
    d->changed = NONE;
    for (size_t i = 0; i < d->count; i++) {
        rekey(d, (uint32_t)i);
    }
}

/* -- What is known of the pool ------------------------------------------------------------------------ */

/* Most often nothing is new but what it has in flight. */
static bool is_as_before(const struct bus_dispatch_entry *entry, const struct bus_load *load)
{
    return entry->serving && load->serving && entry->failures == load->failures &&
           entry->failing == load->failing;
}

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

/* Counts it anew: does that change what is held against those that fail? */
static bool recount(struct bus_dispatch *d, size_t place)
{
    bool before = d->pool.all_fail;

    for (; d->count <= place; d->count++) {
        d->entries[d->count].position = NOT_THERE;
    }
    count_in(d, &d->entries[place], &d->loads[place]);
    d->pool.all_fail = d->failing * 2 > d->serving;
    return d->pool.all_fail != before;
}

void bus_dispatch_update(struct bus_dispatch *d, size_t place)
{
    const struct bus_load *load = &d->loads[place];
    struct bus_dispatch_entry *entry = &d->entries[place];

    if (is_as_before(entry, load)) {
        d->in_flight += (uint64_t)load->in_flight - entry->in_flight;
        entry->in_flight = load->in_flight;
    } else if (recount(d, place)) {
        rekey_all(d);
        return;
    }
    if (d->changed != place) {
        settle(d);
        d->changed = (uint32_t)place;
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

/* One that fails, and is in the heap as such, waits for the end of its time. */
static bool is_due(const struct bus_dispatch *d, const struct bus_dispatch_node *node, uint64_t now)
{
    const struct bus_load *load = &d->loads[node->place];
    return (node->high & FAILING_BIT) == 0 || load->probe_at <= now;
}

static int pick_for_socket(const struct bus_dispatch *d, uint64_t now)
{
    const struct bus_dispatch_node *best = NULL;

    for (const struct bus_dispatch_node *node = d->heap; node < d->heap + d->heap_count; node++) {
        uint32_t sockets = d->loads[node->place].sockets;
        if (!is_due(d, node, now)) {
            continue;
        }
        if (!best || sockets < d->loads[best->place].sockets ||
            (sockets == d->loads[best->place].sockets && is_before(node, best))) {
            best = node;
        }
    }
    return best ? (int)best->place : -1;
}

/* Is the one that changed the only one that might have a request, and may it have one still? Then its key does not matter yet. */
static bool is_alone(const struct bus_dispatch *d)
{
    const struct bus_load *load;

    if (d->heap_count != 1 || d->heap[0].place != d->changed) {
        return false;
    }
    load = &d->loads[d->changed];
    return !load->failing && may_have(d->pool.policy, load);
}

int bus_dispatch_pick(struct bus_dispatch *d, uint64_t now, bool socket)
{
    if (is_alone(d)) {
        return (int)d->changed;
    }
    settle(d);
    if (socket) {
        return pick_for_socket(d, now);
    }
    /* Of those that fail, which come last, the first is the first that is due. */
    return d->heap_count > 0 && is_due(d, &d->heap[0], now) ? (int)d->heap[0].place : -1;
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
