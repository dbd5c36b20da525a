/*
 * What loader.c and loader_copy.c share: the names of the copies, and how errors are placed.
 */
#ifndef LOADER_FILE_H
#define LOADER_FILE_H

#include <limits.h>

#include "loader/loader.h"

#define LOADER_PATH_SIZE PATH_MAX

/* Writes the path of the copy of the module at place `i` that the configuration calls `path`. 0, or LPM_EINVAL when
 * it is too long. */
int loader_file_name(char room[LOADER_PATH_SIZE], const char *dir, size_t i, const char *path);

/* Sets the text, with " in FILE:LINE" where the module's directive stands, and returns `code`. */
int loader_file_error(const struct conf_module *module, struct error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
