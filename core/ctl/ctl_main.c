/*
 * lpmctl: asks the bus over its control socket. Every error is one line on stderr; the exit status tells its kind.
 */
#include <errno.h>
#include <lpm/module.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_options.h"
#include "ctl/ctl_print.h"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHED = 3 };

/* How many buses may end, one after the other, before they answer. */
#define REPEATS_MAX 5

/* All of standard input; the caller's. NULL without memory. */
static char *read_stdin(size_t *len)
{
    size_t room = 65536;
    char *data = malloc(room);

    *len = 0;
    while (data) {
        ssize_t n = read(STDIN_FILENO, data + *len, room - *len);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return data;
        }
        *len += n > 0 ? (size_t)n : 0;
        if (*len == room) {
            char *larger = realloc(data, room *= 2);
            if (!larger) {
                free(data);
            }
            data = larger;
        }
    }
    return NULL;
}

static void set_data(json_t *request, const char *data, size_t len)
{
    json_t *text = json_stringn(data, len);
    char *encoded;

    if (text) {
        json_object_set_new(request, "data", text);
        return;
    }
    encoded = malloc(base64_size(len) + 1);
    if (encoded) {
        base64_encode(encoded, data, len);
        json_object_set_new(request, "data_base64", json_string(encoded));
        free(encoded);
    }
}

static int set_argument(json_t *request, const struct ctl_options *o)
{
    if (o->arg_count > 1 && strcmp(o->args[1], "-") == 0) {
        size_t len;
        char *data = read_stdin(&len);
        if (!data) {
            return LPM_ENOMEM;
        }
        set_data(request, data, len);
        free(data);
    } else if (o->arg_count > 1) {
        set_data(request, o->args[1], strlen(o->args[1]));
    }
    return 0;
}

static void set_headers(json_t *request, const struct ctl_options *o)
{
    json_t *headers = json_array();

    for (int i = 0; i < o->header_count; i++) {
        const char *colon = strchr(o->headers[i], ':');
        json_array_append_new(headers, json_pack("[s%,s]", o->headers[i], (size_t)(colon - o->headers[i]),
                                                 colon + 1 + strspn(colon + 1, " ")));
    }
    json_object_set_new(request, "headers", headers);
}

/* NULL: out of memory. */
static json_t *make_request(const struct ctl_options *o)
{
    json_t *request =
        json_pack("{s:s}", "command", o->command->what == CTL_TOP ? "health" : o->command->name);
    int rc = 0;

    if (request && o->command->what == CTL_ENQUEUE) {
        json_object_set_new(request, "handler", json_string(o->args[0]));
        set_headers(request, o);
        if (o->timeout != INT64_MIN) {
            json_object_set_new(request, "timeout", json_integer(o->timeout));
        }
        if (o->retries != INT64_MIN) {
            json_object_set_new(request, "retries", json_integer(o->retries));
        }
        rc = set_argument(request, o);
    } else if (request && o->command->what == CTL_BROADCAST) {
        json_object_set_new(request, "event", json_string(o->args[0]));
        if (o->pool) {
            json_object_set_new(request, "pool", json_string(o->pool));
        }
        rc = set_argument(request, o);
    } else if (request && o->command->what == CTL_RELEASE) {
        json_object_set_new(request, "fingerprint", json_string(o->args[0]));
    } else if (request && o->command->what == CTL_RESIZE) {
        json_object_set_new(request, "pool", json_string(o->args[0]));
        json_object_set_new(request, "count", json_integer(strtol(o->args[1], NULL, 10)));
    } else if (request && o->command->what == CTL_SOFT_KILL && o->no_wait) {
        json_object_set_new(request, "wait", json_false());
    }
    if (rc != 0) {
        json_decref(request);
        request = NULL;
    }
    return request;
}

static int print(const struct ctl_options *o, const json_t *answer)
{
    if (o->json) {
        json_dumpf(answer, stdout, JSON_COMPACT);
        printf("\n");
        return 0;
    }
    switch (o->command->what) {
    case CTL_HEALTH:
    case CTL_TOP:
        ctl_print_health(stdout, answer);
        return 0;
    case CTL_STATUS:
        ctl_print_status(stdout, answer);
        return 0;
    case CTL_ENQUEUE:
        return ctl_print_response(stdout, answer, o->include);
    case CTL_BROADCAST:
        printf("sent to %lld workers\n", (long long)json_integer_value(json_object_get(answer, "workers")));
        return 0;
    case CTL_RELOAD:
        printf("generation %lld serves\n",
               (long long)json_integer_value(json_object_get(answer, "generation")));
        return 0;
    case CTL_REOPEN:
        printf("%lld logs are reopened\n", (long long)json_integer_value(json_object_get(answer, "logs")));
        return 0;
    case CTL_QUARANTINE:
        ctl_print_quarantine(stdout, answer, false);
        return 0;
    case CTL_RELEASE:
        printf("%lld released\n", (long long)json_integer_value(json_object_get(answer, "released")));
        return 0;
    default:
        return 0;
    }
}

static int fail(int status, const char *text)
{
    fprintf(stderr, "lpmctl: %s\n", text);
    return status;
}

/* Does it no harm to do it once more? */
static bool may_repeat(enum ctl_what what)
{
    return what == CTL_HEALTH || what == CTL_STATUS || what == CTL_TOP || what == CTL_RELOAD ||
           what == CTL_REOPEN || what == CTL_QUARANTINE;
}

/* A bus that is retired or dies meanwhile cannot answer; the one after it can. */
static bool ask_another(const struct ctl_options *o, const json_t *answer)
{
    const char *code = json_string_value(json_object_get(answer, "code"));

    return answer ? o->command->what == CTL_RELOAD && code && strcmp(code, "LPM_EAGAIN") == 0
                  : may_repeat(o->command->what);
}

/* `*fd` becomes the connection that the answer came on. NULL with the text. */
static json_t *ask(const struct ctl_options *o, const char *path, int *fd, const json_t *request,
                   struct error *err)
{
    json_t *answer = ctl_client_ask(*fd, request, err);

    for (int i = 0; i < REPEATS_MAX && ask_another(o, answer); i++) {
        json_decref(answer);
        answer = NULL;
        close(*fd);
        *fd = ctl_client_open(path, err);
        if (*fd < 0) {
            break;
        }
        answer = ctl_client_ask(*fd, request, err);
    }
    return answer;
}

static int ask_and_print(const struct ctl_options *o, const char *path, int *fd, const json_t *request)
{
    struct error err;
    json_t *answer = ask(o, path, fd, request, &err);
    int status = 0;

    if (!answer) {
        return fail(EXIT_UNREACHED, err.text);
    }
    if (!json_is_true(json_object_get(answer, "ok"))) {
        const char *text = json_string_value(json_object_get(answer, "error"));
        const char *code = json_string_value(json_object_get(answer, "code"));
        if (o->json) {
            print(o, answer);
        }
        error_set(&err, 0, "%s: %s (%s)", o->command->name, text ? text : "refused", code ? code : "no code");
        status = fail(EXIT_REFUSED, err.text);
    } else if (print(o, answer) != 0 || fflush(stdout) != 0) {
        status = fail(EXIT_REFUSED, "the answer cannot be printed");
    }
    json_decref(answer);
    return status;
}

static int run(const struct ctl_options *o)
{
    char path[CTL_CLIENT_PATH_SIZE];
    struct error err;
    json_t *request;
    int status, fd = -1;

    if (ctl_client_find(o, path, &err) == 0) {
        fd = ctl_client_open(path, &err);
    }
    if (fd < 0) {
        return fail(EXIT_UNREACHED, err.text);
    }
    request = make_request(o);
    if (!request) {
        close(fd);
        return fail(EXIT_REFUSED, "out of memory");
    }
    status = ask_and_print(o, path, &fd, request);
    for (long i = 1; status == 0 && o->command->what == CTL_TOP && (o->count < 0 || i < o->count); i++) {
        sleep(1);
        printf("\n");
        status = ask_and_print(o, path, &fd, request);
    }
    json_decref(request);
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct ctl_options options;
    struct error err;

    if (ctl_options_parse(&options, argc, argv, &err) != 0) {
        return fail(EXIT_USAGE, err.text);
    }
    if (options.help) {
        ctl_options_help(stdout, options.command);
        return 0;
    }
    return run(&options);
}
