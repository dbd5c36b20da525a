/*
 * Limits that the system sets on a process.
 */
#ifndef OS_LIMIT_H
#define OS_LIMIT_H

/* Raises the number of descriptors that may be open to the hard limit, which needs no privilege: the soft one is low for
 * the sake of programs that use select(). A failure leaves it as it was. */
void os_limit_raise_files(void);

#endif
