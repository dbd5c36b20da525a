/*
 * Growth by handler. Runs in the bus; pure but for its memory.
 */
#include "bus/bus_leak.h"

#include <lpm/module.h>
#include <stdlib.h>
#include <string.h>

#define HALF_LIFE_NS 3e11

/* What keeps handlers that cannot be told apart from dividing by zero: a share of the mean of their squares. */
#define RIDGE 1e-6

int bus_leak_init(struct bus_leak *leak, size_t count)
{
    *leak = (struct bus_leak){.count = count};
    leak->products = calloc(count * count + 1, sizeof(*leak->products));
    leak->growths = calloc(count + 1, sizeof(*leak->growths));
    leak->answers = calloc(count + 1, sizeof(*leak->answers));
    return leak->products && leak->growths && leak->answers ? 0 : LPM_ENOMEM;
}

void bus_leak_fini(struct bus_leak *leak)
{
    free(leak->products);
    free(leak->growths);
    free(leak->answers);
    *leak = (struct bus_leak){0};
}

static void decay(struct bus_leak *leak, uint64_t now)
{
    double ns = leak->at != 0 && now > leak->at ? (double)(now - leak->at) : 0;
    double keep = HALF_LIFE_NS / (HALF_LIFE_NS + ns);

    leak->at = now;
    for (size_t i = 0; i < leak->count * leak->count; i++) {
        leak->products[i] *= keep;
    }
    for (size_t i = 0; i < leak->count; i++) {
        leak->growths[i] *= keep;
    }
}

void bus_leak_count(struct bus_leak *leak, const uint32_t *answered)
{
    for (size_t h = 0; h < leak->count; h++) {
        leak->answers[h] += answered[h];
    }
}

void bus_leak_add(struct bus_leak *leak, uint64_t now, const uint32_t *answered, double growth)
{
    decay(leak, now);
    bus_leak_count(leak, answered);
    for (size_t h = 0; h < leak->count; h++) {
        if (answered[h] == 0) {
            continue;
        }
        leak->growths[h] += answered[h] * growth;
        for (size_t i = 0; i < leak->count; i++) {
            leak->products[h * leak->count + i] += (double)answered[h] * answered[i];
        }
    }
}

/* `a` x = `b` by elimination, `x` in the place of `b`. `a` is symmetric and, by the ridge, positive definite: no pivot is
 * 0. */
static void eliminate(double *a, double *b, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        for (size_t i = k + 1; i < count; i++) {
            double factor = a[i * count + k] / a[k * count + k];
            for (size_t j = k; j < count; j++) {
                a[i * count + j] -= factor * a[k * count + j];
            }
            b[i] -= factor * b[k];
        }
    }
    for (size_t k = count; k-- > 0;) {
        for (size_t j = k + 1; j < count; j++) {
            b[k] -= a[k * count + j] * b[j];
        }
        b[k] /= a[k * count + k];
    }
}

int bus_leak_solve(const struct bus_leak *leak, double *growth)
{
    size_t squares = leak->count * leak->count;
    double trace = 0, *a = malloc((squares + 1) * sizeof(*a));

    if (!a) {
        return LPM_ENOMEM;
    }
    memcpy(a, leak->products, squares * sizeof(*a));
    memcpy(growth, leak->growths, leak->count * sizeof(*growth));
    for (size_t i = 0; i < leak->count; i++) {
        trace += a[i * leak->count + i];
    }
    for (size_t i = 0; i < leak->count; i++) {
        a[i * leak->count + i] += trace > 0 ? RIDGE * trace / (double)leak->count : 1;
    }
    eliminate(a, growth, leak->count);
    free(a);
    return 0;
}
