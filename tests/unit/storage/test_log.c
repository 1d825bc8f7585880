#include "storage/log_private.h"
#include "tests/unit/storage/log_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct store_txn reading(struct log_fixture *fixture)
{
    return store_begin_read(log_store_environment(fixture->logs));
}

static struct store_txn writing(struct log_fixture *fixture)
{
    return store_begin_write(log_store_environment(fixture->logs));
}

/* ---- opening --------------------------------------------------------------------------------- */

Test(log, a_store_of_another_node_or_a_newer_format_is_refused)
{
    struct log_fixture fixture;
    log_fixture_open(&fixture);
    fixture.options.node = "hormozgan";
    cr_assert_eq(log_fixture_reopen(&fixture), ERR_CONFLICT);
    cr_assert_null(fixture.logs);
    fixture.options.node = "ardabil";
    cr_assert_eq(log_fixture_reopen(&fixture), OK);
    log_store_close(fixture.logs);

    static const char *const tables[] = { "meta" };
    struct store *store;
    uint8_t format[4];
    struct store_options options = {
        .path = fixture.folder, .tables = tables, .table_count = 1, .map_size = 16 << 20
    };
    cr_assert_eq(store_open(&store, &options), OK);
    struct store_txn txn = store_begin_write(store);
    put_u32(format, STORAGE_FORMAT + 1);
    store_put(&txn, 0, bytes_of_string("format"), BYTES_OF_ARRAY(format));
    cr_assert_eq(store_commit(&txn), OK);
    store_close(store);
    cr_assert_eq(log_store_open(&fixture.logs, &fixture.options), ERR_VERSION);
    log_fixture_close(&fixture);
}

Test(log, nothing_is_made_where_nothing_is_unless_asked)
{
    struct log_fixture fixture;
    char path[FOLDER_PATH_SIZE];
    struct log_store *logs;
    log_fixture_open(&fixture);
    folder_path(path, fixture.folder, "absent");
    fixture.options.path = path;
    fixture.options.create = false;
    cr_assert_eq(log_store_open(&logs, &fixture.options), ERR_NOT_FOUND);
    fixture.options.read_only = true;
    cr_assert_eq(log_store_open(&logs, &fixture.options), ERR_NOT_FOUND);
    log_fixture_close(&fixture);
}

Test(log, a_reader_may_open_without_naming_the_node)
{
    struct log_fixture fixture;
    log_fixture_open(&fixture);
    fixture.options.read_only = true;
    fixture.options.node = NULL;
    cr_assert_eq(log_fixture_reopen(&fixture), OK);
    cr_assert_str_eq(log_store_node(fixture.logs), "ardabil");
    log_fixture_close(&fixture);
}

/* ---- logs and batches ------------------------------------------------------------------------ */

Test(log, logs_are_numbered_in_order_of_first_sight)
{
    struct log_fixture fixture;
    struct log_id a = sample_log("ardabil", "hub", 1), b = sample_log("gilan", "hub", 1);
    uint32_t number;
    log_fixture_open(&fixture);
    cr_assert_eq(fixture_create(&fixture, &a), 0);
    cr_assert_eq(fixture_create(&fixture, &b), 1);
    struct store_txn txn = writing(&fixture);
    cr_assert_eq(log_create(fixture.logs, &txn, &a, &number), ERR_EXISTS);
    cr_assert_eq(number, 0);
    cr_assert_eq(log_find(fixture.logs, &txn, &b, &number), OK);
    cr_assert_eq(number, 1);
    cr_assert_eq(log_count(fixture.logs, &txn), 2);
    struct log_id c = sample_log("gilan", "hub", 2);
    cr_assert_eq(log_find(fixture.logs, &txn, &c, &number), ERR_NOT_FOUND);
    struct log_state state;
    cr_assert_eq(log_state_get(fixture.logs, &txn, 1, &state), OK);
    cr_assert(log_id_equal(&state.id, &b));
    cr_assert_eq(state.size, 0);
    cr_assert_eq(log_state_get(fixture.logs, &txn, 2, &state), ERR_NOT_FOUND);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

static void expect_record(const struct log_id *id, uint64_t position, const struct record *record,
                          const struct record_header *header, const struct hash *leaf)
{
    struct sample sample;
    sample_request(&sample, id, position, FIXTURE_SEED, FIXTURE_TEXT_SIZE);
    cr_assert(bytes_equal(record->header, sample.record.header));
    cr_assert(bytes_equal(record->facts, sample.record.facts));
    cr_assert(bytes_equal(record->person, sample.record.person));
    cr_assert_not(record->person_absent);
    cr_assert_eq(header->position, position);
    cr_assert(hash_equal(leaf, &sample.leaf));
    sample_close(&sample);
}

Test(log, every_record_reads_back_whatever_the_batches)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    fixture_fill(&fixture, number, &id, 100, 9);
    cr_assert_eq(log_fixture_reopen(&fixture), OK);
    cr_assert_eq(fixture_size(&fixture, number), 100);
    struct store_txn txn = reading(&fixture);
    for (uint64_t i = 0; i < 100; i++) {
        cr_assert_eq(log_read(fixture.logs, &txn, number, i, &scratch, &record, &header, &leaf),
                     OK);
        expect_record(&id, i, &record, &header, &leaf);
    }
    cr_assert_eq(log_read(fixture.logs, &txn, number, 100, &scratch, &record, &header, &leaf),
                 ERR_NOT_FOUND);
    cr_assert_eq(
        log_read(fixture.logs, &txn, number, UINT64_MAX, &scratch, &record, &header, &leaf),
        ERR_NOT_FOUND);
    cr_assert_eq(log_read(fixture.logs, &txn, 9, 0, &scratch, &record, &header, &leaf),
                 ERR_NOT_FOUND);
    store_abort(&txn);
    buffer_close(&scratch);
    log_fixture_close(&fixture);
}

struct seen {
    const struct log_id *id;
    uint64_t next, stop_at;
    enum err stop_with;
    bool with_person;
};

static enum err see(void *context, uint64_t position, const struct record *record,
                    const struct record_header *header, const struct hash *leaf)
{
    struct seen *seen = context;
    cr_assert_eq(position, seen->next);
    if (position == seen->stop_at)
        return seen->stop_with;
    if (seen->with_person)
        expect_record(seen->id, position, record, header, leaf);
    else
        cr_assert_eq(record->person.size, 0);
    seen->next++;
    return OK;
}

Test(log, a_scan_gives_any_run_in_order_and_stops_when_told)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    fixture_fill(&fixture, number, &id, 40, 6);
    struct store_txn txn = reading(&fixture);
    for (uint64_t first = 0; first <= 41; first++)
        for (uint64_t count = 0; count <= 42 - first; count++) {
            struct seen seen = { &id, first, UINT64_MAX, OK, count % 2 };
            cr_assert_eq(log_scan(fixture.logs, &txn, number, first, count, count % 2, see, &seen),
                         OK);
            uint64_t end = first + count < 40 ? first + count : 40;
            cr_assert_eq(seen.next, end > first ? end : first);
        }
    struct seen all = { &id, 0, UINT64_MAX, OK, true };
    cr_assert_eq(log_scan(fixture.logs, &txn, number, 0, UINT64_MAX, true, see, &all), OK);
    cr_assert_eq(all.next, 40);
    struct seen until = { &id, 5, 9, ERR_END, true };
    cr_assert_eq(log_scan(fixture.logs, &txn, number, 5, 20, true, see, &until), OK);
    cr_assert_eq(until.next, 9);
    struct seen failing = { &id, 5, 9, ERR_BUSY, true };
    cr_assert_eq(log_scan(fixture.logs, &txn, number, 5, 20, true, see, &failing), ERR_BUSY);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

Test(log, a_gap_and_a_doubled_batch_are_refused_and_nothing_is_written)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct merkle_frontier frontier = { 0 };
    struct batch_builder batch;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    batch_begin(&batch, &frontier);
    sample_batch(&batch, &id, FIXTURE_SEED, 4, 10, log_store_data_key(fixture.logs));
    fixture_append(&fixture, number, &id, 4, true);
    struct store_txn txn = writing(&fixture);
    cr_assert_eq(log_append(fixture.logs, &txn, number, &batch, BYTES_NONE), ERR_GAP);
    cr_assert_eq(log_append(fixture.logs, &txn, 5, &batch, BYTES_NONE), ERR_NOT_FOUND);
    batch.first = 10;
    cr_assert_eq(log_append(fixture.logs, &txn, number, &batch, BYTES_NONE), ERR_GAP);
    cr_assert_eq(txn.changes, 0);
    cr_assert_eq(store_commit(&txn), OK);
    batch_close(&batch);
    log_fixture_close(&fixture);
}

/* The writer's memory of sizes must not outlive what it describes. */
Test(log, after_an_aborted_group_the_same_position_is_taken_again)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct merkle_frontier frontier;
    struct batch_builder batch;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    fixture_append(&fixture, number, &id, 3, true);
    struct store_txn txn = writing(&fixture);
    log_frontier(fixture.logs, &txn, number, &frontier);
    batch_begin(&batch, &frontier);
    sample_batch(&batch, &id, FIXTURE_SEED, 2, 10, log_store_data_key(fixture.logs));
    cr_assert_eq(log_append(fixture.logs, &txn, number, &batch, BYTES_NONE), OK);
    cr_assert_eq(log_append(fixture.logs, &txn, number, &batch, BYTES_NONE), ERR_GAP);
    store_abort(&txn);
    txn = writing(&fixture);
    cr_assert_eq(log_append(fixture.logs, &txn, number, &batch, BYTES_NONE), OK);
    cr_assert_eq(store_commit(&txn), OK);
    cr_assert_eq(fixture_size(&fixture, number), 5);
    batch_close(&batch);
    log_fixture_close(&fixture);
}

Test(log, several_logs_grow_side_by_side)
{
    struct log_fixture fixture;
    log_fixture_open(&fixture);
    struct log_id ids[5];
    for (uint8_t i = 0; i < 5; i++) {
        ids[i] = sample_log("ardabil", "hub", i);
        cr_assert_eq(fixture_create(&fixture, &ids[i]), i);
    }
    for (uint32_t round = 0; round < 12; round++)
        for (uint32_t i = 0; i < 5; i++)
            fixture_append(&fixture, (i * 3 + round) % 5, &ids[(i * 3 + round) % 5], 1 + i, true);
    struct store_txn txn = reading(&fixture);
    for (uint32_t i = 0; i < 5; i++) {
        struct seen seen = { &ids[i], 0, UINT64_MAX, OK, true };
        cr_assert_eq(log_scan(fixture.logs, &txn, i, 0, UINT64_MAX, true, see, &seen), OK);
        struct log_state state;
        cr_assert_eq(log_state_get(fixture.logs, &txn, i, &state), OK);
        cr_assert_eq(state.size, seen.next);
    }
    store_abort(&txn);
    log_fixture_close(&fixture);
}

/* ---- proofs ---------------------------------------------------------------------------------- */

Test(log, proofs_from_the_store_verify_for_every_kind)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    const uint64_t size = 1300;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    for (uint64_t at = 0; at < size; at += 100)
        fixture_append(&fixture, number, &id, 100, true);
    struct store_txn txn = reading(&fixture);
    struct log_source source = { .logs = fixture.logs, .txn = &txn, .number = number };
    struct merkle_source tree = log_merkle_source(&source);
    struct merkle_frontier frontier;
    struct merkle_proof proof;
    struct hash root, old_root, leaf;
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    cr_assert_eq(log_frontier(fixture.logs, &txn, number, &frontier), OK);
    merkle_frontier_root(&frontier, &root);
    for (uint64_t i = 0; i < size; i += 13) {
        cr_assert_eq(merkle_prove_inclusion(&tree, i, size, &proof), OK);
        cr_assert_eq(log_read(fixture.logs, &txn, number, i, &scratch, &record, &header, &leaf),
                     OK);
        cr_assert_eq(merkle_verify_inclusion(&leaf, i, size, &proof, &root), OK);
        cr_assert_eq(merkle_root(&tree, i, &old_root), OK);
        cr_assert_eq(merkle_prove_consistency(&tree, i, size, &proof), OK);
        cr_assert_eq(merkle_verify_consistency(i, &old_root, size, &root, &proof), OK);
    }
    for (uint64_t first = 0; first < size; first += MERKLE_BLOCK_SIZE) {
        struct hash block;
        uint64_t count = size - first < MERKLE_BLOCK_SIZE ? size - first : MERKLE_BLOCK_SIZE;
        cr_assert_eq(merkle_prove_block(&tree, first, size, &proof), OK);
        cr_assert_eq(merkle_range_root(&tree, first, count, &block), OK);
        cr_assert_eq(merkle_verify_block(&block, first, size, &proof, &root), OK);
    }
    store_abort(&txn);
    buffer_close(&scratch);
    log_fixture_close(&fixture);
}

Test(log, the_newest_note_within_limits_is_found)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct buffer note = { 0 };
    struct checkpoint checkpoint;
    uint64_t size;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    for (int i = 0; i < 5; i++)
        fixture_append(&fixture, number, &id, 10, i != 2); /* none at 30 */
    struct store_txn txn = reading(&fixture);
    static const uint64_t cases[][3] = {
        /* from, limit, expected */
        { 1, UINT64_MAX, 50 }, { 1, 50, 50 }, { 1, 49, 40 }, { 1, 39, 20 },  { 21, 39, 0 },
        { 1, 9, 0 },           { 51, 90, 0 }, { 0, 0, 0 },   { 10, 10, 10 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_clear(&note);
        enum err err = log_note(fixture.logs, &txn, number, cases[i][0], cases[i][1], &note, &size);
        cr_assert_eq(err, cases[i][2] ? OK : ERR_NOT_FOUND, "case %zu", i);
        if (err != OK)
            continue;
        cr_assert_eq(size, cases[i][2]);
        cr_assert_eq(checkpoint_open(&checkpoint, buffer_bytes(&note), &fixture.key.public), OK);
        cr_assert_eq(checkpoint.size, size);
    }
    store_abort(&txn);
    buffer_close(&note);
    log_fixture_close(&fixture);
}

/* ---- followed logs --------------------------------------------------------------------------- */

static enum err advance(struct log_fixture *fixture, uint32_t number, const struct log_id *id,
                        uint64_t expected, uint64_t size)
{
    struct checkpoint checkpoint = { .log = *id, .size = size };
    char note[32];
    snprintf(note, sizeof note, "note %llu", (unsigned long long)size);
    struct store_txn txn = writing(fixture);
    enum err err = log_pending_advance(fixture->logs, &txn, number, expected, &checkpoint,
                                       bytes_of_string(note));
    cr_assert_eq(store_commit(&txn), OK);
    return err;
}

Test(log, the_accepted_checkpoint_advances_only_from_the_one_compared_with)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("gilan", "hub", 1);
    struct log_state state;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    cr_assert_eq(advance(&fixture, number, &id, 5, 10), ERR_STALE);
    cr_assert_eq(advance(&fixture, number, &id, 0, 10), OK);
    cr_assert_eq(advance(&fixture, number, &id, 0, 20), ERR_STALE);
    cr_assert_eq(advance(&fixture, number, &id, 10, 10), ERR_STALE);
    cr_assert_eq(advance(&fixture, number, &id, 10, 20), OK);
    struct store_txn txn = reading(&fixture);
    cr_assert_eq(log_state_get(fixture.logs, &txn, number, &state), OK);
    cr_assert_eq(state.pending_size, 20);
    store_abort(&txn);
    cr_assert_eq(advance(&fixture, number, &id, 20, 15), OK, "a step back above what is held");
    txn = reading(&fixture);
    cr_assert_eq(log_state_get(fixture.logs, &txn, number, &state), OK);
    cr_assert_eq(state.pending_size, 15);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

Test(log, a_note_of_what_is_held_is_kept_and_leaves_what_is_pending)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("gilan", "hub", 1);
    struct checkpoint checkpoint = { .log = id, .size = 7 };
    struct log_state state;
    struct buffer note = { 0 };
    uint64_t size;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    cr_assert_eq(advance(&fixture, number, &id, 0, 30), OK);
    struct store_txn txn = writing(&fixture);
    cr_assert_eq(log_note_accept(fixture.logs, &txn, number, &checkpoint, bytes_of_string("7")),
                 ERR_GAP);
    store_abort(&txn);
    fixture_append(&fixture, number, &id, 20, false);
    txn = writing(&fixture);
    cr_assert_eq(log_note_accept(fixture.logs, &txn, number, &checkpoint, bytes_of_string("7")), OK);
    cr_assert_eq(store_commit(&txn), OK);
    txn = reading(&fixture);
    cr_assert_eq(log_note(fixture.logs, &txn, number, 1, 20, &note, &size), OK);
    cr_assert_eq(size, 7);
    cr_assert_eq(log_state_get(fixture.logs, &txn, number, &state), OK);
    cr_assert_eq(state.pending_size, 30);
    store_abort(&txn);
    buffer_close(&note);
    txn = writing(&fixture);
    cr_assert_eq(log_note_forget(fixture.logs, &txn, number, 7), OK);
    cr_assert_eq(log_note_forget(fixture.logs, &txn, number, 8), OK, "there was none");
    cr_assert_eq(log_note(fixture.logs, &txn, number, 1, 20, &note, &size), ERR_NOT_FOUND);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

static enum err cosign(struct log_fixture *fixture, uint32_t number, uint64_t size)
{
    struct store_txn txn = writing(fixture);
    enum err err = log_cosign(fixture->logs, &txn, number, size, bytes_of_string("receipt"));
    cr_assert_eq(store_commit(&txn), OK);
    return err;
}

Test(log, a_receipt_is_given_for_what_is_held_and_never_a_smaller_one)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("gilan", "hub", 1);
    struct log_state state;
    struct buffer receipt = { 0 };
    uint64_t size;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    cr_assert_eq(cosign(&fixture, number, 1), ERR_GAP);
    fixture_append(&fixture, number, &id, 20, false);
    cr_assert_eq(cosign(&fixture, number, 21), ERR_GAP);
    cr_assert_eq(cosign(&fixture, number, 15), OK);
    cr_assert_eq(cosign(&fixture, number, 14), ERR_STALE);
    cr_assert_eq(cosign(&fixture, number, 15), OK);
    struct store_txn txn = reading(&fixture);
    cr_assert_eq(log_state_get(fixture.logs, &txn, number, &state), OK);
    cr_assert_eq(state.cosigned_size, 15);
    cr_assert_eq(log_receipt_get(fixture.logs, &txn, number, "ardabil", &receipt, &size), OK);
    cr_assert_eq(size, 15);
    store_abort(&txn);
    buffer_close(&receipt);
    log_fixture_close(&fixture);
}

Test(log, accepted_notes_behind_a_receipt_are_thinned_out_and_later_ones_kept)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("gilan", "hub", 1);
    struct buffer note = { 0 };
    uint64_t size;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    for (uint64_t at = 0; at < 5000; at += 500) {
        fixture_append(&fixture, number, &id, 500, false);
        cr_assert_eq(advance(&fixture, number, &id, at, at + 500), OK);
    }
    cr_assert_eq(cosign(&fixture, number, 4000), OK);
    cr_assert_eq(cosign(&fixture, number, 4500), OK);
    struct store_txn txn = reading(&fixture);
    static const uint64_t cases[][2] = {
        /* limit, found */
        { 3999, 0 }, { 4000, 4000 }, { 4499, 4000 }, { 4999, 4500 }, { 9999, 5000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum err err = log_note(fixture.logs, &txn, number, 1, cases[i][0], &note, &size);
        cr_assert_eq(err, cases[i][1] ? OK : ERR_NOT_FOUND, "case %zu", i);
        cr_assert_eq(size, cases[i][1], "case %zu", i);
    }
    store_abort(&txn);
    buffer_close(&note);
    log_fixture_close(&fixture);
}

Test(log, of_each_hub_the_largest_receipt_is_kept)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct buffer receipt = { 0 };
    uint64_t size;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    struct store_txn txn = writing(&fixture);
    struct buffer nine = { 0 }, eight = { 0 };
    checkpoint_sign(&nine, &(struct checkpoint){ .log = id, .size = 9 }, &fixture.key);
    checkpoint_sign(&eight, &(struct checkpoint){ .log = id, .size = 8 }, &fixture.key);
    cr_assert_eq(log_receipt_put(fixture.logs, &txn, number, "tehran", 9, buffer_bytes(&nine)), OK);
    cr_assert_eq(log_receipt_put(fixture.logs, &txn, number, "tehran", 8, buffer_bytes(&eight)), OK);
    cr_assert_eq(log_receipt_put(fixture.logs, &txn, number, "qom", 3, bytes_of("three", 5)), OK);
    cr_assert_eq(log_receipt_put(fixture.logs, &txn, number, "yazd", 9, buffer_bytes(&eight)), OK);
    cr_assert_eq(log_receipt_put(fixture.logs, &txn, number, "yazd", 8, buffer_bytes(&eight)), OK,
                 "one that says another size than it is kept under is none");
    cr_assert_eq(log_receipt_put(fixture.logs, &txn, number, "No!", 3, bytes_of("x", 1)),
                 ERR_INVALID);
    cr_assert_eq(store_commit(&txn), OK);
    txn = reading(&fixture);
    cr_assert_eq(log_receipt_get(fixture.logs, &txn, number, "tehran", &receipt, &size), OK);
    cr_assert_eq(size, 9);
    cr_assert(bytes_equal(buffer_bytes(&receipt), buffer_bytes(&nine)));
    buffer_clear(&receipt);
    cr_assert_eq(log_receipt_get(fixture.logs, &txn, number, "qom", &receipt, &size), OK);
    cr_assert(bytes_equal(buffer_bytes(&receipt), bytes_of("three", 5)));
    cr_assert_eq(log_receipt_get(fixture.logs, &txn, number, "yazd", &receipt, &size), OK);
    cr_assert_eq(size, 8);
    cr_assert_eq(log_receipt_get(fixture.logs, &txn, number, "kerman", &receipt, &size),
                 ERR_NOT_FOUND);
    store_abort(&txn);
    buffer_close(&receipt);
    buffer_close(&nine);
    buffer_close(&eight);
    log_fixture_close(&fixture);
}

/* I1: a journal gives up what hubs hold. */
Test(log, a_receipt_that_says_another_size_than_stands_before_it_counts_for_nothing)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct merkle_frontier frontier;
    struct buffer note = { 0 };
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    fixture_append(&fixture, number, &id, 9, true);
    struct store_txn txn = writing(&fixture);
    cr_assert_eq(log_frontier(fixture.logs, &txn, number, &frontier), OK);
    sample_note(&note, &id, &frontier, &fixture.key);
    cr_assert_eq(log_receipt_put(fixture.logs, &txn, number, "qom", 9, buffer_bytes(&note)), OK);
    cr_assert_eq(log_receipted_size(fixture.logs, &txn, number, 1), 9);
    for (unsigned bit = 0; bit < 64; bit++) {
        struct log_key key = log_key_hub(number, "qom");
        struct buffer value = { 0 };
        buffer_append_u64(&value, 9 ^ UINT64_C(1) << bit);
        buffer_append_bytes(&value, buffer_bytes(&note));
        store_put(&txn, LOG_RECEIPTS, log_key_bytes(&key), buffer_bytes(&value));
        cr_assert_eq(log_receipted_size(fixture.logs, &txn, number, 1), 0, "bit %u", bit);
        buffer_close(&value);
    }
    store_abort(&txn);
    buffer_close(&note);
    log_fixture_close(&fixture);
}

Test(log, a_frozen_log_takes_nothing_of_its_writer_but_what_is_fetched_and_keeps_its_evidence)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("gilan", "hub", 1);
    struct merkle_frontier frontier;
    struct batch_builder batch;
    struct buffer evidence = { 0 };
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    fixture_append(&fixture, number, &id, 3, false);
    struct store_txn txn = writing(&fixture);
    cr_assert_eq(log_freeze(fixture.logs, &txn, number, bytes_of("first", 5)), OK);
    cr_assert_eq(log_freeze(fixture.logs, &txn, number, bytes_of("second", 6)), OK);
    log_frontier(fixture.logs, &txn, number, &frontier);
    batch_begin(&batch, &frontier);
    sample_batch(&batch, &id, FIXTURE_SEED, 1, 10, log_store_data_key(fixture.logs));
    cr_assert_eq(log_append(fixture.logs, &txn, number, &batch, bytes_of("note", 4)), ERR_STALE);
    cr_assert_eq(store_commit(&txn), OK);
    cr_assert_eq(advance(&fixture, number, &id, 0, 10), OK);
    cr_assert_eq(log_fixture_reopen(&fixture), OK);
    txn = writing(&fixture);
    cr_assert_eq(log_append(fixture.logs, &txn, number, &batch, bytes_of("note", 4)), ERR_STALE);
    cr_assert_eq(log_append(fixture.logs, &txn, number, &batch, BYTES_NONE), OK);
    cr_assert_eq(log_fork_get(fixture.logs, &txn, number, 1, &evidence), OK);
    cr_assert(bytes_equal(buffer_bytes(&evidence), bytes_of("second", 6)));
    cr_assert_eq(log_fork_get(fixture.logs, &txn, number, 2, &evidence), ERR_NOT_FOUND);
    store_abort(&txn);
    buffer_close(&evidence);
    batch_close(&batch);
    log_fixture_close(&fixture);
}

/* ---- erasing --------------------------------------------------------------------------------- */

Test(log, an_erased_person_is_gone_and_every_proof_still_holds)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf, root;
    struct merkle_proof proof;
    struct merkle_frontier frontier;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    fixture_fill(&fixture, number, &id, 30, 8);
    struct store_txn txn = writing(&fixture);
    cr_assert_eq(log_erase_person(fixture.logs, &txn, number, 17), OK);
    cr_assert_eq(log_erase_person(fixture.logs, &txn, number, 17), OK);
    cr_assert_eq(log_erase_person(fixture.logs, &txn, number, 0), OK); /* it has none */
    cr_assert_eq(log_erase_person(fixture.logs, &txn, number, 30), ERR_NOT_FOUND);
    cr_assert_eq(store_commit(&txn), OK);
    txn = reading(&fixture);
    cr_assert_eq(log_read(fixture.logs, &txn, number, 17, &scratch, &record, &header, &leaf), OK);
    cr_assert(record.person_absent);
    cr_assert_eq(record.person.size, 0);
    cr_assert(header.has_person);
    struct log_source source = { .logs = fixture.logs, .txn = &txn, .number = number };
    struct merkle_source tree = log_merkle_source(&source);
    cr_assert_eq(log_frontier(fixture.logs, &txn, number, &frontier), OK);
    merkle_frontier_root(&frontier, &root);
    cr_assert_eq(merkle_prove_inclusion(&tree, 17, 30, &proof), OK);
    cr_assert_eq(merkle_verify_inclusion(&leaf, 17, 30, &proof, &root), OK);
    cr_assert_eq(log_read(fixture.logs, &txn, number, 18, &scratch, &record, &header, &leaf), OK);
    expect_record(&id, 18, &record, &header, &leaf);
    store_abort(&txn);
    buffer_close(&scratch);
    log_fixture_close(&fixture);
}

Test(log, a_wrong_data_key_serves_nothing)
{
    struct log_fixture fixture;
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    log_fixture_open(&fixture);
    uint32_t number = fixture_create(&fixture, &id);
    fixture_append(&fixture, number, &id, 3, true);
    fixture.options.data_key.bytes[0] ^= 1;
    cr_assert_eq(log_fixture_reopen(&fixture), OK);
    struct store_txn txn = reading(&fixture);
    cr_assert_eq(log_read(fixture.logs, &txn, number, 2, &scratch, &record, &header, &leaf),
                 ERR_CORRUPT);
    store_abort(&txn);
    buffer_close(&scratch);
    log_fixture_close(&fixture);
}

/* ---- incarnations ---------------------------------------------------------------------------- */

static struct log_head head_of(struct log_fixture *fixture, uint32_t number,
                               const struct log_id *id)
{
    struct log_head head = { .log = *id };
    struct merkle_frontier frontier;
    struct store_txn txn = reading(fixture);
    cr_assert_eq(log_frontier(fixture->logs, &txn, number, &frontier), OK);
    store_abort(&txn);
    head.size = frontier.size;
    merkle_frontier_root(&frontier, &head.root);
    return head;
}

static uint32_t open_incarnation(struct log_fixture *fixture, const struct log_id *id,
                                 const struct log_head *parents, size_t count)
{
    struct sample sample;
    struct batch_builder batch;
    struct merkle_frontier empty = { 0 };
    uint32_t number = fixture_create(fixture, id);
    sample_incarnation(&sample, id, FIXTURE_SEED, parents, count);
    batch_begin(&batch, &empty);
    batch_add(&batch, &sample.record, &sample.leaf, log_store_data_key(fixture->logs));
    struct store_txn txn = writing(fixture);
    cr_assert_eq(log_append(fixture->logs, &txn, number, &batch, BYTES_NONE), OK);
    cr_assert_eq(store_commit(&txn), OK);
    batch_close(&batch);
    sample_close(&sample);
    return number;
}

static size_t tips_of(struct log_fixture *fixture, struct log_head *tips)
{
    size_t count;
    struct store_txn txn = reading(fixture);
    cr_assert_eq(log_tips(fixture->logs, &txn, "ardabil", "hub", tips, 8, &count), OK);
    store_abort(&txn);
    return count;
}

Test(log, the_tips_are_what_no_other_held_log_covers_wholly)
{
    struct log_fixture fixture;
    struct log_id a = sample_log("ardabil", "hub", 1), b = sample_log("ardabil", "hub", 2),
                  c = sample_log("ardabil", "hub", 3), other = sample_log("ardabil", "gilan", 4);
    struct log_head tips[8], parents[2];
    log_fixture_open(&fixture);
    cr_assert_eq(tips_of(&fixture, tips), 0);
    uint32_t number_a = open_incarnation(&fixture, &a, NULL, 0);
    fixture_append(&fixture, number_a, &a, 4, true);
    uint32_t number_other = open_incarnation(&fixture, &other, NULL, 0); /* another audience */
    cr_assert_eq(tips_of(&fixture, tips), 1);
    cr_assert_eq(tips[0].size, 5);

    parents[0] = head_of(&fixture, number_a, &a);
    uint32_t number_b = open_incarnation(&fixture, &b, parents, 1);
    cr_assert_eq(tips_of(&fixture, tips), 1);
    cr_assert(log_id_equal(&tips[0].log, &b));

    fixture_append(&fixture, number_a, &a, 2, true); /* a suffix was handed back */
    cr_assert_eq(tips_of(&fixture, tips), 2);
    parents[0] = head_of(&fixture, number_a, &a);
    parents[1] = head_of(&fixture, number_b, &b);
    cr_assert(hash_equal(&tips[0].root, &parents[0].root));
    open_incarnation(&fixture, &c, parents, 2);
    cr_assert_eq(tips_of(&fixture, tips), 1);
    cr_assert(log_id_equal(&tips[0].log, &c));

    struct log_head named[4];
    size_t count;
    struct store_txn txn = reading(&fixture);
    cr_assert_eq(log_parents(fixture.logs, &txn, 3, named, 4, &count), OK);
    cr_assert_eq(count, 2);
    cr_assert_eq(named[0].size, 7);
    cr_assert_eq(log_parents(fixture.logs, &txn, 3, named, 1, &count), ERR_TOO_LARGE);
    cr_assert_eq(log_parents(fixture.logs, &txn, number_other, named, 4, &count), OK);
    cr_assert_eq(count, 0);
    cr_assert_eq(log_parents(fixture.logs, &txn, 77, named, 4, &count), ERR_NOT_FOUND);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

Test(log, a_log_whose_ancestors_are_not_all_here_is_no_tip)
{
    struct log_fixture fixture;
    struct log_id a = sample_log("ardabil", "hub", 1), b = sample_log("ardabil", "hub", 2),
                  c = sample_log("ardabil", "hub", 3);
    struct log_head tips[8], parent = { .log = a, .size = 1 };
    log_fixture_open(&fixture);
    open_incarnation(&fixture, &b, &parent, 1);
    cr_assert_eq(tips_of(&fixture, tips), 0, "its parent is not here");
    parent = (struct log_head){ .log = b, .size = 1 };
    open_incarnation(&fixture, &c, &parent, 1);
    cr_assert_eq(tips_of(&fixture, tips), 0, "nor is the parent of its parent");
    open_incarnation(&fixture, &a, NULL, 0);
    cr_assert_eq(tips_of(&fixture, tips), 1);
    cr_assert(log_id_equal(&tips[0].log, &c));
    log_fixture_close(&fixture);
}
