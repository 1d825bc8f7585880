/* A transferable fork proof: anybody with the log's public key can check, offline, that the writer
 * of one log has signed two histories of it.
 *
 *   proof = msgpack [ 1, note A, note B, position | nil, leaf A, path A, leaf B, path B ]
 *
 * Both notes are checkpoints of one log with its own signature. With position nil they are of one
 * size and have different roots; leaves and paths are then nil. Otherwise leaf A stands at
 * `position` under note A by the inclusion proof path A, leaf B at the same position under note B,
 * and they differ. Pure functions. */
#ifndef REPLICATION_CORE_FORK_H
#define REPLICATION_CORE_FORK_H

#include "proto/secure/merkle.h"
#include "proto/secure/note.h"

#define FORK_PROOF_FORMAT   1
#define FORK_PROOF_SIZE_MAX (2 * NOTE_SIZE_MAX + 2 * MERKLE_PROOF_MAX * (HASH_SIZE + 2) + 256)

struct fork_branch {
    struct bytes note;
    struct hash leaf;
    struct merkle_proof path;
};

struct fork_proof {
    bool has_position; /* false: same size, other root; leaf and path are unused */
    uint64_t position;
    struct fork_branch a, b;
};

/* Appends; the error is the buffer's. */
void fork_proof_encode(struct buffer *out, const struct fork_proof *proof);
/* The notes point into the input. ERR_MALFORMED, ERR_VERSION. */
enum err fork_proof_decode(struct fork_proof *proof, struct bytes input);

/* The log that the first note names; nothing is verified. */
enum err fork_proof_log(struct bytes input, struct log_id *log);
/* OK: the fork is proven, of the log given back. ERR_MALFORMED, ERR_SIGNATURE; ERR_PROOF when
 * everything is genuine and yet no contradiction. */
enum err fork_proof_verify(struct bytes input, const struct sign_public *key, struct log_id *log);

#endif
