/*
 * Open-loop load (tests/lib/load.h) as a program.
 *
 * usage: openloop PORT PATH RATE SECONDS SEED WHO FIGURE [bursty]
 *
 * Prints figures (tests/lib/figure.h). Fails when it cannot connect, or an answer is none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"
#include "load.h"

int main(int argc, char **argv)
{
    struct load_setup setup = {0};
    struct load_result r;
    char why[128];

    if (argc < 8) {
        fprintf(stderr, "usage: openloop PORT PATH RATE SECONDS SEED WHO FIGURE [bursty]\n");
        return 2;
    }
    setup.port = atoi(argv[1]);
    setup.path = argv[2];
    setup.rate = strtod(argv[3], NULL);
    setup.seconds = strtod(argv[4], NULL);
    setup.seed = strtoull(argv[5], NULL, 10);
    setup.bursty = argc > 8 && strcmp(argv[8], "bursty") == 0;
    if (load_run(&setup, &r, why) != 0) {
        fprintf(stderr, "openloop: error: %s\n", why);
        return 1;
    }
    const struct {
        const char *unit;
        double value;
    } figures[] = {
        {"ms, p50", r.p50 / 1e6},
        {"ms, p99", r.p99 / 1e6},
        {"ms, p99.9", r.p999 / 1e6},
        {"requests failed", (double)r.failed},
        {"requests refused", (double)r.refused},
        {"requests unanswered", (double)r.none},
    };
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        figure_print(figures[i].value, figures[i].unit, argv[6], "%s", argv[7]);
    }
    return 0;
}
