/*
 * Reloads of lpm beside those of nginx: how long from the signal to the first answer of what is new, with 1, 16 and 64
 * workers, in turn, five times each; and the latency under load (99 %) with a reload each second, and without.
 * Prints lines "name value unit"; takes about a minute. The working directory is to be an empty one.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "build.h"
#include "client.h"
#include "fail.h"
#include "server.h"
#include "wait.h"
#include "wrk.h"

#define RUNS         5
#define LOAD_SECONDS 4
#define CONNECTIONS  32
#define NEW_MS       20000
#define PAUSE_US     1100000 /* lpm begins one reload a second */

/* One of the two, whose build can be changed. */
struct peer {
    const char *name;
    struct server *s;
    struct run nginx; /* pid 0: it is lpm */
    int port;
    unsigned workers;
    int build;
};

static void write_lpm(struct peer *p)
{
    char name[16];

    snprintf(name, sizeof(name), "%d", p->build);
    build_make(p->s, "ok", name);
    server_conf(p->s,
                SERVER_MODULES "load_module own/build.so;\nprobation 0s;\nworker { count %u; }\n"
                               "http { listen 127.0.0.1:0; keepalive_requests 1000000000;\n"
                               "       location / { handler build; } }\n",
                p->workers);
}

static void write_nginx(struct peer *p)
{
    char text[2048];

    snprintf(text, sizeof(text),
             "%sworker_processes %u;\n"
             "daemon off;\npid nginx.pid;\nerror_log nginx.log;\nevents { worker_connections 1024; }\n"
             "http {\n    access_log off;\n    keepalive_requests 1000000000;\n"
             "    client_body_temp_path nb;\n    proxy_temp_path np;\n    fastcgi_temp_path nf;\n"
             "    uwsgi_temp_path nu;\n    scgi_temp_path ns;\n"
             "    server { listen 127.0.0.1:%d; location / { return 200 \"%d\"; } }\n}\n",
             geteuid() == 0 ? "user nobody nogroup;\n" : "", p->workers, p->port, p->build);
    server_write(p->s, "nginx.conf", text);
}

static void write_build(struct peer *p)
{
    if (strcmp(p->name, "nginx") == 0) {
        write_nginx(p);
    } else {
        write_lpm(p);
    }
}

/* Until the present build answers. */
static void wait_new(const struct peer *p)
{
    uint64_t deadline = wait_until(NEW_MS);
    bool there = false;

    while (!there) {
        struct client c;
        struct response r;
        if (wait_left(deadline) == 0) {
            fail_test("%s does not come to answer", p->name);
        }
        if (client_try_open(&c, p->port) != 0) {
            continue;
        }
        client_request(&c, "GET", "/", "", NULL, 0);
        client_read_any(&c, &r, NEW_MS); /* of nginx's old worker it may be none */
        there = r.status == 200 && atoi(r.body) == p->build;
        client_forget(&r);
        client_close(&c);
    }
}

static void signal_reload(const struct peer *p)
{
    kill(p->nginx.pid ? p->nginx.pid : p->s->pid, SIGHUP);
}

/* ms */
static double reload(struct peer *p)
{
    uint64_t begin;

    p->build++;
    write_build(p);
    begin = clock_now();
    signal_reload(p);
    wait_new(p);
    return (double)(clock_now() - begin) / 1e6;
}

static void start_lpm(struct peer *p, unsigned workers)
{
    *p = (struct peer){.name = "lpm", .s = server_new(), .workers = workers};
    write_lpm(p);
    server_start(p->s, NULL);
    p->port = server_port(p->s);
}

/* A port that nobody has now. */
static int free_port(void)
{
    for (int port = 20080; port < 30000; port++) {
        struct client c;
        int error = client_try_open(&c, port);
        client_close(&c);
        if (error != 0) {
            return port;
        }
    }
    fail_test("no free port");
}

static void start_nginx(struct peer *p, unsigned workers)
{
    char conf[4200];

    *p = (struct peer){.name = "nginx", .s = server_new(), .workers = workers, .port = free_port()};
    write_nginx(p);
    server_path(p->s, "nginx.conf", conf, sizeof(conf));
    run_start(&p->nginx,
              (const char *const[]){"nginx", "-p", p->s->prefix, "-e", "nginx.log", "-c", conf, NULL});
    wait_new(p);
}

static void stop(struct peer *p)
{
    if (p->nginx.pid) {
        kill(p->nginx.pid, SIGTERM);
        run_finish(&p->nginx, SERVER_STOP_MS);
        run_free(&p->nginx);
    } else {
        server_stop(p->s);
    }
    server_free(p->s);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prints median, least and most, and returns the median. */
static double print_spread(const char *what, const char *who, double *list)
{
    qsort(list, RUNS, sizeof(*list), compare);
    printf("%s_%s %.2f ms\n", what, who, list[RUNS / 2]);
    printf("%s_%s_min %.2f ms\n%s_%s_max %.2f ms\n", what, who, list[0], what, who, list[RUNS - 1]);
    return list[RUNS / 2];
}

static void print_both(const char *what, double *lpm, double *nginx)
{
    double ours = print_spread(what, "lpm", lpm), theirs = print_spread(what, "nginx", nginx);
    printf("%s_lpm/nginx %.2f x\n", what, ours / theirs);
}

static void bench_time(unsigned workers)
{
    double lpm[RUNS], nginx[RUNS];
    struct peer a, b;
    char what[32];

    start_lpm(&a, workers);
    start_nginx(&b, workers);
    for (int i = 0; i < RUNS; i++) {
        lpm[i] = reload(&a);
        nginx[i] = reload(&b);
        usleep(PAUSE_US);
    }
    stop(&a);
    stop(&b);
    snprintf(what, sizeof(what), "reload_%u_workers", workers);
    print_both(what, lpm, nginx);
}

/* The latency of one load, ms; what failed is added to `*failed`. */
static double load(struct peer *p, bool reloads, uint64_t *failed)
{
    struct wrk w;
    double p99;

    wrk_start(&w, p->port, "/", CONNECTIONS, LOAD_SECONDS, NULL);
    for (int i = 0; reloads && i < LOAD_SECONDS - 1; i++) {
        usleep(PAUSE_US);
        reload(p);
    }
    wrk_finish(&w);
    p99 = w.p99;
    *failed += w.errors + wrk_socket_errors(&w);
    run_free(&w.run);
    return p99;
}

static void bench_latency(void)
{
    double quiet[2][RUNS], busy[2][RUNS];
    uint64_t failed[2] = {0, 0}, none = 0;
    struct peer peers[2];

    start_lpm(&peers[0], 2);
    start_nginx(&peers[1], 2);
    for (int i = 0; i < RUNS; i++) {
        for (int who = 0; who < 2; who++) {
            quiet[who][i] = load(&peers[who], false, &none);
            busy[who][i] = load(&peers[who], true, &failed[who]);
        }
    }
    stop(&peers[0]);
    stop(&peers[1]);
    print_both("p99_without_reload", quiet[0], quiet[1]);
    print_both("p99_with_reloads", busy[0], busy[1]);
    for (int who = 0; who < 2; who++) {
        printf("failed_with_reloads_%s %llu requests\n", peers[who].name, (unsigned long long)failed[who]);
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    bench_time(1);
    bench_time(16);
    bench_time(64);
    bench_latency();
    return 0;
}
