/*
 * The control socket. Runs in the bus. Clients are bounded in number, in what they may send and leave unread, and in the
 * time that they may be silent; nothing here waits for one.
 */
#include "bus/bus_ctl.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "bus/bus_ctl_command.h"

#define CLIENTS_MAX  128u
#define LINE_MAX_LEN (8u * 1024 * 1024)  /* bytes of one command */
#define UNREAD_MAX   (64u * 1024 * 1024) /* bytes of answers that a client may leave in our buffer */
#define IDLE_SECONDS 60
#define PAUSE_MS     100

static const struct {
    int code;
    const char *name;
} codes[] = {
    {LPM_ENOMEM, "LPM_ENOMEM"},       {LPM_EINVAL, "LPM_EINVAL"},         {LPM_EROLE, "LPM_EROLE"},
    {LPM_EDONE, "LPM_EDONE"},         {LPM_ETOOBIG, "LPM_ETOOBIG"},       {LPM_ECANCELED, "LPM_ECANCELED"},
    {LPM_ETIMEDOUT, "LPM_ETIMEDOUT"}, {LPM_EWORKER, "LPM_EWORKER"},       {LPM_EFULL, "LPM_EFULL"},
    {LPM_ESHUTDOWN, "LPM_ESHUTDOWN"}, {LPM_ENOHANDLER, "LPM_ENOHANDLER"}, {LPM_ENOWORKER, "LPM_ENOWORKER"},
    {LPM_ECONF, "LPM_ECONF"},         {LPM_EAGAIN, "LPM_EAGAIN"},         {LPM_EIO, "LPM_EIO"},
    {LPM_EPROTO, "LPM_EPROTO"},       {LPM_ESHED, "LPM_ESHED"},           {LPM_EPOISON, "LPM_EPOISON"},
};

static const char *code_name(int code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].code == code) {
            return codes[i].name;
        }
    }
    return "LPM_EIO";
}

/* -- Clients ------------------------------------------------------------------------------------------ */

static void free_if_done(struct bus_ctl_client *client)
{
    if (client->gone && !client->waiting && !client->active) {
        free(client);
    }
}

static void close_client(struct bus_ctl_client *client)
{
    if (!client->gone) {
        client->gone = true;
        bufferevent_free(client->io);
        list_remove(&client->link);
        client->bus->ctl_count--;
    }
    free_if_done(client);
}

static void on_line(struct bus_ctl_client *client, const char *line, size_t len)
{
    json_error_t wrong;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &wrong);

    client->waiting = true;
    if (json_is_object(request)) {
        bus_ctl_command(client, request);
    } else {
        bus_ctl_refuse(client, LPM_EPROTO, "a line is no JSON object: %s",
                       request ? "another value" : wrong.text);
    }
    json_decref(request);
}

/* Acts on what has come, one command after the other is answered. The client may be freed afterwards. */
static void go_on(struct bus_ctl_client *client)
{
    client->active = true;
    while (!client->gone && !client->waiting) {
        struct evbuffer *in = bufferevent_get_input(client->io);
        size_t len;
        char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);

        if (!line) {
            if (evbuffer_get_length(in) >= LINE_MAX_LEN) {
                close_client(client);
            }
            break;
        }
        on_line(client, line, len);
        free(line);
    }
    client->active = false;
    free_if_done(client);
}

static void on_read(struct bufferevent *io, void *arg)
{
    struct bus_ctl_client *client = arg;

    (void)io;
    if (!client->waiting) {
        go_on(client);
    }
}

static void on_event(struct bufferevent *io, short what, void *arg)
{
    struct bus_ctl_client *client = arg;

    (void)io;
    /* One that waits for its answer may be silent. */
    if ((what & BEV_EVENT_TIMEOUT) != 0 && (what & BEV_EVENT_READING) != 0 && client->waiting) {
        bufferevent_enable(client->io, EV_READ);
        return;
    }
    close_client(client);
}

/* At once as far as can be: there may be no next turn of the loop. `text` ends with a NUL, which goes as a line's end. */
static void send_line(struct bus_ctl_client *client, char *text)
{
    struct evbuffer *out = bufferevent_get_output(client->io);
    size_t len = strlen(text) + 1;
    ssize_t n = 0;

    text[len - 1] = '\n';
    if (evbuffer_get_length(out) == 0) {
        n = send(bufferevent_getfd(client->io), text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    n = n > 0 ? n : 0;
    evbuffer_add(out, text + n, len - (size_t)n);
}

void bus_ctl_answer(struct bus_ctl_client *client, json_t *answer)
{
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

    json_decref(answer);
    client->waiting = false;
    if (client->gone || !text) {
        free(text);
        close_client(client);
        return;
    }
    send_line(client, text);
    free(text);
    if (evbuffer_get_length(bufferevent_get_output(client->io)) > UNREAD_MAX) {
        close_client(client);
    } else if (!client->active) {
        go_on(client);
    }
}

void bus_ctl_refuse(struct bus_ctl_client *client, int code, const char *fmt, ...)
{
    struct error text;
    va_list args;

    va_start(args, fmt);
    error_set_args(&text, code, fmt, args);
    va_end(args);
    bus_ctl_answer(client, json_pack("{s:b,s:s,s:s}", "ok", 0, "code", code_name(code), "error", text.text));
}

/* -- Accepting ---------------------------------------------------------------------------------------- */

static bool may_command(const struct bus *bus, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == bus->starter);
}

static int add_client(struct bus *bus, int fd)
{
    static const struct timeval idle = {IDLE_SECONDS, 0};
    struct bus_ctl_client *client = calloc(1, sizeof(*client));

    if (!client) {
        return LPM_ENOMEM;
    }
    client->bus = bus;
    list_init(&client->reload_link);
    client->io = bufferevent_socket_new(bus->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!client->io) {
        free(client);
        return LPM_ENOMEM;
    }
    bufferevent_setcb(client->io, on_read, NULL, on_event, client);
    bufferevent_setwatermark(client->io, EV_READ, 0, LINE_MAX_LEN);
    bufferevent_set_timeouts(client->io, &idle, &idle);
    bufferevent_enable(client->io, EV_READ | EV_WRITE);
    list_append(&bus->ctl_clients, &client->link);
    bus->ctl_count++;
    return 0;
}

static void on_pause_end(evutil_socket_t fd, short what, void *arg)
{
    struct bus *bus = arg;

    (void)fd;
    (void)what;
    event_add(bus->ctl_acceptable, NULL);
}

/* Without a descriptor for the next it waits a moment, instead of being told again and again. */
static void on_acceptable(evutil_socket_t listener, short what, void *arg)
{
    struct bus *bus = arg;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        struct timeval wait = {0, PAUSE_MS * 1000};
        event_del(bus->ctl_acceptable);
        event_add(&bus->ctl_pause, &wait);
    }
    if (fd < 0) {
        return;
    }
    if (!may_command(bus, fd) || bus->ctl_count >= CLIENTS_MAX || add_client(bus, fd) != 0) {
        close(fd);
    }
}

int bus_ctl_init(struct bus *bus)
{
    int fd = bus->start->core->control_fd;

    if (fd < 0) {
        return 0;
    }
    event_assign(&bus->ctl_pause, bus->base, -1, 0, on_pause_end, bus);
    bus->ctl_acceptable = event_new(bus->base, fd, EV_READ | EV_PERSIST, on_acceptable, bus);
    return bus->ctl_acceptable ? 0 : LPM_ENOMEM;
}

void bus_ctl_open(struct bus *bus)
{
    if (bus->ctl_acceptable) {
        event_add(bus->ctl_acceptable, NULL);
    }
}

void bus_ctl_close(struct bus *bus)
{
    if (bus->ctl_acceptable) {
        event_del(bus->ctl_acceptable);
        event_del(&bus->ctl_pause);
        fd_close(&bus->start->core->control_fd);
    }
}

void bus_ctl_fini(struct bus *bus)
{
    LIST_EACH(link, after, &bus->ctl_clients)
    {
        struct bus_ctl_client *client = LIST_ENTRY(link, struct bus_ctl_client, link);
        client->waiting = false;
        close_client(client);
    }
    if (bus->ctl_acceptable) {
        event_del(&bus->ctl_pause);
        event_free(bus->ctl_acceptable);
    }
}
