/*
 * A module with I/O of its own on the worker's loop: passes the request's data on to a service that listens on a unix
 * socket, and answers with all that the service says until it closes. Nothing blocks: a worker has as many conversations
 * open as `concurrency` allows.
 *
 *     unix_proxy run/service.sock;
 *
 * Fails: without the service, with one that breaks off, or with an answer over 1 MiB the status is 502; when nobody waits
 * for the answer any more (the client has gone, its deadline has passed) the service has one more second.
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DIRECTIVE    "unix_proxy"
#define DEFAULT_PATH "run/service.sock"
#define ANSWER_MAX   (1u << 20)

struct talk {
    lpm_request *req;
    struct bufferevent *stream;
};

static void talk_free(struct talk *talk)
{
    bufferevent_free(talk->stream);
    free(talk);
}

static void refuse(lpm_request *req, const char *why)
{
    lpm_respond_header(req, ":status", "502");
    lpm_respond_text(req, why);
}

static void talk_fail(struct talk *talk, const char *why)
{
    lpm_request *req = talk->req;
    talk_free(talk);
    refuse(req, why);
}

/* The client is gone, the deadline has passed, or a soft kill has begun, when the answer is still wanted: the service has
 * one more second. */
static void on_cancel(lpm_request *req, void *arg)
{
    static const struct timeval second = {1, 0};
    struct talk *talk = arg;

    (void)req;
    bufferevent_set_timeouts(talk->stream, &second, &second);
}

static void on_read(struct bufferevent *stream, void *arg)
{
    if (evbuffer_get_length(bufferevent_get_input(stream)) > ANSWER_MAX) {
        talk_fail(arg, "the service's answer is over 1 MiB\n");
    }
}

/* The service sees the end, and knows that this was all. */
static void on_written(struct bufferevent *stream, void *arg)
{
    (void)arg;
    shutdown(bufferevent_getfd(stream), SHUT_WR);
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
    struct talk *talk = arg;
    struct evbuffer *in = bufferevent_get_input(stream);
    size_t len = evbuffer_get_length(in);

    if (what & BEV_EVENT_EOF) {
        lpm_respond(talk->req, len ? evbuffer_pullup(in, -1) : NULL, len);
        talk_free(talk);
    } else {
        talk_fail(talk, what & BEV_EVENT_TIMEOUT ? "the service took too long\n" : "the service broke off\n");
    }
}

/* A connected socket or -1. On a unix socket connect() does not wait for the other side. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1); /* conf() has measured it */
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static struct talk *talk_new(lpm_request *req, int fd)
{
    struct talk *talk = calloc(1, sizeof(*talk));

    if (talk != NULL) {
        talk->req = req;
        talk->stream =
            bufferevent_socket_new(lpm_worker_event_base(lpm_request_worker(req)), fd, BEV_OPT_CLOSE_ON_FREE);
    }
    if (talk == NULL || talk->stream == NULL) {
        free(talk);
        close(fd);
        return NULL;
    }
    return talk;
}

static void request(lpm_request *req)
{
    const lpm_conf *root = lpm_worker_conf(lpm_request_worker(req));
    lpm_slice data = lpm_request_data(req);
    int fd = connect_to(lpm_conf_string(root, DIRECTIVE, DEFAULT_PATH));
    struct talk *talk = fd >= 0 ? talk_new(req, fd) : NULL;

    if (talk == NULL) {
        refuse(req, "the service cannot be reached\n");
        return;
    }
    bufferevent_setcb(talk->stream, on_read, on_written, on_event, talk);
    if (bufferevent_write(talk->stream, data.data, data.len) != 0 ||
        bufferevent_enable(talk->stream, EV_READ | EV_WRITE) != 0) {
        talk_fail(talk, "no memory\n");
        return;
    }
    if (data.len == 0) {
        on_written(talk->stream, talk); /* there is nothing whose writing would call it */
    }
    lpm_request_on_cancel(req, on_cancel, talk);
}

static int conf(lpm_conf *root)
{
    const size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);
    const lpm_conf *node = lpm_conf_child(root, DIRECTIVE);

    if (node != NULL && lpm_conf_arg(node, 0).len >= room) {
        return lpm_conf_error(node, "\"%s\" expects a path of at most %zu bytes, found %zu", DIRECTIVE,
                              room - 1, lpm_conf_arg(node, 0).len);
    }
    return 0;
}

static const lpm_directive directives[] = {{.name = DIRECTIVE,
                                            .context = "main",
                                            .type = LPM_CONF_STRING,
                                            .syntax = "path",
                                            .value = DEFAULT_PATH,
                                            .help = "the unix socket that the service listens on"},
                                           {.name = NULL}};

LPM_MODULE(.name = "unix_proxy", .version = "1.0", .directives = directives, .conf = conf,
           .request = request);
