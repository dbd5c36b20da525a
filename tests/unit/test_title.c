/*
 * The process title, as others see it in /proc. The titled process is this program, called with a word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/title.h"

#define ROOM 4096

static size_t read_file(const char *path, char text[ROOM])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, ROOM - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* In the titled process: sets the title `word`; prints what /proc shows, and the environment as it is then. */
static int titled(int argc, char **argv)
{
    char text[ROOM];

    title_init(argc, argv);
    const char *word = argv[1] + strlen("title:");
    title_set("%s", "a first one that is longer than the other");
    title_set("%s", word);
    size_t len = read_file("/proc/self/cmdline", text);
    for (size_t i = strlen(text); i < len; i++) {
        if (text[i] != '\0') {
            return 1; /* left of what was there before */
        }
    }
    printf("%s\n", text);
    read_file("/proc/self/comm", text);
    printf("%s%s\n", text, getenv("TITLE_TEST") ? getenv("TITLE_TEST") : "lost");
    return fflush(stdout) == 0 ? 0 : 1;
}

static void run(const char *word, char *const *env, char text[ROOM])
{
    char arg[256], self[ROOM];
    int fds[2], status;
    size_t len = 0;
    ssize_t n;

    snprintf(arg, sizeof(arg), "title:%s", word);
    n = readlink("/proc/self/exe", self,
                 sizeof(self) - 1); /* a path, as under valgrind the link is another's */
    assert_true(n > 0);
    self[n] = '\0';
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], 1);
        execve(self, (char *[]){"t", arg, NULL}, env);
        _exit(127);
    }
    close(fds[1]);
    while ((n = read(fds[0], text + len, ROOM - 1 - len)) > 0) {
        len += (size_t)n;
    }
    text[len] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_title(void **state)
{
    (void)state;
    char text[ROOM];
    char *env[] = {"PADDING=0123456789012345678901234567890123456789", "TITLE_TEST=kept", NULL};

    run("worker default/0", env, text);
    assert_string_equal(text, "lpm: worker default/0\nlpm: worker def\nkept\n");
    run("%s%n", env, text);
    assert_string_equal(text, "lpm: %s%n\nlpm: %s%n\nkept\n");
}

/* Without an environment to take room from, a long title is cut. */
static void test_little_room(void **state)
{
    (void)state;
    char text[ROOM];
    char *env[] = {NULL};

    run("x", env, text);
    assert_string_equal(text, "lpm: x\nlpm: x\nlost\n");
}

static void test_without_init(void **state)
{
    (void)state;
    title_set("%s", "nothing to write to but the short name");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strncmp(argv[1], "title:", strlen("title:")) == 0) {
        return titled(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_title),
        cmocka_unit_test(test_little_room),
        cmocka_unit_test(test_without_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
