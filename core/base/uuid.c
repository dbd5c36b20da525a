/*
 * Version 4 UUIDs (RFC 9562, 5.4). Runs in the bus.
 */
#include "base/uuid.h"

#include <endian.h>
#include <string.h>

/* Four bytes as eight digits, all at once: one in each byte of a word, the lower half of a byte before the upper. */
static void put_digits(char *to, const uint8_t *random)
{
    uint32_t bits;
    uint64_t digits, letters;

    memcpy(&bits, random, sizeof(bits));
    bits = le32toh(bits);
    digits = (bits | (uint64_t)bits << 16) & UINT64_C(0x0000ffff0000ffff);
    digits = (digits | digits << 8) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits | digits << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    letters = (digits + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    digits += UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
    digits = htole64(digits);
    memcpy(to, &digits, sizeof(digits));
}

void uuid_make(struct chacha_source *source, char text[UUID_TEXT_SIZE])
{
    const uint8_t *random = chacha_take(source, 16);
    char digits[32];

    for (size_t i = 0; i < 4; i++) {
        put_digits(digits + 8 * i, random + 4 * i);
    }
    digits[12] = '4';
    digits[16] = "89ab"[random[8] & 3];
    memcpy(text, digits, 8);
    text[8] = '-';
    memcpy(text + 9, digits + 8, 4);
    text[13] = '-';
    memcpy(text + 14, digits + 12, 4);
    text[18] = '-';
    memcpy(text + 19, digits + 16, 4);
    text[23] = '-';
    memcpy(text + 24, digits + 20, 12);
    text[36] = '\0';
}
