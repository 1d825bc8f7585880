#include "storage/verify_private.h"

#include <stdlib.h>
#include <string.h>

const char *verify_fault_name(enum verify_fault fault)
{
    static const char *const names[] = {
        [VERIFY_RECORD] = "record",   [VERIFY_PERSON] = "person",     [VERIFY_LEAF] = "leaf hash",
        [VERIFY_BATCH] = "batch",     [VERIFY_FRONTIER] = "frontier", [VERIFY_TREE] = "tree",
        [VERIFY_NOTE] = "checkpoint", [VERIFY_MISSING] = "missing",   [VERIFY_STATE] = "state",
        [VERIFY_ERASURE] = "erasure", [VERIFY_ENTRY] = "entry",
    };
    return fault >= VERIFY_RECORD && fault <= VERIFY_ENTRY ? names[fault] : "unknown";
}

enum err verify_open(struct verify *verify, struct log_store *logs, verify_key *key, void *context)
{
    memset(verify, 0, sizeof *verify);
    verify->logs = logs;
    verify->key = key;
    verify->context = context;
    verify->frontier_known = true;
    verify->leaves = calloc(BATCH_RECORD_MAX, sizeof *verify->leaves);
    return verify->leaves ? OK : ERR_NOMEM;
}

void verify_close(struct verify *verify)
{
    free(verify->report.list);
    free(verify->leaves);
    buffer_close(&verify->person);
    memset(verify, 0, sizeof *verify);
}

static bool list_has_room(struct verify_report *report)
{
    size_t count = report->list_count;
    if (count == VERIFY_FAILURE_MAX)
        return false;
    if (count > 0 && (count < 16 || (count & (count - 1)) != 0))
        return true; /* room for a power of two, at least 16 */
    size_t room = count == 0 ? 16 : 2 * count;
    struct verify_failure *list = realloc(report->list, room * sizeof *list);
    if (list)
        report->list = list;
    return list != NULL;
}

void verify_fail(struct verify *verify, uint32_t number, enum verify_fault fault, uint64_t position,
                 uint64_t count)
{
    struct verify_report *report = &verify->report;
    report->failures++;
    if (list_has_room(report))
        report->list[report->list_count++] = (struct verify_failure){
            .number = number, .fault = fault, .position = position, .count = count
        };
}

/* ---- one log --------------------------------------------------------------------------------- */

enum err verify_log_begin(struct verify *verify, struct store_txn *txn, uint32_t number,
                          struct verify_log *log)
{
    *log = (struct verify_log){ .verify = verify, .txn = txn, .number = number };
    enum err err = log_row_get(txn, number, &log->row);
    if (txn->err != OK || err == ERR_VERSION)
        return err;
    uint32_t found = 0;
    if (err == OK)
        err = log->row.branch ? log_branch(verify->logs, txn, &log->row.id, false, &found)
                              : log_find(verify->logs, txn, &log->row.id, &found);
    if (txn->err != OK)
        return txn->err;
    if (err == OK && found == number)
        return OK;
    verify_fail(verify, number, VERIFY_STATE, 0, 0);
    return ERR_CORRUPT;
}

static enum err check_missing(struct verify_log *log, uint64_t size)
{
    uint64_t covered = log->row.cosigned_size;
    struct log_key from = log_key_number(log->number);
    struct store_cursor cursor = store_cursor_open(log->txn, LOG_RECEIPTS);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    while (err == OK && key.size > 4 && get_u32(key.data) == log->number) {
        if (value.size > 8 && get_u64(value.data) > covered)
            covered = get_u64(value.data);
        err = store_cursor_next(&cursor, &key, &value);
    }
    store_cursor_close(&cursor);
    if (covered > size)
        verify_fail(log->verify, log->number, VERIFY_MISSING, size, covered - size);
    return err == ERR_END ? OK : err;
}

/* Where the log ends, the first batch of a later log must follow. A damaged key stands out of
 * order, and a search would pass by everything behind it in silence. */
static enum err neighbour_follows(struct log_store *logs, struct store_txn *txn, uint32_t log_number,
                                  uint64_t size, bool *follows)
{
    struct log_key end = log_key_position(log_number, size);
    struct store_cursor cursor = store_cursor_open(txn, LOG_BATCHES);
    struct bytes key, value;
    *follows = true;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&end), &key, &value);
    if (err == OK) {
        uint32_t number = key.size == 12 ? get_u32(key.data) : 0;
        *follows = number > log_number && number < log_count(logs, txn) &&
                   get_u64(key.data + 4) == 0;
    }
    store_cursor_close(&cursor);
    return err == ERR_END ? OK : err;
}

static enum err check_neighbour(struct verify_log *log, uint64_t size)
{
    bool follows;
    enum err err =
        neighbour_follows(log->verify->logs, log->txn, log->number, size, &follows);
    if (err == OK && !follows)
        verify_fail(log->verify, log->number, VERIFY_BATCH, size, 0);
    return err;
}

enum err verify_ends(struct log_store *logs, struct store_txn *txn)
{
    uint32_t count = log_count(logs, txn);
    for (uint32_t number = 0; number < count && txn->err == OK; number++) {
        struct log_state state;
        bool follows;
        if (log_state_get(logs, txn, number, &state) != OK)
            continue; /* nothing is read from it, and verification tells it */
        enum err err = neighbour_follows(logs, txn, number, state.size, &follows);
        if (err != OK || !follows || state.cosigned_size > state.size)
            return err != OK ? err : ERR_CORRUPT;
    }
    return txn->err;
}

enum err verify_log_end(struct verify_log *log, uint64_t size)
{
    enum err err = check_neighbour(log, size);
    if (err == OK)
        err = check_missing(log, size);
    return err == OK ? verify_entries(log, size) : err;
}

/* ---- the tail -------------------------------------------------------------------------------- */

/* Reads the last batch, and the frontier before it from the batch before that. */
static enum err tail_of(struct verify_log *log, struct log_batch *last,
                        struct merkle_frontier *frontier, bool *known)
{
    struct log_batch before;
    struct store_cursor cursor = store_cursor_open(log->txn, LOG_BATCHES);
    enum err err = log_batch_before(&cursor, log->number, UINT64_MAX, last);
    memset(frontier, 0, sizeof *frontier);
    *known = true;
    if (err == OK && last->first > 0) {
        *known = log_batch_before(&cursor, log->number, last->first, &before) == OK &&
                 log_batch_end(&before) == last->first &&
                 batch_frontier(&before.view, last->first, frontier) == OK;
        if (!*known && log->txn->err == OK)
            verify_fail(log->verify, log->number, VERIFY_BATCH, last->first, 0);
    }
    store_cursor_close(&cursor);
    return log->txn->err != OK ? log->txn->err : err;
}

static enum err verify_tail_of(struct verify_log *log)
{
    struct log_batch last;
    struct merkle_frontier frontier;
    bool known;
    enum err err = tail_of(log, &last, &frontier, &known);
    if (err == ERR_NOT_FOUND)
        return verify_log_end(log, 0);
    if (err == ERR_CORRUPT && log->txn->err == OK) {
        verify_fail(log->verify, log->number, VERIFY_BATCH, last.first, 0);
        return OK;
    }
    if (err == OK)
        err = verify_batch(log, &last, &frontier, known);
    return err == OK ? verify_log_end(log, log_batch_end(&last)) : err;
}

enum err verify_tail(struct verify *verify, struct store_txn *txn)
{
    enum err err = OK;
    uint32_t count = log_count(verify->logs, txn);
    for (uint32_t number = 0; err == OK && number < count; number++) {
        struct verify_log log;
        verify->report.logs++;
        err = verify_log_begin(verify, txn, number, &log);
        if (err == OK)
            err = verify_tail_of(&log);
        else if (err == ERR_CORRUPT && txn->err == OK)
            err = OK; /* told */
    }
    return txn->err != OK ? txn->err : err;
}

/* ---- everything ------------------------------------------------------------------------------ */

static void cursor_next_log(struct verify *verify)
{
    verify->number++;
    verify->position = 0;
    verify->frontier_known = true;
    memset(&verify->frontier, 0, sizeof verify->frontier);
    verify->report.logs++;
}

/* A search that leads back would do so again: what lies behind is told as a whole, whether some of it
 * could be read or not. ERR_END. */
static enum err tell_rest(struct verify_log *log)
{
    struct verify *verify = log->verify;
    uint64_t size = 0;
    enum err err = log_size(verify->logs, log->txn, log->number, &size);
    verify_fail(verify, log->number, VERIFY_BATCH, verify->position,
                size > verify->position ? size - verify->position : 0);
    return err == OK ? ERR_END : err;
}

/* The entry at or after the cursor. A batch that cannot be read is told and passed over. ERR_END
 * at the end of the log. */
static enum err next_batch(struct verify_log *log, struct log_batch *batch)
{
    struct verify *verify = log->verify;
    struct log_key from = log_key_position(log->number, verify->position);
    struct store_cursor cursor = store_cursor_open(log->txn, LOG_BATCHES);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, log_key_bytes(&from), &key, &value);
    if (err == OK)
        err = log_batch_of(key, value, log->number, batch);
    store_cursor_close(&cursor);
    if (err != OK && err != ERR_CORRUPT)
        return err;
    if (log->txn->err != OK)
        return log->txn->err;
    if (batch->first < verify->position)
        return tell_rest(log);
    if (batch->first != verify->position) {
        /* After an unreadable batch the missing ones are told from its beginning. */
        if (verify->frontier_known)
            verify_fail(verify, log->number, VERIFY_BATCH, verify->position,
                        batch->first - verify->position);
        verify->frontier_known = false;
    }
    if (err == ERR_CORRUPT) {
        verify_fail(verify, log->number, VERIFY_BATCH, batch->first, 0);
        verify->frontier_known = false;
        verify->position = batch->first + 1;
    }
    return err;
}

static enum err step_in_log(struct verify_log *log, uint64_t byte_end)
{
    struct verify *verify = log->verify;
    while (verify->report.bytes < byte_end) {
        struct log_batch batch;
        enum err err = next_batch(log, &batch);
        if (err == ERR_CORRUPT && log->txn->err == OK)
            continue;
        if (err != OK)
            return err;
        err = verify_batch(log, &batch, &verify->frontier, verify->frontier_known);
        if (err != OK)
            return err;
        verify->position = log_batch_end(&batch);
        verify->frontier_known = verify->frontier.size == verify->position;
    }
    return OK;
}

/* ERR_END when the log is done with. */
static enum err step_log(struct verify *verify, struct store_txn *txn, uint64_t byte_end)
{
    struct verify_log log;
    enum err err = verify_log_begin(verify, txn, verify->number, &log);
    if (err == ERR_CORRUPT && txn->err == OK)
        return ERR_END; /* told */
    if (err == OK)
        err = step_in_log(&log, byte_end);
    if (err != ERR_END || txn->err != OK)
        return err;
    err = verify_log_end(&log, verify->position);
    return err == OK ? ERR_END : err;
}

enum err verify_step(struct verify *verify, struct store_txn *txn, size_t byte_budget)
{
    uint64_t byte_end = verify->report.bytes + (byte_budget > 0 ? byte_budget : 1);
    uint32_t count = log_count(verify->logs, txn);
    while (txn->err == OK && verify->number < count) {
        enum err err = step_log(verify, txn, byte_end);
        if (txn->err != OK || err != ERR_END)
            return txn->err != OK ? txn->err : err;
        cursor_next_log(verify);
    }
    enum err err = txn->err == OK ? verify_whole_tables(verify, txn) : txn->err;
    return err == OK ? ERR_END : err;
}

/* ---- the cursor as bytes --------------------------------------------------------------------- */

#define SAVED_FORMAT 1

void verify_save(const struct verify *verify, struct buffer *out)
{
    const struct verify_report *report = &verify->report;
    unsigned roots = verify->frontier_known ? merkle_frontier_count(verify->frontier.size) : 0;
    buffer_append_u8(out, SAVED_FORMAT);
    buffer_append_u8(out, verify->frontier_known);
    buffer_append_u32(out, verify->number);
    buffer_append_u64(out, verify->position);
    buffer_append(out, verify->frontier.roots, (size_t)roots * HASH_SIZE);
    buffer_append_u64(out, report->logs);
    buffer_append_u64(out, report->batches);
    buffer_append_u64(out, report->records);
    buffer_append_u64(out, report->bytes);
    buffer_append_u64(out, report->absent);
    buffer_append_u64(out, report->failures);
    buffer_append_u32(out, (uint32_t)report->list_count);
    for (size_t i = 0; i < report->list_count; i++) {
        buffer_append_u32(out, report->list[i].number);
        buffer_append_u8(out, (uint8_t)report->list[i].fault);
        buffer_append_u64(out, report->list[i].position);
        buffer_append_u64(out, report->list[i].count);
    }
}

static void load_list(struct verify *verify, struct reader *reader)
{
    uint32_t count = read_u32(reader);
    for (uint32_t i = 0; i < count && reader->err == OK; i++) {
        uint32_t number = read_u32(reader);
        enum verify_fault fault = (enum verify_fault)read_u8(reader);
        uint64_t position = read_u64(reader);
        uint64_t concerned = read_u64(reader);
        if (reader->err == OK)
            verify_fail(verify, number, fault, position, concerned);
    }
}

static void load_all(struct verify *verify, struct reader *reader)
{
    if (read_u8(reader) != SAVED_FORMAT)
        reader->err = ERR_MALFORMED;
    verify->frontier_known = read_u8(reader) == 1;
    verify->number = read_u32(reader);
    verify->position = read_u64(reader);
    if (verify->frontier_known) {
        verify->frontier.size = verify->position;
        read_into(reader, verify->frontier.roots,
                  HASH_SIZE * (size_t)merkle_frontier_count(verify->position));
    }
    verify->report.logs = read_u64(reader);
    verify->report.batches = read_u64(reader);
    verify->report.records = read_u64(reader);
    verify->report.bytes = read_u64(reader);
    verify->report.absent = read_u64(reader);
    uint64_t failures = read_u64(reader);
    load_list(verify, reader);
    verify->report.failures = failures;
}

enum err verify_load(struct verify *verify, struct bytes saved)
{
    struct reader reader = reader_of(saved);
    load_all(verify, &reader);
    if (reader.err == OK && reader.rest.size == 0)
        return OK;
    struct verify fresh = { .logs = verify->logs,
                            .key = verify->key,
                            .context = verify->context,
                            .frontier_known = true,
                            .leaves = verify->leaves,
                            .person = verify->person };
    free(verify->report.list);
    *verify = fresh;
    return ERR_MALFORMED;
}
