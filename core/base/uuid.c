/*
 * Version 4 UUIDs (RFC 9562, 5.4). Runs in the bus.
 */
#include "base/uuid.h"

#include <stdlib.h>
#include <sys/random.h>

static void refill(struct uuid_source *source)
{
    size_t have = 0;
    while (have < sizeof(source->bytes)) {
        ssize_t n = getrandom(source->bytes + have, sizeof(source->bytes) - have, 0);
        if (n > 0) {
            have += (size_t)n;
        }
    }
    source->left = sizeof(source->bytes);
}

void uuid_make(struct uuid_source *source, char text[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *b;

    if (source->left < 16) {
        refill(source);
    }
    source->left -= 16;
    b = source->bytes + source->left;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *text++ = '-';
        }
        *text++ = digits[b[i] >> 4];
        *text++ = digits[b[i] & 15];
    }
    *text = '\0';
}
