/*
 * The connection of lpmctl. Fails with the socket's path and the reason.
 */
#include "ctl/ctl_client.h"

#include <errno.h>
#include <lpm/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/conf_load.h"

int ctl_client_find(const struct ctl_options *options, char path[CTL_CLIENT_PATH_SIZE], struct error *err)
{
    struct conf_core core = {.tree = NULL};
    int rc;

    if (options->socket) {
        snprintf(path, CTL_CLIENT_PATH_SIZE, "%s", options->socket);
        return 0;
    }
    if (chdir(options->prefix) != 0) {
        return error_set(err, LPM_ECONF, "cannot enter the prefix \"%s\": %s", options->prefix,
                         strerror(errno));
    }
    rc = conf_load(&core, options->conf, NULL, err);
    if (rc == 0 && strcmp(core.control, "off") == 0) {
        rc = error_set(err, LPM_ECONF, "the configuration says \"control off\"");
    }
    if (rc == 0) {
        snprintf(path, CTL_CLIENT_PATH_SIZE, "%s", core.control);
    }
    conf_tree_free(core.tree);
    return rc == 0 ? 0 : LPM_ECONF;
}

int ctl_client_open(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, rc;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return error_set(err, LPM_EIO, "the path of the socket is too long: \"%s\"", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        rc = error_set(err, LPM_EIO, "cannot reach lpm at \"%s\": %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    return fd;
}

static int send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* Up to the end of the line, which is cut off; the caller's. NULL: the connection ended before. */
static char *read_line(int fd)
{
    size_t len = 0, room = 4096;
    char *line = malloc(room);

    while (line) {
        ssize_t n;
        if (len + 1 == room) {
            char *larger = realloc(line, room *= 2);
            if (!larger) {
                break;
            }
            line = larger;
        }
        n = recv(fd, line + len, room - len - 1, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        if (line[len - 1] == '\n') { /* one answer to one question: nothing comes behind it */
            line[len - 1] = '\0';
            return line;
        }
    }
    free(line);
    return NULL;
}

json_t *ctl_client_ask(int fd, const json_t *request, struct error *err)
{
    char *text = json_dumps(request, JSON_COMPACT), *line = NULL;
    json_t *answer = NULL;
    json_error_t wrong;

    if (!text) {
        error_set(err, LPM_ENOMEM, "the request cannot be written as JSON");
        return NULL;
    }
    if (send_all(fd, text, strlen(text)) != 0 || send_all(fd, "\n", 1) != 0 ||
        (line = read_line(fd)) == NULL) {
        error_set(err, LPM_EIO, "lpm closed the connection without an answer");
    } else if ((answer = json_loads(line, 0, &wrong)) == NULL) {
        error_set(err, LPM_EPROTO, "the answer is no JSON: %s", wrong.text);
    }
    free(text);
    free(line);
    return answer;
}
