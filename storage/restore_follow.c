/* Logs of others: the journal does not have them, but whom they came from has.
 *
 * At a node that has given no receipts (a province) nothing hangs on a followed log's copy: it is cut
 * before the first batch that fails its check, and the rest is asked for again. A hub's copy may be the
 * only other one, and a receipt says that it is held: it is left as it is, and verification names the
 * damage. */
#include "storage/restore_private.h"

#include <string.h>

/* Up to where the log's batches follow each other and pass their check. ERR_CORRUPT with the position
 * where they do not. */
static enum err sound_until(struct restore *restore, uint32_t number, const struct log_id *id,
                            uint64_t *position)
{
    for (*position = 0;;) {
        struct log_batch batch = { .first = *position };
        enum err err = restore_batch_from(restore, number, *position, &batch);
        if (err == ERR_END)
            return OK;
        if (err == OK && batch.first != *position)
            err = ERR_CORRUPT;
        if (err == OK)
            err = restore_check(restore, number, id, &batch);
        if (err != OK)
            return err;
        *position = log_batch_end(&batch);
    }
}

/* Deletes the keys of one log in a table, as far as `goes` says so. */
typedef bool goes_on(struct bytes key, uint64_t position);

static enum err cut_table(struct restore *restore, unsigned table, uint32_t number,
                          uint64_t position, goes_on *goes)
{
    struct log_key from = log_key_number(number);
    struct store_cursor cursor = store_cursor_open(&restore->txn, table);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    while (err == OK && key.size > 4 && get_u32(key.data) == number) {
        struct log_key last = { .size = key.size };
        if (key.size > sizeof last.bytes)
            break;
        memcpy(last.bytes, key.data, key.size);
        if (goes(key, position))
            store_delete(&restore->txn, table, log_key_bytes(&last));
        last.bytes[last.size++] = 0; /* the next one, wherever the deletion left the cursor */
        err = store_cursor_seek(&cursor, log_key_bytes(&last), &key, &value);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? restore->txn.err : err;
}

static bool is_from(struct bytes key, uint64_t position)
{
    return key.size == 12 && get_u64(key.data + 4) >= position;
}

/* A subtree that ends behind the position. */
static bool is_subtree_beyond(struct bytes key, uint64_t position)
{
    unsigned level = key.size == 13 ? key.data[4] : 64;
    return level >= 64 || ((get_u64(key.data + 5) + 1) << level) > position;
}

static enum err cut_log(struct restore *restore, uint32_t number, uint64_t position)
{
    static const unsigned tables[] = { LOG_BATCHES, LOG_WITHHELD };
    enum err err = cut_table(restore, LOG_TREE, number, position, is_subtree_beyond);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && err == OK; i++)
        err = cut_table(restore, tables[i], number, position, is_from);
    struct log_memory *memory = log_memory_of(restore->logs, &restore->txn, number);
    if (memory)
        memory->known = false;
    return err;
}

enum err restore_followed(struct restore *restore, uint32_t number, const struct log_row *row)
{
    uint64_t position;
    if (row->frozen || row->branch) /* evidence is never dropped */
        return OK;
    enum err err = sound_until(restore, number, &row->id, &position);
    if (err != ERR_CORRUPT || restore->txn.err != OK)
        return err;
    err = cut_log(restore, number, position);
    restore->report->cut += err == OK;
    return err == OK ? restore_txn(restore) : err;
}
