/*
 * Whose code a process runs: one word of memory that it shares with the master, which reads it when the process has died,
 * or is late to start, and can name the module. Bus and worker write it around every call into a module, the master reads it.
 * What libevent calls, a timer or an event of a module's own, is no step: there a report tells by the stack (crash_main.c).
 */
#ifndef ROLE_STEP_H
#define ROLE_STEP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf_core.h"

enum role_step {
    ROLE_STEP_NONE = 0,
    ROLE_STEP_LOAD, /* the module is loaded: its constructors */
    ROLE_STEP_CONF,
    ROLE_STEP_INIT,   /* worker_init, supervisor_init */
    ROLE_STEP_READY,  /* its worker_init is done, it has not said that it is ready */
    ROLE_STEP_ONLINE, /* supervisor_online */
    ROLE_STEP_REQUEST,
    ROLE_STEP_RESPONSE,  /* on_response of lpm_supervisor_enqueue(), lpm_worker_call(), lpm_worker_emit() */
    ROLE_STEP_CANCEL,    /* what lpm_request_on_cancel() was given */
    ROLE_STEP_EVENT,     /* a listener */
    ROLE_STEP_DONE,      /* on_done of lpm_supervisor_resize(), lpm_supervisor_soft_kill() */
    ROLE_STEP_TAKE_OVER, /* what lpm_supervisor_take_over() was given */
    ROLE_STEP_SOFT_KILL,
    ROLE_STEP_HARD_KILL,
    ROLE_STEP_TRIM,
    ROLE_STEPS
};

typedef _Atomic uint32_t role_step_word;

/* `word` may be NULL: nobody reads it. */
static inline void role_step_set(role_step_word *word, enum role_step step, size_t module)
{
    if (word) {
        atomic_store_explicit(word, (uint32_t)step << 16 | ((uint32_t)module & 0xffff), memory_order_relaxed);
    }
}

/* The same, from within another step maybe: returns what to put back with role_step_back(). */
static inline uint32_t role_step_enter(role_step_word *word, enum role_step step, size_t module)
{
    uint32_t before = word ? atomic_load_explicit(word, memory_order_relaxed) : 0;

    role_step_set(word, step, module);
    return before;
}

static inline void role_step_back(role_step_word *word, uint32_t before)
{
    if (word) {
        atomic_store_explicit(word, before, memory_order_relaxed);
    }
}

/* ", in the init hook of module "modules/a.so"": what follows "died of SIGSEGV"; "" where the word says nothing, or
 * nonsense. */
const char *role_step_text(uint32_t word, const struct conf_core *core, char *room, size_t size);

#endif
