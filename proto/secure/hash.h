/* SHA-256, the only hash of records, trees and commitments. One file calls the library. */
#ifndef PROTO_SECURE_HASH_H
#define PROTO_SECURE_HASH_H

#include "proto/base/bytes.h"

#define HASH_SIZE 32

struct hash {
    uint8_t bytes[HASH_SIZE];
};

/* SHA-256 of the concatenation of `count` ranges. */
void hash_sha256(struct hash *out, const struct bytes *parts, size_t count);
bool hash_equal(const struct hash *a, const struct hash *b);

#endif
