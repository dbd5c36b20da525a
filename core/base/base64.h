/*
 * Base64 (RFC 4648, section 4), for bytes that are no text. Pure.
 */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

/* The length of the text for `len` bytes, without its NUL. */
size_t base64_size(size_t len);

/* Writes base64_size(len) characters and a NUL. */
void base64_encode(char *text, const void *bytes, size_t len);

/* Writes the bytes of `text` (at most 3 for each 4 characters), strictly: LPM_EINVAL for anything that base64_encode() would
 * not have written. 0 with `*len`. */
int base64_decode(void *bytes, size_t *len, const char *text, size_t text_len);

#endif
