/* Independent streams of randomness: a draw more in one does not move the others.
 *
 * libsodium's randombytes and getrandom() draw from the stream of the current node, which a cloned
 * VM may share with its twin. */
#ifndef TESTS_SIM_RANDOM_H
#define TESTS_SIM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stream {
    STREAM_SWARM,    /* what a seed draws before anything runs */
    STREAM_SCHEDULE, /* which fiber goes next */
    STREAM_NET,
    STREAM_DISK,
    STREAM_FAULTS,   /* when what goes wrong */
    STREAM_WORKLOAD, /* clients */
    STREAM_CLOCK,
    STREAM_SECOND, /* second devices: who has one, what happens to it */
    STREAM_PACE,     /* how people call */
    STREAM_LIAR,     /* what a malicious node says */
    STREAM_MISDIRECTED,
    STREAM_COUNT
};

struct dice { /* xoshiro256** */
    uint64_t state[4];
};

void dice_seed(struct dice *dice, uint64_t seed, const char *purpose);
uint64_t dice_u64(struct dice *dice);
/* 0..below-1; below > 0. */
uint64_t dice_below(struct dice *dice, uint64_t below);
/* low..high, both included. */
int64_t dice_between(struct dice *dice, int64_t low, int64_t high);
/* True `count` times in `of`. */
bool dice_chance(struct dice *dice, uint64_t count, uint64_t of);
/* Exponential with this mean, at most 30 times it. */
int64_t dice_exponential(struct dice *dice, int64_t mean);
void dice_bytes(struct dice *dice, void *out, size_t size);

/* All streams from one seed; also makes libsodium draw from the current node. */
void random_begin(uint64_t seed);
struct dice *random_stream(enum stream stream);

#endif
