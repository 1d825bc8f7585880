/* Chance from a seed, for the random worlds. */
#ifndef TESTS_SCENARIO_DICE_H
#define TESTS_SCENARIO_DICE_H

#include <stdint.h>

/* 0 .. below - 1; splitmix64. */
uint64_t dice_roll(uint64_t *state, uint64_t below);

/* Runs seeds 1..SAMAD_SEEDS (30 by default), or only SAMAD_SEED. */
void dice_run_seeds(void (*run)(uint64_t seed));

struct world;
/* With SAMAD_SEED the whole transcript goes to stderr. */
void dice_show(struct world *world);

#endif
