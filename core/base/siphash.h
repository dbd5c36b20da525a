/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a hash that who does not know the key cannot make collide.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* A random key, from the kernel. Cannot fail: before Linux has its first entropy it waits. */
void siphash_new_key(uint64_t key[2]);

/* The hash of `len` bytes under `key`. */
uint64_t siphash(const uint64_t key[2], const void *data, size_t len);

#endif
