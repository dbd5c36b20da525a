/*
 * Quarantine. Runs in the bus. The list is shared memory that outlives the bus (role_quarantine.h); a master without memory
 * for it has none, and then nothing is held.
 */
#include "bus/bus_quarantine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/siphash.h"
#include "bus/bus_worker.h"

/* So much of a payload counts, and its length: the bus has no time for more. */
#define PAYLOAD_MAX (64u * 1024)

#define PAUSE_NS CLOCK_NS_PER_S

void bus_quarantine_name_build(const struct bus *bus, struct lpm_handler *handler)
{
    const char *build = bus->loader.modules[handler->index].build;

    if (build[0]) {
        memcpy(handler->build, build, sizeof(handler->build));
    } else {
        snprintf(handler->build, sizeof(handler->build), "generation %u", bus->start->generation);
    }
}

/* Each part is the key of the next one's hash, so that none can be moved over into another. */
static void mix(uint64_t key[2], const void *bytes, size_t len)
{
    uint64_t hash = siphash(key, bytes, len);

    key[0] ^= hash;
    key[1] += len;
}

/* What requests are told apart by. */
struct likeness {
    const struct lpm_handler *handler;
    lpm_slice method, path, data;
};

static struct likeness of_request(const struct bus_request *req)
{
    lpm_slice headers = {req->payload, req->headers_len};

    return (struct likeness){.handler = req->handler,
                             .method = frame_header_find(headers, ":method"),
                             .path = frame_header_find(headers, ":path"),
                             .data = {req->payload + req->headers_len, req->data_len}};
}

static struct likeness of_spec(const lpm_enqueue *spec)
{
    struct likeness like = {.handler = spec->handler, .data = {spec->data, spec->len}};

    for (size_t i = spec->header_count; i-- > 0;) { /* the first of a name counts, as above */
        const lpm_header *h = &spec->headers[i];
        if (lpm_slice_is(h->name, ":method")) {
            like.method = h->value;
        } else if (lpm_slice_is(h->name, ":path")) {
            like.path = h->value;
        }
    }
    return like;
}

static uint64_t fingerprint(const struct bus *bus, const struct likeness *like)
{
    const struct role_quarantine *table = bus->start->quarantine;
    uint64_t key[2] = {table->key[0], table->key[1]};

    mix(key, like->handler->name, strlen(like->handler->name));
    mix(key, like->method.data, like->method.len);
    mix(key, like->path.data, like->path.len);
    mix(key, like->data.data, like->data.len < PAYLOAD_MAX ? like->data.len : PAYLOAD_MAX);
    key[1] += like->data.len;
    mix(key, "", 0);
    return key[0] ? key[0] : 1;
}

/* Cut to its room; a path without its query, which may hold secrets. */
static void copy(char *to, size_t size, lpm_slice text)
{
    size_t len = 0;

    while (len < text.len && len + 1 < size && text.data[len] != '?') {
        len++;
    }
    for (size_t i = 0; i < len; i++) {
        to[i] = text.data[i] >= ' ' && text.data[i] <= '~' ? text.data[i] : '?';
    }
    to[len] = '\0';
}

static void describe(const struct bus *bus, const struct bus_request *req,
                     struct role_quarantine_entry *entry)
{
    int64_t limit = bus->start->core->quarantine;
    struct likeness like = of_request(req);
    uint64_t now = clock_now();

    memset(entry, 0, sizeof(*entry));
    entry->fingerprint = fingerprint(bus, &like);
    entry->first = entry->last = now;
    entry->until = limit == LPM_NONE ? UINT64_MAX - 1 : now + (uint64_t)limit * CLOCK_NS_PER_MS;
    entry->deaths = req->kills;
    memcpy(entry->id, req->id, sizeof(entry->id));
    memcpy(entry->build, req->handler->build, sizeof(entry->build));
    copy(entry->handler, sizeof(entry->handler), lpm_slice_of(req->handler->name));
    copy(entry->method, sizeof(entry->method), like.method);
    copy(entry->path, sizeof(entry->path), like.path);
}

void bus_quarantine_add(struct bus *bus, const struct bus_request *req)
{
    struct role_quarantine_entry entry;
    char how_long[48] = "until it is released";

    if (!bus->start->quarantine || bus->start->core->quarantine == 0) {
        log_write(bus->log, LPM_LOG_ERROR, "request %s of module \"%s\" has killed %u workers: given up",
                  req->id, req->handler->name, req->kills);
        return;
    }
    describe(bus, req, &entry);
    if (bus->start->core->quarantine != LPM_NONE) {
        snprintf(how_long, sizeof(how_long), "for %g s", (double)bus->start->core->quarantine / 1000);
    }
    role_quarantine_add(bus->start->quarantine, &entry, entry.last);
    log_write(bus->log, LPM_LOG_ERROR,
              "request %s of module \"%s\" (%s%s%s) has killed %u workers: its like are in quarantine as "
              "%016llx %s",
              req->id, req->handler->name, entry.method[0] ? entry.method : "by its payload",
              entry.path[0] ? " " : "", entry.path, req->kills, (unsigned long long)entry.fingerprint,
              how_long);
}

bool bus_quarantine_look(struct bus *bus, const lpm_enqueue *spec, const char *id)
{
    struct likeness like = of_spec(spec);
    uint64_t now = clock_now(), print = fingerprint(bus, &like);

    if (!role_quarantine_holds(bus->start->quarantine, print, spec->handler->build, now)) {
        return false;
    }
    bus->quarantine_refused++;
    if (now >= bus->quarantine_next) {
        log_write(bus->log, LPM_LOG_WARN,
                  "request %s of module \"%s\" is refused: in quarantine as %016llx; that makes %llu", id,
                  spec->handler->name, (unsigned long long)print,
                  (unsigned long long)bus->quarantine_refused);
        bus->quarantine_next = now + PAUSE_NS;
    }
    return true;
}

static bool is_ours(const struct bus *bus, const struct role_quarantine_entry *entry)
{
    for (size_t i = 0; i < bus->handler_count; i++) {
        if (strcmp(bus->handlers[i].name, entry->handler) == 0 &&
            strcmp(bus->handlers[i].build, entry->build) == 0) {
            return true;
        }
    }
    return false;
}

unsigned bus_quarantine_list(const struct bus *bus, struct role_quarantine_entry list[ROLE_QUARANTINE_MAX])
{
    const struct role_quarantine *table = bus->start->quarantine;
    unsigned count = table ? role_quarantine_list(table, clock_now(), list) : 0, kept = 0;

    for (unsigned i = 0; i < count; i++) {
        if (is_ours(bus, &list[i])) {
            list[kept++] = list[i];
        }
    }
    return kept;
}

int bus_quarantine_release(struct bus *bus, const char *which)
{
    uint64_t print = 0;
    unsigned count;
    char *end = NULL;

    if (strcmp(which, "all") != 0) {
        print = strtoull(which, &end, 16);
        if (end == which || *end != '\0' || print == 0) {
            return LPM_EINVAL;
        }
    }
    count = bus->start->quarantine ? role_quarantine_release(bus->start->quarantine, print, clock_now()) : 0;
    if (count > 0) {
        log_write(bus->log, LPM_LOG_NOTICE, "%u kinds of requests are released from quarantine", count);
    }
    return (int)count;
}
