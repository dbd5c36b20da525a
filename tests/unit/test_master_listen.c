/*
 * `listen` and `access_log` as the master finds, checks, opens and closes them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <lpm/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/conf_parse.h"
#include "master/master_listen.h"
#include "os/os_listen.h"

/* The resolver, in the place of the C library's: it knows one name, and is asked as seldom as can be. */
static int asked;
static struct sockaddr_in answer;
static struct addrinfo result = {
    .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&answer, .ai_addrlen = sizeof(answer)};

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    (void)hints;
    asked++;
    if (strcmp(name, "here.test") != 0) {
        return EAI_NONAME;
    }
    answer = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(service))};
    answer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *found = &result;
    return 0;
}

void freeaddrinfo(struct addrinfo *found)
{
    (void)found;
}

static struct conf_tree *parse(const char *text)
{
    struct conf_tree *tree;
    struct error err;

    if (conf_parse_text(&tree, "t.conf", text, strlen(text), &err) != 0) {
        fail_msg("%s", err.text);
    }
    return tree;
}

static void test_check(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"user a;", NULL},
        {"http { listen 80; listen 81 backlog=5; } listen unix:a;", NULL},
        {"listen 80 handoff backlog=5;", NULL}, /* what a word means, the module knows */
        {"http { listen 127.0.0.1:0; listen 127.0.0.1:0; listen 0; listen 0; }", NULL},
        {"http { listen 8080; }\nother { listen 8080; }",
         "a second \"listen 8080\", after the one in t.conf:1 in t.conf:2"},
        {"listen unix:x:0; listen unix:x:0;",
         "a second \"listen unix:x:0\", after the one in t.conf:1 in t.conf:1"},
        {"listen;", "\"listen\" expects an address and then \";\" in t.conf:1"},
        {"listen 80 { }", "\"listen\" expects an address and then \";\" in t.conf:1"},
        {"listen 80 backlog=0;",
         "\"listen\" has \"backlog=0\": expected backlog=NUMBER, from 1 on, or -1 in t.conf:1"},
        {"listen 80 backlog=;",
         "\"listen\" has \"backlog=\": expected backlog=NUMBER, from 1 on, or -1 in t.conf:1"},
        {"listen 80 backlog=9x;",
         "\"listen\" has \"backlog=9x\": expected backlog=NUMBER, from 1 on, or -1 in t.conf:1"},
        {"listen 80 backlog=99999999999999999999;", "\"listen\" has \"backlog=99999999999999999999\": "
                                                    "expected backlog=NUMBER, from 1 on, or -1 in t.conf:1"},
        {"listen 80 default=1;",
         "\"listen\" has \"default=1\": expected backlog=NUMBER, from 1 on, or -1 in t.conf:1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct conf_tree *tree = parse(rows[i].text);
        struct error err = {.text = ""};

        assert_int_equal(master_listen_check(tree, &err), rows[i].error ? LPM_ECONF : 0);
        assert_string_equal(err.text, rows[i].error ? rows[i].error : "");
        conf_tree_free(tree);
    }
}

static void test_bad_address_has_place(void **state)
{
    struct conf_tree *tree = parse("http {\n listen 127.0.0.1:99999;\n}");
    struct error err = {.text = ""};

    (void)state;
    assert_int_equal(master_listen_check(tree, &err), LPM_ECONF);
    assert_non_null(strstr(err.text, "127.0.0.1:99999"));
    assert_non_null(strstr(err.text, " in t.conf:2"));
    conf_tree_free(tree);
}

static void test_open_and_close(void **state)
{
    struct conf_tree *tree = parse(
        "http { listen unix:s.sock; access_log a.log; server { access_log off; listen 127.0.0.1:0; } }");
    struct lpm_conf *http = conf_tree_child(tree->root, "http");
    struct lpm_conf *server = conf_tree_child(http, "server");
    struct lpm_conf *sock = conf_tree_child(http, "listen");
    struct log log;
    struct error err = {.text = ""};
    int fd;

    (void)state;
    log_init(&log, -1, LPM_LOG_NOTICE, "master");
    assert_int_equal(master_listen_open(tree, &log, &err), 0);
    fd = sock->fd;
    assert_true(fd >= 0);
    assert_true(conf_tree_child(http, "access_log")->fd >= 0);
    assert_true(conf_tree_child(server, "access_log")->fd == -1);
    assert_true(conf_tree_child(server, "listen")->fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(access("s.sock", F_OK), 0);
    assert_int_equal(access("a.log", F_OK), 0);

    assert_int_equal(master_listen_open(tree, &log, &err), 0); /* what is open stays */
    assert_int_equal(sock->fd, fd);

    master_listen_close(tree);
    assert_int_equal(sock->fd, -1);
    assert_int_equal(conf_tree_child(http, "access_log")->fd, -1);
    assert_int_equal(access("s.sock", F_OK), -1);
    conf_tree_free(tree);
}

static void test_failure_names_place(void **state)
{
    struct conf_tree *tree = parse("listen unix:t.sock;\naccess_log /dev/null/x;");
    struct log log;
    struct error err = {.text = ""};

    (void)state;
    log_init(&log, -1, LPM_LOG_NOTICE, "master");
    assert_int_equal(master_listen_open(tree, &log, &err), LPM_EIO);
    assert_non_null(strstr(err.text, "/dev/null"));
    assert_non_null(strstr(err.text, " in t.conf:2"));
    master_listen_close(tree);
    conf_tree_free(tree);
}

static ino_t inode(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return st.st_ino;
}

static struct lpm_conf *nth_listen(const struct conf_tree *tree, int n)
{
    struct lpm_conf *node = conf_tree_child(tree->root, "listen");

    while (n-- > 0) {
        node = conf_tree_same(node);
    }
    return node;
}

/* What another configuration listens on is shared, whatever its words; what is not shared is closed with the last. */
static void test_shared(void **state)
{
    struct conf_tree *a =
        parse("listen unix:a.sock; listen 127.0.0.1:0; listen 127.0.0.1:0; listen unix:b.sock;");
    struct conf_tree *b;
    char text[200];
    struct sockaddr_in bound;
    socklen_t len = sizeof(bound);
    struct log log;
    struct error err = {.text = ""};

    (void)state;
    log_init(&log, -1, LPM_LOG_NOTICE, "master");
    assert_int_equal(master_listen_open(a, &log, &err), 0);
    assert_int_equal(getsockname(nth_listen(a, 2)->fd, (struct sockaddr *)&bound, &len), 0);
    snprintf(text, sizeof(text),
             "listen here.test:%u backlog=5; listen 127.0.0.1:0; listen unix:a.sock; listen unix:c.sock;",
             ntohs(bound.sin_port));
    b = parse(text);
    asked = 0;
    assert_int_equal(master_listen_resolve(b, &err), 0);
    assert_int_equal(asked, 1);
    assert_int_equal(master_listen_inherit(b, a, &err), 0);
    assert_int_equal(inode(nth_listen(b, 0)->fd), inode(nth_listen(a, 2)->fd));
    assert_int_equal(inode(nth_listen(b, 1)->fd), inode(nth_listen(a, 1)->fd));
    assert_int_equal(inode(nth_listen(b, 2)->fd), inode(nth_listen(a, 0)->fd));
    assert_true(fcntl(nth_listen(b, 2)->fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(nth_listen(b, 3)->fd, -1);
    assert_int_equal(master_listen_open(b, &log, &err), 0);

    master_listen_leave(a, b);
    master_listen_close(a);
    assert_int_equal(access("a.sock", F_OK), 0);
    assert_int_equal(access("b.sock", F_OK), -1);
    conf_tree_free(a);
    master_listen_close(b);
    assert_int_equal(access("a.sock", F_OK), -1);
    assert_int_equal(access("c.sock", F_OK), -1);
    assert_int_equal(master_listen_open(b, &log, &err), 0); /* as after the death of a bus */
    master_listen_close(b);
    assert_int_equal(asked, 1); /* when it was read, and never again */
    conf_tree_free(b);
}

/* A name that nobody knows is a fault of the configuration; a number needs nobody. */
static void test_resolve(void **state)
{
    struct conf_tree *tree = parse("http {\n listen 127.0.0.1:0; listen 0; listen unix:a.sock;\n}");
    struct error err = {.text = ""};

    (void)state;
    asked = 0;
    assert_int_equal(master_listen_resolve(tree, &err), 0);
    assert_int_equal(asked, 0);
    conf_tree_free(tree);
    tree = parse("listen here.test:80;\nlisten there.test:80;");
    assert_int_equal(master_listen_resolve(tree, &err), LPM_EIO);
    assert_string_equal(err.text, "cannot listen on there.test:80: Name or service not known in t.conf:2");
    assert_string_equal(master_listen_address(nth_listen(tree, 0)), "127.0.0.1:80");
    conf_tree_free(tree);
}

/* What comes back without what somebody else has by now: the rest is open, and a listener is one, though deaf. */
static void test_reopen(void **state)
{
    struct conf_tree *tree =
        parse("listen unix:a.sock; listen unix:taken.sock; access_log /dev/null/x; access_log b.log;");
    struct conf_tree *other = parse("listen unix:taken.sock;");
    struct sockaddr_un bound;
    socklen_t len = sizeof(bound);
    int on = 0, fd;
    struct log log;
    struct error err;

    (void)state;
    log_init(&log, -1, LPM_LOG_NOTICE, "master");
    assert_int_equal(master_listen_open(other, &log, &err), 0);
    master_listen_reopen(tree, ".", &log);
    assert_true(os_listen_bound(nth_listen(tree, 0)->fd, "unix:a.sock"));
    assert_true(conf_tree_same(conf_tree_child(tree->root, "access_log"))->fd >= 0);
    assert_int_equal(conf_tree_child(tree->root, "access_log")->fd, -1);

    fd = nth_listen(tree, 1)->fd;
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
    assert_int_equal(access(bound.sun_path, F_OK), -1);
    len = sizeof(on);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len), 0);
    assert_int_equal(on, 1);
    assert_int_equal(accept(fd, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);

    master_listen_close(tree);
    assert_int_equal(access("taken.sock", F_OK), 0); /* it is the other's */
    master_listen_close(other);
    conf_tree_free(tree);
    conf_tree_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),          cmocka_unit_test(test_bad_address_has_place),
        cmocka_unit_test(test_open_and_close), cmocka_unit_test(test_failure_names_place),
        cmocka_unit_test(test_resolve),        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_reopen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
