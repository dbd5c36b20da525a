/*
 * The real lpm, driven from outside: a prefix of its own, its log, its signals, its processes.
 *
 * Every function fails the test (with the end of the log) when what it waits for does not come in time.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "run.h"

#define SERVER_PORTS_MAX 4
#define SERVER_PIDS_MAX  64
#define SERVER_START_MS  20000 /* generous: the machine may be slow, and sanitizers slower */
#define SERVER_STOP_MS   20000

/* Everything is slower under AddressSanitizer. */
#if defined(__SANITIZE_ADDRESS__)
#define SERVER_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SERVER_SANITIZED 1
#endif
#endif

/* The modules that most tests want, for the head of a configuration. */
#define SERVER_MODULES                   \
    "load_module modules/lpm_http.so;\n" \
    "load_module modules/lpm_echo.so;\n" \
    "load_module modules/lpm_hello.so;\n"

/* What the line holds in which the bus tells of a dead worker, with "died of SIGNAL: " or "exited with status N: "
 * before it. */
#define SERVER_DEATH " requests requeued, "

/* The module that does what tests/lib/misdeed.h asks for. */
#define SERVER_MISDEED "load_module tmodules/misdeed.so;\n"

struct server {
    char prefix[4096];          /* absolute */
    const char *program;        /* what is started: the build's lpm */
    const char *const *wrapper; /* the words of a command that runs lpm, up to NULL; NULL: none */
    /* What lpm is handed over when it is started: descriptors as LISTEN_FDS, in this order, and their names. */
    const int *handed;
    size_t handed_count;
    const char *handed_names;
    pid_t pid; /* the master, 0: it does not run */
    int pidfd;
    bool ours;  /* it is our child (not so with `daemon on`) */
    int notify; /* inotify, for the log */
    int log_fd; /* what lpm has as standard error */
    char *log;  /* what it has said so far, NUL-terminated */
    size_t log_len, log_size;
    size_t mark;     /* where server_wait_log() begins to look */
    char line[4096]; /* the last line that server_wait_log() found */
    int ports[SERVER_PORTS_MAX];
    size_t port_count;
};

/* A temporary prefix in the working directory: conf/, logs/, run/, modules -> those of the build, tmodules -> the
 * test modules, abi -> the bad modules. Nothing runs yet. */
struct server *server_new(void);

/* Kills what is left and removes the prefix. Returns -1 when there was something left to kill: the test has failed,
 * or has forgotten server_stop(). */
int server_free(struct server *s);

/* For cmocka: a server as the state of a test. */
int server_setup(void **state);
int server_teardown(void **state);

/* Writes conf/lpm.conf; `error_log stderr info;` and the pid file's place are put before it. */
void server_conf(struct server *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes a file under the prefix as it is; whoever reads it sees all of it or what was there before. */
void server_write(const struct server *s, const char *name, const char *text);

/* "PREFIX/NAME", in a buffer of the caller's. */
const char *server_path(const struct server *s, const char *name, char *room, size_t size);

/* Starts `lpm -p PREFIX` with the further arguments (up to a NULL) and waits until it is online. */
void server_start(struct server *s, ...) __attribute__((sentinel));

/* The same without waiting. */
void server_launch(struct server *s, ...) __attribute__((sentinel));

/* Runs `lpm -p PREFIX` with the further arguments to its end, which has to come within 30 s. */
void server_command(const struct server *s, struct run *run, ...) __attribute__((sentinel));

/* Waits for `is online` and learns the ports (again, after a new generation of them). */
void server_wait_online(struct server *s);

/* Takes over the master that a pid file names (`daemon on`). Its log is logs/error.log then. */
void server_adopt(struct server *s);

/* The master that was started has ended, and its successor is `pid`, no child of ours. */
void server_follow(struct server *s, pid_t pid);

/* The port of the first `listen`. */
int server_port(const struct server *s);

/* From now on server_wait_log() looks only at what is said later. */
void server_mark(struct server *s);

/* Waits for the line number `count` (from 1) after the mark that holds `text`; returns that line. */
const char *server_wait_log(struct server *s, const char *text, int timeout_ms);
const char *server_wait_log_count(struct server *s, const char *text, size_t count, int timeout_ms);

/* How many lines after the mark hold `text`, now. */
size_t server_log_count(struct server *s, const char *text);

void server_signal(const struct server *s, int number);

/* Waits for the end of the master; its status as of waitpid() (0 when it is not our child). */
int server_wait_exit(struct server *s, int timeout_ms);

/* TERM, then: exit status 0, no process, nothing in run/. */
void server_stop(struct server *s);

/* Fails when a process is left, or anything in run/. */
void server_check_clean(struct server *s);

/* The processes whose title is "lpm: ROLE" or begins with "lpm: ROLE " (NULL: all that live in the prefix), sorted. */
size_t server_pids(const struct server *s, const char *role, pid_t *pids, size_t max);

/* The only one of that role; fails when there are none or several. */
pid_t server_pid(const struct server *s, const char *role);

/* The memory that the process has resident, how much of that is of no file and not shared, and the most that it ever had, kB. */
long server_rss_kb(pid_t pid);
long server_anon_kb(pid_t pid);
long server_peak_kb(pid_t pid);

/* How many descriptors it has. */
size_t server_fds(pid_t pid);

#endif
