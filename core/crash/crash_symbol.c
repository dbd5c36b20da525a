/*
 * Names for addresses. Runs in the role crash, which a file that was made to mislead may crash or hang.
 */
#include "crash/crash_symbol.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lpm_auto_config.h"

const char *crash_symbol_path(const struct role_crash_object *object, char *room, size_t size)
{
    const char *path = object->path;
    char here[PATH_MAX];
    size_t len;

    if (getcwd(here, sizeof(here))) {
        len = strlen(here);
        if (strncmp(path, here, len) == 0 && path[len] == '/') {
            path += len + 1;
        }
    }
    snprintf(room, size, "%s", path);
    return room;
}

#if LPM_HAVE_LIBDW

#include <elfutils/libdwfl.h>

struct crash_symbol {
    Dwfl *dwfl;
};

static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
                                         .find_debuginfo = dwfl_standard_find_debuginfo};

/* A pipe would hold us up. */
static int open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void add(Dwfl *dwfl, const struct role_crash_object *object)
{
    char path[ROLE_CRASH_PATH];
    int fd = open_file(crash_symbol_path(object, path, sizeof(path)));

    if (fd >= 0 && !dwfl_report_elf(dwfl, path, path, fd, object->base, false)) {
        close(fd);
    }
}

struct crash_symbol *crash_symbol_new(const struct role_crash_report *report)
{
    struct crash_symbol *symbols = calloc(1, sizeof(*symbols));

    unsetenv("DEBUGINFOD_URLS"); /* nothing here is worth a question to the network */
    if (!symbols) {
        return NULL;
    }
    symbols->dwfl = dwfl_begin(&callbacks);
    if (!symbols->dwfl) {
        free(symbols);
        return NULL;
    }
    dwfl_report_begin(symbols->dwfl);
    for (uint32_t i = 0; i < report->object_count; i++) {
        add(symbols->dwfl, &report->objects[i]);
    }
    dwfl_report_end(symbols->dwfl, NULL, NULL);
    return symbols;
}

void crash_symbol_free(struct crash_symbol *symbols)
{
    if (symbols) {
        dwfl_end(symbols->dwfl);
        free(symbols);
    }
}

const char *crash_symbol_name(struct crash_symbol *symbols, uint64_t address, bool called, char *room,
                              size_t size)
{
    Dwarf_Addr look = address - called;
    Dwfl_Module *module = symbols ? dwfl_addrmodule(symbols->dwfl, look) : NULL;
    const char *name, *file = NULL;
    Dwfl_Line *line;
    GElf_Off offset = 0;
    GElf_Sym symbol;
    int number = 0, at;

    room[0] = '\0';
    name = module ? dwfl_module_addrinfo(module, look, &offset, &symbol, NULL, NULL, NULL) : NULL;
    if (!name) {
        return room;
    }
    line = dwfl_module_getsrc(module, look);
    if (line) {
        file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
    }
    at = snprintf(room, size, "%.128s+0x%llx", name, (unsigned long long)offset + called);
    if (file && at > 0 && (size_t)at < size) {
        const char *slash = strrchr(file, '/');
        snprintf(room + at, size - (size_t)at, " (%.128s:%d)", slash ? slash + 1 : file, number);
    }
    return room;
}

#else

struct crash_symbol *crash_symbol_new(const struct role_crash_report *report)
{
    (void)report;
    return NULL;
}

void crash_symbol_free(struct crash_symbol *symbols)
{
    (void)symbols;
}

const char *crash_symbol_name(struct crash_symbol *symbols, uint64_t address, bool called, char *room,
                              size_t size)
{
    (void)symbols;
    (void)address;
    (void)called;
    (void)size;
    room[0] = '\0';
    return room;
}

#endif
