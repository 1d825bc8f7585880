/* A small generator of our own: the same numbers on every machine, from a seed. Not for secrets. */
#ifndef TESTS_WORKLOAD_RANDOM_H
#define TESTS_WORKLOAD_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/* SplitMix64 (Steele, Lea, Flood 2014): every 64-bit state is a good one. */
static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* An independent stream for each name and number. */
static inline struct random random_of(uint64_t seed, uint64_t name, uint64_t number)
{
    struct random random = { seed };
    random.state = random_next(&random) ^ name;
    random.state = random_next(&random) ^ number;
    return (struct random){ random_next(&random) };
}

/* 0 … below - 1, even enough for a workload. */
static inline uint32_t random_below(struct random *random, uint32_t below)
{
    return (uint32_t)((random_next(random) >> 32) * below >> 32);
}

static inline uint32_t random_between(struct random *random, uint32_t least, uint32_t most)
{
    return least + random_below(random, most - least + 1);
}

/* 0 ≤ x < 1. */
static inline double random_share(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

static inline bool random_chance(struct random *random, double share)
{
    return random_share(random) < share;
}

#endif
