/* Noise test vectors in the JSON form of the cacophony project: run a file, or write one.
 *
 *   { "vectors": [ { "protocol_name", "init_prologue", "init_static", "init_ephemeral",
 *                    "init_remote_static", "init_psks": [..], the same with "resp_",
 *                    "handshake_hash", "messages": [ { "payload", "ciphertext" } .. ] } .. ] }
 *
 * Everything is lower-case hexadecimal; what a pattern does not use is absent. The messages after
 * the handshake are transport messages: in turn, or all of the initiator for a one-way pattern. */
#ifndef TESTS_VECTORS_NOISE_VECTORS_H
#define TESTS_VECTORS_NOISE_VECTORS_H

#include "proto/secure/noise.h"

#include <stdio.h>

struct noise_vectors_result {
    unsigned passed, failed;
};

/* Runs every vector of a file and says on `log` which failed and why. ERR_MALFORMED when it is not
 * such a file (`log` has the place); a protocol that is not implemented is a failed vector. */
enum err noise_vectors_run(const char *path, struct noise_vectors_result *result, FILE *log);

/* Writes one vector a pattern; all keys, psks and payloads follow from `seed`. */
enum err noise_vectors_write(FILE *out, const char *const *patterns, size_t count, uint64_t seed);

#endif
