/*
 * The handler `leaker`: each request takes `leak_time` and leaves `leak_size` bytes behind. Told to trim, it says so in the
 * log; what it leaks it does not find again. Runs in workers.
 */
#define LPM_NEEDS 2
#include <lpm/module.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t size;
static struct timespec service;
static char
    *leaked; /* the last block, which begins with the address of the one before: a sanitizer finds them all */

static void handle(lpm_request *req)
{
    char *bytes = malloc(size);
    struct timespec left = service;

    if (bytes) {
        memset(bytes, 1, size);
        memcpy(bytes, &leaked, sizeof(leaked));
        leaked = bytes;
    }
    while (nanosleep(&left, &left) != 0) {
    }
    lpm_respond_text(req, "leaked\n");
}

static int init(lpm_worker *w)
{
    const lpm_conf *conf = lpm_worker_conf(w);
    int64_t ms = lpm_conf_value(conf, "leak_time", 0);

    size = (size_t)lpm_conf_value(conf, "leak_size", 1 << 20);
    service = (struct timespec){ms / 1000, ms % 1000 * 1000000};
    return lpm_worker_ready(w);
}

static void trim(lpm_worker *w)
{
    lpm_log(w, LPM_LOG_NOTICE, "leaker has nothing to trim");
}

static const lpm_directive directives[] = {{.name = "leak_size",
                                            .context = "main",
                                            .type = LPM_CONF_SIZE,
                                            .min = 4096,
                                            .max = 1 << 30,
                                            .value = "1m",
                                            .help = "what a request leaves behind"},
                                           {.name = "leak_time",
                                            .context = "main",
                                            .type = LPM_CONF_TIME,
                                            .min = 0,
                                            .max = 60000,
                                            .value = "0",
                                            .help = "how long it takes"},
                                           {.name = NULL}};

LPM_MODULE(.name = "leaker", .version = "1.0", .request = handle, .worker_init = init, .trim = trim,
           .directives = directives);
