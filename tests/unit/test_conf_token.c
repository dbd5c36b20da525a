/* Words, quotes and backslashes. */
#include "conf_fixture.h"

#include "conf/conf_token.h"

/* The tokens of a text: words in <>, marks as they are. */
static void assert_tokens(const char *text, const char *expected)
{
    struct conf_source source;
    struct conf_token token;
    struct error err = {.text = ""};
    char room[256] = "", word[64];

    assert_int_equal(conf_token_begin(&source, "a.conf", text, strlen(text), &err), LPM_OK);
    for (;;) {
        if (conf_token_next(&source, &token, &err) != LPM_OK) {
            strcat(room, err.text);
            break;
        }
        if (token.type == CONF_TOKEN_END) {
            break;
        }
        if (token.type == CONF_TOKEN_WORD) {
            size_t len = conf_token_text(&token, word);
            assert_int_equal(len, strlen(word));
            sprintf(room + strlen(room), "<%s>", word);
        } else {
            strcat(room, token.type == CONF_TOKEN_OPEN ? "{" : token.type == CONF_TOKEN_CLOSE ? "}" : ";");
        }
    }
    assert_string_equal(room, expected);
}

static void reads_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tokens;
    } cases[] = {
        {"a b;{}", "<a><b>;{}"},
        {"a;b{c}d", "<a>;<b>{<c>}<d>"},
        {"\"a b\" 'c;d' \"{\"", "<a b><c;d><{>"},
        {"\"\" ''", "<><>"},
        {"\"a\";'b'{'c'}", "<a>;<b>{<c>}"},
        {"\"a'b\" 'a\"b'", "<a'b><a\"b>"},
        {"\"a\\\"b\" 'a\\'b'", "<a\"b><a'b>"},
        {"\"a\\\\\" b", "<a\\><b>"},
        {"\"\\t\\r\\n\"", "<\t\r\n>"},
        {"\"\\d\\.\"", "<\\d\\.>"},
        {"a\\;b", "<a\\;b>"},
        {"a\\", "<a\\>"},
        {"it's a\"b\"", "<it's><a\"b\">"},
        {"#a\nb#c #d\n", "<b#c>"},
        {"\"#\"", "<#>"},
        {"a\n\"b\nc", "<a>a quote is opened and never closed in a.conf:2"},
        {"\"a\\\"", "a quote is opened and never closed in a.conf:1"},
        {"'a\n'b", "unexpected \"b\" right after a closing quote in a.conf:2"},
        {"'a''b'", "unexpected \"'\" right after a closing quote in a.conf:1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_tokens(cases[i].text, cases[i].tokens);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
