/*
 * On whose behalf a request comes. Pure; what a proxy says is believed as far as it has the form of an address.
 */
#include "http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void take(struct http_client *client, const void *bytes, uint8_t len)
{
    client->len = len;
    memcpy(client->bytes, bytes, len);
}

static void take_in6(struct http_client *client, const struct in6_addr *address)
{
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        take(client, address->s6_addr + 12, 4);
    } else {
        take(client, address->s6_addr, 8);
    }
}

void http_client_of_peer(struct http_client *client, const struct sockaddr *peer)
{
    client->len = 0;
    if (peer->sa_family == AF_INET) {
        take(client, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    } else if (peer->sa_family == AF_INET6) {
        take_in6(client, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr);
    }
}

static lpm_slice last_word(lpm_slice list)
{
    while (list.len > 0 && strchr(" \t,", list.data[list.len - 1])) {
        list.len--;
    }
    for (size_t i = list.len; i > 0; i--) {
        if (strchr(" \t,", list.data[i - 1])) {
            return (lpm_slice){list.data + i, list.len - i};
        }
    }
    return list;
}

/* "1.2.3.4:5", "[::1]:5" and "[::1]" without what is not the address. */
static lpm_slice without_port(lpm_slice word)
{
    const char *colon = memchr(word.data, ':', word.len), *end = memchr(word.data, ']', word.len);

    if (word.data[0] == '[' && end) {
        return (lpm_slice){word.data + 1, (size_t)(end - word.data) - 1};
    }
    if (colon && !memchr(colon + 1, ':', word.len - (size_t)(colon + 1 - word.data))) {
        word.len = (size_t)(colon - word.data);
    }
    return word;
}

bool http_client_of_list(struct http_client *client, lpm_slice list, lpm_slice *word)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr in6;
    struct in_addr in;
    lpm_slice address;

    *word = last_word(list);
    client->len = 0;
    if (word->len == 0) {
        return false;
    }
    address = without_port(*word);
    if (address.len >= sizeof(text)) {
        return true;
    }
    memcpy(text, address.data, address.len);
    text[address.len] = '\0';
    if (inet_pton(AF_INET, text, &in) == 1) {
        take(client, &in, 4);
    } else if (inet_pton(AF_INET6, text, &in6) == 1) {
        take_in6(client, &in6);
    }
    return true;
}
