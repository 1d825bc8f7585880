#include "tests/sim/random.h"

#include "proto/base/require.h"
#include "tests/sim/sim_private.h"

#include <sodium.h>
#include <string.h>
#include <sys/random.h>

static struct dice streams[STREAM_COUNT];
static struct dice outside; /* what libsodium draws from when no node is current */

static uint64_t rotate(uint64_t value, int by)
{
    return (value << by) | (value >> (64 - by));
}

void dice_seed(struct dice *dice, uint64_t seed, const char *purpose)
{
    uint8_t content[64] = { 0 };
    size_t size = strlen(purpose);
    require(size <= sizeof content - 8);
    memcpy(content, &seed, 8);
    memcpy(content + 8, purpose, size);
    crypto_generichash((uint8_t *)dice->state, sizeof dice->state, content, 8 + size, NULL, 0);
}

uint64_t dice_u64(struct dice *dice)
{
    uint64_t *s = dice->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t dice_below(struct dice *dice, uint64_t below)
{
    require(below > 0);
    if (below <= UINT32_MAX)
        return (dice_u64(dice) >> 32) * below >> 32;
    return dice_u64(dice) % below;
}

int64_t dice_between(struct dice *dice, int64_t low, int64_t high)
{
    return low + (int64_t)dice_below(dice, (uint64_t)(high - low) + 1);
}

bool dice_chance(struct dice *dice, uint64_t count, uint64_t of)
{
    return count > 0 && dice_below(dice, of) < count;
}

/* By table-free halving: the number of heads gives the octave, the rest is linear within it. Close
 * enough to exponential, and the same on every machine (no libm). */
int64_t dice_exponential(struct dice *dice, int64_t mean)
{
    uint64_t draw = dice_u64(dice);
    int octave = draw == 0 ? 30 : __builtin_ctzll(draw);
    if (octave > 30)
        octave = 30;
    double within = (double)(dice_u64(dice) >> 11) / 9007199254740992.0;
    /* an octave of the survival function is ln 2 of the mean */
    return (int64_t)(((double)octave + within) * 0.6931471805599453 * (double)mean);
}

void dice_bytes(struct dice *dice, void *out, size_t size)
{
    uint8_t *at = out;
    while (size > 0) {
        uint64_t draw = dice_u64(dice);
        size_t now = size < sizeof draw ? size : sizeof draw;
        memcpy(at, &draw, now);
        at += now;
        size -= now;
    }
}

static struct dice *dice_current(void)
{
    return sim_current_node ? &sim_current_node->ids : &outside;
}

/* ---- libsodium and getrandom ----------------------------------------------------------------- */

static const char *sodium_name(void)
{
    return "samad-sim";
}

static uint32_t sodium_random(void)
{
    return (uint32_t)dice_u64(dice_current());
}

static void sodium_buf(void *const out, const size_t size)
{
    dice_bytes(dice_current(), out, size);
}

ssize_t getrandom(void *out, size_t size, unsigned flags)
{
    (void)flags;
    dice_bytes(dice_current(), out, size);
    return (ssize_t)size;
}

static struct randombytes_implementation implementation = {
    .implementation_name = sodium_name,
    .random = sodium_random,
    .buf = sodium_buf,
};

void random_begin(uint64_t seed)
{
    static const char *const names[STREAM_COUNT] = { "swarm",  "schedule", "net",  "disk",
                                                     "faults", "workload", "clock", "second",
                                                     "pace 3813", "liar", "misdirected" };
    for (unsigned i = 0; i < STREAM_COUNT; i++)
        dice_seed(&streams[i], seed, names[i]);
    dice_seed(&outside, seed, "outside");
    randombytes_set_implementation(&implementation);
}

struct dice *random_stream(enum stream stream)
{
    return &streams[stream];
}
