/*
 * Printing. What is missing in an answer is printed as 0 or "-".
 */
#include "ctl/ctl_print.h"

#include <lpm/module.h>
#include <stdlib.h>

#include "base/base64.h"

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "-";
}

static long long number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

/* 1.5M, 320K: at most five characters, and a sign. */
static const char *bytes_of(const json_t *object, const char *name, char room[16])
{
    static const char units[] = "BKMGT";
    double value = (double)number_of(object, name);
    int unit = 0;
    int negative = value < 0;

    for (value = negative ? -value : value; value >= 1000 && units[unit + 1]; unit++) {
        value /= 1024;
    }
    snprintf(room, 16, unit > 0 && value < 10 ? "%s%.1f%c" : "%s%.0f%c", negative ? "-" : "", value,
             units[unit]);
    return room;
}

/* When its memory should be at its limit: "90s", or "-" when that is not to be foreseen. */
static const char *to_limit_of(const json_t *worker, char room[24])
{
    const json_t *ms = json_object_get(worker, "to_limit_ms");

    if (!json_is_integer(ms) || json_integer_value(ms) < 0) {
        return "-";
    }
    snprintf(room, 24, "%llds", (long long)json_integer_value(ms) / 1000);
    return room;
}

/* Nothing where nothing is known. */
static void print_handlers(FILE *out, const json_t *handlers)
{
    const json_t *h;
    char growth[16];
    size_t i;

    if (json_array_size(handlers) > 0) {
        fprintf(out, "\n%-20s %-20s %12s %12s\n", "HANDLER", "POOL", "REQUESTS", "GROWTH/REQ");
    }
    json_array_foreach(handlers, i, h)
    {
        fprintf(out, "%-20s %-20s %12lld %12s\n", text_of(h, "handler"), text_of(h, "pool"),
                number_of(h, "requests"), bytes_of(h, "growth_per_request", growth));
    }
}

void ctl_print_health(FILE *out, const json_t *answer)
{
    const json_t *workers = json_object_get(answer, "workers"), *w;
    char worker[96], rss[16], pressure[16], growth[16], used[16], total[16], to_limit[24];
    size_t i;

    fprintf(out, "%-20s %8s %-8s %4s %8s %8s %8s %8s %8s %8s %8s %5s %6s %6s %10s %8s\n", "WORKER", "PID",
            "STATE", "GEN", "RESTARTS", "RSS", "PRESSURE", "GROWTH/S", "LIMIT IN", "HEAP", "OF", "FAIL%",
            "RUN", "SOCK", "REQUESTS", "UPTIME");
    json_array_foreach(workers, i, w)
    {
        snprintf(worker, sizeof(worker), "%s/%lld", text_of(w, "pool"), number_of(w, "index"));
        fprintf(out, "%-20s %8lld %-8s %4lld %8lld %8s %8s %8s %8s %8s %8s %5lld %6lld %6lld %10lld %7llds\n",
                worker, number_of(w, "pid"), text_of(w, "state"), number_of(w, "generation"),
                number_of(w, "restarts"), bytes_of(w, "rss", rss), bytes_of(w, "pressure", pressure),
                bytes_of(w, "growth", growth), to_limit_of(w, to_limit), bytes_of(w, "heap_used", used),
                bytes_of(w, "heap_total", total), number_of(w, "failures"), number_of(w, "in_flight"),
                number_of(w, "sockets"), number_of(w, "requests"), number_of(w, "uptime_ms") / 1000);
    }
    print_handlers(out, json_object_get(answer, "handlers"));
}

/* Why the pools that scale themselves have the workers that they have. */
static void print_scales(FILE *out, const json_t *pools)
{
    const json_t *pool, *scale;
    size_t i;

    json_array_foreach(pools, i, pool)
    {
        if ((scale = json_object_get(pool, "scale")) == NULL) {
            continue;
        }
        fprintf(out, "\npool %s: %lld workers of %lld to %lld%s", text_of(pool, "name"),
                number_of(pool, "target"), number_of(scale, "min"), number_of(scale, "max"),
                json_is_true(json_object_get(scale, "pinned")) ? ", until the next reload" : "");
        if (*text_of(scale, "why")) {
            fprintf(out, "; %lld s ago: %s", number_of(scale, "ago_ms") / 1000, text_of(scale, "why"));
        }
        fprintf(out, "\n");
    }
}

void ctl_print_status(FILE *out, const json_t *answer)
{
    const json_t *pools = json_object_get(answer, "pools"), *pool;
    const json_t *memory = json_object_get(answer, "memory");
    char bytes[16], limit[16];
    size_t i;

    fprintf(out,
            "lpm/%s is %s: generation %lld, up %lld s, master %lld, bus %lld, %lld requests wait or run\n\n",
            text_of(answer, "version"), text_of(answer, "state"), number_of(answer, "generation"),
            number_of(answer, "uptime_ms") / 1000, number_of(answer, "master"), number_of(answer, "bus"),
            number_of(answer, "waiting"));
    if (json_object_get(answer, "trouble")) {
        fprintf(out, "%s\n\n", text_of(answer, "trouble"));
    }
    if (number_of(memory, "limit") > 0) {
        fprintf(out, "memory: %s of %s%s, %lld killed for it\n\n", bytes_of(memory, "used", bytes),
                bytes_of(memory, "limit", limit), number_of(memory, "squeeze") > 0 ? ": short" : "",
                number_of(memory, "oom_kills"));
    }
    fprintf(out, "%-20s %8s %8s %8s %10s %10s %12s %8s %8s %8s\n", "POOL", "WORKERS", "QUEUED", "BYTES",
            "WAIT", "SHED", "DEGRADED", "TRIMS", "REPLACED", "KILLED");
    json_array_foreach(pools, i, pool)
    {
        const json_t *shed = json_object_get(pool, "shed"), *replaced = json_object_get(pool, "replaced");
        fprintf(out, "%-20s %8lld %8lld %8s %8lldms %10lld %10lldms %8lld %8lld %8lld\n",
                text_of(pool, "name"), number_of(pool, "alive"), number_of(pool, "queued"),
                bytes_of(pool, "queued_bytes", bytes), number_of(pool, "queue_wait_ms"),
                number_of(shed, "full") + number_of(shed, "old") + number_of(shed, "hopeless") +
                    number_of(shed, "unfair"),
                number_of(pool, "degraded_ms"), number_of(pool, "trims"),
                number_of(replaced, "memory") + number_of(replaced, "max_requests") +
                    number_of(replaced, "max_age"),
                number_of(pool, "killed"));
    }
    print_scales(out, pools);
    ctl_print_quarantine(out, answer, true);
}

void ctl_print_quarantine(FILE *out, const json_t *answer, bool quiet)
{
    const json_t *all = json_object_get(answer, "quarantine"), *entry;
    char left[24];
    size_t i;

    if (json_array_size(all) == 0) {
        fprintf(out, "%s", quiet ? "" : "nothing is in quarantine\n");
        return;
    }
    fprintf(out, "%s%-16s %6s %9s %9s %9s  %s\n", quiet ? "\n" : "", "QUARANTINE", "DEATHS", "FIRST", "LAST",
            "LEFT", "REQUEST");
    json_array_foreach(all, i, entry)
    {
        snprintf(left, sizeof(left), "%llds", number_of(entry, "left_ms") / 1000);
        fprintf(out, "%-16s %6lld %8llds %8llds %9s  %s %s %s (%s)\n", text_of(entry, "fingerprint"),
                number_of(entry, "deaths"), number_of(entry, "first_ms") / 1000,
                number_of(entry, "last_ms") / 1000, number_of(entry, "left_ms") < 0 ? "-" : left,
                text_of(entry, "handler"), text_of(entry, "method"), text_of(entry, "path"),
                text_of(entry, "request"));
    }
}

int ctl_print_response(FILE *out, const json_t *answer, int include)
{
    const json_t *headers = json_object_get(answer, "headers"), *pair;
    const json_t *data = json_object_get(answer, "data"), *encoded = json_object_get(answer, "data_base64");
    size_t i, len;
    int rc = 0;

    if (include) {
        json_array_foreach(headers, i, pair)
        {
            const char *name = json_string_value(json_array_get(pair, 0));
            const char *value = json_string_value(json_array_get(pair, 1));
            fprintf(out, "%s: %s\n", name ? name : "", value ? value : "");
        }
        fprintf(out, "\n");
    }
    if (json_is_string(data)) {
        fwrite(json_string_value(data), 1, json_string_length(data), out);
    } else if (json_is_string(encoded)) {
        char *bytes = malloc(json_string_length(encoded) + 1);
        rc = bytes ? base64_decode(bytes, &len, json_string_value(encoded), json_string_length(encoded))
                   : LPM_ENOMEM;
        if (rc == 0) {
            fwrite(bytes, 1, len, out);
        }
        free(bytes);
    } else {
        rc = LPM_EPROTO;
    }
    return rc;
}
