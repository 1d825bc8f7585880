/* log/ and the journal against each other: either may be lost, behind or damaged, and what was
 * acknowledged is there afterwards (I1, I11; rows 5 to 12 of the fault matrix). */
#include "storage/restore.h"

#include "storage/erase.h"
#include "storage/log_private.h"
#include "storage/verify.h"
#include "storage/waiting.h"
#include "tests/support/folder.h"
#include "tests/support/records.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    char folder[FOLDER_PATH_SIZE], log_path[FOLDER_PATH_SIZE], journal_path[FOLDER_PATH_SIZE];
    struct log_store_options log_options;
    struct journal_options journal_options;
    struct log_store *logs;
    struct journal *journal;
    struct journal_entry entry;
    struct journal_report opened;
    struct restore_report report;
    struct sign_key key;
    struct log_id id;
};

static void pair_open_log(struct pair *pair)
{
    cr_assert_eq(log_store_open(&pair->logs, &pair->log_options), OK);
}

static void pair_open_journal(struct pair *pair)
{
    cr_assert_eq(journal_open(&pair->journal, &pair->journal_options, &pair->opened), OK);
}

static void pair_close(struct pair *pair)
{
    log_store_close(pair->logs);
    journal_close(pair->journal);
    pair->logs = NULL;
    pair->journal = NULL;
}

/* As at a start of the node. */
static void pair_restart(struct pair *pair)
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

static void pair_begin(struct pair *pair)
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

static void pair_end(struct pair *pair)
{
    pair_close(pair);
    journal_entry_close(&pair->entry);
    folder_remove(pair->folder);
}

/* ---- transactions as the engine makes them ---------------------------------------------------- */

static struct store_txn pair_txn(struct pair *pair)
{
    journal_entry_clear(&pair->entry);
    log_store_note_changes(pair->logs, &pair->entry);
    return store_begin_write(log_store_environment(pair->logs));
}

enum which { BOTH, LOG_ONLY, JOURNAL_ONLY };

static void pair_commit(struct pair *pair, struct store_txn *txn, enum which which)
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

static uint32_t number_of(struct pair *pair, struct store_txn *txn, const struct log_id *id)
{
    uint32_t number;
    enum err err = log_find(pair->logs, txn, id, &number);
    if (err == ERR_NOT_FOUND)
        err = log_create(pair->logs, txn, id, &number);
    cr_assert_eq(err, OK);
    return number;
}

static void append_to(struct pair *pair, const struct log_id *id, uint32_t count, enum which which)
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

static void pair_append(struct pair *pair, uint32_t count)
{
    append_to(pair, &pair->id, count, BOTH);
}

/* An erase record, and its effect. */
static void pair_erase(struct pair *pair, uint64_t position, enum which which)
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

static void pair_receipt(struct pair *pair, const char *hub, uint64_t size)
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

/* Everything a node may have: batches of several sizes, a second incarnation, a receipt, an erasure. */
static void pair_fill(struct pair *pair)
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

/* Of every table but `meta`. */
static struct hash content(struct pair *pair)
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

static void assert_sound(struct pair *pair)
{
    struct verify verify;
    struct store_txn txn = store_begin_read(log_store_environment(pair->logs));
    cr_assert_eq(verify_open(&verify, pair->logs, own_key, pair), OK);
    cr_assert_eq(verify_step(&verify, &txn, SIZE_MAX / 2), ERR_END);
    cr_assert_eq(verify.report.failures, 0);
    verify_close(&verify);
    store_abort(&txn);
}

static void assert_content(struct pair *pair, const struct hash *wanted)
{
    struct hash now = content(pair);
    cr_assert(hash_equal(&now, wanted));
    assert_sound(pair);
}

static void remove_log(struct pair *pair)
{
    pair_close(pair);
    folder_remove(pair->log_path);
}

/* ---- one of them is gone ---------------------------------------------------------------------- */

Test(restore, log_deleted_is_made_again_from_the_journal_alone_byte_for_byte)
{
    struct pair pair;
    pair_begin(&pair);
    pair_fill(&pair);
    struct hash before = content(&pair);
    remove_log(&pair);
    pair_restart(&pair);
    cr_assert_eq(pair.report.records, 820 + 5 + 1 + 3);
    cr_assert(pair.report.lost == 0 && pair.report.waiting == 0 && pair.report.spoiled == 0);
    assert_content(&pair, &before);
    pair_restart(&pair); /* and nothing is left to do */
    cr_assert(pair.report.records == 0 && pair.report.copied == 0 && pair.report.repaired == 0);
    pair_end(&pair);
}

Test(restore, a_journal_deleted_is_made_again_from_log_and_can_make_log_again)
{
    struct pair pair;
    pair_begin(&pair);
    pair_fill(&pair);
    struct hash before = content(&pair);
    pair_close(&pair);
    folder_remove(pair.journal_path);
    pair_restart(&pair);
    cr_assert(pair.opened.is_new);
    cr_assert_eq(pair.report.copied, 40 + 1 + 1 + 1);
    remove_log(&pair);
    pair_restart(&pair);
    assert_content(&pair, &before);
    pair_end(&pair);
}

/* ---- one of them is behind -------------------------------------------------------------------- */

Test(restore, a_group_that_reached_only_the_journal_before_a_crash_is_put_into_log)
{
    struct pair pair, twin;
    pair_begin(&pair);
    pair_begin(&twin);
    pair_append(&pair, 5);
    append_to(&pair, &pair.id, 7, JOURNAL_ONLY);
    pair_append(&twin, 5);
    pair_append(&twin, 7);
    struct hash wanted = content(&twin);
    pair_restart(&pair);
    cr_assert_eq(pair.report.records, 7);
    assert_content(&pair, &wanted);
    pair_end(&pair);
    pair_end(&twin);
}

Test(restore, a_group_that_reached_only_log_before_a_crash_is_copied_into_the_journal)
{
    struct pair pair;
    pair_begin(&pair);
    pair_append(&pair, 5);
    append_to(&pair, &pair.id, 7, LOG_ONLY);
    struct hash before = content(&pair);
    pair_restart(&pair);
    cr_assert_eq(pair.report.copied, 1);
    remove_log(&pair);
    pair_restart(&pair);
    assert_content(&pair, &before);
    pair_end(&pair);
}

/* ---- one of them is damaged ------------------------------------------------------------------- */

/* Changes one byte of the batch that begins at `first`; gives its size. */
static size_t damage_batch(struct pair *pair, uint64_t first, size_t at)
{
    struct store_txn txn = store_begin_write(log_store_environment(pair->logs));
    struct log_key key = log_key_position(number_of(pair, &txn, &pair->id), first);
    struct buffer value = { 0 };
    struct bytes stored;
    cr_assert_eq(store_get(&txn, LOG_BATCHES, log_key_bytes(&key), &stored), OK);
    buffer_append_bytes(&value, stored);
    size_t size = value.size;
    if (at < size)
        value.data[at] ^= (uint8_t)(1 << at % 8);
    store_put(&txn, LOG_BATCHES, log_key_bytes(&key), buffer_bytes(&value));
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&value);
    return size;
}

Test(restore, a_batch_of_log_damaged_in_any_byte_is_made_whole_from_the_journal, .timeout = 60)
{
    struct pair pair;
    pair_begin(&pair);
    pair_append(&pair, 3);
    pair_append(&pair, 2);
    pair_append(&pair, 4);
    struct hash before = content(&pair);
    size_t size = damage_batch(&pair, 3, SIZE_MAX);
    for (size_t at = 0; at < size; at += at < 300 ? 1 : 7) {
        damage_batch(&pair, 3, at);
        pair_restart(&pair);
        cr_assert_eq(pair.report.repaired, 1, "byte %zu", at);
        cr_assert_eq(pair.report.lost, 0, "byte %zu", at);
        assert_content(&pair, &before);
    }
    damage_batch(&pair, 5, 0); /* the last one, unreadable: the log's size hangs on it */
    pair_restart(&pair);
    assert_content(&pair, &before);
    pair_end(&pair);
}

/* The whole of a segment's file. */
static void segment_bytes(struct pair *pair, const char *mode, uint8_t *bytes, size_t size)
{
    char path[FOLDER_PATH_SIZE];
    folder_path(path, pair->journal_path, "segment-00000001");
    FILE *file = fopen(path, mode);
    cr_assert(file);
    size_t done = mode[0] == 'r' ? fread(bytes, 1, size, file) : fwrite(bytes, 1, size, file);
    cr_assert_eq(done, size);
    fclose(file);
}

Test(restore, a_journal_damaged_in_any_place_is_made_again_from_log)
{
    struct pair pair;
    uint8_t *bytes = malloc(JOURNAL_SEGMENT_SIZE_MIN);
    pair_begin(&pair);
    for (uint32_t i = 0; i < 4; i++)
        pair_append(&pair, 2);
    struct hash before = content(&pair);
    struct journal_space space;
    journal_space_get(pair.journal, &space);
    pair_close(&pair);
    segment_bytes(&pair, "re", bytes, JOURNAL_SEGMENT_SIZE_MIN);
    for (size_t at = 8; at < space.used_size; at += 37) {
        folder_remove(pair.journal_path);
        pair_open_journal(&pair);
        pair_close(&pair);
        bytes[at] ^= 0x10;
        segment_bytes(&pair, "we", bytes, JOURNAL_SEGMENT_SIZE_MIN);
        bytes[at] ^= 0x10;
        pair_restart(&pair);
        assert_content(&pair, &before);
        pair_restart(&pair);
        cr_assert_not(journal_is_damaged(&pair.opened) || pair.opened.torn ||
                          pair.opened.persons_damaged > 0,
                      "byte %zu", at);
        if (at % 5 == 0) {
            remove_log(&pair);
            pair_restart(&pair);
            assert_content(&pair, &before);
        }
        pair_close(&pair);
    }
    free(bytes);
    pair_end(&pair);
}

/* Row 11. */
Test(restore, what_is_bad_in_both_is_told_as_a_range_and_nothing_else_is_lost)
{
    struct pair pair;
    uint8_t *bytes = malloc(JOURNAL_SEGMENT_SIZE_MIN);
    pair_begin(&pair);
    for (uint32_t i = 0; i < 5; i++)
        pair_append(&pair, 4);
    const struct journal_log *log = journal_log_find(pair.journal, &pair.id);
    uint32_t offset = journal_place_of(log, 8)->offset;
    damage_batch(&pair, 8, 200);
    pair_close(&pair);
    segment_bytes(&pair, "re", bytes, JOURNAL_SEGMENT_SIZE_MIN);
    bytes[offset + 3] ^= 1;
    segment_bytes(&pair, "we", bytes, JOURNAL_SEGMENT_SIZE_MIN);
    pair_restart(&pair);
    cr_assert_eq(pair.report.lost, 4);
    cr_assert_eq(pair.report.loss_count, 1);
    cr_assert_eq(pair.report.losses[0].first, 8);
    cr_assert_eq(pair.report.losses[0].count, 4);
    cr_assert(log_id_equal(&pair.report.losses[0].log, &pair.id));
    free(bytes);
    pair_end(&pair);
}

Test(restore, with_log_gone_and_the_journal_bad_in_one_entry_the_range_is_told_and_the_rest_waits)
{
    struct pair pair;
    uint8_t *bytes = malloc(JOURNAL_SEGMENT_SIZE_MIN);
    pair_begin(&pair);
    for (uint32_t i = 0; i < 5; i++)
        pair_append(&pair, 4);
    const struct journal_log *log = journal_log_find(pair.journal, &pair.id);
    uint32_t offset = journal_place_of(log, 8)->offset;
    remove_log(&pair);
    segment_bytes(&pair, "re", bytes, JOURNAL_SEGMENT_SIZE_MIN);
    bytes[offset + 3] ^= 1;
    segment_bytes(&pair, "we", bytes, JOURNAL_SEGMENT_SIZE_MIN);
    pair_restart(&pair);
    cr_assert_eq(pair.report.records, 8);
    cr_assert_eq(pair.report.waiting, 8);
    cr_assert_eq(pair.report.lost, 4);
    cr_assert_eq(pair.report.losses[0].first, 8);
    cr_assert_eq(pair.report.losses[0].count, 4);
    pair_restart(&pair); /* the journal was made again, and what waits is in it further */
    cr_assert_not(journal_is_damaged(&pair.opened));
    cr_assert_eq(pair.report.waiting, 8);
    free(bytes);
    pair_end(&pair);
}

/* ---- erasures --------------------------------------------------------------------------------- */

static void sealed_person(struct pair *pair, uint64_t position, struct buffer *out)
{
    struct log_batch batch;
    struct record sealed;
    struct hash leaf;
    struct store_txn txn = store_begin_read(log_store_environment(pair->logs));
    struct store_cursor cursor = store_cursor_open(&txn, LOG_BATCHES);
    cr_assert_eq(log_batch_seek(&cursor, 0, position, &batch), OK);
    cr_assert_eq(batch_record(&batch.view, (uint32_t)(position - batch.first), &sealed, &leaf), OK);
    cr_assert_gt(sealed.person.size, 0);
    buffer_append_bytes(out, sealed.person);
    store_cursor_close(&cursor);
    store_abort(&txn);
}

static bool journal_has(struct pair *pair, const struct buffer *wanted)
{
    uint8_t *bytes = malloc(JOURNAL_SEGMENT_SIZE_MIN);
    segment_bytes(pair, "re", bytes, JOURNAL_SEGMENT_SIZE_MIN);
    bool found = memmem(bytes, JOURNAL_SEGMENT_SIZE_MIN, wanted->data, wanted->size) != NULL;
    free(bytes);
    return found;
}

Test(restore, what_was_erased_is_not_in_the_journal_and_stays_erased_when_log_is_made_again)
{
    struct pair pair;
    struct buffer person = { 0 };
    pair_begin(&pair);
    pair_append(&pair, 6);
    sealed_person(&pair, 3, &person);
    cr_assert(journal_has(&pair, &person));
    pair_erase(&pair, 3, BOTH);
    cr_assert_not(journal_has(&pair, &person));
    struct hash before = content(&pair);
    remove_log(&pair);
    pair_restart(&pair);
    assert_content(&pair, &before);
    buffer_close(&person);
    pair_end(&pair);
}

Test(restore, an_erasure_that_a_crash_kept_from_the_journal_is_finished_at_the_next_start)
{
    struct pair pair;
    struct buffer person = { 0 };
    for (enum which which = LOG_ONLY; which <= JOURNAL_ONLY; which++) {
        pair_begin(&pair);
        pair_append(&pair, 6);
        buffer_clear(&person);
        sealed_person(&pair, 3, &person);
        pair_erase(&pair, 3, which);
        cr_assert(journal_has(&pair, &person));
        pair_restart(&pair);
        cr_assert_not(journal_has(&pair, &person), "%d", which);
        assert_sound(&pair);
        pair_end(&pair);
    }
    buffer_close(&person);
}

/* Changes one bit of the key of the only erasure. */
static void flip_erasure(struct pair *pair, size_t bit)
{
    struct buffer copy = { 0 };
    struct bytes key, value;
    struct store_txn txn = store_begin_write(log_store_environment(pair->logs));
    struct store_cursor cursor = store_cursor_open(&txn, LOG_ERASURES);
    cr_assert_eq(store_cursor_seek(&cursor, BYTES_NONE, &key, &value), OK);
    buffer_append_bytes(&copy, key);
    store_cursor_close(&cursor);
    store_delete(&txn, LOG_ERASURES, buffer_bytes(&copy));
    copy.data[copy.size - 1 - bit / 8] ^= (uint8_t)(1u << bit % 8);
    store_put(&txn, LOG_ERASURES, buffer_bytes(&copy), BYTES_NONE);
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&copy);
}

static size_t erasure_bits(const struct pair *pair)
{
    return log_key_erasure(&pair->id, 0).size * 8;
}

/* I1, D3. In log/ such an entry says nothing, in the journal it cost the person part of what it named. */
Test(restore, an_erasure_whose_key_was_flipped_erases_nothing_else, .timeout = 60)
{
    struct pair pair;
    pair_begin(&pair);
    pair_append(&pair, 12);
    pair_erase(&pair, 3, BOTH);
    struct hash before = content(&pair);
    for (size_t bit = 0; bit < erasure_bits(&pair); bit++) {
        flip_erasure(&pair, bit);
        pair_restart(&pair);
        struct hash now = content(&pair);
        cr_assert(bit >= 64 || hash_equal(&now, &before), "bit %zu", bit); /* else of another node */
        remove_log(&pair);
        pair_restart(&pair);
        now = content(&pair);
        cr_assert(hash_equal(&now, &before), "bit %zu", bit);
        assert_sound(&pair);
    }
    pair_end(&pair);
}

Test(restore, what_is_put_back_is_not_erased_by_a_flipped_key, .timeout = 60)
{
    struct pair pair;
    for (size_t bit = 0; bit < 8; bit++) {
        pair_begin(&pair);
        pair_append(&pair, 6);
        pair_erase(&pair, 3, BOTH);
        append_to(&pair, &pair.id, 12, BOTH);
        struct hash before = content(&pair);
        pair_end(&pair);

        pair_begin(&pair);
        pair_append(&pair, 6);
        pair_erase(&pair, 3, BOTH);
        append_to(&pair, &pair.id, 12, JOURNAL_ONLY);
        flip_erasure(&pair, bit);
        pair_restart(&pair);
        struct hash now = content(&pair);
        cr_assert(hash_equal(&now, &before), "bit %zu", bit);
        pair_end(&pair);
    }
}

/* ---- recycled segments ------------------------------------------------------------------------ */

static uint64_t all_national(void *context, const struct log_id *log)
{
    (void)context, (void)log;
    return UINT64_MAX;
}

/* The beginning of the log is with hubs alone, its end in the journal alone. Gives the groups of
 * eight that it had. */
static uint32_t pair_lose_behind_recycled(struct pair *pair)
{
    struct journal_space space = { 0 };
    uint32_t groups = 0;
    pair->journal_options.keep_size = 1;
    pair_restart(pair);
    for (; space.segments < 2; groups++) {
        pair_append(pair, 8);
        journal_space_get(pair->journal, &space);
    }
    pair_append(pair, 8);
    cr_assert_eq(journal_recycle(pair->journal, all_national, NULL), OK);
    pair_restart(pair);
    cr_assert_eq(pair->report.copied, 0, "what was recycled is not copied again");
    remove_log(pair);
    pair_restart(pair);
    return groups + 1;
}

Test(restore, what_is_behind_a_recycled_beginning_waits_until_the_hub_has_handed_that_back)
{
    struct pair pair;
    struct restore_report report;
    struct buffer grown = { 0 };
    pair_begin(&pair);
    uint32_t groups = pair_lose_behind_recycled(&pair);
    uint64_t base = journal_log_find(pair.journal, &pair.id)->base;
    cr_assert_eq(pair.report.records, 0);
    cr_assert_eq(pair.report.lost, 0);
    cr_assert_eq(pair.report.given_up, base);
    cr_assert_eq(pair.report.waiting, (uint64_t)groups * 8 - base);

    /* Handed back, in packages of other sizes than the groups had. */
    for (uint64_t held = 0; held < base + 3;) {
        uint32_t count = base + 3 - held < 13 ? (uint32_t)(base + 3 - held) : 13;
        append_to(&pair, &pair.id, count, BOTH);
        held += count;
    }
    cr_assert_eq(restore_waiting(pair.logs, pair.journal,
                                 &(struct restore_keys){ .own = &pair.key.public }, &report,
                                 &grown),
                 OK);
    cr_assert_eq(report.waiting, 0);
    cr_assert_eq(report.given_up, 0);
    cr_assert_eq(report.records, (uint64_t)groups * 8 - base - 3);
    cr_assert(grown.size == sizeof pair.id && memcmp(grown.data, &pair.id, sizeof pair.id) == 0);
    assert_sound(&pair);
    pair_restart(&pair);
    cr_assert_eq(pair.report.waiting, 0);
    buffer_close(&grown);
    pair_end(&pair);
}

/* A log that ends with what was recycled: nothing waits, and it is known all the same. */
Test(restore, what_the_journal_gave_up_is_missed_also_when_nothing_stands_behind_it)
{
    struct pair pair;
    struct log_id gone = sample_log("ardabil", "hub", 2);
    pair_begin(&pair);
    append_to(&pair, &gone, 5, BOTH);
    pair_lose_behind_recycled(&pair);
    cr_assert_eq(pair.report.given_up, 5 + journal_log_find(pair.journal, &pair.id)->base);
    pair_end(&pair);
}

static enum err fold_position(void *context, struct view *view, const struct record_header *header,
                              struct bytes facts, struct bytes person, bool person_absent)
{
    uint8_t key[8];
    (void)context;
    cr_assert(facts.size > 0 && person.size > 0 && !person_absent);
    put_u64(key, header->position);
    view_put(view, BYTES_OF_ARRAY(key), bytes_of_string("is here"));
    return view->err;
}

static bool answers(struct waiting_reader *reader, uint64_t position)
{
    uint8_t key[8];
    struct bytes value;
    put_u64(key, position);
    return view_get(&reader->view, BYTES_OF_ARRAY(key), &value) == OK;
}

/* I1, I4 */
Test(restore, what_waits_is_answered_from_meanwhile)
{
    struct pair pair;
    struct waiting *waiting;
    struct waiting_reader before, after;
    pair_begin(&pair);
    uint64_t end = (uint64_t)pair_lose_behind_recycled(&pair) * 8;
    uint64_t base = journal_log_find(pair.journal, &pair.id)->base;
    struct waiting_options options = {
        .node = "ardabil", .audience = "hub", .rules.fold = fold_position, .size_max = 1 << 20
    };
    cr_assert_eq(waiting_new(&waiting, pair.logs, pair.journal, &options), OK);
    waiting_reader_begin(waiting, &before);
    cr_assert_not(answers(&before, base - 1), "a hub has it, and nobody else");
    for (uint64_t position = base; position < end; position++)
        cr_assert(answers(&before, position));
    cr_assert_not(answers(&before, end));
    waiting_clear(waiting);
    waiting_reader_begin(waiting, &after);
    cr_assert_not(answers(&after, base));
    cr_assert(answers(&before, base), "whoever reads goes on reading");
    waiting_reader_end(&after);
    waiting_reader_end(&before);
    waiting_free(waiting);
    pair_end(&pair);
}

Test(restore, nothing_waits_at_a_node_that_has_everything)
{
    struct pair pair;
    struct waiting *waiting;
    struct waiting_reader reader;
    struct waiting_options options = {
        .node = "ardabil", .audience = "hub", .rules.fold = fold_position, .size_max = 1 << 20
    };
    pair_begin(&pair);
    pair_fill(&pair);
    cr_assert_eq(waiting_new(&waiting, pair.logs, pair.journal, &options), OK);
    cr_assert_null(waiting);
    waiting_reader_begin(waiting, &reader);
    cr_assert_not(answers(&reader, 1));
    waiting_reader_end(&reader);
    pair_end(&pair);
}

/* It is folded when they have come; until then the journal is not the only one to have it. */
Test(restore, a_log_is_put_back_also_when_its_parents_are_nowhere)
{
    struct pair pair;
    struct log_id child = sample_log("ardabil", "hub", 9);
    struct log_head parent = { .log = sample_log("ardabil", "hub", 5), .size = 3 };
    struct sample sample;
    struct batch_builder batch;
    struct merkle_frontier frontier = { 0 };
    struct buffer note = { 0 };
    pair_begin(&pair);
    pair_append(&pair, 2);
    struct store_txn txn = pair_txn(&pair);
    uint32_t number = number_of(&pair, &txn, &child);
    sample_incarnation(&sample, &child, 7, &parent, 1);
    batch_begin(&batch, &frontier);
    batch_add(&batch, &sample.record, &sample.leaf, log_store_data_key(pair.logs));
    sample_note(&note, &child, &batch.frontier, &pair.key);
    cr_assert_eq(log_append(pair.logs, &txn, number, &batch, buffer_bytes(&note)), OK);
    pair_commit(&pair, &txn, BOTH);
    remove_log(&pair);
    pair_restart(&pair);
    cr_assert_eq(pair.report.records, 3);
    cr_assert_eq(pair.report.waiting, 0);
    cr_assert_eq(pair.report.lost, 0);
    assert_sound(&pair);
    sample_close(&sample);
    buffer_close(&note);
    batch_close(&batch);
    pair_end(&pair);
}

/* ---- the other tables ------------------------------------------------------------------------- */

/* A checkpoint that a hub showed when it handed a log back. */
static void pair_note(struct pair *pair, const struct log_id *id)
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

/* The `index`-th row of a table: gone, or one bit of its value another, or of its key when all is in that.
 * False: there is none. */
static bool harm_row(struct pair *pair, unsigned table, unsigned index, bool gone, unsigned byte)
{
    struct buffer key_copy = { 0 }, value_copy = { 0 };
    struct store_txn txn = store_begin_write(log_store_environment(pair->logs));
    struct store_cursor cursor = store_cursor_open(&txn, table);
    struct bytes key, value;
    enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
    for (unsigned i = 0; i < index && err == OK; i++)
        err = store_cursor_next(&cursor, &key, &value);
    if (err == OK) {
        buffer_append_bytes(&key_copy, key);
        buffer_append_bytes(&value_copy, value);
    }
    store_cursor_close(&cursor);
    bool found = err == OK;
    bool of_key = value_copy.size == 0;
    if (found && (gone || of_key))
        store_delete(&txn, table, buffer_bytes(&key_copy));
    if (found && !gone && of_key) {
        key_copy.data[byte % 5] ^= 4; /* in the name of the format: another place is another erasure */
        store_put(&txn, table, buffer_bytes(&key_copy), BYTES_NONE);
    }
    if (found && !gone && !of_key) {
        value_copy.data[byte % value_copy.size] ^= 4;
        store_put(&txn, table, buffer_bytes(&key_copy), buffer_bytes(&value_copy));
    }
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&key_copy);
    buffer_close(&value_copy);
    return found;
}

Test(restore, a_row_beside_the_batches_that_is_damaged_or_gone_is_made_right, .timeout = 60)
{
    static const unsigned tables[] = { LOG_NAMES, LOG_TREE, LOG_NOTES, LOG_RECEIPTS, LOG_ERASURES };
    struct pair pair;
    struct log_id handed_back = sample_log("ardabil", "hub", 3);
    unsigned harmed = 0;
    pair_begin(&pair);
    pair_fill(&pair);
    append_to(&pair, &handed_back, 6, BOTH);
    pair_note(&pair, &handed_back);
    struct hash before = content(&pair);
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (unsigned row = 0; row < 4; row++)
            for (unsigned way = 0; way < 3; way++) {
                if (!harm_row(&pair, tables[t], row, way == 0, way == 1 ? 1 : 70 + 13 * row))
                    continue;
                harmed++;
                pair_restart(&pair);
                struct hash now = content(&pair);
                cr_assert(hash_equal(&now, &before), "table %u, row %u, way %u", tables[t], row, way);
                cr_assert_eq(pair.report.dropped, 0);
                assert_sound(&pair);
            }
    cr_assert_gt(harmed, 20);
    pair_end(&pair);
}

/* Without a journal a log under a wrong name would be there and not be folded. */
Test(restore, a_name_is_made_right_without_a_journal_too)
{
    struct pair pair;
    struct buffer row = { 0 };
    struct bytes stored;
    struct log_key key = log_key_number(0);
    pair_begin(&pair);
    pair_append(&pair, 6);
    struct hash before = content(&pair);
    struct store_txn txn = store_begin_write(log_store_environment(pair.logs));
    cr_assert_eq(store_get(&txn, LOG_LOGS, log_key_bytes(&key), &stored), OK);
    buffer_append_bytes(&row, stored);
    row.data[row.size - 1] ^= 1; /* of the incarnation */
    store_put(&txn, LOG_LOGS, log_key_bytes(&key), buffer_bytes(&row));
    cr_assert_eq(store_commit(&txn), OK);
    uint64_t rows = 0;
    cr_assert_eq(restore_identities(pair.logs, &rows), OK);
    cr_assert_eq(rows, 1);
    struct hash now = content(&pair);
    cr_assert(hash_equal(&now, &before));
    cr_assert_eq(restore_identities(pair.logs, &rows), OK);
    cr_assert_eq(rows, 0);
    buffer_close(&row);
    pair_end(&pair);
}

/* A row that says another log, or that it is another branch, must not take the name from it. */
Test(restore, a_row_that_says_another_log_than_its_name_and_records_is_made_right, .timeout = 60)
{
    struct pair pair;
    struct buffer row = { 0 };
    struct bytes stored;
    struct log_key key = log_key_number(0);
    pair_begin(&pair);
    pair_append(&pair, 6);
    struct hash before = content(&pair);
    struct store_txn txn = store_begin_read(log_store_environment(pair.logs));
    cr_assert_eq(store_get(&txn, LOG_LOGS, log_key_bytes(&key), &stored), OK);
    buffer_append_bytes(&row, stored);
    store_abort(&txn);
    for (size_t bit = 0; bit < 8 * row.size; bit++) {
        size_t at = bit / 8;
        if (at != 1 && at < 56) /* flags, origin */
            continue;
        row.data[at] ^= (uint8_t)(1u << bit % 8);
        txn = store_begin_write(log_store_environment(pair.logs));
        store_put(&txn, LOG_LOGS, log_key_bytes(&key), buffer_bytes(&row));
        struct log_row read;
        bool readable = log_row_get(&txn, 0, &read) == OK && !read.frozen;
        if (readable)
            cr_assert_eq(store_commit(&txn), OK);
        else
            store_abort(&txn); /* log/ is set aside, or the log is taken for forked */
        row.data[at] ^= (uint8_t)(1u << bit % 8);
        if (!readable)
            continue;
        pair_restart(&pair);
        struct hash now = content(&pair);
        cr_assert(hash_equal(&now, &before), "byte %zu", at);
        cr_assert_eq(pair.report.lost, 0);
    }
    buffer_close(&row);
    pair_end(&pair);
}

Test(restore, a_receipt_that_is_damaged_in_log_and_not_in_the_journal_is_dropped)
{
    struct pair pair;
    pair_begin(&pair);
    pair_append(&pair, 9);
    struct hash before = content(&pair);
    pair_receipt(&pair, "hub-1", 4);
    pair_close(&pair);
    folder_remove(pair.journal_path);
    pair_open_log(&pair);
    cr_assert(harm_row(&pair, LOG_RECEIPTS, 0, false, 1));
    pair_restart(&pair);
    cr_assert_eq(pair.report.dropped, 1);
    assert_content(&pair, &before);
    pair_end(&pair);
}

/* ---- not of this node ------------------------------------------------------------------------- */

Test(restore, logs_of_others_are_not_journalled_and_not_touched)
{
    struct pair pair;
    struct log_id hub = sample_log("hub-1", "all", 1);
    pair_begin(&pair);
    pair_append(&pair, 2);
    append_to(&pair, &hub, 4, BOTH);
    struct hash before = content(&pair);
    cr_assert_null(journal_log_find(pair.journal, &hub));
    pair_restart(&pair);
    cr_assert_eq(pair.report.copied, 0);
    assert_content(&pair, &before);
    pair_end(&pair);
}

/* `number`: of the log in its store. */
static void harm_batch(struct pair *pair, uint32_t number, uint64_t first)
{
    struct buffer copy = { 0 };
    struct log_key key = log_key_position(number, first);
    struct store_txn txn = store_begin_write(log_store_environment(pair->logs));
    struct bytes value;
    cr_assert_eq(store_get(&txn, LOG_BATCHES, log_key_bytes(&key), &value), OK);
    buffer_append_bytes(&copy, value);
    copy.data[copy.size / 2] ^= 4;
    store_put(&txn, LOG_BATCHES, log_key_bytes(&key), buffer_bytes(&copy));
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&copy);
}

static uint64_t size_of(struct pair *pair, uint32_t number)
{
    struct store_txn txn = store_begin_read(log_store_environment(pair->logs));
    struct log_state state;
    cr_assert_eq(log_state_get(pair->logs, &txn, number, &state), OK);
    store_abort(&txn);
    return state.size;
}

Test(restore, a_log_of_another_node_is_cut_where_it_is_damaged_and_can_be_taken_again_from_there)
{
    struct pair pair;
    struct log_id hub = sample_log("hub-1", "all", 1);
    pair_begin(&pair);
    pair_append(&pair, 2);
    for (unsigned i = 0; i < 12; i++)
        append_to(&pair, &hub, 100, LOG_ONLY);
    struct hash before = content(&pair);
    harm_batch(&pair, 1, 700);
    pair_restart(&pair);
    cr_assert_eq(pair.report.cut, 1);
    cr_assert_eq(pair.report.lost, 0);
    cr_assert_eq(size_of(&pair, 1), 700);
    assert_sound(&pair);
    for (unsigned i = 7; i < 12; i++)
        append_to(&pair, &hub, 100, LOG_ONLY);
    assert_content(&pair, &before);
    pair_end(&pair);
}

Test(restore, a_hub_s_copy_is_not_cut)
{
    struct pair pair;
    struct log_id province = sample_log("tehran", "hub", 1);
    pair_begin(&pair);
    append_to(&pair, &province, 5, LOG_ONLY);
    pair_note(&pair, &province);
    struct store_txn txn = store_begin_write(log_store_environment(pair.logs));
    struct log_row row;
    cr_assert_eq(log_row_get(&txn, 0, &row), OK);
    row.cosigned_size = 5; /* as its receipt would */
    log_row_put(&txn, 0, &row);
    cr_assert_eq(store_commit(&txn), OK);
    harm_batch(&pair, 0, 0);
    struct hash before = content(&pair);
    pair_restart(&pair);
    cr_assert_eq(pair.report.cut, 0);
    struct hash now = content(&pair);
    cr_assert(hash_equal(&now, &before));
    pair_end(&pair);
}

Test(restore, a_journal_signed_with_another_key_says_so)
{
    struct pair pair;
    struct sign_key other = sample_key(4);
    pair_begin(&pair);
    cr_assert(restore_key_fits(pair.journal, &other.public), "nothing is in it");
    pair_append(&pair, 2);
    cr_assert(restore_key_fits(pair.journal, &pair.key.public));
    cr_assert_not(restore_key_fits(pair.journal, &other.public));
    pair_end(&pair);
}
