#include "tests/unit/storage/restore_pair.h"

#include "storage/erase.h"
#include "storage/verify.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

void pair_open_log(struct pair *pair)
{
    cr_assert_eq(log_store_open(&pair->logs, &pair->log_options), OK);
}

void pair_open_journal(struct pair *pair)
{
    cr_assert_eq(journal_open(&pair->journal, &pair->journal_options, &pair->opened), OK);
}

void pair_close(struct pair *pair)
{
    log_store_close(pair->logs);
    journal_close(pair->journal);
    pair->logs = NULL;
    pair->journal = NULL;
}

void pair_restart(struct pair *pair)
{
    struct restore_keys keys = { .own = &pair->key.public };
    enum err journal_err;
    pair_close(pair);
    pair_open_log(pair);
    pair_open_journal(pair);
    cr_assert_eq(restore_run(pair->logs, pair->journal, &keys,
                             journal_is_damaged(&pair->opened) || pair->opened.persons_damaged > 0,
                             &pair->report, &journal_err),
                 OK);
    cr_assert_eq(journal_err, OK);
}

void pair_begin(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    folder_make(pair->folder);
    folder_path(pair->log_path, pair->folder, "log");
    folder_path(pair->journal_path, pair->folder, "journal");
    pair->log_options = (struct log_store_options){
        .path = pair->log_path, .node = "ardabil", .map_size = 8 << 20, .create = true
    };
    pair->log_options.data_key.bytes[0] = 9;
    pair->journal_options = (struct journal_options){ .path = pair->journal_path,
                                                      .node = "ardabil",
                                                      .segment_size = JOURNAL_SEGMENT_SIZE_MIN,
                                                      .keep_size = UINT64_MAX };
    pair->key = sample_key(3);
    pair->id = sample_log("ardabil", "hub", 1);
    pair_open_log(pair);
    pair_open_journal(pair);
}

void pair_end(struct pair *pair)
{
    pair_close(pair);
    journal_entry_close(&pair->entry);
    folder_remove(pair->folder);
}

/* ---- transactions as the engine makes them ---------------------------------------------------- */

struct store_txn pair_txn(struct pair *pair)
{
    journal_entry_clear(&pair->entry);
    log_store_note_changes(pair->logs, &pair->entry);
    return store_begin_write(log_store_environment(pair->logs));
}

void pair_commit(struct pair *pair, struct store_txn *txn, enum which which)
{
    log_store_note_changes(pair->logs, NULL);
    cr_assert_eq(txn->err, OK);
    if (which != LOG_ONLY && pair->entry.count > 0) {
        cr_assert_eq(journal_make_room(pair->journal, journal_entry_size(&pair->entry)), OK);
        cr_assert_eq(journal_append(pair->journal, &pair->entry), OK);
    }
    if (which == JOURNAL_ONLY)
        store_abort(txn);
    else
        cr_assert_eq(store_commit(txn), OK);
    for (size_t i = 0; which == BOTH && i < pair->entry.erase_count; i++)
        cr_assert_eq(journal_erase(pair->journal, &pair->entry.erases[i].log,
                                   pair->entry.erases[i].position),
                     OK);
}

uint32_t number_of(struct pair *pair, struct store_txn *txn, const struct log_id *id)
{
    uint32_t number;
    enum err err = log_find(pair->logs, txn, id, &number);
    if (err == ERR_NOT_FOUND)
        err = log_create(pair->logs, txn, id, &number);
    cr_assert_eq(err, OK);
    return number;
}

void append_to(struct pair *pair, const struct log_id *id, uint32_t count, enum which which)
{
    struct merkle_frontier frontier;
    struct batch_builder batch;
    struct buffer note = { 0 };
    struct store_txn txn = pair_txn(pair);
    uint32_t number = number_of(pair, &txn, id);
    cr_assert_eq(log_frontier(pair->logs, &txn, number, &frontier), OK);
    batch_begin(&batch, &frontier);
    sample_batch(&batch, id, 7, count, 80, log_store_data_key(pair->logs));
    sample_note(&note, id, &batch.frontier, &pair->key);
    cr_assert_eq(log_append(pair->logs, &txn, number, &batch, buffer_bytes(&note)), OK);
    pair_commit(pair, &txn, which);
    buffer_close(&note);
    batch_close(&batch);
}

void pair_append(struct pair *pair, uint32_t count)
{
    append_to(pair, &pair->id, count, BOTH);
}

void pair_erase(struct pair *pair, uint64_t position, enum which which)
{
    struct merkle_frontier frontier;
    struct batch_builder batch;
    struct buffer note = { 0 }, part = { 0 };
    struct sample sample;
    struct erase_facts facts = { .occurred_at_ms = 1,
                                 .log = pair->id,
                                 .position = position,
                                 .reason = bytes_of_string("asked") };
    struct store_txn txn = pair_txn(pair);
    uint32_t number = number_of(pair, &txn, &pair->id);
    cr_assert_eq(log_frontier(pair->logs, &txn, number, &frontier), OK);
    cr_assert_eq(erase_facts_encode(&part, &facts), OK);
    sample_record(&sample, &pair->id, frontier.size, 7, RECORD_ERASE, buffer_bytes(&part),
                  BYTES_NONE);
    batch_begin(&batch, &frontier);
    batch_add(&batch, &sample.record, &sample.leaf, log_store_data_key(pair->logs));
    sample_note(&note, &pair->id, &batch.frontier, &pair->key);
    cr_assert_eq(log_append(pair->logs, &txn, number, &batch, buffer_bytes(&note)), OK);
    cr_assert_eq(erase_on_record(pair->logs, &txn, &sample.header, buffer_bytes(&part)), OK);
    pair_commit(pair, &txn, which);
    sample_close(&sample);
    buffer_close(&note);
    buffer_close(&part);
    batch_close(&batch);
}

void pair_receipt(struct pair *pair, const char *hub, uint64_t size)
{
    struct store_txn txn = pair_txn(pair);
    struct checkpoint checkpoint = { .log = pair->id, .size = size };
    struct log_source source = { .logs = pair->logs, .txn = &txn,
                                 .number = number_of(pair, &txn, &pair->id) };
    struct merkle_source tree = log_merkle_source(&source);
    struct buffer note = { 0 };
    cr_assert_eq(merkle_root(&tree, size, &checkpoint.root), OK);
    checkpoint_sign(&note, &checkpoint, &pair->key);
    cr_assert_eq(log_receipt_put(pair->logs, &txn, source.number, hub, size, buffer_bytes(&note)),
                 OK);
    pair_commit(pair, &txn, BOTH);
    buffer_close(&note);
}

void pair_fill(struct pair *pair)
{
    struct log_id second = sample_log("ardabil", "hub", 2);
    for (uint32_t count = 1; count <= 40; count++)
        pair_append(pair, count);
    append_to(pair, &second, 5, BOTH);
    pair_erase(pair, 333, BOTH);
    pair_append(pair, 3);
    pair_receipt(pair, "hub-1", 4);
    pair_receipt(pair, "hub-2", 9);
}

/* ---- looking ---------------------------------------------------------------------------------- */

struct hash content(struct pair *pair)
{
    struct hash hash;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, HASH_SIZE);
    struct store_txn txn = store_begin_read(log_store_environment(pair->logs));
    for (unsigned table = LOG_LOGS; table < LOG_TABLE_COUNT; table++) {
        struct store_cursor cursor = store_cursor_open(&txn, table);
        struct bytes key, value;
        enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
        for (; err == OK; err = store_cursor_next(&cursor, &key, &value)) {
            crypto_generichash_update(&state, key.data, key.size);
            crypto_generichash_update(&state, value.data, value.size);
        }
        store_cursor_close(&cursor);
    }
    store_abort(&txn);
    crypto_generichash_final(&state, hash.bytes, HASH_SIZE);
    return hash;
}

static bool own_key(void *context, const struct log_id *id, struct sign_public *key)
{
    (void)id;
    *key = ((struct pair *)context)->key.public;
    return true;
}

void assert_sound(struct pair *pair)
{
    struct verify verify;
    struct store_txn txn = store_begin_read(log_store_environment(pair->logs));
    cr_assert_eq(verify_open(&verify, pair->logs, own_key, pair), OK);
    cr_assert_eq(verify_step(&verify, &txn, SIZE_MAX / 2), ERR_END);
    cr_assert_eq(verify.report.failures, 0);
    verify_close(&verify);
    store_abort(&txn);
}

void assert_content(struct pair *pair, const struct hash *wanted)
{
    struct hash now = content(pair);
    cr_assert(hash_equal(&now, wanted));
    assert_sound(pair);
}

void remove_log(struct pair *pair)
{
    pair_close(pair);
    folder_remove(pair->log_path);
}

void segment_bytes(struct pair *pair, const char *mode, uint8_t *bytes, size_t size)
{
    char path[FOLDER_PATH_SIZE];
    folder_path(path, pair->journal_path, "segment-00000001");
    FILE *file = fopen(path, mode);
    cr_assert(file);
    size_t done = mode[0] == 'r' ? fread(bytes, 1, size, file) : fwrite(bytes, 1, size, file);
    cr_assert_eq(done, size);
    fclose(file);
}

void pair_note(struct pair *pair, const struct log_id *id)
{
    struct store_txn txn = pair_txn(pair);
    uint32_t number = number_of(pair, &txn, id);
    struct checkpoint checkpoint = { .log = *id };
    struct merkle_frontier frontier;
    struct buffer note = { 0 };
    cr_assert_eq(log_frontier(pair->logs, &txn, number, &frontier), OK);
    checkpoint.size = frontier.size;
    merkle_frontier_root(&frontier, &checkpoint.root);
    checkpoint_sign(&note, &checkpoint, &pair->key);
    cr_assert_eq(log_pending_advance(pair->logs, &txn, number, 0, &checkpoint, buffer_bytes(&note)),
                 OK);
    pair_commit(pair, &txn, BOTH);
    buffer_close(&note);
}
