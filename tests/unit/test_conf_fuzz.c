/*
 * Thousands of mutations of a good configuration: read and checked, or refused with a place. The sanitizers see
 * what the assertions do not. The mutations are the same in every run.
 */
#include "conf_fixture.h"

#define MUTATIONS 5000

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Changes, removes, inserts or doubles bytes, a few times. */
static size_t mutate(char *text, size_t len, size_t room, uint64_t *seed)
{
    static const char likely[] = "{};#\"'\\ \n\t-0919aszkmg.*\0\xff";

    for (uint64_t times = 1 + next_random(seed) % 4; times > 0; times--) {
        size_t at = len ? next_random(seed) % len : 0;
        size_t part = 1 + next_random(seed) % 20;
        char c = likely[next_random(seed) % sizeof(likely)];
        switch (next_random(seed) % 4) {
        case 0:
            if (len) {
                text[at] = c;
            }
            break;
        case 1:
            part = part > len - at ? len - at : part;
            memmove(text + at, text + at + part, len - at - part);
            len -= part;
            break;
        case 2:
            if (len < room) {
                memmove(text + at + 1, text + at, len - at);
                text[at] = c;
                len++;
            }
            break;
        default:
            part = part > len - at ? len - at : part;
            if (len + part <= room) {
                memmove(text + at + part, text + at, len - at);
                len += part;
            }
            break;
        }
    }
    return len;
}

/* "... in NAME:LINE", and maybe ", HINT" behind it. */
static bool names_a_place(const char *text)
{
    for (const char *p = strstr(text, " in a.conf:"); p; p = strstr(p + 1, " in a.conf:")) {
        const char *end = p + strlen(" in a.conf:");
        size_t digits = strspn(end, "0123456789");
        if (digits > 0 && (end[digits] == '\0' || end[digits] == ',')) {
            return true;
        }
    }
    return false;
}

static int read_all(const char *text, size_t len, struct error *err)
{
    struct conf_tree *tree;
    struct conf_core core;
    int rc = conf_parse_text(&tree, "a.conf", text, len, err);
    if (rc == LPM_OK) {
        rc = fixture_check(tree, true, err);
    }
    if (rc == LPM_OK) {
        rc = conf_core_read(&core, tree, err);
    }
    conf_tree_free(tree);
    return rc;
}

static void reads_or_refuses(void **state)
{
    (void)state;
    uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
    size_t room = sizeof(fixture_good) + 100, good = 0;

    for (int i = 0; i < MUTATIONS; i++) {
        struct error err = {.text = ""};
        char *text = malloc(room);
        memcpy(text, fixture_good, sizeof(fixture_good) - 1);
        size_t len = mutate(text, sizeof(fixture_good) - 1, room, &seed);
        /* In memory of its very size, so that a read behind its end is seen. */
        char *exact = malloc(len ? len : 1);
        memcpy(exact, text, len);
        int rc = read_all(exact, len, &err);
        if (rc == LPM_OK) {
            good++;
        } else if (!names_a_place(err.text)) {
            fail_msg("mutation %d: error %d, \"%s\"", i, rc, err.text);
        }
        free(exact);
        free(text);
    }
    /* Both ways are taken. */
    assert_in_range(good, 100, MUTATIONS - 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_or_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
