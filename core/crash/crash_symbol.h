/*
 * Names for addresses, from the files that are mapped there: by libdw where lpm was built with it.
 */
#ifndef CRASH_SYMBOL_H
#define CRASH_SYMBOL_H

#include "role/role_crash.h"

struct crash_symbol;

/* Of the objects of the report. NULL: there will be no names. */
struct crash_symbol *crash_symbol_new(const struct role_crash_report *report);
void crash_symbol_free(struct crash_symbol *symbols);

/* "function+0x1c (file.c:12)", or "" where nothing is known; `symbols` may be NULL. `called`: the address is where a call returns
 * to, hence one behind the instruction that is meant. */
const char *crash_symbol_name(struct crash_symbol *symbols, uint64_t address, bool called, char *room,
                              size_t size);

/* The object's path as this process can open it: relative to the working directory if it lies below that. */
const char *crash_symbol_path(const struct role_crash_object *object, char *room, size_t size);

#endif
