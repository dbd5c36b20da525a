/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a 64-bit hash of which nobody without the key can make two texts collide. Pure.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[2], const void *bytes, size_t len);

#endif
