/* noise-vectors-write: prints the vectors that are frozen in tests/golden/noise_vectors.json. They
 * are only changed by adding patterns. */
#include "tests/vectors/noise_vectors.h"

#define SEED 111

static const char *const PATTERNS[] = {
    "XK",     "XKpsk3", "N",     "K",     "X",      "NN",          "NK",
    "NX",     "KN",     "KK",    "KX",    "XN",     "XX",          "IN",
    "IK",     "IX",     "Npsk0", "Xpsk1", "NNpsk0", "KKpsk2",      "IKpsk1",
    "XXpsk3", "XK1",    "X1X1",  "K1K1",  "I1K1",   "NNpsk0+psk2", "XKpsk0+psk1+psk2+psk3",
};

int main(void)
{
    return noise_vectors_write(stdout, PATTERNS, sizeof PATTERNS / sizeof *PATTERNS, SEED) == OK
               ? 0
               : 1;
}
