/*
 * Random bytes, many and quickly: ChaCha20 (RFC 8439, 2.3) under a key from the kernel. Who sees any number of them cannot tell the
 * next. Pure but for the key.
 */
#ifndef BASE_CHACHA_H
#define BASE_CHACHA_H

#include <stddef.h>
#include <stdint.h>

#define CHACHA_KEY_SIZE 32
#define CHACHA_LANES    4u                   /* blocks at once */
#define CHACHA_SIZE     (64u * CHACHA_LANES) /* bytes of these blocks */

/* A stock of random bytes; zero it to begin. One that was inherited over fork() must be zeroed. */
struct chacha_source {
    uint8_t bytes[16 * CHACHA_SIZE];
    size_t left;        /* of them, behind the key of the next stock */
    unsigned keys_left; /* stocks until there is a new key from the kernel */
};

/* The blocks `counter`, `counter` + 1, ... of the key with a nonce of zeroes, as words: that of number w of block b stands at
 * CHACHA_LANES * w + b. */
void chacha_blocks(const uint32_t key[CHACHA_KEY_SIZE / 4], uint32_t counter, uint32_t out[CHACHA_SIZE / 4]);

/* Fills an empty stock. Cannot fail: before Linux has its first entropy it waits. */
void chacha_refill(struct chacha_source *source);

/* So many random bytes, at most CHACHA_KEY_SIZE. They are nobody else's. */
static inline const uint8_t *chacha_take(struct chacha_source *source, size_t count)
{
    if (source->left < count) {
        chacha_refill(source);
    }
    source->left -= count;
    return source->bytes + CHACHA_KEY_SIZE + source->left;
}

#endif
