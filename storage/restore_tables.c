/* The tables beside the batches, made right again:
 *
 *   names       from the rows, and a row from its name and first record when those two agree
 *   tree        from the leaf hashes
 *   notes       } from the journal; what it does not have either is dropped: whoever gave it
 *   receipts    } gives another one
 *   forks       from nowhere: what is missing is counted
 *
 * A row of `logs` that cannot be read makes log/ as a whole unusable (ERR_CORRUPT). `withheld` is not
 * looked at. */
#include "storage/restore_private.h"

#include <stdlib.h>
#include <string.h>

/* For each log, in order, until an error. A row that is not there is damage. */
typedef enum err mend_row(struct restore *restore, uint32_t number, const struct log_row *row,
                          bool receipts_given);

static enum err mend_rows(struct restore *restore, mend_row *mend)
{
    bool receipts_given = log_gives_receipts(restore->logs, &restore->txn);
    uint32_t count = log_count(restore->logs, &restore->txn);
    enum err err = restore->txn.err;
    for (uint32_t number = 0; number < count && err == OK; number++) {
        struct log_row row;
        err = log_row_get(&restore->txn, number, &row);
        if (err == OK)
            err = mend(restore, number, &row, receipts_given);
    }
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

/* ---- names ------------------------------------------------------------------------------------ */

static void name_of(const struct log_row *row, char name[LOG_ORIGIN_SIZE_MAX + 2])
{
    log_id_origin(&row->id, name);
    if (row->branch)
        strcat(name, "#");
}

/* The log that the first record of a log says it is of; false when none can be read. */
static bool first_record_says(struct restore *restore, uint32_t number, struct log_id *id)
{
    struct log_batch batch;
    struct record sealed;
    struct record_header header;
    struct hash leaf, hash;
    struct store_cursor cursor = store_cursor_open(&restore->txn, LOG_BATCHES);
    bool reads = log_batch_seek(&cursor, number, 0, &batch) == OK &&
                 batch_record(&batch.view, 0, &sealed, &leaf) == OK;
    store_cursor_close(&cursor);
    if (!reads)
        return false;
    merkle_leaf_hash(&hash, sealed.header);
    if (!hash_equal(&hash, &leaf) || record_header_decode(&header, sealed.header) != OK)
        return false;
    *id = header.log;
    return true;
}

/* The name that leads to this log, if it is one and there is only one. */
static bool name_leading_to(struct restore *restore, uint32_t number, struct log_id *id,
                            bool *branch)
{
    unsigned found = 0;
    struct store_cursor cursor = store_cursor_open(&restore->txn, LOG_NAMES);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
    for (; err == OK; err = store_cursor_next(&cursor, &key, &value)) {
        if (value.size != 4 || get_u32(value.data) != number)
            continue;
        *branch = key.size > 0 && key.data[key.size - 1] == '#';
        found += log_id_from_origin(id, bytes_of(key.data, key.size - *branch)) == OK ? 1 : 2;
    }
    store_cursor_close(&cursor);
    return found == 1;
}

/* Row and name do not agree: which of them was damaged the first record tells. One bit makes no other
 * branch of a name, but of a row. */
static enum err mend_identity(struct restore *restore, uint32_t number, struct log_row *row)
{
    struct log_id named, said;
    bool branch = false;
    if (!name_leading_to(restore, number, &named, &branch) ||
        !first_record_says(restore, number, &said) || !log_id_equal(&named, &said))
        return restore->txn.err;
    row->id = named;
    row->branch = branch;
    log_row_put(&restore->txn, number, row);
    restore->report->rows++;
    return restore->txn.err;
}

static enum err name_get(struct restore *restore, uint32_t number, const struct log_row *row)
{
    char name[LOG_ORIGIN_SIZE_MAX + 2];
    struct bytes value;
    name_of(row, name);
    enum err err = store_get(&restore->txn, LOG_NAMES, bytes_of_string(name), &value);
    if (err == OK && (value.size != 4 || get_u32(value.data) != number))
        err = ERR_NOT_FOUND;
    return err;
}

static enum err mend_name(struct restore *restore, uint32_t number, const struct log_row *stored,
                          bool receipts_given)
{
    (void)receipts_given;
    struct log_row row = *stored;
    char name[LOG_ORIGIN_SIZE_MAX + 2];
    uint8_t right[4];
    enum err err = name_get(restore, number, &row);
    if (err == ERR_NOT_FOUND)
        err = mend_identity(restore, number, &row);
    else
        return err;
    if (err == OK)
        err = name_get(restore, number, &row);
    if (err != ERR_NOT_FOUND)
        return err;
    name_of(&row, name);
    put_u32(right, number);
    store_put(&restore->txn, LOG_NAMES, bytes_of_string(name), BYTES_OF_ARRAY(right));
    restore->report->rows++;
    return restore->txn.err;
}

/* A name that is not that of the row it leads to. */
static bool is_stray(struct restore *restore, struct bytes key, struct bytes value)
{
    char name[LOG_ORIGIN_SIZE_MAX + 2];
    struct log_row row;
    if (value.size != 4 || log_row_get(&restore->txn, get_u32(value.data), &row) != OK)
        return true;
    name_of(&row, name);
    return !bytes_equal(key, bytes_of_string(name));
}

static enum err drop_strays(struct restore *restore)
{
    struct store_cursor cursor = store_cursor_open(&restore->txn, LOG_NAMES);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
    while (err == OK) {
        struct buffer last = { 0 };
        buffer_append_bytes(&last, key);
        if (last.err == OK && is_stray(restore, key, value)) {
            store_delete(&restore->txn, LOG_NAMES, buffer_bytes(&last));
            restore->report->rows++;
        }
        buffer_append_u8(&last, 0); /* the next one, wherever the deletion left the cursor */
        err = last.err != OK ? last.err
                             : store_cursor_seek(&cursor, buffer_bytes(&last), &key, &value);
        buffer_close(&last);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? restore->txn.err : err;
}

enum err restore_names(struct restore *restore)
{
    enum err err = mend_rows(restore, mend_name);
    if (err == OK)
        err = drop_strays(restore);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

/* ---- tree --------------------------------------------------------------------------------------- */

struct walk {
    struct restore *restore;
    uint32_t number;
};

static void mend_node(void *context, unsigned level, uint64_t index, const struct hash *hash)
{
    struct walk *walk = context;
    struct restore *restore = walk->restore;
    struct log_key key = log_key_tree(walk->number, level, index);
    struct bytes value, right = bytes_of(hash->bytes, HASH_SIZE);
    if (level < MERKLE_BLOCK_LEVEL || restore->txn.err != OK)
        return;
    enum err err = store_get(&restore->txn, LOG_TREE, log_key_bytes(&key), &value);
    if (err == OK && bytes_equal(value, right))
        return;
    store_put(&restore->txn, LOG_TREE, log_key_bytes(&key), right);
    restore->report->rows++;
}

static enum err mend_tree(struct restore *restore, uint32_t number)
{
    struct walk walk = { restore, number };
    struct merkle_frontier at = { 0 };
    for (;;) {
        struct log_batch batch;
        enum err err = restore_batch_from(restore, number, at.size, &batch);
        if (err != OK || batch.first != at.size) /* its end, or a hole that was told */
            return restore->txn.err;
        for (uint32_t i = 0; i < batch.view.count; i++) {
            struct hash leaf;
            memcpy(leaf.bytes, batch.view.leaves + (size_t)i * HASH_SIZE, HASH_SIZE);
            merkle_frontier_append(&at, &leaf, mend_node, &walk);
        }
        err = restore_txn(restore);
        if (err != OK)
            return err;
    }
}

/* ---- notes and receipts ----------------------------------------------------------------------- */

static enum err note_open(struct restore *restore, const struct log_row *row, struct bytes note,
                          struct checkpoint *checkpoint)
{
    const struct restore_keys *keys = &restore->keys;
    struct sign_public key;
    if (strcmp(row->id.node, restore->logs->node) == 0)
        return checkpoint_open(checkpoint, note, keys->own);
    if (keys->of && keys->of(keys->context, &row->id, &key))
        return checkpoint_open(checkpoint, note, &key);
    return checkpoint_parse(checkpoint, note);
}

/* It is about this log and this size, signed by its node, and states the root there. */
static bool note_is_right(struct restore *restore, uint32_t number, const struct log_row *row,
                          uint64_t size, struct bytes note)
{
    struct log_source source = { .logs = restore->logs, .txn = &restore->txn, .number = number };
    struct merkle_source merkle = log_merkle_source(&source);
    struct checkpoint checkpoint;
    struct hash root;
    uint64_t held;
    if (note_open(restore, row, note, &checkpoint) != OK || checkpoint.size != size || !log_id_equal(&checkpoint.log, &row->id))
        return false;
    if (log_size(restore->logs, &restore->txn, number, &held) != OK || size > held)
        return true; /* cannot be told yet */
    return merkle_root(&merkle, size, &root) != OK || hash_equal(&root, &checkpoint.root);
}

static const struct journal_note *note_of(const struct journal_note *list, size_t count,
                                          uint64_t size, const char *hub)
{
    for (size_t i = 0; i < count; i++)
        if (hub ? strcmp(list[i].hub, hub) == 0 : list[i].size == size)
            return &list[i];
    return NULL;
}

/* The value that belongs under the key: of a receipt, its size stands before it. */
static void mend_note(struct restore *restore, uint32_t number, const struct log_row *row,
                      unsigned table, const struct log_key *key)
{
    const struct journal_log *log = journal_log_find(restore->journal, &row->id);
    const struct journal_note *note = NULL;
    struct buffer value = { 0 };
    char hub[NODE_NAME_SIZE_MAX + 1] = "";
    bool receipt = table == LOG_RECEIPTS;
    if (receipt && key->size - 4 < sizeof hub)
        memcpy(hub, key->bytes + 4, key->size - 4);
    if (log && receipt)
        note = note_of(log->receipts, log->receipt_count, 0, hub);
    else if (log && key->size == 12)
        note = note_of(log->notes, log->note_count, get_u64(key->bytes + 4), NULL);
    if (note && note_is_right(restore, number, row, note->size, buffer_bytes(&note->note))) {
        if (receipt)
            buffer_append_u64(&value, note->size);
        buffer_append_bytes(&value, buffer_bytes(&note->note));
        store_put(&restore->txn, table, log_key_bytes(key), buffer_bytes(&value));
        restore->report->rows++;
    } else {
        store_delete(&restore->txn, table, log_key_bytes(key));
        restore->report->dropped++;
    }
    buffer_close(&value);
}

static bool value_is_right(struct restore *restore, uint32_t number, const struct log_row *row,
                           unsigned table, struct bytes key, struct bytes value)
{
    if (table == LOG_NOTES)
        return key.size == 12 &&
               note_is_right(restore, number, row, get_u64(key.data + 4), value);
    return node_name_is_valid(bytes_of(key.data + 4, key.size - 4)) && value.size > 8 &&
           note_is_right(restore, number, row, get_u64(value.data),
                         bytes_of(value.data + 8, value.size - 8));
}

static enum err mend_notes(struct restore *restore, uint32_t number, const struct log_row *row,
                           unsigned table)
{
    struct log_key from = log_key_number(number);
    struct store_cursor cursor = store_cursor_open(&restore->txn, table);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    while (err == OK && key.size > 4 && get_u32(key.data) == number &&
           key.size < sizeof from.bytes) {
        struct log_key last = { .size = key.size };
        memcpy(last.bytes, key.data, key.size);
        if (!value_is_right(restore, number, row, table, key, value))
            mend_note(restore, number, row, table, &last);
        last.bytes[last.size++] = 0;
        err = store_cursor_seek(&cursor, log_key_bytes(&last), &key, &value);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? restore->txn.err : err;
}

/* Those of the node's own logs that are missing altogether. */
static void put_missing_notes(struct restore *restore, uint32_t number, const struct log_row *row)
{
    const struct journal_log *log = journal_log_find(restore->journal, &row->id);
    for (size_t i = 0; log && i < log->note_count; i++) {
        const struct journal_note *note = &log->notes[i];
        struct log_key key = log_key_position(number, note->size);
        struct bytes value, text = buffer_bytes(&note->note);
        if (store_get(&restore->txn, LOG_NOTES, log_key_bytes(&key), &value) != ERR_NOT_FOUND ||
            note->size > row->pending_size ||
            !note_is_right(restore, number, row, note->size, text))
            continue;
        store_put(&restore->txn, LOG_NOTES, log_key_bytes(&key), text);
        restore->report->rows++;
    }
}

/* ---- forks ------------------------------------------------------------------------------------ */

static enum err count_evidence(struct restore *restore, uint32_t number, const struct log_row *row)
{
    for (uint32_t sequence = 0; sequence < row->fork_count; sequence++) {
        struct log_key key = log_key_fork(number, sequence);
        struct bytes value;
        enum err err = store_get(&restore->txn, LOG_FORKS, log_key_bytes(&key), &value);
        if (err != OK && err != ERR_NOT_FOUND)
            return err;
        restore->report->evidence_lost += err == ERR_NOT_FOUND;
    }
    return OK;
}

/* ---- all of it -------------------------------------------------------------------------------- */

static enum err mend_log(struct restore *restore, uint32_t number, const struct log_row *row,
                         bool receipts_given)
{
    bool own = !row->branch && strcmp(row->id.node, restore->logs->node) == 0;
    enum err err = count_evidence(restore, number, row);
    if (err == OK && !own && !receipts_given)
        err = restore_followed(restore, number, row);
    if (err != OK || (!own && receipts_given))
        return err;
    err = mend_tree(restore, number);
    if (err != OK || row->frozen) /* its notes may belong to the other branch */
        return err;
    put_missing_notes(restore, number, row);
    err = mend_notes(restore, number, row, LOG_NOTES);
    return err == OK ? mend_notes(restore, number, row, LOG_RECEIPTS) : err;
}

enum err restore_tables(struct restore *restore)
{
    return mend_rows(restore, mend_log);
}
