/* What the files of the restoring share:
 *
 *   restore.c        the order of things
 *   restore_batch.c  one batch of the journal, verified and put into log/
 *   restore_copy.c   from log/ into the journal
 *   restore_tables.c the tables beside the batches
 *   restore_erase.c  the table of erasures
 *   restore_follow.c logs of others */
#ifndef STORAGE_RESTORE_PRIVATE_H
#define STORAGE_RESTORE_PRIVATE_H

#include "storage/log_private.h"
#include "storage/restore.h"

struct restore {
    struct log_store *logs;
    struct journal *journal;
    struct restore_keys keys;
    struct restore_report *report;
    struct store_txn txn;
    size_t txn_size; /* bytes put since it began */
    struct buffer scratch, person;
    struct journal_entry entry; /* on its way into the journal */
    enum err journal_err;       /* sticky: nothing further is written into it */
    struct buffer *grown; /* ids of logs that were put back, or more of them; NULL: not asked */
};

/* Begins a transaction with room, or commits and begins the next when this one is large. */
enum err restore_txn(struct restore *restore);

void restore_tell_loss(struct restore *restore, const struct log_id *log, uint64_t first,
                       uint64_t count, bool person);

/* The batch at or after `position`. ERR_END; ERR_CORRUPT of one that cannot be read, with its first
 * position. */
enum err restore_batch_from(struct restore *restore, uint32_t number, uint64_t position,
                            struct log_batch *batch);

/* ---- restore_batch.c ---- */
/* Appends what the place holds from the end of the log on. ERR_CORRUPT, and nothing written, when it
 * fails its verification. */
enum err restore_append(struct restore *restore, uint32_t number, const struct journal_log *log,
                        const struct journal_place *place);
/* Puts the place's batch where log/ has a damaged one, or none. Errors as above. */
enum err restore_replace(struct restore *restore, uint32_t number, const struct journal_log *log,
                         const struct journal_place *place);
/* Whether a batch of log/ is what its checkpoint says. OK, ERR_CORRUPT. */
enum err restore_check(struct restore *restore, uint32_t number, const struct log_id *id,
                       const struct log_batch *batch);

/* ---- restore_copy.c ---- */
/* Each notes what it finds in restore->entry, and lets that go into the journal when it is large. */
void restore_copy_batch(struct restore *restore, const struct log_id *id,
                        const struct log_batch *batch);
enum err restore_copy_notes(struct restore *restore, uint32_t number, const struct log_id *id,
                            bool all);
enum err restore_erasures(struct restore *restore);
void restore_flush(struct restore *restore);

/* ---- restore_tables.c ---- */
/* Every log is found by its name, and every name is that of a log. ERR_CORRUPT. */
enum err restore_names(struct restore *restore);
/* All other tables, when the batches are right. ERR_CORRUPT. */
enum err restore_tables(struct restore *restore);

/* ---- restore_erase.c ---- */
/* The table of erasures has what the node's own erase records name, and of the node's logs nothing else.
 * Before anything is put back, because what is put back is erased by it. */
enum err restore_erasure_table(struct restore *restore);

/* ---- restore_follow.c ---- */
/* Cuts a log of another node where it is damaged. */
enum err restore_followed(struct restore *restore, uint32_t number, const struct log_row *row);

#endif
