/*
 * The example in the README of the npm package load-process-manager, both of its processes in one module: when all workers
 * are online the supervisor enqueues ten requests, which a worker answers after two seconds without blocking, so all are
 * answered after two. SIGINT is a soft kill.
 *
 *     lpm -c conf/examples/seed_example.conf
 *
 * Fails: a request that finds no memory for its timer is answered with "no memory".
 */
#define LPM_NEEDS 1
#include <lpm/module.h>

#include <event2/event.h>

#define REQUESTS 10

/* -- Child process ------------------------------------------------------------------------------------ */

static void answer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    lpm_respond_text(arg, "{\"dummy\":\"world\"}");
}

/* worker.on('request', function (req) { setTimeout(...) }) */
static void request(lpm_request *req)
{
    static const struct timeval two_seconds = {2, 0};
    lpm_worker *w = lpm_request_worker(req);
    lpm_slice data = lpm_request_data(req);

    lpm_log(w, LPM_LOG_NOTICE, "Received a new request with payload: %.*s", (int)data.len, data.data);
    if (event_base_once(lpm_worker_event_base(w), -1, EV_TIMEOUT, answer, req, &two_seconds) != 0) {
        lpm_respond_text(req, "no memory");
    }
}

/* -- Master process ----------------------------------------------------------------------------------- */

static void on_answer(lpm_response *res, void *arg)
{
    lpm_slice data = lpm_response_data(res);

    if (lpm_response_error(res)) {
        lpm_log(arg, LPM_LOG_ERROR, "No answer: %s", lpm_response_error_text(res));
        return;
    }
    lpm_log(arg, LPM_LOG_NOTICE, "Answer received from worker: %.*s", (int)data.len, data.data);
}

/* supervisor.on('online', ...) */
static void supervisor_online(lpm_supervisor *s)
{
    static const char payload[] = "{\"Hello\":\"World\"}";
    const lpm_enqueue spec = {.size = sizeof(spec),
                              .handler = lpm_supervisor_handler(s, "seed_example"),
                              .data = payload,
                              .len = sizeof(payload) - 1,
                              .timeout = LPM_DEFAULT,
                              .retries = LPM_DEFAULT};

    lpm_log(s, LPM_LOG_NOTICE, "All workers are online");
    for (int i = 0; i < REQUESTS; i++) {
        int rc;
        lpm_log(s, LPM_LOG_NOTICE, "Enqueuing a new request with payload %s", payload);
        rc = lpm_supervisor_enqueue(s, &spec, on_answer, s);
        if (rc != 0) {
            lpm_log(s, LPM_LOG_ERROR, "The request was refused: %d", rc);
        }
    }
}

static void on_soft_killed(int error, void *arg)
{
    if (error == 0) {
        lpm_log(arg, LPM_LOG_NOTICE, "soft kill done");
    } else {
        lpm_log(arg, LPM_LOG_ERROR, "soft kill came to nothing: %d", error);
    }
}

/* supervisor.on('SIGINT', ...): with a listener, lpm itself does nothing at SIGINT. */
static void on_sigint(lpm_event *ev, void *arg)
{
    (void)ev;
    lpm_log(arg, LPM_LOG_NOTICE, "SIGINT received through supervisor");
    lpm_supervisor_soft_kill(arg, on_soft_killed, arg);
}

static int supervisor_init(lpm_supervisor *s)
{
    return lpm_supervisor_on(s, "SIGINT", on_sigint, s);
}

LPM_MODULE(.name = "seed_example", .version = "1.0", .request = request, .supervisor_init = supervisor_init,
           .supervisor_online = supervisor_online);
