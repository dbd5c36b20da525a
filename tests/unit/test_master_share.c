/*
 * The listeners of two masters: as a text, and who closes what.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/conf_parse.h"
#include "master/master_inherit.h"
#include "master/master_listen.h"
#include "master/master_share.h"

/* A master with a configuration that listens on all that it names. */
struct one {
    struct master master;
    struct master_setup setup;
};

static void one_init(struct one *one, const char *text)
{
    struct error err;
    struct log log = {.fd = -1};

    memset(one, 0, sizeof(*one));
    list_init(&one->master.setups);
    list_init(&one->master.kept);
    one->master.current = &one->setup;
    one->setup.master = &one->master;
    one->setup.core.control = "off";
    one->setup.core.control_fd = -1;
    one->setup.dir_lock = -1;
    one->master.notify.socket.socket = -1;
    list_append(&one->master.setups, &one->setup.link);
    assert_int_equal(conf_parse_text(&one->setup.core.tree, "t.conf", text, strlen(text), &err), 0);
    assert_int_equal(master_listen_open(one->setup.core.tree, &log, &err), 0);
}

static void one_fini(struct one *one)
{
    master_setup_close_listeners(&one->setup);
    conf_tree_free(one->setup.core.tree);
    master_inherit_fini(&one->master);
}

/* What the other master would get, parsed: the same sockets, by descriptors of its own. */
static struct conf_tree *copies(const struct master *master)
{
    char *text = master_share_text(master);
    struct conf_tree *tree;
    struct error err;

    assert_non_null(text);
    assert_int_equal(master_share_parse(&tree, text, &err), 0);
    for (struct lpm_conf *node = tree->root->first; node; node = node->next) {
        node->fd = fcntl(node->fd, F_DUPFD_CLOEXEC, 0);
    }
    free(text);
    return tree;
}

static bool answers(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    answers = connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0;
    close(fd);
    return answers;
}

static void test_text(void **state)
{
    struct one one;
    struct conf_tree *tree;
    const struct lpm_conf *node;
    char want[256], *text;
    int first;

    (void)state;
    one_init(&one, "http { listen 127.0.0.1:0; listen 'unix:a \"b\\\\c;'; access_log off; } listen unix:x;");
    node = one.setup.core.tree->root->first->first;
    first = node->fd;
    master_inherit_know(&one.master, first, "web 1");
    text = master_share_text(&one.master);
    snprintf(
        want, sizeof(want),
        "listen \"127.0.0.1:0\" %d \"web 1\";\nlisten \"unix:a \\\"b\\\\c;\" %d;\nlisten \"unix:x\" %d;\n",
        first, node->next->fd, one.setup.core.tree->root->last->fd);
    assert_string_equal(text, want);
    free(text);
    tree = copies(&one.master);
    node = tree->root->first;
    assert_string_equal(node->args[2].data, "web 1");
    assert_string_equal(node->next->args[0].data, "unix:a \"b\\c;");
    master_listen_part(tree);
    conf_tree_free(tree);
    one_fini(&one);
}

static void test_nonsense(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"listen 80", "directive \"listen\" is not terminated by \";\" in the environment:1"},
        {"listen 80;", "\"listen\" has \"\": expected an open descriptor in the environment:1"},
        {"listen 80 x;", "\"listen\" has \"x\": expected an open descriptor in the environment:1"},
        {"listen 80 3x;", "\"listen\" has \"3x\": expected an open descriptor in the environment:1"},
        {"listen 80 2;", "\"listen\" has \"2\": expected an open descriptor in the environment:1"},
        {"listen 80 -1;", "\"listen\" has \"-1\": expected an open descriptor in the environment:1"},
        {"listen 80 99999;", "\"listen\" has \"99999\": expected an open descriptor in the environment:1"},
        {"\nmaster 99999 1;", "\"master\" has \"99999\": expected an open descriptor in the environment:2"},
        {"master;", "\"master\" has \"\": expected an open descriptor in the environment:1"},
    };
    struct conf_tree *tree;
    struct error err;
    char text[64], want[128];
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_not_equal(master_share_parse(&tree, rows[i].text, &err), 0);
        assert_string_equal(err.text, rows[i].error);
        assert_null(tree);
    }
    snprintf(text, sizeof(text), "listen 80 %d;", file);
    snprintf(want, sizeof(want), "\"listen\" has \"%d\": expected a listening socket in the environment:1",
             file);
    assert_int_not_equal(master_share_parse(&tree, text, &err), 0);
    assert_string_equal(err.text, want);
    close(file);
}

/* While another master has them, ours are only closed; without it, what nobody wants is removed. */
static void test_whose(void **state)
{
    for (int alone = 0; alone < 2; alone++) {
        struct one old, new;
        struct error err;

        (void)state;
        one_init(&old, "listen unix:a; listen unix:b;");
        one_init(&new, "listen unix:c;");
        assert_int_equal(master_share_begin(&new.master, copies(&old.master), &err), 0);
        master_share_trim(&new.master);
        assert_true(answers("a") && answers("b") && answers("c"));
        if (alone) { /* the old one was killed */
            master_listen_part(old.setup.core.tree);
            master_share_end(&new.master);
            assert_true(answers("c"));
        } else {
            master_setup_release(&new.master.shared);
            assert_true(answers("a") && answers("b"));
        }
        one_fini(&new);
        assert_false(answers("c"));
        assert_int_equal(access("c", F_OK), -1);
        one_fini(&old);
        unlink("a");
        unlink("b");
    }
}

/* The old one ends, and the new one has taken `a` only: that goes on, the file of the other goes with the last copy. */
static void test_old_one_ends(void **state)
{
    struct one old, new;
    struct error err;
    const struct conf_tree *tree;

    (void)state;
    one_init(&old, "listen unix:a; listen unix:b;");
    one_init(&new, "user x;");
    assert_int_equal(master_share_begin(&old.master, copies(&old.master), &err), 0);
    conf_tree_free(new.setup.core.tree);
    assert_int_equal(conf_parse_text(&new.setup.core.tree, "n.conf", "listen unix:a;", 14, &err), 0);
    tree = old.setup.core.tree;
    assert_int_equal(master_listen_inherit(new.setup.core.tree, tree, &err), 0);
    master_setup_close_listeners(&old.setup);
    master_setup_close_listeners(old.master.shared);
    master_setup_release(&old.master.shared);
    assert_true(answers("a"));
    assert_int_equal(access("b", F_OK), -1);
    one_fini(&old);
    assert_true(answers("a"));
    one_fini(&new);
    assert_int_equal(access("a", F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_old_one_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
