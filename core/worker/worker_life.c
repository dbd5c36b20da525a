/*
 * The life of a worker. Runs in a worker; an init hook that refuses ends it.
 */
#include "worker/worker_life.h"

#include "worker/worker_event.h"
#include "worker/worker_output.h"
#include "worker/worker_stream.h"

#define EACH_MODULE(m, w) \
    for (struct lpm_worker *m = (w)->modules, *m##_end = m + (w)->loader.count; m < m##_end; m++)

static void run_hard_kill_hooks(struct worker *w)
{
    EACH_MODULE(m, w)
    {
        if (!m->here || !m->up) {
            continue;
        }
        if (m->module->hard_kill) {
            m->module->hard_kill(m);
        }
        worker_event_tell(m, "hardKill", NULL);
    }
}

static void show_step(const struct worker *w, enum role_step step, const struct lpm_worker *m)
{
    role_step_set(w->start->step, step, (size_t)(m - w->modules));
}

int worker_life_init(struct worker *w)
{
    EACH_MODULE(m, w)
    {
        int rc;
        show_step(w, ROLE_STEP_INIT, m);
        rc = m->here && m->module->worker_init ? m->module->worker_init(m) : 0;
        if (rc != 0) {
            log_write(w->log, LPM_LOG_ERROR, "module \"%s\": worker_init returned %d, expected 0",
                      m->module->name, rc);
            run_hard_kill_hooks(w);
            return ROLE_EXIT_INIT;
        }
        m->up = true;
    }
    return 0;
}

static bool every_module_ready(const struct worker *w)
{
    EACH_MODULE(m, w)
    {
        if (m->here && !m->ready) {
            show_step(w, ROLE_STEP_READY, m);
            return false;
        }
    }
    return true;
}

void worker_life_announce(struct worker *w)
{
    bool ready = every_module_ready(w);

    if (ready && (!w->said_ready || w->said_busy)) {
        w->said_ready = true;
        w->said_busy = false;
        show_step(w, ROLE_STEP_NONE, w->modules);
        worker_output_say(w, FRAME_READY);
    } else if (!ready && w->said_ready && !w->said_busy) {
        w->said_busy = true;
        worker_output_say(w, FRAME_BUSY);
    }
    worker_life_end_if_done(w);
}

static void leave(struct worker *w)
{
    w->over = true;
    event_base_loopbreak(w->base);
}

/* They are as good as cancelled (lpm_request_cancelled), though an answer is still welcome. A callback may answer any. */
static void tell_open_requests(struct worker *w)
{
    struct list *at = w->open.next;

    while (at != &w->open) {
        struct lpm_request *req = LIST_ENTRY(at, struct lpm_request, link);
        bool had = req->on_cancel != NULL;
        worker_stream_cancelled(req);
        at = had ? w->open.next : at->next;
    }
}

void worker_life_drain(struct worker *w)
{
    if (!w->drain) {
        w->drain = true;
        tell_open_requests(w);
    }
}

static void tell_soft_kill(struct lpm_worker *m)
{
    size_t told = 0;

    if (m->module->soft_kill) {
        m->module->soft_kill(m);
        told++;
    }
    told += worker_event_tell(m, "softKill", NULL);
    if (told == 0) {
        m->soft_kill_open = false; /* its listeners were removed meanwhile */
    }
}

void worker_life_soft_kill(struct worker *w)
{
    if (w->draining) {
        return;
    }
    w->draining = true;
    worker_life_drain(w);
    /* All are to be waited for before the first is told, which may be done at once. */
    EACH_MODULE(m, w)
    {
        m->soft_killed = m->soft_kill_open =
            m->here && (m->module->soft_kill || role_event_heard(&w->listeners, m, "softKill"));
    }
    EACH_MODULE(m, w)
    {
        if (m->soft_killed) {
            tell_soft_kill(m);
        }
    }
    worker_life_end_if_done(w);
}

void worker_life_end_if_done(struct worker *w)
{
    if (!w->draining || w->open_count > 0 || !every_module_ready(w)) {
        return;
    }
    EACH_MODULE(m, w)
    {
        if (m->soft_kill_open) {
            return;
        }
    }
    leave(w);
}

void worker_life_hard_kill(struct worker *w)
{
    w->over = true; /* nobody reads what is emitted from now on */
    run_hard_kill_hooks(w);
    leave(w);
}
