/* The small tables beside the records: accepted notes, receipts, forks, erasures, withheld parts. What
 * is in them is checked against the records, and each table is gone through from one end to the
 * other, so that a damaged key stands out where a search would pass by it. */
#include "storage/verify_private.h"

#include <string.h>

/* ---- erasures and missing person parts, of one batch ------------------------------------------- */

static enum err has_key(struct store_txn *txn, unsigned table, struct log_key key, bool *has)
{
    struct bytes value;
    enum err err = store_get(txn, table, log_key_bytes(&key), &value);
    *has = err == OK && value.size == 0;
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err verify_absent(struct verify_log *log, uint64_t position)
{
    bool erased, withheld = false;
    enum err err = has_key(log->txn, LOG_ERASURES, log_key_erasure(&log->row.id, position), &erased);
    if (err == OK && !erased)
        err = has_key(log->txn, LOG_WITHHELD, log_key_position(log->number, position), &withheld);
    if (err == OK && !erased && !withheld)
        verify_fail(log->verify, log->number, VERIFY_ERASURE, position, 1);
    return err;
}

enum err verify_erase_record(struct verify_log *log, uint64_t position, struct bytes facts)
{
    struct erase_facts erase;
    bool listed;
    enum err err = erase_facts_decode(&erase, facts);
    if (err == ERR_NOMEM)
        return err;
    if (err != OK || strcmp(erase.log.node, log->row.id.node) != 0)
        return OK; /* as it was passed over when it came */
    err = has_key(log->txn, LOG_ERASURES, log_key_erasure(&erase.log, erase.position), &listed);
    if (err == OK && !listed)
        verify_fail(log->verify, log->number, VERIFY_ERASURE, position, 1);
    return err;
}

/* Every entry of the table that concerns this batch names a record without the person part. */
static enum err check_listed(struct verify_log *log, const struct log_batch *batch, unsigned table,
                             struct log_key from)
{
    struct store_cursor cursor = store_cursor_open(log->txn, table);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    while (err == OK && key.size == from.size &&
           memcmp(key.data, from.bytes, from.size - 8) == 0 &&
           get_u64(key.data + key.size - 8) < log_batch_end(batch)) {
        uint64_t position = get_u64(key.data + key.size - 8);
        struct record sealed;
        struct hash leaf;
        if (position < batch->first ||
            batch_record(&batch->view, (uint32_t)(position - batch->first), &sealed, &leaf) != OK ||
            sealed.person.size > 0 || (table == LOG_WITHHELD && !sealed.person_absent))
            verify_fail(log->verify, log->number, VERIFY_ERASURE, position, 1);
        err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? OK : err;
}

enum err verify_listed(struct verify_log *log, const struct log_batch *batch)
{
    enum err err = check_listed(log, batch, LOG_ERASURES,
                                log_key_erasure(&log->row.id, batch->first));
    return err == OK ? check_listed(log, batch, LOG_WITHHELD,
                                    log_key_position(log->number, batch->first))
                     : err;
}

/* ---- what belongs to one log ------------------------------------------------------------------- */

struct stretch {
    struct verify_log *log;
    unsigned table;
    uint64_t size;  /* records held */
    uint64_t count; /* entries met */
    bool newest_is_there; /* what the row of the log names */
};

static bool is_of_log(const struct stretch *stretch, struct bytes note, uint64_t size)
{
    struct checkpoint checkpoint;
    return checkpoint_parse(&checkpoint, note) == OK && checkpoint.size == size &&
           log_id_equal(&checkpoint.log, &stretch->log->row.id);
}

/* Up to what is held verify_batch compares roots; of what is not there is only the note itself. */
static bool note_is_good(struct stretch *stretch, struct bytes key, struct bytes note)
{
    uint64_t size;
    if (!log_key_is_position(key, stretch->log->number, &size))
        return false;
    stretch->newest_is_there |= size == stretch->log->row.pending_size;
    return size <= stretch->size || is_of_log(stretch, note, size);
}

/* The cosigner's line names the hub that the key names. */
static bool receipt_is_good(struct stretch *stretch, struct bytes key, struct bytes value)
{
    struct bytes hub = bytes_of(key.data + 4, key.size - 4);
    char name[NODE_NAME_SIZE_MAX + 1] = "", line[NOTE_NAME_SIZE_MAX + 8] = " ";
    if (!node_name_is_valid(hub) || value.size <= 8)
        return false;
    memcpy(name, hub.data, hub.size);
    receipt_key_name(line + 1, name);
    strcat(line, " ");
    uint64_t size = get_u64(value.data);
    bool own = strcmp(name, log_store_node(stretch->log->verify->logs)) == 0;
    stretch->newest_is_there |= own && size == stretch->log->row.cosigned_size;
    struct bytes note = bytes_of(value.data + 8, value.size - 8);
    bool cosigned = memmem(note.data, note.size, "/receipt ", 9) != NULL;
    return is_of_log(stretch, note, size) &&
           (!cosigned || memmem(note.data, note.size, line, strlen(line)) != NULL);
}

static bool entry_is_good(struct stretch *stretch, struct bytes key, struct bytes value)
{
    uint64_t position;
    switch (stretch->table) {
    case LOG_NOTES:
        return note_is_good(stretch, key, value);
    case LOG_RECEIPTS:
        return receipt_is_good(stretch, key, value);
    case LOG_WITHHELD:
        return log_key_is_position(key, stretch->log->number, &position) && value.size == 0 &&
               position < stretch->size;
    default: /* LOG_FORKS */
        return key.size == 8 && get_u32(key.data + 4) == stretch->count;
    }
}

/* An entry behind this log's must be of a later one. */
static bool neighbour_is_good(const struct verify_log *log, struct bytes key)
{
    return key.size > 4 && get_u32(key.data) > log->number &&
           get_u32(key.data) < log_count(log->verify->logs, log->txn);
}

static enum err check_stretch(struct stretch *stretch)
{
    struct verify_log *log = stretch->log;
    struct log_key number = log_key_number(log->number);
    struct store_cursor cursor = store_cursor_open(log->txn, stretch->table);
    struct bytes key, value, last = BYTES_NONE;
    enum err err = store_cursor_seek(
        &cursor, log->number == 0 ? BYTES_NONE : log_key_bytes(&number), &key, &value);
    while (err == OK && key.size >= 4 && get_u32(key.data) == log->number) {
        if ((last.data && bytes_compare(last, key) >= 0) || !entry_is_good(stretch, key, value) ||
            !store_leads_to(log->txn, stretch->table, key, value))
            verify_fail(log->verify, log->number, VERIFY_ENTRY, stretch->count, 0);
        stretch->count++;
        last = key;
        err = store_cursor_next(&cursor, &key, &value);
    }
    if (err == OK && !neighbour_is_good(log, key))
        verify_fail(log->verify, log->number, VERIFY_ENTRY, stretch->count, 0);
    store_cursor_close(&cursor);
    return err == ERR_END ? OK : err;
}

enum err verify_entries(struct verify_log *log, uint64_t size)
{
    static const unsigned tables[] = { LOG_NOTES, LOG_RECEIPTS, LOG_WITHHELD, LOG_FORKS };
    const struct log_row *row = &log->row;
    enum err err = OK;
    for (size_t i = 0; i < sizeof tables / sizeof *tables && err == OK; i++) {
        struct stretch stretch = { .log = log, .table = tables[i], .size = size };
        err = check_stretch(&stretch);
        bool note_lost = tables[i] == LOG_NOTES && row->pending_size > 0;
        bool receipt_lost = tables[i] == LOG_RECEIPTS && row->cosigned_size > 0;
        if ((note_lost || receipt_lost) && !stretch.newest_is_there)
            verify_fail(log->verify, log->number, VERIFY_NOTE,
                        note_lost ? row->pending_size : row->cosigned_size, 0);
        if (tables[i] == LOG_FORKS && stretch.count != row->fork_count)
            verify_fail(log->verify, log->number, VERIFY_ENTRY, row->fork_count, 0);
    }
    return err;
}

/* ---- what belongs to all of them ---------------------------------------------------------------- */

/* The log number told is that of the log erased in, as far as it is known. */
static uint32_t erased_log(struct verify *verify, struct store_txn *txn, struct bytes key)
{
    struct log_id id;
    uint32_t number = 0;
    if (key.size > 9 && log_id_from_origin(&id, bytes_of(key.data, key.size - 9)) == OK &&
        log_find(verify->logs, txn, &id, &number) != OK)
        number = 0;
    return number;
}

enum err verify_whole_tables(struct verify *verify, struct store_txn *txn)
{
    struct store_cursor cursor = store_cursor_open(txn, LOG_ERASURES);
    struct bytes key, value, last = BYTES_NONE;
    enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
    while (err == OK) {
        if (!log_erasure_is_formed(key, value) || (last.data && bytes_compare(last, key) >= 0) ||
            !store_leads_to(txn, LOG_ERASURES, key, value))
            verify_fail(verify, erased_log(verify, txn, key), VERIFY_ERASURE,
                        key.size > 8 ? get_u64(key.data + key.size - 8) : 0, 0);
        last = key;
        err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    if (err == ERR_END && store_count(txn, LOG_NAMES) != log_count(verify->logs, txn))
        verify_fail(verify, 0, VERIFY_STATE, 0, 0);
    return err == ERR_END ? OK : err;
}
