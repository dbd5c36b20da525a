/*
 * A report as it was left, made safe. Pure.
 */
#ifndef CRASH_READ_H
#define CRASH_READ_H

#include "role/role_crash.h"

/* Copies it, once; what comes out has counts within their arrays, texts with their NUL and without control characters, and
 * nothing of parts that were not written. */
void crash_read(struct role_crash_report *out, const struct role_crash_report *raw);

/* The next of its headers, from `*cursor` (begin with 0): false at the end. The last one's value may be cut. Not
 * NUL-terminated. */
bool crash_read_header(const struct role_crash_report *report, size_t *cursor, lpm_header *header);

/* The object that the address lies in, or NULL. */
const struct role_crash_object *crash_read_object(const struct role_crash_report *report, uint64_t address);

#endif
