/* Frontiers, subtree hashes for proofs, and the notes they are made against. */
#include "storage/log_private.h"

#include <string.h>

enum err log_frontier(struct log_store *logs, struct store_txn *txn, uint32_t number,
                      struct merkle_frontier *frontier)
{
    (void)logs;
    struct log_batch batch;
    memset(frontier, 0, sizeof *frontier);
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    enum err err = log_batch_before(&cursor, number, UINT64_MAX, &batch);
    if (err == OK)
        err = batch_frontier(&batch.view, log_batch_end(&batch), frontier);
    store_cursor_close(&cursor);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err log_frontier_at(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         uint64_t position, struct merkle_frontier *frontier)
{
    (void)logs;
    struct log_batch batch;
    memset(frontier, 0, sizeof *frontier);
    if (position == 0)
        return OK;
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    enum err err = log_batch_before(&cursor, number, position, &batch);
    store_cursor_close(&cursor);
    if (err == OK && log_batch_end(&batch) != position)
        err = ERR_CORRUPT;
    return err == OK ? batch_frontier(&batch.view, position, frontier) : err;
}

/* ---- subtrees -------------------------------------------------------------------------------- */

static enum err tree_node(struct store_txn *txn, uint32_t number, unsigned level, uint64_t index,
                          struct hash *out)
{
    struct log_key key = log_key_tree(number, level, index);
    struct bytes value;
    enum err err = store_get(txn, LOG_TREE, log_key_bytes(&key), &value);
    if (err != OK)
        return err;
    if (value.size != HASH_SIZE)
        return ERR_CORRUPT;
    memcpy(out->bytes, value.data, HASH_SIZE);
    return OK;
}

/* The leaf hashes of one block, as far as the log goes. */
static enum err block_read(struct log_source *source, uint64_t first)
{
    struct log_batch batch;
    struct store_cursor cursor = store_cursor_open(source->txn, LOG_BATCHES);
    enum err err = log_batch_seek(&cursor, source->number, first, &batch);
    source->block_first = first;
    source->block_count = 0;
    while (err == OK && source->block_count < MERKLE_BLOCK_SIZE) {
        uint64_t skip = first + source->block_count - batch.first;
        uint64_t count = batch.view.count - skip;
        if (count > MERKLE_BLOCK_SIZE - source->block_count)
            count = MERKLE_BLOCK_SIZE - source->block_count;
        memcpy(source->block + source->block_count, batch.view.leaves + skip * HASH_SIZE,
               count * HASH_SIZE);
        source->block_count += count;
        if (source->block_count < MERKLE_BLOCK_SIZE)
            err = log_batch_next(&cursor, source->number, &batch);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? OK : err;
}

/* A whole block must hash to its node in the tree, the last one to the end of the frontier. */
static enum err block_check(struct log_source *source)
{
    size_t count = source->block_count;
    struct hash hash, expected;
    if (count == MERKLE_BLOCK_SIZE) {
        enum err err = tree_node(source->txn, source->number, MERKLE_BLOCK_LEVEL,
                                 source->block_first >> MERKLE_BLOCK_LEVEL, &expected);
        if (err != OK)
            return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
        merkle_block_root(source->block, count, &hash);
        return hash_equal(&hash, &expected) ? OK : ERR_CORRUPT;
    }
    struct merkle_frontier stored, own = { 0 };
    enum err err = log_frontier(source->logs, source->txn, source->number, &stored);
    if (err != OK)
        return err;
    for (size_t i = 0; i < count; i++)
        merkle_frontier_append(&own, &source->block[i], NULL, NULL);
    unsigned own_count = merkle_frontier_count(own.size);
    unsigned stored_count = merkle_frontier_count(stored.size);
    if (stored.size != source->block_first + count ||
        memcmp(stored.roots + (stored_count - own_count), own.roots, own_count * HASH_SIZE) != 0)
        return ERR_CORRUPT;
    return OK;
}

static enum err source_node(void *context, unsigned level, uint64_t index, struct hash *out)
{
    struct log_source *source = context;
    if (level >= MERKLE_BLOCK_LEVEL)
        return tree_node(source->txn, source->number, level, index, out);
    uint64_t first = index << level, size = UINT64_C(1) << level;
    uint64_t block_first = first & ~(MERKLE_BLOCK_SIZE - 1);
    if (source->block_count == 0 || source->block_first != block_first) {
        enum err err = block_read(source, block_first);
        if (err == OK)
            err = block_check(source);
        if (err != OK) {
            source->block_count = 0;
            return err;
        }
    }
    uint64_t offset = first - block_first;
    if (offset + size > source->block_count)
        return ERR_NOT_FOUND;
    merkle_block_root(source->block + offset, size, out);
    return OK;
}

struct merkle_source log_merkle_source(struct log_source *source)
{
    return (struct merkle_source){ .node = source_node, .context = source };
}

/* ---- notes ----------------------------------------------------------------------------------- */

/* The newest accepted note with a size up to `limit`; *size 0 when there is none. */
static enum err accepted_note(struct store_txn *txn, uint32_t number, uint64_t limit,
                              struct bytes *note, uint64_t *size)
{
    struct bytes key;
    struct log_key before = log_key_position(number, limit == UINT64_MAX ? limit : limit + 1);
    struct store_cursor cursor = store_cursor_open(txn, LOG_NOTES);
    enum err err = store_cursor_seek_before(&cursor, log_key_bytes(&before), &key, note);
    store_cursor_close(&cursor);
    if (err == OK && !log_key_is_position(key, number, size))
        err = ERR_END;
    if (err != OK)
        *size = 0;
    return err == ERR_END ? OK : err;
}

/* The newest note in a batch that ends within [from, limit]; *size 0 when there is none. */
static enum err batch_note(struct store_txn *txn, uint32_t number, uint64_t from, uint64_t limit,
                           struct bytes *note, uint64_t *size)
{
    struct log_batch batch;
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    enum err err = log_batch_before(&cursor, number, limit, &batch);
    *size = 0;
    while (err == OK && log_batch_end(&batch) >= from) {
        if (log_batch_end(&batch) <= limit && batch.view.note.size > 0) {
            *note = batch.view.note;
            *size = log_batch_end(&batch);
            break;
        }
        err = log_batch_before(&cursor, number, batch.first, &batch);
    }
    store_cursor_close(&cursor);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err log_note(struct log_store *logs, struct store_txn *txn, uint32_t number, uint64_t from,
                  uint64_t limit, struct buffer *note, uint64_t *size)
{
    (void)logs;
    struct bytes accepted = BYTES_NONE, own = BYTES_NONE;
    uint64_t accepted_size, own_size;
    *size = 0;
    enum err err = accepted_note(txn, number, limit, &accepted, &accepted_size);
    if (err != OK)
        return err;
    uint64_t better = accepted_size >= from ? accepted_size + 1 : from;
    err = batch_note(txn, number, better, limit, &own, &own_size);
    if (err != OK)
        return err;
    if (own_size > accepted_size) {
        accepted = own;
        accepted_size = own_size;
    }
    if (accepted_size == 0 || accepted_size < from)
        return ERR_NOT_FOUND;
    *size = accepted_size;
    buffer_append_bytes(note, accepted);
    return note->err;
}

enum err log_accepted_after(struct log_store *logs, struct store_txn *txn, uint32_t number,
                            uint64_t after, uint64_t limit, struct buffer *note, uint64_t *size)
{
    struct bytes key, value;
    struct log_key from = log_key_position(number, after + 1);
    (void)logs;
    if (after >= limit)
        return ERR_NOT_FOUND;
    struct store_cursor cursor = store_cursor_open(txn, LOG_NOTES);
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    store_cursor_close(&cursor);
    if (err == OK && (!log_key_is_position(key, number, size) || *size > limit))
        err = ERR_NOT_FOUND;
    if (err != OK)
        return err == ERR_END ? ERR_NOT_FOUND : err;
    buffer_append_bytes(note, value);
    return note->err;
}

enum err log_note_after(struct log_store *logs, struct store_txn *txn, uint32_t number,
                        uint64_t after, uint64_t limit, struct buffer *note, uint64_t *size)
{
    struct log_batch batch;
    /* Accepted notes stand under their size, own ones in the batch that holds the record before. */
    enum err err = log_accepted_after(logs, txn, number, after, limit, note, size);
    if (err != ERR_NOT_FOUND || after >= limit)
        return err;
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    err = log_batch_seek(&cursor, number, after, &batch);
    while (err == OK && batch.view.note.size == 0)
        err = log_batch_next(&cursor, number, &batch);
    store_cursor_close(&cursor);
    if (err != OK || log_batch_end(&batch) > limit)
        return err == OK || err == ERR_END ? ERR_NOT_FOUND : err;
    *size = log_batch_end(&batch);
    buffer_append_bytes(note, batch.view.note);
    return note->err;
}
