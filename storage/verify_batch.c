/* One batch: records, leaf hashes, frontier, tree, checkpoints. */
#include "storage/verify_private.h"

#include <string.h>

struct nodes {
    size_t count;
    struct batch_node list[2 * BATCH_NODE_MAX];
};

static void nodes_collect(void *context, unsigned level, uint64_t index, const struct hash *hash)
{
    struct nodes *nodes = context;
    if (level >= MERKLE_BLOCK_LEVEL && nodes->count < 2 * BATCH_NODE_MAX)
        nodes->list[nodes->count++] =
            (struct batch_node){ .level = level, .index = index, .hash = *hash };
}

static void frontier_extend(struct merkle_frontier *frontier, const uint8_t *leaves, uint64_t count,
                            struct nodes *nodes)
{
    for (uint64_t i = 0; i < count; i++) {
        struct hash leaf;
        memcpy(leaf.bytes, leaves + i * HASH_SIZE, HASH_SIZE);
        merkle_frontier_append(frontier, &leaf, nodes ? nodes_collect : NULL, nodes);
    }
}

/* ---- records --------------------------------------------------------------------------------- */

static enum err check_record(struct verify_log *log, uint64_t position, const struct record *sealed,
                             const struct hash *leaf)
{
    struct verify *verify = log->verify;
    struct record open;
    struct record_header header;
    buffer_clear(&verify->person);
    uint8_t *person = buffer_reserve(&verify->person, sealed->person.size);
    if (!person)
        return ERR_NOMEM;
    verify->report.absent += sealed->person_absent;
    enum err err = sealed->person_absent ? verify_absent(log, position) : OK;
    if (err != OK)
        return err;
    err = log_record_check(verify->logs, &log->row.id, position, sealed, leaf, person, &open,
                           &header);
    if (err == OK && header.kind == RECORD_ERASE)
        return verify_erase_record(log, position,
                                   record_unsalted(open.facts));
    if (err == OK || err == ERR_VERSION)
        return OK; /* of a record of a newer program the leaf hash is all that can be checked */
    if (err == ERR_NOMEM)
        return err;
    err =
        log_record_check(verify->logs, &log->row.id, position, sealed, leaf, NULL, &open, &header);
    verify_fail(verify, log->number, err == OK ? VERIFY_PERSON : VERIFY_RECORD, position, 1);
    return OK;
}

/* Checks each record whose header hashes to its leaf hash, collects the hashes of the headers, and
 * tells whether all did. */
static enum err check_records(struct verify_log *log, const struct log_batch *batch, bool *agree)
{
    struct record sealed;
    struct hash leaf;
    struct batch_walk walk = batch_walk(&batch->view);
    *agree = true;
    while (batch_next(&walk, &sealed, &leaf) == OK) {
        struct hash *hash = &log->verify->leaves[walk.index - 1];
        merkle_leaf_hash(hash, sealed.header);
        log->verify->report.records++;
        if (!hash_equal(hash, &leaf)) {
            *agree = false;
            continue;
        }
        enum err err = check_record(log, batch->first + walk.index - 1, &sealed, &leaf);
        if (err != OK)
            return err;
    }
    return OK;
}

static void tell_disagreeing(struct verify_log *log, const struct log_batch *batch,
                             enum verify_fault fault)
{
    const uint8_t *stored = batch->view.leaves;
    for (uint32_t i = 0; i < batch->view.count; i++)
        if (memcmp(stored + (size_t)i * HASH_SIZE, log->verify->leaves[i].bytes, HASH_SIZE) != 0)
            verify_fail(log->verify, log->number, fault, batch->first + i, 1);
}

/* ---- the tree -------------------------------------------------------------------------------- */

static enum err check_nodes(struct verify_log *log, const struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        const struct batch_node *node = &nodes->list[i];
        struct log_key key = log_key_tree(log->number, node->level, node->index);
        struct bytes value;
        enum err err = store_get(log->txn, LOG_TREE, log_key_bytes(&key), &value);
        if (err != OK && err != ERR_NOT_FOUND)
            return err;
        if (err != OK || !bytes_equal(value, BYTES_OF_ARRAY(node->hash.bytes)))
            verify_fail(log->verify, log->number, VERIFY_TREE, node->index << node->level,
                        UINT64_C(1) << node->level);
    }
    return OK;
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

/* The batch between two known edges, to compute the root at any size inside. */
struct span {
    struct verify_log *log;
    const struct merkle_frontier *before, *after;
    const uint8_t *leaves; /* that lead from one to the other */
};

static bool span_has(const struct span *span, uint64_t size)
{
    return size > span->before->size && size <= span->after->size;
}

static void span_root(const struct span *span, uint64_t size, struct hash *root)
{
    struct merkle_frontier at = *span->after;
    if (size != at.size) {
        at = *span->before;
        frontier_extend(&at, span->leaves, size - at.size, NULL);
    }
    merkle_frontier_root(&at, root);
}

/* `size` is what the key says; it lies in the span. */
static void check_note(const struct span *span, struct bytes note, uint64_t size, bool own)
{
    struct verify_log *log = span->log;
    struct verify *verify = log->verify;
    struct checkpoint checkpoint;
    struct sign_public key;
    struct hash root;
    enum err err = own && verify->key && verify->key(verify->context, &log->row.id, &key)
                       ? checkpoint_open(&checkpoint, note, &key)
                       : checkpoint_parse(&checkpoint, note);
    if (err == OK)
        span_root(span, size, &root);
    if (err != OK || checkpoint.size != size || !log_id_equal(&checkpoint.log, &log->row.id) ||
        !hash_equal(&checkpoint.root, &root))
        verify_fail(verify, log->number, VERIFY_NOTE, size, 0);
}

static enum err check_accepted_notes(const struct span *span)
{
    struct verify_log *log = span->log;
    struct log_key from = log_key_position(log->number, span->before->size + 1);
    struct store_cursor cursor = store_cursor_open(log->txn, LOG_NOTES);
    struct bytes key, note;
    uint64_t size;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &note);
    while (err == OK && log_key_is_position(key, log->number, &size) && span_has(span, size)) {
        check_note(span, note, size, false);
        err = store_cursor_next(&cursor, &key, &note);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? OK : err;
}

static enum err check_receipts(const struct span *span)
{
    struct verify_log *log = span->log;
    struct log_key from = log_key_number(log->number);
    struct store_cursor cursor = store_cursor_open(log->txn, LOG_RECEIPTS);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    while (err == OK && key.size > 4 && get_u32(key.data) == log->number) {
        uint64_t size = value.size > 8 ? get_u64(value.data) : 0;
        if (size == 0)
            verify_fail(log->verify, log->number, VERIFY_NOTE, 0, 0);
        else if (span_has(span, size))
            check_note(span, bytes_of(value.data + 8, value.size - 8), size, false);
        err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? OK : err;
}

static void check_pending(const struct span *span)
{
    const struct log_row *row = &span->log->row;
    struct hash root;
    if (!span_has(span, row->pending_size))
        return;
    span_root(span, row->pending_size, &root);
    if (!hash_equal(&root, &row->pending_root))
        verify_fail(span->log->verify, span->log->number, VERIFY_NOTE, row->pending_size, 0);
}

static enum err check_checkpoints(const struct span *span, const struct log_batch *batch)
{
    if (batch->view.note.size > 0)
        check_note(span, batch->view.note, log_batch_end(batch), true);
    check_pending(span);
    enum err err = check_accepted_notes(span);
    return err == OK ? check_receipts(span) : err;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Of the stored leaf hashes and the hashes of the headers, those that lead to the stored frontier
 * are the truth; the other ones are damaged. Neither: the frontier is damaged too. */
static const uint8_t *true_leaves(struct verify_log *log, const struct log_batch *batch,
                                  const struct merkle_frontier *before,
                                  const struct merkle_frontier *stored, bool agree,
                                  struct merkle_frontier *after, struct nodes *nodes)
{
    const uint8_t *leaves = batch->view.leaves;
    *after = *before;
    nodes->count = 0;
    frontier_extend(after, leaves, batch->view.count, nodes);
    bool leads = merkle_frontier_equal(after, stored);
    if (!leads && !agree) {
        struct merkle_frontier other = *before;
        struct nodes other_nodes = { 0 };
        leaves = log->verify->leaves[0].bytes;
        frontier_extend(&other, leaves, batch->view.count, &other_nodes);
        leads = merkle_frontier_equal(&other, stored);
        *after = other;
        *nodes = other_nodes;
        tell_disagreeing(log, batch, leads ? VERIFY_LEAF : VERIFY_RECORD);
    } else if (!agree) {
        tell_disagreeing(log, batch, VERIFY_RECORD);
    }
    if (!leads)
        verify_fail(log->verify, log->number, VERIFY_FRONTIER, batch->first, batch->view.count);
    return leaves;
}

/* A reader searches for a position, which a damaged key elsewhere may lead astray. What leads the first
 * and the last position of a batch to it leads all between. */
static enum err check_found(struct verify_log *log, const struct log_batch *batch)
{
    const uint64_t ends[] = { batch->first, log_batch_end(batch) - 1 };
    struct store_cursor cursor = store_cursor_open(log->txn, LOG_BATCHES);
    bool found = true;
    for (size_t i = 0; i < 2 && log->txn->err == OK; i++) {
        struct log_batch other;
        enum err err = log_batch_seek(&cursor, log->number, ends[i], &other);
        found = found && err == OK && other.value.data == batch->value.data;
    }
    store_cursor_close(&cursor);
    if (!found && log->txn->err == OK)
        verify_fail(log->verify, log->number, VERIFY_BATCH, batch->first, batch->view.count);
    return log->txn->err;
}

enum err verify_batch(struct verify_log *log, const struct log_batch *batch,
                      struct merkle_frontier *frontier, bool known)
{
    struct merkle_frontier stored, after;
    struct nodes nodes;
    bool agree;
    log->verify->report.batches++;
    log->verify->report.bytes += batch->value.size;
    enum err err = check_found(log, batch);
    if (err == OK)
        err = check_records(log, batch, &agree);
    if (err == OK)
        err = verify_listed(log, batch);
    if (err != OK)
        return err;
    if (batch_frontier(&batch->view, log_batch_end(batch), &stored) != OK) {
        stored.size = UINT64_MAX; /* equal to none */
        if (!known)
            verify_fail(log->verify, log->number, VERIFY_FRONTIER, batch->first, batch->view.count);
    }
    if (!known) {
        if (!agree)
            tell_disagreeing(log, batch, VERIFY_RECORD);
        *frontier = stored;
        return OK;
    }
    const uint8_t *leaves = true_leaves(log, batch, frontier, &stored, agree, &after, &nodes);
    struct span span = { log, frontier, &after, leaves };
    err = check_nodes(log, &nodes);
    if (err == OK)
        err = check_checkpoints(&span, batch);
    *frontier = after;
    return err;
}
