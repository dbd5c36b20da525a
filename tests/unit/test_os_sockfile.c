/*
 * Files of unix sockets: which are replaced and removed, which never, and that their mode is never another.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os_sockfile.h"

static int new_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static int bind_at(int fd, const char *path, mode_t mode, struct error *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    return os_sockfile_bind(fd, &un, mode, err);
}

/* A socket with that file. */
static int bound(const char *path)
{
    struct error err = {.text = ""};
    int fd = new_socket();

    assert_int_equal(bind_at(fd, path, 0666, &err), 0);
    return fd;
}

static void left_behind(const char *path)
{
    int fd = bound(path);
    assert_int_equal(listen(fd, 1), 0);
    close(fd);
}

/* By its first moment: a link put there in between would otherwise be given the mode. */
static void test_mode_is_never_another(void **state)
{
    static const struct {
        mode_t mask, mode;
    } rows[] = {{0, 0600}, {077, 0666}, {0777, 0640}};
    union {
        struct inotify_event event;
        char room[4096];
    } seen;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        mode_t mask = umask(rows[i].mask);
        int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), fd = new_socket();
        struct stat st;
        struct error err;
        ssize_t got;

        assert_true(inotify_add_watch(watch, ".", IN_CREATE | IN_ATTRIB | IN_DELETE | IN_MOVE) >= 0);
        assert_int_equal(bind_at(fd, "mode.sock", rows[i].mode, &err), 0);
        assert_int_equal(umask(mask), rows[i].mask);
        assert_int_equal(stat("mode.sock", &st), 0);
        assert_int_equal(st.st_mode & 07777, rows[i].mode);
        got = read(watch, &seen, sizeof(seen));
        assert_int_equal(got, sizeof(seen.event) + seen.event.len);
        assert_int_equal(seen.event.mask, IN_CREATE); /* and nothing was done to it since */
        assert_int_equal(listen(fd, 1), 0);
        close(watch);
        close(fd);
        assert_true(os_sockfile_sweep("mode.sock"));
    }
}

static void test_left_behind(void **state)
{
    struct error err = {.text = ""};
    int fd;

    (void)state;
    left_behind("left.sock");
    fd = bound("left.sock");
    assert_int_equal(listen(fd, 1), 0);
    assert_false(os_sockfile_sweep("left.sock"));
    close(fd);
    fd = bound("left.sock"); /* dies before it listens */
    close(fd);
    assert_true(os_sockfile_sweep("left.sock"));
    assert_int_equal(access("left.sock", F_OK), -1);
    assert_false(os_sockfile_sweep("left.sock"));

    fd = open("plain", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_false(os_sockfile_sweep("plain"));
    fd = new_socket();
    assert_int_not_equal(bind_at(fd, "plain", 0666, &err), 0);
    assert_string_equal(err.text, "a file that is no socket is there");
    close(fd);
    left_behind("target.sock");
    assert_int_equal(symlink("target.sock", "link.sock"), 0);
    assert_false(os_sockfile_sweep("link.sock"));
    assert_int_equal(access("target.sock", F_OK), 0);
    assert_true(os_sockfile_sweep("target.sock"));
}

/* One that is bound refuses until it listens, as a dead one does; it loses its file to nobody. */
static void test_starting(void **state)
{
    struct error err = {.text = ""};
    int fd = bound("starting.sock"), other = new_socket();

    (void)state;
    assert_false(os_sockfile_sweep("starting.sock"));
    assert_int_not_equal(bind_at(other, "starting.sock", 0666, &err), 0);
    assert_string_equal(err.text, "Address already in use");
    assert_int_equal(access("starting.sock", F_OK), 0);
    close(fd);
    assert_int_equal(bind_at(other, "starting.sock", 0666, &err), 0);
    close(other);
    assert_true(os_sockfile_sweep("starting.sock"));
}

#define STARTERS 4
#define ROUNDS   200

/* In a process of its own: 0 if it could not bind, 1 if who connects reaches it, else 2. */
static int starter(int go)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "race.sock"};
    struct error err;
    int fd = new_socket(), client = new_socket(), tries = 0;
    char byte;

    if (read(go, &byte, 1) != 0 || os_sockfile_bind(fd, &un, 0600, &err) != 0) {
        return 0;
    }
    if (listen(fd, 8) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        return 2;
    }
    /* For a moment another may have taken the name for that of the dead one. */
    while (connect(client, (const struct sockaddr *)&un, sizeof(un)) != 0) {
        if (errno != ENOENT || ++tries > 1000) {
            return 2;
        }
        usleep(1000);
    }
    return accept(fd, NULL, NULL) >= 0 ? 1 : 2;
}

/* Of several that find the same file, one gets the name at the most at a time, and keeps it while it lives. */
static void test_race(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        int go[2], status, served = 0;

        left_behind("race.sock");
        assert_int_equal(pipe2(go, O_CLOEXEC), 0);
        fflush(NULL);
        for (int i = 0; i < STARTERS; i++) {
            if (fork() == 0) {
                close(go[1]);
                _exit(starter(go[0]));
            }
        }
        close(go[0]);
        close(go[1]); /* go */
        while (wait(&status) > 0) {
            assert_true(WIFEXITED(status));
            assert_int_not_equal(WEXITSTATUS(status), 2);
            served += WEXITSTATUS(status);
        }
        assert_true(served >= 1);
        os_sockfile_sweep("race.sock");
        assert_int_equal(access("race.sock", F_OK), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mode_is_never_another),
        cmocka_unit_test(test_left_behind),
        cmocka_unit_test(test_starting),
        cmocka_unit_test(test_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
