/* Keys: Ed25519 for logs, receipts and witnesses; X25519 for links. Four different keys for four
 * purposes (design D2); a type of their own keeps them apart. Secrets are wiped with
 * sodium_memzero() by whoever holds them. */
#ifndef PROTO_SECURE_KEYS_H
#define PROTO_SECURE_KEYS_H

#include "proto/base/bytes.h"

#define KEY_SIZE 32
#define SIGNATURE_SIZE 64

struct sign_public {
    uint8_t bytes[KEY_SIZE];
};

/* The RFC 8032 seed and its public key; the expanded secret is made on use. */
struct sign_key {
    uint8_t secret[64]; /* libsodium form: seed || public */
    struct sign_public public;
};

struct link_public {
    uint8_t bytes[KEY_SIZE];
};

struct link_key {
    uint8_t secret[KEY_SIZE];
    struct link_public public;
};

/* Deterministic from 32 bytes of entropy given by the caller: nothing here draws randomness. The
 * seed of a link key is the X25519 secret itself. */
void sign_key_from_seed(struct sign_key *key, const uint8_t seed[KEY_SIZE]);
void link_key_from_seed(struct link_key *key, const uint8_t seed[KEY_SIZE]);

void sign_message(const struct sign_key *key, struct bytes message, uint8_t out[SIGNATURE_SIZE]);
/* ERR_SIGNATURE also for non-canonical and low-order points. */
enum err sign_verify(const struct sign_public *key, struct bytes message,
                     const uint8_t signature[SIGNATURE_SIZE]);

#endif
