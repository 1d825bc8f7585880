/* Incarnations: what the first record of a log names, and what a new one must name (design D1). */
#include "storage/log_private.h"
#include "storage/order.h"

#include "proto/base/require.h"

#include <stdlib.h>
#include <string.h>

/* Facts that do not decode name nothing: the fold parks such a record, it does not stop here. */
static enum err parents_decode(struct bytes facts, struct log_head *parents, size_t max,
                               size_t *count)
{
    struct incarnation_facts incarnation = { .parents = NULL };
    struct bytes part = record_unsalted(facts);
    enum err err = incarnation_facts_decode(&incarnation, part);
    if (err == ERR_NOMEM)
        return err;
    if (err != OK || incarnation.parent_count == 0)
        return OK;
    if (incarnation.parent_count > max)
        return ERR_TOO_LARGE;
    struct log_head *all = calloc(incarnation.parent_count, sizeof *all);
    if (!all)
        return ERR_NOMEM;
    incarnation.parents = all;
    err = incarnation_facts_decode(&incarnation, part);
    if (err == OK) {
        memcpy(parents, all, incarnation.parent_count * sizeof *all);
        *count = incarnation.parent_count;
    }
    free(all);
    return err == ERR_MALFORMED ? ERR_CORRUPT : err;
}

enum err log_parents(struct log_store *logs, struct store_txn *txn, uint32_t number,
                     struct log_head *parents, size_t max, size_t *count)
{
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    *count = 0;
    enum err err = log_read(logs, txn, number, 0, &scratch, &record, &header, &leaf);
    if (err == OK && header.kind == RECORD_INCARNATION)
        err = parents_decode(record.facts, parents, max, count);
    buffer_close(&scratch);
    if (err != ERR_NOT_FOUND)
        return err;
    struct log_row row; /* an empty log names nothing; an unknown one is not found */
    return log_row_get(txn, number, &row);
}

/* ---- tips ------------------------------------------------------------------------------------ */

struct tip {
    struct log_id id;
    uint64_t size;
    bool considered; /* stands in the order */
    bool covered;
};

/* Only what stands in the order (O1): a log that was handed back before its ancestors is folded by
 * nobody until they are here, and whatever names it is not, either. */
static enum err tips_collect(struct log_store *logs, struct store_txn *txn, const char *node,
                             const char *audience, struct tip *tips, uint32_t count)
{
    struct order_entry *order;
    size_t order_count;
    enum err err = order_of_node(logs, txn, node, audience, &order, &order_count);
    for (size_t i = 0; err == OK && i < order_count; i++) {
        require(order[i].number < count);
        tips[order[i].number] =
            (struct tip){ .id = order[i].id, .size = order[i].size, .considered = true };
    }
    free(order);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

static enum err tips_cover(struct log_store *logs, struct store_txn *txn, struct tip *tips,
                           uint32_t count, uint32_t number, struct log_head *parents)
{
    size_t parent_count;
    enum err err = log_parents(logs, txn, number, parents, INCARNATION_PARENT_MAX, &parent_count);
    for (size_t i = 0; err == OK && i < parent_count; i++) {
        uint32_t parent;
        err = log_find(logs, txn, &parents[i].log, &parent);
        if (err == OK && parent < count && parent != number && parents[i].size >= tips[parent].size)
            tips[parent].covered = true;
        if (err == ERR_NOT_FOUND)
            err = OK;
    }
    return err;
}

static enum err tips_emit(struct log_store *logs, struct store_txn *txn, const struct tip *tips,
                          uint32_t tip_count, struct log_head *heads, size_t max, size_t *count)
{
    for (uint32_t number = 0; number < tip_count; number++) {
        struct merkle_frontier frontier;
        if (!tips[number].considered || tips[number].covered)
            continue;
        if (*count == max)
            return ERR_TOO_LARGE;
        enum err err = log_frontier(logs, txn, number, &frontier);
        if (err != OK)
            return err;
        struct log_head *head = &heads[(*count)++];
        head->log = tips[number].id;
        head->size = frontier.size;
        merkle_frontier_root(&frontier, &head->root);
    }
    return OK;
}

enum err log_tips(struct log_store *logs, struct store_txn *txn, const char *node,
                  const char *audience, struct log_head *tips, size_t max, size_t *count)
{
    *count = 0;
    uint32_t log_total = log_count(logs, txn);
    if (log_total == 0)
        return txn->err;
    struct tip *all = calloc(log_total, sizeof *all);
    struct log_head *parents = calloc(INCARNATION_PARENT_MAX, sizeof *parents);
    enum err err = all && parents ? OK : ERR_NOMEM;
    if (err == OK)
        err = tips_collect(logs, txn, node, audience, all, log_total);
    for (uint32_t number = 0; err == OK && number < log_total; number++)
        if (all[number].considered)
            err = tips_cover(logs, txn, all, log_total, number, parents);
    if (err == OK)
        err = tips_emit(logs, txn, all, log_total, tips, max, count);
    free(parents);
    free(all);
    return err;
}
