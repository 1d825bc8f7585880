/* log/ and the journal, compared and made equal (guarantees I1, I11): at every start, before anything
 * is written.
 *
 *   batches that only the journal has        verified, and put back into log/
 *   batches that only log/ has               verified, and copied into the journal
 *   batches that differ                      the sound one stands; that of log/ is replaced when it is not
 *   person parts erased in log/              overwritten in the journal, where that was interrupted
 *   records that neither has, or has whole   told, as ranges of positions
 *   other tables of log/                     made from the batches, or taken from the journal, or told
 *   logs of others, at a province            cut where they are damaged, and asked for again
 *
 * What goes into log/ is verified as if a stranger had sent it: each record against its leaf hash and
 * commitments, the leaf hashes against the tree before, the root against the signed checkpoint.
 *
 * Records before which neither has others are not put back as long as that is so: they stay in the
 * journal and wait until the hubs have handed back what is before them, and restore_waiting() then
 * puts them behind it. */
#ifndef STORAGE_RESTORE_H
#define STORAGE_RESTORE_H

#include "storage/journal.h"
#include "storage/log.h"

struct restore_loss {
    struct log_id log;
    uint64_t first, count;
    bool person; /* the record is there, its person part is not */
};

/* Whose signatures count. */
struct restore_keys {
    const struct sign_public *own;
    /* The key of another node's logs; false: it is not known, and its notes are only parsed. May be
     * NULL. */
    bool (*of)(void *context, const struct log_id *log, struct sign_public *key);
    void *context;
};

#define RESTORE_LOSS_MAX 64 /* listed; further ones are only counted */

struct restore_report {
    uint64_t records;  /* put back into log/ */
    uint64_t repaired; /* batches of log/ that were damaged and are whole again */
    uint64_t copied;   /* batches that the journal lacked */
    uint64_t spoiled;  /* batches of the journal that fail their verification */
    uint64_t rows;     /* of other tables of log/ that were wrong and are right again */
    uint64_t dropped;  /* checkpoints and receipts that were wrong: others are given for them */
    uint64_t cut;      /* logs of others that were damaged and are asked for again from there on */
    uint64_t evidence_lost; /* of forks: nowhere here */
    uint64_t waiting;  /* records in the journal that wait for what is before them */
    uint64_t given_up; /* records that log/ lacks and the journal has no more: hubs hold them */
    uint64_t lost;     /* records, or person parts of records, that are nowhere here */
    size_t loss_count;
    struct restore_loss losses[RESTORE_LOSS_MAX];
};

/* `remake`: the whole journal is written anew, from log/ and from
 * what is still good in it. ERR_CORRUPT: log/ cannot be read as a store: set it aside and begin with
 * an empty one. Errors of the journal come back as `*journal_err`; log/ is then whole as far as it
 * was, and the node goes on without a journal. No transaction of this thread may be open. */
enum err restore_run(struct log_store *logs, struct journal *journal,
                     const struct restore_keys *keys, bool remake, struct restore_report *report,
                     enum err *journal_err);

/* For a log/ that has no journal: `names`, and the names in `logs`, are made right from each other and from the
 * first records, `rows` of them. A log under a wrong name is not folded. ERR_CORRUPT: a row cannot be read, and
 * nothing was changed. */
enum err restore_identities(struct log_store *logs, uint64_t *rows);

/* Puts back what waits and can be put back now: report->records tells how much. The ids (struct
 * log_id) of the logs concerned are appended to `grown`; with an error, some of them may be as they
 * were. */
enum err restore_waiting(struct log_store *logs, struct journal *journal,
                         const struct restore_keys *keys, struct restore_report *report,
                         struct buffer *grown);

/* Whether the newest checkpoint in the journal is signed by `key`: when it is not, the keys are
 * wrong, not log/. True also when there is none. */
bool restore_key_fits(struct journal *journal, const struct sign_public *key);

#endif
