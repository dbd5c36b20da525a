/*
 * The policies of dispatch in the simulator (tests/lib/sim.h), beside others and an ideal central queue. Writes
 * all of it as tables and as JSON to two files, and prints as figures what 95 % load gives. Takes some seconds of processor time,
 * no matter how busy the machine is, and gives the same on each.
 *
 * usage: simulation REQUESTS TEXT_FILE JSON_FILE
 */
#include <stdio.h>
#include <stdlib.h>

#include "figure.h"
#include "sim.h"

#define US 1000
#define MS 1000000

static const uint64_t services[] = {20 * US, 200 * US, 5 * MS};
static const unsigned percents[] = {60, 80, 95, 110, 125};

static void print_text(FILE *file, const struct sim_setup *setup, const struct sim_result *results)
{
    fprintf(file, "\n%u workers, service %g ms, %u %% load, %s, %s\n", SIM_WORKERS,
            (double)setup->service / MS, setup->percent, setup->bursty ? "bursty" : "Poisson",
            setup->antagonists ? "four antagonists" : "all alike");
    fprintf(file, "%-15s %9s %9s %9s %9s %9s %9s %8s %9s\n", "", "p50 ms", "p99 ms", "p99.9 ms", "refused %",
            "failed %", "peak MiB", "replaced", "p99/ideal");
    for (int i = 0; i < SIM_POLICIES; i++) {
        const struct sim_result *r = &results[i];
        fprintf(file, "%-15s %9.3f %9.3f %9.3f %9.2f %9.2f %9.0f %8u %9.2f\n", sim_names[i], r->p50 / MS,
                r->p99 / MS, r->p999 / MS, r->refused * 100, r->failed * 100,
                (double)r->peak_memory / (1 << 20), r->replaced, r->p99 / results[SIM_IDEAL].p99);
    }
}

static void print_json(FILE *file, const struct sim_setup *setup, const struct sim_result *results)
{
    for (int i = 0; i < SIM_POLICIES; i++) {
        const struct sim_result *r = &results[i];
        fprintf(
            file,
            "%s{\"policy\": \"%s\", \"service_ns\": %llu, \"load_percent\": %u, \"bursty\": %s, "
            "\"antagonists\": %s, \"p50_ns\": %.0f, \"p99_ns\": %.0f, \"p999_ns\": %.0f, \"refused\": %.5f, "
            "\"failed\": %.5f, \"peak_memory\": %llu, \"replaced\": %u}",
            ftell(file) > 2 ? ",\n" : "", sim_names[i], (unsigned long long)setup->service, setup->percent,
            setup->bursty ? "true" : "false", setup->antagonists ? "true" : "false", r->p50, r->p99, r->p999,
            r->refused, r->failed, (unsigned long long)r->peak_memory, r->replaced);
    }
}

static void print_figures(const struct sim_setup *setup, const struct sim_result *results)
{
    for (int i = 0; i < SIM_POLICIES; i++) {
        figure_print(results[i].p99 / results[SIM_IDEAL].p99, "p99 / ideal", sim_names[i], "%g ms, %s, %s",
                     (double)setup->service / MS, setup->bursty ? "bursty" : "Poisson",
                     setup->antagonists ? "four antagonists" : "all alike");
    }
}

static void measure(const struct sim_setup *setup, FILE *text, FILE *json)
{
    struct sim_result results[SIM_POLICIES];

    for (int i = 0; i < SIM_POLICIES; i++) {
        sim_run(setup, (enum sim_policy)i, &results[i]);
    }
    print_text(text, setup, results);
    print_json(json, setup, results);
    if (setup->percent == 95) {
        print_figures(setup, results);
    }
}

static void measure_all(unsigned requests, FILE *text, FILE *json)
{
    for (unsigned shape = 0; shape < 3; shape++) { /* all alike; antagonists; bursts, too */
        for (size_t s = 0; s < sizeof(services) / sizeof(services[0]); s++) {
            for (size_t p = 0; p < sizeof(percents) / sizeof(percents[0]); p++) {
                const struct sim_setup setup = {.seed = 1,
                                                .service = services[s],
                                                .percent = percents[p],
                                                .bursty = shape == 2,
                                                .antagonists = shape > 0,
                                                .requests = requests};
                measure(&setup, text, json);
            }
        }
    }
}

int main(int argc, char **argv)
{
    FILE *text = argc == 4 ? fopen(argv[2], "w") : NULL, *json = text ? fopen(argv[3], "w") : NULL;

    if (!json) {
        fprintf(stderr, "usage: simulation REQUESTS TEXT_FILE JSON_FILE\n");
        return 2;
    }
    fputs("[\n", json);
    measure_all((unsigned)atoi(argv[1]), text, json);
    fputs("\n]\n", json);
    return fclose(text) == 0 && fclose(json) == 0 ? 0 : 1;
}
