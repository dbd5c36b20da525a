/*
 * The error log: one line, one write(), straight to the descriptor that the process inherited (opened for
 * appending, so the lines of several processes do not mix). What cannot be written now is lost, and counted.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <lpm/module.h>
#include <stdarg.h>
#include <stdbool.h>

struct log_tally;

struct log {
    int fd;                  /* -1: nowhere */
    int level;               /* LPM_LOG_...: lines below it are dropped */
    struct log_tally *tally; /* of the lines that were lost; NULL: they are not counted */
    char who[96];            /* "master", "worker default/0": the process, as in its title */
};

/* `fd` stays the caller's. */
void log_init(struct log *log, int fd, int level, const char *who);

/* From now on what is lost is counted, by this process and by those that it forks: whichever can write again says how
 * much it was. Without memory for that nothing is counted. */
void log_count_losses(struct log *log);
void log_fini(struct log *log);

/* Goes on in the file of `fd`, which it takes: that gets the number of the descriptor so far, so whoever knows the number
 * writes there too. `and_stderr`: standard error goes there as well. */
void log_switch(struct log *log, int fd, bool and_stderr);

/* Writes a line "YYYY/MM/DD HH:MM:SS.mmm [level] pid who: text". A failed write is dropped: a full disk, a closed
 * stderr, or a pipe that is full and non-blocking, stops nothing. Control characters are replaced; lines are cut at
 * 2 KiB. */
void log_write(const struct log *log, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void log_write_args(const struct log *log, int level, const char *prefix, const char *fmt, va_list args)
    __attribute__((format(printf, 4, 0)));

/* LPM_LOG_... for "debug" ... "alert", -1 for any other word; and back. */
int log_level_parse(const char *word);
const char *log_level_name(int level);

#endif
