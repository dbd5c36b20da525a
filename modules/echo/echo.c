/*
 * The handler `echo`: answers with what it was sent, as the content-type that it came with. With `headers` in the
 * query of the path (GET /?headers), or with the header `x-echo-headers: 1`, it answers with the request's headers
 * instead, a line "name: value" each. A body that comes as a stream goes back as it comes. Runs in workers.
 *
 *     curl -d hi http://127.0.0.1:8080/
 *     curl http://127.0.0.1:8080/?headers
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <stdlib.h>
#include <unistd.h>

static const char default_type[] = "application/octet-stream";

/* Does one of the query's parts, cut at '&', have this name, with a value or without? */
static int query_has(lpm_slice path, const char *name)
{
    const char *end = path.data + path.len;
    const char *part = memchr(path.data, '?', path.len);
    size_t len = strlen(name);

    while (part) {
        size_t left = (size_t)(end - ++part);
        if (left >= len && memcmp(part, name, len) == 0 &&
            (left == len || part[len] == '&' || part[len] == '=')) {
            return 1;
        }
        part = memchr(part, '&', left);
    }
    return 0;
}

/* Writes the headers as text to `room`, which is NULL to learn their length. */
static size_t print_headers(const lpm_request *req, char *room)
{
    lpm_header h;
    size_t used = 0;

    for (size_t i = 0; lpm_request_header_at(req, i, &h); i++) {
        if (room) {
            memcpy(room + used, h.name.data, h.name.len);
            memcpy(room + used + h.name.len, ": ", 2);
            memcpy(room + used + h.name.len + 2, h.value.data, h.value.len);
            room[used + h.name.len + 2 + h.value.len] = '\n';
        }
        used += h.name.len + 2 + h.value.len + 1;
    }
    return used;
}

static void respond_headers(lpm_request *req)
{
    size_t len = print_headers(req, NULL);
    char *text = malloc(len + 1);

    if (!text) {
        lpm_log(req, LPM_LOG_ERROR, "no memory for %zu bytes of headers", len);
        lpm_respond_header(req, ":status", "503");
        lpm_respond_text(req, "no memory\n");
        return;
    }
    print_headers(req, text);
    lpm_respond_header(req, "content-type", "text/plain; charset=utf-8");
    lpm_respond(req, text, len);
    free(text);
}

/* Hands the stream on: the worker sees none of its bytes. */
static void respond_stream(lpm_request *req)
{
    lpm_slice length = lpm_request_header(req, "content-length");
    int fd = lpm_request_stream(req), rc = fd;

    if (length.len > 0) {
        lpm_respond_header_slice(req, lpm_slice_of("content-length"), length);
    }
    if (fd >= 0) {
        rc = lpm_respond_stream(req, "", 0, fd);
    }
    if (rc < 0 && rc != LPM_ECANCELED) {
        lpm_log(req, LPM_LOG_ERROR, "the stream cannot be sent back: error %d", rc);
        lpm_respond_header(req, ":status", "500");
        lpm_respond_text(req, "the stream cannot be sent back\n");
        if (fd >= 0) {
            close(fd);
        }
    }
}

static void respond_data(lpm_request *req)
{
    lpm_slice data = lpm_request_data(req);
    lpm_slice type = lpm_request_header(req, "content-type");

    /* A type that may not be said in an answer is as good as none. */
    if (type.len == 0 || lpm_respond_header_slice(req, lpm_slice_of("content-type"), type) != LPM_OK) {
        lpm_respond_header(req, "content-type", default_type);
    }
    if (lpm_request_has_stream(req)) {
        respond_stream(req);
    } else {
        lpm_respond(req, data.data, data.len);
    }
}

static void echo(lpm_request *req)
{
    if (query_has(lpm_request_header(req, ":path"), "headers") ||
        lpm_slice_is(lpm_request_header(req, "x-echo-headers"), "1")) {
        respond_headers(req);
    } else {
        respond_data(req);
    }
}

LPM_MODULE(.name = "echo", .version = "1.0", .request = echo);
