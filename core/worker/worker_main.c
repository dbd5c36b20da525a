/*
 * The worker role. Fails before its loop with a line in the log and an exit status; in the loop it ends when the bus
 * says so, breaks the protocol, or is gone.
 */
#include "worker/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "conf/conf_cpu.h"
#include "os/os_limit.h"
#include "role/role_base.h"
#include "worker/worker_call.h"
#include "worker/worker_event.h"
#include "worker/worker_heap.h"
#include "worker/worker_host.h"
#include "worker/worker_input.h"
#include "worker/worker_life.h"
#include "worker/worker_process.h"
#include "worker/worker_request.h"
#include "worker/worker_stream.h"

/* How long the bus may take to send the board: it has been running since before this process. */
#define BOARD_TIMEOUT_MS 10000

/* Does the module work in this pool? One that answers requests does in its pool; any other everywhere. */
static bool belongs(const struct worker *w, const lpm_module *module)
{
    return !module->request || conf_core_pool_of(w->start->core, module->name) == w->start->pool;
}

static int set_up_modules(struct worker *w)
{
    w->modules = calloc(w->loader.count + 1, sizeof(*w->modules));
    if (!w->modules) {
        return LPM_ENOMEM;
    }
    for (size_t i = 0; i < w->loader.count; i++) {
        struct lpm_worker *m = &w->modules[i];
        m->owner = (struct loader_owner){w->log, &w->conf_error, w->loader.modules[i].module.name};
        m->handle = (lpm_handle){&w->host, &m->owner};
        m->worker = w;
        m->handler.module = m;
        m->module = &w->loader.modules[i].module;
        m->here = belongs(w, m->module);
        m->ready = !m->module->worker_init;
        role_crash_name(w->start->crash, i, m->module->name);
    }
    return 0;
}

static void on_conf(void *arg, size_t i)
{
    role_step_set(arg, ROLE_STEP_CONF, i);
}

static void on_load(void *arg, size_t i)
{
    role_step_set(arg, ROLE_STEP_LOAD, i);
}

static int set_up(struct worker *w, struct error *err)
{
    struct role_start *start = w->start;
    int rc = channel_new_worker(&w->channel, start->channel, BOARD_TIMEOUT_MS, err);

    if (rc == 0) {
        rc = loader_load(&w->loader, start->core, start->modules, on_load, start->step, err);
    }
    if (rc == 0) {
        worker_host_init(w);
        rc = loader_configure(&w->loader, start->core->tree, &w->host, &w->owner, on_conf, start->step, err);
    }
    if (rc != 0) {
        return rc;
    }
    w->base = role_base_new();
    if (!w->base || worker_input_init(w) != 0 || worker_call_init(w) != 0 || set_up_modules(w) != 0) {
        return error_set(err, LPM_ENOMEM, "out of memory");
    }
    return 0;
}

static void tear_down(struct worker *w)
{
    worker_event_fini(w);
    worker_request_free_all(w);
    worker_stream_fini(w);
    worker_heap_fini(w);
    free(w->modules);
    worker_input_fini(w);
    if (w->base) {
        event_base_free(w->base);
    }
    loader_fini(&w->loader);
    if (w->channel) {
        /* It stays open to the very end: the bus takes its closing for a death, and has the process killed. */
        fcntl(channel_fd(w->channel), F_DUPFD_CLOEXEC, 0);
        channel_free(w->channel);
    }
}

/* Listeners are the bus's; a module that serves connections here writes their access log. */
static int enter(struct role_start *start, const char *who)
{
    size_t count;
    int *logs = role_opened(start->core->tree, true, &count);
    int rc = logs ? role_enter(start, who, logs, count) : LPM_ENOMEM;

    free(logs);
    return rc;
}

/* One pass of the loop: what is due, or the next that comes. */
static int pass(struct worker *w)
{
    bool sleeps = w->spin.window == 0 || role_spin_may_sleep(&w->spin, w->events, clock_now());
    return event_base_loop(w->base, sleeps ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
}

int worker_main(struct role_start *start)
{
    struct worker w = {.start = start, .log = &start->log};
    struct error err;

    worker_request_init(&w);
    worker_event_init(&w);
    w.owner = (struct loader_owner){w.log, &w.conf_error, NULL};
    w.concurrency = start->core->pools[start->pool].concurrency;
    w.timeout = start->core->timeout;
    w.kill_after = (uint64_t)start->core->pools[start->pool].kill_after * CLOCK_NS_PER_MS;
    snprintf(w.name, sizeof(w.name), "%s/%zu", start->core->pools[start->pool].name, start->index);

    char who[sizeof(w.name) + 32];
    snprintf(who, sizeof(who), "worker %s gen %u", w.name, start->generation);
    if (enter(start, who) != 0) {
        return ROLE_EXIT_FAILED;
    }
    os_limit_raise_files();
    role_crash_init(start->crash, start->step, &w.running);
    if (set_up(&w, &err) != 0) {
        log_write(w.log, LPM_LOG_ERROR, "%s", err.text);
        w.status = ROLE_EXIT_FAILED;
    } else {
        w.status = worker_life_init(&w);
        if (w.status == 0) {
            role_spin_init(&w.spin, start->core->spin, conf_cpu_count());
            worker_life_announce(&w);
            do {
                worker_heap_tell(&w);
            } while (!w.over && pass(&w) == 0);
        }
    }
    tear_down(&w);
    role_crash_end_requests();
    return w.status;
}
