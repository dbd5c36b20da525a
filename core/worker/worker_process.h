/*
 * What the parts of a worker share: the one context of the process, and its two kinds of handles.
 */
#ifndef WORKER_PROCESS_H
#define WORKER_PROCESS_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/list.h"
#include "ipc/channel.h"
#include "ipc/frame.h"
#include "loader/loader.h"
#include "role/role.h"

/* Public as lpm_worker: a module in this process. */
struct lpm_worker {
    lpm_handle handle;
    struct loader_owner owner; /* of this handle and of the module's requests */
    struct worker *worker;
    const lpm_module *module;
    void *context;
    bool here;           /* its hooks run in this pool */
    bool up;             /* its worker_init has done its work */
    bool ready;          /* takes requests: said so, or needs not to */
    bool soft_kill_open; /* its soft_kill hook ran and has not said done */
};

/* Public as lpm_request. Never given back to the system while the process lives: a handle that a module kept too long
 * meets an object that says so. */
struct lpm_request {
    lpm_handle handle;
    struct list link; /* in worker->open, or in worker->idle */
    struct lpm_worker *owner;
    bool open; /* false: answered, or taken back */
    bool cancelled;
    void *context;
    struct frame frame; /* points into `message` */
    struct channel_message message;
    int status;    /* ":status" of the answer; 0: none was given */
    char *headers; /* of the answer, encoded; the room is kept for the next request */
    size_t headers_len, headers_room, header_count;
};

struct worker {
    struct role_start *start;
    const struct log *log;
    char name[80]; /* "pool/index" */
    struct error conf_error;
    struct loader_owner owner; /* of the configuration */
    struct channel *channel;
    struct event_base *base;
    struct event *readable;
    struct loader loader;
    lpm_host host;
    struct lpm_worker *modules; /* one for each of the loader */

    struct list open; /* requests that wait for their answer, oldest first */
    struct list idle; /* objects to use again, longest unused first */
    size_t open_count, idle_count;
    struct lpm_request **slots; /* by frame_key.slot */
    size_t slot_count;

    bool said_ready; /* the first READY is out */
    bool said_busy;  /* BUSY is out, READY is not */
    bool draining;   /* SOFT_KILL came */
    bool over;       /* leave the loop */
    int status;      /* the exit status then */
};

#endif
