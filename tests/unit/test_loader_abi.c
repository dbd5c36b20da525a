/*
 * loader_abi_check() by table: what passes, what is refused, and in which order.
 */
#include "loader/loader_abi.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void request(lpm_request *req)
{
    (void)req;
}

static int worker_init(lpm_worker *w)
{
    (void)w;
    return 0;
}

static int supervisor_init(lpm_supervisor *s)
{
    (void)s;
    return 0;
}

#define HEAD .magic = LPM_MODULE_MAGIC, .size = sizeof(lpm_module), .needs = LPM_ABI_MINOR

static void descriptors(void **state)
{
    static const lpm_directive rows[] = {{.name = "thing", .context = "main", .type = LPM_CONF_FLAG},
                                         {.name = NULL}};
    static const struct {
        lpm_module module;
        const char *text; /* NULL: passes */
    } cases[] = {
        {{HEAD, .name = "a", .version = "", .request = request}, NULL},
        {{HEAD, .name = "a-b_9", .version = "1", .worker_init = worker_init}, NULL},
        {{HEAD, .name = "a", .version = "1", .supervisor_init = supervisor_init}, NULL},
        {{HEAD, .name = "a", .version = "1", .request = request, .directives = rows}, NULL},
        {{HEAD, .name = "a", .version = "1", .request = request, .directives = rows + 1}, NULL},
        {{.magic = 0},
         "its descriptor begins with 0x00000000, expected 0x314d504c, which LPM_MODULE() writes"},
        {{.magic = 0x394d504c}, "made for ABI 9, this lpm supports 1.0 to 1.2"},
        {{.magic = 0x2f4d504c},
         "its descriptor begins with 0x2f4d504c, expected 0x314d504c, which LPM_MODULE() writes"},
        {{.magic = LPM_MODULE_MAGIC, .needs = UINT32_MAX, .size = 1},
         "needs ABI 1.4294967295, this lpm supports 1.0 to 1.2"},
        {{.magic = LPM_MODULE_MAGIC, .size = sizeof(lpm_module), .name = "a"},
         "its descriptor has 120 bytes, expected 112 for ABI 1.0"},
        {{.magic = LPM_MODULE_MAGIC, .needs = LPM_ABI_MINOR, .size = 112, .name = "a"},
         "its descriptor has 112 bytes, expected 120 for ABI 1.2"},
        {{.magic = LPM_MODULE_MAGIC, .size = 0}, "its descriptor has 0 bytes, expected 112 for ABI 1.0"},
        {{HEAD, .reserved = 9}, "the reserved word of its descriptor is 9, expected 0"},
        {{HEAD}, "has no name"},
        {{HEAD, .name = "A"}, "its name is \"A\", expected 1 to 64 of a-z, 0-9, \"_\" and \"-\""},
        {{HEAD, .name = "a/b"}, "its name is \"a/b\", expected 1 to 64 of a-z, 0-9, \"_\" and \"-\""},
        {{HEAD, .name = "a"}, "has no version"},
        {{HEAD, .name = "a", .version = "1"},
         "has no hook, expected one of request, worker_init and supervisor_init"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {.text = ""};
        lpm_module full = {.magic = 1};
        int rc = loader_abi_check(&cases[i].module, &full, &err);
        assert_int_equal(rc, cases[i].text ? LPM_EABI : 0);
        if (cases[i].text) {
            assert_string_equal(err.text, cases[i].text);
            assert_int_equal(full.magic, 1);
        } else {
            assert_memory_equal(&full, &cases[i].module, sizeof(full));
        }
    }
}

/* 64 letters are a name; 65 are none, and no byte behind the 65th is looked at. */
static void longest_name(void **state)
{
    lpm_module module = {HEAD, .version = "1", .request = request}, full;
    struct error err;
    char *name = test_malloc(65);
    (void)state;

    memset(name, 'a', 65);
    module.name = name;
    assert_int_equal(loader_abi_check(&module, &full, &err), LPM_EABI);
    name[64] = '\0';
    assert_int_equal(loader_abi_check(&module, &full, &err), 0);
    test_free(name);
}

/* No more of the descriptor is read than it says it has: here the head alone is there. */
static void short_descriptor_is_not_overread(void **state)
{
    struct error err;
    lpm_module full, *module = test_malloc(16);
    uint32_t head[4] = {LPM_MODULE_MAGIC, 16, 0, 0};
    (void)state;

    memcpy(module, head, sizeof(head));
    assert_int_equal(loader_abi_check(module, &full, &err), LPM_EABI);
    assert_string_equal(err.text, "its descriptor has 16 bytes, expected 112 for ABI 1.0");
    test_free(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors),
        cmocka_unit_test(longest_name),
        cmocka_unit_test(short_descriptor_is_not_overread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
