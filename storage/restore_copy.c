/* From log/ into the journal. After an error of the journal nothing further goes there. */
#include "storage/restore_private.h"

#include <string.h>

#define COPY_ENTRY_SIZE ((size_t)1 << 20)

void restore_flush(struct restore *restore)
{
    struct journal_entry *entry = &restore->entry;
    if (entry->err != OK && restore->journal_err == OK)
        restore->journal_err = entry->err;
    if (restore->journal_err == OK && entry->count > 0)
        restore->journal_err = journal_make_room(restore->journal, journal_entry_size(entry));
    if (restore->journal_err == OK && entry->count > 0)
        restore->journal_err = journal_append(restore->journal, entry);
    journal_entry_clear(entry);
}

void restore_copy_batch(struct restore *restore, const struct log_id *id,
                        const struct log_batch *batch)
{
    journal_entry_batch(&restore->entry, id, batch->first, batch->value);
    restore->report->copied++;
    if (journal_entry_size(&restore->entry) >= COPY_ENTRY_SIZE)
        restore_flush(restore);
}

/* ---- notes and receipts ----------------------------------------------------------------------- */

static bool journal_has_note(const struct restore *restore, const struct log_id *id, uint64_t size)
{
    const struct journal_log *log = journal_log_find(restore->journal, id);
    for (size_t i = 0; log && i < log->note_count; i++)
        if (log->notes[i].size == size)
            return true;
    return log && size <= log->base;
}

static bool journal_has_receipt(const struct restore *restore, const struct log_id *id,
                                struct bytes hub, uint64_t size)
{
    const struct journal_log *log = journal_log_find(restore->journal, id);
    for (size_t i = 0; log && i < log->receipt_count; i++)
        if (bytes_equal(hub, bytes_of_string(log->receipts[i].hub)))
            return log->receipts[i].size >= size;
    return false;
}

static void copy_receipt(struct restore *restore, const struct log_id *id, struct bytes hub,
                         struct bytes value, bool all)
{
    char name[NODE_NAME_SIZE_MAX + 1] = "";
    if (!node_name_is_valid(hub) || value.size <= 8 || value.size > 8 + NOTE_SIZE_MAX)
        return; /* damaged: the hub has it */
    uint64_t size = get_u64(value.data);
    if (!all && journal_has_receipt(restore, id, hub, size))
        return;
    memcpy(name, hub.data, hub.size);
    journal_entry_receipt(&restore->entry, id, name, size,
                          bytes_of(value.data + 8, value.size - 8));
}

static enum err copy_table(struct restore *restore, uint32_t number, const struct log_id *id,
                           bool receipts, bool all)
{
    struct log_key from = log_key_number(number);
    struct store_cursor cursor =
        store_cursor_open(&restore->txn, receipts ? LOG_RECEIPTS : LOG_NOTES);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    while (err == OK && key.size > 4 && get_u32(key.data) == number) {
        uint64_t size = key.size == 12 ? get_u64(key.data + 4) : 0;
        if (receipts)
            copy_receipt(restore, id, bytes_of(key.data + 4, key.size - 4), value, all);
        else if (value.size > 0 && (all || !journal_has_note(restore, id, size)))
            journal_entry_note(&restore->entry, id, size, value);
        err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? OK : err;
}

enum err restore_copy_notes(struct restore *restore, uint32_t number, const struct log_id *id,
                            bool all)
{
    enum err err = copy_table(restore, number, id, false, all);
    return err == OK ? copy_table(restore, number, id, true, all) : err;
}

/* ---- erasures --------------------------------------------------------------------------------- */

/* Every erasure that is known is done in the journal too: it may have been interrupted, or the
 * journal was lost when it came. */
enum err restore_erasures(struct restore *restore)
{
    struct store_cursor cursor = store_cursor_open(&restore->txn, LOG_ERASURES);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
    while (err == OK) {
        struct log_id id;
        if (key.size > 9 &&
            log_id_from_origin(&id, bytes_of(key.data, key.size - 9)) == OK &&
            strcmp(id.node, restore->logs->node) == 0 && restore->journal_err == OK)
            restore->journal_err =
                journal_erase(restore->journal, &id, get_u64(key.data + key.size - 8));
        err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? OK : err;
}
