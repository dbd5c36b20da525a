/*
 * What one dispatch costs with 2 to 1024 workers: a pick, what is told of the request that was sent, and of its answer. With
 * all but one idle, and with most at work: the least of many short runs, which no other process was in the way of. Prints lines "name value unit"; takes
 * about a second.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bus/bus_dispatch.h"

#define ROUNDS 4000u
#define REPEAT 100

static const char *const names[] = {"least_pressure", "least_loaded", "prequal", "round_robin"};
static const size_t counts[] = {2, 16, 256, 1024};

static void send(struct bus_dispatch *d, size_t place)
{
    d->loads[place].in_flight++;
    d->loads[place].unstarted++;
    bus_dispatch_sent(d, place, 0);
}

static void answer(struct bus_dispatch *d, size_t place)
{
    d->loads[place].in_flight--;
    d->loads[place].unstarted = 0;
    bus_dispatch_update(d, place);
}

/* ns for each of ROUNDS requests, of which `at_work` are out at any time. */
static double measure(enum conf_dispatch policy, size_t count, size_t at_work)
{
    struct bus_dispatch d;
    size_t *out = calloc(at_work, sizeof(*out));
    uint64_t start;

    if (!out || bus_dispatch_init(&d, policy, count) != 0) {
        fprintf(stderr, "bench_dispatch: out of memory\n");
        exit(1);
    }
    for (size_t i = 0; i < count; i++) {
        d.loads[i] = (struct bus_load){.serving = true,
                                       .ready = true,
                                       .concurrency = 1024,
                                       .service = 50000,
                                       .pressure = i * 7919 % 64 << 20};
        bus_dispatch_update(&d, i);
    }
    for (size_t i = 0; i < at_work; i++) {
        out[i] = (size_t)bus_dispatch_pick(&d, 0, false);
        send(&d, out[i]);
    }
    start = clock_now();
    for (size_t i = 0; i < ROUNDS; i++) {
        answer(&d, out[i % at_work]);
        out[i % at_work] = (size_t)bus_dispatch_pick(&d, 0, false);
        send(&d, out[i % at_work]);
    }
    start = clock_now() - start;
    bus_dispatch_fini(&d);
    free(out);
    return (double)start / ROUNDS;
}

static double least(enum conf_dispatch policy, size_t count, size_t at_work)
{
    double best = measure(policy, count, at_work);

    for (int i = 1; i < REPEAT; i++) {
        double now = measure(policy, count, at_work);
        best = now < best ? now : best;
    }
    return best;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int policy = CONF_LEAST_PRESSURE; policy <= CONF_ROUND_ROBIN; policy++) {
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
            printf("%s_idle_%zu %.1f ns/request\n", names[policy], counts[i],
                   least((enum conf_dispatch)policy, counts[i], 1));
            printf("%s_loaded_%zu %.1f ns/request\n", names[policy], counts[i],
                   least((enum conf_dispatch)policy, counts[i], counts[i] * 3 / 4 + 1));
        }
    }
    return 0;
}
