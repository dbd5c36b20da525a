/*
 * Version 4 UUIDs (RFC 9562, 5.4). Runs in the bus.
 */
#include "base/uuid.h"

#include <endian.h>
#include <string.h>

/* Four bytes as eight digits, all at once: one in each byte of a word, the lower half of a byte before the upper. */
static uint64_t digits_of(uint32_t bits)
{
    uint64_t digits, letters;

    digits = (bits | (uint64_t)bits << 16) & UINT64_C(0x0000ffff0000ffff);
    digits = (digits | digits << 8) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits | digits << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    letters = (digits + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    return digits + UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
}

static void put_eight(char *to, uint64_t digits)
{
    digits = htole64(digits);
    memcpy(to, &digits, sizeof(digits));
}

static void put_four(char *to, uint64_t digits)
{
    uint32_t four = htole32((uint32_t)digits);
    memcpy(to, &four, sizeof(four));
}

/* Each digit goes from a register to its place: read back from memory in other parts than it was written, it would be waited for. */
void uuid_make(struct chacha_source *source, char text[UUID_TEXT_SIZE])
{
    uint32_t random[4];
    uint64_t second, third;

    memcpy(random, chacha_take(source, sizeof(random)), sizeof(random));
    second = digits_of((random[1] & ~UINT32_C(0x000f0000)) | UINT32_C(0x00040000)); /* the version */
    third = digits_of((random[2] & ~UINT32_C(0x0000000c)) | UINT32_C(0x00000008));  /* the variant */
    put_eight(text, digits_of(random[0]));
    text[8] = '-';
    put_four(text + 9, second);
    text[13] = '-';
    put_four(text + 14, second >> 32);
    text[18] = '-';
    put_four(text + 19, third);
    text[23] = '-';
    put_four(text + 24, third >> 32);
    put_eight(text + 28, digits_of(random[3]));
    text[36] = '\0';
}
