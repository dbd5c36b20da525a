/*
 * Outcomes, as modules in a worker see them: of what they emitted, and of what they called.
 */
#ifndef WORKER_RESPONSE_H
#define WORKER_RESPONSE_H

#include "ipc/frame.h"

/* Public as lpm_response: lives during one callback. */
struct lpm_response {
    lpm_handle handle;
    int error;
    const char *text; /* of the error; "": there is none */
    const char *id;   /* of the request; "": it is an event */
    const char *worker;
    uint64_t created_at, queue_time, service_time; /* ns */
    lpm_slice headers, data;
    struct frame_cursor cursor; /* of the header that was asked for last */
    int *stream;                /* NULL: none; -1 there: it was taken */
};

void worker_response_host_init(lpm_host *host);

#endif
