/*
 * The table of quarantine. Runs in the bus. What a bus that crashed, or whose modules wrote where they should not, has left may be
 * anything: texts are ended, and an entry that is torn is none.
 */
#include "role/role_quarantine.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/text.h"

#define WRITE_LIMIT_NS CLOCK_NS_PER_S

void role_quarantine_init(struct role_quarantine *table)
{
    if (getrandom(table->key, sizeof(table->key), 0) != (ssize_t)sizeof(table->key)) {
        table->key[0] = clock_now(); /* no secret, but another one each time */
    }
}

static bool is_held(uint64_t word, uint64_t now)
{
    return word % 2 == 0 && word > now;
}

static void end_texts(struct role_quarantine_entry *entry)
{
    struct {
        char *text;
        size_t size;
    } texts[] = {{entry->id, sizeof(entry->id)},
                 {entry->build, sizeof(entry->build)},
                 {entry->handler, sizeof(entry->handler)},
                 {entry->method, sizeof(entry->method)},
                 {entry->path, sizeof(entry->path)}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        texts[i].text[texts[i].size - 1] = '\0';
        text_clean(texts[i].text);
    }
}

/* false: nothing is held there, or it is being written right now. */
static bool read_slot(const struct role_quarantine_slot *slot, uint64_t now,
                      struct role_quarantine_entry *entry)
{
    uint64_t before = atomic_load_explicit(&slot->word, memory_order_acquire);

    if (!is_held(before, now)) {
        return false;
    }
    *entry = slot->entry;
    atomic_thread_fence(memory_order_acquire);
    end_texts(entry);
    return atomic_load_explicit(&slot->word, memory_order_relaxed) == before;
}

static bool is_same(const struct role_quarantine_entry *a, uint64_t fingerprint, const char *build)
{
    return a->fingerprint == fingerprint && strncmp(a->build, build, sizeof(a->build)) == 0;
}

/* The slot that is to hold it: that of the same kind, or the first that is free, or will be; NULL: another bus writes them
 * all. `*word` is what it shows. */
static struct role_quarantine_slot *find_room(struct role_quarantine *table,
                                              const struct role_quarantine_entry *entry, uint64_t now,
                                              uint64_t *word)
{
    struct role_quarantine_slot *best = NULL;

    for (struct role_quarantine_slot *slot = table->slots; slot < table->slots + ROLE_QUARANTINE_MAX;
         slot++) {
        uint64_t shown = atomic_load(&slot->word);
        if (shown % 2 == 1 && now - shown < WRITE_LIMIT_NS) {
            continue;
        }
        if (shown % 2 == 0 && shown > 0 && is_same(&slot->entry, entry->fingerprint, entry->build)) {
            *word = shown;
            return slot;
        }
        if (!best || shown < *word) {
            best = slot;
            *word = shown;
        }
    }
    return best;
}

void role_quarantine_add(struct role_quarantine *table, const struct role_quarantine_entry *entry,
                         uint64_t now)
{
    uint64_t word = 0, until = entry->until & ~UINT64_C(1);
    struct role_quarantine_slot *slot = find_room(table, entry, now, &word);
    struct role_quarantine_entry before;

    if (!slot || !atomic_compare_exchange_strong(&slot->word, &word, now | 1)) {
        return; /* its next victims will bring it here */
    }
    before = slot->entry;
    slot->entry = *entry;
    if (word > 0 && word % 2 == 0 && is_same(&before, entry->fingerprint, entry->build)) {
        slot->entry.first = before.first;
        slot->entry.deaths += before.deaths;
    }
    slot->entry.until = until;
    atomic_store_explicit(&slot->word, until, memory_order_release);
    atomic_fetch_add(&table->added, 1);
}

bool role_quarantine_holds(struct role_quarantine *table, uint64_t fingerprint, const char *build,
                           uint64_t now)
{
    struct role_quarantine_entry entry;
    uint64_t added = atomic_load(&table->added);
    bool empty = true;

    for (size_t i = 0; i < ROLE_QUARANTINE_MAX; i++) {
        if (read_slot(&table->slots[i], now, &entry)) {
            if (is_same(&entry, fingerprint, build)) {
                return true;
            }
            empty = false;
        }
    }
    if (empty) {
        atomic_compare_exchange_strong(&table->added, &added, 0); /* unless one came meanwhile */
    }
    return false;
}

unsigned role_quarantine_list(const struct role_quarantine *table, uint64_t now,
                              struct role_quarantine_entry list[ROLE_QUARANTINE_MAX])
{
    unsigned count = 0;

    for (size_t i = 0; i < ROLE_QUARANTINE_MAX; i++) {
        count += read_slot(&table->slots[i], now, &list[count]);
    }
    return count;
}

unsigned role_quarantine_release(struct role_quarantine *table, uint64_t fingerprint, uint64_t now)
{
    unsigned count = 0;

    for (size_t i = 0; i < ROLE_QUARANTINE_MAX; i++) {
        struct role_quarantine_slot *slot = &table->slots[i];
        uint64_t word = atomic_load(&slot->word);
        if (is_held(word, now) && (fingerprint == 0 || slot->entry.fingerprint == fingerprint)) {
            count += atomic_compare_exchange_strong(&slot->word, &word, 0);
        }
    }
    return count;
}
