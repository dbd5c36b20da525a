/* The tree: finding, walking, memory, and errors that always name their place. */
#include "conf_fixture.h"

static void finds_by_name(void **state)
{
    (void)state;
    struct conf_tree *tree = fixture_parse("a 1; b { c; } a 2; a 3;");
    const struct lpm_conf *node = conf_tree_child(tree->root, "a");

    for (const char *expected = "123"; *expected; expected++) {
        assert_non_null(node);
        assert_int_equal(node->args[0].data[0], *expected);
        node = conf_tree_same(node);
    }
    assert_null(node);
    assert_null(conf_tree_child(tree->root, "c"));
    assert_null(conf_tree_child(NULL, "a"));
    assert_non_null(conf_tree_child(conf_tree_child(tree->root, "b"), "c"));
    conf_tree_free(tree);
}

static void walks_top_to_bottom(void **state)
{
    (void)state;
    struct conf_tree *tree = fixture_parse("a; b { c { d; } e { } } f;");
    char seen[16] = "";

    for (const struct lpm_conf *node = conf_tree_walk(tree->root); node; node = conf_tree_walk(node)) {
        strcat(seen, node->name);
    }
    assert_string_equal(seen, "abcdef");
    conf_tree_free(tree);

    tree = conf_tree_new();
    assert_non_null(tree);
    assert_null(conf_tree_walk(tree->root));
    conf_tree_free(tree);
}

static void binds_every_node(void **state)
{
    (void)state;
    struct conf_tree *tree = fixture_parse("a { b; } c;");
    const lpm_host host = {.size = sizeof(host)};
    int owner;

    conf_tree_bind(tree, &host, &owner);
    for (const struct lpm_conf *node = tree->root; node; node = conf_tree_walk(node)) {
        assert_ptr_equal(LPM_HOST(node), &host);
        assert_ptr_equal(node->handle.owner, &owner);
    }
    conf_tree_free(tree);
}

static void memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 3, 16, 100, 16384, 16385, 1000000, 1};
    struct conf_tree *tree = conf_tree_new();

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        unsigned char *memory = conf_tree_alloc(tree, sizes[i]);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < sizes[i]; j++) {
            assert_int_equal(memory[j], 0);
        }
        memset(memory, 0xff, sizes[i]);
    }
    assert_null(conf_tree_alloc(tree, SIZE_MAX));
    conf_tree_free(tree);
    conf_tree_free(NULL);
}

static void errors_name_the_place(void **state)
{
    (void)state;
    struct error err;
    struct lpm_conf node = {.file = "conf/lpm.conf", .line = 12};

    assert_int_equal(conf_tree_error(&node, &err, "bad \"%s\"", "x\ny"), LPM_ECONF);
    assert_string_equal(err.text, "bad \"x?y\" in conf/lpm.conf:12");
    conf_tree_hint(&err, "try %d", 5);
    assert_string_equal(err.text, "bad \"x?y\" in conf/lpm.conf:12, try 5");
    node.line = 0;
    conf_tree_error(&node, &err, "bad");
    assert_string_equal(err.text, "bad in conf/lpm.conf");
    node.file = NULL;
    conf_tree_error(&node, &err, "bad");
    assert_string_equal(err.text, "bad");
}

static void long_errors_keep_the_place(void **state)
{
    (void)state;
    struct error err;
    char text[5000], name[5000];

    memset(text, 't', sizeof(text) - 1);
    memset(name, 'n', sizeof(name) - 1);
    text[sizeof(text) - 1] = name[sizeof(name) - 1] = '\0';
    struct lpm_conf node = {.file = name, .line = 2147483647};
    conf_tree_error(&node, &err, "%s", text);
    conf_tree_hint(&err, "the hint");
    assert_non_null(strstr(err.text, "tt... in ...nn"));
    assert_non_null(strstr(err.text, "nn:2147483647, the hint"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_name),         cmocka_unit_test(walks_top_to_bottom),
        cmocka_unit_test(binds_every_node),      cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(errors_name_the_place), cmocka_unit_test(long_errors_keep_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
