/* Reading records: everything is checked before it is served. */
#include "storage/log_private.h"

#include <string.h>

/* ---- batches --------------------------------------------------------------------------------- */

uint64_t log_batch_end(const struct log_batch *batch)
{
    return batch->first + batch->view.count;
}

enum err log_batch_of(struct bytes key, struct bytes value, uint32_t number,
                      struct log_batch *batch)
{
    if (!log_key_is_position(key, number, &batch->first))
        return ERR_END;
    batch->value = value;
    return batch_open(&batch->view, value);
}

enum err log_batch_before(struct store_cursor *cursor, uint32_t number, uint64_t position,
                          struct log_batch *batch)
{
    struct log_key key_before = log_key_position(number, position);
    struct bytes key, value;
    enum err err = store_cursor_seek_before(cursor, log_key_bytes(&key_before), &key, &value);
    if (err == OK)
        err = log_batch_of(key, value, number, batch);
    return err == ERR_END ? ERR_NOT_FOUND : err;
}

enum err log_batch_seek(struct store_cursor *cursor, uint32_t number, uint64_t position,
                        struct log_batch *batch)
{
    if (position == UINT64_MAX)
        return ERR_NOT_FOUND;
    enum err err = log_batch_before(cursor, number, position + 1, batch);
    if (err == OK && position >= log_batch_end(batch))
        err = ERR_NOT_FOUND;
    return err;
}

enum err log_batch_next(struct store_cursor *cursor, uint32_t number, struct log_batch *batch)
{
    struct bytes key, value;
    uint64_t expected = log_batch_end(batch);
    enum err err = store_cursor_next(cursor, &key, &value);
    if (err == OK)
        err = log_batch_of(key, value, number, batch);
    return err == OK && batch->first != expected ? ERR_CORRUPT : err;
}

/* ---- one record ------------------------------------------------------------------------------ */

static bool part_matches(struct bytes part, const struct hash *commitment)
{
    struct hash hash;
    if (part.size < SALT_SIZE)
        return false;
    record_commit(&hash, part);
    return hash_equal(&hash, commitment);
}

static bool person_is_possible(const struct record *sealed, const struct record_header *header)
{
    if (!header->has_person)
        return sealed->person.size == 0 && !sealed->person_absent;
    return sealed->person_absent || sealed->person.size >= SALT_SIZE + SEAL_OVERHEAD;
}

enum err log_record_check(const struct log_store *logs, const struct log_id *id, uint64_t position,
                          const struct record *sealed, const struct hash *leaf, uint8_t *person,
                          struct record *open, struct record_header *header)
{
    struct hash hash;
    merkle_leaf_hash(&hash, sealed->header);
    if (!hash_equal(&hash, leaf))
        return ERR_CORRUPT;
    enum err err = record_header_decode(header, sealed->header);
    if (err != OK)
        return err == ERR_VERSION || err == ERR_NOMEM ? err : ERR_CORRUPT;
    if (header->position != position || !log_id_equal(&header->log, id) ||
        !person_is_possible(sealed, header) || !part_matches(sealed->facts, &header->facts))
        return ERR_CORRUPT;
    open->header = sealed->header;
    open->facts = sealed->facts;
    open->person = BYTES_NONE;
    open->person_absent = sealed->person_absent;
    if (!person || sealed->person.size == 0)
        return OK;
    err = seal_open(&logs->data_key, leaf, sealed->person, person);
    if (err != OK)
        return err;
    open->person = bytes_of(person, sealed->person.size - SEAL_OVERHEAD);
    return part_matches(open->person, &header->person) ? OK : ERR_CORRUPT;
}

/* ---- one batch ------------------------------------------------------------------------------- */

/* Batches of a log that was handed back have none. */
enum err log_note_check(const struct log_id *id, struct bytes note,
                        const struct merkle_frontier *after, const struct sign_public *key)
{
    struct checkpoint checkpoint;
    struct hash root;
    if (note.size == 0)
        return OK;
    enum err err = key ? checkpoint_open(&checkpoint, note, key)
                       : checkpoint_parse(&checkpoint, note);
    if (err != OK)
        return err == ERR_NOMEM ? err : ERR_CORRUPT;
    merkle_frontier_root(after, &root);
    return checkpoint.size == after->size && log_id_equal(&checkpoint.log, id) &&
                   hash_equal(&checkpoint.root, &root)
               ? OK
               : ERR_CORRUPT;
}

enum err log_batch_check(const struct log_store *logs, const struct log_id *id,
                         const struct log_batch *batch, const struct merkle_frontier *before,
                         const struct sign_public *key, struct buffer *person)
{
    struct merkle_frontier at = { 0 }, after;
    struct record sealed, open;
    struct record_header header;
    struct hash leaf;
    enum err err = OK;
    struct batch_walk walk = batch_walk(&batch->view);
    if (before)
        at = *before;
    while (err == OK && batch_next(&walk, &sealed, &leaf) == OK) {
        buffer_clear(person);
        uint8_t *room = buffer_reserve(person, sealed.person.size + 1);
        if (!room)
            return ERR_NOMEM;
        err = log_record_check(logs, id, batch->first + walk.index - 1, &sealed, &leaf, room,
                               &open, &header);
        if (err == ERR_VERSION)
            err = OK; /* of a newer program: the leaf hash is all that can be checked */
        if (before)
            merkle_frontier_append(&at, &leaf, NULL, NULL);
    }
    if (err == OK)
        err = batch_frontier(&batch->view, log_batch_end(batch), &after);
    if (err == OK && before && !merkle_frontier_equal(&at, &after))
        err = ERR_CORRUPT;
    return err == OK ? log_note_check(id, batch->view.note, &after, key) : err;
}

/* ---- one record, for a caller ---------------------------------------------------------------- */

/* Header and facts go into a buffer that the caller keeps; the person part stays where it is.
 * Gives the room behind them, as large as the sealed person part. */
static uint8_t *record_copy_out(struct buffer *scratch, const struct record *sealed,
                                struct record *copy)
{
    size_t plain_size = sealed->header.size + sealed->facts.size;
    buffer_clear(scratch);
    uint8_t *room = buffer_reserve(scratch, plain_size + sealed->person.size);
    if (!room)
        return NULL;
    memcpy(room, sealed->header.data, sealed->header.size);
    memcpy(room + sealed->header.size, sealed->facts.data, sealed->facts.size);
    *copy = *sealed;
    copy->header.data = room;
    copy->facts.data = room + sealed->header.size;
    scratch->size = plain_size + sealed->person.size;
    return room + plain_size;
}

enum err log_read(struct log_store *logs, struct store_txn *txn, uint32_t number, uint64_t position,
                  struct buffer *scratch, struct record *record, struct record_header *header,
                  struct hash *leaf)
{
    struct log_row row;
    struct log_batch batch;
    struct record sealed, copy;
    enum err err = log_row_get(txn, number, &row);
    if (err != OK)
        return err;
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    err = log_batch_seek(&cursor, number, position, &batch);
    store_cursor_close(&cursor);
    if (err == OK)
        err = batch_record(&batch.view, (uint32_t)(position - batch.first), &sealed, leaf);
    if (err != OK)
        return err;
    uint8_t *person = record_copy_out(scratch, &sealed, &copy);
    if (!person)
        return scratch->err;
    return log_record_check(logs, &row.id, position, &copy, leaf, person, record, header);
}

/* ---- a run of records ------------------------------------------------------------------------ */

struct scan {
    struct log_store *logs;
    struct log_id id;
    uint64_t position, end;
    bool with_person;
    struct buffer person;
    log_on_record *on_record;
    void *context;
};

static uint8_t *scan_room(struct scan *scan, size_t size)
{
    buffer_clear(&scan->person);
    return buffer_reserve(&scan->person, size);
}

static enum err scan_batch(struct scan *scan, const struct log_batch *batch)
{
    struct record sealed, record;
    struct record_header header;
    struct hash leaf;
    struct batch_walk walk = batch_walk(&batch->view);
    batch_skip(&walk, (uint32_t)(scan->position - batch->first));
    while (scan->position < scan->end && batch_next(&walk, &sealed, &leaf) == OK) {
        uint8_t *person = NULL;
        if (scan->with_person && sealed.person.size > 0) {
            person = scan_room(scan, sealed.person.size);
            if (!person)
                return ERR_NOMEM;
        }
        enum err err = log_record_check(scan->logs, &scan->id, scan->position, &sealed, &leaf,
                                        person, &record, &header);
        if (err == OK)
            err = scan->on_record(scan->context, scan->position, &record, &header, &leaf);
        if (err != OK)
            return err;
        scan->position++;
    }
    return OK;
}

enum err log_scan(struct log_store *logs, struct store_txn *txn, uint32_t number, uint64_t first,
                  uint64_t count, bool with_person, log_on_record *on_record, void *context)
{
    struct log_row row;
    struct log_batch batch;
    enum err err = log_row_get(txn, number, &row);
    if (err != OK || count == 0)
        return err;
    struct scan scan = {
        .logs = logs,
        .id = row.id,
        .position = first,
        .end = count > UINT64_MAX - first ? UINT64_MAX : first + count,
        .with_person = with_person,
        .on_record = on_record,
        .context = context,
    };
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    err = log_batch_seek(&cursor, number, first, &batch);
    if (err == ERR_NOT_FOUND)
        err = ERR_END; /* nothing there: not an error */
    while (err == OK) {
        err = scan_batch(&scan, &batch);
        if (err != OK || scan.position == scan.end)
            break;
        err = log_batch_next(&cursor, number, &batch);
        if (err == ERR_END)
            break;
    }
    store_cursor_close(&cursor);
    buffer_close(&scan.person);
    return err == ERR_END ? OK : err;
}

/* ---- erasing --------------------------------------------------------------------------------- */

enum err log_erase_person(struct log_store *logs, struct store_txn *txn, uint32_t number,
                          uint64_t position)
{
    struct log_batch batch;
    struct log_row row;
    struct buffer value = { 0 };
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    enum err err = log_batch_seek(&cursor, number, position, &batch);
    store_cursor_close(&cursor);
    if (err != OK)
        return err;
    err =
        batch_without_person(&batch.view, batch.value, (uint32_t)(position - batch.first), &value);
    if (err == OK) {
        struct log_key key = log_key_position(number, batch.first);
        store_put(txn, LOG_BATCHES, log_key_bytes(&key), buffer_bytes(&value));
        err = txn->err != OK ? txn->err : log_row_get(txn, number, &row);
        struct journal_entry *changes = err == OK ? log_changes_of(logs, &row) : NULL;
        if (changes)
            journal_entry_erase(changes, &row.id, position);
    }
    buffer_close(&value);
    return err == ERR_NOT_FOUND ? OK : err;
}
