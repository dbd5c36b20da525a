/*
 * Memory, told over the control socket. Runs in the bus.
 */
#include "bus/bus_ctl_memory.h"

#include <stdlib.h>

/* Requests over connections of the workers' own, of which the bus knows only how many they were. */
#define DIRECT "(direct)"

void bus_ctl_memory_of_pool(json_t *object, const struct bus_pool *pool)
{
    json_object_set_new(object, "replaced",
                        json_pack("{s:I,s:I,s:I}", "memory", (json_int_t)pool->leaves[BUS_LEAVE_FOR_MEMORY],
                                  "max_requests", (json_int_t)pool->leaves[BUS_LEAVE_FOR_REQUESTS], "max_age",
                                  (json_int_t)pool->leaves[BUS_LEAVE_FOR_AGE]));
    json_object_set_new(object, "killed", json_integer((json_int_t)pool->killed));
    json_object_set_new(object, "trims", json_integer((json_int_t)pool->trims));
}

static void append(json_t *list, const struct bus_pool *pool, const char *handler, uint64_t requests,
                   double growth)
{
    if (requests > 0) {
        json_array_append_new(list, json_pack("{s:s,s:s,s:I,s:I}", "pool", pool->conf->name, "handler",
                                              handler, "requests", (json_int_t)requests, "growth_per_request",
                                              (json_int_t)growth));
    }
}

static void append_pool(json_t *list, const struct bus *bus, const struct bus_pool *pool)
{
    const struct bus_leak *leak = &pool->leak;
    double *growth = calloc(leak->count + 1, sizeof(*growth));

    if (growth && leak->count > 0 && bus_leak_solve(leak, growth) == 0) {
        for (size_t i = 0; i < bus->handler_count; i++) {
            const struct lpm_handler *handler = &bus->handlers[i];
            if (handler->pool == pool) {
                append(list, pool, handler->name, leak->answers[handler->in_pool], growth[handler->in_pool]);
            }
        }
        append(list, pool, DIRECT, leak->answers[pool->handler_count], growth[pool->handler_count]);
    }
    free(growth);
}

json_t *bus_ctl_memory_of_handlers(const struct bus *bus)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < bus->pool_count; i++) {
        append_pool(list, bus, &bus->pools[i]);
    }
    return list;
}
