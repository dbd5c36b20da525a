/*
 * The ledger. Runs in test programs; what may not be fails the test.
 */
#include "ledger.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fail.h"

void ledger_init(struct ledger *ledger, int port)
{
    memset(ledger, 0, sizeof(*ledger));
    ledger->port = port;
}

void ledger_close(struct ledger *ledger)
{
    for (size_t i = 0; i < LEDGER_SLOTS; i++) {
        if (ledger->slots[i].open) {
            client_close(&ledger->slots[i].client);
            ledger->slots[i].open = false;
        }
    }
}

void ledger_fini(struct ledger *ledger)
{
    ledger_close(ledger);
    free(ledger->entries);
}

size_t ledger_free_slot(const struct ledger *ledger, size_t from, size_t to)
{
    while (from < to && ledger->slots[from].waits) {
        from++;
    }
    return from;
}

static struct ledger_entry *new_entry(struct ledger *ledger)
{
    if (ledger->count == ledger->room) {
        ledger->room = ledger->room ? ledger->room * 2 : 1024;
        ledger->entries = realloc(ledger->entries, ledger->room * sizeof(*ledger->entries));
        assert_non_null(ledger->entries);
    }
    ledger->entries[ledger->count] = (struct ledger_entry){0};
    return &ledger->entries[ledger->count++];
}

static void open_slot(struct ledger *ledger, struct ledger_slot *slot)
{
    int error = client_try_open(&slot->client, ledger->port);

    if (error != 0) {
        fail_test("cannot connect: %s", strerror(error));
    }
    slot->open = true;
    slot->buses = ledger->buses;
}

/* It has gone down with its bus. */
static bool is_lost(const struct ledger *ledger, const struct ledger_slot *slot)
{
    return slot->buses != ledger->buses;
}

void ledger_send(struct ledger *ledger, size_t at, const char *method, const char *prefix, const char *order,
                 const char *statuses)
{
    struct ledger_slot *slot = &ledger->slots[at];
    struct ledger_entry *entry = new_entry(ledger);
    char target[256], fields[64];

    slot->request = ledger->count - 1;
    entry->what = order;
    entry->statuses = statuses;
    if (!slot->open) {
        open_slot(ledger, slot);
    }
    snprintf(target, sizeof(target), "%s/%zu?%s+0+%zu", prefix, slot->request, order, slot->request);
    snprintf(fields, sizeof(fields), "x-tag: %zu\r\n", slot->request);
    client_request(&slot->client, method, target, fields, "",
                   0); /* what is wrong with it is found when it is read */
    slot->waits = true;
    ledger->waiting++;
}

static void book(struct ledger *ledger, struct ledger_slot *slot, int status)
{
    ledger->entries[slot->request].status = status;
    slot->waits = false;
    ledger->waiting--;
}

static void drop(struct ledger_slot *slot)
{
    client_close(&slot->client);
    slot->open = false;
}

static void check_answer(const struct ledger *ledger, const struct ledger_slot *slot,
                         const struct response *r)
{
    const struct ledger_entry *entry = &ledger->entries[slot->request];
    char status[16], tag[32];

    snprintf(status, sizeof(status), "%d", r->status);
    if (!strstr(entry->statuses, status)) {
        fail_test("request %zu (%s) ended with %d, expected one of %s: %s", slot->request, entry->what,
                  r->status, entry->statuses, r->body ? r->body : "");
    }
    if (r->status == 200 &&
        (!client_field(r, "x-tag", tag, sizeof(tag)) || strtoul(tag, NULL, 10) != slot->request)) {
        fail_test("request %zu (%s) got the answer of another", slot->request, entry->what);
    }
}

/* Something has come for it: an answer, or the end of the connection. */
static void take(struct ledger *ledger, struct ledger_slot *slot)
{
    char room[32];
    struct response r;

    client_read(&slot->client, &r, CLIENT_MS);
    if (r.status == 0 || r.broken) {
        if (!is_lost(ledger, slot)) {
            fail_test("request %zu (%s) ended without an answer", slot->request,
                      ledger->entries[slot->request].what);
        }
        book(ledger, slot, LEDGER_LOST);
        drop(slot);
    } else {
        check_answer(ledger, slot, &r);
        book(ledger, slot, r.status);
        if (slot->client.in_len > 0) {
            fail_test("request %zu (%s) was answered twice", slot->request,
                      ledger->entries[slot->request].what);
        }
        if (client_field(&r, "connection", room, sizeof(room)) && strcmp(room, "close") == 0) {
            drop(slot);
        }
    }
    client_forget(&r);
}

/* Nothing was asked for there: only the end may come, and only with the bus. */
static void take_unasked(struct ledger *ledger, struct ledger_slot *slot)
{
    char byte;

    if (recv(slot->client.fd, &byte, 1, MSG_DONTWAIT) > 0) {
        fail_test("request %zu (%s) was answered twice", slot->request, ledger->entries[slot->request].what);
    }
    if (!is_lost(ledger, slot)) {
        fail_test("the connection of request %zu (%s) was closed", slot->request,
                  ledger->entries[slot->request].what);
    }
    drop(slot);
}

void ledger_wait(struct ledger *ledger, int timeout_ms)
{
    struct pollfd fds[LEDGER_SLOTS];

    for (size_t i = 0; i < LEDGER_SLOTS; i++) {
        fds[i] = (struct pollfd){ledger->slots[i].open ? ledger->slots[i].client.fd : -1, POLLIN, 0};
    }
    if (poll(fds, LEDGER_SLOTS, timeout_ms) < 0 && errno != EINTR) {
        fail_test("poll: %s", strerror(errno));
    }
    for (size_t i = 0; i < LEDGER_SLOTS; i++) {
        if (fds[i].revents && ledger->slots[i].waits) {
            take(ledger, &ledger->slots[i]);
        } else if (fds[i].revents) {
            take_unasked(ledger, &ledger->slots[i]);
        }
    }
}

static void check_ended(const struct ledger *ledger)
{
    for (size_t i = 0; i < LEDGER_SLOTS; i++) {
        const struct ledger_slot *slot = &ledger->slots[i];
        if (slot->waits) {
            fail_test("request %zu (%s) has no end", slot->request, ledger->entries[slot->request].what);
        }
    }
}

void ledger_drain(struct ledger *ledger)
{
    size_t before;

    do {
        before = ledger->waiting;
        ledger_wait(ledger, before > 0 ? CLIENT_MS : 0);
    } while (ledger->waiting != before);
    check_ended(ledger);
}

void ledger_bus_died(struct ledger *ledger)
{
    ledger->buses++;
}

size_t ledger_outcomes(const struct ledger *ledger, int status)
{
    size_t count = 0;

    for (size_t i = 0; i < ledger->count; i++) {
        count += ledger->entries[i].status == status;
    }
    return count;
}
