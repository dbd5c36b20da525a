/* Units, bounds, overflow, and what people are told. */
#include "conf_fixture.h"

#include "conf/conf_value.h"

enum { OK = CONF_VALUE_OK, FORM = CONF_VALUE_FORM, RANGE = CONF_VALUE_RANGE };

static void parses(void **state)
{
    (void)state;
    static const struct {
        lpm_directive row;
        const char *text;
        int result;
        int64_t value;
    } cases[] = {
        {{.type = LPM_CONF_FLAG}, "on", OK, 1},
        {{.type = LPM_CONF_FLAG}, "off", OK, 0},
        {{.type = LPM_CONF_FLAG}, "ON", FORM, 0},
        {{.type = LPM_CONF_FLAG}, "", FORM, 0},
        {{.type = LPM_CONF_NUMBER}, "0", OK, 0},
        {{.type = LPM_CONF_NUMBER}, "007", OK, 7},
        {{.type = LPM_CONF_NUMBER}, "9223372036854775807", OK, INT64_MAX},
        {{.type = LPM_CONF_NUMBER}, "9223372036854775808", RANGE, 0},
        {{.type = LPM_CONF_NUMBER}, "99999999999999999999999999999999999", RANGE, 0},
        {{.type = LPM_CONF_NUMBER}, "-1", RANGE, 0},
        {{.type = LPM_CONF_NUMBER, .flags = LPM_CONF_MINUS_ONE}, "-1", OK, LPM_NONE},
        {{.type = LPM_CONF_NUMBER, .flags = LPM_CONF_MINUS_ONE}, "-2", RANGE, 0},
        {{.type = LPM_CONF_NUMBER, .flags = LPM_CONF_AUTO}, "auto", OK, LPM_DEFAULT},
        {{.type = LPM_CONF_NUMBER}, "auto", FORM, 0},
        {{.type = LPM_CONF_NUMBER, .min = -5, .max = 5}, "-5", OK, -5},
        {{.type = LPM_CONF_NUMBER, .min = -5, .max = 5}, "-6", RANGE, 0},
        {{.type = LPM_CONF_NUMBER, .min = 1, .max = 5}, "5", OK, 5},
        {{.type = LPM_CONF_NUMBER, .min = 1, .max = 5}, "6", RANGE, 0},
        {{.type = LPM_CONF_NUMBER, .min = 1, .max = 5}, "0", RANGE, 0},
        {{.type = LPM_CONF_NUMBER}, "5k", FORM, 0},
        {{.type = LPM_CONF_NUMBER}, "5 ", FORM, 0},
        {{.type = LPM_CONF_NUMBER}, " 5", FORM, 0},
        {{.type = LPM_CONF_NUMBER}, "+5", FORM, 0},
        {{.type = LPM_CONF_NUMBER}, "0x5", FORM, 0},
        {{.type = LPM_CONF_NUMBER}, "", FORM, 0},
        {{.type = LPM_CONF_NUMBER}, "-", FORM, 0},
        {{.type = LPM_CONF_NUMBER}, "--1", FORM, 0},
        {{.type = LPM_CONF_SIZE}, "512", OK, 512},
        {{.type = LPM_CONF_SIZE}, "64k", OK, 65536},
        {{.type = LPM_CONF_SIZE}, "64K", OK, 65536},
        {{.type = LPM_CONF_SIZE}, "1m", OK, 1048576},
        {{.type = LPM_CONF_SIZE}, "2G", OK, INT64_C(2147483648)},
        {{.type = LPM_CONF_SIZE}, "8589934591g", OK, INT64_C(8589934591) << 30},
        {{.type = LPM_CONF_SIZE}, "8589934592g", RANGE, 0},
        {{.type = LPM_CONF_SIZE}, "1kb", FORM, 0},
        {{.type = LPM_CONF_SIZE}, "k", FORM, 0},
        {{.type = LPM_CONF_SIZE}, "1s", FORM, 0},
        {{.type = LPM_CONF_SIZE, .min = 1024, .max = 2048}, "1k", OK, 1024},
        {{.type = LPM_CONF_SIZE, .min = 1024, .max = 2048}, "1023", RANGE, 0},
        {{.type = LPM_CONF_TIME}, "500ms", OK, 500},
        {{.type = LPM_CONF_TIME}, "30s", OK, 30000},
        {{.type = LPM_CONF_TIME}, "30", OK, 30000},
        {{.type = LPM_CONF_TIME}, "5m", OK, 300000},
        {{.type = LPM_CONF_TIME}, "2h", OK, 7200000},
        {{.type = LPM_CONF_TIME}, "1d", OK, 86400000},
        {{.type = LPM_CONF_TIME}, "0", OK, 0},
        {{.type = LPM_CONF_TIME}, "36500d", OK, CONF_VALUE_TIME_MAX},
        {{.type = LPM_CONF_TIME}, "36501d", RANGE, 0},
        {{.type = LPM_CONF_TIME}, "9223372036854775807d", RANGE, 0},
        {{.type = LPM_CONF_TIME, .flags = LPM_CONF_MINUS_ONE}, "-1", OK, LPM_NONE},
        {{.type = LPM_CONF_TIME}, "-1", RANGE, 0},
        {{.type = LPM_CONF_TIME, .flags = LPM_CONF_MINUS_ONE}, "-1s", RANGE, 0},
        {{.type = LPM_CONF_TIME}, "1M", FORM, 0},
        {{.type = LPM_CONF_TIME}, "1.5s", FORM, 0},
        {{.type = LPM_CONF_TIME}, "s", FORM, 0},
        {{.type = LPM_CONF_ENUM, .words = "a|bb|c"}, "a", OK, 0},
        {{.type = LPM_CONF_ENUM, .words = "a|bb|c"}, "c", OK, 2},
        {{.type = LPM_CONF_ENUM, .words = "a|bb|c"}, "b", FORM, 0},
        {{.type = LPM_CONF_ENUM, .words = "a|bb|c"}, "a|bb", FORM, 0},
        {{.type = LPM_CONF_ENUM, .words = "a|bb|c"}, "", FORM, 0},
        {{.type = LPM_CONF_STRING}, "anything", OK, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value;
        int result = (int)conf_value_parse(&cases[i].row, cases[i].text, &value);
        if (result != cases[i].result || (result == OK && value != cases[i].value)) {
            fail_msg("case %zu, \"%s\": result %d, value %lld", i, cases[i].text, result, (long long)value);
        }
    }
}

static void says_what_it_expects(void **state)
{
    (void)state;
    static const struct {
        lpm_directive row;
        int result;
        const char *text;
    } cases[] = {
        {{.type = LPM_CONF_FLAG}, FORM, "on or off"},
        {{.type = LPM_CONF_ENUM, .words = "a|b|c"}, FORM, "a, b or c"},
        {{.type = LPM_CONF_ENUM, .words = "a"}, FORM, "a"},
        {{.type = LPM_CONF_NUMBER}, FORM, "a number from 0 on"},
        {{.type = LPM_CONF_NUMBER, .min = 1, .max = 1024}, RANGE, "a number from 1 to 1024"},
        {{.type = LPM_CONF_NUMBER, .min = -5, .max = 5}, RANGE, "a number from -5 to 5"},
        {{.type = LPM_CONF_NUMBER, .min = 1, .max = 9, .flags = LPM_CONF_AUTO},
         FORM,
         "a number from 1 to 9 or auto"},
        {{.type = LPM_CONF_SIZE}, FORM, "a size such as 512, 64k, 1m or 2g"},
        {{.type = LPM_CONF_SIZE}, RANGE, "a size from 0 on"},
        {{.type = LPM_CONF_SIZE, .min = 1024, .max = 1025}, RANGE, "a size from 1k to 1025"},
        {{.type = LPM_CONF_TIME}, FORM, "a time such as 500ms, 30s or 5m"},
        {{.type = LPM_CONF_TIME}, RANGE, "a time from 0 to 36500d"},
        {{.type = LPM_CONF_TIME, .min = 1500, .max = 120000, .flags = LPM_CONF_MINUS_ONE | LPM_CONF_AUTO},
         RANGE,
         "a time from 1500ms to 2m, -1 or auto"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char room[128];
        enum conf_value_result result = (enum conf_value_result)cases[i].result;
        assert_string_equal(conf_value_expected(&cases[i].row, result, room, sizeof(room)), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parses), cmocka_unit_test(says_what_it_expects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
