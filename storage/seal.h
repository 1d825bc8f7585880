/* Person parts at rest: XChaCha20-Poly1305 under the node's data key (design D18).
 *
 * The nonce is the first 24 bytes of the record's leaf hash. The leaf commits to the header, the
 * header to the person part, so one nonce never meets two plaintexts; a random nonce would cost 24
 * stored bytes a record and randomness in a step machine. Additional data: the whole leaf hash. */
#ifndef STORAGE_SEAL_H
#define STORAGE_SEAL_H

#include "proto/record/record.h"

#define SEAL_KEY_SIZE 32
#define SEAL_OVERHEAD 16

struct seal_key {
    uint8_t bytes[SEAL_KEY_SIZE];
};

/* `out` has plain.size + SEAL_OVERHEAD bytes. */
void seal(const struct seal_key *key, const struct hash *leaf, struct bytes plain, uint8_t *out);
/* `out` has sealed.size - SEAL_OVERHEAD bytes. ERR_CORRUPT when it does not open. */
enum err seal_open(const struct seal_key *key, const struct hash *leaf, struct bytes sealed,
                   uint8_t *out);

#endif
