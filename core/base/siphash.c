/*
 * SipHash-2-4. Runs in the bus.
 */
#include "base/siphash.h"

#include <sys/random.h>

void siphash_new_key(uint64_t key[2])
{
    ssize_t n;

    do {
        n = getrandom(key, 2 * sizeof(*key), 0);
    } while (n != (ssize_t)(2 * sizeof(*key)));
}

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *v)
{
    v->a += v->b;
    v->c += v->d;
    v->b = rotate(v->b, 13) ^ v->a;
    v->d = rotate(v->d, 16) ^ v->c;
    v->a = rotate(v->a, 32);
    v->c += v->b;
    v->a += v->d;
    v->b = rotate(v->b, 17) ^ v->c;
    v->d = rotate(v->d, 21) ^ v->a;
    v->c = rotate(v->c, 32);
}

static inline void take_in(struct sip *v, uint64_t word)
{
    v->d ^= word;
    sip_round(v);
    sip_round(v);
    v->a ^= word;
}

/* Up to eight bytes, the first the lowest, on machines of either order. */
static inline uint64_t word_of(const unsigned char *bytes, size_t len)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++) {
        word |= (uint64_t)bytes[i] << 8 * i;
    }
    return word;
}

uint64_t siphash(const uint64_t key[2], const void *data, size_t len)
{
    const unsigned char *bytes = data;
    struct sip v = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                    key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    size_t i = 0;

    for (; i + 8 <= len; i += 8) {
        take_in(&v, word_of(bytes + i, 8));
    }
    take_in(&v, (uint64_t)len << 56 | word_of(bytes + i, len - i));
    v.c ^= 0xff;
    for (int k = 0; k < 4; k++) {
        sip_round(&v);
    }
    return v.a ^ v.b ^ v.c ^ v.d;
}
