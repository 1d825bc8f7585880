#include "tests/scenario/dice.h"

#include "tests/scenario/world.h"

#include <stdio.h>
#include <stdlib.h>

uint64_t dice_roll(uint64_t *state, uint64_t below)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

void dice_run_seeds(void (*run)(uint64_t seed))
{
    uint64_t first = setting("SAMAD_SEED", 1);
    uint64_t last = getenv("SAMAD_SEED") ? first : setting("SAMAD_SEEDS", 30);
    for (uint64_t seed = first; seed <= last; seed++)
        run(seed);
}

void dice_show(struct world *world)
{
    if (!getenv("SAMAD_SEED"))
        return;
    fwrite(world->transcript.data, 1, world->transcript.size, stderr);
}
