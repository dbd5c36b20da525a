/*
 * Many binary upgrades under load, one after the other: no request fails, nothing grows or stays.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "client.h"
#include "server.h"
#include "upgrade.h"

#define UPGRADES 20
#define SECONDS  25

static void upgrades(struct server *s, const char *script)
{
    upgrade_program(s);
    server_conf(s, SERVER_MODULES "worker { count 2; }\n"
                                  "http { listen 127.0.0.1:0; location /hello { handler hello; } }\n");
    server_start(s, NULL);
    upgrade_under_load(s, script, UPGRADES, 50, SECONDS);
    assert_int_equal(server_pid(s, "stand-in"), s->pid);
    assert_int_equal(server_pid(s, "master"), upgrade_pid(s, "run/lpm.pid"));
    server_pid(s, "bus"); /* the only one */
    assert_int_equal(client_get(server_port(s), "/hello", NULL), 200);
    server_stop(s);
}

static void test_keep_alive(void **state)
{
    upgrades(*state, NULL);
}

static void test_new_connections(void **state)
{
    struct server *s = *state;
    char path[4200];

    server_write(s, "close.lua", "wrk.headers[\"Connection\"] = \"close\"\n");
    upgrades(s, server_path(s, "close.lua", path, sizeof(path)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keep_alive, server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(test_new_connections, server_setup, server_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
