/*
 * core/role/role_quarantine: the table, as one bus, two, and a broken one leave it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "role/role_quarantine.h"

#define NOW    (1000 * CLOCK_NS_PER_S)
#define LATER  (NOW + 10 * CLOCK_NS_PER_S)
#define SECOND CLOCK_NS_PER_S

static struct role_quarantine *new_table(void)
{
    struct role_quarantine *table = calloc(1, sizeof(*table));
    assert_non_null(table);
    role_quarantine_init(table);
    return table;
}

static struct role_quarantine_entry entry_of(uint64_t fingerprint, const char *build, uint64_t until)
{
    struct role_quarantine_entry entry = {
        .fingerprint = fingerprint, .first = NOW, .last = NOW, .until = until, .deaths = 2};
    strncpy(entry.build, build, sizeof(entry.build) - 1);
    return entry;
}

static void add(struct role_quarantine *table, uint64_t fingerprint, const char *build, uint64_t until)
{
    struct role_quarantine_entry entry = entry_of(fingerprint, build, until);
    role_quarantine_add(table, &entry, NOW);
}

static void test_held(void **state)
{
    struct role_quarantine *table = new_table();

    (void)state;
    assert_int_equal(table->added, 0);
    add(table, 7, "a", LATER);
    assert_int_not_equal(table->added, 0);
    assert_true(role_quarantine_holds(table, 7, "a", NOW));
    assert_false(role_quarantine_holds(table, 8, "a", NOW));
    assert_false(role_quarantine_holds(table, 7, "another build", NOW));
    assert_true(role_quarantine_holds(table, 7, "a", LATER - 1));
    assert_false(role_quarantine_holds(table, 7, "a", LATER));
    assert_int_equal(table->added, 0); /* nothing to look for any more */
    free(table);
}

static void test_counts_on(void **state)
{
    struct role_quarantine *table = new_table();
    struct role_quarantine_entry list[ROLE_QUARANTINE_MAX], again = entry_of(7, "a", LATER + SECOND);

    (void)state;
    add(table, 7, "a", LATER);
    again.first = again.last = LATER;
    role_quarantine_add(table, &again, LATER);
    assert_int_equal(role_quarantine_list(table, LATER, list), 1);
    assert_int_equal(list[0].deaths, 4);
    assert_int_equal(list[0].first, NOW);
    assert_int_equal(list[0].last, LATER);
    free(table);
}

static void test_full(void **state)
{
    struct role_quarantine *table = new_table();
    struct role_quarantine_entry list[ROLE_QUARANTINE_MAX];

    (void)state;
    for (uint64_t i = 1; i <= ROLE_QUARANTINE_MAX; i++) {
        add(table, i, "a", LATER + 2 * (i == 1 ? 100 : i));
    }
    add(table, 1000, "a", LATER + 500);
    assert_int_equal(role_quarantine_list(table, NOW, list), ROLE_QUARANTINE_MAX);
    assert_true(role_quarantine_holds(table, 1, "a", NOW));
    assert_false(role_quarantine_holds(table, 2, "a", NOW)); /* it would have been out first */
    assert_true(role_quarantine_holds(table, 1000, "a", NOW));
    free(table);
}

static void test_release(void **state)
{
    struct role_quarantine *table = new_table();

    (void)state;
    add(table, 7, "a", LATER);
    add(table, 7, "b", LATER);
    add(table, 8, "a", LATER);
    assert_int_equal(role_quarantine_release(table, 9, NOW), 0);
    assert_int_equal(role_quarantine_release(table, 7, NOW), 2);
    assert_false(role_quarantine_holds(table, 7, "b", NOW));
    assert_true(role_quarantine_holds(table, 8, "a", NOW));
    assert_int_equal(role_quarantine_release(table, 0, NOW), 1);
    assert_int_equal(role_quarantine_release(table, 0, NOW), 0);
    free(table);
}

/* A bus has died while it wrote: its place is nobody's for a second, then anybody's. */
static void test_torn(void **state)
{
    struct role_quarantine *table = new_table();
    struct role_quarantine_entry list[ROLE_QUARANTINE_MAX], entry = entry_of(7, "a", LATER);

    (void)state;
    for (size_t i = 0; i < ROLE_QUARANTINE_MAX; i++) {
        table->slots[i].word = NOW | 1;
    }
    role_quarantine_add(table, &entry, NOW + SECOND / 2);
    assert_int_equal(role_quarantine_list(table, NOW, list), 0);
    role_quarantine_add(table, &entry, NOW + 2 * SECOND);
    assert_int_equal(role_quarantine_list(table, NOW + 2 * SECOND, list), 1);
    free(table);
}

/* Whatever is in it, texts end and counts are counts. */
static void test_rubbish(void **state)
{
    struct role_quarantine *table = new_table();
    struct role_quarantine_entry list[ROLE_QUARANTINE_MAX];

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        unsigned count;
        memset(table, byte, sizeof(*table));
        count = role_quarantine_list(table, NOW, list);
        assert_true(count <= ROLE_QUARANTINE_MAX);
        for (unsigned i = 0; i < count; i++) {
            assert_true(strlen(list[i].path) < sizeof(list[i].path));
            assert_true(strlen(list[i].build) < sizeof(list[i].build));
        }
        (void)role_quarantine_holds(table, 7, "a", NOW);
        add(table, 7, "a", LATER);
        role_quarantine_release(table, 0, NOW);
    }
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),    cmocka_unit_test(test_counts_on), cmocka_unit_test(test_full),
        cmocka_unit_test(test_release), cmocka_unit_test(test_torn),      cmocka_unit_test(test_rubbish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
