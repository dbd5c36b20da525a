/*
 * Is this a module that this lpm can run? Pure: looks at memory, loads nothing.
 */
#ifndef LOADER_ABI_H
#define LOADER_ABI_H

#include <lpm/module.h>

#include "base/error.h"

/*
 * Checks the descriptor that a module exports and writes it, extended to this lpm's size (newer fields zero), to
 * `*full`. Refused, with what was found and what is supported: a wrong magic (another major is named), `needs` newer
 * than this lpm, a size that is not the one frozen for that `needs`, a non-zero reserved word, no name or one out
 * of [a-z0-9_-]{1,64}, no version, no hook at all, a bad table of directives. Text: without the module's path, which
 * the caller puts before it. 0 or LPM_EABI.
 */
int loader_abi_check(const lpm_module *found, lpm_module *full, struct error *err);

#endif
