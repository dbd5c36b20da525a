/*
 * Reloads of lpm beside those of nginx, if that is here: how long from the signal to the first answer of what is new, with 1, 16
 * and 64 workers; and the latency under load (99 %) with a reload each second, and without. Prints figures. The working
 * directory is to be an empty one.
 *
 * usage: reload SECONDS (of each load; 0: no load, and few workers) [nginx]
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
#include "figure.h"
#include "server.h"
#include "wait.h"
#include "wrk.h"

#define CONNECTIONS 32
#define NEW_MS      20000
#define PAUSE_US    1100000 /* lpm begins one reload a second */

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

static void (*const starts[])(struct peer *p, unsigned workers) = {start_lpm, start_nginx};

static void bench_time(size_t peers, unsigned workers)
{
    for (size_t i = 0; i < peers; i++) {
        struct peer p;
        starts[i](&p, workers);
        figure_print(reload(&p), "ms to new answers", p.name, "%u workers", workers);
        stop(&p);
    }
}

static void bench_latency(struct peer *p, bool reloads, int seconds)
{
    const char *what = reloads ? "a reload each second" : "no reload";
    struct wrk w;

    wrk_start(&w, p->port, "/", CONNECTIONS, seconds, NULL);
    for (int i = 0; reloads && i < seconds - 1; i++) {
        usleep(PAUSE_US);
        reload(p);
    }
    wrk_finish(&w);
    figure_print(w.p99, "ms, p99", p->name, "%s", what);
    figure_print((double)(w.errors + wrk_socket_errors(&w)), "requests failed", p->name, "%s", what);
    run_free(&w.run);
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 0;
    size_t peers = argc > 2 ? 2 : 1;
    struct peer list[2];

    bench_time(peers, 1);
    bench_time(peers, seconds ? 16 : 2);
    if (seconds == 0) {
        return 0;
    }
    bench_time(peers, 64);
    for (size_t i = 0; i < peers; i++) {
        starts[i](&list[i], 2);
    }
    for (size_t i = 0; i < 2 * peers; i++) {
        bench_latency(&list[i % peers], i >= peers, seconds);
    }
    for (size_t i = 0; i < peers; i++) {
        stop(&list[i]);
    }
    return 0;
}
