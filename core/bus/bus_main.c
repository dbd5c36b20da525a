/*
 * The bus role. Fails before its loop with a line in the log and an exit status; in the loop it ends when the master
 * says so or is gone.
 */
#include "bus/bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/version.h"
#include "bus/bus_control.h"
#include "bus/bus_ctl.h"
#include "bus/bus_event.h"
#include "bus/bus_handover.h"
#include "bus/bus_host.h"
#include "bus/bus_lifecycle.h"
#include "bus/bus_master.h"
#include "bus/bus_quarantine.h"
#include "bus/bus_reload.h"
#include "bus/bus_reopen.h"
#include "bus/bus_rule.h"
#include "bus/bus_scaler.h"
#include "bus/bus_squeeze.h"
#include "bus/bus_watch.h"
#include "conf/conf_cpu.h"
#include "os/os_limit.h"
#include "role/role_base.h"

static int set_up_modules(struct bus *bus)
{
    static const lpm_module ctl = {.name = "ctl", .version = LPM_VERSION, .needs = LPM_ABI_MINOR};
    size_t count = bus->loader.count;

    bus->modules = calloc(count + 1, sizeof(*bus->modules));
    bus->handlers = calloc(count + 1, sizeof(*bus->handlers));
    if (!bus->modules || !bus->handlers) {
        return LPM_ENOMEM;
    }
    bus->ctl.owner =
        (struct loader_owner){bus->log, &bus->conf_error, NULL}; /* it passes on others' mistakes */
    bus->ctl.handle = (lpm_handle){&bus->host, &bus->ctl.owner};
    bus->ctl.bus = bus;
    bus->ctl.module = &ctl;
    for (size_t i = 0; i < count; i++) {
        const lpm_module *module = &bus->loader.modules[i].module;
        struct lpm_supervisor *m = &bus->modules[i];

        m->owner = (struct loader_owner){bus->log, &bus->conf_error, module->name};
        m->handle = (lpm_handle){&bus->host, &m->owner};
        m->bus = bus;
        m->module = module;
        role_crash_name(bus->start->crash, i, module->name);
        if (module->request) {
            struct bus_pool *pool = &bus->pools[conf_core_pool_of(bus->start->core, module->name)];
            struct lpm_handler *handler = &bus->handlers[bus->handler_count++];
            *handler = (struct lpm_handler){
                .name = module->name, .index = (uint16_t)i, .pool = pool, .in_pool = pool->handler_count++};
            bus_quarantine_name_build(bus, handler);
        }
    }
    return 0;
}

static int set_up_pools(struct bus *bus)
{
    size_t count = bus->start->core->pool_count;
    int rc = 0;

    bus->pools = calloc(count, sizeof(*bus->pools));
    if (!bus->pools) {
        return LPM_ENOMEM;
    }
    bus->pool_count = count;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = bus_pool_init(&bus->pools[i], bus, i);
    }
    return rc;
}

static void on_conf(void *arg, size_t i)
{
    role_step_set(arg, ROLE_STEP_CONF, i);
}

static void on_load(void *arg, size_t i)
{
    role_step_set(arg, ROLE_STEP_LOAD, i);
}

static int set_up(struct bus *bus, struct error *err)
{
    struct role_start *start = bus->start;
    int rc = loader_load(&bus->loader, start->core, start->modules, on_load, start->step, err);

    if (rc == 0) {
        bus_host_init(bus);
        rc = loader_configure(&bus->loader, start->core->tree, &bus->host, &bus->owner, on_conf, start->step,
                              err);
    }
    if (rc != 0) {
        return rc;
    }
    bus->base = role_base_new();
    if (!bus->base || set_up_pools(bus) != 0 || set_up_modules(bus) != 0 || bus_control_init(bus) != 0 ||
        bus_ctl_init(bus) != 0) {
        return error_set(err, LPM_ENOMEM, "out of memory");
    }
    return 0;
}

static void tear_down(struct bus *bus)
{
    bus_reload_close(bus);
    bus_scaler_fini(bus);
    bus_squeeze_fini(bus);
    bus_ctl_fini(bus);
    for (size_t i = 0; i < bus->pool_count; i++) {
        bus_pool_fini(&bus->pools[i]);
    }
    bus_request_free_all(bus);
    bus_event_fini(bus);
    bus_rule_fini(bus);
    bus_handover_fini(bus);
    bus_reopen_fini(bus);
    bus_master_fini(bus);
    bus_watch_fini(bus);
    free(bus->pools);
    free(bus->handlers);
    free(bus->modules);
    if (bus->base) {
        event_base_free(bus->base);
    }
    loader_fini(&bus->loader);
}

static int enter(struct role_start *start)
{
    char who[32];
    size_t count;
    int *fds = role_opened(start->core->tree, false, &count);
    int rc = fds ? 0 : LPM_ENOMEM;

    snprintf(who, sizeof(who), "bus gen %u", start->generation);
    if (rc == 0) {
        fds[count++] = start->core->control_fd;
        rc = role_enter(start, who, fds, count);
    }
    free(fds);
    return rc;
}

/* One pass of the loop: what is due, or the next that comes. */
static int pass(struct bus *bus)
{
    bool sleeps = bus->spin.window == 0 || role_spin_may_sleep(&bus->spin, bus->events, clock_now());
    return event_base_loop(bus->base, sleeps ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
}

int bus_main(struct role_start *start)
{
    struct bus bus = {.start = start, .log = &start->log};
    struct error err;

    list_init(&bus.request_free);
    bus_event_init(&bus);
    bus_rule_init(&bus);
    bus_handover_init(&bus);
    bus_reopen_init(&bus);
    list_init(&bus.ctl_clients);
    bus_reload_init(&bus);
    bus.starter = getuid();
    bus.born = clock_now();
    bus.owner = (struct loader_owner){bus.log, &bus.conf_error, NULL};
    if (enter(start) != 0) {
        return ROLE_EXIT_FAILED;
    }
    os_limit_raise_files();
    role_crash_init(start->crash, start->step, NULL);
    if (set_up(&bus, &err) != 0) {
        log_write(bus.log, LPM_LOG_ERROR, "%s", err.text);
        bus.status = ROLE_EXIT_FAILED;
    } else {
        bus_squeeze_init(&bus);
        bus_scaler_init(&bus);
        bus.status = bus_lifecycle_init(&bus);
        role_spin_init(&bus.spin, start->core->spin, conf_cpu_count());
        while (bus.status == 0 && !bus.over && pass(&bus) == 0) {
            bus_lifecycle_end_turn(&bus);
        }
    }
    tear_down(&bus);
    return bus.status;
}
