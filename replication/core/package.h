/* A package: a run of records that proves itself against a checkpoint the receiver has. Pure
 * functions for both ends; storage and compression are the shell's.
 *
 * Two forms of proof, told apart by where the package ends:
 *   whole   it ends with its block, or with the checkpoint: the block's path to the root. The block
 *           is the receiver's own leaves before the package and the package's.
 *   part    it ends earlier, because records are large or the link slow: the log up to its end is a
 *           prefix of the checkpoint (consistency). */
#ifndef REPLICATION_CORE_PACKAGE_H
#define REPLICATION_CORE_PACKAGE_H

#include "proto/wire/message.h"

/* The most records that a package from `first` may hold: to the end of block or checkpoint. */
uint64_t package_count_max(uint64_t first, uint64_t against);

/* The proof for [first, first + count) of the checkpoint of size `against`. Errors of the source;
 * ERR_INVALID for a range no package may have. */
enum err package_prove(const struct merkle_source *source, uint64_t first, uint64_t count,
                       uint64_t against, struct merkle_proof *proof);

/* Called for each record, verified as record_verify() does, before the proof is looked at: keep
 * nothing until package_verify() has returned OK. */
typedef enum err package_on_record(void *context, uint64_t position, const struct record *record,
                                   const struct record_header *header, const struct hash *leaf);

/* Verifies every record of `body` (package->body decompressed) and the proof against `checkpoint`.
 * `held` gives the receiver's own tree over at least [0, first). `leaves` (MERKLE_BLOCK_SIZE of
 * them) receives the package's leaf hashes. ERR_GAP when the checkpoint is not of size `against`;
 * ERR_PROOF; ERR_MALFORMED, ERR_COMMITMENT, ERR_VERSION, ERR_TOO_LARGE of a record; errors of
 * `held` and `on_record` (which may be NULL). */
enum err package_verify(const struct message_package *package, struct bytes body,
                        const struct merkle_source *held, const struct checkpoint *checkpoint,
                        struct hash *leaves, package_on_record *on_record, void *context);

#endif
