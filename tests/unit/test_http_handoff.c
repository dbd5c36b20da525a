/*
 * Listeners with the word `handoff`, in the bus: what they accept goes to a worker, and what becomes of it there.
 */
#include "test_http_host.h"

#define LOCATION "location / { handler echo ; }"

static struct client a, b;

/* serve() in the bus, with a listener that hands off. */
static void serve_handoff(const char *directives)
{
    char text[256];

    serve(LOCATION);
    hard_kill();
    snprintf(text, sizeof(text), "http { listen x handoff ; %s }", directives);
    conf_set(text);
    host.hold = true;
    assert_int_equal(lpm_module_v1.supervisor_init(&host.supervisor), 0);
    lpm_module_v1.supervisor_online(&host.supervisor);
}

/* The worker has it: the bus's copy is closed, and it counts. */
static void take(size_t i)
{
    close(host.taken[i].socket);
    host.sockets++;
    answer_text(i, "");
}

static void test_goes_to_a_worker(void **state)
{
    struct sockaddr_in peer, own;
    socklen_t len = sizeof(own);

    (void)state;
    serve_handoff("header_timeout 5s ; " LOCATION);
    client_open(&a);
    PUMP_UNTIL(host.taken_count == 1);
    assert_true(host.taken[0].socket > 0);
    assert_true((fcntl(host.taken[0].socket, F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(host.taken[0].timeout, 5000);
    assert_int_equal(host.taken[0].retries, 0);
    assert_int_equal(host.taken[0].len, sizeof(peer));
    memcpy(&peer, host.taken[0].data, sizeof(peer));
    assert_int_equal(getsockname(a.fd, (struct sockaddr *)&own, &len), 0);
    assert_int_equal(peer.sin_port, own.sin_port);
    assert_int_equal(send(host.taken[0].socket, "x", 1, 0), 1); /* nobody else has it */
    PUMP_UNTIL(client_has(&a, "x"));
    take(0);
    PUMP_UNTIL(client_closed(&a));
    client_close(&a);
    stop();
}

/* What the bus refuses, or what finds no worker, is closed, and the log says so once in a while. */
static void test_refused(void **state)
{
    (void)state;
    serve_handoff(LOCATION);
    host.refusal = LPM_ESHED;
    client_open(&a);
    PUMP_UNTIL(client_closed(&a));
    assert_string_equal(host.said, "a connection is closed: no worker takes it");
    client_close(&a);
    host.refusal = 0;
    client_open(&a);
    PUMP_UNTIL(host.taken_count == 1);
    close(host.taken[0].socket); /* as lpm does before it tells */
    host.said[0] = '\0';
    answer(0, LPM_EWORKER, NULL, 0, "", 0);
    assert_string_equal(host.said, ""); /* it was said within this second */
    client_close(&a);
    stop();
}

/* Those that workers have count; there is room again when one of them is closed. */
static void test_max_connections(void **state)
{
    (void)state;
    serve_handoff("max_connections 2 ; " LOCATION);
    client_open(&a);
    PUMP_UNTIL(host.taken_count == 1);
    take(0);
    host.sockets = 2;
    client_open(&b);
    PUMP_UNTIL(host.taken_count == 2); /* as many as there was room for when it was counted */
    take(1);
    client_close(&b);
    client_open(&b);
    settle();
    assert_int_equal(host.taken_count, 2);
    host.sockets = 1;
    PUMP_UNTIL(host.taken_count == 3);
    take(2);
    client_close(&a);
    client_close(&b);
    stop();
}

static void test_drain(void **state)
{
    (void)state;
    serve_handoff(LOCATION);
    client_open(&a);
    PUMP_UNTIL(host.taken_count == 1);
    client_open(&b); /* waits to be accepted */
    soft_kill();
    assert_int_equal(host.taken_count, 2);
    assert_int_equal(host.done, 0);
    take(1);
    assert_int_equal(host.done, 0);
    take(0);
    assert_int_equal(host.done, 1);
    client_close(&a);
    client_close(&b);
    stop();
}

/* The end comes first: nothing is called any more. */
static void test_hard_kill(void **state)
{
    (void)state;
    serve_handoff(LOCATION);
    client_open(&a);
    PUMP_UNTIL(host.taken_count == 1);
    hard_kill();
    assert_null(host.context);
    close(host.taken[0].socket);
    client_close(&a);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BUS(test_goes_to_a_worker), IN_BUS(test_refused), IN_BUS(test_max_connections), IN_BUS(test_drain),
        IN_BUS(test_hard_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
