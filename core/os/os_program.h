/*
 * The file that a process was started from.
 */
#ifndef OS_PROGRAM_H
#define OS_PROGRAM_H

#include <stddef.h>

#include "base/error.h"

/*
 * The absolute name under which this process was started, `word` being its argv[0] and the working directory still that
 * of its start: so that whoever puts another file, or link, in its place has that run by the next exec. A word that
 * leads elsewhere (argv[0] is anybody's to choose) is not believed: then it is the file's own name.
 * 0 or LPM_EIO.
 */
int os_program_find(const char *word, char *path, size_t size, struct error *err);

#endif
