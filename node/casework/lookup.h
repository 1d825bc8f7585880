/* Keyed hashes: how a citizen is found in the views without being named there (design D18).
 *
 * BLAKE2b under a key of 32 bytes that comes from the service's credentials, so that whoever has
 * the views alone cannot try all phone numbers. What is hashed begins with a letter for its sort.
 */
#ifndef NODE_CASEWORK_LOOKUP_H
#define NODE_CASEWORK_LOOKUP_H

#include "proto/record/facts.h"

#define LOOKUP_KEY_SIZE  32
#define LOOKUP_HASH_SIZE 16
#define LAST_DIGITS      4

struct lookup_key {
    uint8_t bytes[LOOKUP_KEY_SIZE];
};

struct lookup_hash {
    uint8_t bytes[LOOKUP_HASH_SIZE];
};

/* Of canonical numbers: equal at every request of one citizen. */
struct lookup_hash lookup_phone(const struct lookup_key *key, struct bytes phone);
struct lookup_hash lookup_national_id(const struct lookup_key *key, struct bytes national_id);
/* Of the last four digits of a national ID, for one tracking code: different at every request, or
 * ten thousand hashes would sort the citizens into groups. */
struct lookup_hash lookup_last_digits(const struct lookup_key *key, struct bytes code,
                                      struct bytes last_digits);

/* What makes two requests under one idempotency key the same: kind, channel, subject, place and the
 * person part. Not the time: a client that leaves it out gets another one at each try. Never zero.
 */
struct lookup_hash lookup_fingerprint(const struct lookup_key *key,
                                      const struct request_facts *facts,
                                      const struct request_person *person);

/* In constant time. */
bool lookup_hash_equal(const struct lookup_hash *a, const struct lookup_hash *b);
/* All zero: erased, or never known. */
bool lookup_hash_is_zero(const struct lookup_hash *hash);

#endif
