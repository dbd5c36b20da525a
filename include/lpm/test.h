/*
 * lpm/test.h: a worker in your test program, so that a module is tested without a server.
 *
 *     #include <lpm/test.h>
 *
 *     lpm_test t;
 *     lpm_test_init(&t, &lpm_module_v1);                  // the module that the program is linked with
 *     lpm_request *req = lpm_test_request(&t, "hi", 2);   // as the server would hand it over
 *     lpm_test_run(&t, req);                              // calls the module's request hook
 *     assert(lpm_slice_is(lpm_test_response_data(req), "hi"));
 *     lpm_test_fini(&t);
 *
 *     cc -I/usr/local/lpm/include -o test_hello test_hello.c hello.c && ./test_hello
 *
 * Header-only, for C and C++ and any test framework; needs no library. It stands for a worker: requests, answers, the
 * worker's calls, its events (with LPM_NEEDS 1), the log, the configuration. Calls are refused with the codes that lpm
 * gives. What a request owns (payload, headers, id) is freed when it is answered, so that AddressSanitizer or valgrind
 * shows a module that uses it for longer. The supervisor side is not in it: its handles cannot be had here.
 *
 * Ownership: lpm_test owns everything that these calls return, until lpm_test_fini(). Without memory they abort().
 */
#ifndef LPM_TEST_H
#define LPM_TEST_H

#include <lpm/module.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if LPM_NEEDS >= 1
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#ifndef CLOCK_MONOTONIC
#error "lpm/test.h needs POSIX: compile with -std=gnu11, or with -D_GNU_SOURCE"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define LPM_TEST_HEADERS_MAX (64u * 1024)
#define LPM_TEST_DATA_MAX    ((size_t)1 << 30)

typedef struct lpm_test lpm_test;
typedef struct lpm_test_request_t lpm_test_request_t;
typedef struct lpm_test_conf_t lpm_test_conf_t;
#if LPM_NEEDS >= 1
typedef struct lpm_test_listener_t lpm_test_listener_t;
typedef struct lpm_test_emit lpm_test_emit;
#endif

typedef struct lpm_test_headers {
    lpm_header *list;
    size_t count;
    size_t bytes; /* of all names and values */
} lpm_test_headers;

/* What is behind an lpm_request here. Use the calls below. */
struct lpm_test_request_t {
    lpm_handle handle;
    lpm_test_request_t *next;
    char *id; /* NULL once it is answered */
    char *data;
    size_t len;
    lpm_test_headers headers;
    uint64_t created_at, deadline;
    void *context;
    int started, cancelled, answered;
    int outcome; /* what the call that finished it returned */
    int acked;
    lpm_test_headers response_headers;
    char *response;
    size_t response_len;
#if LPM_NEEDS >= 1
    int stream, socket;         /* that came with it and were not taken; -1 */
    int had_stream, had_socket; /* one came */
    lpm_cancel_fn on_cancel;
    void *on_cancel_arg;
    int response_stream; /* -1: none, or taken by the test */
#endif
};

/* What is behind an lpm_conf here. */
struct lpm_test_conf_t {
    lpm_handle handle;
    lpm_test_conf_t *next, *first;
    char *name;
    lpm_slice *args;
    size_t arg_count;
    int64_t value;
};

#if LPM_NEEDS >= 1
struct lpm_test_listener_t {
    lpm_test_listener_t *next;
    char *event;
    lpm_event_fn fn;
    void *arg;
    int once, gone;
    unsigned number; /* one that was added during an event has a number that is too high for it */
};

/* What the module emitted. Its fields may be read. */
struct lpm_test_emit {
    lpm_test_emit *next;
    char *event, *data; /* NUL-terminated behind its end */
    size_t len;
    lpm_response_fn on_reply; /* NULL: no reply is wanted, or it was given */
    void *arg;
    uint64_t created_at;
};
#endif

/* The fake worker process, with one module. Its fields may be read. */
struct lpm_test {
    lpm_handle worker; /* what the module gets as its lpm_worker: keep it first */
    lpm_host host;
    const lpm_module *module;
    lpm_test_request_t *requests;
    lpm_test_conf_t root;
    void *context;
    struct event_base *event_base; /* for lpm_worker_event_base(): set it if the module needs one */
    unsigned request_count;
    int ready;          /* takes requests: lpm_worker_ready() was the last word */
    int soft_killed;    /* lpm_test_soft_kill() was called */
    int soft_kill_done; /* the module said so, or has no such hook */
    char *log;          /* lines "[level] text\n" */
    size_t log_len;
    char conf_error[1024]; /* the last lpm_conf_error(); "" if none */
#if LPM_NEEDS >= 1
    lpm_test_listener_t *listeners;
    unsigned listener_count; /* that were ever added */
    unsigned calling;        /* events that are being told of now */
    lpm_test_emit *emits;    /* see lpm_test_emitted() */
    int hard_killed;         /* lpm_test_hard_kill() was called */
    int *sockets;            /* that the module took and has not closed */
    size_t socket_count;
#endif
};

/* -- Small things --------------------------------------------------------------------------------------- */

static inline void *lpm_test_alloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    if (p == NULL) {
        fputs("lpm/test.h: no memory\n", stderr);
        abort();
    }
    return p;
}

/* A NUL-terminated copy. */
static inline char *lpm_test_copy(const void *data, size_t len)
{
    char *copy = (char *)lpm_test_alloc(NULL, len + 1);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    copy[len] = '\0';
    return copy;
}

static inline lpm_slice lpm_test_slice(const char *data, size_t len)
{
    lpm_slice s;
    s.data = data ? data : "";
    s.len = len;
    return s;
}

static inline uint64_t lpm_test_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void lpm_test_headers_add(lpm_test_headers *headers, lpm_slice name, lpm_slice value)
{
    lpm_header *h;
    size_t size = (headers->count + 1) * sizeof(lpm_header);

    headers->list = (lpm_header *)lpm_test_alloc(headers->list, size);
    h = &headers->list[headers->count++];
    h->name = lpm_test_slice(lpm_test_copy(name.data, name.len), name.len);
    h->value = lpm_test_slice(lpm_test_copy(value.data, value.len), value.len);
    headers->bytes += name.len + value.len;
}

static inline void lpm_test_headers_free(lpm_test_headers *headers)
{
    size_t i;
    for (i = 0; i < headers->count; i++) {
        free((void *)(uintptr_t)headers->list[i].name.data);
        free((void *)(uintptr_t)headers->list[i].value.data);
    }
    free(headers->list);
    memset(headers, 0, sizeof(*headers));
}

static inline int lpm_test_headers_has(const lpm_test_headers *headers, const char *name)
{
    size_t i = 0;
    while (i < headers->count && !lpm_slice_is(headers->list[i].name, name)) {
        i++;
    }
    return i < headers->count;
}

static inline lpm_slice lpm_test_headers_find(const lpm_test_headers *headers, const char *name, int last)
{
    lpm_slice found = lpm_test_slice("", 0);
    size_t i;

    for (i = 0; i < headers->count; i++) {
        if (lpm_slice_is(headers->list[i].name, name)) {
            found = headers->list[i].value;
            if (!last) {
                break;
            }
        }
    }
    return found;
}

/* A token in lower case, or ':' and a token; a value without CR, LF and NUL; a status from 100 to 599. */
static inline int lpm_test_header_valid(lpm_slice name, lpm_slice value)
{
    size_t i;

    if (name.data == NULL || name.len == 0 || value.data == NULL || (name.len == 1 && name.data[0] == ':')) {
        return 0;
    }
    for (i = name.data[0] == ':'; i < name.len; i++) {
        if (name.data[i] == '\0' ||
            strchr("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~", name.data[i]) == NULL) {
            return 0;
        }
    }
    for (i = 0; i < value.len; i++) {
        if (value.data[i] == '\r' || value.data[i] == '\n' || value.data[i] == '\0') {
            return 0;
        }
    }
    if (lpm_slice_is(name, ":status")) {
        return value.len == 3 && value.data[0] >= '2' && value.data[0] <= '5' && value.data[1] >= '0' &&
               value.data[1] <= '9' && value.data[2] >= '0' && value.data[2] <= '9';
    }
    return 1;
}

static inline lpm_test *lpm_test_of(const void *handle)
{
    return (lpm_test *)(uintptr_t)((const lpm_handle *)handle)->owner;
}

static inline lpm_test_request_t *lpm_test_request_of(const lpm_request *req)
{
    return (lpm_test_request_t *)(uintptr_t)req;
}

static inline const lpm_test_conf_t *lpm_test_conf_of(const lpm_conf *node)
{
    return (const lpm_test_conf_t *)(const void *)node;
}

/* -- The host's side ------------------------------------------------------------------------------------ */

static inline void lpm_test_host_log(const void *handle, int level, const char *fmt, va_list args)
    LPM_PRINTF(3, 0);
static inline void lpm_test_host_log(const void *handle, int level, const char *fmt, va_list args)
{
    static const char *const names[] = {"debug", "info", "notice", "warn", "error", "crit", "alert"};
    lpm_test *t = lpm_test_of(handle);
    char text[2048];
    size_t room;

    vsnprintf(text, sizeof(text), fmt, args);
    room = strlen(text) + 16;
    t->log = (char *)lpm_test_alloc(t->log, t->log_len + room);
    t->log_len += (size_t)snprintf(t->log + t->log_len, room, "[%s] %s\n",
                                   level >= 0 && level <= LPM_LOG_ALERT ? names[level] : "?", text);
}

static inline const lpm_conf *lpm_test_conf_search(const lpm_test_conf_t *from, const char *name)
{
    while (from != NULL && strcmp(from->name, name) != 0) {
        from = from->next;
    }
    return (const lpm_conf *)(const void *)from;
}

static inline const lpm_conf *lpm_test_host_conf_child(const lpm_conf *block, const char *name)
{
    return lpm_test_conf_search(lpm_test_conf_of(block)->first, name);
}

static inline const lpm_conf *lpm_test_host_conf_next(const lpm_conf *node)
{
    return lpm_test_conf_search(lpm_test_conf_of(node)->next, lpm_test_conf_of(node)->name);
}

static inline size_t lpm_test_host_conf_arg_count(const lpm_conf *node)
{
    return lpm_test_conf_of(node)->arg_count;
}

static inline lpm_slice lpm_test_host_conf_arg(const lpm_conf *node, size_t i)
{
    const lpm_test_conf_t *n = lpm_test_conf_of(node);
    return i < n->arg_count ? n->args[i] : lpm_test_slice("", 0);
}

static inline int64_t lpm_test_host_conf_value(const lpm_conf *node)
{
    return lpm_test_conf_of(node)->value;
}

static inline int lpm_test_host_conf_error(const lpm_conf *node, const char *fmt, va_list args)
    LPM_PRINTF(2, 0);
static inline int lpm_test_host_conf_error(const lpm_conf *node, const char *fmt, va_list args)
{
    lpm_test *t = lpm_test_of(node);
    vsnprintf(t->conf_error, sizeof(t->conf_error), fmt, args);
    return LPM_ECONF;
}

static inline const char *lpm_test_host_request_id(const lpm_request *req)
{
    const char *id = lpm_test_request_of(req)->id;
    return id ? id : "";
}

static inline const char *lpm_test_host_request_handler(const lpm_request *req)
{
    return lpm_test_of(req)->module->name;
}

static inline uint64_t lpm_test_host_request_created_at(const lpm_request *req)
{
    return lpm_test_request_of(req)->created_at;
}

static inline uint64_t lpm_test_host_request_deadline(const lpm_request *req)
{
    return lpm_test_request_of(req)->deadline;
}

static inline int lpm_test_host_request_cancelled(const lpm_request *req)
{
    const lpm_test_request_t *r = lpm_test_request_of(req);
    return r->answered || r->cancelled || (r->deadline != 0 && lpm_test_now() >= r->deadline);
}

static inline lpm_slice lpm_test_host_request_data(const lpm_request *req)
{
    return lpm_test_slice(lpm_test_request_of(req)->data, lpm_test_request_of(req)->len);
}

static inline int lpm_test_host_request_header_at(const lpm_request *req, size_t i, lpm_header *header)
{
    const lpm_test_headers *headers = &lpm_test_request_of(req)->headers;
    if (i >= headers->count) {
        return 0;
    }
    *header = headers->list[i];
    return 1;
}

static inline lpm_slice lpm_test_host_request_header(const lpm_request *req, const char *name)
{
    return lpm_test_headers_find(&lpm_test_request_of(req)->headers, name, 0);
}

static inline lpm_worker *lpm_test_host_request_worker(const lpm_request *req)
{
    return (lpm_worker *)(void *)&lpm_test_of(req)->worker;
}

static inline void lpm_test_host_request_set_context(lpm_request *req, void *context)
{
    lpm_test_request_of(req)->context = context;
}

static inline void *lpm_test_host_request_context(const lpm_request *req)
{
    return lpm_test_request_of(req)->context;
}

static inline int lpm_test_host_respond_header(lpm_request *req, lpm_slice name, lpm_slice value)
{
    lpm_test_request_t *r = lpm_test_request_of(req);
    if (r->answered) {
        return LPM_EDONE;
    }
    if (!lpm_test_header_valid(name, value)) {
        return LPM_EINVAL;
    }
    if (r->response_headers.bytes + name.len + value.len > LPM_TEST_HEADERS_MAX) {
        return LPM_ETOOBIG;
    }
    if (lpm_slice_is(name, "content-type") && lpm_test_headers_has(&r->response_headers, "content-type")) {
        return LPM_OK; /* the first one counts */
    }
    lpm_test_headers_add(&r->response_headers, name, value);
    return LPM_OK;
}

#if LPM_NEEDS >= 1
static inline void lpm_test_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}
#endif

/* The request is over: what it owned is given back, so that its use shows. */
static inline void lpm_test_release(lpm_test_request_t *r)
{
#if LPM_NEEDS >= 1
    lpm_test_close(&r->stream);
    lpm_test_close(&r->socket);
    r->on_cancel = NULL;
#endif
    free(r->id);
    free(r->data);
    lpm_test_headers_free(&r->headers);
    r->id = r->data = NULL;
    r->len = 0;
    r->context = NULL;
}

static inline int lpm_test_host_respond(lpm_request *req, const void *data, size_t len)
{
    lpm_test_request_t *r = lpm_test_request_of(req);

    if (r->answered) {
        return LPM_EDONE;
    }
    if (data == NULL && len > 0) {
        return LPM_EINVAL;
    }
    if (len > LPM_TEST_DATA_MAX) {
        return LPM_ETOOBIG;
    }
    r->outcome = lpm_test_host_request_cancelled(req) ? LPM_ECANCELED : LPM_OK;
    r->answered = 1;
    if (r->outcome == LPM_OK) {
        r->response = lpm_test_copy(data, len);
        r->response_len = len;
    }
    lpm_test_release(r);
    return r->outcome;
}

static inline int lpm_test_host_ack(lpm_request *req)
{
    int rc = lpm_test_host_respond(req, NULL, 0);
    if (rc == LPM_OK) {
        lpm_test_request_of(req)->acked = 1;
    }
    return rc;
}

#if LPM_NEEDS >= 1

/* As lpm's own: the reader's end has sent a byte, which a clean end takes. */
static inline int lpm_test_host_stream_pair(const void *handle, int fds[2])
{
    int i;

    (void)handle;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) {
        return LPM_EIO;
    }
    for (i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    return send(fds[0], "", 1, MSG_NOSIGNAL) == 1 ? LPM_OK : LPM_EIO;
}

static inline int lpm_test_host_stream_end(const void *handle, int fd)
{
    char guard;
    ssize_t held = recv(fd, &guard, 1, MSG_DONTWAIT);
    int ended = held == 1 && recv(fd, &guard, 1, MSG_DONTWAIT) < 0 && shutdown(fd, SHUT_WR) == 0;

    (void)handle;
    close(fd);
    return ended ? LPM_OK : LPM_EIO;
}

static inline int lpm_test_host_request_has_stream(const lpm_request *req)
{
    return lpm_test_request_of(req)->had_stream;
}

static inline int lpm_test_host_request_has_socket(const lpm_request *req)
{
    return lpm_test_request_of(req)->had_socket;
}

static inline int lpm_test_take(int had, int *fd)
{
    int taken = *fd;
    *fd = -1;
    return !had ? LPM_EINVAL : taken < 0 ? LPM_EDONE : taken;
}

static inline int lpm_test_host_request_stream(lpm_request *req)
{
    lpm_test_request_t *r = lpm_test_request_of(req);
    return lpm_test_take(r->had_stream, &r->stream);
}

static inline int lpm_test_host_request_socket(lpm_request *req)
{
    lpm_test_request_t *r = lpm_test_request_of(req);
    lpm_test *t = lpm_test_of(req);
    int fd = lpm_test_take(r->had_socket, &r->socket);

    if (fd >= 0) {
        t->sockets = (int *)lpm_test_alloc(t->sockets, (t->socket_count + 1) * sizeof(int));
        t->sockets[t->socket_count++] = fd;
    }
    return fd;
}

static inline int lpm_test_host_socket_close(lpm_worker *w, int fd)
{
    lpm_test *t = lpm_test_of(w);
    size_t i;

    for (i = 0; i < t->socket_count; i++) {
        if (t->sockets[i] == fd) {
            t->sockets[i] = t->sockets[--t->socket_count];
            close(fd);
            return LPM_OK;
        }
    }
    return LPM_EINVAL;
}

static inline void lpm_test_tell_cancelled(lpm_test_request_t *r)
{
    lpm_cancel_fn fn = r->on_cancel;

    r->on_cancel = NULL;
    if (fn != NULL) {
        fn((lpm_request *)(void *)r, r->on_cancel_arg);
    }
}

static inline int lpm_test_host_request_on_cancel(lpm_request *req, lpm_cancel_fn fn, void *arg)
{
    lpm_test_request_t *r = lpm_test_request_of(req);

    if (r->answered) {
        return LPM_EDONE;
    }
    r->on_cancel = fn;
    r->on_cancel_arg = arg;
    if (lpm_test_host_request_cancelled(req)) {
        lpm_test_tell_cancelled(r);
    }
    return LPM_OK;
}

static inline int lpm_test_host_respond_stream(lpm_request *req, const void *data, size_t len, int fd)
{
    lpm_test_request_t *r = lpm_test_request_of(req);
    struct stat st;
    int rc;

    if (!r->answered &&
        (fd <= 2 || fstat(fd, &st) != 0 || (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode)))) {
        return LPM_EINVAL;
    }
    rc = lpm_test_host_respond(req, data, len);
    if (rc == LPM_OK) {
        r->response_stream = fd;
    } else if (rc == LPM_ECANCELED) {
        close(fd);
    }
    return rc;
}

static inline void lpm_test_host_fill_streams(lpm_host *h)
{
    h->stream_pair = lpm_test_host_stream_pair;
    h->stream_end = lpm_test_host_stream_end;
    h->request_has_stream = lpm_test_host_request_has_stream;
    h->request_has_socket = lpm_test_host_request_has_socket;
    h->request_stream = lpm_test_host_request_stream;
    h->request_socket = lpm_test_host_request_socket;
    h->socket_close = lpm_test_host_socket_close;
    h->request_on_cancel = lpm_test_host_request_on_cancel;
    h->respond_stream = lpm_test_host_respond_stream;
}

#endif /* LPM_NEEDS >= 1 */

static inline int lpm_test_host_worker_ready(lpm_worker *w)
{
    lpm_test_of(w)->ready = 1;
    return LPM_OK;
}

static inline int lpm_test_host_worker_busy(lpm_worker *w)
{
    lpm_test_of(w)->ready = 0;
    return LPM_OK;
}

static inline size_t lpm_test_host_worker_requests(const lpm_worker *w, lpm_request **list, size_t max)
{
    lpm_test_request_t *r;
    size_t count = 0;

    for (r = lpm_test_of(w)->requests; r != NULL; r = r->next) {
        if (r->started && !r->answered) {
            if (count < max) {
                list[count] = (lpm_request *)(void *)r;
            }
            count++;
        }
    }
    return count;
}

static inline int lpm_test_host_worker_soft_kill_done(lpm_worker *w)
{
    lpm_test *t = lpm_test_of(w);
    if (!t->soft_killed) {
        return LPM_EROLE;
    }
    if (t->soft_kill_done) {
        return LPM_EDONE;
    }
    t->soft_kill_done = 1;
    return LPM_OK;
}

static inline const char *lpm_test_host_worker_name(const lpm_worker *w)
{
    (void)w;
    return "test/0";
}

static inline const lpm_conf *lpm_test_host_worker_conf(const lpm_worker *w)
{
    return (const lpm_conf *)(const void *)&lpm_test_of(w)->root;
}

static inline void lpm_test_host_worker_set_context(lpm_worker *w, void *context)
{
    lpm_test_of(w)->context = context;
}

static inline void *lpm_test_host_worker_context(const lpm_worker *w)
{
    return lpm_test_of(w)->context;
}

static inline struct event_base *lpm_test_host_worker_event_base(const lpm_worker *w)
{
    return lpm_test_of(w)->event_base;
}

#if LPM_NEEDS >= 1

/* Behind an lpm_event and an lpm_response here, during their callback. */
typedef struct lpm_test_event_t {
    lpm_handle handle;
    const char *name;
    lpm_slice data;
    lpm_request *req;
    int *fd; /* NULL: none came */
} lpm_test_event_t;

typedef struct lpm_test_reply_t {
    lpm_handle handle;
    int error;
    lpm_slice data;
    uint64_t created_at;
} lpm_test_reply_t;

static inline const lpm_test_event_t *lpm_test_event_of(const lpm_event *ev)
{
    return (const lpm_test_event_t *)(const void *)ev;
}

static inline const lpm_test_reply_t *lpm_test_reply_of(const lpm_response *res)
{
    return (const lpm_test_reply_t *)(const void *)res;
}

static inline int lpm_test_event_name_valid(const char *event)
{
    size_t len = event ? strlen(event) : 0;
    return len >= 1 && len <= 64;
}

static inline int lpm_test_host_on(const void *handle, const char *event, lpm_event_fn fn, void *arg,
                                   int once)
{
    lpm_test *t = lpm_test_of(handle);
    lpm_test_listener_t **end = &t->listeners;
    lpm_test_listener_t *l;

    if (!lpm_test_event_name_valid(event) || fn == NULL) {
        return LPM_EINVAL;
    }
    l = (lpm_test_listener_t *)lpm_test_alloc(NULL, sizeof(*l));
    memset(l, 0, sizeof(*l));
    l->event = lpm_test_copy(event, strlen(event));
    l->fn = fn;
    l->arg = arg;
    l->once = once;
    l->number = ++t->listener_count;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = l;
    return LPM_OK;
}

static inline void lpm_test_sweep(lpm_test *t, int all)
{
    lpm_test_listener_t **at = &t->listeners;

    while (*at != NULL) {
        lpm_test_listener_t *l = *at;
        if (all || l->gone) {
            *at = l->next;
            free(l->event);
            free(l);
        } else {
            at = &l->next;
        }
    }
}

static inline int lpm_test_host_off(const void *handle, const char *event, lpm_event_fn fn, void *arg)
{
    lpm_test *t = lpm_test_of(handle);
    lpm_test_listener_t *l;

    for (l = t->listeners; event != NULL && l != NULL; l = l->next) {
        if (!l->gone && l->fn == fn && l->arg == arg && strcmp(l->event, event) == 0) {
            l->gone = 1;
            if (t->calling == 0) {
                lpm_test_sweep(t, 0);
            }
            return LPM_OK;
        }
    }
    return LPM_EINVAL;
}

/* Calls the listeners as lpm does; returns how many. */
static inline int lpm_test_tell(lpm_test *t, lpm_test_event_t *ev)
{
    unsigned last = t->listener_count;
    lpm_test_listener_t *l;
    int count = 0;

    ev->handle = t->worker;
    t->calling++;
    for (l = t->listeners; l != NULL && l->number <= last; l = l->next) {
        if (!l->gone && strcmp(l->event, ev->name) == 0) {
            l->gone = l->once;
            l->fn((lpm_event *)(void *)ev, l->arg);
            count++;
        }
    }
    if (--t->calling == 0) {
        lpm_test_sweep(t, 0);
    }
    return count;
}

/* The same for one of lpm's own. */
static inline int lpm_test_tell_own(lpm_test *t, const char *name, lpm_request *req)
{
    lpm_test_event_t ev;

    memset(&ev, 0, sizeof(ev));
    ev.name = name;
    ev.data = lpm_test_slice("", 0);
    ev.req = req;
    return lpm_test_tell(t, &ev);
}

static inline const char *lpm_test_host_event_name(const lpm_event *ev)
{
    return lpm_test_event_of(ev)->name;
}

static inline lpm_slice lpm_test_host_event_data(const lpm_event *ev)
{
    return lpm_test_event_of(ev)->data;
}

static inline lpm_request *lpm_test_host_event_request(const lpm_event *ev)
{
    return lpm_test_event_of(ev)->req;
}

static inline int lpm_test_host_event_fd(lpm_event *ev)
{
    int *fd = lpm_test_event_of(ev)->fd;
    int taken;

    if (fd == NULL) {
        return LPM_EINVAL;
    }
    if (*fd < 0) {
        return LPM_EDONE;
    }
    taken = *fd;
    *fd = -1;
    return taken;
}

static inline int lpm_test_host_event_worker(const lpm_event *ev, lpm_health *worker, size_t size)
{
    (void)ev;
    (void)worker;
    (void)size;
    return LPM_EINVAL;
}

static inline int lpm_test_host_worker_emit(lpm_worker *w, const char *event, const void *data, size_t len,
                                            lpm_response_fn on_reply, void *arg)
{
    static const char *const own[] = {"SIGINT", "online", "childSpawned", "childExited"};
    lpm_test *t = lpm_test_of(w);
    lpm_test_emit **end = &t->emits;
    lpm_test_emit *emit;
    size_t i;

    if (!lpm_test_event_name_valid(event) || (data == NULL && len > 0)) {
        return LPM_EINVAL;
    }
    for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(event, own[i]) == 0) {
            return LPM_EINVAL;
        }
    }
    if (len > LPM_TEST_DATA_MAX) {
        return LPM_ETOOBIG;
    }
    if (t->hard_killed) {
        return LPM_ESHUTDOWN;
    }
    emit = (lpm_test_emit *)lpm_test_alloc(NULL, sizeof(*emit));
    memset(emit, 0, sizeof(*emit));
    emit->event = lpm_test_copy(event, strlen(event));
    emit->data = lpm_test_copy(data, len);
    emit->len = len;
    emit->on_reply = on_reply;
    emit->arg = arg;
    emit->created_at = lpm_test_now();
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = emit;
    return LPM_OK;
}

/* This worker has one module: there is nobody else to call. */
static inline const lpm_handler *lpm_test_host_worker_handler(lpm_worker *w, const char *name)
{
    (void)w;
    (void)name;
    return NULL;
}

static inline int lpm_test_host_worker_handler_minor(const lpm_worker *w, const lpm_handler *handler)
{
    (void)w;
    (void)handler;
    return LPM_EINVAL;
}

static inline int lpm_test_host_worker_call(lpm_worker *w, const lpm_enqueue *spec,
                                            lpm_response_fn on_response, void *arg)
{
    (void)w;
    (void)on_response;
    (void)arg;
    return spec && !spec->handler ? LPM_ENOHANDLER : LPM_EINVAL;
}

static inline int lpm_test_host_worker_cancel(lpm_worker *w, uint64_t ticket)
{
    (void)w;
    (void)ticket;
    return LPM_EDONE;
}

static inline int lpm_test_host_worker_fd(const lpm_worker *w, const lpm_conf *node)
{
    (void)w;
    (void)node;
    return LPM_EINVAL;
}

static inline int lpm_test_host_response_error(const lpm_response *res)
{
    return lpm_test_reply_of(res)->error;
}

static inline const char *lpm_test_host_response_error_text(const lpm_response *res)
{
    return lpm_test_reply_of(res)->error ? "no answer" : "";
}

static inline const char *lpm_test_host_response_id(const lpm_response *res)
{
    (void)res;
    return "";
}

static inline uint64_t lpm_test_host_response_created_at(const lpm_response *res)
{
    return lpm_test_reply_of(res)->created_at;
}

static inline uint64_t lpm_test_host_response_created_at_wall(const lpm_response *res)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec - lpm_test_now() +
           lpm_test_reply_of(res)->created_at;
}

static inline lpm_slice lpm_test_host_response_data(const lpm_response *res)
{
    return lpm_test_reply_of(res)->data;
}

static inline int lpm_test_host_response_header_at(const lpm_response *res, size_t i, lpm_header *header)
{
    (void)res;
    (void)i;
    (void)header;
    return 0;
}

static inline lpm_slice lpm_test_host_response_header(const lpm_response *res, const char *name)
{
    (void)res;
    (void)name;
    return lpm_test_slice("", 0);
}

static inline const char *lpm_test_host_response_worker(const lpm_response *res)
{
    (void)res;
    return "test/0";
}

static inline uint64_t lpm_test_host_response_time(const lpm_response *res)
{
    (void)res;
    return 0;
}

static inline int lpm_test_host_response_has_stream(const lpm_response *res)
{
    (void)res;
    return 0;
}

static inline int lpm_test_host_response_stream(lpm_response *res)
{
    (void)res;
    return LPM_EINVAL;
}

static inline void lpm_test_host_fill_events(lpm_host *h)
{
    h->on = lpm_test_host_on;
    h->off = lpm_test_host_off;
    h->event_name = lpm_test_host_event_name;
    h->event_data = lpm_test_host_event_data;
    h->event_request = lpm_test_host_event_request;
    h->event_fd = lpm_test_host_event_fd;
    h->event_worker = lpm_test_host_event_worker;
    h->worker_emit = lpm_test_host_worker_emit;
    h->worker_handler = lpm_test_host_worker_handler;
    h->worker_handler_minor = lpm_test_host_worker_handler_minor;
    h->worker_call = lpm_test_host_worker_call;
    h->worker_cancel = lpm_test_host_worker_cancel;
    h->worker_fd = lpm_test_host_worker_fd;
    h->response_error = lpm_test_host_response_error;
    h->response_error_text = lpm_test_host_response_error_text;
    h->response_id = lpm_test_host_response_id;
    h->response_created_at = lpm_test_host_response_created_at;
    h->response_created_at_wall = lpm_test_host_response_created_at_wall;
    h->response_data = lpm_test_host_response_data;
    h->response_header_at = lpm_test_host_response_header_at;
    h->response_header = lpm_test_host_response_header;
    h->response_worker = lpm_test_host_response_worker;
    h->response_queue_time = lpm_test_host_response_time;
    h->response_service_time = lpm_test_host_response_time;
    h->response_has_stream = lpm_test_host_response_has_stream;
    h->response_stream = lpm_test_host_response_stream;
}

#endif /* LPM_NEEDS >= 1 */

static inline void lpm_test_host_fill(lpm_host *h)
{
    h->size = (uint32_t)sizeof(*h);
    h->minor = LPM_ABI_MINOR;
    h->log = lpm_test_host_log;
    h->conf_child = lpm_test_host_conf_child;
    h->conf_next = lpm_test_host_conf_next;
    h->conf_arg_count = lpm_test_host_conf_arg_count;
    h->conf_arg = lpm_test_host_conf_arg;
    h->conf_value = lpm_test_host_conf_value;
    h->conf_error = lpm_test_host_conf_error;
    h->request_id = lpm_test_host_request_id;
    h->request_handler = lpm_test_host_request_handler;
    h->request_created_at = lpm_test_host_request_created_at;
    h->request_deadline = lpm_test_host_request_deadline;
    h->request_cancelled = lpm_test_host_request_cancelled;
    h->request_data = lpm_test_host_request_data;
    h->request_header_at = lpm_test_host_request_header_at;
    h->request_header = lpm_test_host_request_header;
    h->request_worker = lpm_test_host_request_worker;
    h->request_set_context = lpm_test_host_request_set_context;
    h->request_context = lpm_test_host_request_context;
    h->respond_header = lpm_test_host_respond_header;
    h->respond = lpm_test_host_respond;
    h->ack = lpm_test_host_ack;
    h->worker_ready = lpm_test_host_worker_ready;
    h->worker_busy = lpm_test_host_worker_busy;
    h->worker_requests = lpm_test_host_worker_requests;
    h->worker_soft_kill_done = lpm_test_host_worker_soft_kill_done;
    h->worker_name = lpm_test_host_worker_name;
    h->worker_conf = lpm_test_host_worker_conf;
    h->worker_set_context = lpm_test_host_worker_set_context;
    h->worker_context = lpm_test_host_worker_context;
    h->worker_event_base = lpm_test_host_worker_event_base;
#if LPM_NEEDS >= 1
    lpm_test_host_fill_events(h);
    lpm_test_host_fill_streams(h);
#endif
}

/* -- The fake worker ------------------------------------------------------------------------------------ */

/* A worker for `module`, with an empty configuration. Ends with lpm_test_fini(). */
static inline void lpm_test_init(lpm_test *t, const lpm_module *module)
{
    memset(t, 0, sizeof(*t));
    lpm_test_host_fill(&t->host);
    t->module = module;
    t->worker.host = &t->host;
    t->worker.owner = t;
    t->root.handle = t->worker;
    t->log = lpm_test_copy("", 0);
}

/* Frees what `node` holds, its followers and their blocks; not `node` itself. */
static inline void lpm_test_conf_free(lpm_test_conf_t *node)
{
    size_t i;

    while (node->first != NULL) {
        lpm_test_conf_t *child = node->first;
        node->first = child->next;
        lpm_test_conf_free(child);
        free(child);
    }
    for (i = 0; i < node->arg_count; i++) {
        free((void *)(uintptr_t)node->args[i].data);
    }
    free(node->args);
    free(node->name);
}

static inline void lpm_test_fini(lpm_test *t)
{
    while (t->requests != NULL) {
        lpm_test_request_t *r = t->requests;
        t->requests = r->next;
        lpm_test_release(r);
        lpm_test_headers_free(&r->response_headers);
        free(r->response);
#if LPM_NEEDS >= 1
        lpm_test_close(&r->response_stream);
#endif
        free(r);
    }
#if LPM_NEEDS >= 1
    lpm_test_sweep(t, 1);
    while (t->emits != NULL) {
        lpm_test_emit *emit = t->emits;
        t->emits = emit->next;
        free(emit->event);
        free(emit->data);
        free(emit);
    }
    while (t->socket_count > 0) {
        close(t->sockets[--t->socket_count]);
    }
    free(t->sockets);
#endif
    lpm_test_conf_free(&t->root);
    free(t->log);
    memset(t, 0, sizeof(*t));
}

/* The handle that the module gets. */
static inline lpm_worker *lpm_test_worker(lpm_test *t)
{
    return (lpm_worker *)(void *)&t->worker;
}

/* What a new worker does: runs worker_init and returns what it returned; without that hook the worker is ready.
 * See t->ready. */
static inline int lpm_test_start(lpm_test *t)
{
    if (t->module->worker_init == NULL) {
        t->ready = 1;
        return LPM_OK;
    }
    return t->module->worker_init(lpm_test_worker(t));
}

#if LPM_NEEDS >= 1
/* Is there a listener to `event`? */
static inline int lpm_test_listens(const lpm_test *t, const char *event)
{
    const lpm_test_listener_t *l;

    for (l = t->listeners; l != NULL; l = l->next) {
        if (!l->gone && strcmp(l->event, event) == 0) {
            return 1;
        }
    }
    return 0;
}

/* As if the supervisor had broadcast `event` with a copy of the data and, above 0, with the descriptor `fd`, which is
 * closed if no listener takes it. Returns how many listeners were called. */
static inline int lpm_test_event(lpm_test *t, const char *event, const void *data, size_t len, int fd)
{
    lpm_test_event_t ev;
    char *copy = lpm_test_copy(data, len);
    int count;

    memset(&ev, 0, sizeof(ev));
    ev.name = event;
    ev.data = lpm_test_slice(copy, len);
    ev.fd = fd > 0 ? &fd : NULL;
    count = lpm_test_tell(t, &ev);
    free(copy);
    if (fd > 0) {
        close(fd);
    }
    return count;
}

/* What the module has emitted, counted from 0, or NULL: there were not so many. */
static inline lpm_test_emit *lpm_test_emitted(const lpm_test *t, size_t i)
{
    lpm_test_emit *emit = t->emits;

    while (emit != NULL && i-- > 0) {
        emit = emit->next;
    }
    return emit;
}

/* Gives emit `i` its reply: with `error` 0 the data, else none. Returns 1, or 0: there is none that waits for it. */
static inline int lpm_test_reply(lpm_test *t, size_t i, int error, const void *data, size_t len)
{
    lpm_test_emit *emit = lpm_test_emitted(t, i);
    lpm_response_fn on_reply = emit ? emit->on_reply : NULL;
    lpm_test_reply_t reply;
    char *copy;

    if (on_reply == NULL) {
        return 0;
    }
    copy = lpm_test_copy(data, error ? 0 : len);
    memset(&reply, 0, sizeof(reply));
    reply.handle = t->worker;
    reply.error = error;
    reply.data = lpm_test_slice(copy, error ? 0 : len);
    reply.created_at = emit->created_at;
    emit->on_reply = NULL;
    on_reply((lpm_response *)(void *)&reply, emit->arg);
    free(copy);
    return 1;
}
#endif

/* Soft kill: runs the hook and the listeners, if there are any. See t->soft_kill_done. */
static inline void lpm_test_soft_kill(lpm_test *t)
{
    int told = 0;

    t->soft_killed = 1;
    if (t->module->soft_kill != NULL) {
        t->module->soft_kill(lpm_test_worker(t));
        told = 1;
    }
#if LPM_NEEDS >= 1
    told += lpm_test_tell_own(t, "softKill", NULL);
#endif
    if (told == 0) {
        t->soft_kill_done = 1;
    }
}

/* Hard kill: runs the hook and the listeners, if there are any; then every emit that waits for its reply gets
 * LPM_ESHUTDOWN. */
static inline void lpm_test_hard_kill(lpm_test *t)
{
#if LPM_NEEDS >= 1
    size_t i;

    t->hard_killed = 1;
#endif
    if (t->module->hard_kill != NULL) {
        t->module->hard_kill(lpm_test_worker(t));
    }
#if LPM_NEEDS >= 1
    lpm_test_tell_own(t, "hardKill", NULL);
    for (i = 0; lpm_test_emitted(t, i) != NULL; i++) {
        lpm_test_reply(t, i, LPM_ESHUTDOWN, NULL, 0);
    }
#endif
}

#if LPM_NEEDS >= 2
/* The worker has most of the memory that it may have: runs the hook, if there is one. */
static inline void lpm_test_trim(lpm_test *t)
{
    if (t->module->trim != NULL) {
        t->module->trim(lpm_test_worker(t));
    }
}
#endif

/* 1 if a line of the log holds `part`. */
static inline int lpm_test_log_has(const lpm_test *t, const char *part)
{
    return strstr(t->log, part) != NULL;
}

/* -- Requests ------------------------------------------------------------------------------------------- */

/* A request with `len` bytes of data, copied, without headers or deadline. */
static inline lpm_request *lpm_test_request(lpm_test *t, const void *data, size_t len)
{
    lpm_test_request_t *r = (lpm_test_request_t *)lpm_test_alloc(NULL, sizeof(*r));
    lpm_test_request_t **end = &t->requests;

    memset(r, 0, sizeof(*r));
    r->handle = t->worker;
    r->id = (char *)lpm_test_alloc(NULL, 37);
    snprintf(r->id, 37, "00000000-0000-4000-8000-%012u", ++t->request_count);
    r->data = lpm_test_copy(data, len);
    r->len = len;
    r->created_at = lpm_test_now();
#if LPM_NEEDS >= 1
    r->stream = r->socket = r->response_stream = -1;
#endif
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = r;
    return (lpm_request *)(void *)r;
}

/* Adds a header to the request; both are copied. `name` in lower case; ":method", ":path" are those of HTTP. */
static inline void lpm_test_request_header(lpm_request *req, const char *name, const char *value)
{
    lpm_test_headers_add(&lpm_test_request_of(req)->headers, lpm_slice_of(name), lpm_slice_of(value));
}

/* Its enqueuer waits `ms` milliseconds from now; 0: it has just stopped waiting. */
static inline void lpm_test_request_timeout(lpm_request *req, int64_t ms)
{
    lpm_test_request_of(req)->deadline = lpm_test_now() + (uint64_t)ms * 1000000u;
}

/* Nobody waits for the answer any more. */
static inline void lpm_test_request_cancel(lpm_request *req)
{
    lpm_test_request_of(req)->cancelled = 1;
#if LPM_NEEDS >= 1
    lpm_test_tell_cancelled(lpm_test_request_of(req));
#endif
}

#if LPM_NEEDS >= 1
/* A stream, or a socket, comes with it: the request's from now on, and then the module's. For a stream that the test writes,
 * lpm_stream_pair(lpm_test_worker(&t), fds) gives both ends. */
static inline void lpm_test_request_stream(lpm_request *req, int fd)
{
    lpm_test_request_of(req)->stream = fd;
    lpm_test_request_of(req)->had_stream = 1;
}
static inline void lpm_test_request_socket(lpm_request *req, int fd)
{
    lpm_test_request_of(req)->socket = fd;
    lpm_test_request_of(req)->had_socket = 1;
}
#endif

/* Calls the module's request hook and, if that did not answer, its listeners to "request". The answer may be there
 * afterwards, or come later. */
static inline void lpm_test_run(lpm_test *t, lpm_request *req)
{
    lpm_test_request_of(req)->started = 1;
    t->module->request(req);
#if LPM_NEEDS >= 1
    if (!lpm_test_request_of(req)->answered) {
        lpm_test_tell_own(t, "request", req);
    }
#endif
}

/* -- Answers -------------------------------------------------------------------------------------------- */

/* 1 once the module has answered. */
static inline int lpm_test_answered(const lpm_request *req)
{
    return lpm_test_request_of(req)->answered;
}

/* What the call that answered returned: 0, or LPM_ECANCELED for an answer that was dropped. */
static inline int lpm_test_outcome(const lpm_request *req)
{
    return lpm_test_request_of(req)->outcome;
}

/* 1 if the answer was lpm_ack(). */
static inline int lpm_test_acked(const lpm_request *req)
{
    return lpm_test_request_of(req)->acked;
}

/* The answer's data, NUL-terminated behind its end; empty if there is none. */
static inline lpm_slice lpm_test_response_data(const lpm_request *req)
{
    return lpm_test_slice(lpm_test_request_of(req)->response, lpm_test_request_of(req)->response_len);
}

#if LPM_NEEDS >= 1
/* The stream that the module answered with, the test's from now on; -1: none. */
static inline int lpm_test_response_stream(const lpm_request *req)
{
    int fd = lpm_test_request_of(req)->response_stream;
    lpm_test_request_of(req)->response_stream = -1;
    return fd;
}
#endif

/* The answer's first header `name`, or an empty slice. */
static inline lpm_slice lpm_test_response_header(const lpm_request *req, const char *name)
{
    return lpm_test_headers_find(&lpm_test_request_of(req)->response_headers, name, 0);
}

/* Its header `i`, counted from 0: 1, or 0 when there is none. */
static inline int lpm_test_response_header_at(const lpm_request *req, size_t i, lpm_header *header)
{
    const lpm_test_headers *headers = &lpm_test_request_of(req)->response_headers;
    if (i >= headers->count) {
        return 0;
    }
    *header = headers->list[i];
    return 1;
}

/* The HTTP status that the answer gives: the last ":status"; 200 without one. */
static inline int lpm_test_response_status(const lpm_request *req)
{
    lpm_slice s = lpm_test_headers_find(&lpm_test_request_of(req)->response_headers, ":status", 1);
    return s.len ? atoi(s.data) : 200;
}

/* -- Configuration -------------------------------------------------------------------------------------- */

/* The number at the head of `text`, times its unit for the type; lpm's own check is stricter. */
static inline int64_t lpm_test_conf_number(const char *text, uint32_t type)
{
    char *end;
    long long n = strtoll(text, &end, 10);
    int size = type == LPM_CONF_SIZE, time = type == LPM_CONF_TIME;

    if (n < 0) {
        return LPM_NONE;
    }
    if (size) {
        return n * (*end == 'k' ? 1024LL : *end == 'm' ? 1048576LL : *end == 'g' ? 1073741824LL : 1LL);
    }
    if (time && strcmp(end, "ms") != 0) {
        return n * (*end == 'm' ? 60000LL : *end == 'h' ? 3600000LL : *end == 'd' ? 86400000LL : 1000LL);
    }
    return n;
}

/* The place of `word` in "a|b|c"; -1 if it is not there. */
static inline int64_t lpm_test_conf_place(const char *words, const char *word)
{
    int64_t place = 0;
    size_t len = strlen(word);

    while (words != NULL) {
        if (strncmp(words, word, len) == 0 && (words[len] == '|' || words[len] == '\0')) {
            return place;
        }
        words = strchr(words, '|');
        words = words ? words + 1 : NULL;
        place++;
    }
    return -1;
}

static inline int64_t lpm_test_conf_parse(const lpm_directive *row, const char *word)
{
    if ((row->flags & LPM_CONF_AUTO) && strcmp(word, "auto") == 0) {
        return LPM_DEFAULT;
    }
    switch (row->type) {
    case LPM_CONF_FLAG:
        return strcmp(word, "on") == 0;
    case LPM_CONF_NUMBER:
    case LPM_CONF_SIZE:
    case LPM_CONF_TIME:
        return lpm_test_conf_number(word, row->type);
    case LPM_CONF_ENUM:
        return lpm_test_conf_place(row->words, word);
    default:
        return 0;
    }
}

/*
 * Adds the directive `name` to `block` (NULL: the top) with the given words and returns it, for others to be put
 * into it: lpm_test_conf(&t, http, "location", "/", (char *) NULL). The words end with a (char *) NULL. The value is
 * worked out from the module's own table of directives; a directive that is not in it has the value 0.
 */
static inline lpm_conf *lpm_test_conf(lpm_test *t, lpm_conf *block, const char *name, ...)
{
    lpm_test_conf_t *node = (lpm_test_conf_t *)lpm_test_alloc(NULL, sizeof(*node));
    lpm_test_conf_t **end = block ? &((lpm_test_conf_t *)(void *)block)->first : &t->root.first;
    const lpm_directive *row;
    const char *word;
    va_list args;

    memset(node, 0, sizeof(*node));
    node->handle = t->worker;
    node->name = lpm_test_copy(name, strlen(name));
    va_start(args, name);
    while ((word = va_arg(args, const char *)) != NULL) {
        node->args = (lpm_slice *)lpm_test_alloc(node->args, (node->arg_count + 1) * sizeof(*node->args));
        node->args[node->arg_count++] = lpm_test_slice(lpm_test_copy(word, strlen(word)), strlen(word));
    }
    va_end(args);
    for (row = t->module->directives; row != NULL && row->name != NULL; row++) {
        if (node->arg_count > 0 && strcmp(row->name, name) == 0) {
            node->value = lpm_test_conf_parse(row, node->args[0].data);
        }
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = node;
    return (lpm_conf *)(void *)node;
}

/* Runs the module's conf hook and returns what it returned, 0 without one. See t->conf_error. */
static inline int lpm_test_configure(lpm_test *t)
{
    t->conf_error[0] = '\0';
    return t->module->conf ? t->module->conf((lpm_conf *)(void *)&t->root) : LPM_OK;
}

#ifdef __cplusplus
}
#endif

#endif
