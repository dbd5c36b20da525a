/*
 * A peer: libevent's own HTTP server. Answers "hello\n", and for the path /N with N bytes that are not copied.
 *
 * usage: serve_evhttp PORT
 *
 * Runs until it is killed. Ends with a line on standard error when it cannot listen.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BODY_MAX ((size_t)1 << 20)

static char body[BODY_MAX];

static void on_request(struct evhttp_request *req, void *arg)
{
    struct evbuffer *out = evhttp_request_get_output_buffer(req);
    size_t len = strtoul(evhttp_request_get_uri(req) + 1, NULL, 10);

    (void)arg;
    evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "text/plain");
    if (len == 0 || len > BODY_MAX) {
        evbuffer_add_reference(out, "hello\n", strlen("hello\n"), NULL, NULL);
    } else {
        evbuffer_add_reference(out, body, len, NULL, NULL);
    }
    evhttp_send_reply(req, 200, "OK", NULL);
}

int main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = evhttp_new(base);
    unsigned port = argc == 2 ? (unsigned)atoi(argv[1]) : 0;

    struct evhttp_bound_socket *listener =
        http && port > 0 ? evhttp_bind_socket_with_handle(http, "127.0.0.1", (ev_uint16_t)port) : NULL;
    int on = 1;

    if (!listener) {
        fprintf(stderr, "usage: serve_evhttp PORT, one that is free\n");
        return 2;
    }
    /* Its connections inherit that; without it their answers wait for the client's acknowledgements. */
    setsockopt(evhttp_bound_socket_get_fd(listener), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    signal(SIGPIPE, SIG_IGN);
    memset(body, 'x', sizeof(body));
    evhttp_set_gencb(http, on_request, NULL);
    event_base_dispatch(base);
    return 1;
}
