/*
 * lpm/module.h: all that a module may see of lpm.
 *
 * A module is a shared object that exports one data symbol, `lpm_module_v1`, written by LPM_MODULE():
 *
 *     #include <lpm/module.h>
 *     static void hello(lpm_request *req) { lpm_respond_text(req, "hello\n"); }
 *     LPM_MODULE(.name = "hello", .version = "1.0", .request = hello);
 *
 *     cc -shared -fPIC -I/usr/local/lpm/include -o hello.so hello.c
 *
 * It links against nothing of lpm: each call below goes through the host table that every handle carries.
 *
 * Compatibility. A binary built against 1.0 loads in every later 1.x. Structures grow at their end only, and those
 * that stand in arrays (lpm_slice, lpm_header, lpm_directive) do not grow. What is newer than 1.0 can be seen only by
 * a module that defines LPM_NEEDS (the minor version) before this include, so that using a thing without declaring
 * it is a compile error and not a crash on an older lpm.
 *
 * Rules that hold for every call:
 *   - Threads: call only from the thread that lpm called you on. Never block in it for long: a worker runs one
 *     handler at a time, and the bus serves every client from one loop.
 *   - Errors: 0 or a negative LPM_E... code. A refused call changes nothing. A handle that is NULL gives LPM_EINVAL
 *     from a call that returns an error code, "no" from one that answers a question; others want one that is not.
 *   - Time: instants are nanoseconds of CLOCK_MONOTONIC; durations are milliseconds, LPM_NONE (-1) for "no
 *     limit".
 *   - Memory: what a call returns belongs to lpm and lives as long as the handle it came from, unless its
 *     comment says otherwise; what is passed in is copied before the call returns.
 *   - Handles: a request handle is yours until you respond; then it is gone, and using it again is refused
 *     (LPM_EDONE) as long as lpm can tell.
 * "seed:" names the counterpart in the npm library load-process-manager.
 */
#ifndef LPM_MODULE_H
#define LPM_MODULE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- Version ------------------------------------------------------------------------------------------ */

#define LPM_ABI_MAJOR 1
#define LPM_ABI_MINOR 2

/* The minor version whose fields and calls the module wants to use; define it before the include. */
#ifndef LPM_NEEDS
#define LPM_NEEDS 0
#endif
#if LPM_NEEDS > LPM_ABI_MINOR
#error "LPM_NEEDS asks for a newer ABI than this lpm/module.h describes"
#endif

#define LPM_MODULE_MAGIC 0x314d504cu /* "LPM1" in memory on little-endian machines */

#define LPM_EXPORT            __attribute__((visibility("default")))
#define LPM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* -- Errors ------------------------------------------------------------------------------------------- */

enum {
    LPM_OK = 0,
    LPM_ENOMEM = -1,      /* out of memory */
    LPM_EINVAL = -2,      /* an argument is NULL, malformed or out of its range */
    LPM_EROLE = -3,       /* not to be called in this process, or not in this hook */
    LPM_EDONE = -4,       /* the request was answered already */
    LPM_ETOOBIG = -5,     /* the payload is over the limit */
    LPM_ECANCELED = -6,   /* the enqueuer is gone, or its deadline has passed: the answer was dropped */
    LPM_ETIMEDOUT = -7,   /* the deadline passed before there was an answer */
    LPM_EWORKER = -8,     /* the worker died while it ran the request, and no retry was left */
    LPM_EFULL = -9,       /* refused: too much waits */
    LPM_ESHUTDOWN = -10,  /* refused: soft kill has begun */
    LPM_ENOHANDLER = -11, /* refused: no module of that name answers requests */
    LPM_ENOWORKER = -12,  /* refused: the pool has no worker, and may not start one yet */
    LPM_ECONF = -13,      /* the configuration is wrong; the text has been given */
    LPM_EAGAIN = -14,     /* not now: try again when told so */
    LPM_EIO = -15,        /* the system refused; errno says why */
    LPM_EPROTO = -16,     /* the peer broke the protocol */
    LPM_EABI = -17        /* the module cannot be loaded by this lpm */
#if LPM_NEEDS >= 2
    ,
    LPM_ESHED = -18, /* refused to keep what was taken in time; 1.0 and 1.1: LPM_EFULL */
    LPM_EPOISON =
        -19 /* it has killed `poison_after` workers, or is like one that has; 1.0 and 1.1: LPM_EWORKER */
#endif
};

#define LPM_NONE    (-1)        /* a duration or count without a limit */
#define LPM_DEFAULT (INT64_MIN) /* take the configured default */

enum {
    LPM_LOG_DEBUG = 0,
    LPM_LOG_INFO,
    LPM_LOG_NOTICE,
    LPM_LOG_WARN,
    LPM_LOG_ERROR,
    LPM_LOG_CRIT,
    LPM_LOG_ALERT
};

/* -- Handles ------------------------------------------------------------------------------------------ */

typedef struct lpm_request lpm_request;       /* worker: one request, until it is answered */
typedef struct lpm_worker lpm_worker;         /* worker: this module in this worker process */
typedef struct lpm_supervisor lpm_supervisor; /* bus: this module in the bus process */
typedef struct lpm_response lpm_response;     /* bus: the outcome of a request, during its callback */
typedef struct lpm_handler lpm_handler;       /* bus: a module that answers requests, and its pool */
typedef struct lpm_conf lpm_conf;             /* any: one directive of the configuration, with its block */
typedef struct lpm_host lpm_host;
struct event_base; /* libevent's, for modules that do their own I/O */

/* The frozen head of every handle except lpm_handler. A module does not touch it. */
typedef struct lpm_handle {
    const lpm_host *host;
    const void *owner;
} lpm_handle;

/* Bytes that somebody else owns; `data` is not NUL-terminated unless the giver says so, never NULL. */
typedef struct lpm_slice {
    const char *data;
    size_t len;
} lpm_slice;

typedef struct lpm_header {
    lpm_slice name; /* lower case; a name that begins with ':' is a pseudo-header (":method", ":status") */
    lpm_slice value;
} lpm_header;

#if LPM_NEEDS >= 2
enum { LPM_PRIORITY_LOW = -1, LPM_PRIORITY_NORMAL = 0, LPM_PRIORITY_HIGH = 1 };
#endif

/*
 * What lpm_supervisor_enqueue() is to send, and lpm_worker_call(). Zero it, set `size` to sizeof(lpm_enqueue), then the rest.
 * seed: enqueue(payload, streamOrSocket, {timeout, retries})
 */
typedef struct lpm_enqueue {
    size_t size;
    const lpm_handler *handler;
    const lpm_header *headers;
    size_t header_count;
    const void *data;
    size_t len;
    int64_t timeout;  /* ms from now; LPM_NONE; LPM_DEFAULT = request { timeout } */
    int64_t retries;  /* times it may be started again after a worker died; LPM_DEFAULT as above */
    char *id;         /* NULL, or 37 bytes that receive the request's UUID, whatever the outcome */
    uint64_t *ticket; /* NULL, or receives what lpm_supervisor_cancel() takes */
#if LPM_NEEDS >= 1
    /* Descriptors that go to the worker with the request; 0: none. They stay yours when the call is refused, and are
     * lpm's when it returns 0. A request with one of them is run once at the most: what was read from them is gone. */
    int stream; /* for lpm_request_stream(): see "Streams" below */
    int socket; /* for lpm_request_socket(): a connection that the module is to serve */
#endif
#if LPM_NEEDS >= 2
    int32_t priority;  /* LPM_PRIORITY_...: which of those that wait goes first, and which is refused last */
    uint32_t reserved; /* 0 */
    /* On whose behalf, as any bytes (the source address): of a queue that fills up nobody gets more than a fair share.
     * Empty: nobody's. lpm_worker_call() looks at neither. */
    lpm_slice client;
#endif
} lpm_enqueue;

/* Called once with the outcome, on the bus's loop, never from within lpm_supervisor_enqueue(). */
typedef void (*lpm_response_fn)(lpm_response *res, void *arg);

#if LPM_NEEDS >= 1
typedef struct lpm_event lpm_event; /* any: an event, during its callback */

typedef void (*lpm_event_fn)(lpm_event *ev, void *arg);

/* The end of something that was asked for: `error` is 0 or LPM_E... */
typedef void (*lpm_done_fn)(int error, void *arg);

/* A connection comes from the generation before: `fd` is yours, and `data`, valid during the call, is what the same module
 * gave there with it. */
typedef void (*lpm_take_over_fn)(lpm_supervisor *s, int fd, lpm_slice data, void *arg);

/* Called once, on the worker's loop or within a call that found it out, when nobody waits for the answer any more. */
typedef void (*lpm_cancel_fn)(lpm_request *req, void *arg);

enum {                        /* lpm_health.state */
       LPM_WORKER_ABSENT = 0, /* dead, and not started again yet */
       LPM_WORKER_STARTING,
       LPM_WORKER_READY,
       LPM_WORKER_BUSY,
       LPM_WORKER_LEAVING /* gets nothing new, ends when it has nothing left */
};

/* A worker as lpm_supervisor_health() shows it. seed: an element of health() */
typedef struct lpm_health {
    char pool[72];
    uint32_t index;
    int32_t pid;         /* 0: none */
    int32_t state;       /* LPM_WORKER_... */
    uint32_t generation; /* of the bus and its workers */
    uint32_t restarts;   /* how many were before it in its place */
    uint32_t in_flight;  /* requests it was sent and has not answered */
    uint32_t started;    /* of these, those whose handler was called */
    uint32_t sockets;    /* handed over to it and not closed */
    uint64_t requests;   /* answered since it started */
    uint64_t uptime;     /* ms since it was forked */
    uint64_t rss;        /* bytes, resident. seed: rss */
    uint64_t pressure;   /* bytes of its own beyond those at its start: what dispatch looks at */
    uint64_t heap_total; /* bytes that malloc has from the system, as the worker said last. seed: heapTotal */
    uint64_t heap_used;  /* bytes of it in use. seed: heapUsed */
    int64_t growth;      /* bytes a second by which its own memory grows, or shrinks: moving average */
    int64_t
        to_limit; /* ms until it should reach rss_limit at that rate, as of the last look; -1: it does not grow, or has none */
    uint32_t failures; /* %: moving average of its answers with :status 500 and above */
    uint32_t trims;    /* how often it was told to trim; 0 before 1.2 */
} lpm_health;
#endif

/* -- Configuration: what a module declares ------------------------------------------------------------ */

typedef enum lpm_conf_type {
    LPM_CONF_FLAG = 0, /* on | off */
    LPM_CONF_NUMBER,   /* an integer */
    LPM_CONF_SIZE,     /* bytes: 512, 64k, 1m, 2g */
    LPM_CONF_TIME,     /* milliseconds out of 500ms, 30s, 5m, 2h, 1d; a bare number is seconds */
    LPM_CONF_STRING,   /* one word */
    LPM_CONF_STRINGS,  /* args_min to args_max words */
    LPM_CONF_ENUM,     /* one of `words`, "a|b|c"; its value is the place in that list */
    LPM_CONF_HANDLER,  /* the name of a loaded module that answers requests */
    LPM_CONF_LISTEN, /* an address to listen on, and what `words` allow; only `listen` itself: the master binds it */
    LPM_CONF_LOG,  /* a log file, or `off`; the master opens it, so that it works after privileges fell */
    LPM_CONF_BLOCK /* args_min to args_max words, then { ... } */
} lpm_conf_type;

#define LPM_CONF_MANY      1u /* flag: may stand more than once in its block */
#define LPM_CONF_MINUS_ONE 2u /* flag: -1 is allowed, and means none */
#define LPM_CONF_AUTO      4u /* flag: the word `auto` is allowed; its value is LPM_DEFAULT */
#define LPM_CONF_MUST      8u /* flag: has to stand in its block */

/* A row of the module's table of directives; the table ends with a row whose name is NULL. */
typedef struct lpm_directive {
    const char *name;
    const char *context; /* the block it stands in: "main", or the name of a block directive ("http") */
    uint32_t type;       /* lpm_conf_type */
    uint32_t flags;      /* LPM_CONF_MANY ... */
    int64_t min, max;    /* NUMBER, SIZE, TIME: inclusive bounds (0, 0: from 0 on) */
    uint32_t args_min, args_max; /* STRINGS, BLOCK */
    const char *words;           /* ENUM; LISTEN: what may stand behind the address, besides backlog=NUMBER */
    const char *syntax;          /* for people: "time", "number | auto"; NULL: made from the type */
    const char *value;           /* the default, as one would write it; NULL: none */
    const char *help;            /* one line */
} lpm_directive;

/* -- The module --------------------------------------------------------------------------------------- */

/*
 * All hooks are optional, but at least one of request, worker_init and supervisor_init must be set.
 * Worker hooks run in each worker process, supervisor hooks in the bus, conf in each of them and in the trial.
 */
typedef struct lpm_module {
    /* The frozen head: 16 bytes, the same for ever. LPM_MODULE() writes it. */
    uint32_t magic;
    uint32_t size;
    uint32_t needs;
    uint32_t reserved;

    /* 1.0 */
    const char *name;    /* [a-z0-9_-]{1,64}; what `handler` names; unique among the loaded modules */
    const char *version; /* for people; not NULL */

    /* The module's own directives, or NULL. They were checked before any other hook runs. */
    const lpm_directive *directives;

    /* Checks what the table cannot say. `root` is the top of the whole configuration. Report a fault with
     * lpm_conf_error() and return what it returned. Runs in the trial as well: change nothing outside. */
    int (*conf)(lpm_conf *root);

    /* seed: worker.on('request'). Answer with lpm_respond*() or lpm_ack(), now or later. */
    void (*request)(lpm_request *req);

    /* Runs once in a new worker, before any request. A module with this hook must call lpm_worker_ready(), here
     * or later; without it lpm does so. Non-zero: the worker gives up, and the text in the log names it. */
    int (*worker_init)(lpm_worker *w);

    /* seed: worker.on('softKill', done). With this hook the process lives until lpm_worker_soft_kill_done(),
     * bounded by `drain_timeout`; without it, until its requests are answered. */
    void (*soft_kill)(lpm_worker *w);

    /* seed: worker.on('hardKill'). Also when another module's init hook refused.
     * The process ends when this returns, or after one second. */
    void (*hard_kill)(lpm_worker *w);

    /* Runs once in a new bus. Non-zero: the generation is given up, and the text in the log names it. */
    int (*supervisor_init)(lpm_supervisor *s);

    /* seed: supervisor.on('online'). Every worker is ready: requests may flow, listeners may be read. */
    void (*supervisor_online)(lpm_supervisor *s);

    /* Soft kill has begun: take nothing new in, finish what was taken. With this hook the bus lives until
     * lpm_supervisor_soft_kill_done(), bounded by `drain_timeout`. */
    void (*supervisor_soft_kill)(lpm_supervisor *s);

    /* seed: supervisor.on('hardKill'). Also when another module's init hook refused.
     * The process ends when this returns, or after one second. */
    void (*supervisor_hard_kill)(lpm_supervisor *s);

#if LPM_NEEDS >= 2
    /* 1.2: the worker has 80 % of the memory that it may have: give back what can be done without (caches, pools). lpm gives
     * malloc's free pages back afterwards. Called between requests. */
    void (*trim)(lpm_worker *w);
#endif
} lpm_module;

/* Exported even by a module that is compiled with -fvisibility=hidden. */
extern LPM_EXPORT const lpm_module lpm_module_v1;

/* C++ warns of fields that are left out, and before C++20 of designated initialisers, its extension until then. */
#if defined(__clang__) && defined(__cplusplus)
#define LPM_INITIALISER _Pragma("GCC diagnostic ignored \"-Wc++20-designator\"")
#elif defined(__cplusplus)
#define LPM_INITIALISER _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"") __extension__
#else
#define LPM_INITIALISER
#endif

/* Writes the module's descriptor: LPM_MODULE(.name = "...", .version = "...", ...); C++ wants the fields in the order
 * in which they stand above. */
#define LPM_MODULE(...)                                                                         \
    _Pragma("GCC diagnostic push")                                                              \
        LPM_INITIALISER const lpm_module lpm_module_v1 = {.magic = LPM_MODULE_MAGIC,            \
                                                          .size = (uint32_t)sizeof(lpm_module), \
                                                          .needs = LPM_NEEDS,                   \
                                                          .reserved = 0,                        \
                                                          __VA_ARGS__};                         \
    _Pragma("GCC diagnostic pop") struct lpm_module

/* -- The host table: how the calls below reach lpm. Modules use the calls, not the table. ---------------- */

struct lpm_host {
    uint32_t size;  /* of this table, bytes */
    uint32_t minor; /* of the ABI that the host serves */

    /* any handle */
    void (*log)(const void *handle, int level, const char *fmt, va_list args) LPM_PRINTF(3, 0);

    /* lpm_conf */
    const lpm_conf *(*conf_child)(const lpm_conf *block, const char *name);
    const lpm_conf *(*conf_next)(const lpm_conf *node);
    size_t (*conf_arg_count)(const lpm_conf *node);
    lpm_slice (*conf_arg)(const lpm_conf *node, size_t i);
    int64_t (*conf_value)(const lpm_conf *node);
    int (*conf_error)(const lpm_conf *node, const char *fmt, va_list args) LPM_PRINTF(2, 0);

    /* lpm_request */
    const char *(*request_id)(const lpm_request *req);
    const char *(*request_handler)(const lpm_request *req);
    uint64_t (*request_created_at)(const lpm_request *req);
    uint64_t (*request_deadline)(const lpm_request *req);
    int (*request_cancelled)(const lpm_request *req);
    lpm_slice (*request_data)(const lpm_request *req);
    int (*request_header_at)(const lpm_request *req, size_t i, lpm_header *header);
    lpm_slice (*request_header)(const lpm_request *req, const char *name);
    lpm_worker *(*request_worker)(const lpm_request *req);
    void (*request_set_context)(lpm_request *req, void *context);
    void *(*request_context)(const lpm_request *req);
    int (*respond_header)(lpm_request *req, lpm_slice name, lpm_slice value);
    int (*respond)(lpm_request *req, const void *data, size_t len);
    int (*ack)(lpm_request *req);

    /* lpm_worker */
    int (*worker_ready)(lpm_worker *w);
    int (*worker_busy)(lpm_worker *w);
    size_t (*worker_requests)(const lpm_worker *w, lpm_request **list, size_t max);
    int (*worker_soft_kill_done)(lpm_worker *w);
    const char *(*worker_name)(const lpm_worker *w);
    const lpm_conf *(*worker_conf)(const lpm_worker *w);
    void (*worker_set_context)(lpm_worker *w, void *context);
    void *(*worker_context)(const lpm_worker *w);
    struct event_base *(*worker_event_base)(const lpm_worker *w);

    /* lpm_supervisor */
    const lpm_handler *(*supervisor_handler)(lpm_supervisor *s, const char *name);
    int (*supervisor_enqueue)(lpm_supervisor *s, const lpm_enqueue *spec, lpm_response_fn on_response,
                              void *arg);
    int (*supervisor_cancel)(lpm_supervisor *s, uint64_t ticket);
    int64_t (*supervisor_retry_after)(const lpm_supervisor *s, const lpm_handler *handler);
    int (*supervisor_soft_kill_done)(lpm_supervisor *s);
    int (*supervisor_fd)(const lpm_supervisor *s, const lpm_conf *node);
    const lpm_conf *(*supervisor_conf)(const lpm_supervisor *s);
    void (*supervisor_set_context)(lpm_supervisor *s, void *context);
    void *(*supervisor_context)(const lpm_supervisor *s);
    struct event_base *(*supervisor_event_base)(const lpm_supervisor *s);

    /* lpm_response */
    int (*response_error)(const lpm_response *res);
    const char *(*response_error_text)(const lpm_response *res);
    const char *(*response_id)(const lpm_response *res);
    uint64_t (*response_created_at)(const lpm_response *res);
    lpm_slice (*response_data)(const lpm_response *res);
    int (*response_header_at)(const lpm_response *res, size_t i, lpm_header *header);
    lpm_slice (*response_header)(const lpm_response *res, const char *name);
    const char *(*response_worker)(const lpm_response *res);
    uint64_t (*response_queue_time)(const lpm_response *res);
    uint64_t (*response_service_time)(const lpm_response *res);

#if LPM_NEEDS >= 1
    /* 1.1: events, on any handle of a worker or a supervisor */
    int (*on)(const void *handle, const char *event, lpm_event_fn fn, void *arg, int once);
    int (*off)(const void *handle, const char *event, lpm_event_fn fn, void *arg);
    const char *(*event_name)(const lpm_event *ev);
    lpm_slice (*event_data)(const lpm_event *ev);
    lpm_request *(*event_request)(const lpm_event *ev);
    int (*event_fd)(lpm_event *ev);
    int (*event_worker)(const lpm_event *ev, lpm_health *worker, size_t size);

    /* 1.1: streams and sockets */
    int (*stream_pair)(const void *handle, int fds[2]);
    int (*stream_end)(const void *handle, int fd);
    int (*request_has_stream)(const lpm_request *req);
    int (*request_stream)(lpm_request *req);
    int (*request_has_socket)(const lpm_request *req);
    int (*request_socket)(lpm_request *req);
    int (*request_on_cancel)(lpm_request *req, lpm_cancel_fn fn, void *arg);
    int (*respond_stream)(lpm_request *req, const void *data, size_t len, int fd);
    int (*socket_close)(lpm_worker *w, int fd);
    int (*response_has_stream)(const lpm_response *res);
    int (*response_stream)(lpm_response *res);
    uint64_t (*response_created_at_wall)(const lpm_response *res);

    /* 1.1: worker and supervisor */
    int (*worker_emit)(lpm_worker *w, const char *event, const void *data, size_t len,
                       lpm_response_fn on_reply, void *arg);
    int (*supervisor_broadcast)(lpm_supervisor *s, const char *pool, const char *event, const void *data,
                                size_t len, int fd);
    size_t (*supervisor_health)(lpm_supervisor *s, lpm_health *list, size_t max, size_t size);
    int (*supervisor_soft_kill)(lpm_supervisor *s, lpm_done_fn on_done, void *arg);
    int (*supervisor_hard_kill)(lpm_supervisor *s);
    int (*supervisor_resize)(lpm_supervisor *s, const char *pool, unsigned count, lpm_done_fn on_done,
                             void *arg);
    int (*supervisor_handler_minor)(const lpm_supervisor *s, const lpm_handler *handler);
    int (*supervisor_has_successor)(const lpm_supervisor *s);
    int (*supervisor_hand_over)(lpm_supervisor *s, int fd, const void *data, size_t len);
    int (*supervisor_take_over)(lpm_supervisor *s, lpm_take_over_fn fn, void *arg);

    /* 1.1: handlers called from within the worker */
    const lpm_handler *(*worker_handler)(lpm_worker *w, const char *name);
    int (*worker_handler_minor)(const lpm_worker *w, const lpm_handler *handler);
    int (*worker_call)(lpm_worker *w, const lpm_enqueue *spec, lpm_response_fn on_response, void *arg);
    int (*worker_cancel)(lpm_worker *w, uint64_t ticket);
    int (*worker_fd)(const lpm_worker *w, const lpm_conf *node);
#endif
};

#define LPM_HOST(handle) (*(const lpm_host *const *)(const void *)(handle))

/* -- Calls on any handle ------------------------------------------------------------------------------ */

/* Writes one line (without its end) to the error log under the module's name. `level` is LPM_LOG_..., what is below
 * the level of `error_log` is dropped; printf format; control characters are replaced. Cannot fail. */
static inline void lpm_log(const void *handle, int level, const char *fmt, ...) LPM_PRINTF(3, 4);
static inline void lpm_log(const void *handle, int level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    LPM_HOST(handle)->log(handle, level, fmt, args);
    va_end(args);
}

/* -- Slices ------------------------------------------------------------------------------------------- */

/* The bytes of a NUL-terminated text, without the NUL; it stays the caller's. */
static inline lpm_slice lpm_slice_of(const char *text)
{
    lpm_slice s = {text, strlen(text)};
    return s;
}

/* 1 if both hold the same bytes, else 0. `text` is NUL-terminated. */
static inline int lpm_slice_is(lpm_slice s, const char *text)
{
    size_t len = strlen(text);
    return s.len == len && memcmp(s.data, text, len) == 0;
}

/* -- Configuration: what a module reads --------------------------------------------------------------- */

/* The first directive `name` in `block` (the root, or a block; NULL: nothing stands there), or NULL. What these calls
 * return lives as long as the process. */
static inline const lpm_conf *lpm_conf_child(const lpm_conf *block, const char *name)
{
    return block ? LPM_HOST(block)->conf_child(block, name) : NULL;
}

/* The next directive of the same name in the same block, or NULL. */
static inline const lpm_conf *lpm_conf_next(const lpm_conf *node)
{
    return LPM_HOST(node)->conf_next(node);
}

/* How many words follow the directive's name. */
static inline size_t lpm_conf_arg_count(const lpm_conf *node)
{
    return LPM_HOST(node)->conf_arg_count(node);
}

/* Word `i` after the directive's name, NUL-terminated; empty if there is none. */
static inline lpm_slice lpm_conf_arg(const lpm_conf *node, size_t i)
{
    return LPM_HOST(node)->conf_arg(node, i);
}

/* The checked value of `name` in `block` (FLAG 0 or 1, NUMBER, SIZE in bytes, TIME in ms, ENUM's place), or
 * `fallback` where the directive does not stand. */
static inline int64_t lpm_conf_value(const lpm_conf *block, const char *name, int64_t fallback)
{
    const lpm_conf *node = lpm_conf_child(block, name);
    return node ? LPM_HOST(node)->conf_value(node) : fallback;
}

/* The first word of `name` in `block`, NUL-terminated, or `fallback` where the directive does not stand. */
static inline const char *lpm_conf_string(const lpm_conf *block, const char *name, const char *fallback)
{
    const lpm_conf *node = lpm_conf_child(block, name);
    return node ? lpm_conf_arg(node, 0).data : fallback;
}

/* Reports a fault at `node`, one line, printf format; lpm adds " in FILE:LINE". Returns LPM_ECONF, for the hook to
 * return. For the conf hook; in worker_init and supervisor_init, too. The last report counts. */
static inline int lpm_conf_error(const lpm_conf *node, const char *fmt, ...) LPM_PRINTF(2, 3);
static inline int lpm_conf_error(const lpm_conf *node, const char *fmt, ...)
{
    int rc;
    va_list args;
    if (node == NULL) {
        return LPM_EINVAL;
    }
    va_start(args, fmt);
    rc = LPM_HOST(node)->conf_error(node, fmt, args);
    va_end(args);
    return rc;
}

/* -- Requests (worker) -------------------------------------------------------------------------------- */

/* UUIDv4, 36 characters and NUL; lives until the answer. seed: req.id */
static inline const char *lpm_request_id(const lpm_request *req)
{
    return LPM_HOST(req)->request_id(req);
}

/* The name under which it was enqueued: that of the module. NUL-terminated, lives until the answer. */
static inline const char *lpm_request_handler(const lpm_request *req)
{
    return LPM_HOST(req)->request_handler(req);
}

/* When the bus took it in: ns, CLOCK_MONOTONIC. seed: req.createdAt */
static inline uint64_t lpm_request_created_at(const lpm_request *req)
{
    return LPM_HOST(req)->request_created_at(req);
}

/* When its enqueuer stops waiting: ns, CLOCK_MONOTONIC; 0: never. seed: the `timeout` of enqueue() */
static inline uint64_t lpm_request_deadline(const lpm_request *req)
{
    return LPM_HOST(req)->request_deadline(req);
}

/* 1 when nobody waits for the answer any more (its enqueuer is gone, or its deadline has passed), or when soft kill has
 * begun, though then an answer is still delivered; else 0. It must be answered all the same, which frees its place. Where
 * nobody waits, lpm gives that to others `kill_after` later; the handle stays good until the answer, which is dropped. */
static inline int lpm_request_cancelled(const lpm_request *req)
{
    return req ? LPM_HOST(req)->request_cancelled(req) : 0;
}

/* The payload, in place, until the answer. Not NUL-terminated. seed: req.data */
static inline lpm_slice lpm_request_data(const lpm_request *req)
{
    return LPM_HOST(req)->request_data(req);
}

/* Header `i`, counted from 0, in the order of arrival: 1, or 0 when there is none. Lives until the answer. */
static inline int lpm_request_header_at(const lpm_request *req, size_t i, lpm_header *header)
{
    return req ? LPM_HOST(req)->request_header_at(req, i, header) : 0;
}

/* The value of the first header `name` (lower case), or an empty slice whose `data` is "". Lives until the answer. */
static inline lpm_slice lpm_request_header(const lpm_request *req, const char *name)
{
    return LPM_HOST(req)->request_header(req, name);
}

/* The module's worker handle, for its context, name and loop; lives as long as the process. */
static inline lpm_worker *lpm_request_worker(const lpm_request *req)
{
    return LPM_HOST(req)->request_worker(req);
}

/* A pointer of the module's own, kept with the request until it is answered; NULL at first. lpm never looks at what
 * it points to, and frees nothing. */
static inline void lpm_request_set_context(lpm_request *req, void *context)
{
    LPM_HOST(req)->request_set_context(req, context);
}
static inline void *lpm_request_context(const lpm_request *req)
{
    return LPM_HOST(req)->request_context(req);
}

/*
 * Adds a header to the answer to come; both texts are copied. `name` is a token in lower case, `value` holds no CR,
 * LF or NUL. lpm_respond_header_slice() is the same for texts that are not NUL-terminated.
 * ":status" sets the HTTP status, 200 to 599 (below are the interim ones, after which an answer would still have to
 * come); the last one given counts. Of "content-type" the first one does, so that lpm_respond_text() leaves your own.
 * Errors: LPM_EINVAL, LPM_ETOOBIG (64 KiB of headers), LPM_EDONE, LPM_ENOMEM.
 */
static inline int lpm_respond_header(lpm_request *req, const char *name, const char *value)
{
    lpm_slice none = {NULL, 0};
    if (req == NULL) {
        return LPM_EINVAL;
    }
    return LPM_HOST(req)->respond_header(req, name ? lpm_slice_of(name) : none,
                                         value ? lpm_slice_of(value) : none);
}
static inline int lpm_respond_header_slice(lpm_request *req, lpm_slice name, lpm_slice value)
{
    return req ? LPM_HOST(req)->respond_header(req, name, value) : LPM_EINVAL;
}

/*
 * Answers with `len` bytes, copied; `data` may be NULL when `len` is 0, and may point into the request's own payload.
 * The handle is gone after it. Errors: LPM_EINVAL, LPM_EDONE (answered before), LPM_ETOOBIG (over 1 GiB),
 * LPM_ENOMEM; LPM_ECANCELED: nobody waited, the answer was dropped, the request is finished.
 * seed: req.respond(object)
 */
static inline int lpm_respond(lpm_request *req, const void *data, size_t len)
{
    return req ? LPM_HOST(req)->respond(req, data, len) : LPM_EINVAL;
}

/* lpm_respond() with a NUL-terminated text and `content-type: text/plain; charset=utf-8`. Errors: as these two. */
static inline int lpm_respond_text(lpm_request *req, const char *text)
{
    int rc;
    if (req == NULL || text == NULL) {
        return lpm_respond(req, NULL, 1); /* which refuses it */
    }
    rc = lpm_respond_header(req, "content-type", "text/plain; charset=utf-8");
    return rc == LPM_OK ? lpm_respond(req, text, strlen(text)) : rc;
}

/* Answers with nothing: handled, send more. Errors as lpm_respond(). seed: req.ack() */
static inline int lpm_ack(lpm_request *req)
{
    return req ? LPM_HOST(req)->ack(req) : LPM_EINVAL;
}

/* -- The worker --------------------------------------------------------------------------------------- */

/* This module takes requests (again). 0, also when it does already. seed: worker.ready() */
static inline int lpm_worker_ready(lpm_worker *w)
{
    return w ? LPM_HOST(w)->worker_ready(w) : LPM_EINVAL;
}

/* No new request for this worker until lpm_worker_ready(). Those on their way still come. 0, also when
 * it is busy already. seed: worker.busy() */
static inline int lpm_worker_busy(lpm_worker *w)
{
    return w ? LPM_HOST(w)->worker_busy(w) : LPM_EINVAL;
}

/* Writes up to `max` of this module's unanswered requests to `list`; returns how many there are. A snapshot
 * whose members can still be answered. seed: worker.requests() */
static inline size_t lpm_worker_requests(const lpm_worker *w, lpm_request **list, size_t max)
{
    return LPM_HOST(w)->worker_requests(w, list, max);
}

/* The soft_kill hook's work is done: the process may end. LPM_EROLE before the hook has been called, LPM_EDONE for a
 * second time. seed: the done callback of 'softKill' */
static inline int lpm_worker_soft_kill_done(lpm_worker *w)
{
    return w ? LPM_HOST(w)->worker_soft_kill_done(w) : LPM_EINVAL;
}

/* "pool/index", as in the process title and the log; lives as long as the process. */
static inline const char *lpm_worker_name(const lpm_worker *w)
{
    return LPM_HOST(w)->worker_name(w);
}

/* The top of the configuration; lives as long as the process. */
static inline const lpm_conf *lpm_worker_conf(const lpm_worker *w)
{
    return LPM_HOST(w)->worker_conf(w);
}

/* A pointer of the module's own, one for the process; NULL at first. lpm frees nothing. */
static inline void lpm_worker_set_context(lpm_worker *w, void *context)
{
    LPM_HOST(w)->worker_set_context(w, context);
}
static inline void *lpm_worker_context(const lpm_worker *w)
{
    return LPM_HOST(w)->worker_context(w);
}

/* The libevent loop that this process runs, for timers and I/O of the module's own. Never run or free it. */
static inline struct event_base *lpm_worker_event_base(const lpm_worker *w)
{
    return LPM_HOST(w)->worker_event_base(w);
}

/* -- The supervisor side (bus) ------------------------------------------------------------------------ */

/* The handler of that name, or NULL. Lives as long as the process. */
static inline const lpm_handler *lpm_supervisor_handler(lpm_supervisor *s, const char *name)
{
    return LPM_HOST(s)->supervisor_handler(s, name);
}

/*
 * Hands the bus a request. 0: taken, and `on_response` will be called exactly once (unless cancelled). Negative:
 * refused, nothing was kept, `on_response` will not be called: LPM_ESHED (a bound of the queue, a share of it that is used
 * up, or a time limit that would pass in it; LPM_EFULL to a module of 1.0 or 1.1), LPM_ESHUTDOWN (soft kill has begun; a module
 * with a supervisor_soft_kill hook may go on until it says done, for what it had taken in), LPM_ENOHANDLER,
 * LPM_ENOWORKER, LPM_EPOISON (in quarantine), LPM_EINVAL, LPM_ETOOBIG, LPM_ENOMEM. seed: supervisor.enqueue()
 */
static inline int lpm_supervisor_enqueue(lpm_supervisor *s, const lpm_enqueue *spec,
                                         lpm_response_fn on_response, void *arg)
{
    return s ? LPM_HOST(s)->supervisor_enqueue(s, spec, on_response, arg) : LPM_EINVAL;
}

/* Nobody waits any more: `on_response` will not be called. Queued, it is dropped; started, it is told
 * (lpm_request_cancelled). LPM_EDONE when it has ended already, or never was. */
static inline int lpm_supervisor_cancel(lpm_supervisor *s, uint64_t ticket)
{
    return s ? LPM_HOST(s)->supervisor_cancel(s, ticket) : LPM_EINVAL;
}

/* After LPM_ESHED (LPM_EFULL) or LPM_ENOWORKER: in how many ms there should be room, by the measured drain rate; at least 1.
 * Cannot fail. */
static inline int64_t lpm_supervisor_retry_after(const lpm_supervisor *s, const lpm_handler *handler)
{
    return LPM_HOST(s)->supervisor_retry_after(s, handler);
}

/* The module holds nothing any more: the bus may end. LPM_EROLE before its hook has been called. seed: the done
 * callback of supervisor.softKill() */
static inline int lpm_supervisor_soft_kill_done(lpm_supervisor *s)
{
    return s ? LPM_HOST(s)->supervisor_soft_kill_done(s) : LPM_EINVAL;
}

/* What the master opened for `node`: the bound, listening, non-blocking socket of a LISTEN directive, the file of
 * a LOG directive (-1: `off`). lpm's, not to be closed. LPM_EINVAL: a directive of another type. */
static inline int lpm_supervisor_fd(const lpm_supervisor *s, const lpm_conf *node)
{
    return s ? LPM_HOST(s)->supervisor_fd(s, node) : LPM_EINVAL;
}

/* The top of the configuration; lives as long as the process. */
static inline const lpm_conf *lpm_supervisor_conf(const lpm_supervisor *s)
{
    return LPM_HOST(s)->supervisor_conf(s);
}

/* A pointer of the module's own, one for the process; NULL at first. lpm frees nothing. */
static inline void lpm_supervisor_set_context(lpm_supervisor *s, void *context)
{
    LPM_HOST(s)->supervisor_set_context(s, context);
}
static inline void *lpm_supervisor_context(const lpm_supervisor *s)
{
    return LPM_HOST(s)->supervisor_context(s);
}

/* The bus's libevent loop. Never run or free it, never block it: every client is served from it. */
static inline struct event_base *lpm_supervisor_event_base(const lpm_supervisor *s)
{
    return LPM_HOST(s)->supervisor_event_base(s);
}

/* -- Responses (bus, during on_response only) --------------------------------------------------------- */

/* 0, or why there is no answer: LPM_ETIMEDOUT, LPM_EWORKER, LPM_ESHED (LPM_EFULL to a module of 1.0 or 1.1: the queue is full, or
 * it waited longer than queue_timeout), LPM_ENOWORKER (the pool lost its last worker, and may start none yet), LPM_EPOISON.
 * seed: response.error */
static inline int lpm_response_error(const lpm_response *res)
{
    return res ? LPM_HOST(res)->response_error(res) : LPM_EINVAL;
}

/* The same for people: one line without its end; "" without an error. seed: response.error */
static inline const char *lpm_response_error_text(const lpm_response *res)
{
    return LPM_HOST(res)->response_error_text(res);
}

/* UUIDv4 of the request. seed: response.id */
static inline const char *lpm_response_id(const lpm_response *res)
{
    return LPM_HOST(res)->response_id(res);
}

/* When the request was enqueued: ns, CLOCK_MONOTONIC. seed: response.createdAt */
static inline uint64_t lpm_response_created_at(const lpm_response *res)
{
    return LPM_HOST(res)->response_created_at(res);
}

/* What the worker answered; empty with an error. Not NUL-terminated. seed: response.data */
static inline lpm_slice lpm_response_data(const lpm_response *res)
{
    return LPM_HOST(res)->response_data(res);
}

/* Header `i`, counted from 0: 1, or 0 when there is none. Names and values have been checked as in
 * lpm_respond_header(). */
static inline int lpm_response_header_at(const lpm_response *res, size_t i, lpm_header *header)
{
    return res ? LPM_HOST(res)->response_header_at(res, i, header) : 0;
}

/* The value of the first header `name` (lower case), or an empty slice. */
static inline lpm_slice lpm_response_header(const lpm_response *res, const char *name)
{
    return LPM_HOST(res)->response_header(res, name);
}

/* "pool/index" of the worker that had it last; "-" if none ever had. */
static inline const char *lpm_response_worker(const lpm_response *res)
{
    return LPM_HOST(res)->response_worker(res);
}

/* How long it waited and how long it ran: ns from arrival to the last dispatch, and from there to the outcome. */
static inline uint64_t lpm_response_queue_time(const lpm_response *res)
{
    return LPM_HOST(res)->response_queue_time(res);
}
static inline uint64_t lpm_response_service_time(const lpm_response *res)
{
    return LPM_HOST(res)->response_service_time(res);
}

#if LPM_NEEDS >= 1

/* -- Events (1.1) --------------------------------------------------------------------------------------
 *
 * Names are 1 to 64 bytes. Listeners are called in the order in which they were added, all those of a process, whatever
 * their module; one that is added during an event counts from the next on, one that is removed is not called any more.
 * Those named here are lpm's own where they stand: there, they can be listened to and not emitted or broadcast.
 *
 * In a worker: any name, for what lpm_supervisor_broadcast() sends; and, each module its own,
 *   "request"   a request of the module (lpm_event_request) that its hook `request` has not answered when it returns.
 *               Without that hook a module is no handler, and gets none
 *   "softKill"  as the hook soft_kill: whoever has the hook or listens says lpm_worker_soft_kill_done(), once for both
 *   "hardKill"  as the hook hard_kill, after it
 * In the bus: any name, for what lpm_worker_emit() sends (lpm_event_request is what can be answered); and
 *   "SIGINT"       SIGINT came. With a listener it does nothing else; without one it is a hard kill
 *   "online"       as the hook supervisor_online
 *   "childSpawned" a worker was forked (lpm_event_worker), the first ones too
 *   "childExited"  a worker has ended (lpm_event_worker; its data: "died of SIGSEGV", "exited with status 0")
 */

/* Calls `fn` with `arg` at each `event`, or at the next one only. Errors: LPM_EINVAL, LPM_ENOMEM.
 * seed: worker.on(), worker.once() */
static inline int lpm_worker_on(lpm_worker *w, const char *event, lpm_event_fn fn, void *arg)
{
    return w ? LPM_HOST(w)->on(w, event, fn, arg, 0) : LPM_EINVAL;
}
static inline int lpm_worker_once(lpm_worker *w, const char *event, lpm_event_fn fn, void *arg)
{
    return w ? LPM_HOST(w)->on(w, event, fn, arg, 1) : LPM_EINVAL;
}

/* Removes the listener that was added with the same three. LPM_EINVAL when there is none. */
static inline int lpm_worker_off(lpm_worker *w, const char *event, lpm_event_fn fn, void *arg)
{
    return w ? LPM_HOST(w)->off(w, event, fn, arg) : LPM_EINVAL;
}

/* The same in the bus. seed: supervisor.on(), supervisor.once() */
static inline int lpm_supervisor_on(lpm_supervisor *s, const char *event, lpm_event_fn fn, void *arg)
{
    return s ? LPM_HOST(s)->on(s, event, fn, arg, 0) : LPM_EINVAL;
}
static inline int lpm_supervisor_once(lpm_supervisor *s, const char *event, lpm_event_fn fn, void *arg)
{
    return s ? LPM_HOST(s)->on(s, event, fn, arg, 1) : LPM_EINVAL;
}
static inline int lpm_supervisor_off(lpm_supervisor *s, const char *event, lpm_event_fn fn, void *arg)
{
    return s ? LPM_HOST(s)->off(s, event, fn, arg) : LPM_EINVAL;
}

static inline const char *lpm_event_name(const lpm_event *ev)
{
    return LPM_HOST(ev)->event_name(ev);
}

/* The payload that came with it, during the callback; empty if there was none. */
static inline lpm_slice lpm_event_data(const lpm_event *ev)
{
    return LPM_HOST(ev)->event_data(ev);
}

/* In a worker: the request of "request". In the bus: what a worker emitted, with lpm_request_data(), _id(),
 * _created_at(), _deadline(), _cancelled(), lpm_respond_header(), lpm_respond() and lpm_ack(), now or later (LPM_ECANCELED:
 * the time is over, the worker is gone, or does not read and has no room for the answer); one that wants no reply only
 * during the callback. Those that nobody waits for are gone, answered or not, when 65536 of them, or 64 MiB, are newer. NULL
 * for any other event. Of several listeners, the first answer counts. */
static inline lpm_request *lpm_event_request(const lpm_event *ev)
{
    return LPM_HOST(ev)->event_request(ev);
}

/* The descriptor that came with a broadcast: the module's from now on, to be closed. LPM_EINVAL: none came; LPM_EDONE: it
 * was taken. */
static inline int lpm_event_fd(lpm_event *ev)
{
    return ev ? LPM_HOST(ev)->event_fd(ev) : LPM_EINVAL;
}

/* In the bus: the worker that "childSpawned", "childExited" or an emitted event is about. LPM_EINVAL: there is none. */
static inline int lpm_event_worker(const lpm_event *ev, lpm_health *worker)
{
    return ev && worker ? LPM_HOST(ev)->event_worker(ev, worker, sizeof(*worker)) : LPM_EINVAL;
}

/*
 * Sends an event to the bus. `on_reply` (NULL: no reply is wanted) is called once, never from within this call, with the
 * answer of a listener (lpm_response_data(), _header()) or with an error: LPM_ENOHANDLER (nobody listens), LPM_ETIMEDOUT
 * (nobody answered within request { timeout }), LPM_ESHUTDOWN (the worker ends first), LPM_EFULL (the answer found no room:
 * this worker does not read), LPM_ENOMEM. `data` is copied. Errors, with which nothing was sent: LPM_EINVAL (a name of lpm's
 * own, too), LPM_ETOOBIG (1 GiB), LPM_ENOMEM, LPM_EFULL (65536 emits of this worker, or 64 MiB of them, wait for their
 * reply), LPM_ESHUTDOWN (hard kill has begun). seed: worker.emit()
 */
static inline int lpm_worker_emit(lpm_worker *w, const char *event, const void *data, size_t len,
                                  lpm_response_fn on_reply, void *arg)
{
    return w ? LPM_HOST(w)->worker_emit(w, event, data, len, on_reply, arg) : LPM_EINVAL;
}

/*
 * Sends an event to every worker of `pool` (NULL: of all pools), also to one that is not ready yet, with a copy of the
 * descriptor `fd` (0: none; it stays yours). Returns to how many it was sent: those that are up, but for one that has not
 * read for so long that 1024 events or 64 MiB wait for it, which misses this one (and the log says so). Errors: LPM_EINVAL
 * (no such pool, a name of lpm's own, no open descriptor, too), LPM_ETOOBIG (1 GiB). seed: supervisor.broadcast()
 */
static inline int lpm_supervisor_broadcast(lpm_supervisor *s, const char *pool, const char *event,
                                           const void *data, size_t len, int fd)
{
    return s ? LPM_HOST(s)->supervisor_broadcast(s, pool, event, data, len, fd) : LPM_EINVAL;
}

/* -- The supervisor's rule over workers (1.1) ---------------------------------------------------------- */

/* Writes up to `max` workers of all pools to `list`; returns how many there are. It reads /proc for each: once a second is
 * often enough. seed: supervisor.health() */
static inline size_t lpm_supervisor_health(lpm_supervisor *s, lpm_health *list, size_t max)
{
    return s ? LPM_HOST(s)->supervisor_health(s, list, max, sizeof(*list)) : 0;
}

/* Soft kill of the whole of lpm, as SIGQUIT: everything is answered, then workers, bus and master end. `on_done` (or NULL)
 * is called when the last worker is gone, or with LPM_ECANCELED when a hard kill comes first. What the module enqueues from
 * now on is refused (LPM_ESHUTDOWN), unless it has a supervisor_soft_kill hook that has been called and is not done.
 * LPM_EDONE: it has begun already, and `on_done` will be called all the same. LPM_ESHUTDOWN: it is over. LPM_ENOMEM.
 * seed: supervisor.softKill(callback) */
static inline int lpm_supervisor_soft_kill(lpm_supervisor *s, lpm_done_fn on_done, void *arg)
{
    return s ? LPM_HOST(s)->supervisor_soft_kill(s, on_done, arg) : LPM_EINVAL;
}

/* Hard kill of the whole of lpm, as SIGTERM. seed: supervisor.hardKill() */
static inline int lpm_supervisor_hard_kill(lpm_supervisor *s)
{
    return s ? LPM_HOST(s)->supervisor_hard_kill(s) : LPM_EINVAL;
}

/*
 * Makes `pool` (NULL: "default") one of `count` workers, 1 to 1024, beginning at the end of this turn of the loop. Fewer:
 * those that are not up go first, then those under the most pressure; they get nothing new, finish what they have and end,
 * within `drain_timeout`. `on_done` (or NULL) is called once, never from within this call: when it is so, or with
 * LPM_ECANCELED (another resize of the pool came, or the end), LPM_EWORKER (a worker did not become ready; its place is
 * tried again as `restarts` allows), LPM_ENOMEM. Lasts as long as the generation.
 * Errors: LPM_EINVAL, LPM_EAGAIN (lpm is not online yet), LPM_ESHUTDOWN, LPM_ENOMEM. seed: its TODO, supervisor.resize(n)
 */
static inline int lpm_supervisor_resize(lpm_supervisor *s, const char *pool, unsigned count,
                                        lpm_done_fn on_done, void *arg)
{
    return s ? LPM_HOST(s)->supervisor_resize(s, pool, count, on_done, arg) : LPM_EINVAL;
}

/* The minor of the ABI that the handler's module was compiled for: one below 1 cannot see a stream or a socket.
 * LPM_EINVAL: no handler. */
static inline int lpm_supervisor_handler_minor(const lpm_supervisor *s, const lpm_handler *handler)
{
    return s ? LPM_HOST(s)->supervisor_handler_minor(s, handler) : LPM_EINVAL;
}

/* 1 when another generation serves, to which lpm_supervisor_hand_over() leads; it is so when the supervisor_soft_kill hook is
 * called for a reload. 0 when there is none, as in the end of lpm. */
static inline int lpm_supervisor_has_successor(const lpm_supervisor *s)
{
    return s ? LPM_HOST(s)->supervisor_has_successor(s) : 0;
}

/* Hands a connection to the same module of the generation that serves now, with up to 60 bytes of `data`. `fd` is lpm's when
 * it returns 0, and closed if that module is not loaded there, or does not take connections over. Errors: LPM_ENOHANDLER (no successor),
 * LPM_ETOOBIG, LPM_EINVAL, LPM_ENOMEM. */
static inline int lpm_supervisor_hand_over(lpm_supervisor *s, int fd, const void *data, size_t len)
{
    return s ? LPM_HOST(s)->supervisor_hand_over(s, fd, data, len) : LPM_EINVAL;
}

/* Calls `fn` for each connection that a generation before hands over. Cannot fail when `s` is not NULL. */
static inline int lpm_supervisor_take_over(lpm_supervisor *s, lpm_take_over_fn fn, void *arg)
{
    return s ? LPM_HOST(s)->supervisor_take_over(s, fn, arg) : LPM_EINVAL;
}

/* -- Calls within a worker (1.1) ------------------------------------------------------------------------
 *
 * A module that serves a client of its own in a worker, on a socket that it was handed, can have the request answered by
 * a handler of this very process: without the way through the bus, and without what the bus gives. There is no queue that
 * workers share, and no retry: the death of the worker ends the request with its client. A handler that hangs is
 * noticed by the bus, if the request has a time limit: `kill_after` beyond it, the worker is killed.
 */

/* The handler of that name, or NULL: none that runs in this worker's pool. Lives as long as the process. */
static inline const lpm_handler *lpm_worker_handler(lpm_worker *w, const char *name)
{
    return w ? LPM_HOST(w)->worker_handler(w, name) : NULL;
}

/* As lpm_supervisor_handler_minor(). */
static inline int lpm_worker_handler_minor(const lpm_worker *w, const lpm_handler *handler)
{
    return w ? LPM_HOST(w)->worker_handler_minor(w, handler) : LPM_EINVAL;
}

/*
 * Has a handler of this process answer. The request is one like any other for it: answered now or later, with streams, a
 * deadline, lpm_request_cancelled(). It is started by the loop, after this call; while the worker is busy (lpm_worker_busy()),
 * or has `concurrency` requests, it waits. `retries` is not looked at. `on_response` is called once, never from within this
 * call: with the answer from within the handler's lpm_respond(), so that its data need not be copied, or with
 * LPM_ETIMEDOUT. Errors, with which it is not called: LPM_EINVAL, LPM_ETOOBIG, LPM_ENOHANDLER, LPM_ENOMEM, LPM_ESHUTDOWN
 * (hard kill has begun).
 */
static inline int lpm_worker_call(lpm_worker *w, const lpm_enqueue *spec, lpm_response_fn on_response,
                                  void *arg)
{
    return w ? LPM_HOST(w)->worker_call(w, spec, on_response, arg) : LPM_EINVAL;
}

/* As lpm_supervisor_cancel(), for what lpm_worker_call() began. */
static inline int lpm_worker_cancel(lpm_worker *w, uint64_t ticket)
{
    return w ? LPM_HOST(w)->worker_cancel(w, ticket) : LPM_EINVAL;
}

/* The file that the master opened for a LOG directive beside which a `listen` has the word `handoff`; -1: `off`, or there is no such
 * `listen`. lpm's, not to be closed. LPM_EINVAL: a directive of another type. */
static inline int lpm_worker_fd(const lpm_worker *w, const lpm_conf *node)
{
    return w ? LPM_HOST(w)->worker_fd(w, node) : LPM_EINVAL;
}

/* -- Streams (1.1) --------------------------------------------------------------------------------------
 *
 * A stream is a descriptor, so the kernel does the flow control. One made by lpm_stream_pair() tells a clean end from an
 * abort: its writer ends it with lpm_stream_end(), and the reader then reads 0; a writer that just closes it, or dies,
 * makes the reader's read fail with ECONNRESET once it has read what came before. Closing the reading end gives
 * the writer EPIPE. Streams that lpm hands out are of this kind. Any other descriptor (a file, a pipe) can be passed too:
 * its end of file then counts as a clean end.
 */

/* fds[0] to read from, fds[1] to write to: non-blocking, close-on-exec, yours. 0 or LPM_EIO. */
static inline int lpm_stream_pair(const void *handle, int fds[2])
{
    return handle && fds ? LPM_HOST(handle)->stream_pair(handle, fds) : LPM_EINVAL;
}

/* The clean end of what was written to `fd`, which is closed. 0 or LPM_EIO (it was no stream, the reader is gone). */
static inline int lpm_stream_end(const void *handle, int fd)
{
    return handle ? LPM_HOST(handle)->stream_end(handle, fd) : LPM_EINVAL;
}

/* 1 if a stream came with it, taken already or not. seed: req.hasStream, req.hasSocket */
static inline int lpm_request_has_stream(const lpm_request *req)
{
    return req ? LPM_HOST(req)->request_has_stream(req) : 0;
}
static inline int lpm_request_has_socket(const lpm_request *req)
{
    return req ? LPM_HOST(req)->request_has_socket(req) : 0;
}

/* The stream: to be read from, non-blocking; the module's from now on, to be closed, also after the answer. LPM_EINVAL:
 * none came; LPM_EDONE: it was taken, or closed with a request that lpm gave up; LPM_EIO: it is lost, since the process
 * had no descriptor left for it. One that nobody took is closed with the request. seed: req.stream */
static inline int lpm_request_stream(lpm_request *req)
{
    return req ? LPM_HOST(req)->request_stream(req) : LPM_EINVAL;
}

/* The socket, likewise; the module's until lpm_socket_close(), also after the answer. seed: req.socket */
static inline int lpm_request_socket(lpm_request *req)
{
    return req ? LPM_HOST(req)->request_socket(req) : LPM_EINVAL;
}

/* Closes a socket that lpm_request_socket() gave the module, so that it counts no longer. LPM_EINVAL: it is none, or was
 * closed. */
static inline int lpm_socket_close(lpm_worker *w, int fd)
{
    return w ? LPM_HOST(w)->socket_close(w, fd) : LPM_EINVAL;
}

/* Calls `fn` when lpm_request_cancelled() becomes true, NULL: not any more. At once when it is true already. Errors:
 * LPM_EDONE, LPM_ENOMEM, LPM_EROLE (an event's request in the bus). */
static inline int lpm_request_on_cancel(lpm_request *req, lpm_cancel_fn fn, void *arg)
{
    return req ? LPM_HOST(req)->request_on_cancel(req, fn, arg) : LPM_EINVAL;
}

/* As lpm_respond(), and what can be read from `fd`, a socket or a pipe, follows the data. `fd` is lpm's when it returns 0 or
 * LPM_ECANCELED, and stays yours otherwise. Errors: as lpm_respond(), LPM_EROLE (an event's request in the bus).
 * seed: req.respond(object, stream) */
static inline int lpm_respond_stream(lpm_request *req, const void *data, size_t len, int fd)
{
    return req ? LPM_HOST(req)->respond_stream(req, data, len, fd) : LPM_EINVAL;
}

/* 1 if a stream came with the answer, taken already or not. seed: response.hasStream */
static inline int lpm_response_has_stream(const lpm_response *res)
{
    return res ? LPM_HOST(res)->response_has_stream(res) : 0;
}

/* The stream: as lpm_request_stream(). The worker shares it and can make a socket blocking again: read with recv() and
 * MSG_DONTWAIT, or, only if it is a unix stream or a pipe, with splice() and SPLICE_F_NONBLOCK. seed: response.stream */
static inline int lpm_response_stream(lpm_response *res)
{
    return res ? LPM_HOST(res)->response_stream(res) : LPM_EINVAL;
}

/* lpm_response_created_at() by the wall clock: ns since 1970, CLOCK_REALTIME. */
static inline uint64_t lpm_response_created_at_wall(const lpm_response *res)
{
    return LPM_HOST(res)->response_created_at_wall(res);
}

#endif /* LPM_NEEDS >= 1 */

#ifdef __cplusplus
}
#endif

#endif
