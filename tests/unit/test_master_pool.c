/*
 * The places of a pool in the master, as the bus has them added and given up, with workers that only wait for their end; the
 * test is the bus.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <event2/event.h>
#include <lpm/module.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/conf_parse.h"
#include "master/master_control.h"
#include "master/master_generation.h"
#include "master/master_pool.h"
#include "master/master_worker.h"

#define BUS_MAX 64 /* workers that the bus has heard of */

struct fixture {
    struct master master;
    struct master_setup setup;
    struct master_generation generation;
    int bus;               /* its end */
    int channels[BUS_MAX]; /* the workers' */
    size_t channel_count;
};

/* Until the bus has closed its channel. */
static int worker_role(struct role_start *start)
{
    struct pollfd end = {start->channel, 0, 0};

    signal(SIGTERM, SIG_DFL);
    poll(&end, 1, -1);
    _exit(0);
}

static const struct master_roles roles = {.worker = worker_role};

/* A pool of one place as `worker` says; its worker runs and is ready. */
static struct fixture *fixture_new(const char *worker)
{
    static const struct conf_table table = {.owner = "core", .rows = conf_core_directives};
    static const struct conf_schema schema = {.tables = &table, .table_count = 1, .partial = true};
    struct fixture *f = calloc(1, sizeof(*f));
    struct error err;
    char conf[256];
    int fds[2];

    assert_non_null(f);
    snprintf(conf, sizeof(conf), "load_module m.so; worker { %s }", worker);
    assert_int_equal(conf_parse_text(&f->setup.core.tree, "test.conf", conf, strlen(conf), &err), 0);
    assert_int_equal(conf_schema_check(f->setup.core.tree, &schema, &err), 0);
    assert_int_equal(conf_core_read(&f->setup.core, f->setup.core.tree, &err), 0);
    assert_int_equal(control_pair(fds, &err), 0);
    log_init(&f->master.log, -1, LPM_LOG_NOTICE, "master");
    f->setup.master = &f->master;
    log_init(&f->setup.log, -1, LPM_LOG_NOTICE, "master");
    f->master.roles = &roles;
    f->master.pid = getpid();
    f->master.launcher = f->master.signals = -1;
    f->master.base = event_base_new();
    assert_non_null(f->master.base);
    list_init(&f->master.generations);
    f->generation.master = &f->master;
    f->generation.setup = &f->setup;
    f->generation.core = &f->setup.core;
    f->generation.number = 1;
    f->generation.state = MASTER_ACTIVE;
    f->generation.bus_phase = POLICY_SERVING;
    list_init(&f->generation.messages);
    assert_int_equal(master_pool_init(&f->generation), 0);
    assert_int_equal(master_control_open(&f->generation, fds[0]), 0);
    f->bus = fds[1];
    assert_int_equal(master_worker_start_all(&f->generation, &err), 0);
    master_worker_ready(&f->generation.pools[0].workers[0]);
    return f;
}

static struct master_worker *at(struct fixture *f, size_t index)
{
    return &f->generation.pools[0].workers[index];
}

static void reap(struct fixture *f, size_t index)
{
    int status;

    assert_int_equal(waitpid(at(f, index)->pid, &status, 0), at(f, index)->pid);
    master_worker_reaped(at(f, index), status);
}

static void end(struct fixture *f, size_t index)
{
    kill(at(f, index)->pid, SIGKILL);
    reap(f, index);
}

static void fixture_free(struct fixture *f)
{
    f->generation.state = MASTER_KILLING;
    for (size_t i = 0; i < f->generation.pools[0].places; i++) {
        if (at(f, i)->pid > 0) {
            end(f, i);
        }
    }
    master_control_close(&f->generation);
    master_pool_fini(&f->generation);
    event_base_free(f->master.base);
    conf_tree_free(f->setup.core.tree);
    close(f->bus);
    for (size_t i = 0; i < f->channel_count; i++) {
        close(f->channels[i]);
    }
    free(f);
}

/* The next message to the bus of that type, or one of type CONTROL_TYPE_END. */
static struct control hear(struct fixture *f, enum control_type type)
{
    struct control message;
    int fd;

    while (control_receive(f->bus, &message, &fd) == 1) {
        if (fd >= 0) {
            assert_true(f->channel_count < BUS_MAX);
            f->channels[f->channel_count++] = fd;
        }
        if (message.type == type) {
            return message;
        }
    }
    message.type = CONTROL_TYPE_END;
    return message;
}

/* The bus says it. */
static void say(struct fixture *f, enum control_type type, uint32_t index, uint32_t incarnation)
{
    struct control message = {.type = type, .index = index, .incarnation = incarnation};

    assert_int_equal(control_send(f->bus, &message, -1), 0);
    master_control_read(&f->generation);
}

static bool waits_to_refill(struct fixture *f)
{
    return event_pending(f->generation.pools[0].refill_timer, EV_TIMEOUT, NULL) != 0;
}

/* Runs the master's timers until the place has a worker. */
static void turn_until_filled(struct fixture *f, size_t index)
{
    uint64_t limit = clock_now() + 5 * CLOCK_NS_PER_S;

    while (at(f, index)->pid == 0 && clock_now() < limit) {
        event_base_loop(f->master.base, EVLOOP_ONCE);
    }
    assert_true(at(f, index)->pid > 0);
}

static void test_a_new_place(void **state)
{
    struct fixture *f = fixture_new("restarts 0;");
    struct control message = hear(f, CONTROL_WORKER_NEW);

    (void)state;
    assert_int_equal(message.index, 0);
    say(f, CONTROL_RESIZE, 1, 0);
    message = hear(f, CONTROL_WORKER_NEW);
    assert_int_equal(message.index, 1);
    assert_int_equal(message.incarnation, 0);
    assert_int_equal(message.pid, at(f, 1)->pid);
    assert_int_equal(f->generation.pools[0].restart.count, 0); /* with "restarts 0" none would be allowed */
    assert_false(f->generation.control_over);
    assert_true(event_pending(at(f, 1)->ready_timer, EV_TIMEOUT, NULL));
    say(f, CONTROL_WORKER_READY, 1, 0);
    assert_false(event_pending(at(f, 1)->ready_timer, EV_TIMEOUT, NULL));
    fixture_free(f);
}

/* A new worker that dies before it is ready is one that died: its place is filled again as the policy says. */
static void test_a_new_place_follows_the_policy(void **state)
{
    struct fixture *f = fixture_new("restarts 1;");

    (void)state;
    say(f, CONTROL_RESIZE, 1, 0);
    end(f, 1);
    turn_until_filled(f, 1);
    assert_int_equal(at(f, 1)->incarnation, 1);
    assert_int_equal(f->generation.pools[0].restart.count, 1);
    end(f, 1);
    assert_int_equal(at(f, 1)->pid, 0);
    assert_true(f->generation.pools[0].degraded);
    fixture_free(f);
}

static void test_a_place_that_is_given_up(void **state)
{
    struct fixture *f = fixture_new("drain_timeout 5s;");

    (void)state;
    say(f, CONTROL_RESIZE, 1, 0);
    say(f, CONTROL_WORKER_REMOVE, 0, 0);
    assert_true(event_pending(at(f, 0)->ready_timer, EV_TIMEOUT, NULL));
    end(f, 0); /* however it ends */
    assert_int_equal(at(f, 0)->pid, 0);
    assert_false(waits_to_refill(f));
    assert_int_equal(hear(f, CONTROL_WORKER_GONE).index, 0);
    /* Taken back, it is filled at no cost. */
    say(f, CONTROL_RESIZE, 0, 0);
    turn_until_filled(f, 0);
    assert_int_equal(at(f, 0)->incarnation, 1);
    assert_int_equal(f->generation.pools[0].restart.count, 0);
    fixture_free(f);
}

/* The bus speaks of the one that has died; another has come that it does not know of. */
static void test_a_place_whose_worker_was_just_replaced(void **state)
{
    struct fixture *f = fixture_new("restarts 5;");

    (void)state;
    end(f, 0);
    turn_until_filled(f, 0);
    assert_int_equal(at(f, 0)->incarnation, 1);
    say(f, CONTROL_WORKER_REMOVE, 0, 0);
    assert_false(f->generation.control_over);
    assert_true(at(f, 0)->removed);
    end(f, 0);
    assert_int_equal(at(f, 0)->pid, 0);
    assert_false(waits_to_refill(f));
    fixture_free(f);
}

static void test_an_empty_place_is_not_waited_for(void **state)
{
    struct fixture *f = fixture_new("restarts 1;");

    (void)state;
    say(f, CONTROL_RESIZE, 1, 0);
    for (int i = 0; i < 2; i++) {
        turn_until_filled(f, 1);
        end(f, 1);
    }
    assert_int_not_equal(hear(f, CONTROL_POOL_DEGRADED).until, 0);
    assert_true(f->generation.pools[0].degraded);
    say(f, CONTROL_WORKER_REMOVE, 1, at(f, 1)->incarnation);
    assert_false(f->generation.pools[0].degraded);
    assert_false(waits_to_refill(f));
    fixture_free(f);
}

static void test_one_that_does_not_go(void **state)
{
    struct fixture *f = fixture_new("drain_timeout 50ms;");
    int status;

    (void)state;
    say(f, CONTROL_WORKER_REMOVE, 0, 0);
    event_base_loop(f->master.base, EVLOOP_ONCE); /* its time is over */
    assert_int_equal(waitpid(at(f, 0)->pid, &status, 0), at(f, 0)->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    master_worker_reaped(at(f, 0), status);
    assert_int_equal(at(f, 0)->pid, 0);
    fixture_free(f);
}

/* It is filled when its worker has gone, and that costs nothing. */
static void test_a_place_is_taken_back_too_soon(void **state)
{
    struct fixture *f = fixture_new("restarts 0; drain_timeout 5s;");
    pid_t leaving = at(f, 0)->pid;

    (void)state;
    say(f, CONTROL_WORKER_REMOVE, 0, 0);
    say(f, CONTROL_RESIZE, 0, 0);
    assert_int_equal(at(f, 0)->pid, leaving);
    end(f, 0);
    turn_until_filled(f, 0);
    assert_false(f->generation.pools[0].degraded);
    fixture_free(f);
}

/* What was on its way when the generation was told to end is no crime, and forks nobody. */
static void test_a_resize_that_comes_too_late(void **state)
{
    static const enum master_state late[] = {MASTER_DRAINING, MASTER_RELEASED, MASTER_KILLING};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fixture *f = fixture_new("restarts 5;");

        f->generation.state = late[i];
        f->generation.bus_phase = late[i] == MASTER_KILLING ? POLICY_SERVING : POLICY_DRAINING;
        say(f, CONTROL_RESIZE, 1, 0);
        say(f, CONTROL_RESIZE, 2, 0);
        say(f, CONTROL_WORKER_REMOVE, 0, 0);
        assert_false(f->generation.control_over);
        assert_int_equal(f->generation.pools[0].places, 1);
        assert_int_equal(master_worker_running(&f->generation), 1);
        fixture_free(f);
    }
}

/* In all states in which it serves. */
static void test_a_resize_on_probation(void **state)
{
    static const enum master_state serving[] = {MASTER_PROBATION, MASTER_ACTIVE, MASTER_FAILING};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fixture *f = fixture_new("restarts 5;");

        f->generation.state = serving[i];
        say(f, CONTROL_RESIZE, 1, 0);
        assert_true(at(f, 1)->pid > 0);
        fixture_free(f);
    }
}

/* What a pool with a range has, the next generation begins with: of the same setup, or of another one with a range. */
static void test_the_count_is_carried(void **state)
{
    static const struct {
        unsigned min, max, begins;
    } next[] = {{1, 8, 3}, {4, 8, 4}, {1, 2, 2}, {7, 7, 7}};
    struct fixture *f = fixture_new("count 1..8;");
    struct conf_pool *pool = &f->setup.core.pools[0];

    (void)state;
    say(f, CONTROL_RESIZE, 1, 0);
    say(f, CONTROL_RESIZE, 2, 0);
    assert_int_equal(pool->count, 3);
    say(f, CONTROL_RESIZE, 3, 0);
    say(f, CONTROL_WORKER_REMOVE, 0, 0);
    assert_int_equal(pool->count, 3);
    for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        struct conf_pool other = {.name = i == 0 ? "default" : pool->name,
                                  .count = next[i].min,
                                  .count_min = next[i].min,
                                  .count_max = next[i].max};
        struct conf_core core = {.pools = &other, .pool_count = 1};

        master_pool_carry(&core, &f->generation);
        assert_int_equal(other.count, next[i].begins);
        other.name = "another";
        other.count = 1;
        master_pool_carry(&core, &f->generation);
        master_pool_carry(&core, NULL);
        assert_int_equal(other.count, 1);
    }
    fixture_free(f);
}

static void test_places_that_cannot_be(void **state)
{
    static const struct {
        enum control_type type;
        uint32_t pool, index, incarnation;
    } lies[] = {
        {CONTROL_RESIZE, 0, 2, 0},          {CONTROL_RESIZE, 0, 0, 0},
        {CONTROL_RESIZE, 1, 0, 0},          {CONTROL_RESIZE, 0, 1024, 0},
        {CONTROL_RESIZE, 0, UINT32_MAX, 0}, {CONTROL_WORKER_REMOVE, 0, 1, 0},
        {CONTROL_WORKER_REMOVE, 1, 0, 0},   {CONTROL_WORKER_REMOVE, 0, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct fixture *f = fixture_new("restarts 5;");
        struct control message = {.type = lies[i].type,
                                  .pool = lies[i].pool,
                                  .index = lies[i].index,
                                  .incarnation = lies[i].incarnation};

        assert_int_equal(control_send(f->bus, &message, -1), 0);
        master_control_read(&f->generation);
        assert_true(f->generation.control_over);
        assert_int_equal(master_worker_running(&f->generation), 1);
        fixture_free(f);
    }
}

/* Not one more than there may be, whatever the bus says. */
static void test_the_bound(void **state)
{
    struct fixture *f = fixture_new("restarts 5;");
    struct master_pool *pool = &f->generation.pools[0];

    (void)state;
    for (size_t i = 1; i < CONF_CORE_WORKERS_MAX; i++) {
        assert_int_equal(master_worker_init(&pool->workers[i], pool, i), 0);
        pool->workers[i].removed = true;
        pool->places++;
    }
    assert_false(master_pool_add_place(pool, CONF_CORE_WORKERS_MAX));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_place),
        cmocka_unit_test(test_a_new_place_follows_the_policy),
        cmocka_unit_test(test_a_place_that_is_given_up),
        cmocka_unit_test(test_a_place_whose_worker_was_just_replaced),
        cmocka_unit_test(test_an_empty_place_is_not_waited_for),
        cmocka_unit_test(test_one_that_does_not_go),
        cmocka_unit_test(test_a_place_is_taken_back_too_soon),
        cmocka_unit_test(test_a_resize_that_comes_too_late),
        cmocka_unit_test(test_a_resize_on_probation),
        cmocka_unit_test(test_the_count_is_carried),
        cmocka_unit_test(test_places_that_cannot_be),
        cmocka_unit_test(test_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
