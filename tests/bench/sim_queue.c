/*
 * Ways to deal with too much load in the simulator (tests/lib/sim_queue.h), as tables; takes some seconds of processor time, no
 * matter how busy the machine is.
 *
 * usage: sim_queue REQUESTS
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim_queue.h"

#define MS 1000000

static void measure(const struct sim_queue_setup *setup)
{
    printf("\n%u workers of %g ms, answers worth something for %g ms, %u %% load%s\n", setup->workers,
           (double)setup->service / MS, (double)setup->patience / MS, setup->percent,
           setup->bursty ? ", bursty" : "");
    printf("%-16s %10s %9s %9s %9s %10s %15s %15s\n", "", "goodput %", "wasted %", "p50 ms", "p99 ms",
           "refused %", "refused p50 ms", "refused p99 ms");
    for (int i = 0; i < SIM_QUEUE_POLICIES; i++) {
        struct sim_queue_result r;
        sim_queue_run(setup, (enum sim_queue_policy)i, &r);
        printf("%-16s %10.1f %9.1f %9.1f %9.1f %10.1f %15.1f %15.1f\n", sim_queue_names[i], r.goodput * 100,
               r.wasted * 100, r.p50 / MS, r.p99 / MS, r.refused * 100, r.refused_p50 / MS,
               r.refused_p99 / MS);
    }
}

int main(int argc, char **argv)
{
    static const struct sim_queue_setup setups[] = {
        {.workers = 8, .percent = 80, .service = 5 * MS, .patience = 500 * MS},
        {.workers = 8, .percent = 125, .service = 5 * MS, .patience = 500 * MS},
        {.workers = 8, .percent = 200, .service = 5 * MS, .patience = 500 * MS},
        {.workers = 8, .percent = 95, .service = 5 * MS, .patience = 500 * MS, .bursty = true},
        {.workers = 8, .percent = 125, .service = 50 * MS, .patience = 500 * MS},
        {.workers = 1, .percent = 125, .service = 5 * MS, .patience = 500 * MS},
        {.workers = 8, .percent = 125, .service = 5 * MS, .patience = 50 * MS},
    };
    int requests = argc == 2 ? atoi(argv[1]) : 0;

    if (requests <= 0) {
        fprintf(stderr, "usage: sim_queue REQUESTS\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
        struct sim_queue_setup setup = setups[i];
        setup.seed = 1;
        setup.requests = (uint32_t)requests;
        measure(&setup);
    }
    return 0;
}
