/* What the files of the log store share: its tables, keys and the state row of a log. */
#ifndef STORAGE_LOG_PRIVATE_H
#define STORAGE_LOG_PRIVATE_H

#include "storage/journal_entry.h"
#include "storage/log.h"

enum log_table {
    LOG_META,
    LOG_LOGS,
    LOG_NAMES,
    LOG_BATCHES,
    LOG_TREE,
    LOG_NOTES,
    LOG_RECEIPTS,
    LOG_FORKS,
    LOG_ERASURES,
    LOG_WITHHELD,
    LOG_TABLE_COUNT
};

struct log_store {
    struct store *environment;
    struct seal_key data_key;
    char node[NODE_NAME_SIZE_MAX + 1];
    struct journal_entry *changes; /* NULL: nobody wants to know */

    /* What the writing thread knows without walking a B-tree, valid while no transaction was
     * aborted since (`aborts`). Only used inside writing transactions. */
    struct log_memory {
        bool known;
        bool frozen;
        uint64_t size;
    } *memory;
    size_t memory_count;
    uint64_t memory_aborts;
};

/* ---- keys: big-endian, so that they ascend with what they name ---- */
#define LOG_KEY_SIZE_MAX (LOG_ORIGIN_SIZE_MAX + 1 + 8)
struct log_key {
    uint8_t bytes[LOG_KEY_SIZE_MAX];
    size_t size;
};
struct log_key log_key_number(uint32_t number);
struct log_key log_key_position(uint32_t number, uint64_t position); /* batches, notes */
struct log_key log_key_tree(uint32_t number, unsigned level, uint64_t index);
struct log_key log_key_hub(uint32_t number, const char *hub);
struct log_key log_key_fork(uint32_t number, uint32_t sequence);
/* origin 0x00 position: the erasures of one log stand together, in order. */
struct log_key log_key_erasure(const struct log_id *log, uint64_t position);
bool log_erasure_is_formed(struct bytes key, struct bytes value);
struct bytes log_key_bytes(const struct log_key *key);
/* True and the position when `key` is log_key_position(number, …). */
bool log_key_is_position(struct bytes key, uint32_t number, uint64_t *position);

/* ---- the row of a log in LOG_LOGS ---- */
struct log_row {
    struct log_id id;
    bool frozen;
    bool branch;
    uint32_t fork_count;
    uint64_t pending_size;
    struct hash pending_root;
    uint64_t cosigned_size;
};
enum err log_row_get(struct store_txn *txn, uint32_t number, struct log_row *row);
void log_row_put(struct store_txn *txn, uint32_t number, const struct log_row *row);

/* Where a change of this log is to be noted; NULL: nowhere. */
struct journal_entry *log_changes_of(const struct log_store *logs, const struct log_row *row);

/* The number of records held in the transaction's snapshot, from the last batch. */
enum err log_size(struct log_store *logs, struct store_txn *txn, uint32_t number, uint64_t *size);
/* What the writing thread remembers of a log; NULL when there is no memory for it. */
struct log_memory *log_memory_of(struct log_store *logs, struct store_txn *txn, uint32_t number);

/* ---- batches ---- */
struct log_batch {
    uint64_t first;
    struct bytes value;
    struct batch_view view;
};
/* Reads the entry that a cursor of LOG_BATCHES stands on. ERR_END when it is of another log. */
enum err log_batch_of(struct bytes key, struct bytes value, uint32_t number,
                      struct log_batch *batch);
/* The batch that holds `position`. ERR_NOT_FOUND beyond the held size. */
enum err log_batch_seek(struct store_cursor *cursor, uint32_t number, uint64_t position,
                        struct log_batch *batch);
/* The last batch that begins before `position`. ERR_NOT_FOUND. */
enum err log_batch_before(struct store_cursor *cursor, uint32_t number, uint64_t position,
                          struct log_batch *batch);
enum err log_batch_next(struct store_cursor *cursor, uint32_t number, struct log_batch *batch);
uint64_t log_batch_end(const struct log_batch *batch);
/* The note in a batch states the root at its end, under `key` (NULL: the signature is not looked at).
 * A batch without a note is good. ERR_CORRUPT. */
enum err log_note_check(const struct log_id *id, struct bytes note,
                        const struct merkle_frontier *after, const struct sign_public *key);
/* Whether a batch is what it says: each record, the tree from `before` (NULL: not known), the note.
 * `person` is scratch. OK, ERR_CORRUPT, ERR_NOMEM. */
enum err log_batch_check(const struct log_store *logs, const struct log_id *id,
                         const struct log_batch *batch, const struct merkle_frontier *before,
                         const struct sign_public *key, struct buffer *person);

/* ---- records ---- */
/* Checks what lies in a batch against the leaf hash and the commitments; `sealed` keeps the ranges.
 * The person part is opened into `person` when that is given, and only then checked: it has at
 * least sealed->person.size bytes. `open` is the record as the caller of log_read sees it. */
enum err log_record_check(const struct log_store *logs, const struct log_id *id, uint64_t position,
                          const struct record *sealed, const struct hash *leaf, uint8_t *person,
                          struct record *open, struct record_header *header);

#endif
