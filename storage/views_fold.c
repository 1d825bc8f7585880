/* Folding logs into views.
 *
 * One call: compare what is applied with the order of what is held (plan), fold some records into
 * the scratch table (run), write it with the new positions in one transaction (finish). The store
 * is as before or after the call, whatever happens in it.
 *
 *   applied is a prefix of the order   -> the current generation is extended
 *   it is not, or is damaged           -> the next generation is folded from nothing, and switched
 *                                         to with its last records
 *   the log store does not hold it     -> an empty generation becomes current at once (D5)
 *   nothing to fold                    -> dead generations are deleted */
#include "proto/base/require.h"
#include "storage/views_private.h"

#include <stdlib.h>
#include <string.h>

/* Entries deleted in one transaction for each record of the budget. */
#define SWEEP_PER_RECORD 8

struct fold {
    struct views *views;
    struct log_store *logs;
    const char *node;
    bool aside; /* the current generation is not to be touched */
    uint64_t budget;

    struct store_txn log_txn;
    const struct order_entry *order;
    size_t order_count;

    struct views_row row;
    bool row_changed;
    uint32_t target;        /* the generation to be folded into */
    struct log_head *heads; /* applied to it */
    size_t head_count;
    size_t first_changed; /* heads from here on are to be written */

    struct views_reader reader;
    uint64_t folded, position;
};

/* ---- plan ------------------------------------------------------------------------------------- */

static enum err root_at(struct fold *fold, uint32_t number, uint64_t size, struct hash *root)
{
    struct log_source source = { .logs = fold->logs, .txn = &fold->log_txn, .number = number };
    struct merkle_source tree = log_merkle_source(&source);
    return merkle_root(&tree, size, root);
}

/* D5: what is applied must be a prefix of the log store, log by log. */
static enum err heads_are_held(struct fold *fold, const struct log_head *heads, size_t count,
                               bool *held)
{
    *held = true;
    for (size_t i = 0; i < count && *held; i++) {
        uint32_t number;
        struct log_state state;
        struct hash root;
        enum err err = log_find(fold->logs, &fold->log_txn, &heads[i].log, &number);
        if (err == OK)
            err = log_state_get(fold->logs, &fold->log_txn, number, &state);
        if (err == OK && state.size < heads[i].size)
            err = ERR_NOT_FOUND;
        if (err == OK)
            err = root_at(fold, number, heads[i].size, &root);
        if (err != OK && err != ERR_NOT_FOUND)
            return err;
        *held = err == OK && hash_equal(&root, &heads[i].root);
    }
    return OK;
}

/* Whole logs in the fold order, but for the last one that was begun. */
static bool heads_are_prefix(const struct fold *fold, const struct log_head *heads, size_t count)
{
    if (count > fold->order_count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct order_entry *entry = &fold->order[i];
        if (!log_id_equal(&heads[i].log, &entry->id) || heads[i].size > entry->size ||
            (i + 1 < count && heads[i].size != entry->size))
            return false;
    }
    return true;
}

struct generation {
    struct log_head *heads;
    size_t count;
    bool held, prefix;
};

static enum err generation_read(struct fold *fold, struct store_txn *txn, uint32_t number,
                                bool verify, struct generation *generation)
{
    *generation = (struct generation){ .held = true };
    uint32_t expected = number == fold->row.next ? fold->row.next_head_count : fold->row.head_count;
    enum err err = views_heads_read(txn, fold->node, number, expected, &generation->heads,
                                    &generation->count);
    if (err == ERR_CORRUPT && txn->err == OK) {
        generation->held = false; /* a head that fails its check: nobody knows what is applied */
        return OK;
    }
    if (err == OK && verify)
        err = heads_are_held(fold, generation->heads, generation->count, &generation->held);
    generation->prefix =
        generation->held && heads_are_prefix(fold, generation->heads, generation->count);
    return err;
}

static void fold_into(struct fold *fold, uint32_t target, struct generation *generation)
{
    fold->target = target;
    fold->heads = generation->heads;
    fold->head_count = generation->count;
    generation->heads = NULL;
}

static void fold_into_new(struct fold *fold, bool current)
{
    uint32_t fresh = ++fold->row.newest;
    fold->row.next = current ? 0 : fresh;
    fold->row.next_head_count = 0;
    if (current) {
        fold->row.generation = fresh;
        fold->row.head_count = 0;
    }
    fold->row_changed = true;
    fold->target = fresh;
}

static void plan_on_current(struct fold *fold, struct generation *current)
{
    fold_into(fold, fold->row.generation, current);
    if (fold->row.next != 0 && !fold->aside) {
        fold->row.next = 0; /* the order is again as it was */
        fold->row_changed = true;
    }
}

static enum err plan_on_next(struct fold *fold, struct store_txn *txn, bool verify)
{
    struct generation next = { 0 };
    enum err err = fold->row.next == 0
                       ? OK
                       : generation_read(fold, txn, fold->row.next, verify, &next);
    if (err == OK && next.prefix)
        fold_into(fold, fold->row.next, &next);
    else if (err == OK)
        fold_into_new(fold, false);
    free(next.heads);
    return err;
}

/* What is folded from nothing by this process needs no proof (V5). */
static bool generation_is_empty(const struct fold *fold, struct store_txn *txn)
{
    char prefix[64];
    struct bytes key, value;
    size_t size = views_prefix(prefix, fold->node, fold->target);
    struct store_cursor cursor = store_cursor_open(txn, VIEWS_ENTRIES);
    enum err err = store_cursor_seek(&cursor, bytes_of(prefix, size), &key, &value);
    store_cursor_close(&cursor);
    return err == ERR_END ||
           (err == OK && (key.size < size || memcmp(key.data, prefix, size) != 0));
}

static enum err fold_plan(struct fold *fold)
{
    struct views_memo memo = views_memo_get(fold->views, fold->node);
    struct generation current = { 0 };
    struct store_txn txn = store_begin_read(fold->views->store);
    enum err err = txn.err;
    if (err == OK)
        err = views_row_read(&txn, fold->node, &fold->row);
    fold->row_changed = fold->row.damaged; /* written anew also when there is nothing to fold */
    if (err == OK && fold->row.damaged && memo.row_mended)
        err = views_condemn(fold->views); /* what is written is not found: it would be for ever */
    if (err == OK)
        err = generation_read(fold, &txn, fold->row.generation, !memo.held, &current);
    if (err != OK)
        goto out;
    if (memo.damaged_generation == fold->row.generation && !fold->row.rebuild) {
        fold->row.rebuild = true;
        fold->row.next = 0;
    }
    if (!current.held && !fold->aside) {
        fold->row.rebuild = false;
        fold_into_new(fold, true);
    } else if (current.prefix && !fold->row.rebuild) {
        plan_on_current(fold, &current);
    } else {
        err = plan_on_next(fold, &txn, !memo.held);
    }
    if (err == OK && !fold->aside)
        views_note_held(fold->views, fold->node, true);
    if (err == OK && fold->head_count == 0 && generation_is_empty(fold, &txn))
        views_note_proven(fold->views, fold->node, fold->target);
out:
    free(current.heads);
    store_abort(&txn);
    return err;
}

/* ---- run -------------------------------------------------------------------------------------- */

static enum err fold_record(void *context, uint64_t position, const struct record *record,
                            const struct record_header *header, const struct hash *leaf)
{
    struct fold *fold = context;
    (void)leaf;
    const struct rules *rules = &fold->views->rules;
    enum err err = rules_fold(rules, &fold->reader.view, header, record);
    if (fold->reader.view.err != OK)
        err = fold->reader.view.err;
    if (err != OK)
        return err;
    fold->position = position + 1;
    fold->folded++;
    return memory_wants_freeze(fold->views->scratch) ? ERR_END : OK;
}

/* Some records of one log of the order. */
static enum err fold_log(struct fold *fold, size_t index)
{
    const struct order_entry *entry = &fold->order[index];
    struct log_head *head = &fold->heads[index];
    if (index == fold->head_count) {
        *head = (struct log_head){ .log = entry->id };
        fold->head_count++;
    }
    fold->position = head->size;
    uint64_t count = entry->size - head->size;
    uint64_t left = fold->budget - fold->folded;
    enum err err = log_scan(fold->logs, &fold->log_txn, entry->number, head->size,
                            count < left ? count : left, true, fold_record, fold);
    if (err != OK && err != ERR_END)
        return err;
    bool full = memory_wants_freeze(fold->views->scratch);
    if (fold->position - head->size < (count < left ? count : left) && !full)
        return ERR_CORRUPT; /* the log is said to be longer than a search for its records finds */
    head->size = fold->position;
    return root_at(fold, entry->number, head->size, &head->root);
}

static bool heads_are_complete(const struct fold *fold)
{
    return fold->head_count == fold->order_count &&
           (fold->head_count == 0 || fold->heads[fold->head_count - 1].size ==
                                         fold->order[fold->order_count - 1].size);
}

static enum err fold_run(struct fold *fold)
{
    fold->first_changed = fold->head_count;
    if (heads_are_complete(fold))
        return OK;
    struct log_head *heads = realloc(fold->heads, fold->order_count * sizeof *heads);
    if (!heads)
        return ERR_NOMEM;
    fold->heads = heads;
    size_t index = fold->head_count;
    if (index > 0 && heads[index - 1].size < fold->order[index - 1].size)
        index--;
    fold->first_changed = index;
    enum err err =
        views_reader_begin_fold(fold->views, fold->node, fold->target, &fold->reader);
    if (err != OK)
        return err;
    for (; err == OK && index < fold->order_count; index++) {
        err = fold_log(fold, index);
        if (fold->folded == fold->budget || fold->heads[index].size < fold->order[index].size)
            break;
    }
    views_reader_end(&fold->reader);
    return err;
}

/* ---- finish ----------------------------------------------------------------------------------- */

static enum err fold_finish(struct fold *fold)
{
    struct views *views = fold->views;
    if (!fold->aside && fold->target == fold->row.next && heads_are_complete(fold)) {
        fold->row.generation = fold->row.next; /* V2 */
        fold->row.head_count = fold->row.next_head_count;
        fold->row.next = 0;
        fold->row.rebuild = false;
        fold->row_changed = true;
    }
    if (fold->folded == 0 && !fold->row_changed) {
        uint64_t entries = fold->budget < UINT16_MAX ? fold->budget * SWEEP_PER_RECORD
                                                     : UINT16_MAX;
        return views_sweep(views, fold->node, entries);
    }
    enum err err = memory_freeze(views->scratch, 1);
    if (err != OK)
        return err;
    const struct views_change change = {
        .node = fold->node,
        .generation = fold->target,
        .memory = views->scratch,
        .row = fold->row,
        .heads = fold->heads ? fold->heads + fold->first_changed : NULL,
        .first_head = fold->first_changed,
        .head_count = fold->head_count - fold->first_changed,
    };
    err = views_write(views, &change);
    memory_frozen_drop(views->scratch);
    return err;
}

/* An entry that the fold needed fails its check. The current generation is then replaced; of the
 * next one another is begun, and the caller hears of it: what was written minutes ago is bad. */
static enum err fold_on_damage(struct fold *fold)
{
    bool in_current = fold->target == fold->row.generation;
    fold->row.rebuild = fold->row.rebuild || in_current;
    fold->row.next = 0;
    enum err err = views_write(fold->views,
                               &(struct views_change){ .node = fold->node, .row = fold->row });
    return err == OK && !in_current ? ERR_CORRUPT : err;
}

static enum err fold_step(struct fold *fold)
{
    enum err err = fold_plan(fold);
    bool idle = fold->aside && fold->target == fold->row.generation;
    if (err == OK && !idle)
        err = fold_run(fold);
    store_abort(&fold->log_txn); /* before the sync: it pins pages of the log store */
    if (err == OK)
        err = idle ? ERR_END : fold_finish(fold);
    else if (fold->reader.view.err == ERR_CORRUPT)
        err = fold_on_damage(fold);
    /* After an error: what was folded is not written. */
    if (memory_size(fold->views->scratch) > 0 && memory_clear(fold->views->scratch) != OK)
        err = ERR_NOMEM;
    free(fold->heads);
    return err;
}

static enum err fold_held(struct views *views, struct log_store *logs, const char *node,
                          uint64_t budget, bool aside)
{
    if (!views->memory || budget == 0 || !node_name_is_valid(bytes_of_string(node)))
        return ERR_INVALID;
    const char *audience = strcmp(node, views->node) == 0 ? views->audience : NULL;
    struct order_entry *order = NULL;
    struct fold fold = { .views = views, .logs = logs, .node = node, .budget = budget,
                         .aside = aside };
    fold.log_txn = store_begin_read(log_store_environment(logs));
    enum err err = fold.log_txn.err;
    if (err == OK)
        err = order_book_of_node(views->book, logs, &fold.log_txn, node, audience, &order,
                                 &fold.order_count);
    fold.order = order;
    if (err == OK)
        err = fold_step(&fold);
    else
        store_abort(&fold.log_txn);
    free(order);
    return err;
}

enum err views_fold(struct views *views, struct log_store *logs, const char *node,
                    uint64_t budget)
{
    return fold_held(views, logs, node, budget, false);
}

enum err views_fold_aside(struct views *views, struct log_store *logs, const char *node,
                          uint64_t budget)
{
    return fold_held(views, logs, node, budget, true);
}

enum err views_fold_to(struct views *views, struct log_store *logs, const char *node,
                       const struct order_entry *order, size_t order_count, uint64_t budget,
                       uint64_t *folded)
{
    struct fold fold = { .views = views, .logs = logs, .node = node, .budget = budget,
                         .order = order, .order_count = order_count };
    fold.log_txn = store_begin_read(log_store_environment(logs));
    enum err err = fold.log_txn.err;
    if (err == OK)
        err = fold_step(&fold);
    else
        store_abort(&fold.log_txn);
    *folded = fold.folded;
    return err;
}
