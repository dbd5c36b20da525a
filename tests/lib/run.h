/*
 * Commands, run to their end under a deadline, with all that they say.
 */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct run {
    pid_t pid;
    int pidfd;
    int out_fd, err_fd;
    bool late;       /* it did not end in time and was killed */
    int status;      /* as of waitpid() */
    char *out, *err; /* NUL-terminated; set by run_finish() */
};

/* Starts `argv` (ends with NULL; argv[0] is looked up in PATH), its standard input empty. It is killed when the
 * test program dies. Fails the test when that cannot be done. */
void run_start(struct run *run, const char *const *argv);

/* Waits for its end, kills it at the deadline, collects status and output. */
void run_finish(struct run *run, int timeout_ms);

/* Both. */
void run_command(struct run *run, int timeout_ms, const char *const *argv);

/* Its exit status; -1: it was killed, or did not end in time. */
int run_exit(const struct run *run);

/* Kills it if it still runs, and frees what run_finish() collected. A zeroed one is left alone. */
void run_free(struct run *run);

/* A file's text, NUL-terminated, which the caller frees; NULL when it cannot be read. */
char *run_read_file(const char *path);

/* How often `text` stands in `in`. */
size_t run_count(const char *in, const char *text);

#endif
