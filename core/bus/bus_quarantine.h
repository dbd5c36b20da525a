/*
 * Quarantine: requests like one that has killed too many workers are refused, for a while or until somebody lets them go. Alike are
 * those of one handler that have the same :method, :path and payload.
 */
#ifndef BUS_QUARANTINE_H
#define BUS_QUARANTINE_H

#include "bus/bus_request.h"
#include "role/role_quarantine.h"

/* "%016llx" */
#define BUS_QUARANTINE_TEXT_SIZE 17

/* Which build of its module the handler is: another one gets a new chance. */
void bus_quarantine_name_build(const struct bus *bus, struct lpm_handler *handler);

/* The request has killed as many as may be. */
void bus_quarantine_add(struct bus *bus, const struct bus_request *req);

/* Looks at the list, which is not empty. */
bool bus_quarantine_look(struct bus *bus, const lpm_enqueue *spec, const char *id);

/* Is the request, which was checked and has been given `id`, to be refused? */
static inline bool bus_quarantine_holds(struct bus *bus, const lpm_enqueue *spec, const char *id)
{
    const struct role_quarantine *table = bus->start->quarantine;
    return table && table->added != 0 && bus_quarantine_look(bus, spec, id);
}

/* Those that this bus's modules would get; returns how many. */
unsigned bus_quarantine_list(const struct bus *bus, struct role_quarantine_entry list[ROLE_QUARANTINE_MAX]);

/* "all" or a fingerprint: returns how many are let go, or LPM_EINVAL. */
int bus_quarantine_release(struct bus *bus, const char *which);

#endif
