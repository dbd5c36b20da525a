/*
 * Making builds. Runs in test programs; fails the test when it cannot.
 */
#include "build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fail.h"

#define MARK      "lpm test build: "
#define MARK_SIZE 64

static char *read_module(size_t *size)
{
    FILE *f = fopen(LPM_BUILD_DIR "/tests/modules/build.so", "re");
    char *bytes = NULL;
    struct stat st;

    if (f && fstat(fileno(f), &st) == 0 && (bytes = malloc((size_t)st.st_size)) != NULL) {
        *size = fread(bytes, 1, (size_t)st.st_size, f);
    }
    if (!bytes || *size != (size_t)st.st_size) {
        fail_test("cannot read build.so: %s", strerror(errno));
    }
    fclose(f);
    return bytes;
}

void build_make(const struct server *s, const char *how, const char *name)
{
    char path[4200], *bytes, *mark;
    size_t size = 0;
    FILE *f;

    mkdir(server_path(s, "own", path, sizeof(path)), 0755);
    bytes = read_module(&size);
    mark = memmem(bytes, size, MARK "ok none", strlen(MARK "ok none"));
    if (!mark) {
        fail_test("build.so has no mark");
    }
    snprintf(mark, MARK_SIZE, MARK "%s %s", how, name);
    f = fopen(server_path(s, "own/build.so", path, sizeof(path)), "we");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
        fail_test("%s: %s", path, strerror(errno));
    }
    free(bytes);
}
