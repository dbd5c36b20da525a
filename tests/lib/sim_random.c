/*
 * Numbers at random. No libm: its last bits differ.
 */
#include "sim_random.h"

/* splitmix64 */
uint64_t sim_random(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double uniform(uint64_t *seed)
{
    return (double)(sim_random(seed) >> 11) / (double)(UINT64_C(1) << 53);
}

/* Von Neumann's way, by comparisons only: the first of a falling run that is odd in length. */
double sim_random_exponential(uint64_t *seed)
{
    for (unsigned whole = 0;; whole++) {
        double first = uniform(seed), last = first, next;
        unsigned run = 1;
        while ((next = uniform(seed)) < last) {
            last = next;
            run++;
        }
        if (run % 2 == 1) {
            return whole + first;
        }
    }
}
