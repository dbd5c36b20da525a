/*
 * The commands of the control socket. Runs in the bus; what they do goes through the public ABI, on a handle of their own.
 */
#include "bus/bus_ctl_command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/version.h"
#include "bus/bus_ctl_memory.h"
#include "bus/bus_pool.h"
#include "bus/bus_quarantine.h"
#include "bus/bus_reload.h"
#include "bus/bus_reopen.h"

#define HEADERS_MAX 100u

static struct lpm_supervisor *self(const struct bus_ctl_client *client)
{
    return &client->bus->ctl;
}

/* Bytes as text where they are UTF-8, else in base64 under the name with "_base64". */
static int set_bytes(json_t *object, const char *name, lpm_slice bytes)
{
    json_t *text = json_stringn(bytes.data, bytes.len);
    char key[64];
    char *encoded;
    int rc;

    if (text) {
        return json_object_set_new(object, name, text);
    }
    encoded = malloc(base64_size(bytes.len) + 1);
    if (!encoded) {
        return -1;
    }
    base64_encode(encoded, bytes.data, bytes.len);
    snprintf(key, sizeof(key), "%s_base64", name);
    rc = json_object_set_new(object, key, json_string(encoded));
    free(encoded);
    return rc;
}

/* The bytes under `name` or NAME_base64 (then in `*memory`, the caller's); empty if there are none. */
static int get_bytes(const json_t *object, const char *name, lpm_slice *bytes, char **memory)
{
    char key[64];
    const json_t *text = json_object_get(object, name), *encoded;

    snprintf(key, sizeof(key), "%s_base64", name);
    encoded = json_object_get(object, key);
    *memory = NULL;
    *bytes = (lpm_slice){"", 0};
    if (text) {
        *bytes = (lpm_slice){json_string_value(text), json_string_length(text)};
        return json_is_string(text) && !encoded ? 0 : LPM_EINVAL;
    }
    if (!encoded) {
        return 0;
    }
    *memory = malloc(json_string_length(encoded) + 1);
    if (!json_is_string(encoded) || !*memory ||
        base64_decode(*memory, &bytes->len, json_string_value(encoded), json_string_length(encoded)) != 0) {
        return LPM_EINVAL;
    }
    bytes->data = *memory;
    return 0;
}

/* -- health, status ----------------------------------------------------------------------------------- */

static json_t *worker_json(const lpm_health *h)
{
    static const char *const states[] = {"absent", "starting", "ready", "busy", "leaving"};

    return json_pack("{s:s,s:i,s:i,s:s,s:i,s:i,s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:i}", "pool",
                     h->pool, "index", (int)h->index, "pid", (int)h->pid, "state", states[h->state],
                     "generation", (int)h->generation, "restarts", (int)h->restarts, "in_flight",
                     (int)h->in_flight, "started", (int)h->started, "sockets", (int)h->sockets, "requests",
                     (json_int_t)h->requests, "uptime_ms", (json_int_t)h->uptime, "rss", (json_int_t)h->rss,
                     "pressure", (json_int_t)h->pressure, "heap_total", (json_int_t)h->heap_total,
                     "heap_used", (json_int_t)h->heap_used, "growth", (json_int_t)h->growth, "to_limit_ms",
                     (json_int_t)h->to_limit, "failures", (int)h->failures, "trims", (int)h->trims);
}

static void health(struct bus_ctl_client *client, const json_t *request)
{
    size_t count = lpm_supervisor_health(self(client), NULL, 0);
    lpm_health *list = calloc(count, sizeof(*list));
    json_t *workers = json_array();

    (void)request;
    if (list) {
        lpm_supervisor_health(self(client), list, count);
    }
    for (size_t i = 0; list && i < count; i++) {
        json_array_append_new(workers, worker_json(&list[i]));
    }
    free(list);
    bus_ctl_answer(client, json_pack("{s:b,s:o,s:o}", "ok", 1, "workers", workers, "handlers",
                                     bus_ctl_memory_of_handlers(client->bus)));
}

/* Of a pool with a range: the range, and the last reason for its size. */
static json_t *scale_json(const struct bus_pool *pool, uint64_t now)
{
    return json_pack("{s:i,s:i,s:b,s:s,s:I}", "min", (int)pool->conf->count_min, "max",
                     (int)pool->conf->count_max, "pinned", (int)pool->scale_pinned, "why", pool->scale_why,
                     "ago_ms",
                     (json_int_t)(pool->scale_at ? (now - pool->scale_at) / CLOCK_NS_PER_MS : UINT64_C(0)));
}

/* How many were refused, and why. */
static json_t *shed_json(const struct bus_pool *pool)
{
    return json_pack("{s:I,s:I,s:I,s:I}", "full", (json_int_t)pool->shed[BUS_SHED_FULL], "old",
                     (json_int_t)pool->shed[BUS_SHED_OLD], "hopeless",
                     (json_int_t)pool->shed[BUS_SHED_HOPELESS], "unfair",
                     (json_int_t)pool->shed[BUS_SHED_UNFAIR]);
}

static json_t *pool_json(const struct bus_pool *pool)
{
    uint64_t now = clock_now();
    json_int_t degraded = pool->degraded > now ? (json_int_t)((pool->degraded - now) / CLOCK_NS_PER_MS)
                                               : (json_int_t)(pool->degraded != 0);

    json_t *json = json_pack("{s:s,s:i,s:i,s:I,s:I,s:I,s:I,s:o,s:I}", "name", pool->conf->name, "target",
                             (int)pool->target, "alive", (int)pool->alive, "queued",
                             (json_int_t)pool->queue.sum.count, "queued_bytes",
                             (json_int_t)pool->queue.sum.bytes, "clients", (json_int_t)pool->share.clients,
                             "queue_wait_ms", (json_int_t)(bus_pool_queue_wait(pool) / CLOCK_NS_PER_MS),
                             "shed", shed_json(pool), "degraded_ms", degraded);

    if (conf_core_is_scaled(pool->conf)) {
        json_object_set_new(json, "scale", scale_json(pool, now));
    }
    return json;
}

/* PSI in percent; null: not known. */
static json_t *waiting_json(int hundredths)
{
    return hundredths == OS_MEMORY_UNKNOWN ? json_null() : json_real(hundredths / 100.0);
}

static json_t *memory_json(const struct bus *bus)
{
    const struct os_memory *m = &bus->memory;

    return json_pack("{s:I,s:I,s:I,s:o,s:o,s:i}", "used", (json_int_t)m->used, "limit", (json_int_t)m->limit,
                     "oom_kills", (json_int_t)m->oom_kills, "some", waiting_json(m->some), "full",
                     waiting_json(m->full), "squeeze", (int)bus->squeeze);
}

static json_t *quarantine_json(const struct bus *bus)
{
    struct role_quarantine_entry list[ROLE_QUARANTINE_MAX];
    unsigned count = bus_quarantine_list(bus, list);
    json_t *all = json_array();
    uint64_t now = clock_now();

    for (unsigned i = 0; i < count; i++) {
        const struct role_quarantine_entry *entry = &list[i];
        bool ends = entry->until < UINT64_MAX - 1;
        char print[BUS_QUARANTINE_TEXT_SIZE];
        snprintf(print, sizeof(print), "%016llx", (unsigned long long)entry->fingerprint);
        json_array_append_new(
            all, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I}", "fingerprint", print, "handler",
                           entry->handler, "method", entry->method, "path", entry->path, "request", entry->id,
                           "build", entry->build, "deaths", (json_int_t)entry->deaths, "first_ms",
                           (json_int_t)((now - entry->first) / CLOCK_NS_PER_MS), "last_ms",
                           (json_int_t)((now - entry->last) / CLOCK_NS_PER_MS), "left_ms",
                           ends ? (json_int_t)((entry->until - now) / CLOCK_NS_PER_MS) : -1));
    }
    return all;
}

static void quarantine(struct bus_ctl_client *client, const json_t *request)
{
    (void)request;
    bus_ctl_answer(client, json_pack("{s:b,s:o,s:I}", "ok", 1, "quarantine", quarantine_json(client->bus),
                                     "refused", (json_int_t)client->bus->quarantine_refused));
}

static void release(struct bus_ctl_client *client, const json_t *request)
{
    const char *which = json_string_value(json_object_get(request, "fingerprint"));
    int rc = which ? bus_quarantine_release(client->bus, which) : LPM_EINVAL;

    if (rc < 0) {
        bus_ctl_refuse(client, rc, "release expects a fingerprint, or all");
    } else if (rc == 0 && strcmp(which, "all") != 0) {
        bus_ctl_refuse(client, LPM_EDONE, "nothing is in quarantine as %.64s", which);
    } else {
        bus_ctl_answer(client, json_pack("{s:b,s:i}", "ok", 1, "released", rc));
    }
}

static void status(struct bus_ctl_client *client, const json_t *request)
{
    static const char *const phases[] = {"starting", "serving", "draining"};
    const struct bus *bus = client->bus;
    json_t *pools = json_array(), *answer;

    (void)request;
    for (size_t i = 0; i < bus->pool_count; i++) {
        json_t *pool = pool_json(&bus->pools[i]);
        bus_ctl_memory_of_pool(pool, &bus->pools[i]);
        json_array_append_new(pools, pool);
    }
    answer = json_pack("{s:b,s:s,s:s,s:i,s:i,s:i,s:I,s:I,s:o,s:o,s:o}", "ok", 1, "version", LPM_VERSION,
                       "state", phases[bus->phase], "generation", (int)bus->start->generation, "master",
                       (int)bus->start->master, "bus", (int)getpid(), "uptime_ms",
                       (json_int_t)((clock_now() - bus->born) / CLOCK_NS_PER_MS), "waiting",
                       (json_int_t)bus->waiting, "memory", memory_json(bus), "pools", pools, "quarantine",
                       quarantine_json(bus));
    if (bus->trouble.text[0]) {
        json_object_set_new(answer, "trouble", json_string(bus->trouble.text));
    }
    bus_ctl_answer(client, answer);
}

/* -- enqueue ------------------------------------------------------------------------------------------ */

static void on_response(lpm_response *res, void *arg)
{
    struct bus_ctl_client *client = arg;
    json_t *answer, *headers;
    lpm_header header;

    if (lpm_response_error(res) != 0) {
        bus_ctl_refuse(client, lpm_response_error(res), "%s (request %s)", lpm_response_error_text(res),
                       lpm_response_id(res));
        return;
    }
    headers = json_array();
    for (size_t i = 0; lpm_response_header_at(res, i, &header); i++) {
        json_array_append_new(headers, json_pack("[s%,s%]", header.name.data, header.name.len,
                                                 header.value.data, header.value.len));
    }
    answer = json_pack("{s:b,s:s,s:s,s:o}", "ok", 1, "id", lpm_response_id(res), "worker",
                       lpm_response_worker(res), "headers", headers);
    if (answer && set_bytes(answer, "data", lpm_response_data(res)) != 0) {
        json_decref(answer);
        answer = NULL;
    }
    bus_ctl_answer(client, answer);
}

/* Headers as an array of pairs. How many, or -1. */
static int get_headers(const json_t *request, lpm_header *headers)
{
    const json_t *list = json_object_get(request, "headers"), *pair;
    size_t i;

    if (list && (!json_is_array(list) || json_array_size(list) > HEADERS_MAX)) {
        return -1;
    }
    json_array_foreach(list, i, pair)
    {
        const json_t *name = json_array_get(pair, 0), *value = json_array_get(pair, 1);
        if (!json_is_string(name) || !json_is_string(value)) {
            return -1;
        }
        headers[i].name = (lpm_slice){json_string_value(name), json_string_length(name)};
        headers[i].value = (lpm_slice){json_string_value(value), json_string_length(value)};
    }
    return (int)json_array_size(list);
}

static int64_t number_or(const json_t *request, const char *name, int64_t fallback)
{
    const json_t *value = json_object_get(request, name);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

static void enqueue(struct bus_ctl_client *client, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "handler"));
    lpm_header headers[HEADERS_MAX];
    int header_count = get_headers(request, headers), rc;
    lpm_slice data;
    char *memory;

    if (get_bytes(request, "data", &data, &memory) != 0 || header_count < 0 || !name) {
        free(memory);
        bus_ctl_refuse(client, LPM_EINVAL,
                       "enqueue expects handler, data or data_base64, headers as pairs of texts");
        return;
    }
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = lpm_supervisor_handler(self(client), name),
                        .headers = headers,
                        .header_count = (size_t)header_count,
                        .data = data.data,
                        .len = data.len,
                        .timeout = number_or(request, "timeout", LPM_DEFAULT),
                        .retries = number_or(request, "retries", LPM_DEFAULT),
                        .priority = (int32_t)number_or(request, "priority", LPM_PRIORITY_NORMAL)};
    rc = lpm_supervisor_enqueue(self(client), &spec, on_response, client);
    free(memory);
    if (rc == LPM_ENOHANDLER) {
        bus_ctl_refuse(client, rc, "no module \"%s\" answers requests", name);
    } else if (rc == LPM_ESHED) {
        bus_ctl_refuse(client, rc, "too many requests are waiting: there should be room in %lld ms",
                       (long long)lpm_supervisor_retry_after(self(client), spec.handler));
    } else if (rc != 0) {
        bus_ctl_refuse(client, rc, "the request was refused%s", rc == LPM_EPOISON ? ": quarantine" : "");
    }
}

/* -- broadcast, resize, reopen, kills ------------------------------------------------------------------------- */

static void broadcast(struct bus_ctl_client *client, const json_t *request)
{
    const char *event = json_string_value(json_object_get(request, "event"));
    const char *pool = json_string_value(json_object_get(request, "pool"));
    lpm_slice data;
    char *memory;
    int rc = get_bytes(request, "data", &data, &memory);

    if (rc == 0) {
        rc = lpm_supervisor_broadcast(self(client), pool, event, data.data, data.len, 0);
    }
    free(memory);
    if (rc < 0) {
        bus_ctl_refuse(client, rc,
                       "broadcast expects event (1 to 64 bytes), data or data_base64, and an existing pool");
    } else {
        bus_ctl_answer(client, json_pack("{s:b,s:i}", "ok", 1, "workers", rc));
    }
}

static void on_done(int error, void *arg)
{
    if (error != 0) {
        bus_ctl_refuse(arg, error,
                       error == LPM_ECANCELED ? "another resize, or the end, came first"
                       : error == LPM_ENOMEM  ? "out of memory"
                                              : "a new worker did not become ready");
    } else {
        bus_ctl_answer(arg, json_pack("{s:b}", "ok", 1));
    }
}

static void resize(struct bus_ctl_client *client, const json_t *request)
{
    const char *pool = json_string_value(json_object_get(request, "pool"));
    int64_t count = number_or(request, "count", -1);
    int rc = count < 1 || count > 1024
                 ? LPM_EINVAL
                 : lpm_supervisor_resize(self(client), pool, (unsigned)count, on_done, client);

    if (rc != 0) {
        bus_ctl_refuse(client, rc,
                       "resize expects an existing pool and a count from 1 to 1024, in a server that serves");
    }
}

static void reload(struct bus_ctl_client *client, const json_t *request)
{
    (void)request;
    bus_reload_ask(client);
}

static void soft_kill(struct bus_ctl_client *client, const json_t *request)
{
    bool wait = !json_is_false(json_object_get(request, "wait"));
    int rc = lpm_supervisor_soft_kill(self(client), wait ? on_done : NULL, client);

    if (rc == LPM_ENOMEM) {
        bus_ctl_refuse(client, rc, "out of memory");
    } else if (!wait) {
        bus_ctl_answer(client, json_pack("{s:b}", "ok", 1));
    }
}

static void hard_kill(struct bus_ctl_client *client, const json_t *request)
{
    (void)request;
    lpm_supervisor_hard_kill(self(client));
    bus_ctl_answer(client, json_pack("{s:b}", "ok", 1));
}

static void on_reopened(const struct bus_reopen_result *result, void *arg)
{
    if (result->code != 0) {
        bus_ctl_refuse(arg, result->code, "%s", result->why);
    } else {
        bus_ctl_answer(arg, json_pack("{s:b,s:i}", "ok", 1, "logs", (int)result->logs));
    }
}

static void reopen(struct bus_ctl_client *client, const json_t *request)
{
    (void)request;
    if (bus_reopen_ask(client->bus, on_reopened, client) != 0) {
        bus_ctl_refuse(client, LPM_ENOMEM, "out of memory");
    }
}

static const struct {
    const char *name;
    void (*run)(struct bus_ctl_client *client, const json_t *request);
} commands[] = {
    {"health", health},   {"status", status},       {"enqueue", enqueue},     {"broadcast", broadcast},
    {"resize", resize},   {"reload", reload},       {"reopen", reopen},       {"quarantine", quarantine},
    {"release", release}, {"soft-kill", soft_kill}, {"hard-kill", hard_kill},
};

void bus_ctl_command(struct bus_ctl_client *client, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "command"));

    for (size_t i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            commands[i].run(client, request);
            return;
        }
    }
    bus_ctl_refuse(
        client, LPM_EINVAL,
        "no command \"%.64s\": expected health, status, enqueue, broadcast, resize, reload, reopen, "
        "quarantine, release, soft-kill or hard-kill",
        name ? name : "");
}
