/*
 * Ways to deal with too much load in the simulator (tests/lib/sim_queue.h), as tables; takes some seconds of processor time, no
 * matter how busy the machine is.
 */
#include <stdio.h>

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

int main(void)
{
    static const struct sim_queue_setup setups[] = {
        {1, 8, 80, 5 * MS, 500 * MS, false, 100000},  {1, 8, 125, 5 * MS, 500 * MS, false, 100000},
        {1, 8, 200, 5 * MS, 500 * MS, false, 100000}, {1, 8, 95, 5 * MS, 500 * MS, true, 100000},
        {1, 8, 125, 50 * MS, 500 * MS, false, 50000}, {1, 1, 125, 5 * MS, 500 * MS, false, 50000},
        {1, 8, 125, 5 * MS, 50 * MS, false, 100000},
    };

    for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
        measure(&setups[i]);
    }
    return 0;
}
