/*
 * ChaCha20. Runs in bus and worker. Each stock begins with the key of the next, which nobody gets, and its own key is forgotten.
 */
#include "base/chacha.h"

#include <string.h>
#include <sys/random.h>

#define ROUNDS     20
#define STOCKS_MAX 1024u /* of one key from the kernel: 4 MiB */

/* The same word of each block. */
typedef uint32_t lanes __attribute__((vector_size(4 * CHACHA_LANES)));

_Static_assert(sizeof(((struct chacha_source *)NULL)->bytes) % CHACHA_SIZE == 0, "whole blocks");

static inline lanes turn(lanes x, int bits)
{
    return x << bits | x >> (32 - bits);
}

static inline void quarter(lanes *a, lanes *b, lanes *c, lanes *d)
{
    *a += *b, *d = turn(*d ^ *a, 16);
    *c += *d, *b = turn(*b ^ *c, 12);
    *a += *b, *d = turn(*d ^ *a, 8);
    *c += *d, *b = turn(*b ^ *c, 7);
}

void chacha_blocks(const uint32_t key[CHACHA_KEY_SIZE / 4], uint32_t counter, uint32_t out[CHACHA_SIZE / 4])
{
    static const uint32_t constants[] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    lanes start[16] = {{0}}, x[16];

    for (int i = 0; i < 4; i++) {
        start[i] += constants[i];
    }
    for (int i = 0; i < CHACHA_KEY_SIZE / 4; i++) {
        start[4 + i] += key[i];
    }
    start[12] = (lanes){0, 1, 2, 3} + counter;
    memcpy(x, start, sizeof(x));
    for (int i = 0; i < ROUNDS; i += 2) {
        quarter(&x[0], &x[4], &x[8], &x[12]);
        quarter(&x[1], &x[5], &x[9], &x[13]);
        quarter(&x[2], &x[6], &x[10], &x[14]);
        quarter(&x[3], &x[7], &x[11], &x[15]);
        quarter(&x[0], &x[5], &x[10], &x[15]);
        quarter(&x[1], &x[6], &x[11], &x[12]);
        quarter(&x[2], &x[7], &x[8], &x[13]);
        quarter(&x[3], &x[4], &x[9], &x[14]);
    }
    for (int i = 0; i < 16; i++) {
        x[i] += start[i];
    }
    memcpy(out, x, sizeof(x));
}

static void new_key(uint8_t *key)
{
    size_t have = 0;
    while (have < CHACHA_KEY_SIZE) {
        ssize_t n = getrandom(key + have, CHACHA_KEY_SIZE - have, 0);
        if (n > 0) {
            have += (size_t)n;
        }
    }
}

void chacha_refill(struct chacha_source *source)
{
    uint32_t key[CHACHA_KEY_SIZE / 4], blocks[CHACHA_SIZE / 4];

    if (source->keys_left == 0) {
        new_key(source->bytes);
        source->keys_left = STOCKS_MAX;
    }
    source->keys_left--;
    memcpy(key, source->bytes, sizeof(key));
    for (uint32_t at = 0; at < sizeof(source->bytes); at += CHACHA_SIZE) {
        chacha_blocks(key, at / 64, blocks);
        memcpy(source->bytes + at, blocks, sizeof(blocks));
    }
    source->left = sizeof(source->bytes) - CHACHA_KEY_SIZE;
}
