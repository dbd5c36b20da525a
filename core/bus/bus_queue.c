/*
 * What waits for a worker. Runs in the bus; pure.
 */
#include "bus/bus_queue.h"

#define ITEM(link_) LIST_ENTRY(link_, struct bus_queue_item, link)

/* A normal one may have to wait for a low one, too; of a high one's first two others are a low and a normal one. */
const unsigned bus_queue_one_in[BUS_QUEUE_LEVELS] = {BUS_QUEUE_PATIENCE_LOW + 1,
                                                     BUS_QUEUE_PATIENCE_NORMAL + 2, 3};

void bus_queue_init(struct bus_queue *q, struct bus_queue_sum *total)
{
    *q = (struct bus_queue){.total = total};
    for (int level = 0; level < BUS_QUEUE_LEVELS; level++) {
        list_init(&q->lanes[level].returned);
        list_init(&q->lanes[level].fresh);
    }
}

static void count_in(struct bus_queue_sum *sum, const struct bus_queue_item *item)
{
    sum->count++;
    sum->bytes += item->bytes;
    sum->levels[item->level].count++;
    sum->levels[item->level].bytes += item->bytes;
}

static void count_out(struct bus_queue_sum *sum, const struct bus_queue_item *item)
{
    sum->count--;
    sum->bytes -= item->bytes;
    sum->levels[item->level].count--;
    sum->levels[item->level].bytes -= item->bytes;
}

static void enter(struct bus_queue *q, struct bus_queue_item *item, struct list *where)
{
    list_insert(where, &item->link);
    count_in(&q->sum, item);
    count_in(q->total, item);
}

void bus_queue_append(struct bus_queue *q, struct bus_queue_item *item)
{
    item->returned = false;
    enter(q, item, q->lanes[item->level].fresh.prev);
}

void bus_queue_return(struct bus_queue *q, struct bus_queue_item *item)
{
    item->returned = true;
    enter(q, item, &q->lanes[item->level].returned);
}

void bus_queue_remove(struct bus_queue *q, struct bus_queue_item *item)
{
    list_remove(&item->link);
    count_out(&q->sum, item);
    count_out(q->total, item);
    if (q->sum.levels[item->level].count == 0) {
        q->lanes[item->level].passed = 0;
    }
}

void bus_queue_sent(struct bus_queue *q, struct bus_queue_item *item)
{
    bus_queue_remove(q, item);
    for (int level = 0; level < BUS_QUEUE_HIGH; level++) {
        q->lanes[level].passed += q->sum.levels[level].count > 0;
    }
    q->lanes[item->level].passed = 0;
}

static struct bus_queue_item *first_of(const struct bus_queue_lane *lane)
{
    const struct list *from = list_empty(&lane->returned) ? &lane->fresh : &lane->returned;
    return ITEM(from->next);
}

struct bus_queue_item *bus_queue_next(const struct bus_queue *q)
{
    static const unsigned patience[] = {BUS_QUEUE_PATIENCE_LOW, BUS_QUEUE_PATIENCE_NORMAL};

    if (q->sum.count == 0) {
        return NULL;
    }
    for (int level = 0; level < BUS_QUEUE_HIGH; level++) {
        if (q->lanes[level].passed >= patience[level]) {
            return first_of(&q->lanes[level]);
        }
    }
    for (int level = BUS_QUEUE_HIGH; level > 0; level--) {
        if (q->sum.levels[level].count > 0) {
            return first_of(&q->lanes[level]);
        }
    }
    return first_of(&q->lanes[0]);
}

struct bus_queue_item *bus_queue_after(const struct bus_queue *q, const struct bus_queue_item *item)
{
    int level = item ? (int)item->level : BUS_QUEUE_HIGH;

    if (item) {
        const struct bus_queue_lane *lane = &q->lanes[level];
        const struct list *next = item->link.next;
        if (next == &lane->returned) {
            next = lane->fresh.next;
        }
        if (next != &lane->fresh) {
            return ITEM(next);
        }
        level--;
    }
    for (; level >= 0; level--) {
        if (q->sum.levels[level].count > 0) {
            return first_of(&q->lanes[level]);
        }
    }
    return NULL;
}

static void keep_older(struct bus_queue_item **found, const struct list *head, const struct list *link)
{
    if (link != head && (!*found || ITEM(link)->since < (*found)->since)) {
        *found = ITEM(link);
    }
}

struct bus_queue_item *bus_queue_oldest(const struct bus_queue *q)
{
    struct bus_queue_item *found = NULL;

    for (int level = 0; level < BUS_QUEUE_LEVELS; level++) {
        const struct bus_queue_lane *lane = &q->lanes[level];
        keep_older(&found, &lane->returned, lane->returned.prev);
        keep_older(&found, &lane->fresh, lane->fresh.next);
    }
    return found;
}

struct bus_queue_item *bus_queue_last(const struct bus_queue *q, enum bus_queue_level level)
{
    const struct list *fresh = &q->lanes[level].fresh;
    return list_empty(fresh) ? NULL : ITEM(fresh->prev);
}

bool bus_queue_is_over(const struct bus_queue_sum *sum, enum bus_queue_level level, uint64_t count,
                       uint64_t bytes)
{
    return (sum->count > count && sum->levels[level].count > count / BUS_QUEUE_KEPT) ||
           (sum->bytes > bytes && sum->levels[level].bytes > bytes / BUS_QUEUE_KEPT);
}

size_t bus_queue_count_from(const struct bus_queue_sum *sum, enum bus_queue_level level)
{
    size_t count = 0;

    for (; level < BUS_QUEUE_LEVELS; level++) {
        count += sum->levels[level].count;
    }
    return count;
}

size_t bus_queue_bytes_from(const struct bus_queue_sum *sum, enum bus_queue_level level)
{
    size_t bytes = 0;

    for (; level < BUS_QUEUE_LEVELS; level++) {
        bytes += sum->levels[level].bytes;
    }
    return bytes;
}
