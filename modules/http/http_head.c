/*
 * What the lines of a request's head mean. Pure; fails by naming the status to answer with.
 */
#include "http_head.h"

#include <string.h>

const unsigned char http_token[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*', ['+'] = '+',
    ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`', ['|'] = '|',   ['~'] = '~', ['0'] = '0',
    ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6',   ['7'] = '7', ['8'] = '8',
    ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e',   ['f'] = 'f', ['g'] = 'g',
    ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm',   ['n'] = 'n', ['o'] = 'o',
    ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u',   ['v'] = 'v', ['w'] = 'w',
    ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c',   ['D'] = 'd', ['E'] = 'e',
    ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k',   ['L'] = 'l', ['M'] = 'm',
    ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's',   ['T'] = 't', ['U'] = 'u',
    ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z',
};

static int refuse(int status, const char **why, const char *text)
{
    *why = text;
    return status;
}

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* What a host's name may hold besides %HH (RFC 3986, 3.2.2). */
static bool is_name(unsigned char c)
{
    return is_alnum(c) || c == '.' || c == '-' || (c != 0 && strchr("_~!$&'()*+,;=", c) != NULL);
}

static bool is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

bool http_word_is(const char *text, size_t len, const char *word)
{
    if (strlen(word) != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (http_token[(unsigned char)text[i]] != (unsigned char)word[i]) {
            return false;
        }
    }
    return true;
}

enum http_field_id http_field_id(const char *name, size_t len)
{
    switch (len) {
#define FIELD(text, id)                              \
    if (memcmp(name, text, sizeof(text) - 1) == 0) { \
        return id;                                   \
    }
    case 2:
        FIELD("te", HTTP_FIELD_HOP)
        break;
    case 4:
        FIELD("host", HTTP_FIELD_HOST)
        FIELD("date", HTTP_FIELD_DATE)
        break;
    case 6:
        FIELD("expect", HTTP_FIELD_EXPECT)
        FIELD("server", HTTP_FIELD_SERVER)
        break;
    case 7:
        FIELD("referer", HTTP_FIELD_REFERER)
        FIELD("upgrade", HTTP_FIELD_HOP)
        FIELD("trailer", HTTP_FIELD_HOP)
        break;
    case 10:
        FIELD("connection", HTTP_FIELD_CONNECTION)
        FIELD("user-agent", HTTP_FIELD_USER_AGENT)
        FIELD("keep-alive", HTTP_FIELD_HOP)
        break;
    case 12:
        FIELD("x-request-id", HTTP_FIELD_REQUEST_ID)
        break;
    case 14:
        FIELD("content-length", HTTP_FIELD_CONTENT_LENGTH)
        break;
    case 16:
        FIELD("proxy-connection", HTTP_FIELD_HOP)
        break;
    case 17:
        FIELD("transfer-encoding", HTTP_FIELD_TRANSFER_ENCODING)
        break;
#undef FIELD
    default:
        break;
    }
    return HTTP_FIELD_OTHER;
}

bool http_number(const char *text, size_t len, uint64_t *value)
{
    uint64_t n = 0;
    if (len == 0 || len > 18) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    *value = n;
    return true;
}

/* The length of the host before its port; 0: not a host. */
static size_t host_length(const char *text, size_t len)
{
    size_t i = 0;
    if (text[0] == '[') {
        for (i = 1; i < len && (is_hex((unsigned char)text[i]) || text[i] == ':' || text[i] == '.'); i++) {
        }
        return i > 2 && i < len && text[i] == ']' ? i + 1 : 0;
    }
    for (; i < len && text[i] != ':'; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '%') {
            if (len - i < 3 || !is_hex((unsigned char)text[i + 1]) || !is_hex((unsigned char)text[i + 2])) {
                return 0;
            }
            i += 2;
        } else if (!is_name(c)) {
            return 0;
        }
    }
    return i;
}

bool http_host_valid(const char *text, size_t len)
{
    size_t host = len > 0 ? host_length(text, len) : 0;
    if (host == 0) {
        return false;
    }
    if (host == len) {
        return true;
    }
    if (text[host] != ':' || len - host > 6) {
        return false;
    }
    for (size_t i = host + 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return true;
}

/* scheme "://" authority [path] ["?" query] */
static int absolute_target(struct http_head *head, const char *bytes, const char **why)
{
    const char *target = bytes + head->target.at;
    size_t len = head->target.len, at = 0, end;
    if (len > 7 && http_word_is(target, 4, "http") && memcmp(target + 4, "://", 3) == 0) {
        at = 7;
    } else if (len > 8 && http_word_is(target, 5, "https") && memcmp(target + 5, "://", 3) == 0) {
        at = 8;
    } else {
        return refuse(400, why, "invalid request target");
    }
    for (end = at; end < len && target[end] != '/' && target[end] != '?'; end++) {
    }
    if (!http_host_valid(target + at, end - at)) {
        return refuse(400, why, "invalid host in the request target");
    }
    head->form = HTTP_ABSOLUTE;
    head->authority.at = head->target.at + (uint32_t)at;
    head->authority.len = (uint32_t)(end - at);
    head->path.at = head->target.at + (uint32_t)end;
    head->path.len = head->target.len - (uint32_t)end;
    return 0;
}

int http_head_target(struct http_head *head, const char *bytes, const char **why)
{
    const char *method = bytes + head->method.at, *target = bytes + head->target.at;
    if (head->method.len == 7 && memcmp(method, "CONNECT", 7) == 0) {
        return refuse(501, why, "CONNECT is not supported");
    }
    if (target[0] == '/') {
        head->form = HTTP_ORIGIN;
        head->path = head->target;
        return 0;
    }
    if (head->target.len == 1 && target[0] == '*') {
        if (head->method.len != 7 || memcmp(method, "OPTIONS", 7) != 0) {
            return refuse(400, why, "the target * is for OPTIONS only");
        }
        head->form = HTTP_ASTERISK;
        head->path = head->target;
        return 0;
    }
    return absolute_target(head, bytes, why);
}

/* Steps to the next member of a comma-separated list, without the spaces around it; false at the end. */
static bool list_next(const char *text, size_t len, size_t *at, const char **item, size_t *item_len)
{
    size_t begin = *at, end;
    if (begin > len) {
        return false;
    }
    for (end = begin; end < len && text[end] != ','; end++) {
    }
    *at = end + 1;
    while (begin < end && (text[begin] == ' ' || text[begin] == '\t')) {
        begin++;
    }
    while (end > begin && (text[end - 1] == ' ' || text[end - 1] == '\t')) {
        end--;
    }
    *item = text + begin;
    *item_len = end - begin;
    return true;
}

static int transfer_encoding(struct http_head *head, const char *value, size_t len, const char **why)
{
    const char *coding;
    size_t coding_len, at = 0;
    head->has_coding = true;
    while (list_next(value, len, &at, &coding, &coding_len)) {
        size_t i = 0;
        if (head->coding_chunked) {
            return refuse(400, why, "a transfer coding after chunked");
        }
        while (i < coding_len && http_token[(unsigned char)coding[i]]) {
            i++;
        }
        if (i == 0 || (i < coding_len && coding[i] != ';' && coding[i] != ' ' && coding[i] != '\t')) {
            return refuse(400, why, "invalid Transfer-Encoding");
        }
        if (!http_word_is(coding, i, "chunked")) {
            head->coding_unknown = true;
        } else if (i < coding_len) {
            return refuse(400, why, "chunked takes no parameter");
        } else {
            head->coding_chunked = true;
        }
    }
    return 0;
}

static int connection(struct http_head *head, const char *value, size_t len, const char **why)
{
    const char *option;
    size_t option_len, at = 0;
    while (list_next(value, len, &at, &option, &option_len)) {
        if (option_len == 0) {
            continue;
        }
        if (http_word_is(option, option_len, "close")) {
            head->option_close = true;
        } else if (http_word_is(option, option_len, "keep-alive")) {
            head->option_keep_alive = true;
        } else if (++head->options > HTTP_CONNECTION_OPTIONS_MAX) {
            return refuse(400, why, "too many names in Connection");
        }
    }
    return 0;
}

static int content_length(struct http_head *head, const char *value, size_t len, const char **why)
{
    if (head->has_length) {
        return refuse(400, why, "more than one Content-Length");
    }
    head->has_length = true;
    if (!http_number(value, len, &head->content_length)) {
        return refuse(400, why, "invalid Content-Length");
    }
    return 0;
}

static int host(struct http_head *head, const char *bytes, const struct http_field *field, const char **why)
{
    if (head->hosts++ > 0) {
        return refuse(400, why, "more than one Host");
    }
    if (field->value.len == 0 ? head->form != HTTP_ASTERISK
                              : !http_host_valid(bytes + field->value.at, field->value.len)) {
        return refuse(400, why, "invalid Host");
    }
    if (head->form != HTTP_ABSOLUTE) {
        head->authority = field->value;
    }
    return 0;
}

int http_head_field(struct http_head *head, const char *bytes, const struct http_field *field,
                    const char **why)
{
    const char *value = bytes + field->value.at;
    size_t len = field->value.len;
    switch (field->id) {
    case HTTP_FIELD_HOST:
        return host(head, bytes, field, why);
    case HTTP_FIELD_CONTENT_LENGTH:
        return content_length(head, value, len, why);
    case HTTP_FIELD_TRANSFER_ENCODING:
        return transfer_encoding(head, value, len, why);
    case HTTP_FIELD_CONNECTION:
        return connection(head, value, len, why);
    case HTTP_FIELD_EXPECT:
        if (http_word_is(value, len, "100-continue")) {
            head->expect_continue = true;
        } else {
            head->expect_unknown = true;
        }
        return 0;
    case HTTP_FIELD_REFERER:
        head->referer = (int16_t)head->field_count;
        return 0;
    case HTTP_FIELD_USER_AGENT:
        head->user_agent = (int16_t)head->field_count;
        return 0;
    default:
        return 0;
    }
}

/* Fields that Connection names end here, except those that lpm itself goes by. */
static void drop_named(struct http_head *head, const char *bytes, const struct http_field *by)
{
    const char *option;
    size_t len, at = 0;
    while (list_next(bytes + by->value.at, by->value.len, &at, &option, &len)) {
        for (size_t i = 0; i < head->field_count; i++) {
            struct http_field *f = &head->fields[i];
            const unsigned char *name = (const unsigned char *)bytes + f->name.at;
            size_t j = 0;
            if (f->id == HTTP_FIELD_HOST || f->id == HTTP_FIELD_CONTENT_LENGTH || f->name.len != len) {
                continue;
            }
            while (j < len && http_token[(unsigned char)option[j]] == name[j]) {
                j++;
            }
            f->drop = f->drop || j == len;
        }
    }
}

int http_head_finish(struct http_head *head, const char *bytes, const char **why)
{
    if (head->hosts == 0 && head->minor > 0) {
        return refuse(400, why, "no Host");
    }
    if (head->has_coding) {
        if (head->minor == 0) {
            return refuse(400, why, "Transfer-Encoding in HTTP/1.0");
        }
        if (head->has_length) {
            return refuse(400, why, "both Content-Length and Transfer-Encoding");
        }
        if (!head->coding_chunked) {
            return refuse(400, why, "the last transfer coding is not chunked");
        }
        if (head->coding_unknown) {
            return refuse(501, why, "unknown transfer coding");
        }
    }
    if (head->minor == 0) {
        head->expect_continue = false;
    } else if (head->expect_unknown) {
        return refuse(417, why, "unknown expectation");
    }
    for (size_t i = 0; head->options > 0 && i < head->field_count; i++) {
        if (head->fields[i].id == HTTP_FIELD_CONNECTION) {
            drop_named(head, bytes, &head->fields[i]);
        }
    }
    return 0;
}
