/*
 * Listeners to events: who wants to be called at which name. The same in bus and worker; pure but for the calls.
 */
#ifndef ROLE_EVENT_H
#define ROLE_EVENT_H

#include <lpm/module.h>
#include <stdbool.h>

#include "base/list.h"
#include "role/role_step.h"

#define ROLE_EVENT_NAME_MAX 64u

/* Public as lpm_event: lives during one event. */
struct lpm_event {
    lpm_handle handle; /* of the listener that is being called */
    const char *name;
    lpm_slice data;
    lpm_request *request; /* NULL: none */
    int *fd;              /* the descriptor that came with it, -1 when taken; NULL: none came */
    const void *worker;   /* bus: struct bus_worker, that it is about; NULL: none */
};

struct role_listeners {
    struct list list;     /* in the order in which they were added */
    uint64_t last;        /* the number of the last one added */
    unsigned calling;     /* events that are being told of now, one within the other */
    bool gone;            /* some are to be taken out when none is */
    role_step_word *step; /* shows who is called; or NULL */
};

/* Where an event is heard. */
enum role_event_place { ROLE_EVENT_IN_WORKER, ROLE_EVENT_IN_BUS };

/* May an event of a module have this name? 0, or LPM_EINVAL: it is NULL, no 1 to 64 bytes, or the core's own there, which
 * nobody else may make believe. */
int role_event_check(const char *name, enum role_event_place place);

void role_event_init(struct role_listeners *listeners, role_step_word *step);
void role_event_fini(struct role_listeners *listeners);

/* Adds a listener of the module that has `handle` (an lpm_worker or lpm_supervisor) and the place `module`. LPM_EINVAL (no function; a name that
 * is no 1 to 64 bytes), LPM_ENOMEM. */
int role_event_on(struct role_listeners *listeners, const void *handle, size_t module, const char *name,
                  lpm_event_fn fn, void *arg, bool once);

/* Removes the first that was added with the same. LPM_EINVAL: there is none. */
int role_event_off(struct role_listeners *listeners, const void *handle, const char *name, lpm_event_fn fn,
                   void *arg);

/* Does the module of `handle` (NULL: any) listen to `name`? */
bool role_event_heard(const struct role_listeners *listeners, const void *handle, const char *name);

/* Calls each listener of `handle` (NULL: of all) to ev->name that was there when this began and has not been removed since.
 * Returns how many were called. Listeners may do anything, also add, remove and cause events. */
size_t role_event_tell(struct role_listeners *listeners, const void *handle, struct lpm_event *ev);

/* The accessors of an event that need no role, for the host table. */
void role_event_host_init(lpm_host *host);

#endif
