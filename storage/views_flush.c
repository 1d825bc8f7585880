/* Writing the views store: one sorted pass over a frozen table, the positions it brings the view to
 * and the node's row, in one transaction (V1).
 *
 * Such a transaction cannot be split, because between its parts the content would not be what the
 * heads say. So what a table may hold is bounded instead (MEMORY_FLUSH_KEYS_MAX). */
#include "storage/views_private.h"

#include "proto/base/bug.h"

#include <string.h>

struct flush {
    struct store_txn txn;
    struct views_sums sums;
    char key[64 + VIEW_KEY_SIZE_MAX];
    size_t prefix_size;
};

static enum err flush_entry(void *context, struct bytes key, struct bytes value)
{
    struct flush *flush = context;
    if (key.size > VIEW_KEY_SIZE_MAX)
        return ERR_INVALID;
    if (key.size > 0)
        memcpy(flush->key + flush->prefix_size, key.data, key.size);
    struct bytes full = bytes_of(flush->key, flush->prefix_size + key.size);
    if (value.data)
        views_sums_put(&flush->sums, full, value);
    else
        views_sums_delete(&flush->sums, full);
    return flush->txn.err;
}

static struct views_row row_with_counts(const struct views_change *change)
{
    struct views_row row = change->row;
    uint32_t count = (uint32_t)(change->first_head + change->head_count);
    if (change->generation != 0 && change->generation == row.generation)
        row.head_count = count;
    else if (change->generation != 0 && change->generation == row.next)
        row.next_head_count = count;
    return row;
}

static enum err write_once(struct views *views, const struct views_change *change)
{
    struct flush flush = { .txn = store_begin_write(views->store) };
    flush.prefix_size = views_prefix(flush.key, change->node, change->generation);
    enum err err = flush.txn.err;
    if (SAMAD_BUG(CURSOR_APART)) {
        for (size_t i = 0; i < change->head_count; i++)
            views_head_write(&flush.txn, change->node, change->generation, change->first_head + i,
                             &change->heads[i]);
        store_commit(&flush.txn);
        flush.txn = store_begin_write(views->store);
    }
    if (err == OK && change->memory) {
        views_sums_begin(&flush.sums, &flush.txn, flush.prefix_size);
        err = memory_frozen_scan(change->memory, flush_entry, &flush);
        enum err end = views_sums_end(&flush.sums);
        err = err == OK ? end : err;
    }
    for (size_t i = 0; i < change->head_count; i++)
        views_head_write(&flush.txn, change->node, change->generation, change->first_head + i,
                         &change->heads[i]);
    struct views_row row = row_with_counts(change);
    views_row_write(&flush.txn, change->node, &row);
    if (err != OK) {
        store_abort(&flush.txn);
        return err;
    }
    return store_commit(&flush.txn);
}

/* Waits until every reader has ended, and keeps new ones out meanwhile; the decider keeps its snapshot
 * from command to command, so it is asked to renew it. */
static enum err grow(struct views *views)
{
    atomic_store(&views->map_is_wanted, true);
    enum err err = store_grow(views->store);
    atomic_store(&views->map_is_wanted, false);
    return err;
}

enum err views_write(struct views *views, const struct views_change *change)
{
    size_t size = change->memory ? memory_frozen_size(change->memory) : 0;
    enum err err = store_needs_growth(views->store, size) ? grow(views) : OK;
    while (err == OK) {
        err = write_once(views, change);
        if (err == OK && change->row.damaged)
            views_note_row_mended(views, change->node);
        if (err != ERR_MAP_FULL)
            return err;
        err = grow(views);
    }
    return err;
}

/* ---- flush ------------------------------------------------------------------------------------ */

/* The heads after the flush: the last one advanced, or one more. */
static enum err flush_heads(struct views *views, const struct log_head *head,
                            struct views_change *change)
{
    struct store_txn txn = store_begin_read(views->store);
    struct log_head last;
    size_t count = 0;
    enum err err = txn.err;
    if (err == OK)
        err = views_row_read(&txn, views->node, &change->row);
    if (err == OK && change->row.damaged)
        err = ERR_CORRUPT; /* it would be taken for the whole view */
    if (err == OK)
        err = views_head_last(&txn, views->node, change->row.generation, &last, &count);
    store_abort(&txn);
    if (err == OK && count != change->row.head_count)
        err = ERR_CORRUPT;
    if (err != OK)
        return err;
    bool same = count > 0 && log_id_equal(&last.log, &head->log);
    if (same && head->size < last.size)
        return ERR_STALE;
    change->first_head = same ? count - 1 : count;
    change->heads = head;
    change->head_count = 1;
    change->generation = change->row.generation;
    return OK;
}

enum err views_flush(struct views *views, const struct log_head *head)
{
    if (!views->memory || !memory_has_frozen(views->memory))
        return ERR_NOT_FOUND;
    struct views_change change = { .node = views->node, .memory = views->memory };
    enum err err = flush_heads(views, head, &change);
    if (err == OK)
        err = views_write(views, &change);
    if (err == OK)
        memory_frozen_drop(views->memory);
    return err;
}

/* ---- dead generations (V3) -------------------------------------------------------------------- */

struct sweep {
    const char *node;
    const struct views_row *row;
    struct store_txn *txn;
    struct buffer keys; /* size(u16), key ... : gathered first, a delete moves what is read */
    size_t count, budget;
    uint32_t beyond; /* the generation gone on from */
};

static bool generation_is_alive(const struct views_row *row, uint32_t generation)
{
    return generation == row->generation || generation == row->next;
}

static enum err sweep_gather(struct sweep *sweep, unsigned table)
{
    char prefix[64];
    size_t size = views_prefix(prefix, sweep->node, 0);
    sweep->beyond = 0;
    struct bytes key, value;
    struct store_cursor cursor = store_cursor_open(sweep->txn, table);
    enum err err = store_cursor_seek(&cursor, bytes_of(prefix, size), &key, &value);
    while (err == OK && sweep->count < sweep->budget && key.size >= size &&
           memcmp(key.data, prefix, size - 4) == 0) {
        uint32_t generation = get_u32(key.data + size - 4);
        if (generation_is_alive(sweep->row, generation)) {
            if (generation == UINT32_MAX || generation < sweep->beyond)
                break; /* the second: keys out of order, which the sweep would not leave */
            sweep->beyond = generation + 1;
            views_prefix(prefix, sweep->node, generation + 1);
            err = store_cursor_seek(&cursor, bytes_of(prefix, size), &key, &value);
            continue;
        }
        if (key.size > STORE_KEY_SIZE_MAX) {
            err = store_condemn(sweep->txn->store, "dead entries of");
            break;
        }
        buffer_append_u16(&sweep->keys, (uint16_t)key.size);
        buffer_append_bytes(&sweep->keys, key);
        sweep->count++;
        err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    if (err == OK || err == ERR_END)
        err = sweep->keys.err;
    return err;
}

/* What was gathered and cannot be deleted is in a damaged tree, and would be gathered for ever. */
static enum err sweep_delete(struct sweep *sweep, unsigned table)
{
    struct reader reader = reader_of(buffer_bytes(&sweep->keys));
    uint64_t before = store_count(sweep->txn, table), count = 0;
    for (; !reader_at_end(&reader); count++) {
        uint16_t size = read_u16(&reader);
        store_delete(sweep->txn, table, read_bytes(&reader, size));
    }
    buffer_clear(&sweep->keys);
    if (sweep->txn->err == OK && store_count(sweep->txn, table) != before - count)
        return store_condemn(sweep->txn->store, "dead entries of");
    return sweep->txn->err;
}

enum err views_sweep(struct views *views, const char *node, size_t budget)
{
    struct views_row row;
    struct store_txn txn = store_begin_write(views->store);
    struct sweep sweep = { .node = node, .row = &row, .txn = &txn, .budget = budget };
    enum err err = txn.err;
    if (err == OK)
        err = views_row_read(&txn, node, &row);
    for (unsigned table = VIEWS_HEADS; err == OK && table <= VIEWS_RANGES; table++) {
        err = sweep_gather(&sweep, table);
        if (err == OK)
            err = sweep_delete(&sweep, table);
    }
    buffer_close(&sweep.keys);
    if (err != OK || sweep.count == 0) {
        store_abort(&txn);
        return err == OK ? ERR_END : err;
    }
    err = store_commit(&txn);
    return err == ERR_MAP_FULL ? grow(views) : err;
}
