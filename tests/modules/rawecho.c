/*
 * The handler `rawecho`: serves connections that lpm_socket hands over. A line that it knows is an order, any other comes
 * back as it is:
 *
 *     headers    answers with those of the request
 *     pid        answers with its own
 *     close      closes the connection
 *     limit      from then on the worker may have 80 descriptors; answers "limited"
 *     die        the worker dies
 *
 * At a soft kill it says "bye" on each connection and closes it.
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    struct connection *next, **link;
    lpm_worker *w;
    struct event *event;
    int fd;
    char headers[256];
};

static struct connection *first;

static void say(const struct connection *c, const char *text)
{
    send(c->fd, text, strlen(text), MSG_NOSIGNAL);
}

static void end(struct connection *c)
{
    *c->link = c->next;
    if (c->next) {
        c->next->link = c->link;
    }
    event_free(c->event);
    lpm_socket_close(c->w, c->fd);
    free(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    char line[1024], pid[32];
    ssize_t n = recv(fd, line, sizeof(line) - 1, 0);

    (void)what;
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            end(c);
        }
        return;
    }
    line[n] = '\0';
    if (strcmp(line, "headers\n") == 0) {
        say(c, c->headers);
    } else if (strcmp(line, "pid\n") == 0) {
        snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
        say(c, pid);
    } else if (strcmp(line, "close\n") == 0) {
        end(c);
    } else if (strcmp(line, "limit\n") == 0) {
        say(c, setrlimit(RLIMIT_NOFILE, &(struct rlimit){80, 80}) == 0 ? "limited\n" : "not limited\n");
    } else if (strcmp(line, "die\n") == 0) {
        raise(SIGKILL);
    } else {
        say(c, line);
    }
}

static void request(lpm_request *req)
{
    struct connection *c = calloc(1, sizeof(*c));
    lpm_slice remote = lpm_request_header(req, ":remote"), listener = lpm_request_header(req, ":listen");

    c->w = lpm_request_worker(req);
    c->fd = lpm_request_socket(req);
    if (c->fd < 0) {
        lpm_log(req, LPM_LOG_ERROR, "no socket: %d", c->fd);
        free(c);
        lpm_ack(req);
        return;
    }
    snprintf(c->headers, sizeof(c->headers), "%.*s at %.*s\n", (int)remote.len, remote.data,
             (int)listener.len, listener.data);
    c->next = first;
    c->link = &first;
    if (first) {
        first->link = &c->next;
    }
    first = c;
    c->event = event_new(lpm_worker_event_base(c->w), c->fd, EV_READ | EV_PERSIST, on_readable, c);
    event_add(c->event, NULL);
    lpm_ack(req);
}

static void soft_kill(lpm_worker *w)
{
    while (first) {
        say(first, "bye\n");
        end(first);
    }
    lpm_worker_soft_kill_done(w);
}

static void hard_kill(lpm_worker *w)
{
    (void)w;
    while (first) {
        end(first);
    }
}

LPM_MODULE(.name = "rawecho", .version = "1.0", .request = request, .soft_kill = soft_kill,
           .hard_kill = hard_kill);
