/*
 * Version 4 UUIDs.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/chacha.h"

#define UUID_TEXT_SIZE 37 /* 36 characters and NUL */

/* Writes a new UUID. Cannot fail: before Linux has its first entropy it waits. */
void uuid_make(struct chacha_source *source, char text[UUID_TEXT_SIZE]);

#endif
