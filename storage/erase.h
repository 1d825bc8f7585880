/* Erasures (design D3): the person part and salt of a record are deleted by every holder, and stay
 * deleted whatever arrives in which order.
 *
 * An erasure is remembered for ever in the table `erasures`, by log and position. It is applied at
 * once to a record that is held, and on arrival to one that comes later (hand-back, restore, a new
 * hub). Only a log of the same node erases a node's records: another one's erase record is stored
 * and forwarded like any record, and has no effect. */
#ifndef STORAGE_ERASE_H
#define STORAGE_ERASE_H

#include "storage/log.h"

/* `header` and `facts` (without salt) are of a RECORD_ERASE that is being stored. Facts that do not
 * decode are no error: the fold parks such a record. Other kinds of record are ignored. */
enum err erase_on_record(struct log_store *logs, struct store_txn *txn,
                         const struct record_header *header, struct bytes facts);
/* What such a record names. ERR_NOT_FOUND: nothing that is obeyed; ERR_NOMEM. */
enum err erase_named(const struct record_header *header, struct bytes facts,
                     struct erase_facts *erase);
/* Remembers one erasure and applies it to what is held. */
enum err erase_put(struct log_store *logs, struct store_txn *txn, const struct log_id *log,
                   uint64_t position);
/* Call after records [first, first + count) of a log were appended: applies what earlier erase
 * records say of them. */
enum err erase_on_append(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         const struct log_id *log, uint64_t first, uint64_t count);

#endif
