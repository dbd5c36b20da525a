/*
 * Frames as bytes. Runs in bus and worker; pure. Fails by LPM_EPROTO on bytes that are no frame, with the reason.
 */
#include "ipc/frame.h"

#include <string.h>

/* The head as it stands in the bytes, which may begin anywhere: always copied, never pointed at. */
struct head {
    uint32_t type;
    uint32_t slot;
    uint32_t seq;
    int32_t error;
    uint64_t created_at;
    uint64_t deadline;
    uint64_t data_len;
    uint32_t headers_len;
    uint32_t header_count;
    uint16_t handler;
    char id[UUID_TEXT_SIZE];
    uint8_t flags;
    char zero[8];
};

_Static_assert(sizeof(struct head) == FRAME_HEAD_SIZE, "the head has no padding and its announced size");

struct header_head {
    uint16_t name_len;
    uint16_t zero;
    uint32_t value_len;
};

_Static_assert(sizeof(struct header_head) == 8, "a header's head has no padding");

_Static_assert(FRAME_HEADER_OVERHEAD == sizeof(struct header_head) + 2, "its head and two times NUL");

size_t frame_size(const struct frame *frame)
{
    if (frame->headers.len > FRAME_HEADERS_MAX || frame->data.len > FRAME_DATA_MAX) {
        return SIZE_MAX;
    }
    return FRAME_HEAD_SIZE + frame->headers.len + frame->data.len;
}

/* Field by field, each from a register: a head that is made elsewhere and copied is read back in other parts than it was written,
 * and waited for. */
#define PUT(room, field, value)                                         \
    do {                                                                \
        const __typeof__(((struct head *)NULL)->field) it = (value);    \
        memcpy((room) + offsetof(struct head, field), &it, sizeof(it)); \
    } while (0)

char *frame_encode_around(const struct frame *frame, char *room)
{
    bool heap = frame->type == FRAME_HEAP;
    char *headers = room + FRAME_HEAD_SIZE;

    PUT(room, type, (uint32_t)frame->type);
    PUT(room, slot, frame->key.slot);
    PUT(room, seq, frame->key.seq);
    PUT(room, error, frame->error);
    PUT(room, created_at, heap ? frame->heap_total : frame->created_at);
    PUT(room, deadline, heap ? frame->heap_used : frame->deadline);
    PUT(room, data_len, frame->data.len);
    PUT(room, headers_len, (uint32_t)frame->headers.len);
    PUT(room, header_count, (uint32_t)frame->header_count);
    PUT(room, handler, frame->handler);
    memcpy(room + offsetof(struct head, id), frame->id, sizeof(frame->id));
    PUT(room, flags, frame->flags);
    memset(room + offsetof(struct head, zero), 0, sizeof(((struct head *)NULL)->zero));
    if (frame->data.len > 0) {
        memcpy(headers + frame->headers.len, frame->data.data, frame->data.len);
    }
    return headers;
}

void frame_encode(const struct frame *frame, char *room)
{
    char *headers = frame_encode_around(frame, room);
    if (frame->headers.len > 0) {
        memcpy(headers, frame->headers.data, frame->headers.len);
    }
}

char *frame_header_encode(char *room, lpm_slice name, lpm_slice value)
{
    struct header_head head = {.name_len = (uint16_t)name.len, .value_len = (uint32_t)value.len};

    memcpy(room, &head, sizeof(head));
    room += sizeof(head);
    if (name.len > 0) {
        memcpy(room, name.data, name.len);
    }
    room += name.len;
    *room++ = '\0';
    if (value.len > 0) {
        memcpy(room, value.data, value.len);
    }
    room += value.len;
    *room++ = '\0';
    return room;
}

bool frame_header_next(lpm_slice headers, size_t *cursor, lpm_header *header)
{
    struct header_head head;
    size_t left = headers.len - *cursor;
    const char *at = headers.data + *cursor;

    if (*cursor > headers.len || left < FRAME_HEADER_OVERHEAD) {
        return false;
    }
    memcpy(&head, at, sizeof(head));
    left -= FRAME_HEADER_OVERHEAD;
    if (head.zero != 0 || head.name_len > left || head.value_len > left - head.name_len) {
        return false;
    }
    header->name = (lpm_slice){at + sizeof(head), head.name_len};
    header->value = (lpm_slice){header->name.data + head.name_len + 1, head.value_len};
    if (header->name.data[head.name_len] != '\0' || header->value.data[head.value_len] != '\0') {
        return false;
    }
    *cursor += FRAME_HEADER_OVERHEAD + head.name_len + head.value_len;
    return true;
}

bool frame_header_at(lpm_slice headers, size_t i, struct frame_cursor *cursor, lpm_header *header)
{
    if (i < cursor->index) {
        *cursor = (struct frame_cursor){0, 0};
    }
    while (frame_header_next(headers, &cursor->at, header)) {
        if (cursor->index++ == i) {
            return true;
        }
    }
    return false;
}

lpm_slice frame_header_find(lpm_slice headers, const char *name)
{
    lpm_header header;
    size_t cursor = 0;

    while (name && frame_header_next(headers, &cursor, &header)) {
        if (lpm_slice_is(header.name, name)) {
            return header.value;
        }
    }
    return (lpm_slice){"", 0};
}

bool frame_header_settled(lpm_slice headers, lpm_slice name)
{
    lpm_header header;
    size_t cursor = 0;

    while (lpm_slice_is(name, "content-type") && frame_header_next(headers, &cursor, &header)) {
        if (lpm_slice_is(header.name, "content-type")) {
            return true;
        }
    }
    return false;
}

static bool headers_sound(lpm_slice headers, size_t count)
{
    size_t cursor = 0;
    lpm_header header;

    for (size_t i = 0; i < count; i++) {
        if (!frame_header_next(headers, &cursor, &header)) {
            return false;
        }
    }
    return cursor == headers.len;
}

/* What a token may be made of (RFC 9110, 5.6.2), without the capitals. */
static const uint8_t token_bytes[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1,
    ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,  ['0'] = 1, ['1'] = 1, ['2'] = 1,
    ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1,  ['9'] = 1, ['a'] = 1, ['b'] = 1,
    ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1,  ['i'] = 1, ['j'] = 1, ['k'] = 1,
    ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1,  ['r'] = 1, ['s'] = 1, ['t'] = 1,
    ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};

static bool is_token(const char *bytes, size_t len)
{
    unsigned all = 1;

    for (size_t i = 0; i < len; i++) {
        all &= token_bytes[(unsigned char)bytes[i]];
    }
    return all != 0;
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Eight bytes below 128: the highest bit of those from `first` to `last`. */
static uint64_t between(uint64_t word, unsigned first, unsigned last)
{
    return (word + EACH_BYTE(0x80 - first)) & ~(word + EACH_BYTE(0x7f - last));
}

/* Eight bytes at once: hyphens where `hyphens` has a byte of ones, and digits. */
static bool id_part_sound(const char *part, const uint8_t hyphens[8])
{
    uint64_t word, mask;

    memcpy(&word, part, sizeof(word));
    memcpy(&mask, hyphens, sizeof(mask));
    if (((word ^ EACH_BYTE('-')) & mask) != 0 || (word & EACH_BYTE(0x80)) != 0) {
        return false;
    }
    word = (word & ~mask) | (EACH_BYTE('0') & mask);
    return ((between(word, '0', '9') | between(word, 'a', 'f')) & EACH_BYTE(0x80)) == EACH_BYTE(0x80);
}

static bool id_sound(const char id[UUID_TEXT_SIZE])
{
    static const uint8_t none[8], second[8] = {[0] = 0xff, [5] = 0xff}, third[8] = {[2] = 0xff, [7] = 0xff};

    return id_part_sound(id, none) && id_part_sound(id + 8, second) && id_part_sound(id + 16, third) &&
           id_part_sound(id + 24, none) && id_part_sound(id + 28, none) && id[36] == '\0';
}

/* At most as many as the longest field of the head has. */
static bool zeroes(const char *bytes, size_t len)
{
    static const char nothing[UUID_TEXT_SIZE];
    return memcmp(bytes, nothing, len) == 0;
}

/* What of the head belongs to the type, and is well; NULL, or what is wrong. */
static const char *check_request(const struct head *head)
{
    if (head->error != 0) {
        return "a request with an error";
    }
    return id_sound(head->id) ? NULL : "an id that is no UUID";
}

static const char *check_no_request(const struct head *head)
{
    bool clear = head->created_at == 0 && head->deadline == 0 && head->handler == 0;
    return clear && zeroes(head->id, sizeof(head->id)) ? NULL : "fields of a request in another frame";
}

static const char *check_response(const struct head *head)
{
    if (head->error > 0 || head->error < LPM_EABI) {
        return "an error code out of range";
    }
    return check_no_request(head);
}

static const char *check_no_payload(const struct head *head)
{
    if (head->error != 0 || head->headers_len != 0 || head->header_count != 0 || head->data_len != 0) {
        return "an error, headers or data in a frame that has none";
    }
    return check_no_request(head);
}

static const char *check_heap(const struct head *head)
{
    struct head rest = *head;

    rest.created_at = rest.deadline = 0;
    return check_no_payload(&rest);
}

/* The flags that belong to the type. */
static unsigned flags_of(uint32_t type)
{
    switch (type) {
    case FRAME_REQUEST:
        return FRAME_STREAM | FRAME_SOCKET;
    case FRAME_RESPONSE:
    case FRAME_EVENT:
    case FRAME_LOG:
        return FRAME_STREAM;
    case FRAME_EMIT:
        return FRAME_WANTS_REPLY;
    default:
        return 0;
    }
}

static const char *check_type(const struct head *head)
{
    bool keyed = head->slot != 0 || head->seq != 0;

    if ((head->flags & ~flags_of(head->type)) != 0) {
        return "a flag that is not its type's";
    }

    switch (head->type) {
    case FRAME_REQUEST:
        return head->seq == 0 ? "a request's number of 0" : check_request(head);
    case FRAME_RESPONSE:
    case FRAME_REPLY:
        return head->seq == 0 ? "a request's number of 0" : check_response(head);
    case FRAME_EMIT:
        return head->seq == 0 || head->slot != 0 || head->error != 0 ? "an event's number that cannot be"
                                                                     : check_no_request(head);
    case FRAME_EVENT:
        return keyed || head->error != 0 ? "a number or an error in an event" : check_no_request(head);
    case FRAME_HEAP:
        return keyed ? "a request's number in a frame that is about none" : check_heap(head);
    case FRAME_LOG:
        return head->seq == 0 ? "a log's number that cannot be" : check_no_payload(head);
    case FRAME_LOG_TAKEN:
        return head->seq == 0 || head->slot != 0 ? "a log's number that cannot be" : check_no_payload(head);
    case FRAME_CANCEL:
    case FRAME_ABANDON:
        return head->seq == 0 ? "a request's number of 0" : check_no_payload(head);
    case FRAME_DRAIN:
    case FRAME_SOFT_KILL:
    case FRAME_HARD_KILL:
    case FRAME_TRIM:
    case FRAME_READY:
    case FRAME_BUSY:
    case FRAME_IDLE:
    case FRAME_SOCKET_CLOSED:
        return keyed ? "a request's number in a frame that is about none" : check_no_payload(head);
    default:
        return "an unknown type of frame";
    }
}

/* One header, ":event", of 1 to 64 bytes without a NUL. */
static bool event_named(const struct head *head, const char *bytes)
{
    lpm_header header;
    size_t cursor = 0;

    return head->header_count == 1 &&
           frame_header_next((lpm_slice){bytes + FRAME_HEAD_SIZE, head->headers_len}, &cursor, &header) &&
           lpm_slice_is(header.name, FRAME_EVENT_NAME) && header.value.len >= 1 &&
           header.value.len <= FRAME_EVENT_NAME_MAX &&
           memchr(header.value.data, '\0', header.value.len) == NULL;
}

static const char *check(const struct head *head, const char *bytes, size_t len)
{
    const char *wrong = check_type(head);

    if (wrong != NULL) {
        return wrong;
    }
    if (!zeroes(head->zero, sizeof(head->zero))) {
        return "bytes that must be 0 and are not";
    }
    if (head->headers_len > FRAME_HEADERS_MAX) {
        return "headers over the limit";
    }
    if (head->data_len > FRAME_DATA_MAX) {
        return "data over the limit";
    }
    if (len != FRAME_HEAD_SIZE + head->headers_len + head->data_len) {
        return "a length that is not the sum of its parts";
    }
    if (!headers_sound((lpm_slice){bytes + FRAME_HEAD_SIZE, head->headers_len}, head->header_count)) {
        return "malformed headers";
    }
    if ((head->type == FRAME_EVENT || head->type == FRAME_EMIT) && !event_named(head, bytes)) {
        return "an event without its name";
    }
    return NULL;
}

int frame_decode(struct frame *frame, const char *bytes, size_t len, const char **why)
{
    struct head head;
    const char *wrong;

    if (len < sizeof(head)) {
        *why = "a frame shorter than its head";
        return LPM_EPROTO;
    }
    memcpy(&head, bytes, sizeof(head));
    wrong = check(&head, bytes, len);
    if (wrong != NULL) {
        *why = wrong;
        return LPM_EPROTO;
    }
    frame->type = (enum frame_type)head.type;
    frame->key = (struct frame_key){head.slot, head.seq};
    frame->error = head.error;
    frame->handler = head.handler;
    frame->flags = head.flags;
    frame->created_at = frame->heap_total = head.created_at;
    frame->deadline = frame->heap_used = head.deadline;
    memcpy(frame->id, head.id, sizeof(frame->id));
    frame->header_count = head.header_count;
    frame->headers = (lpm_slice){bytes + sizeof(head), head.headers_len};
    frame->data = (lpm_slice){bytes + sizeof(head) + head.headers_len, head.data_len};
    return 0;
}

/* Is one of eight bytes below 16, as NUL, LF and CR are? */
static bool has_low(const char *bytes)
{
    uint64_t word, high;

    memcpy(&word, bytes, sizeof(word));
    high = word & UINT64_C(0xf0f0f0f0f0f0f0f0);
    return ((high - UINT64_C(0x0101010101010101)) & ~high & UINT64_C(0x8080808080808080)) != 0;
}

static bool value_valid(lpm_slice value)
{
    size_t i = 0;

    /* Eight at once, the last eight wherever they begin. */
    while (value.len >= 8 && i < value.len &&
           !has_low(value.data + (i < value.len - 8 ? i : value.len - 8))) {
        i += 8;
    }
    for (; i < value.len; i++) {
        char c = value.data[i];
        if (c == '\r' || c == '\n' || c == '\0') {
            return false;
        }
    }
    return true;
}

bool frame_header_valid(lpm_slice name, lpm_slice value)
{
    size_t start = name.len > 0 && name.data[0] == ':' ? 1 : 0;

    if (name.len == start || name.len > UINT16_MAX || value.len > FRAME_HEADERS_MAX) {
        return false;
    }
    return is_token(name.data + start, name.len - start) && value_valid(value);
}
