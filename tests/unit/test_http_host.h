/*
 * A bus for one module, as far as its ingress can see: a configuration out of a text, a listening socket, requests that
 * are captured and answered by the test, over real sockets and a real loop. Or a worker that is handed the connections of that
 * socket: IN_BOTH() runs a test in each. For the tests of modules/http.
 */
#ifndef TEST_HTTP_HOST_H
#define TEST_HTTP_HOST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <lpm/module.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "os/os_stream.h"

#define NODES    64
#define REQUESTS 64
#define WAIT_S   10

struct lpm_conf {
    lpm_handle handle;
    const char *name, *args[4];
    size_t arg_count;
    int64_t value;
    struct lpm_conf *child, *next;
};

struct lpm_handler {
    char name[32];
};

struct lpm_supervisor {
    lpm_handle handle;
};

struct lpm_worker {
    lpm_handle handle;
};

/* A connection that comes to the worker. */
struct lpm_request {
    lpm_handle handle;
    int socket; /* -1: taken */
    struct sockaddr_storage peer;
    socklen_t len;
    int answers;
};

struct lpm_response {
    lpm_handle handle;
    int error;
    const char *id;
    lpm_slice data;
    const lpm_header *headers;
    size_t header_count;
    int stream;
};

/* A request that the module handed over. */
struct taken {
    char headers[8192]; /* "name: value\n" each */
    char *data;
    size_t len;
    int64_t timeout, retries;
    int32_t priority;
    char client[64]; /* in whose name it comes */
    size_t client_len;
    char id[37];
    int stream; /* the reader's end; 0: the body came whole */
    int socket; /* 0: none */
    lpm_response_fn on_response;
    void *arg;
    bool answered, cancelled;
};

static bool in_worker; /* the module runs there */

static struct {
    lpm_host table;
    struct lpm_supervisor supervisor;
    struct lpm_worker worker;
    struct event *acceptable; /* in_worker: the bus accepts */
    int ready;                /* calls of lpm_worker_ready() */
    struct lpm_handler handler;
    struct event_base *base;
    struct lpm_conf nodes[NODES], root;
    size_t node_count;
    char text[4096];
    int listener, log_fd;
    struct sockaddr_in address;
    void *context;
    struct taken taken[REQUESTS];
    size_t taken_count;
    unsigned sockets;      /* that the worker has, as health says */
    int minor;             /* of the handler */
    int handed_over;       /* the last descriptor that was, to be closed by the test; 0: none was */
    lpm_take_over_fn take; /* of the module */
    int successor;         /* what lpm_supervisor_has_successor() says */
    char passport[64];     /* what went along */
    size_t passport_len;
    int refusal;    /* what enqueue returns; 0: it takes */
    bool hold;      /* answers wait for the test */
    int done;       /* calls of soft_kill_done */
    char said[512]; /* the last line of the error log, or of a fault of the configuration */
} host;

/* -- The configuration -------------------------------------------------------------------------------- */

static int64_t conf_value_of(const char *name, const char *word)
{
    for (const lpm_directive *d = lpm_module_v1.directives; d->name; d++) {
        char *unit;
        int64_t n;
        if (strcmp(d->name, name) != 0 || word == NULL) {
            continue;
        }
        n = strtoll(word, &unit, 10);
        if (d->type == LPM_CONF_FLAG) {
            return strcmp(word, "on") == 0;
        }
        if (d->type == LPM_CONF_ENUM) {
            n = 0;
            for (const char *at = d->words; at < strstr(d->words, word); at++) {
                n += *at == '|';
            }
            return n;
        }
        if (d->type == LPM_CONF_TIME) {
            return strcmp(unit, "ms") == 0 || n < 0 ? n : n * 1000;
        }
        return *unit == 'k' ? n << 10 : *unit == 'm' ? n << 20 : n;
    }
    return 0;
}

static struct lpm_conf *conf_parse_block(char **at)
{
    struct lpm_conf *first = NULL, **tail = &first, *node = NULL;
    for (char *word = strtok_r(NULL, " \n", at); word; word = strtok_r(NULL, " \n", at)) {
        if (strcmp(word, "}") == 0) {
            return first;
        }
        if (strcmp(word, ";") == 0 || strcmp(word, "{") == 0) {
            assert_non_null(node);
            node->value = conf_value_of(node->name, node->args[0]);
            if (*word == '{') {
                node->child = conf_parse_block(at);
            }
            node = NULL;
        } else if (node == NULL) {
            assert_true(host.node_count < NODES);
            node = &host.nodes[host.node_count++];
            *node = (struct lpm_conf){.handle = {&host.table, NULL}, .name = word};
            *tail = node;
            tail = &node->next;
        } else {
            assert_true(node->arg_count < 4);
            node->args[node->arg_count++] = word;
        }
    }
    return first;
}

/* Words, ";" and braces have spaces around them. */
static void conf_set(const char *text)
{
    char *at = host.text;
    host.node_count = 0;
    snprintf(host.text, sizeof(host.text), "%s", text);
    at = host.text;
    /* strtok_r() begins by its first argument; an empty text would be no configuration. */
    host.root = (struct lpm_conf){.handle = {&host.table, NULL}, .name = ""};
    host.root.child = conf_parse_block(&at);
}

static const lpm_conf *host_conf_child(const lpm_conf *block, const char *name)
{
    for (const lpm_conf *n = block->child; n; n = n->next) {
        if (strcmp(n->name, name) == 0) {
            return n;
        }
    }
    return NULL;
}

static const lpm_conf *host_conf_next(const lpm_conf *node)
{
    for (const lpm_conf *n = node->next; n; n = n->next) {
        if (strcmp(n->name, node->name) == 0) {
            return n;
        }
    }
    return NULL;
}

static size_t host_conf_arg_count(const lpm_conf *node)
{
    return node->arg_count;
}

static lpm_slice host_conf_arg(const lpm_conf *node, size_t i)
{
    return lpm_slice_of(i < node->arg_count ? node->args[i] : "");
}

static int64_t host_conf_value(const lpm_conf *node)
{
    return node->value;
}

static LPM_PRINTF(2, 0) int host_conf_error(const lpm_conf *node, const char *fmt, va_list args)
{
    (void)node;
    vsnprintf(host.said, sizeof(host.said), fmt, args);
    return LPM_ECONF;
}

static LPM_PRINTF(3, 0) void host_log(const void *handle, int level, const char *fmt, va_list args)
{
    (void)handle;
    (void)level;
    vsnprintf(host.said, sizeof(host.said), fmt, args);
}

/* -- The bus ------------------------------------------------------------------------------------------ */

static const lpm_handler *host_handler(lpm_supervisor *s, const char *name)
{
    (void)s;
    return strcmp(name, "missing") == 0 ? NULL : &host.handler;
}

/* `stream`: what follows the data; 0: nothing. */
static void answer_with(size_t i, int error, const lpm_header *headers, size_t header_count, const char *data,
                        size_t len, int stream)
{
    struct taken *t = &host.taken[i];
    struct lpm_response res = {.handle = {&host.table, NULL},
                               .error = error,
                               .id = t->id,
                               .data = {data, len},
                               .headers = headers,
                               .header_count = header_count,
                               .stream = stream};
    assert_true(i < host.taken_count && !t->answered && !t->cancelled);
    t->answered = true;
    t->on_response(&res, t->arg);
}

static inline void answer(size_t i, int error, const lpm_header *headers, size_t header_count,
                          const char *data, size_t len)
{
    answer_with(i, error, headers, header_count, data, len, 0);
}

static inline void answer_text(size_t i, const char *text)
{
    answer(i, 0, NULL, 0, text, strlen(text));
}

/* The data comes back, with the path in a header. */
static void echo(evutil_socket_t fd, short what, void *arg)
{
    struct taken *t = arg;
    char *path = strstr(t->headers, ":path: ") + 7;
    lpm_header headers[] = {{lpm_slice_of("x-path"), {path, strcspn(path, "\n")}},
                            {lpm_slice_of("transfer-encoding"), lpm_slice_of("chunked")},
                            {lpm_slice_of("content-length"), lpm_slice_of("7")}};
    (void)fd;
    (void)what;
    if (!t->cancelled) {
        answer((size_t)(t - host.taken), 0, headers, 3, t->data, t->len);
    }
}

static int host_enqueue(lpm_supervisor *s, const lpm_enqueue *spec, lpm_response_fn on_response, void *arg)
{
    struct taken *t = &host.taken[host.taken_count];
    struct timeval now = {0, 0};
    size_t at = 0;
    (void)s;
    assert_int_equal(spec->size, sizeof(*spec));
    assert_ptr_equal(spec->handler, &host.handler);
    assert_true(host.taken_count < REQUESTS);
    snprintf(t->id, sizeof(t->id), "00000000-0000-4000-8000-%012zu", host.taken_count);
    if (spec->id) {
        memcpy(spec->id, t->id, sizeof(t->id));
    }
    if (host.refusal) {
        return host.refusal;
    }
    for (size_t i = 0; i < spec->header_count; i++) {
        const lpm_header *h = &spec->headers[i];
        at += (size_t)snprintf(t->headers + at, sizeof(t->headers) - at, "%.*s: %.*s\n", (int)h->name.len,
                               h->name.data, (int)h->value.len, h->value.data);
        assert_true(at < sizeof(t->headers));
    }
    t->data = malloc(spec->len + 1);
    assert_non_null(t->data);
    if (spec->len > 0) {
        memcpy(t->data, spec->data, spec->len);
    }
    t->data[spec->len] = '\0';
    t->len = spec->len;
    t->timeout = spec->timeout;
    t->retries = spec->retries;
    t->priority = spec->priority;
    t->client_len = spec->client.len;
    assert_true(t->client_len <= sizeof(t->client));
    memcpy(t->client, spec->client.data, t->client_len);
    t->stream = spec->stream;
    t->socket = spec->socket;
    t->on_response = on_response;
    t->arg = arg;
    host.taken_count++;
    if (spec->ticket) {
        *spec->ticket = host.taken_count;
    }
    if (!host.hold && t->stream == 0) {
        assert_int_equal(event_base_once(host.base, -1, EV_TIMEOUT, echo, t, &now), 0);
    }
    return 0;
}

static int host_cancel(lpm_supervisor *s, uint64_t ticket)
{
    (void)s;
    assert_true(ticket > 0 && ticket <= host.taken_count);
    assert_false(host.taken[ticket - 1].answered);
    host.taken[ticket - 1].cancelled = true;
    return 0;
}

static int64_t host_retry_after(const lpm_supervisor *s, const lpm_handler *handler)
{
    (void)s;
    assert_ptr_equal(handler, &host.handler);
    return 1001;
}

static int host_soft_kill_done(lpm_supervisor *s)
{
    (void)s;
    host.done++;
    return 0;
}

static int host_fd(const lpm_supervisor *s, const lpm_conf *node)
{
    (void)s;
    return strcmp(node->name, "listen") == 0 ? host.listener : host.log_fd;
}

/* -- The worker --------------------------------------------------------------------------------------- */

static const lpm_handler *host_worker_handler(lpm_worker *w, const char *name)
{
    (void)w;
    return host_handler(NULL, name);
}

static int host_worker_call(lpm_worker *w, const lpm_enqueue *spec, lpm_response_fn on_response, void *arg)
{
    (void)w;
    return host_enqueue(NULL, spec, on_response, arg);
}

static int host_worker_cancel(lpm_worker *w, uint64_t ticket)
{
    (void)w;
    return host_cancel(NULL, ticket);
}

static int host_worker_fd(const lpm_worker *w, const lpm_conf *node)
{
    (void)w;
    assert_string_equal(node->name, "access_log");
    return host.log_fd;
}

static int host_worker_ready(lpm_worker *w)
{
    (void)w;
    host.ready++;
    return 0;
}

static int host_worker_soft_kill_done(lpm_worker *w)
{
    (void)w;
    host.done++;
    return 0;
}

static const lpm_conf *host_worker_conf(const lpm_worker *w)
{
    (void)w;
    return &host.root;
}

static void host_worker_set_context(lpm_worker *w, void *context)
{
    (void)w;
    host.context = context;
}

static void *host_worker_context(const lpm_worker *w)
{
    (void)w;
    return host.context;
}

static struct event_base *host_worker_base(const lpm_worker *w)
{
    (void)w;
    return host.base;
}

static int host_socket_close(lpm_worker *w, int fd)
{
    (void)w;
    assert_int_equal(close(fd), 0);
    return 0;
}

static lpm_worker *host_request_worker(const lpm_request *req)
{
    (void)req;
    return &host.worker;
}

static lpm_slice host_request_data(const lpm_request *req)
{
    return (lpm_slice){(const char *)&req->peer, req->len};
}

static int host_request_has_socket(const lpm_request *req)
{
    return req->socket != 0;
}

static int host_request_socket(lpm_request *req)
{
    int fd = req->socket;
    req->socket = -1;
    return fd;
}

static int host_respond_header(lpm_request *req, lpm_slice name, lpm_slice value)
{
    (void)req;
    (void)name;
    (void)value;
    return 0;
}

static int host_respond(lpm_request *req, const void *data, size_t len)
{
    (void)data;
    (void)len;
    req->answers++;
    return 0;
}

static int host_ack(lpm_request *req)
{
    req->answers++;
    return 0;
}

/* The module is called with the request. */
static inline void bring(struct lpm_request *req)
{
    req->handle.host = &host.table;
    lpm_module_v1.request(req);
    assert_int_equal(req->answers, 1);
    req->answers = 0;
}

/* What the bus does with connections that wait. */
static void accept_all(evutil_socket_t fd, short what, void *arg)
{
    for (;;) {
        struct lpm_request req = {.len = sizeof(req.peer)};
        req.socket = accept4(fd, (struct sockaddr *)&req.peer, &req.len, SOCK_NONBLOCK);
        if (req.socket < 0) {
            break;
        }
        bring(&req);
        assert_int_equal(req.socket, -1);
    }
    (void)what;
    (void)arg;
}

/* -- Both --------------------------------------------------------------------------------------------- */

static const lpm_conf *host_conf(const lpm_supervisor *s)
{
    (void)s;
    return &host.root;
}

static void host_set_context(lpm_supervisor *s, void *context)
{
    (void)s;
    host.context = context;
}

static void *host_context(const lpm_supervisor *s)
{
    (void)s;
    return host.context;
}

static struct event_base *host_base(const lpm_supervisor *s)
{
    (void)s;
    return host.base;
}

static int host_response_error(const lpm_response *res)
{
    return res->error;
}

static const char *host_response_error_text(const lpm_response *res)
{
    return res->error ? "it failed" : "";
}

static const char *host_response_id(const lpm_response *res)
{
    return res->id;
}

static lpm_slice host_response_data(const lpm_response *res)
{
    return res->data;
}

static int host_response_header_at(const lpm_response *res, size_t i, lpm_header *header)
{
    if (i >= res->header_count) {
        return 0;
    }
    *header = res->headers[i];
    return 1;
}

static lpm_slice host_response_header(const lpm_response *res, const char *name)
{
    lpm_slice none = {"", 0};
    for (size_t i = 0; i < res->header_count; i++) {
        if (lpm_slice_is(res->headers[i].name, name)) {
            return res->headers[i].value;
        }
    }
    return none;
}

static const char *host_response_worker(const lpm_response *res)
{
    (void)res;
    return "default/0";
}

static uint64_t host_queue_time(const lpm_response *res)
{
    (void)res;
    return 12345;
}

static int host_has_stream(const lpm_response *res)
{
    return res->stream > 0;
}

static int host_stream(lpm_response *res)
{
    return res->stream;
}

static int host_handler_minor(const lpm_supervisor *s, const lpm_handler *handler)
{
    (void)s;
    assert_ptr_equal(handler, &host.handler);
    return host.minor;
}

static int host_worker_handler_minor(const lpm_worker *w, const lpm_handler *handler)
{
    (void)w;
    return host_handler_minor(NULL, handler);
}

static size_t host_health(lpm_supervisor *s, lpm_health *list, size_t max, size_t size)
{
    (void)s;
    assert_int_equal(size, sizeof(*list));
    if (max > 0) {
        *list = (lpm_health){.sockets = host.sockets};
    }
    return 1;
}

static int host_has_successor(const lpm_supervisor *s)
{
    (void)s;
    return host.successor;
}

static int host_hand_over(lpm_supervisor *s, int fd, const void *data, size_t len)
{
    (void)s;
    assert_true(len <= 60);
    if (!host.successor) {
        return LPM_ENOHANDLER;
    }
    memcpy(host.passport, data, len);
    host.passport_len = len;
    host.handed_over = fd;
    return 0;
}

static int host_take_over(lpm_supervisor *s, lpm_take_over_fn fn, void *arg)
{
    (void)s;
    assert_null(arg);
    host.take = fn;
    return 0;
}

static int host_stream_pair(const void *handle, int fds[2])
{
    (void)handle;
    return os_stream_pair(fds);
}

static int host_stream_end(const void *handle, int fd)
{
    (void)handle;
    return os_stream_end(fd);
}

static uint64_t host_service_time(const lpm_response *res)
{
    (void)res;
    return UINT64_C(1000304999);
}

static void host_table(void)
{
    host.table = (lpm_host){.size = sizeof(lpm_host),
                            .log = host_log,
                            .conf_child = host_conf_child,
                            .conf_next = host_conf_next,
                            .conf_arg_count = host_conf_arg_count,
                            .conf_arg = host_conf_arg,
                            .conf_value = host_conf_value,
                            .conf_error = host_conf_error,
                            .supervisor_handler = host_handler,
                            .supervisor_enqueue = host_enqueue,
                            .supervisor_cancel = host_cancel,
                            .supervisor_retry_after = host_retry_after,
                            .supervisor_soft_kill_done = host_soft_kill_done,
                            .supervisor_fd = host_fd,
                            .supervisor_conf = host_conf,
                            .supervisor_set_context = host_set_context,
                            .supervisor_context = host_context,
                            .supervisor_event_base = host_base,
                            .response_error = host_response_error,
                            .response_error_text = host_response_error_text,
                            .response_id = host_response_id,
                            .response_data = host_response_data,
                            .response_header_at = host_response_header_at,
                            .response_header = host_response_header,
                            .response_worker = host_response_worker,
                            .response_queue_time = host_queue_time,
                            .response_service_time = host_service_time,
                            .response_has_stream = host_has_stream,
                            .response_stream = host_stream,
                            .supervisor_health = host_health,
                            .supervisor_handler_minor = host_handler_minor,
                            .supervisor_has_successor = host_has_successor,
                            .supervisor_hand_over = host_hand_over,
                            .supervisor_take_over = host_take_over,
                            .worker_handler = host_worker_handler,
                            .worker_handler_minor = host_worker_handler_minor,
                            .worker_call = host_worker_call,
                            .worker_cancel = host_worker_cancel,
                            .worker_fd = host_worker_fd,
                            .worker_ready = host_worker_ready,
                            .worker_soft_kill_done = host_worker_soft_kill_done,
                            .worker_conf = host_worker_conf,
                            .worker_set_context = host_worker_set_context,
                            .worker_context = host_worker_context,
                            .worker_event_base = host_worker_base,
                            .socket_close = host_socket_close,
                            .request_worker = host_request_worker,
                            .request_data = host_request_data,
                            .request_has_socket = host_request_has_socket,
                            .request_socket = host_request_socket,
                            .respond_header = host_respond_header,
                            .respond = host_respond,
                            .ack = host_ack,
                            .stream_pair = host_stream_pair,
                            .stream_end = host_stream_end};
}

/* -- Starting and stopping ---------------------------------------------------------------------------- */

/* The module with `directives` in its http block, listening and online, and a handler of ABI 1.`minor`. */
static void serve_minor(const char *directives, int minor)
{
    char text[2048];
    socklen_t len = sizeof(host.address);
    memset(&host, 0, sizeof(host));
    host.minor = minor;
    host_table();
    host.supervisor.handle.host = host.worker.handle.host = &host.table;
    host.address.sin_family = AF_INET;
    host.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    host.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(host.listener, (struct sockaddr *)&host.address, len), 0);
    assert_int_equal(listen(host.listener, 128), 0);
    assert_int_equal(getsockname(host.listener, (struct sockaddr *)&host.address, &len), 0);
    host.log_fd = open("access.log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    assert_true(host.log_fd >= 0);
    host.base = event_base_new();
    assert_non_null(host.base);
    snprintf(text, sizeof(text), "http { listen x %s ; access_log access.log ; %s }",
             in_worker ? "handoff" : "", directives);
    conf_set(text);
    assert_int_equal(lpm_module_v1.conf(&host.root), 0);
    if (in_worker) {
        assert_int_equal(lpm_module_v1.worker_init(&host.worker), 0);
        assert_int_equal(host.ready, 1);
        host.acceptable = event_new(host.base, host.listener, EV_READ | EV_PERSIST, accept_all, NULL);
        assert_true(host.acceptable && event_add(host.acceptable, NULL) == 0);
    } else {
        assert_int_equal(lpm_module_v1.supervisor_init(&host.supervisor), 0);
        lpm_module_v1.supervisor_online(&host.supervisor);
    }
}

/* lpm's soft kill: the bus takes in what waits, and no more. */
static inline void soft_kill(void)
{
    if (in_worker) {
        accept_all(host.listener, 0, NULL);
        event_del(host.acceptable);
        lpm_module_v1.soft_kill(&host.worker);
    } else {
        lpm_module_v1.supervisor_soft_kill(&host.supervisor);
    }
}

static inline void hard_kill(void)
{
    if (in_worker) {
        lpm_module_v1.hard_kill(&host.worker);
    } else {
        lpm_module_v1.supervisor_hard_kill(&host.supervisor);
    }
}

static inline void serve(const char *directives)
{
    serve_minor(directives, 0);
}

static void stop(void)
{
    if (host.context) {
        hard_kill();
    }
    if (host.acceptable) {
        event_free(host.acceptable);
    }
    event_base_free(host.base);
    close(host.listener);
    close(host.log_fd);
    for (size_t i = 0; i < host.taken_count; i++) {
        free(host.taken[i].data);
    }
}

static inline int go_to_bus(void **state)
{
    (void)state;
    in_worker = false;
    return 0;
}

static inline int go_to_worker(void **state)
{
    (void)state;
    in_worker = true;
    return 0;
}

/* A test for each of the two. */
#define IN_BUS(test)                       \
    {                                      \
#test, test, go_to_bus, NULL, NULL \
    }
#define IN_WORKER(test)                                       \
    {                                                         \
#test ", in a worker", test, go_to_worker, NULL, NULL \
    }
#define IN_BOTH(test) IN_BUS(test), IN_WORKER(test)

/* -- Clients ------------------------------------------------------------------------------------------ */

struct client {
    int fd;
    char got[1 << 20];
    size_t len;
    bool closed; /* the server has closed it, or it was reset */
    bool reset;  /* it was reset */
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Turns the loop until `condition`; fails after a while. */
#define PUMP_UNTIL(condition)                            \
    do {                                                 \
        double until_ = seconds() + WAIT_S;              \
        while (!(condition)) {                           \
            event_base_loop(host.base, EVLOOP_NONBLOCK); \
            if (seconds() > until_) {                    \
                fail_msg("never: %s", #condition);       \
            }                                            \
        }                                                \
    } while (0)

/* Turns the loop a few times: whatever could happen at once has happened. */
static inline void settle(void)
{
    for (int i = 0; i < 20; i++) {
        event_base_loop(host.base, EVLOOP_NONBLOCK);
        usleep(200);
    }
}

/* Nothing is there to do: a turn of the loop waits. (event_base_dispatch() would turn many times within one call.) */
static inline void check_rest(void)
{
    int turns = 0;
    for (double until = seconds() + 0.05; seconds() < until; turns++) {
        struct timeval tv = {0, 20000};
        event_base_loopexit(host.base, &tv);
        event_base_loop(host.base, EVLOOP_ONCE);
    }
    assert_in_range(turns, 1, 20);
}

static void client_open(struct client *c)
{
    c->len = 0;
    c->closed = c->reset = false;
    c->got[0] = '\0';
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&host.address, sizeof(host.address)), 0);
    assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
}

static void client_close(struct client *c)
{
    close(c->fd);
    c->fd = -1;
}

/* Closes with a reset. */
static inline void client_reset(struct client *c)
{
    struct linger hard = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    client_close(c);
}

static void client_send_bytes(struct client *c, const char *bytes, size_t len)
{
    double until = seconds() + WAIT_S;
    while (len > 0) {
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN) {
            return; /* the server may close before it has read all */
        }
        event_base_loop(host.base, EVLOOP_NONBLOCK);
        assert_true(seconds() < until);
    }
}

static inline void client_send(struct client *c, const char *text)
{
    client_send_bytes(c, text, strlen(text));
}

static void client_read(struct client *c)
{
    ssize_t n = recv(c->fd, c->got + c->len, sizeof(c->got) - 1 - c->len, 0);
    if (n > 0) {
        c->len += (size_t)n;
        c->got[c->len] = '\0';
    } else if (n == 0 || errno != EAGAIN) {
        c->closed = true;
        c->reset = n < 0;
    }
}

static bool client_has(struct client *c, const char *text)
{
    client_read(c);
    return strstr(c->got, text) != NULL;
}

static bool client_closed(struct client *c)
{
    client_read(c);
    return c->closed;
}

static inline size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what)) {
        n++;
    }
    return n;
}

/* The whole access log so far; the module is told to flush by ending. */
static inline const char *access_log(void)
{
    static char text[65536];
    int fd = open("access.log", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
    return text;
}

#endif
