/*
 * Memory that can be done without. Runs in a worker, between requests. Where the C library gives nothing back, only the
 * modules do.
 */
#include "worker/worker_trim.h"

#include <malloc.h>

#include "lpm_auto_config.h"

static void give_pages_back(void)
{
#if LPM_HAVE_MALLOC_TRIM
    malloc_trim(0);
#endif
}

void worker_trim(struct worker *w)
{
    for (size_t i = 0; i < w->loader.count; i++) {
        struct lpm_worker *m = &w->modules[i];
        /* The loader's copy of the descriptor has no hook where the module was built without it. */
        if (m->here && m->up && m->module->trim) {
            uint32_t before = role_step_enter(w->start->step, ROLE_STEP_TRIM, i);
            m->module->trim(m);
            role_step_back(w->start->step, before);
        }
    }
    give_pages_back();
}
