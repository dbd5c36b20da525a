/*
 * What a module wants to have sent. Runs in the bus and in workers. What is refused is left as it is.
 */
#include "role/role_enqueue.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "ipc/frame.h"

/* Ten years: a time limit beyond it is none. */
#define TIMEOUT_MAX_MS INT64_C(315360000000)

/* A caller of 1.0 does not know of descriptors. */
#define SPEC_HAS_DESCRIPTORS(spec) ((spec)->size >= offsetof(lpm_enqueue, socket) + sizeof((spec)->socket))

/* Nor one of 1.1 of priorities and clients. */
#define SPEC_HAS_CLIENT(spec) ((spec)->size >= offsetof(lpm_enqueue, client) + sizeof((spec)->client))

/* `bytes` receives what the headers take. */
static int check_payload(const lpm_enqueue *spec, size_t *bytes)
{
    size_t headers = 0;

    if ((spec->header_count > 0 && !spec->headers) || (spec->len > 0 && !spec->data)) {
        return LPM_EINVAL;
    }
    if (spec->len > FRAME_DATA_MAX || spec->header_count > FRAME_HEADERS_MAX) {
        return LPM_ETOOBIG;
    }
    for (size_t i = 0; i < spec->header_count; i++) {
        const lpm_header *h = &spec->headers[i];
        if (h->name.len > UINT16_MAX || h->value.len > FRAME_HEADERS_MAX) {
            return LPM_ETOOBIG;
        }
        if (!h->name.data || !h->value.data || !frame_header_valid(h->name, h->value)) {
            return LPM_EINVAL;
        }
        headers += frame_header_size(h->name.len, h->value.len);
        if (headers > FRAME_HEADERS_MAX) {
            return LPM_ETOOBIG;
        }
    }
    *bytes = headers;
    return 0;
}

/* Each is closed once, so they must not be the same; one that is not open could never be sent. */
static int check_descriptors(const lpm_enqueue *spec)
{
    if (!SPEC_HAS_DESCRIPTORS(spec)) {
        return 0;
    }
    if ((spec->stream != 0 && fcntl(spec->stream, F_GETFD) < 0) ||
        (spec->socket != 0 && fcntl(spec->socket, F_GETFD) < 0) ||
        (spec->stream != 0 && spec->stream == spec->socket)) {
        return LPM_EINVAL;
    }
    return 0;
}

static int check_queueing(const lpm_enqueue *spec)
{
    if (!SPEC_HAS_CLIENT(spec)) {
        return 0;
    }
    return spec->priority < LPM_PRIORITY_LOW || spec->priority > LPM_PRIORITY_HIGH || spec->reserved != 0 ||
                   (spec->client.len > 0 && !spec->client.data)
               ? LPM_EINVAL
               : 0;
}

int role_enqueue_check(const lpm_enqueue *spec, size_t *headers)
{
    int rc;

    if ((spec->timeout < LPM_NONE && spec->timeout != LPM_DEFAULT) ||
        (spec->retries < 0 && spec->retries != LPM_DEFAULT) || check_queueing(spec) != 0) {
        return LPM_EINVAL;
    }
    rc = check_payload(spec, headers);
    return rc ? rc : check_descriptors(spec);
}

void role_enqueue_encode(const lpm_enqueue *spec, char *room)
{
    for (size_t i = 0; i < spec->header_count; i++) {
        room = frame_header_encode(room, spec->headers[i].name, spec->headers[i].value);
    }
    if (spec->len > 0) {
        memcpy(room, spec->data, spec->len);
    }
}

int role_enqueue_stream(const lpm_enqueue *spec)
{
    return SPEC_HAS_DESCRIPTORS(spec) && spec->stream != 0 ? spec->stream : -1;
}

int role_enqueue_socket(const lpm_enqueue *spec)
{
    return SPEC_HAS_DESCRIPTORS(spec) && spec->socket != 0 ? spec->socket : -1;
}

int32_t role_enqueue_priority(const lpm_enqueue *spec)
{
    return SPEC_HAS_CLIENT(spec) ? spec->priority : LPM_PRIORITY_NORMAL;
}

lpm_slice role_enqueue_client(const lpm_enqueue *spec)
{
    return SPEC_HAS_CLIENT(spec) ? spec->client : (lpm_slice){"", 0};
}

uint64_t role_enqueue_deadline(const lpm_enqueue *spec, int64_t fallback, uint64_t now)
{
    int64_t timeout = spec->timeout == LPM_DEFAULT ? fallback : spec->timeout;

    return timeout == LPM_NONE || timeout >= TIMEOUT_MAX_MS ? 0 : now + (uint64_t)timeout * CLOCK_NS_PER_MS;
}
