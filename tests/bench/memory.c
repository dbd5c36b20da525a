/*
 * What the looks at the memory of 64 workers cost: a look at one, at the cadence of idle workers (once a second), of busy ones
 * (five times) and of such that are about to reach their limit (fifty times), as a share of one processor; the look that
 * confirms before a replacement; and the one at the cgroup. Prints figures.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "figure.h"
#include "os/os_memory.h"
#include "os/os_proc.h"

#define WORKERS 64
#define ROUNDS  500
#define SIZE    ((size_t)16 << 20)

static pid_t pids[WORKERS];
static int fds[WORKERS];

static void start(size_t i)
{
    pids[i] = fork();
    if (pids[i] == 0) {
        char *own = malloc(SIZE / (i == 0 ? 1 : 16));
        if (own) {
            memset(own, 1, SIZE / (i == 0 ? 1 : 16));
        }
        pause();
        _exit(0);
    }
    fds[i] = os_proc_open(pids[i]);
    if (fds[i] < 0) {
        fprintf(stderr, "memory: cannot look at a process\n");
        exit(1);
    }
}

static double look_at_all(void)
{
    uint64_t begin = clock_now();
    struct os_proc proc;

    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < WORKERS; i++) {
            os_proc_read(fds[i], &proc);
        }
    }
    return (double)(clock_now() - begin) / ROUNDS / WORKERS;
}

int main(void)
{
    const struct os_memory_paths paths = {"/proc", "/sys/fs/cgroup"};
    struct os_memory memory;
    uint64_t begin, bytes;
    double look;

    for (size_t i = 0; i < WORKERS; i++) {
        start(i);
    }
    usleep(200000);
    look = look_at_all();
    figure_print(look, "ns", "lpm", "a look at one worker");
    figure_print(look * WORKERS / 1e9 * 100, "% of a processor", "lpm", "64 idle workers, looked at");
    figure_print(look * WORKERS * 5 / 1e9 * 100, "% of a processor", "lpm", "64 busy workers, looked at");
    figure_print(look * WORKERS * 50 / 1e9 * 100, "% of a processor", "lpm",
                 "64 workers near their limit, looked at");
    begin = clock_now();
    for (int i = 0; i < 50; i++) {
        os_proc_private(pids[0], &bytes);
    }
    figure_print((double)(clock_now() - begin) / 50, "ns", "lpm", "a worker of 16 MiB, confirmed");
    begin = clock_now();
    for (int i = 0; i < 50; i++) {
        os_memory_read(&paths, &memory);
    }
    figure_print((double)(clock_now() - begin) / 50, "ns", "lpm", "a look at the cgroup");
    for (size_t i = 0; i < WORKERS; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    return 0;
}
