/* What the files of verify share. */
#ifndef STORAGE_VERIFY_PRIVATE_H
#define STORAGE_VERIFY_PRIVATE_H

#include "storage/log_private.h"
#include "storage/verify.h"

/* The log that is being looked at. */
struct verify_log {
    struct verify *verify;
    struct store_txn *txn;
    uint32_t number;
    struct log_row row;
};

void verify_fail(struct verify *verify, uint32_t number, enum verify_fault fault, uint64_t position,
                 uint64_t count);
/* Reads the row and checks the name. ERR_CORRUPT (reported) when the log cannot be looked at. */
enum err verify_log_begin(struct verify *verify, struct store_txn *txn, uint32_t number,
                          struct verify_log *log);
/* Checks that receipts do not cover more than `size` records. */
enum err verify_log_end(struct verify_log *log, uint64_t size);
/* Checks one batch. `frontier` is the one before it and becomes the one after it; `known` false
 * means that it is not known before, and is taken from the batch. */
enum err verify_batch(struct verify_log *log, const struct log_batch *batch,
                      struct merkle_frontier *frontier, bool known);

/* ---- verify_tables.c ---- */
/* A record whose person part is absent: erased, or withheld. */
enum err verify_absent(struct verify_log *log, uint64_t position);
/* A record that erases: its erasure is known. `facts` is its part without the salt. */
enum err verify_erase_record(struct verify_log *log, uint64_t position, struct bytes facts);
/* What is said to be erased or withheld in a batch is not there. */
enum err verify_listed(struct verify_log *log, const struct log_batch *batch);
/* Notes, receipts, withheld parts and forks of a log that holds `size` records. */
enum err verify_entries(struct verify_log *log, uint64_t size);
/* What is not kept log by log. */
enum err verify_whole_tables(struct verify *verify, struct store_txn *txn);

#endif
