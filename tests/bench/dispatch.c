/*
 * What one dispatch costs with 2 to 1024 workers: a pick, what is told of the request that was sent, and of its answer. With
 * all but one idle, and with most at work: the least of many short runs, which no other process was in the way of. Prints
 * figures.
 *
 * usage: dispatch ROUNDS
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bus/bus_dispatch.h"
#include "figure.h"

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

/* ns for each of so many requests, of which `at_work` are out at any time. */
static double measure(enum conf_dispatch policy, size_t count, size_t at_work, size_t rounds)
{
    struct bus_dispatch d;
    size_t *out = calloc(at_work, sizeof(*out));
    uint64_t start;

    if (!out || bus_dispatch_init(&d, policy, count) != 0) {
        fprintf(stderr, "dispatch: out of memory\n");
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
    for (size_t i = 0; i < rounds; i++) {
        answer(&d, out[i % at_work]);
        out[i % at_work] = (size_t)bus_dispatch_pick(&d, 0, false);
        send(&d, out[i % at_work]);
    }
    start = clock_now() - start;
    bus_dispatch_fini(&d);
    free(out);
    return (double)start / (double)rounds;
}

static double least(enum conf_dispatch policy, size_t count, size_t at_work, size_t rounds)
{
    double best = measure(policy, count, at_work, rounds);

    for (int i = 1; i < REPEAT; i++) {
        double now = measure(policy, count, at_work, rounds);
        best = now < best ? now : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    size_t rounds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

    if (rounds == 0) {
        fprintf(stderr, "usage: dispatch ROUNDS\n");
        return 2;
    }
    for (size_t i = 0; i < 2 * sizeof(counts) / sizeof(counts[0]); i++) {
        size_t count = counts[i / 2], at_work = i % 2 ? count * 3 / 4 + 1 : 1;
        for (int policy = CONF_LEAST_PRESSURE; policy <= CONF_ROUND_ROBIN; policy++) {
            figure_print(least((enum conf_dispatch)policy, count, at_work, rounds), "ns/request",
                         names[policy], "%zu workers, %s", count, i % 2 ? "loaded" : "idle");
        }
    }
    return 0;
}
