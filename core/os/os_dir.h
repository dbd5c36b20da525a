/*
 * Directories that are made when they are missing.
 */
#ifndef OS_DIR_H
#define OS_DIR_H

#include <sys/types.h>

#include "base/error.h"

/* Makes `path` and what is missing above it, as mkdir -p; what is there is left as it is. 0 or LPM_EIO; the text
 * names the directory that could not be made. */
int os_dir_make_all(const char *path, mode_t mode, struct error *err);

/* The same for the directory that `file` lies in. */
int os_dir_make_parent(const char *file, mode_t mode, struct error *err);

#endif
