/*
 * Errors that not every module knows. Pure.
 */
#ifndef ROLE_ERROR_H
#define ROLE_ERROR_H

#include <lpm/module.h>

/* What a module is told instead of `code`, if that is newer than the ABI that it was built for. */
int role_error_for(const lpm_module *module, int code);

#endif
