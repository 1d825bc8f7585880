/* The log store: every log this node writes or follows, in log/ (design D1, D2, D5, D12).
 *
 * Tables (storage/README.md has the byte layouts):
 *   meta        format version, node name, counters
 *   logs        log number -> state: id, frozen, pending checkpoint, cosigned size, parents
 *   names       origin -> log number (u32)
 *   batches     log number, first position -> batch (storage/batch.h)
 *   tree        log number, level, index -> hash of a perfect subtree, level >= 8
 *   notes       log number, size -> accepted checkpoint note of a followed log
 *   receipts    log number, hub -> newest receipt note of that hub
 *   forks       log number, sequence -> evidence and the records of the other branch
 *   erasures    origin 0x00 position(u64) -> empty: person parts erased, whether held yet or not
 *               (storage/erase.h)
 *   withheld    log number, position -> empty: the person part did not come with the record, and
 *               no erasure explains it yet
 *
 * Functions that take a transaction become durable with it. One thread writes. Everything read is
 * checked: a record against its leaf hash and commitments, a leaf against the tree where proofs are
 * made; a failed check is ERR_CORRUPT and never served. */
#ifndef STORAGE_LOG_H
#define STORAGE_LOG_H

#include "proto/record/facts.h"
#include "proto/secure/note.h"
#include "storage/batch.h"
#include "storage/store.h"

#define STORAGE_FORMAT 1

struct log_store;

struct log_store_options {
    const char *path;         /* the folder log/ */
    const char *node;         /* this node's name; a store of another node is ERR_CONFLICT. NULL is
                                 allowed to a reader that takes what it finds */
    struct seal_key data_key; /* of person parts at rest */
    size_t map_size;
    size_t reserve_size;
    bool read_only;
    bool create;
    bool check_pages; /* storage/store.h: where it can be made again when it is damaged */
};

/* ERR_NOT_FOUND (absent, and not to be made), ERR_CONFLICT, ERR_VERSION (written by a newer
 * program), ERR_BUSY (another process writes it), ERR_CORRUPT, ERR_IO, ERR_FULL, ERR_NOMEM. */
enum err log_store_open(struct log_store **out, const struct log_store_options *options);
void log_store_close(struct log_store *logs);
/* The environment, for transactions, space and growth. */
struct store *log_store_environment(struct log_store *logs);
const struct seal_key *log_store_data_key(const struct log_store *logs);
/* The node whose store this is; valid until the store is closed. */
const char *log_store_node(const struct log_store *logs);

/* What writing transactions change of this node's own logs is noted in `entry` as well, until it is set
 * to NULL (the journal, storage/journal.h). The caller clears it for each transaction. Freezing and
 * other branches are not noted. Of the writing thread. */
struct journal_entry;
void log_store_note_changes(struct log_store *logs, struct journal_entry *entry);

/* What is stored of one log. */
struct log_state {
    struct log_id id;
    uint32_t number;
    uint64_t size;         /* records held, 0..size-1 without a hole */
    uint64_t pending_size; /* followed: the accepted checkpoint; 0 none */
    struct hash pending_root;
    uint64_t cosigned_size; /* the largest size this node has given a receipt for */
    bool frozen;            /* a fork was found: nothing is written to it any more, only fetched */
    bool branch;            /* the other branch of a forked log; folded and named by nobody */
};

/* Numbers are dense from 0 in order of first sight. */
uint32_t log_count(struct log_store *logs, struct store_txn *txn);
enum err log_find(struct log_store *logs, struct store_txn *txn, const struct log_id *id,
                  uint32_t *number);
/* ERR_EXISTS when the id is known. */
enum err log_create(struct log_store *logs, struct store_txn *txn, const struct log_id *id,
                    uint32_t *number);
enum err log_state_get(struct log_store *logs, struct store_txn *txn, uint32_t number,
                       struct log_state *state);
/* This node has given receipts for what others wrote (it is a hub): its copies of that are promised. */
bool log_gives_receipts(struct log_store *logs, struct store_txn *txn);
/* The right edge at the held size, from the last batch; checked for shape, not for truth. */
enum err log_frontier(struct log_store *logs, struct store_txn *txn, uint32_t number,
                      struct merkle_frontier *frontier);
/* The same before `position`, from the batch that ends there. ERR_CORRUPT when none does. */
enum err log_frontier_at(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         uint64_t position, struct merkle_frontier *frontier);

/* Appends a batch with the note after it (own logs) or without (fetched). ERR_GAP and nothing
 * written when batch->first is not the held size; ERR_STALE for a note on a frozen log. */
enum err log_append(struct log_store *logs, struct store_txn *txn, uint32_t number,
                    const struct batch_builder *batch, struct bytes note);

/* One record, verified against its leaf hash and commitments; the person part is opened into
 * `scratch`, to which the record's ranges point (all are copied there). An erased person part
 * gives person_absent. ERR_NOT_FOUND beyond the held size; ERR_CORRUPT. */
enum err log_read(struct log_store *logs, struct store_txn *txn, uint32_t number,
                  uint64_t position, struct buffer *scratch, struct record *record,
                  struct record_header *header, struct hash *leaf);
/* The same for a run: stops early when on_record returns something else than OK, and returns that
 * (ERR_END stops without being an error). Ends without an error at the held size. with_person
 * false leaves person parts sealed and the record's person empty, though not person_absent. Ranges
 * are valid during the call. */
typedef enum err log_on_record(void *context, uint64_t position, const struct record *record,
                               const struct record_header *header, const struct hash *leaf);
enum err log_scan(struct log_store *logs, struct store_txn *txn, uint32_t number, uint64_t first,
                  uint64_t count, bool with_person, log_on_record *on_record, void *context);

/* Hashes of perfect subtrees for proofs: from the tree table, and below level 8 from leaf hashes,
 * which are checked against the tree first. Valid during the transaction. The last block that was
 * looked into is kept: several proofs in a row cost one walk. */
struct log_source {
    struct log_store *logs;
    struct store_txn *txn;
    uint32_t number;
    size_t block_count;   /* leaves of the block in memory; 0 none. Begin with zero. */
    uint64_t block_first;
    struct hash block[MERKLE_BLOCK_SIZE];
};
struct merkle_source log_merkle_source(struct log_source *source);

/* The newest stored note with from <= size <= limit; ERR_NOT_FOUND. Own logs: batch notes; followed
 * ones: accepted notes. Appended to `note`. */
enum err log_note(struct log_store *logs, struct store_txn *txn, uint32_t number, uint64_t from,
                  uint64_t limit, struct buffer *note, uint64_t *size);

/* The smallest stored note with after < size <= limit; otherwise as log_note. */
enum err log_note_after(struct log_store *logs, struct store_txn *txn, uint32_t number,
                        uint64_t after, uint64_t limit, struct buffer *note, uint64_t *size);

/* The smallest accepted note of a followed log with after < size <= limit; otherwise as log_note. */
enum err log_accepted_after(struct log_store *logs, struct store_txn *txn, uint32_t number,
                            uint64_t after, uint64_t limit, struct buffer *note, uint64_t *size);

/* Followed logs: compare-and-advance of the accepted checkpoint. `expected` is the pending size
 * known to the caller; ERR_STALE when it is no longer that one, and for a checkpoint of that same
 * size or below what is held. A smaller one than pending that extends what is held is a step back
 * (nobody reaches the pending one any more). The caller has verified the signature and the proof. */
enum err log_pending_advance(struct log_store *logs, struct store_txn *txn, uint32_t number,
                             uint64_t expected, const struct checkpoint *checkpoint,
                             struct bytes note);
/* Keeps an accepted note of what is wholly held already; what is pending stays. ERR_GAP above the
 * held size. The caller has verified the signature, and the root by the tree. */
enum err log_note_accept(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         const struct checkpoint *checkpoint, struct bytes note);
/* Drops the accepted note of that size, if there is one: the log turned out to be of another
 * history. */
enum err log_note_forget(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         uint64_t size);
/* Remembers the receipt this node gives, before it is sent. ERR_STALE for a smaller size than an
 * earlier one; ERR_GAP above the held size. */
enum err log_cosign(struct log_store *logs, struct store_txn *txn, uint32_t number, uint64_t size,
                    struct bytes receipt);
/* Receipts held for a log, the largest of each hub. A smaller one is ignored. */
enum err log_receipt_put(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         const char *hub, uint64_t size, struct bytes receipt);
enum err log_receipt_get(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         const char *hub, struct buffer *receipt, uint64_t *size);

/* Whether a receipt is for this log and for the size it is kept under. That size decides what is told as
 * national and what a journal may give up: a flipped bit in it must not. */
bool log_receipt_says(const struct log_id *log, uint64_t size, struct bytes receipt);

/* How many records of a log `hubs` hubs hold, by the receipts kept; 0 when fewer gave one. Others
 * than those that say so count for nothing. */
uint64_t log_receipted_size(struct log_store *logs, struct store_txn *txn, uint32_t number,
                            unsigned hubs);

/* Parents named by the first record of a log (decoded from it); count 0 for an empty log. */
enum err log_parents(struct log_store *logs, struct store_txn *txn, uint32_t number,
                     struct log_head *parents, size_t max, size_t *count);
/* The tips: of the logs of `node` and `audience` that stand in the order (order.h), those that are not
 * wholly covered by a parent entry of another one. What a new incarnation must name (design D1): what
 * it names is what it decides on, and a log whose ancestors are not here yet is folded by nobody. */
enum err log_tips(struct log_store *logs, struct store_txn *txn, const char *node,
                  const char *audience, struct log_head *tips, size_t max, size_t *count);

/* Freezes a log (its writer is refused) and keeps the evidence for ever (replication/README.md has
 * the format). */
enum err log_freeze(struct log_store *logs, struct store_txn *txn, uint32_t number,
                    struct bytes evidence);
enum err log_fork_get(struct log_store *logs, struct store_txn *txn, uint32_t number,
                      uint32_t sequence, struct buffer *evidence);

/* The number under which the other branch of a forked log is kept, a log of the same id of its own
 * (design D6: both branches stay). Made when `create`; ERR_NOT_FOUND otherwise. */
enum err log_branch(struct log_store *logs, struct store_txn *txn, const struct log_id *id,
                    bool create, uint32_t *number);

/* Person parts that did not come (design D3): no receipt covers such a record until its erasure is
 * held. ERR_NOT_FOUND when nothing is withheld below `size`. */
enum err log_withheld_add(struct log_store *logs, struct store_txn *txn, uint32_t number,
                          uint64_t position);
enum err log_withheld_explain(struct log_store *logs, struct store_txn *txn, uint32_t number,
                              uint64_t position);
enum err log_withheld_below(struct log_store *logs, struct store_txn *txn, uint32_t number,
                            uint64_t size, uint64_t *position);

/* Deletes the person part and salt of one record by rewriting its batch. OK when it has none;
 * ERR_NOT_FOUND beyond the held size. */
enum err log_erase_person(struct log_store *logs, struct store_txn *txn, uint32_t number,
                          uint64_t position);

#endif
