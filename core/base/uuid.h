/*
 * Version 4 UUIDs from the kernel's random numbers, many to a system call.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 37 /* 36 characters and NUL */

/* A stock of random bytes; zero it to begin. One that was inherited over fork() must be zeroed. */
struct uuid_source {
    uint8_t bytes[4096];
    size_t left;
};

/* Writes a new UUID. Cannot fail: before Linux has its first entropy it waits. */
void uuid_make(struct uuid_source *source, char text[UUID_TEXT_SIZE]);

#endif
