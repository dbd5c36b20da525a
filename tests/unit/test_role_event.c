/*
 * Listeners: their order, once, and what they may do to each other while they are called.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "role/role_event.h"

static struct role_listeners all;
static lpm_host host;
static lpm_handle one = {&host, "one"}, two = {&host, "two"};
static char calls[256];
static role_step_word step;
static uint32_t seen; /* of it, in the last call */

static size_t tell(const void *handle, const char *name)
{
    struct lpm_event ev = {.name = name, .data = {"data", 4}};
    return role_event_tell(&all, handle, &ev);
}

static int set_up(void **state)
{
    (void)state;
    role_event_init(&all, &step);
    role_event_host_init(&host);
    calls[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    role_event_fini(&all);
    return 0;
}

static void note(lpm_event *ev, void *arg)
{
    assert_int_equal(lpm_event_data(ev).len, 4);
    strcat(strcat(calls, arg), " ");
    seen = step;
}

static void order_and_names(void **state)
{
    (void)state;
    assert_int_equal(role_event_on(&all, &one, 0, "a", note, "1", false), 0);
    assert_int_equal(role_event_on(&all, &two, 1, "a", note, "2", false), 0);
    assert_int_equal(role_event_on(&all, &one, 0, "b", note, "3", false), 0);
    assert_int_equal(role_event_on(&all, &one, 0, "a", note, "4", false), 0);
    assert_int_equal(tell(NULL, "a"), 3);
    assert_int_equal(tell(&one, "a"), 2);
    assert_int_equal(seen, ROLE_STEP_EVENT << 16);
    assert_int_equal(tell(&two, "a"), 1);
    assert_int_equal(seen, ROLE_STEP_EVENT << 16 | 1);
    assert_int_equal(step, ROLE_STEP_NONE);
    assert_int_equal(tell(NULL, "c"), 0);
    assert_string_equal(calls, "1 2 4 1 4 2 ");
    assert_true(role_event_heard(&all, &two, "a"));
    assert_false(role_event_heard(&all, &two, "b"));
}

static void refused(void **state)
{
    char name[ROLE_EVENT_NAME_MAX + 2];

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(role_event_on(&all, &one, 0, NULL, note, "1", false), LPM_EINVAL);
    assert_int_equal(role_event_on(&all, &one, 0, "", note, "1", false), LPM_EINVAL);
    assert_int_equal(role_event_on(&all, &one, 0, "a", NULL, "1", false), LPM_EINVAL);
    assert_int_equal(role_event_on(&all, &one, 0, name, note, "1", false), LPM_EINVAL);
    assert_int_equal(role_event_on(&all, &one, 0, name + 1, note, "1", false), 0);
    assert_int_equal(role_event_off(&all, &one, "a", note, "1"), LPM_EINVAL);
    assert_int_equal(role_event_off(&all, &one, NULL, note, "1"), LPM_EINVAL);
}

static void names_for_modules(void **state)
{
    static const struct {
        const char *name;
        int in_worker, in_bus;
    } cases[] = {
        {"note", 0, 0},
        {"request", LPM_EINVAL, 0},
        {"softKill", LPM_EINVAL, 0},
        {"hardKill", LPM_EINVAL, 0},
        {"SIGINT", 0, LPM_EINVAL},
        {"online", 0, LPM_EINVAL},
        {"childSpawned", 0, LPM_EINVAL},
        {"childExited", 0, LPM_EINVAL},
        {"Online", 0, 0},
        {"", LPM_EINVAL, LPM_EINVAL},
        {NULL, LPM_EINVAL, LPM_EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(role_event_check(cases[i].name, ROLE_EVENT_IN_WORKER), cases[i].in_worker);
        assert_int_equal(role_event_check(cases[i].name, ROLE_EVENT_IN_BUS), cases[i].in_bus);
    }
}

static void once_and_off(void **state)
{
    static char arg[] = "x";

    (void)state;
    role_event_on(&all, &one, 0, "a", note, arg, true);
    role_event_on(&all, &one, 0, "a", note, arg, false);
    assert_int_equal(tell(NULL, "a"), 2);
    assert_int_equal(tell(NULL, "a"), 1);
    assert_int_equal(role_event_off(&all, &two, "a", note, arg), LPM_EINVAL);
    assert_int_equal(role_event_off(&all, &one, "a", note, arg), 0);
    assert_int_equal(tell(NULL, "a"), 0);
    assert_true(list_empty(&all.list));
}

static char later[] = "later", victim[] = "victim";

static void meddle(lpm_event *ev, void *arg)
{
    (void)ev;
    (void)arg;
    strcat(calls, "meddler ");
    role_event_on(&all, &one, 0, "a", note, later, false);
    role_event_off(&all, &one, "a", note, victim);
    role_event_off(&all, &one, "a", meddle, NULL);
    tell(NULL, "b");
}

static void meddling(void **state)
{
    (void)state;
    role_event_on(&all, &one, 0, "a", meddle, NULL, false);
    role_event_on(&all, &one, 0, "a", note, victim, false);
    role_event_on(&all, &one, 0, "b", note, "within", true);
    role_event_on(&all, &one, 0, "a", note, "rest", false);
    tell(NULL, "a");
    assert_string_equal(calls, "meddler within rest ");
    calls[0] = '\0';
    tell(NULL, "a");
    assert_string_equal(calls, "rest later ");
}

static void descriptors(void **state)
{
    int fd = 7;
    struct lpm_event with = {.handle = one, .name = "a", .fd = &fd}, without = {.handle = one, .name = "a"};

    (void)state;
    assert_int_equal(lpm_event_fd(&without), LPM_EINVAL);
    assert_int_equal(lpm_event_fd(&with), 7);
    assert_int_equal(lpm_event_fd(&with), LPM_EDONE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(order_and_names), TEST(refused),  TEST(names_for_modules),
                                       TEST(once_and_off),    TEST(meddling), TEST(descriptors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
