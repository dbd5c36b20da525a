/*
 * The process's title, as ps and top show it.
 */
#ifndef BASE_TITLE_H
#define BASE_TITLE_H

/* Once, first thing in main(): makes the room of argv and environ free for titles: both are copied, so that what is
 * read from argv afterwards stays. Without it, or without memory, titles are not set. */
void title_init(int argc, char **argv);

/* "lpm: " and the text. */
void title_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
