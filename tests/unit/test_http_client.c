/*
 * Who counts as one client: addresses of sockets, and what proxies say.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "http/http_client.h"

static void check(const struct http_client *client, const char *bytes, size_t len)
{
    assert_int_equal(client->len, len);
    assert_memory_equal(client->bytes, bytes, len);
}

static void the_peer_of_a_socket(void **state)
{
    struct http_client client = {.len = 3};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = 1};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    (void)state;
    inet_pton(AF_INET, "10.1.2.3", &in.sin_addr);
    http_client_of_peer(&client, (struct sockaddr *)&in);
    check(&client, "\x0a\x01\x02\x03", 4);
    inet_pton(AF_INET6, "2001:db8:1:2:3:4:5:6", &in6.sin6_addr);
    http_client_of_peer(&client, (struct sockaddr *)&in6);
    check(&client, "\x20\x01\x0d\xb8\x00\x01\x00\x02", 8);
    inet_pton(AF_INET6, "::ffff:10.1.2.3", &in6.sin6_addr);
    http_client_of_peer(&client, (struct sockaddr *)&in6);
    check(&client, "\x0a\x01\x02\x03", 4);
    http_client_of_peer(&client, (struct sockaddr *)&un);
    check(&client, "", 0);
}

static void what_a_proxy_says(void **state)
{
    static const struct {
        const char *list, *word; /* NULL: there is none */
        const char *bytes;
        size_t len;
    } cases[] = {
        {"10.1.2.3", "10.1.2.3", "\x0a\x01\x02\x03", 4},
        {"1.1.1.1, 10.1.2.3", "10.1.2.3", "\x0a\x01\x02\x03", 4},
        {"1.1.1.1,10.1.2.3 ,", "10.1.2.3", "\x0a\x01\x02\x03", 4},
        {"10.1.2.3:4711", "10.1.2.3:4711", "\x0a\x01\x02\x03", 4},
        {"2001:db8:1:2::7", "2001:db8:1:2::7", "\x20\x01\x0d\xb8\x00\x01\x00\x02", 8},
        {"[2001:db8:1:2::7]", "[2001:db8:1:2::7]", "\x20\x01\x0d\xb8\x00\x01\x00\x02", 8},
        {"[2001:db8:1:2::8]:80", "[2001:db8:1:2::8]:80", "\x20\x01\x0d\xb8\x00\x01\x00\x02", 8},
        {"::ffff:10.1.2.3", "::ffff:10.1.2.3", "\x0a\x01\x02\x03", 4},
        {"unknown", "unknown", "", 0},
        {"[", "[", "", 0},
        {":", ":", "", 0},
        {"10.1.2.300", "10.1.2.300", "", 0},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", 0},
        {"", NULL, NULL, 0},
        {" , ", NULL, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_client client = {.len = 3};
        lpm_slice word;
        bool named = http_client_of_list(&client, lpm_slice_of(cases[i].list), &word);
        assert_int_equal(named, cases[i].word != NULL);
        if (named) {
            assert_true(lpm_slice_is(word, cases[i].word));
            check(&client, cases[i].bytes, cases[i].len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_peer_of_a_socket),
                                       cmocka_unit_test(what_a_proxy_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
