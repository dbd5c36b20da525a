/*
 * The intrusive list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "base/list.h"

struct item {
    int value;
    struct list link;
};

/* The list is `values` (ended by 0), read in both directions. */
static void assert_list(struct list *head, const int *values)
{
    size_t count = 0;
    LIST_EACH(link, after, head)
    {
        assert_int_equal(LIST_ENTRY(link, struct item, link)->value, values[count]);
        count++;
    }
    assert_int_equal(values[count], 0);
    for (struct list *link = head->prev; link != head; link = link->prev) {
        count--;
        assert_int_equal(LIST_ENTRY(link, struct item, link)->value, values[count]);
    }
    assert_int_equal(count, 0);
    assert_int_equal(list_empty(head), values[0] == 0);
}

static void test_operations(void **state)
{
    (void)state;
    struct list head;
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};

    list_init(&head);
    assert_list(&head, (const int[]){0});
    list_append(&head, &a.link);
    assert_list(&head, (const int[]){1, 0});
    list_append(&head, &b.link);
    list_insert(&head, &c.link);
    assert_list(&head, (const int[]){3, 1, 2, 0});
    list_remove(&a.link);
    assert_list(&head, (const int[]){3, 2, 0});
    list_insert(&c.link, &a.link);
    assert_list(&head, (const int[]){3, 1, 2, 0});
    list_remove(&c.link);
    list_remove(&b.link);
    list_remove(&a.link);
    assert_list(&head, (const int[]){0});
}

static void test_remove_twice(void **state)
{
    (void)state;
    struct list head;
    struct item a = {.value = 1}, b = {.value = 2};

    list_init(&head);
    list_init(&b.link);
    list_remove(&b.link); /* was never in one */
    list_append(&head, &a.link);
    list_append(&head, &b.link);
    list_remove(&a.link);
    list_remove(&a.link);
    assert_list(&head, (const int[]){2, 0});
}

static void test_remove_while_visited(void **state)
{
    (void)state;
    struct list head;
    struct item items[5];

    list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].value = i + 1;
        list_append(&head, &items[i].link);
    }
    LIST_EACH(link, after, &head)
    {
        if (LIST_ENTRY(link, struct item, link)->value % 2 == 1) {
            list_remove(link);
        }
    }
    assert_list(&head, (const int[]){2, 4, 0});
    LIST_EACH(link, after, &head)
    {
        list_remove(link);
    }
    assert_list(&head, (const int[]){0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_remove_twice),
        cmocka_unit_test(test_remove_while_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
