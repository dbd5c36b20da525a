/*
 * Small work on strings that several rooms share. Pure.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

/* Replaces every control character of `text` by '?', so that no line of a log can be forged. */
void text_clean(char *text);

/* How many insertions, deletions, changes and swaps of neighbours turn `a` into `b`; words over 63 bytes are
 * infinitely far (SIZE_MAX). For "did you mean". */
size_t text_distance(const char *a, const char *b);

/* The name of a signal ("SIGSEGV"), or "signal N" written to `room` for one without a name. */
const char *text_signal(int number, char *room, size_t size);

/* How a process ended, out of the status of waitpid(): "died of SIGSEGV", "exited with status 3". */
#define TEXT_EXIT_SIZE 48
const char *text_exit(int status, char *room, size_t size);

#endif
