/*
 * The handler `antagonist`: takes 5 ms for each request and answers "ok", but
 *
 *     worker 0   leaks 1 MiB with each
 *     worker 1   takes ten times as long
 *     worker 2   freezes for 200 ms once in two seconds
 *     worker 3   fails at once, with 500
 *
 * With `antagonists off;` at the top all are alike. Runs in workers; what it does wrong is the purpose.
 */
#include <lpm/module.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVICE_US 5000
#define FREEZE_US  200000
#define FREEZE_S   2
#define LEAK       ((size_t)1 << 20)

static void block(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&t, &t) != 0) {
    }
}

static time_t seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void freeze_now_and_then(void)
{
    static time_t last;

    if (seconds() >= last + FREEZE_S) {
        last = seconds();
        block(FREEZE_US);
    }
}

static void handle(lpm_request *req)
{
    lpm_worker *w = lpm_request_worker(req);
    const char *place = strrchr(lpm_worker_name(w), '/');
    void *leak;

    switch (lpm_conf_value(lpm_worker_conf(w), "antagonists", 1) ? atoi(place + 1) : -1) {
    case 0:
        if ((leak = malloc(LEAK)) != NULL) {
            memset(leak, 1, LEAK);
        }
        block(SERVICE_US);
        break;
    case 1:
        block(10 * SERVICE_US);
        break;
    case 2:
        freeze_now_and_then();
        block(SERVICE_US);
        break;
    case 3:
        lpm_respond_header(req, ":status", "500");
        break;
    default:
        block(SERVICE_US);
        break;
    }
    lpm_respond_text(req, "ok\n");
}

static const lpm_directive directives[] = {{.name = "antagonists",
                                            .context = "main",
                                            .type = LPM_CONF_FLAG,
                                            .value = "on",
                                            .help = "whether the first four workers are bad"},
                                           {.name = NULL}};

LPM_MODULE(.name = "antagonist", .version = "1.0", .request = handle, .directives = directives);
