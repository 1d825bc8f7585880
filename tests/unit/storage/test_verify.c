#include "storage/erase.h"
#include "storage/log_private.h"
#include "storage/verify.h"
#include "tests/unit/storage/log_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fixture_key(void *context, const struct log_id *id, struct sign_public *key)
{
    struct log_fixture *fixture = context;
    *key = fixture->key.public;
    return strcmp(id->node, "ardabil") == 0;
}

static struct store_txn writing(struct log_fixture *fixture)
{
    return store_begin_write(log_store_environment(fixture->logs));
}

static void verify_all(struct verify *verify, struct log_fixture *fixture, struct store_txn *txn)
{
    enum err err;
    cr_assert_eq(verify_open(verify, fixture->logs, fixture_key, fixture), OK);
    while ((err = verify_step(verify, txn, 1 << 20)) == OK)
        ;
    cr_assert_eq(err, ERR_END);
}

/* The number of failures of a whole run, and of the tail, inside `txn`. */
static uint64_t failures_of(struct log_fixture *fixture, struct store_txn *txn)
{
    struct verify verify;
    verify_all(&verify, fixture, txn);
    uint64_t failures = verify.report.failures;
    verify_close(&verify);
    return failures;
}

static uint64_t tail_failures_of(struct log_fixture *fixture, struct store_txn *txn)
{
    struct verify verify;
    cr_assert_eq(verify_open(&verify, fixture->logs, fixture_key, fixture), OK);
    cr_assert_eq(verify_tail(&verify, txn), OK);
    uint64_t failures = verify.report.failures;
    verify_close(&verify);
    return failures;
}

static void expect_only(struct log_fixture *fixture, struct store_txn *txn, enum verify_fault fault,
                        uint32_t number, uint64_t position)
{
    struct verify verify;
    verify_all(&verify, fixture, txn);
    cr_assert_eq(verify.report.failures, 1);
    cr_assert_eq(verify.report.list[0].fault, fault, "%s",
                 verify_fault_name(verify.report.list[0].fault));
    cr_assert_eq(verify.report.list[0].number, number);
    cr_assert_eq(verify.report.list[0].position, position);
    verify_close(&verify);
}

static struct log_id ids[3];

/* Log 0: own, in small batches; log 1: followed, 600 records; log 2: own and empty. */
static void filled_open(struct log_fixture *fixture)
{
    log_fixture_open(fixture);
    ids[0] = sample_log("ardabil", "hub", 1);
    ids[1] = sample_log("gilan", "hub", 1);
    ids[2] = sample_log("ardabil", "hub", 2);
    for (uint32_t i = 0; i < 3; i++)
        fixture_create(fixture, &ids[i]);
    fixture_fill(fixture, 0, &ids[0], 20, 5);
    for (int i = 0; i < 3; i++)
        fixture_append(fixture, 1, &ids[1], 200, false);
    struct merkle_frontier frontier;
    struct buffer note = { 0 };
    struct checkpoint checkpoint;
    struct store_txn txn = writing(fixture);
    log_frontier(fixture->logs, &txn, 1, &frontier);
    sample_note(&note, &ids[1], &frontier, &fixture->key);
    cr_assert_eq(checkpoint_parse(&checkpoint, buffer_bytes(&note)), OK);
    cr_assert_eq(log_pending_advance(fixture->logs, &txn, 1, 0, &checkpoint, buffer_bytes(&note)),
                 OK);
    cr_assert_eq(log_cosign(fixture->logs, &txn, 1, 600, buffer_bytes(&note)), OK);
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&note);
}

Test(verify, a_sound_store_has_no_failures_and_everything_was_looked_at)
{
    struct log_fixture fixture;
    struct verify verify;
    filled_open(&fixture);
    struct store_txn txn = writing(&fixture);
    log_erase_person(fixture.logs, &txn, 0, 7);
    log_withheld_add(fixture.logs, &txn, 0, 7);
    verify_all(&verify, &fixture, &txn);
    cr_assert_eq(verify.report.failures, 0);
    cr_assert_eq(verify.report.logs, 3);
    cr_assert_eq(verify.report.records, 620);
    cr_assert_eq(verify.report.absent, 1);
    verify_close(&verify);
    cr_assert_eq(tail_failures_of(&fixture, &txn), 0);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

Test(verify, it_resumes_from_what_was_saved_at_any_step)
{
    struct log_fixture fixture;
    struct verify verify;
    struct buffer saved = { 0 };
    unsigned steps = 0;
    filled_open(&fixture);
    struct store_txn txn = writing(&fixture);
    cr_assert_eq(verify_open(&verify, fixture.logs, fixture_key, &fixture), OK);
    while (verify_step(&verify, &txn, 1) == OK) {
        steps++;
        buffer_clear(&saved);
        verify_save(&verify, &saved);
        verify_close(&verify);
        cr_assert_eq(verify_open(&verify, fixture.logs, fixture_key, &fixture), OK);
        for (size_t size = 0; size < saved.size; size++)
            cr_assert_eq(verify_load(&verify, bytes_of(saved.data, size)), ERR_MALFORMED);
        cr_assert_eq(verify_load(&verify, buffer_bytes(&saved)), OK);
    }
    cr_assert(steps > 8);
    cr_assert_eq(verify.report.records, 620);
    cr_assert_eq(verify.report.failures, 0);
    cr_assert_eq(verify.report.logs, 3);
    verify_close(&verify);
    buffer_close(&saved);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

Test(verify, the_other_branch_of_a_forked_log_is_looked_at_too)
{
    struct log_fixture fixture;
    struct verify verify;
    uint32_t number;
    filled_open(&fixture);
    struct store_txn txn = writing(&fixture);
    cr_assert_eq(log_branch(fixture.logs, &txn, &ids[1], true, &number), OK);
    cr_assert_eq(store_commit(&txn), OK);
    fixture_append(&fixture, number, &ids[1], 5, false);
    txn = writing(&fixture);
    verify_all(&verify, &fixture, &txn);
    cr_assert_eq(verify.report.failures, 0);
    cr_assert_eq(verify.report.records, 625);
    verify_close(&verify);
    cr_assert_eq(tail_failures_of(&fixture, &txn), 0);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* A copy of one entry, to be put back changed. */
static struct buffer entry_of(struct store_txn *txn, unsigned table, struct log_key key)
{
    struct bytes value;
    struct buffer copy = { 0 };
    cr_assert_eq(store_get(txn, table, log_key_bytes(&key), &value), OK);
    buffer_append_bytes(&copy, value);
    return copy;
}

static void put_entry(struct store_txn *txn, unsigned table, struct log_key key,
                      const struct buffer *value)
{
    store_put(txn, table, log_key_bytes(&key), buffer_bytes(value));
}

static void expect_every_flip_found(struct log_fixture *fixture, unsigned table, struct log_key key,
                                    size_t from, size_t step, bool in_tail)
{
    struct store_txn txn = writing(fixture);
    struct buffer value = entry_of(&txn, table, key);
    for (size_t at = from; at < value.size; at += step) {
        value.data[at] ^= (uint8_t)(1u << at % 8);
        put_entry(&txn, table, key, &value);
        if (in_tail)
            cr_assert_neq(tail_failures_of(fixture, &txn), 0, "byte %zu", at);
        else
            cr_assert_neq(failures_of(fixture, &txn), 0, "byte %zu", at);
        value.data[at] ^= (uint8_t)(1u << at % 8);
    }
    put_entry(&txn, table, key, &value);
    cr_assert_eq(failures_of(fixture, &txn), 0);
    buffer_close(&value);
    store_abort(&txn);
}

/* Only the format byte is left out: another number there is a newer program, not damage. */
Test(verify, every_changed_byte_of_a_batch_is_found)
{
    struct log_fixture fixture;
    log_fixture_open(&fixture);
    ids[0] = sample_log("ardabil", "hub", 1);
    fixture_create(&fixture, &ids[0]);
    fixture_append(&fixture, 0, &ids[0], 2, true);
    fixture_append(&fixture, 0, &ids[0], 3, true);
    expect_every_flip_found(&fixture, LOG_BATCHES, log_key_position(0, 0), 1, 1, false);
    expect_every_flip_found(&fixture, LOG_BATCHES, log_key_position(0, 2), 1, 1, true);
    log_fixture_close(&fixture);
}

Test(verify, every_changed_byte_of_tree_nodes_notes_receipts_and_the_pending_root_is_found)
{
    struct log_fixture fixture;
    filled_open(&fixture);
    expect_every_flip_found(&fixture, LOG_TREE, log_key_tree(1, 8, 1), 0, 5, false);
    expect_every_flip_found(&fixture, LOG_TREE, log_key_tree(1, 9, 0), 0, 5, false);
    /* Signatures of followed logs were checked when they were accepted; the text up to them. */
    struct store_txn txn = writing(&fixture);
    struct buffer note = entry_of(&txn, LOG_NOTES, log_key_position(1, 600));
    size_t text = (size_t)((uint8_t *)memmem(note.data, note.size, "\n\n", 2) - note.data);
    for (size_t at = 0; at < text; at += 3) {
        note.data[at] ^= 1;
        put_entry(&txn, LOG_NOTES, log_key_position(1, 600), &note);
        cr_assert_neq(failures_of(&fixture, &txn), 0, "byte %zu", at);
        note.data[at] ^= 1;
    }
    store_abort(&txn);
    buffer_close(&note);
    txn = writing(&fixture);
    struct buffer receipt = entry_of(&txn, LOG_RECEIPTS, log_key_hub(1, "ardabil"));
    receipt.data[7] ^= 1; /* the size in front of the note */
    put_entry(&txn, LOG_RECEIPTS, log_key_hub(1, "ardabil"), &receipt);
    cr_assert_neq(failures_of(&fixture, &txn), 0);
    store_abort(&txn);
    buffer_close(&receipt);
    txn = writing(&fixture);
    struct buffer row = entry_of(&txn, LOG_LOGS, log_key_number(1));
    row.data[20] ^= 1;
    put_entry(&txn, LOG_LOGS, log_key_number(1), &row);
    expect_only(&fixture, &txn, VERIFY_NOTE, 1, 600);
    store_abort(&txn);
    buffer_close(&row);
    log_fixture_close(&fixture);
}

/* Changes one byte of a batch of log 0 inside a transaction and expects one failure. */
static void expect_fault(struct log_fixture *fixture, uint64_t first,
                         size_t (*where)(const struct batch_view *, const uint8_t *),
                         enum verify_fault fault, uint64_t position)
{
    struct batch_view view;
    struct store_txn txn = writing(fixture);
    struct log_key key = log_key_position(0, first);
    struct buffer value = entry_of(&txn, LOG_BATCHES, key);
    cr_assert_eq(batch_open(&view, buffer_bytes(&value)), OK);
    value.data[where(&view, value.data)] ^= 0x10;
    put_entry(&txn, LOG_BATCHES, key, &value);
    expect_only(fixture, &txn, fault, 0, position);
    store_abort(&txn);
    buffer_close(&value);
}

static size_t in_record(const struct batch_view *view, const uint8_t *value, int part)
{
    struct record sealed;
    struct hash leaf;
    cr_assert_eq(batch_record(view, 1, &sealed, &leaf), OK);
    struct bytes bytes = part == 0 ? sealed.header : part == 1 ? sealed.facts : sealed.person;
    return (size_t)(bytes.data - value) + bytes.size / 2;
}

static size_t in_header(const struct batch_view *view, const uint8_t *value)
{
    return in_record(view, value, 0);
}

static size_t in_facts(const struct batch_view *view, const uint8_t *value)
{
    return in_record(view, value, 1);
}

static size_t in_person(const struct batch_view *view, const uint8_t *value)
{
    return in_record(view, value, 2);
}

static size_t in_leaf(const struct batch_view *view, const uint8_t *value)
{
    return (size_t)(view->leaves - value) + HASH_SIZE + 3;
}

static size_t in_frontier(const struct batch_view *view, const uint8_t *value)
{
    return (size_t)(view->frontier - value) + 3;
}

Test(verify, each_kind_of_damage_is_named_with_its_exact_place)
{
    struct log_fixture fixture;
    filled_open(&fixture);
    /* Batches of log 0 begin at 0, 1, 3, 6, 10, 15, …: the second record of the one at 6 is 7. */
    expect_fault(&fixture, 6, in_header, VERIFY_RECORD, 7);
    expect_fault(&fixture, 6, in_facts, VERIFY_RECORD, 7);
    expect_fault(&fixture, 6, in_person, VERIFY_PERSON, 7);
    expect_fault(&fixture, 6, in_leaf, VERIFY_LEAF, 7);
    expect_fault(&fixture, 6, in_frontier, VERIFY_FRONTIER, 6);
    log_fixture_close(&fixture);
}

Test(verify, a_lost_batch_is_told_wherever_it_was)
{
    struct log_fixture fixture;
    filled_open(&fixture);
    struct log_key middle = log_key_position(0, 6), first = log_key_position(0, 0);
    struct log_key last = log_key_position(1, 400);
    struct store_txn txn = writing(&fixture);
    store_delete(&txn, LOG_BATCHES, log_key_bytes(&middle));
    expect_only(&fixture, &txn, VERIFY_BATCH, 0, 6);
    store_abort(&txn);
    txn = writing(&fixture);
    store_delete(&txn, LOG_BATCHES, log_key_bytes(&first));
    expect_only(&fixture, &txn, VERIFY_BATCH, 0, 0);
    store_abort(&txn);
    txn = writing(&fixture);
    store_delete(&txn, LOG_BATCHES, log_key_bytes(&last));
    expect_only(&fixture, &txn, VERIFY_MISSING, 1, 400); /* a receipt covers 600 */
    cr_assert_eq(tail_failures_of(&fixture, &txn), 1);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

Test(verify, an_unreadable_batch_is_told_once_and_the_rest_is_still_checked)
{
    struct log_fixture fixture;
    struct verify verify;
    filled_open(&fixture);
    struct store_txn txn = writing(&fixture);
    struct log_key key = log_key_position(0, 6), later = log_key_position(0, 15);
    struct buffer value = entry_of(&txn, LOG_BATCHES, key);
    value.data[4] = 0xff; /* its record count */
    put_entry(&txn, LOG_BATCHES, key, &value);
    expect_only(&fixture, &txn, VERIFY_BATCH, 0, 6);
    buffer_close(&value);
    value = entry_of(&txn, LOG_BATCHES, later);
    value.data[value.size - 1] ^= 1; /* the last person part of [15, 16) */
    put_entry(&txn, LOG_BATCHES, later, &value);
    verify_all(&verify, &fixture, &txn);
    cr_assert_eq(verify.report.failures, 2);
    cr_assert_eq(verify.report.list[1].fault, VERIFY_PERSON);
    cr_assert_eq(verify.report.list[1].position, 15);
    verify_close(&verify);
    buffer_close(&value);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

Test(verify, a_note_signed_by_another_key_is_told_for_own_logs)
{
    struct log_fixture fixture;
    filled_open(&fixture);
    fixture.key = sample_key(99);
    struct store_txn txn = writing(&fixture);
    cr_assert_eq(tail_failures_of(&fixture, &txn), 1);
    cr_assert(failures_of(&fixture, &txn) > 1);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

Test(verify, a_damaged_row_does_not_stop_the_other_logs)
{
    struct log_fixture fixture;
    struct verify verify;
    filled_open(&fixture);
    struct store_txn txn = writing(&fixture);
    struct buffer row = entry_of(&txn, LOG_LOGS, log_key_number(0));
    row.data[row.size - 1] = 'X';
    put_entry(&txn, LOG_LOGS, log_key_number(0), &row);
    verify_all(&verify, &fixture, &txn);
    cr_assert_eq(verify.report.failures, 1);
    cr_assert_eq(verify.report.list[0].fault, VERIFY_STATE);
    cr_assert_eq(verify.report.records, 600);
    verify_close(&verify);
    buffer_close(&row);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

/* ---- the tables beside the records ------------------------------------------------------------- */

static struct bytes key_bytes(const struct log_key *key)
{
    return bytes_of(key->bytes, key->size);
}

static void move_entry(struct store_txn *txn, unsigned table, struct log_key from, struct log_key to)
{
    struct buffer value = entry_of(txn, table, from);
    store_delete(txn, table, key_bytes(&from));
    put_entry(txn, table, to, &value);
    buffer_close(&value);
}

/* Each bit of the key in turn: what was under it is lost, and stands where it should not. */
static void expect_every_key_flip_found(struct log_fixture *fixture, unsigned table,
                                        struct log_key key)
{
    struct store_txn txn = writing(fixture);
    for (size_t bit = 0; bit < 8 * key.size; bit++) {
        struct log_key other = key;
        other.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        move_entry(&txn, table, key, other);
        cr_assert_neq(failures_of(fixture, &txn), 0, "table %u, bit %zu", table, bit);
        move_entry(&txn, table, other, key);
    }
    cr_assert_eq(failures_of(fixture, &txn), 0);
    store_abort(&txn);
}

static void erase_by_record(struct log_fixture *fixture, const struct log_id *id, uint64_t position)
{
    struct sample sample;
    struct batch_builder batch;
    struct merkle_frontier frontier = { 0 };
    struct store_txn txn = writing(fixture);
    cr_assert_eq(log_frontier(fixture->logs, &txn, 0, &frontier), OK);
    struct buffer part = { 0 };
    struct erase_facts erase = {
        .occurred_at_ms = 1, .log = *id, .position = position, .reason = bytes_of_string("asked")
    };
    cr_assert_eq(erase_facts_encode(&part, &erase), OK);
    sample_record(&sample, id, frontier.size, FIXTURE_SEED, RECORD_ERASE, buffer_bytes(&part),
                  BYTES_NONE);
    batch_begin(&batch, &frontier);
    batch_add(&batch, &sample.record, &sample.leaf, log_store_data_key(fixture->logs));
    cr_assert_eq(log_append(fixture->logs, &txn, 0, &batch, BYTES_NONE), OK);
    cr_assert_eq(erase_on_record(fixture->logs, &txn, &sample.header, buffer_bytes(&part)), OK);
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&part);
    sample_close(&sample);
    batch_close(&batch);
}

Test(verify, every_changed_bit_of_a_key_beside_the_records_is_found)
{
    struct log_fixture fixture;
    filled_open(&fixture);
    erase_by_record(&fixture, &ids[0], 7);
    struct store_txn txn = writing(&fixture);
    log_erase_person(fixture.logs, &txn, 0, 12);
    log_withheld_add(fixture.logs, &txn, 0, 12);
    cr_assert_eq(log_freeze(fixture.logs, &txn, 1, bytes_of_string("proof")), OK);
    cr_assert_eq(store_commit(&txn), OK);
    expect_every_key_flip_found(&fixture, LOG_ERASURES, log_key_erasure(&ids[0], 7));
    expect_every_key_flip_found(&fixture, LOG_WITHHELD, log_key_position(0, 12));
    expect_every_key_flip_found(&fixture, LOG_NOTES, log_key_position(1, 600));
    expect_every_key_flip_found(&fixture, LOG_RECEIPTS, log_key_hub(1, "ardabil"));
    expect_every_key_flip_found(&fixture, LOG_FORKS, log_key_fork(1, 0));
    log_fixture_close(&fixture);
}

Test(verify, what_was_to_be_erased_and_is_there_is_told)
{
    struct log_fixture fixture;
    filled_open(&fixture);
    struct store_txn txn = writing(&fixture);
    struct log_key key = log_key_erasure(&ids[0], 7);
    store_put(&txn, LOG_ERASURES, key_bytes(&key), BYTES_NONE);
    expect_only(&fixture, &txn, VERIFY_ERASURE, 0, 7);
    store_abort(&txn);
    log_fixture_close(&fixture);
}

/* ---- the ends ---------------------------------------------------------------------------------- */

static enum err ends_of(struct log_fixture *fixture)
{
    struct store_txn txn = store_begin_read(log_store_environment(fixture->logs));
    enum err err = verify_ends(fixture->logs, &txn);
    store_abort(&txn);
    return err;
}

/* Not only the last log can lose its end unseen: a search stops at a key that is out of order. */
Test(verify, a_log_that_ends_too_early_is_noticed_at_the_start)
{
    struct log_fixture fixture;
    filled_open(&fixture);
    cr_assert_eq(ends_of(&fixture), OK);
    struct store_txn txn = writing(&fixture);
    move_entry(&txn, LOG_BATCHES, log_key_position(1, 400), log_key_position(7, 400));
    cr_assert_eq(store_commit(&txn), OK);
    cr_assert_eq(ends_of(&fixture), ERR_CORRUPT); /* it lies behind */
    txn = writing(&fixture);
    struct log_key behind = log_key_position(7, 400);
    store_delete(&txn, LOG_BATCHES, log_key_bytes(&behind));
    cr_assert_eq(store_commit(&txn), OK);
    cr_assert_eq(ends_of(&fixture), ERR_CORRUPT); /* a receipt was given for 600 */
    log_fixture_close(&fixture);
}
