#include "storage/restore_private.h"

#include "proto/base/bug.h"

#include <string.h>

#define TXN_SIZE      ((size_t)4 << 20)
#define TXN_MAP_ROOM  ((size_t)32 << 20)

/* ---- transactions ----------------------------------------------------------------------------- */

static enum err txn_begin(struct restore *restore)
{
    struct store *store = log_store_environment(restore->logs);
    enum err err = OK;
    if (store_needs_growth(store, TXN_MAP_ROOM))
        err = store_grow(store);
    store_extend(store); /* lack of room shows in a put */
    restore->txn = store_begin_write(store);
    restore->txn_size = 0;
    return err != OK ? err : restore->txn.err;
}

enum err restore_txn(struct restore *restore)
{
    if (restore->txn_size < TXN_SIZE)
        return restore->txn.err;
    enum err err = store_commit(&restore->txn);
    return err == OK ? txn_begin(restore) : err;
}

void restore_tell_loss(struct restore *restore, const struct log_id *log, uint64_t first,
                       uint64_t count, bool person)
{
    struct restore_report *report = restore->report;
    report->lost += count;
    if (report->loss_count < RESTORE_LOSS_MAX)
        report->losses[report->loss_count++] = (struct restore_loss){ *log, first, count, person };
}

static bool is_own(const struct restore *restore, const struct log_row *row)
{
    return !row->branch && strcmp(row->id.node, restore->logs->node) == 0;
}

/* ---- what log/ has, against the journal ------------------------------------------------------- */

enum err restore_batch_from(struct restore *restore, uint32_t number, uint64_t position,
                            struct log_batch *batch)
{
    struct log_key from = log_key_position(number, position);
    struct store_cursor cursor = store_cursor_open(&restore->txn, LOG_BATCHES);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    if (err == OK)
        err = log_batch_of(key, value, number, batch);
    store_cursor_close(&cursor);
    return restore->txn.err != OK ? restore->txn.err : err;
}

/* The copy in the journal that begins where `position` is and has `count` records (0: any). */
static const struct journal_place *place_at(const struct journal_log *log, uint64_t position,
                                            uint32_t count)
{
    const struct journal_place *place = log ? journal_place_of(log, position) : NULL;
    bool fits = place && place->first == position && (count == 0 || place->count == count);
    return fits ? place : NULL;
}

/* Replaces what stands at `position` by what the journal has, or tells the loss of everything up to
 * `next`. Gives the position to go on at. */
static enum err mend_hole(struct restore *restore, uint32_t number, const struct log_id *id,
                          uint64_t *position, uint64_t next)
{
    const struct journal_log *log = journal_log_find(restore->journal, id);
    const struct journal_place *place = place_at(log, *position, 0);
    enum err err =
        place ? restore_replace(restore, number, log, place) : ERR_CORRUPT;
    if (err == OK) {
        *position = place->first + place->count;
        return restore_txn(restore);
    }
    if (err != ERR_CORRUPT || restore->txn.err != OK)
        return err;
    restore->report->spoiled += place != NULL;
    uint64_t end = place && place->first + place->count < next ? place->first + place->count : next;
    restore_tell_loss(restore, id, *position, end - *position, false);
    *position = end;
    return OK;
}

/* Both have it. Equal bytes need no further look: the journal's were checked when it was opened. */
static enum err compare_batch(struct restore *restore, uint32_t number, const struct log_id *id,
                              const struct log_batch *batch, const struct journal_log *log,
                              const struct journal_place *place)
{
    struct journal_item item;
    uint64_t position = batch->first;
    enum err err = journal_read(restore->journal, log, place, &restore->scratch, &item);
    if (err != OK) { /* its own trouble; log/ is looked at alone */
        restore->journal_err = err;
        item.payload = BYTES_NONE;
    }
    if (bytes_equal(item.payload, batch->value))
        return OK;
    err = restore_check(restore, number, id, batch);
    return err == ERR_CORRUPT && restore->txn.err == OK
               ? mend_hole(restore, number, id, &position, log_batch_end(batch))
               : err;
}

/* Only log/ has it: the journal gets it when it is sound. */
static enum err copy_batch(struct restore *restore, uint32_t number, const struct log_id *id,
                           const struct log_batch *batch)
{
    enum err err = restore_check(restore, number, id, batch);
    if (err == OK)
        restore_copy_batch(restore, id, batch);
    if (err != ERR_CORRUPT || restore->txn.err != OK)
        return err;
    restore_tell_loss(restore, id, batch->first, batch->view.count, false);
    return OK;
}

static enum err reconcile_log(struct restore *restore, uint32_t number, const struct log_id *id,
                              bool remake)
{
    uint64_t position = 0;
    for (;;) {
        struct log_batch batch = { .first = position };
        enum err err = restore_batch_from(restore, number, position, &batch);
        if (err == ERR_END || restore->txn.err != OK)
            return err == ERR_END ? OK : err;
        const struct journal_log *log = journal_log_find(restore->journal, id);
        if (err == ERR_CORRUPT && batch.first == position) {
            struct log_batch next;
            enum err further = restore_batch_from(restore, number, position + 1, &next);
            err = mend_hole(restore, number, id, &position,
                            further == OK ? next.first : position + 1);
        } else if ((err == OK || err == ERR_CORRUPT) && batch.first > position) {
            err = mend_hole(restore, number, id, &position, batch.first);
        } else if (err == OK) {
            const struct journal_place *place = place_at(log, position, batch.view.count);
            position = log_batch_end(&batch);
            if (place && !remake)
                err = compare_batch(restore, number, id, &batch, log, place);
            else if (!log || position > log->base)
                err = copy_batch(restore, number, id, &batch);
        }
        if (err != OK)
            return err;
    }
}

static enum err reconcile(struct restore *restore, bool remake)
{
    uint32_t count = log_count(restore->logs, &restore->txn);
    enum err err = restore->txn.err;
    for (uint32_t number = 0; number < count && err == OK; number++) {
        struct log_row row;
        err = log_row_get(&restore->txn, number, &row);
        if (err != OK || !is_own(restore, &row))
            continue;
        err = reconcile_log(restore, number, &row.id, remake);
    }
    restore_flush(restore);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

static enum err copy_notes(struct restore *restore, bool all)
{
    uint32_t count = log_count(restore->logs, &restore->txn);
    enum err err = restore->txn.err;
    for (uint32_t number = 0; number < count && err == OK; number++) {
        struct log_row row;
        err = log_row_get(&restore->txn, number, &row);
        if (err == OK && is_own(restore, &row))
            err = restore_copy_notes(restore, number, &row.id, all);
    }
    restore_flush(restore);
    return err;
}

/* ---- what only the journal has ---------------------------------------------------------------- */

/* Accepted checkpoints come before the records they cover. */
static enum err put_notes(struct restore *restore, uint32_t number, const struct journal_log *log)
{
    struct log_state state;
    enum err err = log_state_get(restore->logs, &restore->txn, number, &state);
    for (size_t i = 0; i < log->note_count && err == OK && !state.frozen; i++) {
        struct checkpoint checkpoint;
        struct bytes note = buffer_bytes(&log->notes[i].note);
        if (log->notes[i].size <= state.pending_size ||
            checkpoint_open(&checkpoint, note, restore->keys.own) != OK ||
            checkpoint.size != log->notes[i].size || !log_id_equal(&checkpoint.log, &log->id))
            continue;
        err = log_pending_advance(restore->logs, &restore->txn, number, state.pending_size,
                                  &checkpoint, note);
        state.pending_size = checkpoint.size;
    }
    return err;
}

static enum err put_receipts(struct restore *restore, uint32_t number,
                             const struct journal_log *log, uint64_t held)
{
    enum err err = OK;
    for (size_t i = 0; i < log->receipt_count && err == OK; i++) {
        const struct journal_note *receipt = &log->receipts[i];
        if (receipt->size <= held)
            err = log_receipt_put(restore->logs, &restore->txn, number, receipt->hub,
                                  receipt->size, buffer_bytes(&receipt->note));
    }
    return err;
}

/* Puts back what follows the end of the log in log/. */
static enum err put_tail(struct restore *restore, const struct journal_log *log, uint32_t number)
{
    struct log_state state;
    uint64_t before = restore->report->records;
    enum err err = put_notes(restore, number, log);
    while (err == OK) {
        err = log_state_get(restore->logs, &restore->txn, number, &state);
        const struct journal_place *place =
            err == OK && !state.frozen ? journal_place_of(log, state.size) : NULL;
        if (!place)
            break;
        err = restore_append(restore, number, log, place);
        if (err == ERR_CORRUPT && restore->txn.err == OK) {
            restore->report->spoiled++;
            err = OK;
            break;
        }
        if (err == OK)
            err = restore_txn(restore);
    }
    if (restore->grown && restore->report->records > before)
        buffer_append(restore->grown, &log->id, sizeof log->id);
    if (err == OK && restore->grown)
        err = restore->grown->err;
    return err == OK ? put_receipts(restore, number, log, state.size) : err;
}

/* Also a log whose parents are not here: it stands in log/ without being folded until they are
 * (O1), as one that a hub hands back before them. What is in both places outlives the loss of
 * either. */
static enum err put_log(struct restore *restore, const struct journal_log *log)
{
    uint32_t number;
    enum err err = log_find(restore->logs, &restore->txn, &log->id, &number);
    if (err == OK)
        return put_tail(restore, log, number);
    if (err != ERR_NOT_FOUND || !place_at(log, 0, 0) || SAMAD_BUG(JOURNAL_NOT_PUT_BACK))
        return err == ERR_NOT_FOUND ? OK : err;
    err = log_create(restore->logs, &restore->txn, &log->id, &number);
    return err == OK ? put_tail(restore, log, number) : err;
}

static enum err put_back(struct restore *restore)
{
    enum err err = OK;
    for (size_t i = 0; i < journal_log_count(restore->journal) && err == OK; i++)
        err = put_log(restore, journal_log_at(restore->journal, i));
    return err;
}

/* ---- what waits, what is lost ----------------------------------------------------------------- */

static uint64_t log_held(struct restore *restore, const struct log_id *id)
{
    struct log_state state;
    uint32_t number;
    if (log_find(restore->logs, &restore->txn, id, &number) != OK ||
        log_state_get(restore->logs, &restore->txn, number, &state) != OK)
        return 0;
    return state.size;
}

/* Behind the end of what is held: records that are in the journal wait, what is missing between them
 * is lost, unless it was recycled: then the hubs have it. */
static void judge_rest(struct restore *restore, const struct journal_log *log)
{
    uint64_t at = log_held(restore, &log->id), next;
    for (;;) {
        const struct journal_place *place = journal_place_of(log, at);
        if (place) {
            restore->report->waiting += place->first + place->count - at;
            at = place->first + place->count;
            continue;
        }
        bool more = journal_place_after(log, at, &next);
        uint64_t given_up = more && next < log->base ? next : log->base;
        if (at < given_up) {
            restore->report->given_up += given_up - at;
            at = given_up;
        }
        if (!more)
            return;
        if (at < next)
            restore_tell_loss(restore, &log->id, at, next - at, false);
        at = next;
    }
}

/* In a remaking, what waits is taken along. */
static void copy_waiting(struct restore *restore, const struct journal_log *log, uint64_t held)
{
    for (size_t i = 0; i < log->place_count && restore->journal_err == OK; i++) {
        struct journal_item item;
        struct journal_place place = log->places[i];
        if (place.first + place.count <= held)
            continue;
        restore->journal_err =
            journal_read(restore->journal, log, &place, &restore->scratch, &item);
        if (restore->journal_err == OK)
            journal_entry_batch(&restore->entry, &log->id, place.first, item.payload);
    }
}

/* Every place is looked at before any is written, which moves them. */
static void copy_all_waiting(struct restore *restore)
{
    for (size_t i = 0; i < journal_log_count(restore->journal); i++) {
        const struct journal_log *log = journal_log_at(restore->journal, i);
        copy_waiting(restore, log, log_held(restore, &log->id));
    }
    restore_flush(restore);
}

/* ---- all of it -------------------------------------------------------------------------------- */

static struct restore restore_of(struct log_store *logs, struct journal *journal,
                                 const struct restore_keys *keys, struct restore_report *report)
{
    *report = (struct restore_report){ 0 };
    return (struct restore){ .logs = logs, .journal = journal, .keys = *keys, .report = report };
}

static enum err restore_end(struct restore *restore, enum err err)
{
    if (err == OK)
        err = restore->txn.changes > 0 ? store_commit(&restore->txn) : restore->txn.err;
    if (err != OK || restore->txn.handle)
        store_abort(&restore->txn);
    buffer_close(&restore->scratch);
    buffer_close(&restore->person);
    journal_entry_close(&restore->entry);
    return err;
}

static enum err restore_remake(struct restore *restore)
{
    if (restore->journal_err != OK)
        return OK;
    struct restore_report told = *restore->report; /* nothing is told twice */
    restore->journal_err = journal_remake_begin(restore->journal);
    if (restore->journal_err == OK)
        copy_all_waiting(restore);
    enum err err = restore->journal_err == OK ? reconcile(restore, true) : OK;
    if (err == OK)
        err = copy_notes(restore, true);
    told.copied = restore->report->copied;
    *restore->report = told;
    if (err == OK && restore->journal_err == OK)
        restore->journal_err = journal_remake_end(restore->journal);
    return err;
}

enum err restore_run(struct log_store *logs, struct journal *journal,
                     const struct restore_keys *keys, bool remake, struct restore_report *report,
                     enum err *journal_err)
{
    struct restore restore = restore_of(logs, journal, keys, report);
    enum err err = txn_begin(&restore);
    if (err == OK)
        err = restore_names(&restore);
    if (err == OK)
        err = restore_erasure_table(&restore);
    if (err == OK)
        err = reconcile(&restore, false);
    if (err == OK)
        err = put_back(&restore);
    if (err == OK)
        err = restore_tables(&restore);
    if (err == OK)
        err = copy_notes(&restore, false);
    for (size_t i = 0; i < journal_log_count(journal) && err == OK; i++)
        judge_rest(&restore, journal_log_at(journal, i));
    if (err == OK && (remake || report->spoiled > 0))
        err = restore_remake(&restore);
    if (err == OK)
        err = restore_erasures(&restore);
    *journal_err = restore.journal_err;
    return restore_end(&restore, err);
}

enum err restore_identities(struct log_store *logs, uint64_t *rows)
{
    struct restore_report report = { 0 };
    struct restore restore = { .logs = logs, .report = &report };
    restore.txn = store_begin_write(log_store_environment(logs));
    enum err err = restore.txn.err;
    if (err == OK)
        err = restore_names(&restore);
    err = restore_end(&restore, err);
    *rows = err == OK ? report.rows : 0;
    return err;
}

enum err restore_waiting(struct log_store *logs, struct journal *journal,
                         const struct restore_keys *keys, struct restore_report *report,
                         struct buffer *grown)
{
    struct restore restore = restore_of(logs, journal, keys, report);
    restore.grown = grown;
    struct journal_entry *changes = logs->changes;
    logs->changes = NULL; /* it is in the journal already */
    enum err err = txn_begin(&restore);
    if (err == OK)
        err = put_back(&restore);
    for (size_t i = 0; i < journal_log_count(journal) && err == OK; i++)
        judge_rest(&restore, journal_log_at(journal, i));
    err = restore_end(&restore, err);
    logs->changes = changes;
    return err;
}

bool restore_key_fits(struct journal *journal, const struct sign_public *key)
{
    struct buffer scratch = { 0 };
    bool fits = true;
    for (size_t i = journal_log_count(journal); i > 0; i--) {
        const struct journal_log *log = journal_log_at(journal, i - 1);
        struct journal_item item;
        struct batch_view view;
        struct checkpoint checkpoint;
        if (log->place_count == 0 ||
            journal_read(journal, log, &log->places[log->place_count - 1], &scratch, &item) != OK ||
            batch_open(&view, item.payload) != OK || view.note.size == 0)
            continue;
        fits = checkpoint_open(&checkpoint, view.note, key) != ERR_SIGNATURE;
        break;
    }
    buffer_close(&scratch);
    return fits;
}
