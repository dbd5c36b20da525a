/*
 * core/bus/bus_slow and bus_quarantine: which handlers show their stack, and which requests are refused.
 */
#include "bus_fixture.h"

#include "bus/bus_quarantine.h"
#include "bus/bus_slow.h"

#define LONG_AGO (clock_now() - 10 * CLOCK_NS_PER_S)

/* -- Slow handlers ------------------------------------------------------------------------------------ */

static struct fixture *slow_fixture(void)
{
    struct fixture *f = fixture_new();

    f->conf.slow_request = 5000;
    start_ready_worker(f);
    while (master_hears(f) != CONTROL_TYPE_END) {
    }
    return f;
}

/* As if the handler had been seen first ten seconds ago. */
static void age(struct fixture *f)
{
    bus_slow_look(worker(f));
    worker(f)->slow.since = LONG_AGO;
    f->bus.slow_next = 0;
    bus_slow_look(worker(f));
}

static void a_slow_handler_is_told_once(void **state)
{
    struct fixture *f = slow_fixture();

    (void)state;
    channel_show_running(f->channel, 1);
    bus_slow_look(worker(f));
    assert_int_equal(master_hears(f), CONTROL_TYPE_END);
    age(f);
    assert_int_equal(master_hears(f), CONTROL_WORKER_SHOW);
    age(f);
    assert_int_equal(master_hears(f), CONTROL_TYPE_END);
    channel_show_running(f->channel, 2);
    age(f);
    assert_int_equal(master_hears(f), CONTROL_WORKER_SHOW);
    fixture_free(f);
}

static void calls_are_told_apart(void **state)
{
    struct fixture *f = slow_fixture();

    (void)state;
    for (int i = 0; i < 2; i++) {
        channel_show_call(f->channel, 0);
        age(f);
        assert_int_equal(master_hears(f), CONTROL_WORKER_SHOW);
        channel_show_called(f->channel);
    }
    fixture_free(f);
}

static void who_is_not_told(void **state)
{
    struct fixture *f = slow_fixture();

    (void)state;
    age(f); /* it runs nothing */
    assert_false(bus_slow_watches(worker(f)));
    channel_show_running(f->channel, 1);
    assert_true(bus_slow_watches(worker(f)));
    f->conf.slow_request = LPM_NONE;
    age(f);
    assert_false(bus_slow_watches(worker(f)));
    f->conf.slow_request = 11000;
    age(f);
    assert_int_equal(master_hears(f), CONTROL_TYPE_END);
    fixture_free(f);
}

/* One a second; it is not forgotten. */
static void not_all_at_once(void **state)
{
    struct fixture *f = slow_fixture();

    (void)state;
    channel_show_running(f->channel, 1);
    age(f);
    assert_int_equal(master_hears(f), CONTROL_WORKER_SHOW);
    channel_show_running(f->channel, 2);
    bus_slow_look(worker(f));
    worker(f)->slow.since = LONG_AGO;
    bus_slow_look(worker(f));
    assert_int_equal(master_hears(f), CONTROL_TYPE_END);
    f->bus.slow_next = clock_now();
    bus_slow_look(worker(f));
    assert_int_equal(master_hears(f), CONTROL_WORKER_SHOW);
    fixture_free(f);
}

/* -- Quarantine --------------------------------------------------------------------------------------- */

static struct fixture *quarantine_fixture(int64_t limit)
{
    struct fixture *f = fixture_new();
    struct role_quarantine *table = calloc(1, sizeof(*table));

    assert_non_null(table);
    role_quarantine_init(table);
    f->start.quarantine = table;
    f->core.quarantine = limit;
    return f;
}

static void quarantine_free(struct fixture *f)
{
    free(f->start.quarantine);
    fixture_free(f);
}

static int enqueue_as(struct fixture *f, const char *method, const char *path, const char *data)
{
    lpm_header headers[] = {{lpm_slice_of(":method"), lpm_slice_of(method)},
                            {lpm_slice_of(":path"), lpm_slice_of(path)},
                            {lpm_slice_of("x-other"), lpm_slice_of(data)}};
    lpm_enqueue spec = {.size = sizeof(spec),
                        .handler = &f->handler,
                        .headers = headers,
                        .header_count = 3,
                        .data = data,
                        .len = strlen(data),
                        .timeout = LPM_NONE,
                        .retries = 0};
    return lpm_supervisor_enqueue(&f->supervisor, &spec, NULL, NULL);
}

/* The request that waits alone in the queue is found to be poison. */
static void condemn(struct fixture *f)
{
    struct bus_request *req = LIST_ENTRY(bus_queue_next(&f->bus.pools->queue), struct bus_request, item);

    req->kills = 2;
    bus_quarantine_add(&f->bus, req);
}

static void its_like_are_refused(void **state)
{
    static const struct {
        const char *method, *path, *data;
        bool alike;
    } cases[] = {
        {"GET", "/a?b", "xy", true},  {"POST", "/a?b", "xy", false}, {"GET", "/a?c", "xy", false},
        {"GET", "/a", "?bxy", false}, {"GET", "/a?b", "xz", false},  {"GET", "/a?bx", "y", false},
        {"GE", "T/a?b", "xy", false}, {"GET", "/a?b", "xy", true},
    };
    static const lpm_module modern = {.name = "m", .needs = 2, .request = handle};
    struct fixture *f = quarantine_fixture(1000);

    (void)state;
    assert_int_equal(enqueue_as(f, "GET", "/a?b", "xy"), 0);
    condemn(f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int rc = enqueue_as(f, cases[i].method, cases[i].path, cases[i].data);
        assert_int_equal(rc, cases[i].alike ? LPM_EWORKER : 0); /* the module is one of 1.0 */
    }
    assert_int_equal(f->bus.quarantine_refused, 2);
    f->supervisor.module = &modern;
    assert_int_equal(enqueue_as(f, "GET", "/a?b", "xy"), LPM_EPOISON);
    quarantine_free(f);
}

static void another_build_is_another(void **state)
{
    struct role_quarantine_entry list[ROLE_QUARANTINE_MAX];
    struct fixture *f = quarantine_fixture(1000);

    (void)state;
    strcpy(f->handler.build, "one");
    assert_int_equal(enqueue_as(f, "GET", "/", "x"), 0);
    condemn(f);
    assert_int_equal(enqueue_as(f, "GET", "/", "x"), LPM_EWORKER);
    assert_int_equal(bus_quarantine_list(&f->bus, list), 1);
    strcpy(f->handler.build, "two");
    assert_int_equal(enqueue_as(f, "GET", "/", "x"), 0);
    assert_int_equal(bus_quarantine_list(&f->bus, list), 0);
    quarantine_free(f);
}

static void what_people_see(void **state)
{
    struct role_quarantine_entry list[ROLE_QUARANTINE_MAX];
    struct fixture *f = quarantine_fixture(LPM_NONE);
    char print[BUS_QUARANTINE_TEXT_SIZE];

    (void)state;
    assert_int_equal(enqueue_as(f, "GET", "/\xff\x1b?token=secret", "x"), 0);
    condemn(f);
    assert_int_equal(bus_quarantine_list(&f->bus, list), 1);
    assert_string_equal(list[0].path, "/??");
    assert_string_equal(list[0].method, "GET");
    assert_string_equal(list[0].handler, "m");
    assert_int_equal(list[0].deaths, 2);
    snprintf(print, sizeof(print), "%016llx", (unsigned long long)list[0].fingerprint);
    assert_int_equal(bus_quarantine_release(&f->bus, "xyz"), LPM_EINVAL);
    assert_int_equal(bus_quarantine_release(&f->bus, ""), LPM_EINVAL);
    assert_int_equal(bus_quarantine_release(&f->bus, "0"), LPM_EINVAL);
    assert_int_equal(bus_quarantine_release(&f->bus, print), 1);
    assert_int_equal(bus_quarantine_release(&f->bus, print), 0);
    assert_int_equal(bus_quarantine_release(&f->bus, "all"), 0);
    quarantine_free(f);
}

static void without_quarantine(void **state)
{
    struct fixture *f = quarantine_fixture(0);
    struct fixture *none = fixture_new();

    (void)state;
    assert_int_equal(enqueue_as(f, "GET", "/", "x"), 0);
    condemn(f);
    assert_int_equal(enqueue_as(f, "GET", "/", "x"), 0);
    none->core.quarantine = 1000;
    assert_int_equal(enqueue_as(none, "GET", "/", "x"), 0);
    condemn(none);
    assert_int_equal(enqueue_as(none, "GET", "/", "x"), 0);
    assert_int_equal(bus_quarantine_release(&none->bus, "all"), 0);
    quarantine_free(f);
    fixture_free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_handler_is_told_once),
        cmocka_unit_test(calls_are_told_apart),
        cmocka_unit_test(who_is_not_told),
        cmocka_unit_test(not_all_at_once),
        cmocka_unit_test(its_like_are_refused),
        cmocka_unit_test(another_build_is_another),
        cmocka_unit_test(what_people_see),
        cmocka_unit_test(without_quarantine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
