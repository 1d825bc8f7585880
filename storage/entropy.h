/* A deterministic stream of unguessable bytes from one seed: ChaCha20, with its key replaced by its
 * own output at every refill and each byte wiped when it is given out. So a later look into memory
 * cannot bring back the salts of erased records, and a step machine draws no randomness. */
#ifndef STORAGE_ENTROPY_H
#define STORAGE_ENTROPY_H

#include "proto/base/bytes.h"

#define ENTROPY_SEED_SIZE 32
#define ENTROPY_BLOCK_SIZE 4096

struct entropy {
    uint8_t block[ENTROPY_BLOCK_SIZE]; /* the next key, then output */
    size_t used;
};

void entropy_init(struct entropy *entropy, const uint8_t seed[ENTROPY_SEED_SIZE]);
void entropy_take(struct entropy *entropy, uint8_t *out, size_t size);
void entropy_wipe(struct entropy *entropy);

#endif
