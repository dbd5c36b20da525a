/*
 * What lpm_response is: lives during one call of on_response.
 */
#ifndef BUS_RESPONSE_H
#define BUS_RESPONSE_H

#include "bus/bus_request.h"

struct lpm_response {
    lpm_handle handle;
    int error;
    const char *text;
    const struct bus_request *req;
    const struct bus_answer *answer;
    uint64_t at;                /* ns: when the outcome was there */
    struct frame_cursor cursor; /* of the header that was asked for last */
};

#endif
