/*
 * The handler `killhooks`: has every hook for the end of a process, and writes a line "HOOK WHO PID UNANSWERED" to a
 * file when one is called, "done ..." when its work is done. Requests are answered after `killhooks_answer`.
 *
 *     killhooks_journal PATH;      the file
 *     killhooks_delay   TIME;      from the soft_kill hook to lpm_worker_soft_kill_done(); -1: never
 *     killhooks_answer  TIME;      from a request to its answer
 *     killhooks_hang    on;        the hard_kill hook never comes back
 *
 * Runs in workers and in the bus.
 */
#include <lpm/module.h>

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void journal(const lpm_conf *root, const char *hook, const char *who, size_t unanswered)
{
    const char *path = lpm_conf_string(root, "killhooks_journal", NULL);
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;

    if (fd >= 0) {
        dprintf(fd, "%s %s %ld %zu\n", hook, who, (long)getpid(), unanswered);
        close(fd);
    }
}

static void worker_journal(lpm_worker *w, const char *hook)
{
    journal(lpm_worker_conf(w), hook, lpm_worker_name(w), lpm_worker_requests(w, NULL, 0));
}

static void later(lpm_worker *w, int64_t ms, event_callback_fn fn, void *arg)
{
    struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    if (event_base_once(lpm_worker_event_base(w), -1, EV_TIMEOUT, fn, arg, &tv) != 0) {
        abort();
    }
}

static void answer(evutil_socket_t fd, short what, void *req)
{
    (void)fd;
    (void)what;
    lpm_respond_text(req, "ok\n");
}

static void request(lpm_request *req)
{
    lpm_worker *w = lpm_request_worker(req);
    int64_t ms = lpm_conf_value(lpm_worker_conf(w), "killhooks_answer", 0);

    if (ms > 0) {
        later(w, ms, answer, req);
    } else {
        lpm_respond_text(req, "ok\n");
    }
}

static void done(evutil_socket_t fd, short what, void *w)
{
    (void)fd;
    (void)what;
    worker_journal(w, "done");
    lpm_worker_soft_kill_done(w);
}

static void soft_kill(lpm_worker *w)
{
    int64_t ms = lpm_conf_value(lpm_worker_conf(w), "killhooks_delay", 0);

    worker_journal(w, "soft_kill");
    if (ms == 0) {
        done(-1, 0, w);
    } else if (ms > 0) {
        later(w, ms, done, w);
    }
}

static void hard_kill(lpm_worker *w)
{
    worker_journal(w, "hard_kill");
    while (lpm_conf_value(lpm_worker_conf(w), "killhooks_hang", 0)) {
        pause();
    }
}

static void supervisor_soft_kill(lpm_supervisor *s)
{
    journal(lpm_supervisor_conf(s), "supervisor_soft_kill", "bus", 0);
    lpm_supervisor_soft_kill_done(s);
}

static void supervisor_hard_kill(lpm_supervisor *s)
{
    journal(lpm_supervisor_conf(s), "supervisor_hard_kill", "bus", 0);
}

static const lpm_directive directives[] = {
    {.name = "killhooks_journal", .context = "main", .type = LPM_CONF_STRING},
    {.name = "killhooks_delay", .context = "main", .type = LPM_CONF_TIME, .flags = LPM_CONF_MINUS_ONE},
    {.name = "killhooks_answer", .context = "main", .type = LPM_CONF_TIME},
    {.name = "killhooks_hang", .context = "main", .type = LPM_CONF_FLAG},
    {.name = NULL},
};

LPM_MODULE(.name = "killhooks", .version = "1.0", .directives = directives, .request = request,
           .soft_kill = soft_kill, .hard_kill = hard_kill, .supervisor_soft_kill = supervisor_soft_kill,
           .supervisor_hard_kill = supervisor_hard_kill);
