/*
 * Innocent requests beside a test. Runs in test programs. Fails the test when one is not answered with 200.
 */
#include "crowd.h"

#include <string.h>

#include "fail.h"
#include "wait.h"

void crowd_open(struct crowd *crowd, int port)
{
    crowd->answered = 0;
    for (size_t i = 0; i < CROWD_SIZE; i++) {
        client_open(&crowd->clients[i], port);
    }
}

void crowd_close(struct crowd *crowd)
{
    for (size_t i = 0; i < CROWD_SIZE; i++) {
        client_close(&crowd->clients[i]);
    }
}

void crowd_send(struct crowd *crowd)
{
    for (size_t i = 0; i < CROWD_SIZE; i++) {
        if (!client_request(&crowd->clients[i], "GET", "/hello", "", "", 0)) {
            fail_test("innocent connection %zu was closed", i);
        }
    }
}

void crowd_check(struct crowd *crowd)
{
    for (size_t i = 0; i < CROWD_SIZE; i++) {
        struct response r;
        client_read(&crowd->clients[i], &r, CLIENT_MS);
        if (r.status != 200 || r.broken || strcmp(r.body, "hello\n") != 0) {
            fail_test("an innocent request, after %zu good ones, got %d: %s", crowd->answered, r.status,
                      r.body);
        }
        client_forget(&r);
        crowd->answered++;
    }
}

void crowd_until(struct crowd *crowd, struct client *c, int timeout_ms)
{
    uint64_t deadline = wait_until(timeout_ms);

    do {
        if (wait_left(deadline) == 0) {
            fail_test("no answer within %d ms", timeout_ms);
        }
        crowd_send(crowd);
        crowd_check(crowd);
    } while (!client_readable(c, 0));
}
