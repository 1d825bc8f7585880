/* The order in which the logs of one node fold (design D1): whole logs, parents before children,
 * ties by incarnation id, the same at every holder of the same logs. */
#ifndef STORAGE_ORDER_H
#define STORAGE_ORDER_H

#include "storage/log.h"

struct order_entry {
    uint32_t number; /* of the log in the log store */
    struct log_id id;
    uint64_t size; /* records held = records to fold */
};

/* Logs of `node` written for `audience` whose named parents are all held at least as far as they
 * are named (and are themselves in the order): the others wait. *count entries into an array the
 * caller frees with free(). */
enum err order_of_node(struct log_store *logs, struct store_txn *txn, const char *node,
                       const char *audience, struct order_entry **entries, size_t *count);

#endif
