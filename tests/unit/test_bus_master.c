/*
 * The bus's messages to a master that reads late, never, or is gone.
 */
#include "bus_fixture.h"

static void say_many(struct fixture *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct control message = {.type = CONTROL_WORKER_READY, .incarnation = i};
        bus_master_send(&f->bus, &message);
    }
}

/* A pool of a thousand that becomes ready while the master still forks. */
static void a_busy_master_hears_all_in_order(void **state)
{
    struct fixture *f = fixture_new();
    struct control message;
    int fd;

    (void)state;
    say_many(f, 3000);
    assert_false(f->bus.over);
    assert_true(f->bus.master_message_count > 0);
    for (uint32_t next = 0; next < 3000; next++) {
        int rc = control_receive(f->master, &message, &fd);
        if (rc == 0) {
            turn(f);
            rc = control_receive(f->master, &message, &fd);
        }
        assert_int_equal(rc, 1);
        assert_int_equal(message.incarnation, next);
    }
    assert_int_equal(f->bus.master_message_count, 0);
    fixture_free(f);
}

static void without_a_master_the_bus_ends(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    close(f->master);
    say_many(f, 1);
    assert_true(f->bus.over);
    assert_int_equal(f->bus.status, ROLE_EXIT_FAILED);
    f->master = -1;
    fixture_free(f);
}

static void a_master_that_never_reads_is_none(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    say_many(f, 100000);
    assert_true(f->bus.over);
    assert_int_equal(f->bus.status, ROLE_EXIT_FAILED);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_master_hears_all_in_order),
        cmocka_unit_test(without_a_master_the_bus_ends),
        cmocka_unit_test(a_master_that_never_reads_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
