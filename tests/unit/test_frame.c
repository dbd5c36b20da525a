/*
 * core/ipc/frame: what is encoded is decoded alike, and nothing else is taken.
 */
#include "ipc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID          "0b2a7d5e-91c4-4f3a-8e6d-0123456789ab"
#define SLICE(text) ((lpm_slice){text, sizeof(text) - 1})

/* Where the fields stand in the head; the layout is the file's own, and must not change unnoticed. */
enum {
    AT_TYPE = 0,
    AT_SLOT = 4,
    AT_SEQ = 8,
    AT_ERROR = 12,
    AT_CREATED = 16,
    AT_DEADLINE = 24,
    AT_DATA_LEN = 32,
    AT_HEADERS_LEN = 40,
    AT_HEADER_COUNT = 44,
    AT_HANDLER = 48,
    AT_ID = 50,
    AT_FLAGS = 87,
    AT_ZERO = 88
};

static char headers_room[256];

static lpm_slice two_headers(void)
{
    char *end = frame_header_encode(headers_room, SLICE(":method"), SLICE("GET"));
    end = frame_header_encode(end, SLICE("x"), SLICE(""));
    return (lpm_slice){headers_room, (size_t)(end - headers_room)};
}

static lpm_slice event_header(lpm_slice name)
{
    char *end = frame_header_encode(headers_room, SLICE(FRAME_EVENT_NAME), name);
    return (lpm_slice){headers_room, (size_t)(end - headers_room)};
}

static struct frame sample(enum frame_type type)
{
    struct frame frame = {.type = type};

    if (type <= FRAME_ABANDON || type == FRAME_RESPONSE || type == FRAME_REPLY) {
        frame.key = (struct frame_key){7, 4000000000u};
    }
    if (type == FRAME_EMIT || type == FRAME_LOG || type == FRAME_LOG_TAKEN) {
        frame.key.seq = 4000000000u;
    }
    if (type == FRAME_EMIT) {
        frame.flags = FRAME_WANTS_REPLY;
    }
    if (type == FRAME_EVENT || type == FRAME_EMIT) {
        frame.headers = event_header(SLICE("tick"));
        frame.header_count = 1;
        frame.data = SLICE("some\0data");
    }
    if (type == FRAME_HEAP) {
        frame.heap_total = UINT64_MAX;
        frame.heap_used = 7;
    }
    if (type == FRAME_REQUEST || type == FRAME_RESPONSE || type == FRAME_REPLY) {
        frame.headers = two_headers();
        frame.header_count = 2;
        frame.data = SLICE("some\0data");
    }
    if (type == FRAME_REQUEST) {
        memcpy(frame.id, ID, sizeof(frame.id));
        frame.handler = 65535;
        frame.created_at = UINT64_C(0x1122334455667788);
        frame.deadline = UINT64_MAX;
    }
    if (type == FRAME_REQUEST || type == FRAME_RESPONSE || type == FRAME_LOG) {
        frame.flags = FRAME_STREAM;
    }
    if (type == FRAME_RESPONSE || type == FRAME_REPLY) {
        frame.error = LPM_EABI;
    }
    return frame;
}

/* The frame in a block of just its size, so that a sanitizer sees each step outside. */
static char *encode(const struct frame *frame, size_t *len)
{
    char *bytes;

    *len = frame_size(frame);
    bytes = malloc(*len);
    assert_non_null(bytes);
    frame_encode(frame, bytes);
    return bytes;
}

static void assert_same(const struct frame *a, const struct frame *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->key.slot, b->key.slot);
    assert_int_equal(a->key.seq, b->key.seq);
    assert_int_equal(a->error, b->error);
    assert_int_equal(a->handler, b->handler);
    assert_int_equal(a->flags, b->flags);
    if (a->type == FRAME_HEAP) {
        assert_true(a->heap_total == b->heap_total);
        assert_true(a->heap_used == b->heap_used);
    } else {
        assert_true(a->created_at == b->created_at);
        assert_true(a->deadline == b->deadline);
    }
    assert_memory_equal(a->id, b->id, sizeof(a->id));
    assert_int_equal(a->header_count, b->header_count);
    assert_int_equal(a->headers.len, b->headers.len);
    assert_int_equal(a->data.len, b->data.len);
    if (a->data.len > 0) {
        assert_memory_equal(a->data.data, b->data.data, a->data.len);
        assert_memory_equal(a->headers.data, b->headers.data, a->headers.len);
    }
}

static void round_trip(void **state)
{
    (void)state;
    for (int type = FRAME_REQUEST; type < FRAME_TYPE_END; type++) {
        struct frame sent = sample((enum frame_type)type), got;
        const char *why = NULL;
        size_t len;
        char *bytes = encode(&sent, &len);

        assert_int_equal(frame_decode(&got, bytes, len, &why), 0);
        assert_same(&sent, &got);
        assert_true(got.headers.data == bytes + FRAME_HEAD_SIZE);
        assert_true(got.data.data + got.data.len == bytes + len);
        free(bytes);
    }
}

/* Bytes may begin at any address. */
static void round_trip_unaligned(void **state)
{
    struct frame sent = sample(FRAME_REQUEST), got;
    char room[512];
    const char *why;

    (void)state;
    for (size_t shift = 0; shift < 8; shift++) {
        frame_encode(&sent, room + shift);
        assert_int_equal(frame_decode(&got, room + shift, frame_size(&sent), &why), 0);
        assert_same(&sent, &got);
    }
}

static void encode_around_leaves_the_headers(void **state)
{
    struct frame sent = sample(FRAME_RESPONSE), got;
    lpm_slice headers = sent.headers;
    const char *why;
    char room[512];
    char *place;

    (void)state;
    sent.headers.data = NULL;
    place = frame_encode_around(&sent, room);
    assert_true(place == room + FRAME_HEAD_SIZE);
    memcpy(place, headers.data, headers.len);
    sent.headers = headers;
    assert_int_equal(frame_decode(&got, room, frame_size(&sent), &why), 0);
    assert_same(&sent, &got);
}

static void size_knows_the_limits(void **state)
{
    struct frame frame = {.type = FRAME_REQUEST};

    (void)state;
    assert_int_equal(frame_size(&frame), FRAME_HEAD_SIZE);
    frame.headers.len = FRAME_HEADERS_MAX;
    frame.data.len = FRAME_DATA_MAX;
    assert_true(frame_size(&frame) == FRAME_HEAD_SIZE + FRAME_HEADERS_MAX + FRAME_DATA_MAX);
    frame.headers.len++;
    assert_true(frame_size(&frame) == SIZE_MAX);
    frame.headers.len = 0;
    frame.data.len++;
    assert_true(frame_size(&frame) == SIZE_MAX);
    frame.data.len = SIZE_MAX;
    assert_true(frame_size(&frame) == SIZE_MAX);
}

static void header_size_knows_the_limits(void **state)
{
    (void)state;
    assert_int_equal(frame_header_size(0, 0), 10);
    assert_int_equal(frame_header_size(65535, 1), 65546);
    assert_true(frame_header_size(65536, 0) > FRAME_HEADERS_MAX);
    assert_true(frame_header_size(0, SIZE_MAX) > FRAME_HEADERS_MAX);
    assert_true(frame_header_size(SIZE_MAX, SIZE_MAX) > FRAME_HEADERS_MAX);
}

/* Every other length of the same bytes is refused, and nothing outside of them is read. */
static void every_other_length(void **state)
{
    struct frame sent = sample(FRAME_REQUEST), got;
    const char *why;
    size_t len;
    char *bytes = encode(&sent, &len);

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        char *part = malloc(cut + 1);
        assert_non_null(part);
        part = realloc(part, cut > 0 ? cut : 1);
        assert_non_null(part);
        memcpy(part, bytes, cut);
        why = NULL;
        assert_int_equal(frame_decode(&got, part, cut, &why), LPM_EPROTO);
        assert_non_null(why);
        free(part);
    }
    bytes = realloc(bytes, len + 1);
    assert_non_null(bytes);
    bytes[len] = '\0';
    assert_int_equal(frame_decode(&got, bytes, len + 1, &why), LPM_EPROTO);
    free(bytes);
}

#define ALL_BUT(type) (~(1u << (type)))
#define KEYED                                                                                \
    (1u << FRAME_REQUEST | 1u << FRAME_CANCEL | 1u << FRAME_ABANDON | 1u << FRAME_RESPONSE | \
     1u << FRAME_REPLY)
#define NUMBERED (KEYED | 1u << FRAME_EMIT | 1u << FRAME_LOG | 1u << FRAME_LOG_TAKEN)
#define LOADED   (1u << FRAME_REQUEST | 1u << FRAME_RESPONSE | 1u << FRAME_REPLY)
#define EVENTS   (1u << FRAME_EVENT | 1u << FRAME_EMIT)
#define TIMED    (1u << FRAME_REQUEST | 1u << FRAME_HEAP)
#define STREAMED (1u << FRAME_REQUEST | 1u << FRAME_RESPONSE | 1u << FRAME_EVENT | 1u << FRAME_LOG)

/* A byte of the head that is changed, and the types for which that must be refused. */
static const struct {
    const char *what;
    unsigned at;
    unsigned char value;
    unsigned refused; /* bits of types */
} changes[] = {
    {"type 0", AT_TYPE, 0, ~0u},
    {"type END", AT_TYPE, FRAME_TYPE_END, ~0u},
    {"type with a high byte", AT_TYPE + 3, 1, ~0u},
    {"slot", AT_SLOT, 1, ~(KEYED | 1u << FRAME_LOG)},
    {"seq", AT_SEQ, 1, ~NUMBERED},
    {"error 1", AT_ERROR, 1, ~0u},
    {"created_at", AT_CREATED + 7, 1, ~TIMED},
    {"deadline", AT_DEADLINE, 1, ~TIMED},
    {"handler", AT_HANDLER, 1, ALL_BUT(FRAME_REQUEST)},
    {"data_len", AT_DATA_LEN, 1, ~0u},
    {"data_len, 2^32 more", AT_DATA_LEN + 4, 1, ~0u},
    {"data_len, 2^63", AT_DATA_LEN + 7, 0x80, ~0u},
    {"headers_len", AT_HEADERS_LEN, 1, ~0u},
    {"headers_len over the limit", AT_HEADERS_LEN + 3, 0xff, ~0u},
    {"header_count 1", AT_HEADER_COUNT, 1, ~EVENTS},
    {"header_count 3", AT_HEADER_COUNT, 3, ~0u},
    {"header_count of 2^31", AT_HEADER_COUNT + 3, 0x80, ~0u},
    {"id: first", AT_ID, 'g', ~0u},
    {"id: upper case", AT_ID, 'B', ~0u},
    {"id: before the digits", AT_ID + 4, '/', ~0u},
    {"id: behind the digits", AT_ID + 12, ':', ~0u},
    {"id: before the letters", AT_ID + 20, '`', ~0u},
    {"id: a digit and the high bit", AT_ID + 33, '0' | 0x80, ~0u},
    {"id: a dash and the high bit", AT_ID + 13, '-' | 0x80, ~0u},
    {"id: no third dash", AT_ID + 18, 'a', ~0u},
    {"id: no last dash", AT_ID + 23, 'a', ~0u},
    {"id: no dash", AT_ID + 8, '0', ~0u},
    {"id: a dash", AT_ID + 9, '-', ~0u},
    {"id: last", AT_ID + 35, ' ', ~0u},
    {"id: no end", AT_ID + 36, '0', ~0u},
    {"id: NUL within", AT_ID + 1, 0, 1u << FRAME_REQUEST},
    {"flags: a stream", AT_FLAGS, FRAME_STREAM, ~STREAMED},
    {"flags: a socket", AT_FLAGS, FRAME_SOCKET, ALL_BUT(FRAME_REQUEST)},
    {"flags: a reply", AT_FLAGS, FRAME_WANTS_REPLY, ALL_BUT(FRAME_EMIT)},
    {"flags: unknown", AT_FLAGS, 0x80, ~0u},
    {"zero: first", AT_ZERO, 1, ~0u},
    {"zero: last", FRAME_HEAD_SIZE - 1, 1, ~0u},
    {"header: name_len", FRAME_HEAD_SIZE, 8, LOADED | EVENTS},
    {"header: name_len, far", FRAME_HEAD_SIZE + 1, 0xff, LOADED | EVENTS},
    {"header: zero", FRAME_HEAD_SIZE + 2, 1, LOADED | EVENTS},
    {"header: value_len", FRAME_HEAD_SIZE + 4, 2, LOADED | EVENTS},
    {"header: value_len, far", FRAME_HEAD_SIZE + 7, 0xff, LOADED | EVENTS},
    {"header: end of the name", FRAME_HEAD_SIZE + 8 + 7, 'x', LOADED},
    {"header: end of the value", FRAME_HEAD_SIZE + 8 + 7 + 1 + 3, 'x', LOADED | EVENTS},
    {"header: end of the last", FRAME_HEAD_SIZE + 20 + 10, 'x', LOADED},
};

static void every_field_is_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        for (int type = FRAME_REQUEST; type < FRAME_TYPE_END; type++) {
            struct frame sent = sample((enum frame_type)type), got;
            bool refused = (changes[i].refused >> type & 1u) != 0;
            const char *why = NULL;
            size_t len;
            char *bytes = encode(&sent, &len);
            int rc;

            if (changes[i].at < len) {
                bytes[changes[i].at] = (char)changes[i].value;
                rc = frame_decode(&got, bytes, len, &why);
                if (rc != (refused ? LPM_EPROTO : 0) || (refused && why == NULL)) {
                    fail_msg("%s in type %d: %d", changes[i].what, type, rc);
                }
            }
            free(bytes);
        }
    }
}

static void seq_0_is_nobody(void **state)
{
    (void)state;
    for (int type = FRAME_REQUEST; type < FRAME_TYPE_END; type++) {
        struct frame sent = sample((enum frame_type)type), got;
        const char *why;
        size_t len;
        char *bytes;

        sent.key.seq = 0;
        bytes = encode(&sent, &len);
        assert_int_equal(frame_decode(&got, bytes, len, &why), (NUMBERED >> type & 1u) != 0 ? LPM_EPROTO : 0);
        free(bytes);
    }
}

/* The name of an event is its one header. */
static void names_of_events(void **state)
{
    char longest[FRAME_EVENT_NAME_MAX + 1];
    const lpm_slice names[] = {
        SLICE("a"), {longest, FRAME_EVENT_NAME_MAX}, SLICE(""), {longest, sizeof(longest)}, SLICE("a\0b")};

    (void)state;
    memset(longest, 'n', sizeof(longest));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct frame sent = sample(FRAME_EVENT), got;
        const char *why;
        size_t len;
        char *bytes;

        sent.headers = event_header(names[i]);
        bytes = encode(&sent, &len);
        assert_int_equal(frame_decode(&got, bytes, len, &why), i < 2 ? 0 : LPM_EPROTO);
        free(bytes);
    }
}

static void error_codes(void **state)
{
    (void)state;
    for (int error = LPM_EABI - 2; error <= 2; error++) {
        struct frame sent = sample(FRAME_RESPONSE), got;
        const char *why;
        size_t len;
        char *bytes;

        sent.error = error;
        bytes = encode(&sent, &len);
        assert_int_equal(frame_decode(&got, bytes, len, &why),
                         error <= 0 && error >= LPM_EABI ? 0 : LPM_EPROTO);
        free(bytes);
    }
}

/* Headers and data belong to requests and responses; no other frame may carry any, though all adds up. */
static void payload_where_none_belongs(void **state)
{
    (void)state;
    for (int type = FRAME_REQUEST; type < FRAME_TYPE_END; type++) {
        for (int what = 0; what < 2; what++) {
            struct frame sent = sample((enum frame_type)type), got;
            const char *why;
            size_t len;
            char *bytes;

            sent.headers = what == 0 ? two_headers() : (lpm_slice){"", 0};
            sent.header_count = what == 0 ? 2 : 0;
            sent.data = what == 0 ? (lpm_slice){"", 0} : SLICE("x");
            bytes = encode(&sent, &len);
            assert_int_equal(frame_decode(&got, bytes, len, &why),
                             (LOADED >> type & 1u) != 0 ? 0 : LPM_EPROTO);
            free(bytes);
        }
    }
}

static void headers_are_walked(void **state)
{
    lpm_slice headers = two_headers();
    lpm_header header;
    size_t cursor = 0;

    (void)state;
    assert_true(frame_header_next(headers, &cursor, &header));
    assert_string_equal(header.name.data, ":method");
    assert_int_equal(header.name.len, 7);
    assert_string_equal(header.value.data, "GET");
    assert_int_equal(header.value.len, 3);
    assert_true(frame_header_next(headers, &cursor, &header));
    assert_string_equal(header.name.data, "x");
    assert_string_equal(header.value.data, "");
    assert_int_equal(header.value.len, 0);
    assert_int_equal(cursor, headers.len);
    assert_false(frame_header_next(headers, &cursor, &header));
    assert_int_equal(cursor, headers.len);
    assert_int_equal(headers.len, frame_header_size(7, 3) + frame_header_size(1, 0));

    cursor = SIZE_MAX;
    assert_false(frame_header_next(headers, &cursor, &header));
}

static void the_longest_headers(void **state)
{
    char *bytes = calloc(1, FRAME_HEADERS_MAX);
    struct frame sent = sample(FRAME_REQUEST), got;
    lpm_slice name = {bytes, UINT16_MAX};
    char *encoded = malloc(FRAME_HEADERS_MAX), *room;
    const char *why;
    size_t len;

    (void)state;
    assert_non_null(bytes);
    assert_non_null(encoded);
    memset(bytes, 'a', FRAME_HEADERS_MAX);
    frame_header_encode(encoded, name, (lpm_slice){bytes, FRAME_HEADERS_MAX - UINT16_MAX - 10});
    sent.headers = (lpm_slice){encoded, FRAME_HEADERS_MAX};
    sent.header_count = 1;
    room = encode(&sent, &len);
    assert_int_equal(frame_decode(&got, room, len, &why), 0);
    assert_same(&sent, &got);
    free(room);
    free(encoded);
    free(bytes);
}

static const struct {
    lpm_slice name, value;
    bool valid;
} headers[] = {
    {{"content-type", 12}, {"text/plain; charset=utf-8", 25}, true},
    {{":status", 7}, {"200", 3}, true},
    {{"x", 1}, {"", 0}, true},
    {{"!#$%&'*+-.^_`|~09az", 19}, {"\t\x7f\xff\x01", 4}, true},
    {{"", 0}, {"x", 1}, false},
    {{":", 1}, {"x", 1}, false},
    {{"::a", 3}, {"x", 1}, false},
    {{"a:", 2}, {"x", 1}, false},
    {{"a:b", 3}, {"x", 1}, false},
    {{"Content-type", 12}, {"x", 1}, false},
    {{"content-typE", 12}, {"x", 1}, false},
    {{"a b", 3}, {"x", 1}, false},
    {{"a\tb", 3}, {"x", 1}, false},
    {{"a\0b", 3}, {"x", 1}, false},
    {{"\0", 1}, {"x", 1}, false},
    {{"a\r", 2}, {"x", 1}, false},
    {{"a\n", 2}, {"x", 1}, false},
    {{"a\x7f", 2}, {"x", 1}, false},
    {{"\xc3\xa9", 2}, {"x", 1}, false},
    {{"a(b", 3}, {"x", 1}, false},
    {{"a/b", 3}, {"x", 1}, false},
    {{"a@b", 3}, {"x", 1}, false},
    {{"a\"b", 3}, {"x", 1}, false},
    {{"a{b", 3}, {"x", 1}, false},
    {{"a", 1}, {"x\ry", 3}, false},
    {{"a", 1}, {"x\ny", 3}, false},
    {{"a", 1}, {"x\0y", 3}, false},
    {{"a", 1}, {"\n", 1}, false},
};

static void valid_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (frame_header_valid(headers[i].name, headers[i].value) != headers[i].valid) {
            fail_msg("header %zu, \"%s\": \"%s\"", i, headers[i].name.data, headers[i].value.data);
        }
    }
}

/* Each byte at each place of names and values of each length: they are looked at many at once. */
static void each_byte_is_seen(void **state)
{
    static const char in_name[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";

    (void)state;
    for (size_t len = 1; len <= 26; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                char text[26];
                memset(text, 'a', sizeof(text));
                text[at] = (char)c;
                assert_int_equal(frame_header_valid(SLICE("a"), (lpm_slice){text, len}),
                                 c != '\r' && c != '\n' && c != '\0');
                assert_int_equal(frame_header_valid((lpm_slice){text, len}, SLICE("")),
                                 memchr(in_name, (int)c, sizeof(in_name) - 1) != NULL ||
                                     (c == ':' && at == 0 && len > 1));
            }
        }
    }
}

/* One behind the other, back, again the same, and beyond the end. */
static void headers_by_number(void **state)
{
    static const size_t asked[] = {0, 1, 2, 3, 3, 1, 0, 4, 2, 2, 5, 0, 9, 3};
    char room[256], *end = room, name[2] = "a";
    struct frame_cursor cursor = {0, 0};

    (void)state;
    for (int i = 0; i < 4; i++, name[0]++) {
        end = frame_header_encode(end, (lpm_slice){name, 1}, SLICE("value"));
    }
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        lpm_header header;
        bool found = frame_header_at((lpm_slice){room, (size_t)(end - room)}, asked[i], &cursor, &header);
        assert_int_equal(found, asked[i] < 4);
        if (found) {
            assert_int_equal(header.name.data[0], 'a' + (int)asked[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(round_trip_unaligned),
        cmocka_unit_test(encode_around_leaves_the_headers),
        cmocka_unit_test(size_knows_the_limits),
        cmocka_unit_test(header_size_knows_the_limits),
        cmocka_unit_test(every_other_length),
        cmocka_unit_test(every_field_is_checked),
        cmocka_unit_test(seq_0_is_nobody),
        cmocka_unit_test(names_of_events),
        cmocka_unit_test(error_codes),
        cmocka_unit_test(payload_where_none_belongs),
        cmocka_unit_test(headers_are_walked),
        cmocka_unit_test(the_longest_headers),
        cmocka_unit_test(valid_headers),
        cmocka_unit_test(each_byte_is_seen),
        cmocka_unit_test(headers_by_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
