/*
 * Memory that is needed soon, and that another processor may have: it is fetched while other work is done. Only a hint.
 */
#ifndef BASE_FETCH_H
#define BASE_FETCH_H

#define FETCH_LINE 64 /* bytes */

/* It will be read. */
static inline void fetch_to_read(const void *at)
{
    __builtin_prefetch(at);
}

/* It will be written: the others lose their copies now, not when this one waits for it. */
static inline void fetch_to_write(const void *at)
{
#ifdef __x86_64__
    /* What the compiler makes of it by itself must run on the first of these processors, and fetches to read. */
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)at));
#else
    __builtin_prefetch(at, 1);
#endif
}

#endif
