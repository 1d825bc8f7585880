/* Records that lie damaged in a log that is held, put right from another holder's copy (guarantee I11).
 *
 * Verification names the damage, replication asks for the records, and they are put where they belong:
 * in place, so that everything else of the log is served meanwhile. What is still good of a damaged
 * batch stays as it is. */
#ifndef STORAGE_LOG_MEND_H
#define STORAGE_LOG_MEND_H

#include "storage/log.h"

/* Which records have to come for the damage at `position` to go: those of the batch that holds it, or of
 * the gap between two batches. ERR_NOT_FOUND: nothing of the log lies behind it. */
enum err log_mend_range(struct log_store *logs, struct store_txn *txn, uint32_t number,
                        uint64_t position, uint64_t *first, uint64_t *end);

/* A run of records whose leaf hashes are known to be those of the log. */
struct log_good {
    uint64_t first;
    uint32_t count;
    const struct record *records; /* each verified against its leaf hash */
    const uint8_t *leaves;
    struct merkle_frontier before; /* the tree before the first: log_frontier_at() */
};

/* Looks at what lies where the run belongs, and writes the batches anew that are damaged or missing.
 * `key` is that of the log, for the notes in its batches. Erasures apply to what is written, a person
 * part that neither has is remembered as withheld. `*mended` counts the batches written. After an error
 * the transaction is to be aborted when it has changed anything. */
enum err log_mend(struct log_store *logs, struct store_txn *txn, uint32_t number,
                  const struct log_good *good, const struct sign_public *key, uint64_t *mended);

#endif
