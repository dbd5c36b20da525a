/*
 * Builds of the module tests/modules/build.c, made without a compiler.
 */
#ifndef BUILD_H
#define BUILD_H

#include "server.h"

/* Writes own/build.so below the prefix, over the one that is there, in place: `how` is what tests/modules/build.c says a
 * build may do, `name` what it answers. */
void build_make(const struct server *s, const char *how, const char *name);

#endif
