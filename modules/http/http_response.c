/*
 * The head of an answer, as bytes. Pure.
 */
#include "http_response.h"

#include "http_head.h"
#include "http_status.h"

#define FIXED_ROOM 512 /* more than status line and lpm's own headers ever need */

bool http_response_has_body(const struct http_answer *answer)
{
    return !answer->head_only && answer->status != 204 && answer->status != 205 && answer->status != 304;
}

static bool passes(const struct http_answer *answer, const lpm_header *header)
{
    if (header->name.len == 0 || header->name.data[0] == ':') {
        return false;
    }
    switch (http_field_id(header->name.data, header->name.len)) {
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_TRANSFER_ENCODING:
    case HTTP_FIELD_HOP:
        return false;
    case HTTP_FIELD_REQUEST_ID:
        return answer->id == NULL;
    default:
        return true;
    }
}

void http_response_note(struct http_answer *answer, const lpm_header *header)
{
    uint64_t length;
    switch (header->name.len ? http_field_id(header->name.data, header->name.len) : HTTP_FIELD_OTHER) {
    case HTTP_FIELD_DATE:
        answer->date = NULL;
        break;
    case HTTP_FIELD_SERVER:
        answer->has_server = true;
        break;
    case HTTP_FIELD_CONNECTION:
        if (http_word_is(header->value.data, header->value.len, "close")) {
            answer->keep_alive = false;
        }
        break;
    case HTTP_FIELD_CONTENT_LENGTH:
        if (((answer->head_only && answer->length == 0) || answer->streamed) &&
            http_number(header->value.data, header->value.len, &length)) {
            answer->length = length;
            answer->measured = true;
        }
        break;
    default:
        break;
    }
    answer->bytes += header->name.len + header->value.len + 4;
}

size_t http_response_room(const struct http_answer *answer)
{
    return FIXED_ROOM + answer->bytes;
}

static char *put(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

static char *put_text(char *to, const char *text)
{
    return put(to, text, strlen(text));
}

static char *put_number(char *to, uint64_t n)
{
    char digits[20];
    size_t i = sizeof(digits);
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return put(to, digits + i, sizeof(digits) - i);
}

char *http_response_begin(char *to, const struct http_answer *answer)
{
    to = put_text(to, "HTTP/1.1 ");
    to = put_number(to, (unsigned)answer->status);
    *to++ = ' ';
    to = put_text(to, http_status_reason(answer->status));
    if (!answer->has_server) {
        to = put_text(to, "\r\nServer: lpm");
    }
    if (answer->date) {
        to = put_text(put_text(to, "\r\nDate: "), answer->date);
    }
    if (answer->streamed && !answer->measured) {
        to = put_text(to, answer->chunked ? "\r\nTransfer-Encoding: chunked" : "");
    } else if (answer->status != 204 && answer->status != 304) {
        /* 205 has to say that nothing follows (RFC 9110, 15.3.6), whatever the module gave. */
        to = put_number(put_text(to, "\r\nContent-Length: "), answer->status == 205 ? 0 : answer->length);
    }
    if (!answer->keep_alive) {
        to = put_text(to, "\r\nConnection: close");
    } else if (answer->old_client) {
        to = put_text(to, "\r\nConnection: keep-alive");
    }
    if (answer->retry_after > 0) {
        to = put_number(put_text(to, "\r\nRetry-After: "), (uint64_t)answer->retry_after);
    }
    if (answer->id) {
        to = put_text(put_text(to, "\r\nx-request-id: "), answer->id);
    }
    return put(to, "\r\n", 2);
}

char *http_response_header(char *to, const struct http_answer *answer, const lpm_header *header)
{
    if (!passes(answer, header)) {
        return to;
    }
    to = put(to, header->name.data, header->name.len);
    to = put(to, ": ", 2);
    to = put(to, header->value.data, header->value.len);
    return put(to, "\r\n", 2);
}

char *http_response_end(char *to)
{
    return put(to, "\r\n", 2);
}

int http_response_status(lpm_slice text)
{
    uint64_t status;
    if (text.len == 0) {
        return 200;
    }
    return http_number(text.data, text.len, &status) && status >= 200 && status <= 599 ? (int)status : 0;
}

int http_response_error(int error, const char **why)
{
    switch (error) {
    case LPM_EWORKER:
        *why = "the worker died before it answered";
        return 502;
    case LPM_EPOISON:
        *why = "the request has killed workers, and is not tried again";
        return 500;
    case LPM_ESHED:
        *why = "too many requests are waiting";
        return 429;
    case LPM_EFULL:
        *why = "too many files are open";
        return 503;
    case LPM_ENOWORKER:
        *why = "no worker is there to answer";
        return 503;
    case LPM_ESHUTDOWN:
        *why = "the server is going down";
        return 503;
    case LPM_ETIMEDOUT:
        *why = "no answer in time";
        return 504;
    case LPM_ETOOBIG:
        *why = "the request is too large";
        return 413;
    default:
        *why = "the request could not be run";
        return 500;
    }
}
