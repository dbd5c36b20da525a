/*
 * core/ipc/frame under bytes that somebody tampered with: whatever frame_decode() takes lies inside the bytes and keeps
 * the rules. The mutations are the same in each run. In a build with sanitizers each step outside is seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ipc/frame.h"

#define ROUNDS             200000
#define TIME_LIMIT         (2 * CLOCK_NS_PER_S)
#define SIZE_MAX_OF_SAMPLE 1024u

/* xorshift64*: the same numbers in each run. */
static uint32_t next_random(uint64_t *random)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return (uint32_t)((*random * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

/* A sound frame of any type, written to `room`. */
static size_t make_sample(uint64_t *random, char *room)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    struct frame frame = {.type = (enum frame_type)(1 + next_random(random) % (FRAME_TYPE_END - 1))};
    bool request = frame.type == FRAME_REQUEST;
    char headers[512], *end = headers;

    if (frame.type <= FRAME_ABANDON || frame.type == FRAME_RESPONSE) {
        frame.key = (struct frame_key){next_random(random), next_random(random) | 1u};
    }
    if (request) {
        memcpy(frame.id, "0b2a7d5e-91c4-4f3a-8e6d-0123456789ab", sizeof(frame.id));
        frame.deadline = next_random(random);
    }
    if (request || frame.type == FRAME_RESPONSE) {
        frame.header_count = next_random(random) % 6;
        for (size_t i = 0; i < frame.header_count; i++) {
            end = frame_header_encode(end, (lpm_slice){text, next_random(random) % 20},
                                      (lpm_slice){text, next_random(random) % 36});
        }
        frame.headers = (lpm_slice){headers, (size_t)(end - headers)};
        frame.data = (lpm_slice){text, next_random(random) % sizeof(text)};
    }
    frame_encode(&frame, room);
    return frame_size(&frame);
}

static const uint32_t magic_numbers[] = {0,      1,       0x7f,       0x80,       0xff,
                                         0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};

/* Some changes where they hurt most: the numbers of the head, and those of the headers behind it. */
static size_t tamper(uint64_t *random, char *bytes, size_t len)
{
    for (uint32_t left = next_random(random) % 4; left > 0 && len >= 4; left--) {
        size_t at = next_random(random) % (next_random(random) % 2 ? len : len < 128 ? len : 128);
        uint32_t value =
            magic_numbers[next_random(random) % (sizeof(magic_numbers) / sizeof(magic_numbers[0]))];
        size_t width = (size_t)1 << next_random(random) % 3;

        switch (next_random(random) % 5) {
        case 0:
            bytes[at] = (char)(bytes[at] ^ 1 << next_random(random) % 8);
            break;
        case 1:
            bytes[at] = (char)(bytes[at] + (next_random(random) % 2 ? 1 : -1));
            break;
        case 2:
            at -= at % width;
            memcpy(bytes + at, &value, at + width <= len ? width : 1);
            break;
        case 3:
            len = at;
            break;
        default:
            memmove(bytes + at, bytes + at / 2, len - at);
            break;
        }
    }
    return len;
}

static void assert_inside(lpm_slice part, const char *bytes, size_t len)
{
    assert_true(part.data >= bytes && part.data <= bytes + len);
    assert_true(part.len <= (size_t)(bytes + len - part.data));
}

/* What was taken: reads all of it, and writes it again to the same bytes. */
static void check_taken(const struct frame *frame, const char *bytes, size_t len)
{
    char again[SIZE_MAX_OF_SAMPLE];
    lpm_header header;
    size_t cursor = 0, count = 0;

    assert_inside(frame->headers, bytes, len);
    assert_inside(frame->data, bytes, len);
    while (frame_header_next(frame->headers, &cursor, &header)) {
        assert_inside(header.name, bytes, len);
        assert_inside(header.value, bytes, len);
        assert_int_equal(header.name.data[header.name.len], '\0');
        assert_int_equal(header.value.data[header.value.len], '\0');
        count++;
    }
    assert_int_equal(cursor, frame->headers.len);
    assert_int_equal(count, frame->header_count);
    assert_int_equal(frame_size(frame), len);
    frame_encode(frame, again);
    assert_memory_equal(again, bytes, len);
}

static void hostile_bytes(void **state)
{
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15), end = clock_now() + TIME_LIMIT;
    unsigned taken = 0, refused = 0;

    (void)state;
    for (int i = 0; i < ROUNDS && (i % 1024 != 0 || clock_now() < end); i++) {
        char room[SIZE_MAX_OF_SAMPLE];
        size_t len = tamper(&random, room, make_sample(&random, room));
        char *bytes = malloc(len > 0 ? len : 1);
        const char *why = NULL;
        struct frame frame;
        int rc;

        assert_non_null(bytes);
        memcpy(bytes, room, len);
        rc = frame_decode(&frame, bytes, len, &why);
        if (rc == 0) {
            check_taken(&frame, bytes, len);
            taken++;
        } else {
            assert_int_equal(rc, LPM_EPROTO);
            assert_non_null(why);
            refused++;
        }
        free(bytes);
    }
    print_message("%u taken, %u refused\n", taken, refused);
    assert_true(taken > (taken + refused) / 10);
    assert_true(refused > (taken + refused) / 10);
}

static void random_bytes(void **state)
{
    uint64_t random = 42;

    (void)state;
    for (int i = 0; i < ROUNDS / 10; i++) {
        uint32_t room[64];
        struct frame frame;
        const char *why;

        for (size_t j = 0; j < 64; j++) {
            room[j] = next_random(&random);
        }
        room[0] = room[0] % FRAME_TYPE_END;
        assert_int_equal(frame_decode(&frame, (const char *)room, next_random(&random) % sizeof(room), &why),
                         LPM_EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hostile_bytes), cmocka_unit_test(random_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
