/*
 * cgroup v2 and PSI. Runs in the bus. Nothing here fails: what cannot be read is not known.
 */
#include "os/os_memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_SIZE 512

/* The first line of DIR/NAME without its end; false: none. */
static bool read_line(const char *dir, const char *name, char *line)
{
    char path[PATH_MAX];
    FILE *file;
    bool there;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
        !(file = fopen(path, "re"))) {
        return false;
    }
    there = fgets(line, LINE_MAX_SIZE, file) != NULL;
    fclose(file);
    if (there) {
        line[strcspn(line, "\n")] = '\0';
    }
    return there;
}

/* The number in DIR/NAME; `none` for "max", or when it cannot be read. */
static uint64_t read_number(const char *dir, const char *name, uint64_t none)
{
    char line[LINE_MAX_SIZE], *end;
    unsigned long long value;

    if (!read_line(dir, name, line)) {
        return none;
    }
    value = strtoull(line, &end, 10);
    return end != line && *end == '\0' ? value : none;
}

/* The number behind KEY in DIR/NAME, which has lines "key number" or "key: number"; 0: none. */
static uint64_t read_key(const char *dir, const char *name, const char *key)
{
    char path[PATH_MAX], line[LINE_MAX_SIZE];
    uint64_t value = 0;
    size_t len = strlen(key);
    FILE *file;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
        !(file = fopen(path, "re"))) {
        return 0;
    }
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, key, len) == 0 && (line[len] == ' ' || line[len] == ':')) {
            value = strtoull(line + len + 1, NULL, 10);
            break;
        }
    }
    fclose(file);
    return value;
}

/* The path of our cgroup below its root, from the line "0::/path"; false: none of version 2. */
static bool own_path(const char *proc, char *path)
{
    char name[PATH_MAX], line[PATH_MAX];
    bool found = false;
    FILE *file;

    if (snprintf(name, sizeof(name), "%s/self/cgroup", proc) >= (int)sizeof(name) ||
        !(file = fopen(name, "re"))) {
        return false;
    }
    while (!found && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, "0::/", 4) == 0 && !strstr(line, "/..");
        if (found) {
            memcpy(path, line + 3, strlen(line + 3) + 1);
        }
    }
    fclose(file);
    return found;
}

/* The limit of a cgroup, and what it has of that; false: it has none. */
static bool read_level(const char *dir, uint64_t *limit, uint64_t *used)
{
    uint64_t max = read_number(dir, "memory.max", 0), high = read_number(dir, "memory.high", 0);
    uint64_t droppable;

    *limit = high != 0 && (high < max || max == 0) ? high : max;
    if (*limit == 0) {
        return false;
    }
    *used = read_number(dir, "memory.current", 0);
    droppable = read_key(dir, "memory.stat", "inactive_file");
    *used = *used > droppable ? *used - droppable : 0;
    return true;
}

/* Is this one nearer to its limit than what `memory` has? Then that is it. */
static void look_at_level(const char *dir, struct os_memory *memory)
{
    uint64_t limit, used;

    if (!read_level(dir, &limit, &used)) {
        return;
    }
    if (memory->limit == 0 || (double)used / (double)limit > (double)memory->used / (double)memory->limit) {
        memory->used = used;
        memory->limit = limit;
    }
}

/* "some avg10=1.23 avg60=..." and "full avg10=...": hundredths. */
static bool read_psi(const char *dir, const char *name, struct os_memory *memory)
{
    char path[PATH_MAX], line[LINE_MAX_SIZE];
    unsigned whole, part;
    FILE *file;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
        !(file = fopen(path, "re"))) {
        return false;
    }
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "some avg10=%3u.%2u", &whole, &part) == 2) {
            memory->some = (int)(whole * 100 + part);
        } else if (sscanf(line, "full avg10=%3u.%2u", &whole, &part) == 2) {
            memory->full = (int)(whole * 100 + part);
        }
    }
    fclose(file);
    return memory->some != OS_MEMORY_UNKNOWN;
}

/* The folder of our cgroup, into `dir` of 2 * PATH_MAX. Returns where in it the cgroups begin; NULL: we are in none. */
static char *own_folder(const struct os_memory_paths *paths, char *dir)
{
    char own[PATH_MAX], *cut;

    if (!own_path(paths->proc, own)) {
        return NULL;
    }
    cut = dir + snprintf(dir, 2 * PATH_MAX, "%s", paths->cgroup);
    snprintf(cut, (size_t)(dir + 2 * PATH_MAX - cut), "%s", own);
    return cut;
}

/* From there to the folder above; false: that was the last. */
static bool go_up(char *cut)
{
    char *end = strrchr(cut, '/');

    if (end) {
        *end = '\0';
    }
    return end != NULL;
}

void os_memory_read(const struct os_memory_paths *paths, struct os_memory *memory)
{
    char dir[2 * PATH_MAX], *cut = own_folder(paths, dir);
    bool psi = false;

    *memory = (struct os_memory){0, 0, 0, OS_MEMORY_UNKNOWN, OS_MEMORY_UNKNOWN};
    if (cut) {
        memory->oom_kills = read_key(dir, "memory.events", "oom_kill");
        psi = read_psi(dir, "memory.pressure", memory);
        do {
            look_at_level(dir, memory);
        } while (go_up(cut));
    }
    if (!psi) {
        read_psi(paths->proc, "pressure/memory", memory);
    }
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

uint64_t os_memory_room(const struct os_memory_paths *paths)
{
    char dir[2 * PATH_MAX], *cut = own_folder(paths, dir);
    uint64_t limit, used, room = UINT64_MAX, all = read_key(paths->proc, "meminfo", "MemTotal") * 1024;

    if (cut) {
        do {
            if (read_level(dir, &limit, &used)) {
                room = lesser(room, less(limit - limit / 10, used));
            }
        } while (go_up(cut));
    }
    if (all > 0) {
        room = lesser(room, less(read_key(paths->proc, "meminfo", "MemAvailable") * 1024, all / 20));
    }
    return room;
}
