/*
 * What a process leaves behind when it crashes, and how it shows its stack while it lives: a page that it shares with the
 * master. Bus and worker write it from within signal handlers; the role `crash` makes the text of it. Modules run in
 * the process, so every byte of the page may be anything.
 *
 * A module that installs handlers of its own for these signals, as some language runtimes do, replaces lpm's: they are there
 * before the first module is loaded. Then there is no report; the death is told as ever.
 */
#ifndef ROLE_CRASH_H
#define ROLE_CRASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/frame.h"
#include "role/role_step.h"

#define ROLE_CRASH_FRAMES    64u
#define ROLE_CRASH_OBJECTS   16u
#define ROLE_CRASH_REGISTERS 32u
#define ROLE_CRASH_PATH      256u
#define ROLE_CRASH_HEADERS   4096u
#define ROLE_CRASH_MODULES   64u
#define ROLE_CRASH_NAME      64u

/* A mapped file that one of the frames lies in. */
struct role_crash_object {
    uint64_t base, end; /* addresses; `base` is where its first byte is mapped */
    char path[ROLE_CRASH_PATH];
};

/* In the order in which they are written: who dies half-way leaves what was before. */
enum role_crash_part {
    ROLE_CRASH_NOTHING = 0,
    ROLE_CRASH_SIGNAL, /* the signal and the registers */
    ROLE_CRASH_REQUEST,
    ROLE_CRASH_STACK,
    ROLE_CRASH_ALL /* with the objects */
};

struct role_crash_report {
    _Atomic uint32_t written; /* enum role_crash_part: the last that is there */
    int32_t number, code;     /* of the signal, as in siginfo_t */
    uint64_t address, pc, sp;
    uint32_t register_count, step; /* the step word */
    uint64_t registers[ROLE_CRASH_REGISTERS];
    char id[UUID_TEXT_SIZE]; /* of the request whose handler ran; empty: none */
    uint32_t headers_len;
    char headers[ROLE_CRASH_HEADERS]; /* its first ones, encoded as in a frame, cut anywhere */
    uint32_t frame_count;
    uint64_t frames[ROLE_CRASH_FRAMES];
    uint32_t object_count;
    struct role_crash_object objects[ROLE_CRASH_OBJECTS];
};

struct role_crash_page {
    struct role_crash_report death, slow;
    _Atomic uint32_t shown; /* how often `slow` was written */
    char names[ROLE_CRASH_MODULES][ROLE_CRASH_NAME];
};

/* What the role `crash` is to tell of. */
enum role_crash_kind {
    ROLE_CRASH_DIED,
    ROLE_CRASH_HUNG, /* it was ended for that */
    ROLE_CRASH_SLOW  /* it goes on: its handler has run for long */
};

struct role_crash_job {
    enum role_crash_kind kind;
    char who[128]; /* "worker default/0 (pid 12)" */
    const struct role_crash_page *page;
    uint32_t shown; /* SLOW: page->shown before it was sent the signal */
    bool plain;     /* no names: who tried it with them has not come to its end */
};

/* To be sent to a process that is to show its stack in `slow` and go on. Calls that a signal interrupts return EINTR only
 * where SA_RESTART does not help: nanosleep(), poll() and the like. */
int role_crash_show_signal(void);

/* Installs the handlers, and a stack for them. `step` and `running` (the frame of the request whose handler runs, NULL:
 * none) are what is looked at then; either may be NULL. Without `page` it does nothing. Not undone: a process has one
 * page until it ends. */
void role_crash_init(struct role_crash_page *page, role_step_word *step, const struct frame *const *running);

/* No request runs any more, and `running` is not looked at again: what its module does at exit may crash, too. */
void role_crash_end_requests(void);

/* Module `i` has that name. */
void role_crash_name(struct role_crash_page *page, size_t i, const char *name);

#endif
