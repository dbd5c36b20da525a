/*
 * Base64. Runs in the bus and in lpmctl.
 */
#include "base/base64.h"

#include <lpm/module.h>
#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_size(size_t len)
{
    return (len + 2) / 3 * 4;
}

void base64_encode(char *text, const void *bytes, size_t len)
{
    const uint8_t *in = bytes;

    for (size_t i = 0; i < len; i += 3) {
        uint32_t group = (uint32_t)in[i] << 16;
        group |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
        group |= i + 2 < len ? (uint32_t)in[i + 2] : 0;
        *text++ = alphabet[group >> 18];
        *text++ = alphabet[group >> 12 & 63];
        *text++ = i + 1 < len ? alphabet[group >> 6 & 63] : '=';
        *text++ = i + 2 < len ? alphabet[group & 63] : '=';
    }
    *text = '\0';
}

static int value_of(char c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

int base64_decode(void *bytes, size_t *len, const char *text, size_t text_len)
{
    uint8_t *out = bytes;

    if (text_len % 4 != 0) {
        return LPM_EINVAL;
    }
    *len = 0;
    for (size_t i = 0; i < text_len; i += 4) {
        size_t pads =
            i + 4 < text_len ? 0 : (size_t)(text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=');
        uint32_t group = 0;
        for (size_t k = 0; k < 4; k++) {
            int value = k < 4 - pads ? value_of(text[i + k]) : 0;
            if (value < 0) {
                return LPM_EINVAL;
            }
            group = group << 6 | (uint32_t)value;
        }
        if ((pads == 1 && (group & 0xff) != 0) || (pads == 2 && (group & 0xffff) != 0)) {
            return LPM_EINVAL;
        }
        for (size_t k = 0; k < 3 - pads; k++) {
            out[(*len)++] = (uint8_t)(group >> (16 - 8 * k));
        }
    }
    return 0;
}
