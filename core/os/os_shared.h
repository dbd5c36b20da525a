/*
 * Memory that the master shares with those of its children that it shows it to, and with no others.
 */
#ifndef OS_SHARED_H
#define OS_SHARED_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, hidden from children (one that becomes a daemon makes it thereafter); or NULL. */
void *os_shared_new(size_t size);

/* Do children that are forked from now on have it? */
void os_shared_show(void *memory, size_t size, bool shown);

/* Takes it back here; who was shown it keeps it. NULL is allowed. */
void os_shared_free(void *memory, size_t size);

#endif
