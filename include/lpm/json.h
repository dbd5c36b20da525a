/*
 * lpm/json.h: JSON in and out, for modules that want it. Header-only, over jansson (compile with -ljansson); lpm
 * itself hands over bytes and needs none of this.
 *
 *     json_error_t error;
 *     json_t *body = lpm_request_json(req, &error);
 *     if (!body) {
 *         lpm_respond_header(req, ":status", "400");
 *         lpm_respond_text(req, error.text);
 *         return;
 *     }
 */
#ifndef LPM_JSON_H
#define LPM_JSON_H

#include <lpm/module.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest payload that is read as JSON, bytes: a parsed document takes many times its text. A module may define
 * another before it includes this file. */
#ifndef LPM_JSON_MAX
#define LPM_JSON_MAX ((size_t)16 * 1024 * 1024)
#endif

/*
 * The request's data as JSON: any value, UTF-8, no name twice in an object. The caller owns the result
 * (json_decref). NULL: it is none, or it has more than LPM_JSON_MAX bytes; `error` (may be NULL) has line, column
 * and a text. Lives apart from the request: it stays after the answer.
 */
static inline json_t *lpm_request_json(const lpm_request *req, json_error_t *error)
{
    lpm_slice data = lpm_request_data(req);

    if (data.len > LPM_JSON_MAX) {
        if (error != NULL) {
            memset(error, 0, sizeof(*error));
            error->line = error->column = -1;
            snprintf(error->source, sizeof(error->source), "<request>");
            snprintf(error->text, sizeof(error->text), "%zu bytes of JSON, at most %zu are read", data.len,
                     LPM_JSON_MAX);
        }
        return NULL;
    }
    return json_loadb(data.data, data.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, error);
}

/*
 * Answers with `json`, compact, and `content-type: application/json`. `json` stays the caller's. Errors: those of
 * lpm_respond() and lpm_respond_header(); LPM_EINVAL: it cannot be written (NULL, or a loop).
 */
static inline int lpm_respond_json(lpm_request *req, const json_t *json)
{
    char room[4096];
    char *text = room;
    size_t len = json != NULL ? json_dumpb(json, room, sizeof(room), JSON_COMPACT | JSON_ENCODE_ANY) : 0;
    int rc;

    if (req == NULL || len == 0) {
        return LPM_EINVAL;
    }
    if (len > sizeof(room)) {
        text = (char *)malloc(len);
        if (text == NULL) {
            return LPM_ENOMEM;
        }
        json_dumpb(json, text, len, JSON_COMPACT | JSON_ENCODE_ANY);
    }
    rc = lpm_respond_header(req, "content-type", "application/json");
    if (rc == LPM_OK) {
        rc = lpm_respond(req, text, len);
    }
    if (text != room) {
        free(text);
    }
    return rc;
}

#ifdef __cplusplus
}
#endif

#endif
