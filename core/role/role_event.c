/*
 * Listeners to events. Runs in bus and worker.
 */
#include "role/role_event.h"

#include <stdlib.h>
#include <string.h>

struct listener {
    struct list link;
    const void *handle;
    size_t module;
    char name[ROLE_EVENT_NAME_MAX + 1];
    lpm_event_fn fn;
    void *arg;
    bool once;
    bool gone;       /* removed while events were being told of */
    uint64_t number; /* one that was added during an event has a number that is too high for it */
};

#define EACH_LISTENER(l, listeners)                                                      \
    for (struct listener *l = LIST_ENTRY((listeners)->list.next, struct listener, link); \
         &l->link != &(listeners)->list; l = LIST_ENTRY(l->link.next, struct listener, link))

void role_event_init(struct role_listeners *listeners, role_step_word *step)
{
    *listeners = (struct role_listeners){.step = step};
    list_init(&listeners->list);
}

static void sweep(struct role_listeners *listeners, bool all)
{
    LIST_EACH(link, after, &listeners->list)
    {
        struct listener *l = LIST_ENTRY(link, struct listener, link);
        if (all || l->gone) {
            list_remove(link);
            free(l);
        }
    }
    listeners->gone = false;
}

void role_event_fini(struct role_listeners *listeners)
{
    sweep(listeners, true);
}

/* 0: no name for an event. */
static size_t name_length(const char *name)
{
    size_t len = name ? strnlen(name, ROLE_EVENT_NAME_MAX + 1) : 0;
    return len <= ROLE_EVENT_NAME_MAX ? len : 0;
}

int role_event_check(const char *name, enum role_event_place place)
{
    static const char *const own[][4] = {
        [ROLE_EVENT_IN_WORKER] = {"request", "softKill", "hardKill"},
        [ROLE_EVENT_IN_BUS] = {"SIGINT", "online", "childSpawned", "childExited"},
    };

    if (name_length(name) == 0) {
        return LPM_EINVAL;
    }
    for (size_t i = 0; i < 4 && own[place][i]; i++) {
        if (strcmp(name, own[place][i]) == 0) {
            return LPM_EINVAL;
        }
    }
    return 0;
}

int role_event_on(struct role_listeners *listeners, const void *handle, size_t module, const char *name,
                  lpm_event_fn fn, void *arg, bool once)
{
    size_t len = name_length(name);
    struct listener *l;

    if (!fn || len == 0) {
        return LPM_EINVAL;
    }
    l = calloc(1, sizeof(*l));
    if (!l) {
        return LPM_ENOMEM;
    }
    l->handle = handle;
    l->module = module;
    memcpy(l->name, name, len);
    l->fn = fn;
    l->arg = arg;
    l->once = once;
    l->number = ++listeners->last;
    list_append(&listeners->list, &l->link);
    return 0;
}

/* It goes when no event is being told of. */
static void mark_gone(struct role_listeners *listeners, struct listener *l)
{
    l->gone = true;
    listeners->gone = true;
}

static void sweep_if_idle(struct role_listeners *listeners)
{
    if (listeners->calling == 0 && listeners->gone) {
        sweep(listeners, false);
    }
}

int role_event_off(struct role_listeners *listeners, const void *handle, const char *name, lpm_event_fn fn,
                   void *arg)
{
    if (!name) {
        return LPM_EINVAL;
    }
    EACH_LISTENER(l, listeners)
    {
        if (!l->gone && l->handle == handle && l->fn == fn && l->arg == arg && strcmp(l->name, name) == 0) {
            mark_gone(listeners, l);
            sweep_if_idle(listeners);
            return 0;
        }
    }
    return LPM_EINVAL;
}

static bool concerns(const struct listener *l, const void *handle, const char *name)
{
    return !l->gone && (!handle || l->handle == handle) && strcmp(l->name, name) == 0;
}

bool role_event_heard(const struct role_listeners *listeners, const void *handle, const char *name)
{
    EACH_LISTENER(l, listeners)
    {
        if (concerns(l, handle, name)) {
            return true;
        }
    }
    return false;
}

size_t role_event_tell(struct role_listeners *listeners, const void *handle, struct lpm_event *ev)
{
    uint64_t last = listeners->last;
    size_t count = 0;

    listeners->calling++;
    EACH_LISTENER(l, listeners)
    {
        if (l->number > last) {
            break;
        }
        if (concerns(l, handle, ev->name)) {
            uint32_t step = role_step_enter(listeners->step, ROLE_STEP_EVENT, l->module);
            if (l->once) {
                mark_gone(listeners, l);
            }
            ev->handle = *(const lpm_handle *)l->handle;
            if (ev->request) {
                *(lpm_handle *)(void *)ev->request = ev->handle; /* misuse of it will be this one's */
            }
            l->fn(ev, l->arg);
            role_step_back(listeners->step, step);
            count++;
        }
    }
    listeners->calling--;
    sweep_if_idle(listeners);
    return count;
}

static const char *event_name(const lpm_event *ev)
{
    return ev->name;
}

static lpm_slice event_data(const lpm_event *ev)
{
    return ev->data;
}

static lpm_request *event_request(const lpm_event *ev)
{
    return ev->request;
}

static int event_fd(lpm_event *ev)
{
    int fd;

    if (!ev->fd) {
        return LPM_EINVAL;
    }
    if (*ev->fd < 0) {
        return LPM_EDONE;
    }
    fd = *ev->fd;
    *ev->fd = -1;
    return fd;
}

void role_event_host_init(lpm_host *host)
{
    host->event_name = event_name;
    host->event_data = event_data;
    host->event_request = event_request;
    host->event_fd = event_fd;
}
