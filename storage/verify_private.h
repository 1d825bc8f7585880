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

#endif
