/*
 * lpm's processes, as /proc shows them: whoever works in the prefix. Runs in test programs. Fails the test where one
 * was expected and is not there.
 */
#include "server.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

static bool server_is_role(const char *proc, const char *role)
{
    char path[300], want[128];
    char *title;
    bool is;

    if (role == NULL) {
        return true;
    }
    snprintf(path, sizeof(path), "/proc/%s/cmdline", proc);
    title = run_read_file(path);
    snprintf(want, sizeof(want), "lpm: %s", role);
    is = title != NULL && strncmp(title, want, strlen(want)) == 0 && strchr(" ", title[strlen(want)]) != NULL;
    free(title);
    return is;
}

/* Is the process's working directory the prefix? (A zombie has none.) */
static bool server_is_inside(const struct server *s, const char *proc)
{
    char path[300], cwd[4096];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%s/cwd", proc);
    n = readlink(path, cwd, sizeof(cwd) - 1);
    cwd[n > 0 ? n : 0] = '\0';
    return strcmp(cwd, s->prefix) == 0;
}

static int server_compare(const void *a, const void *b)
{
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
    return (x > y) - (x < y);
}

size_t server_pids(const struct server *s, const char *role, pid_t *pids, size_t max)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    size_t count = 0;

    while (dir != NULL && count < max && (entry = readdir(dir)) != NULL) {
        int pid = atoi(entry->d_name);
        if (pid > 0 && server_is_inside(s, entry->d_name) && server_is_role(entry->d_name, role)) {
            pids[count++] = pid;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    qsort(pids, count, sizeof(*pids), server_compare);
    return count;
}

pid_t server_pid(const struct server *s, const char *role)
{
    pid_t pids[SERVER_PIDS_MAX];
    size_t count = server_pids(s, role, pids, SERVER_PIDS_MAX);

    if (count != 1) {
        fail_test("%zu processes are \"lpm: %s\", expected one", count, role);
    }
    return pids[0];
}

static long server_status_kb(pid_t pid, const char *name)
{
    char path[64], *text, *at;
    long kb;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    text = run_read_file(path);
    assert_non_null(text);
    at = strstr(text, name);
    assert_non_null(at);
    kb = strtol(at + strlen(name), NULL, 10);
    free(text);
    return kb;
}

long server_rss_kb(pid_t pid)
{
    return server_status_kb(pid, "VmRSS:");
}

long server_anon_kb(pid_t pid)
{
    return server_status_kb(pid, "RssAnon:");
}

long server_peak_kb(pid_t pid)
{
    return server_status_kb(pid, "VmHWM:");
}

size_t server_fds(pid_t pid)
{
    struct dirent *entry;
    size_t count = 0;
    char path[64];
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    closedir(dir);
    return count;
}
