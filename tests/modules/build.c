/*
 * The handler `build`: answers with the name of its build, and the header x-generation. tests/lib/build.c makes builds of it by writing another name over
 * the one here, and with it how the build behaves:
 *
 *     ok       as it should
 *     refuse   its worker_init refuses          crash    its worker_init crashes
 *     never    it is never ready                request  a request crashes it
 *     bus      crashes the bus as soon as that is online   leave    crashes the bus when that is retired
 */
#include <lpm/module.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "BEHAVIOUR NAME"; volatile, so that it is read when it is used. */
static volatile char mark[64] = "lpm test build: ok none";

static char generation[16];

static const char *text(char room[64])
{
    for (size_t i = 0; i < sizeof(mark); i++) {
        room[i] = mark[i];
    }
    return room + strlen("lpm test build: ");
}

static bool behaves(const char *how)
{
    char room[64];
    return strncmp(text(room), how, strlen(how)) == 0;
}

/* As the process's title says. */
static void read_generation(char room[16])
{
    FILE *f = fopen("/proc/self/cmdline", "re");
    char title[256] = "";
    const char *at;

    if (f && fgets(title, sizeof(title), f) && (at = strstr(title, " gen ")) != NULL) {
        snprintf(room, 16, "%.10s", at + strlen(" gen "));
    }
    if (f) {
        fclose(f);
    }
}

static int worker_init(lpm_worker *w)
{
    read_generation(generation);
    if (behaves("crash ")) {
        raise(SIGABRT);
    }
    if (behaves("refuse ")) {
        return LPM_EINVAL;
    }
    if (!behaves("never ")) {
        lpm_worker_ready(w);
    }
    return 0;
}

static void request(lpm_request *req)
{
    char room[64];

    if (behaves("request ")) {
        raise(SIGABRT);
    }
    lpm_respond_header(req, "x-generation", generation);
    lpm_respond_text(req, strchr(text(room), ' ') + 1);
}

static void online(lpm_supervisor *s)
{
    (void)s;
    if (behaves("bus ")) {
        raise(SIGABRT);
    }
}

static void retired(lpm_supervisor *s)
{
    if (behaves("leave ")) {
        raise(SIGABRT);
    }
    lpm_supervisor_soft_kill_done(s);
}

LPM_MODULE(.name = "build", .version = "1.0", .worker_init = worker_init, .request = request,
           .supervisor_online = online, .supervisor_soft_kill = retired);
