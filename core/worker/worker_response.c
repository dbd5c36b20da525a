/*
 * The host table's part about outcomes. Runs in a worker.
 */
#include "worker/worker_response.h"

#include "base/clock.h"

static int response_error(const lpm_response *res)
{
    return res->error;
}

static const char *response_error_text(const lpm_response *res)
{
    return res->text;
}

static const char *response_id(const lpm_response *res)
{
    return res->id;
}

static uint64_t response_created_at(const lpm_response *res)
{
    return res->created_at;
}

static uint64_t response_created_at_wall(const lpm_response *res)
{
    return res->created_at + clock_wall_offset();
}

static lpm_slice response_data(const lpm_response *res)
{
    return res->data;
}

static int response_header_at(const lpm_response *res, size_t i, lpm_header *header)
{
    /* The object is ours, and none that was made as a constant. */
    struct frame_cursor *cursor = (struct frame_cursor *)(uintptr_t)&res->cursor;
    return header && frame_header_at(res->headers, i, cursor, header);
}

static lpm_slice response_header(const lpm_response *res, const char *name)
{
    return frame_header_find(res->headers, name);
}

static const char *response_worker(const lpm_response *res)
{
    return res->worker;
}

static uint64_t response_queue_time(const lpm_response *res)
{
    return res->queue_time;
}

static uint64_t response_service_time(const lpm_response *res)
{
    return res->service_time;
}

static int response_has_stream(const lpm_response *res)
{
    return res->stream != NULL;
}

static int response_stream(lpm_response *res)
{
    int fd;

    if (!res->stream) {
        return LPM_EINVAL;
    }
    if (*res->stream < 0) {
        return LPM_EDONE;
    }
    fd = *res->stream;
    *res->stream = -1;
    return fd;
}

void worker_response_host_init(lpm_host *host)
{
    host->response_error = response_error;
    host->response_error_text = response_error_text;
    host->response_id = response_id;
    host->response_created_at = response_created_at;
    host->response_created_at_wall = response_created_at_wall;
    host->response_data = response_data;
    host->response_header_at = response_header_at;
    host->response_header = response_header;
    host->response_worker = response_worker;
    host->response_queue_time = response_queue_time;
    host->response_service_time = response_service_time;
    host->response_has_stream = response_has_stream;
    host->response_stream = response_stream;
}
