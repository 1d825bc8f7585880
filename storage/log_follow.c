/* What is known of logs besides their records: accepted checkpoints, receipts, forks. */
#include "storage/log_private.h"

#include "proto/base/bug.h"
#include "proto/base/require.h"

#include <string.h>

/* Accepted notes that a receipt has overtaken are kept once in so many records: enough to show
 * another follower the way. */
#define NOTE_SPACING 4096

enum err log_pending_advance(struct log_store *logs, struct store_txn *txn, uint32_t number,
                             uint64_t expected, const struct checkpoint *checkpoint,
                             struct bytes note)
{
    struct log_row row;
    enum err err = log_row_get(txn, number, &row);
    if (err != OK)
        return err;
    if (note.size == 0 || note.size > NOTE_SIZE_MAX || !log_id_equal(&row.id, &checkpoint->log))
        return ERR_INVALID;
    uint64_t held;
    if (row.pending_size != expected || checkpoint->size == row.pending_size)
        return ERR_STALE;
    if (checkpoint->size < row.pending_size) { /* a step back never goes behind what is held */
        err = log_size(logs, txn, number, &held);
        if (err != OK || checkpoint->size < held)
            return err != OK ? err : ERR_STALE;
    }
    row.pending_size = checkpoint->size;
    row.pending_root = checkpoint->root;
    log_row_put(txn, number, &row);
    struct log_key key = log_key_position(number, checkpoint->size);
    store_append(txn, LOG_NOTES, log_key_bytes(&key), note);
    struct journal_entry *changes = log_changes_of(logs, &row);
    if (changes)
        journal_entry_note(changes, &row.id, checkpoint->size, note);
    return txn->err;
}

enum err log_note_accept(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         const struct checkpoint *checkpoint, struct bytes note)
{
    struct log_row row;
    uint64_t held;
    enum err err = log_row_get(txn, number, &row);
    if (err == OK)
        err = log_size(logs, txn, number, &held);
    if (err != OK)
        return err;
    if (note.size == 0 || note.size > NOTE_SIZE_MAX || !log_id_equal(&row.id, &checkpoint->log))
        return ERR_INVALID;
    if (checkpoint->size > held)
        return ERR_GAP;
    struct log_key key = log_key_position(number, checkpoint->size);
    store_put(txn, LOG_NOTES, log_key_bytes(&key), note);
    return txn->err;
}

enum err log_note_forget(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         uint64_t size)
{
    (void)logs;
    struct log_key key = log_key_position(number, size);
    store_delete(txn, LOG_NOTES, log_key_bytes(&key));
    return txn->err;
}

/* Deletes the accepted notes before `size` in its stretch of NOTE_SPACING records. Earlier calls
 * have done so for earlier stretches, so the walk is short. */
static enum err notes_thin(struct store_txn *txn, uint32_t number, uint64_t size)
{
    struct log_key before = log_key_position(number, size);
    for (;;) {
        struct bytes key, note;
        uint64_t at;
        struct store_cursor cursor = store_cursor_open(txn, LOG_NOTES);
        enum err err = store_cursor_seek_before(&cursor, log_key_bytes(&before), &key, &note);
        store_cursor_close(&cursor);
        if (err != OK)
            return err == ERR_END ? OK : err;
        if (!log_key_is_position(key, number, &at) || at / NOTE_SPACING != size / NOTE_SPACING)
            return OK;
        struct log_key gone = log_key_position(number, at);
        store_delete(txn, LOG_NOTES, log_key_bytes(&gone));
    }
}

static void receipt_write(struct store_txn *txn, uint32_t number, const char *hub, uint64_t size,
                          struct bytes receipt)
{
    struct log_key key = log_key_hub(number, hub);
    uint8_t *room = store_reserve(txn, LOG_RECEIPTS, log_key_bytes(&key), 8 + receipt.size, false);
    if (!room)
        return;
    put_u64(room, size);
    memcpy(room + 8, receipt.data, receipt.size);
}

enum err log_cosign(struct log_store *logs, struct store_txn *txn, uint32_t number, uint64_t size,
                    struct bytes receipt)
{
    struct log_row row;
    uint64_t held;
    enum err err = log_row_get(txn, number, &row);
    if (err == OK)
        err = log_size(logs, txn, number, &held);
    if (err != OK)
        return err;
    if (receipt.size == 0 || receipt.size > NOTE_SIZE_MAX)
        return ERR_INVALID;
    if (size > held && !SAMAD_BUG(RECEIPT_AHEAD))
        return ERR_GAP;
    if (size < row.cosigned_size)
        return ERR_STALE;
    row.cosigned_size = size;
    log_row_put(txn, number, &row);
    receipt_write(txn, number, logs->node, size, receipt);
    return txn->err != OK ? txn->err : notes_thin(txn, number, size);
}

static enum err receipt_read(struct store_txn *txn, uint32_t number, const char *hub,
                             struct bytes *receipt, uint64_t *size)
{
    struct log_key key = log_key_hub(number, hub);
    struct bytes value;
    enum err err = store_get(txn, LOG_RECEIPTS, log_key_bytes(&key), &value);
    if (err != OK)
        return err;
    if (value.size <= 8 || value.size > 8 + NOTE_SIZE_MAX)
        return ERR_CORRUPT;
    *size = get_u64(value.data);
    *receipt = bytes_of(value.data + 8, value.size - 8);
    return OK;
}

bool log_receipt_says(const struct log_id *log, uint64_t size, struct bytes receipt)
{
    struct checkpoint checkpoint;
    return checkpoint_parse(&checkpoint, receipt) == OK && checkpoint.size == size &&
           log_id_equal(&checkpoint.log, log);
}

enum err log_receipt_put(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         const char *hub, uint64_t size, struct bytes receipt)
{
    struct log_row row;
    struct bytes old;
    uint64_t old_size;
    if (!node_name_is_valid(bytes_of_string(hub)) || receipt.size == 0 ||
        receipt.size > NOTE_SIZE_MAX)
        return ERR_INVALID;
    enum err err = log_row_get(txn, number, &row);
    if (err != OK)
        return err;
    err = receipt_read(txn, number, hub, &old, &old_size);
    if (err == OK && old_size > size && log_receipt_says(&row.id, old_size, old))
        return OK;
    if (txn->err != OK || (err != OK && err != ERR_NOT_FOUND && err != ERR_CORRUPT))
        return txn->err != OK ? txn->err : err;
    receipt_write(txn, number, hub, size, receipt);
    if (!logs->changes || txn->err != OK)
        return txn->err;
    struct journal_entry *changes = log_changes_of(logs, &row);
    if (changes)
        journal_entry_receipt(changes, &row.id, hub, size, receipt);
    return OK;
}

enum err log_receipt_get(struct log_store *logs, struct store_txn *txn, uint32_t number,
                         const char *hub, struct buffer *receipt, uint64_t *size)
{
    (void)logs;
    struct bytes stored;
    if (!node_name_is_valid(bytes_of_string(hub)))
        return ERR_INVALID;
    enum err err = receipt_read(txn, number, hub, &stored, size);
    if (err != OK)
        return err;
    buffer_append_bytes(receipt, stored);
    return receipt->err;
}

uint64_t log_receipted_size(struct log_store *logs, struct store_txn *txn, uint32_t number,
                            unsigned hubs)
{
    uint64_t sizes[64] = { 0 }; /* descending */
    struct log_row row;
    if (log_row_get(txn, number, &row) != OK)
        return 0;
    struct log_key from = log_key_number(number);
    struct store_cursor cursor = store_cursor_open(txn, LOG_RECEIPTS);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    for (; err == OK; err = store_cursor_next(&cursor, &key, &value)) {
        if (key.size <= 4 || get_u32(key.data) != number)
            break;
        struct bytes hub = bytes_of(key.data + 4, key.size - 4);
        if (value.size <= 8 || bytes_equal(hub, bytes_of_string(logs->node)))
            continue;
        uint64_t size = get_u64(value.data);
        if (!log_receipt_says(&row.id, size, bytes_of(value.data + 8, value.size - 8)))
            continue;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            if (size > sizes[i]) {
                uint64_t smaller = sizes[i];
                sizes[i] = size;
                size = smaller;
            }
    }
    store_cursor_close(&cursor);
    return hubs >= 1 && hubs <= sizeof sizes / sizeof *sizes ? sizes[hubs - 1] : 0;
}

enum err log_freeze(struct log_store *logs, struct store_txn *txn, uint32_t number,
                    struct bytes evidence)
{
    struct log_row row;
    enum err err = log_row_get(txn, number, &row);
    if (err != OK)
        return err;
    struct log_key key = log_key_fork(number, row.fork_count);
    row.frozen = true;
    row.fork_count++;
    log_row_put(txn, number, &row);
    store_put(txn, LOG_FORKS, log_key_bytes(&key), evidence);
    struct log_memory *memory = log_memory_of(logs, txn, number);
    if (memory)
        memory->frozen = true;
    return txn->err;
}

enum err log_fork_get(struct log_store *logs, struct store_txn *txn, uint32_t number,
                      uint32_t sequence, struct buffer *evidence)
{
    (void)logs;
    struct log_key key = log_key_fork(number, sequence);
    struct bytes value;
    enum err err = store_get(txn, LOG_FORKS, log_key_bytes(&key), &value);
    if (err != OK)
        return err;
    buffer_append_bytes(evidence, value);
    return evidence->err;
}
