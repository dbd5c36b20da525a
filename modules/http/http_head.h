/*
 * What the lines of a request's head mean: field names and values, targets, hosts, framing (RFC 9112, RFC 9110).
 * Pure, no allocation. Every function either accepts or names the status to answer with; nothing is repaired.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_FIELDS_MAX             100
#define HTTP_CONNECTION_OPTIONS_MAX 16 /* names that the Connection fields of a request may hold */

enum http_field_id {
    HTTP_FIELD_OTHER = 0,
    HTTP_FIELD_HOST,
    HTTP_FIELD_CONTENT_LENGTH,
    HTTP_FIELD_TRANSFER_ENCODING,
    HTTP_FIELD_CONNECTION,
    HTTP_FIELD_EXPECT,
    HTTP_FIELD_REFERER,
    HTTP_FIELD_USER_AGENT,
    HTTP_FIELD_DATE,
    HTTP_FIELD_SERVER,
    HTTP_FIELD_REQUEST_ID,
    HTTP_FIELD_HOP /* any other that ends at this connection: keep-alive, upgrade, te, trailer ... */
};

enum http_target_form { HTTP_ORIGIN = 0, HTTP_ABSOLUTE, HTTP_ASTERISK };

/* A part of the head, as a place in the buffer, so that the buffer may move. */
struct http_span {
    uint32_t at, len;
};

struct http_field {
    struct http_span name; /* lower case */
    struct http_span value;
    uint8_t id;
    bool drop; /* named by Connection: it ends here */
};

struct http_head {
    struct http_span line; /* the request line without its CRLF; as far as it came if it is not whole */
    struct http_span method;
    struct http_span target; /* raw */
    struct http_span
        path; /* with the query; of an absolute target what follows the authority (maybe empty) */
    struct http_span authority; /* of an absolute target, else the Host's value */
    uint8_t form;
    uint8_t minor; /* HTTP/1.minor; above 1 counts as 1 */
    uint8_t hosts;
    bool has_length, has_coding, coding_chunked, coding_unknown;
    bool option_close, option_keep_alive;
    bool expect_continue, expect_unknown;
    uint16_t options; /* Connection's names that are neither close nor keep-alive */
    uint64_t content_length;
    int16_t referer, user_agent; /* places in `fields`; -1 */
    uint16_t field_count;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* The lower-case form of each byte that a token may hold, 0 for the others. */
extern const unsigned char http_token[256];

/* May `c` stand in a field's value? */
static inline bool http_is_text(unsigned char c)
{
    return c >= 0x20 ? c != 0x7f : c == '\t';
}

/* `name` is in lower case. */
enum http_field_id http_field_id(const char *name, size_t len);

/* 1*DIGIT that fits in 63 bits. */
bool http_number(const char *text, size_t len, uint64_t *value);

/* uri-host [":" port] (RFC 3986), not empty; no user information. */
bool http_host_valid(const char *text, size_t len);

/* The same word, whatever the case? `word` is in lower case. */
bool http_word_is(const char *text, size_t len, const char *word);

/* Each of these returns 0, or the status to answer with and why, in a constant string. */
int http_head_target(struct http_head *head, const char *bytes, const char **why);
int http_head_field(struct http_head *head, const char *bytes, const struct http_field *field,
                    const char **why);
int http_head_finish(struct http_head *head, const char *bytes, const char **why);

#endif
