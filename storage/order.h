/* The order in which the logs of one node fold (design D1): whole logs, parents before children,
 * ties by incarnation id, the same at every holder of the same logs.
 *
 *   O1  a log stands in the order when every parent its first record names stands in it and is held
 *       at least as far as it is named; the others wait, and no new incarnation names them, or
 *       it would wait as well (log_tips())
 *   O2  of a frozen parent (a fork) what is named may be on the other branch, or never be held in this
 *       one: then it is not waited for and need not come before, or one forked log would stop
 *       everything that its node records afterwards
 *   O3  of the logs whose parents are all placed, the one with the smallest id comes next
 *   O4  a log without records is not in the order; one whose first record is not a readable incarnation
 *       names no parents, and its fold parks that record
 *   O5  of a forked log the branch that came first stands in the order; the other one is kept and
 *       folded by nobody, until a person decides */
#ifndef STORAGE_ORDER_H
#define STORAGE_ORDER_H

#include "storage/log.h"

struct order_entry {
    uint32_t number; /* of the log in the log store */
    struct log_id id;
    uint64_t size; /* records held = records to fold */
};

/* Logs of `node` written for `audience`; NULL: for one of the two audiences that fold into views,
 * "hub" and "all". *count entries into an array the caller frees with free(); NULL when there are
 * none. */
enum err order_of_node(struct log_store *logs, struct store_txn *txn, const char *node,
                       const char *audience, struct order_entry **entries, size_t *count);

/* Records of those logs that are known of and not in the order: whole logs that wait (O1), and what
 * lies between the end of a log and the checkpoint accepted for it. At least so many: who waits may
 * name more than anybody has told. Forked logs are left to a person. */
enum err order_missing(struct log_store *logs, struct store_txn *txn, const char *node,
                       const char *audience, uint64_t *records);

/* The same with a memory: ids and parents of logs never change, so a book reads them once. For one
 * log store and one thread. */
struct order_book;
struct order_book *order_book_new(void); /* NULL: out of memory */
void order_book_free(struct order_book *book);
enum err order_book_of_node(struct order_book *book, struct log_store *logs, struct store_txn *txn,
                            const char *node, const char *audience, struct order_entry **entries,
                            size_t *count);

#endif
