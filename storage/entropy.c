#include "storage/entropy.h"

#include <sodium.h>
#include <string.h>

/* The key lives in the first bytes of the block, so that filling the block replaces it. A key is
 * used for one block only, hence the constant nonce. */
static void entropy_refill(struct entropy *entropy)
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    uint8_t key[ENTROPY_SEED_SIZE];

    memcpy(key, entropy->block, sizeof(key));
    crypto_stream_chacha20(entropy->block, sizeof(entropy->block), nonce, key);
    sodium_memzero(key, sizeof(key));
    entropy->used = ENTROPY_SEED_SIZE;
}

void entropy_init(struct entropy *entropy, const uint8_t seed[ENTROPY_SEED_SIZE])
{
    memcpy(entropy->block, seed, ENTROPY_SEED_SIZE);
    entropy_refill(entropy);
}

void entropy_take(struct entropy *entropy, uint8_t *out, size_t size)
{
    while (size > 0) {
        if (entropy->used == sizeof(entropy->block))
            entropy_refill(entropy);
        size_t left = sizeof(entropy->block) - entropy->used;
        size_t step = size < left ? size : left;
        memcpy(out, entropy->block + entropy->used, step);
        memset(entropy->block + entropy->used, 0, step);
        entropy->used += step;
        out += step;
        size -= step;
    }
}

void entropy_wipe(struct entropy *entropy)
{
    sodium_memzero(entropy, sizeof(*entropy));
}
