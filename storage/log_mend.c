#include "storage/log_mend.h"

#include "storage/erase.h"
#include "storage/log_private.h"

#include <string.h>

/* ---- what is to be asked for ------------------------------------------------------------------- */

/* Where the next batch of the log begins, behind `position`. ERR_NOT_FOUND. */
static enum err next_first(struct store_txn *txn, uint32_t number, uint64_t position,
                           uint64_t *first)
{
    struct log_key from = log_key_position(number, position + 1);
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    store_cursor_close(&cursor);
    if (err == OK && (!log_key_is_position(key, number, first) || *first <= position))
        err = ERR_NOT_FOUND;
    return err == ERR_END ? ERR_NOT_FOUND : err;
}

enum err log_mend_range(struct log_store *logs, struct store_txn *txn, uint32_t number,
                        uint64_t position, uint64_t *first, uint64_t *end)
{
    (void)logs;
    struct log_batch batch = { 0 };
    if (position == UINT64_MAX)
        return ERR_NOT_FOUND;
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    enum err err = log_batch_before(&cursor, number, position + 1, &batch);
    store_cursor_close(&cursor);
    *first = err == ERR_NOT_FOUND ? 0 : batch.first;
    if (err == OK && position < log_batch_end(&batch)) {
        *end = log_batch_end(&batch);
        return OK;
    }
    if (err == OK)
        *first = log_batch_end(&batch); /* a gap begins there */
    if (txn->err != OK || (err != OK && err != ERR_NOT_FOUND && err != ERR_CORRUPT))
        return txn->err != OK ? txn->err : err;
    return next_first(txn, number, position, end);
}

/* ---- what stands there ------------------------------------------------------------------------- */

struct mending {
    struct log_store *logs;
    struct store_txn *txn;
    uint32_t number;
    struct log_id id;
    const struct log_good *good;
    const struct sign_public *key;
    uint64_t position; /* up to here all is well */
    struct merkle_frontier frontier;
    /* what stands at `position`, and where that ends */
    bool is_there, is_readable;
    struct buffer old; /* a copy: writing moves what lies in the store */
    struct log_batch batch;
    uint64_t end;
    bool taken[MERKLE_BLOCK_SIZE]; /* of the run: written, not kept */
    struct buffer person;
    uint64_t mended;
};

static uint64_t good_end(const struct mending *mending)
{
    return mending->good->first + mending->good->count;
}

/* ERR_END when nothing of the log is there or behind. */
static enum err look(struct mending *mending)
{
    struct log_key from = log_key_position(mending->number, mending->position);
    struct store_cursor cursor = store_cursor_open(mending->txn, LOG_BATCHES);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    store_cursor_close(&cursor);
    if (err == OK && !log_key_is_position(key, mending->number, &mending->batch.first))
        err = ERR_END;
    if (err != OK)
        return err;
    mending->is_there = mending->batch.first == mending->position;
    mending->is_readable = false;
    mending->end = mending->batch.first;
    if (!mending->is_there)
        return mending->batch.first > mending->position ? OK : ERR_CORRUPT;
    buffer_clear(&mending->old);
    buffer_append_bytes(&mending->old, value);
    if (mending->old.err != OK)
        return mending->old.err;
    mending->batch.value = buffer_bytes(&mending->old);
    err = batch_open(&mending->batch.view, mending->batch.value);
    mending->is_readable = err == OK;
    if (err == OK)
        mending->end = log_batch_end(&mending->batch);
    if (err != ERR_CORRUPT)
        return err;
    err = next_first(mending->txn, mending->number, mending->position, &mending->end);
    return err == ERR_NOT_FOUND ? ERR_END : err;
}

/* ---- writing ----------------------------------------------------------------------------------- */

/* The stored record stays when it is that of the leaf hash, person part included. */
static enum err add_record(struct mending *mending, struct batch_builder *builder,
                           struct batch_walk *walk)
{
    uint64_t index = builder->first + builder->count - mending->good->first;
    const struct record *record = &mending->good->records[index];
    struct record sealed, open;
    struct record_header header;
    struct hash leaf, stored;
    memcpy(leaf.bytes, mending->good->leaves + index * HASH_SIZE, HASH_SIZE);
    mending->taken[index] = true;
    if (mending->is_readable && batch_next(walk, &sealed, &stored) == OK) {
        buffer_clear(&mending->person);
        uint8_t *room = buffer_reserve(&mending->person, sealed.person.size + 1);
        if (!room)
            return ERR_NOMEM;
        if (log_record_check(mending->logs, &mending->id, builder->first + builder->count, &sealed,
                             &leaf, room, &open, &header) == OK) {
            mending->taken[index] = false;
            record = &open;
        }
    }
    batch_add(builder, record, &leaf, log_store_data_key(mending->logs));
    return builder->err;
}

static void put_batch(struct mending *mending, const struct batch_builder *builder,
                      struct bytes note, struct bytes tail)
{
    struct store_txn *txn = mending->txn;
    struct log_key key = log_key_position(mending->number, builder->first);
    if (mending->is_there)
        store_delete(txn, LOG_BATCHES, log_key_bytes(&key));
    size_t size = batch_size(builder, note.size);
    uint8_t *room = store_reserve(txn, LOG_BATCHES, log_key_bytes(&key), size, false);
    if (room)
        batch_write(builder, note, room);
    key = log_key_position(mending->number, builder->first + builder->count);
    if (tail.size > 0)
        store_put(txn, LOG_BATCHES, log_key_bytes(&key), tail);
    for (size_t i = 0; i < builder->node_count; i++) {
        const struct batch_node *node = &builder->nodes[i];
        key = log_key_tree(mending->number, node->level, node->index);
        store_put(txn, LOG_TREE, log_key_bytes(&key), BYTES_OF_ARRAY(node->hash.bytes));
    }
}

/* What a record that was written means beside its batch. */
static enum err take_effect(struct mending *mending, uint64_t position)
{
    const struct record *record = &mending->good->records[position - mending->good->first];
    struct record_header header;
    enum err err = record->person_absent
                       ? log_withheld_add(mending->logs, mending->txn, mending->number, position)
                       : log_withheld_explain(mending->logs, mending->txn, mending->number, position);
    if (err == OK && record_header_decode(&header, record->header) == OK &&
        header.kind == RECORD_ERASE)
        err = erase_on_record(mending->logs, mending->txn, &header,
                              record_unsalted(record->facts));
    return err;
}

/* What was kept is left alone: it is as it was when it came. */
static enum err take_effects(struct mending *mending, uint64_t first, uint64_t end)
{
    enum err err = OK;
    for (uint64_t i = first; i < end && err == OK; i++) {
        if (!mending->taken[i - mending->good->first])
            continue;
        err = take_effect(mending, i);
        if (err == OK)
            err = erase_on_append(mending->logs, mending->txn, mending->number, &mending->id, i, 1);
    }
    return err;
}

/* A new batch, as far as the run goes; the rest of the old one becomes a batch of its own. */
static enum err write_anew(struct mending *mending)
{
    struct batch_builder builder;
    struct buffer tail = { 0 };
    struct bytes note = BYTES_NONE;
    uint64_t first = mending->position;
    uint64_t end = mending->end < good_end(mending) ? mending->end : good_end(mending);
    struct batch_walk walk = batch_walk(&mending->batch.view);
    enum err err = OK;
    batch_begin(&builder, &mending->frontier);
    while (err == OK && builder.first + builder.count < end)
        err = add_record(mending, &builder, &walk);
    if (err == OK && mending->is_readable && end < mending->end)
        err = batch_tail(&mending->batch.view, (uint32_t)(end - first), &tail);
    if (mending->is_readable && end == mending->end)
        note = mending->batch.view.note;
    if (err == OK && log_note_check(&mending->id, note, &builder.frontier, mending->key) != OK)
        note = BYTES_NONE; /* as in a log that was handed back: checkpoints come from the hub */
    if (err == OK) {
        put_batch(mending, &builder, note, buffer_bytes(&tail));
        err = mending->txn->err;
    }
    mending->position = end;
    mending->frontier = builder.frontier;
    mending->mended++;
    if (err == OK)
        err = take_effects(mending, first, end);
    buffer_close(&tail);
    batch_close(&builder);
    return err;
}

/* ---- all of it --------------------------------------------------------------------------------- */

static enum err mend_at(struct mending *mending)
{
    enum err err = look(mending);
    if (err != OK)
        return err;
    if (mending->is_readable)
        err = log_batch_check(mending->logs, &mending->id, &mending->batch, &mending->frontier,
                              mending->key, &mending->person);
    if (!mending->is_readable || err == ERR_CORRUPT)
        return write_anew(mending);
    mending->position = mending->end;
    return err == OK ? batch_frontier(&mending->batch.view, mending->end, &mending->frontier) : err;
}

enum err log_mend(struct log_store *logs, struct store_txn *txn, uint32_t number,
                  const struct log_good *good, const struct sign_public *key, uint64_t *mended)
{
    struct log_row row;
    *mended = 0;
    if (good->count == 0 || good->count > MERKLE_BLOCK_SIZE || good->before.size != good->first)
        return ERR_INVALID;
    enum err err = log_row_get(txn, number, &row);
    if (err != OK)
        return err;
    struct mending mending = { .logs = logs,
                               .txn = txn,
                               .number = number,
                               .id = row.id,
                               .good = good,
                               .key = key,
                               .position = good->first,
                               .frontier = good->before };
    while (err == OK && mending.position < good_end(&mending))
        err = mend_at(&mending);
    *mended = mending.mended;
    buffer_close(&mending.old);
    buffer_close(&mending.person);
    return err == ERR_END ? txn->err : err;
}
