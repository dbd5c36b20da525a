/*
 * Numbers at random for simulations: the same seed gives the same on every machine.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdint.h>

/* The next of the stream whose state is `*seed`. */
uint64_t sim_random(uint64_t *seed);

/* Exponentially distributed, of mean 1. */
double sim_random_exponential(uint64_t *seed);

#endif
