/*
 * Telling the service manager. Runs in the master, and in nobody else: children do not know the socket. What it has no room
 * for now is said later, and only the newest of it; a manager that hears nothing costs no request.
 */
#include "master/master_notify.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "master/master_inherit.h"

#define AGAIN_NS (100 * CLOCK_NS_PER_MS)

static void send_state(struct master *master)
{
    struct master_notify *notify = &master->notify;
    struct timeval wait = clock_timeval(AGAIN_NS);
    int rc;

    if (notify->socket.socket < 0 || master->upgrade.elder > 0) { /* it is the old master that it knows */
        return;
    }
    rc = os_notify_send(&notify->socket, notify->state, -1);
    if (rc == LPM_EAGAIN) {
        event_add(notify->again, &wait);
        return;
    }
    event_del(notify->again); /* it would say this a second time */
    if (rc && !notify->failed) {
        log_write(&master->log, LPM_LOG_WARN, "the service manager cannot be told: its socket does not work");
    }
    notify->failed = rc != 0;
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    master_inherit_store(arg);
    send_state(arg);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    struct master *master = arg;

    (void)fd;
    (void)what;
    os_notify_send(&master->notify.socket, "WATCHDOG=1", -1); /* one that is lost is half of its time */
}

void master_notify_take(struct master *master)
{
    struct error why;

    if (os_notify_take(&master->notify.socket, &why) != 0) {
        log_write(&master->log, LPM_LOG_WARN, "%s", why.text);
    }
}

int master_notify_init(struct master *master)
{
    struct master_notify *notify = &master->notify;
    uint64_t watchdog = notify->socket.watchdog_us;

    if (notify->socket.socket < 0) {
        return 0;
    }
    notify->again = evtimer_new(master->base, on_again, master);
    notify->watchdog = event_new(master->base, -1, EV_PERSIST, on_watchdog, master);
    if (!notify->again || !notify->watchdog) {
        return LPM_ENOMEM;
    }
    if (watchdog > 0) {
        struct timeval half = clock_timeval(watchdog * 1000 / 2);
        event_add(notify->watchdog, &half);
    }
    return 0;
}

void master_notify_fini(struct master *master)
{
    struct master_notify *notify = &master->notify;

    if (notify->again) {
        event_free(notify->again);
    }
    if (notify->watchdog) {
        event_free(notify->watchdog);
    }
    os_notify_close(&notify->socket);
}

void master_notify_ready(struct master *master, const char *status, ...)
{
    struct master_notify *notify = &master->notify;
    struct error text;
    va_list args;

    va_start(args, status);
    error_set_args(&text, 0, status, args);
    va_end(args);
    snprintf(notify->state, sizeof(notify->state), "READY=1\nMAINPID=%ld\nSTATUS=%.400s", (long)master->pid,
             text.text);
    send_state(master);
}

void master_notify_reloading(struct master *master)
{
    struct master_notify *notify = &master->notify;

    snprintf(notify->state, sizeof(notify->state), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading",
             (unsigned long long)(clock_now() / 1000));
    send_state(master);
}

void master_notify_stopping(struct master *master, const char *status)
{
    struct master_notify *notify = &master->notify;

    snprintf(notify->state, sizeof(notify->state), "STOPPING=1\nSTATUS=%s", status);
    send_state(master);
}

void master_notify_repeat(struct master *master)
{
    send_state(master);
}

void master_notify_hand_on(struct master *master, pid_t heir)
{
    struct master_notify *notify = &master->notify;

    snprintf(notify->state, sizeof(notify->state), "MAINPID=%ld", (long)heir);
    send_state(master);
}
