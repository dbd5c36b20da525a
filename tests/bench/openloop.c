/*
 * Open-loop load (tests/lib/load.h) as a program.
 *
 * usage: openloop PORT PATH RATE SECONDS SEED [bursty]
 *
 * Prints lines "name value unit". Fails when it cannot connect, or an answer is none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

int main(int argc, char **argv)
{
    struct load_setup setup = {0};
    struct load_result r;
    char why[128];

    if (argc < 6) {
        fprintf(stderr, "usage: openloop PORT PATH RATE SECONDS SEED [bursty]\n");
        return 2;
    }
    setup.port = atoi(argv[1]);
    setup.path = argv[2];
    setup.rate = strtod(argv[3], NULL);
    setup.seconds = strtod(argv[4], NULL);
    setup.seed = strtoull(argv[5], NULL, 10);
    setup.bursty = argc > 6 && strcmp(argv[6], "bursty") == 0;
    if (load_run(&setup, &r, why) != 0) {
        fprintf(stderr, "openloop: error: %s\n", why);
        return 1;
    }
    printf("p50 %.3f ms\np99 %.3f ms\np99.9 %.3f ms\n", r.p50 / 1e6, r.p99 / 1e6, r.p999 / 1e6);
    printf("good %zu requests\nfailed %zu requests\nrefused %zu requests\nunanswered %zu requests\n", r.good,
           r.failed, r.refused, r.none);
    printf("refused_p99 %.3f ms\n", r.refused_p99 / 1e6);
    return 0;
}
