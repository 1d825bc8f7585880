/* A log/ and its journal in folders of their own, as a node has them: what the tests of restoring share. */
#ifndef TESTS_UNIT_STORAGE_RESTORE_PAIR_H
#define TESTS_UNIT_STORAGE_RESTORE_PAIR_H

#include "storage/log_private.h"
#include "storage/restore.h"
#include "tests/support/folder.h"
#include "tests/support/records.h"

struct pair {
    char folder[FOLDER_PATH_SIZE], log_path[FOLDER_PATH_SIZE], journal_path[FOLDER_PATH_SIZE];
    struct log_store_options log_options;
    struct journal_options journal_options;
    struct log_store *logs;
    struct journal *journal;
    struct journal_entry entry;
    struct journal_report opened;
    struct restore_report report;
    struct sign_key key;
    struct log_id id;
};

/* Where a transaction arrived before a crash. */
enum which { BOTH, LOG_ONLY, JOURNAL_ONLY };

void pair_open_log(struct pair *pair);
void pair_open_journal(struct pair *pair);
void pair_close(struct pair *pair);
/* As at a start of the node. */
void pair_restart(struct pair *pair);
void pair_begin(struct pair *pair);
void pair_end(struct pair *pair);
struct store_txn pair_txn(struct pair *pair);
void pair_commit(struct pair *pair, struct store_txn *txn, enum which which);
uint32_t number_of(struct pair *pair, struct store_txn *txn, const struct log_id *id);
void append_to(struct pair *pair, const struct log_id *id, uint32_t count, enum which which);
void pair_append(struct pair *pair, uint32_t count);
/* An erase record, and its effect. */
void pair_erase(struct pair *pair, uint64_t position, enum which which);
void pair_receipt(struct pair *pair, const char *hub, uint64_t size);
/* Everything a node may have: batches of several sizes, a second incarnation, a receipt, an erasure. */
void pair_fill(struct pair *pair);
/* Of every table but `meta`. */
struct hash content(struct pair *pair);
void assert_sound(struct pair *pair);
void assert_content(struct pair *pair, const struct hash *wanted);
void remove_log(struct pair *pair);
/* The whole of a segment's file. */
void segment_bytes(struct pair *pair, const char *mode, uint8_t *bytes, size_t size);
/* A checkpoint that a hub showed when it handed a log back. */
void pair_note(struct pair *pair, const struct log_id *id);

#endif
