/* Checking what is stored against what was signed (guarantees I5, I11).
 *
 *   verify_ends   at start-up: that the ends of the logs are their ends
 *   verify_tail   the last batch of every log, quickly
 *   verify_step   in the background: everything, in bounded steps, resumable after a restart
 *
 * All only read, and tell every fault exactly. What is checked of a batch:
 *
 *   1. every header hashes to its leaf hash, decodes, and names its log and position
 *   2. facts match their commitment; person parts open and match theirs, or are absent
 *   3. the leaf hashes lead from the frontier before the batch to the frontier in it
 *   4. every subtree of level >= 8 that it completed stands in the tree with that hash
 *   5. every checkpoint at a size inside it (its own note, accepted notes, receipts, the pending
 *      one) states the root at that size; a note of an own log is signed by its key
 *   6. a person part that is absent is erased or withheld; what is erased or withheld is absent; what
 *      an erase record names is known to be erased
 *   7. a search for its first position and for its last one comes to it
 *
 * and of a log: batches follow each other without a hole; it holds what receipts were given or
 * received for; its name leads to it; its notes, receipts, forks and withheld parts stand under keys of
 * their form, where a search finds them, with none between that belongs nowhere. */
#ifndef STORAGE_VERIFY_H
#define STORAGE_VERIFY_H

#include "storage/log.h"

enum verify_fault {
    VERIFY_RECORD = 1, /* a header or facts differ from what they should be */
    VERIFY_PERSON,     /* a person part does not open or does not match */
    VERIFY_LEAF,       /* the stored leaf hash is damaged, the record is well */
    VERIFY_BATCH,      /* a batch cannot be read, or records are missing before the next one */
    VERIFY_FRONTIER,   /* the frontier differs from the one computed */
    VERIFY_TREE,       /* a subtree's hash is absent or differs; position: its first leaf */
    VERIFY_NOTE,       /* a checkpoint states another root or its signature fails; position: size */
    VERIFY_MISSING,    /* receipts cover more than is held; position: held, count: lacking */
    VERIFY_STATE,      /* the row or the name of a log is damaged */
    VERIFY_ERASURE,    /* a person part that is absent is neither erased nor withheld, one that is said
                          to be is there, or an erase record's erasure is not known */
    VERIFY_ENTRY       /* of notes, receipts, forks or withheld parts: it belongs nowhere, or there are
                          too few; position: which one of the log's */
};

struct verify_failure {
    uint32_t number;
    enum verify_fault fault;
    uint64_t position;
    uint64_t count; /* of records concerned; 0 when that cannot be told */
};

#define VERIFY_FAILURE_MAX 65536 /* listed; further ones are only counted */

struct verify_report {
    uint64_t logs, batches, records, bytes; /* looked at */
    uint64_t absent;                        /* person parts that are absent (erased) */
    uint64_t failures;
    struct verify_failure *list; /* the first VERIFY_FAILURE_MAX of them */
    size_t list_count;
};

/* "record", "person", … */
const char *verify_fault_name(enum verify_fault fault);

/* Gives the public key of an own log; false when it is not known (signatures are not checked). */
typedef bool verify_key(void *context, const struct log_id *id, struct sign_public *key);

struct verify {
    struct log_store *logs;
    verify_key *key; /* may be NULL */
    void *context;
    struct verify_report report;
    /* the cursor: everything before this position of this log has been looked at */
    uint32_t number;
    uint64_t position;
    bool frontier_known; /* not after a batch that could not be read */
    struct merkle_frontier frontier;
    struct hash *leaves; /* room for one batch */
    struct buffer person;
};

enum err verify_open(struct verify *verify, struct log_store *logs, verify_key *key, void *context);
void verify_close(struct verify *verify);

/* Checks the last batch of every log. OK also when there are failures: see report.failures.
 * Errors are those of reading. Leaves the cursor alone. */
enum err verify_tail(struct verify *verify, struct store_txn *txn);

/* Whether every log ends where it seems to: no batch lies behind it out of order, and this node has given
 * no receipt for more. A store that was put back from a backup is sound in this; where it is not, batches
 * cannot be found, and whoever went on from there would do again what was done. One look a log: at every
 * start. ERR_CORRUPT. */
enum err verify_ends(struct log_store *logs, struct store_txn *txn);

/* Goes on with whole batches until `byte_budget` is used up (one batch at least). OK: call again,
 * with a new transaction; ERR_END: every record of every log in this snapshot has been looked at, and
 * what is kept beside them. */
enum err verify_step(struct verify *verify, struct store_txn *txn, size_t byte_budget);

/* The cursor and the report as bytes, to be kept where the caller likes. */
void verify_save(const struct verify *verify, struct buffer *out);
/* Takes them up again after verify_open. ERR_MALFORMED leaves `verify` as it was opened. */
enum err verify_load(struct verify *verify, struct bytes saved);

#endif
