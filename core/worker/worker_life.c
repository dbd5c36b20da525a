/*
 * The life of a worker. Runs in a worker; an init hook that refuses ends it.
 */
#include "worker/worker_life.h"

#include "worker/worker_call.h"
#include "worker/worker_event.h"
#include "worker/worker_output.h"
#include "worker/worker_stream.h"

#define EACH_MODULE(m, w) \
    for (struct lpm_worker *m = (w)->modules, *m##_end = m + (w)->loader.count; m < m##_end; m++)

uint32_t worker_step_enter(const struct lpm_worker *m, enum role_step step)
{
    return role_step_enter(m->worker->start->step, step, (size_t)(m - m->worker->modules));
}

void worker_step_back(const struct lpm_worker *m, uint32_t before)
{
    role_step_back(m->worker->start->step, before);
}

static void run_hard_kill_hooks(struct worker *w)
{
    EACH_MODULE(m, w)
    {
        uint32_t before; /* it may be an init hook that has refused */
        if (!m->here || !m->up) {
            continue;
        }
        before = worker_step_enter(m, ROLE_STEP_HARD_KILL);
        if (m->module->hard_kill) {
            m->module->hard_kill(m);
        }
        worker_event_tell(m, "hardKill", NULL);
        worker_step_back(m, before);
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

/* Has every init hook returned? Until then one may still refuse that has said ready. */
static bool every_module_up(const struct worker *w)
{
    EACH_MODULE(m, w)
    {
        if (!m->up) {
            return false;
        }
    }
    return true;
}

static bool every_module_ready(const struct worker *w)
{
    EACH_MODULE(m, w)
    {
        if (m->here && !m->ready) {
            if (!w->said_ready) {
                show_step(w, ROLE_STEP_READY, m);
            }
            return false;
        }
    }
    return true;
}

void worker_life_announce(struct worker *w)
{
    bool ready;

    if (!every_module_up(w)) {
        return;
    }
    ready = every_module_ready(w);
    if (ready && (!w->said_ready || w->said_busy)) {
        w->said_ready = true;
        w->said_busy = false;
        show_step(w, ROLE_STEP_NONE, w->modules);
        worker_output_say(w, FRAME_READY);
        worker_call_turn(w);
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

void worker_life_drain(struct worker *w)
{
    if (!w->drain) {
        w->drain = true;
        worker_stream_cancel_all(w);
    }
}

static void tell_soft_kill(struct lpm_worker *m)
{
    size_t told = 0;

    show_step(m->worker, ROLE_STEP_SOFT_KILL, m);
    if (m->module->soft_kill) {
        m->module->soft_kill(m);
        told++;
    }
    told += worker_event_tell(m, "softKill", NULL);
    show_step(m->worker, ROLE_STEP_NONE, m);
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
    if (!w->draining || w->open_count > 0 || !list_empty(&w->calls) || !every_module_ready(w)) {
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
