/* I11: what lies damaged in a log is put right from another copy, and nothing else is touched. */
#include "storage/erase.h"
#include "storage/log_mend.h"
#include "storage/log_private.h"
#include "storage/verify.h"
#include "tests/unit/storage/log_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_COUNT 30 /* in batches of 1 to 6: at 0, 1, 3, 6, 10, 15, 21 … */
#define BATCH_FIRST  10
#define BATCH_COUNT  5

static struct log_fixture fixture;
static struct log_id own;
static struct store_txn txn;

static void begin(void)
{
    log_fixture_open(&fixture);
    own = sample_log("ardabil", "hub", 1);
    fixture_create(&fixture, &own);
    fixture_fill(&fixture, 0, &own, RECORD_COUNT, 6);
    txn = store_begin_write(log_store_environment(fixture.logs));
}

static void end(void)
{
    store_abort(&txn);
    log_fixture_close(&fixture);
}

/* ---- another holder's copy ---- */

struct copy {
    struct sample samples[MERKLE_BLOCK_SIZE];
    struct record records[MERKLE_BLOCK_SIZE];
    uint8_t leaves[MERKLE_BLOCK_SIZE * HASH_SIZE];
    struct log_good good;
};

static struct copy copy;

static void copy_make(uint64_t first, uint32_t count)
{
    copy.good = (struct log_good){
        .first = first, .count = count, .records = copy.records, .leaves = copy.leaves
    };
    for (uint32_t i = 0; i < count; i++) {
        sample_request(&copy.samples[i], &own, first + i, FIXTURE_SEED, FIXTURE_TEXT_SIZE);
        copy.records[i] = copy.samples[i].record;
        memcpy(copy.leaves + (size_t)i * HASH_SIZE, copy.samples[i].leaf.bytes, HASH_SIZE);
    }
}

static void copy_close(void)
{
    for (uint32_t i = 0; i < copy.good.count; i++)
        sample_close(&copy.samples[i]);
}

static uint64_t mend(uint64_t first, uint32_t count)
{
    uint64_t mended;
    copy_make(first, count);
    cr_assert_eq(log_frontier_at(fixture.logs, &txn, 0, first, &copy.good.before), OK);
    cr_assert_eq(log_mend(fixture.logs, &txn, 0, &copy.good, &fixture.key.public, &mended), OK);
    copy_close();
    return mended;
}

/* ---- what lies there ---- */

static bool key_of(void *context, const struct log_id *id, struct sign_public *key)
{
    (void)context;
    *key = fixture.key.public;
    return strcmp(id->node, "ardabil") == 0;
}

static uint64_t failures(void)
{
    struct verify verify;
    cr_assert_eq(verify_open(&verify, fixture.logs, key_of, NULL), OK);
    while (verify_step(&verify, &txn, 1 << 20) == OK)
        ;
    uint64_t count = verify.report.failures;
    verify_close(&verify);
    return count;
}

static void value_get(uint64_t first, struct buffer *value)
{
    struct log_key key = log_key_position(0, first);
    struct bytes stored;
    buffer_clear(value);
    cr_assert_eq(store_get(&txn, LOG_BATCHES, log_key_bytes(&key), &stored), OK);
    buffer_append_bytes(value, stored);
}

static void value_put(uint64_t first, struct bytes value)
{
    struct log_key key = log_key_position(0, first);
    store_put(&txn, LOG_BATCHES, log_key_bytes(&key), value);
    cr_assert_eq(txn.err, OK);
}

static bool is_read(uint64_t position)
{
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    enum err err =
        log_read(fixture.logs, &txn, 0, position, &scratch, &record, &header, &leaf);
    buffer_close(&scratch);
    return err == OK;
}

/* ---- tests ---- */

Test(log_mend, whichever_byte_of_a_batch_changed_it_is_as_it_was, .init = begin, .fini = end)
{
    struct buffer good = { 0 }, value = { 0 };
    struct batch_view view;
    value_get(BATCH_FIRST, &good);
    cr_assert_eq(batch_open(&view, buffer_bytes(&good)), OK);
    size_t note_from = (size_t)(view.note.data - good.data), note_to = note_from + view.note.size;
    for (size_t at = 0; at < good.size; at++) {
        value_get(BATCH_FIRST, &value);
        value.data[at] ^= (uint8_t)(1u << at % 8);
        value_put(BATCH_FIRST, buffer_bytes(&value));
        cr_assert_eq(mend(BATCH_FIRST, BATCH_COUNT), 1, "byte %zu", at);
        value_get(BATCH_FIRST, &value);
        /* a note is not in what others send: the batch then has none, as if it was handed back */
        bool of_note = (at >= note_from && at < note_to) || value.size != good.size;
        cr_assert(of_note || bytes_equal(buffer_bytes(&value), buffer_bytes(&good)), "byte %zu", at);
        cr_assert(at % 16 != 0 || failures() == 0, "byte %zu", at);
        value_put(BATCH_FIRST, buffer_bytes(&good));
    }
    buffer_close(&good);
    buffer_close(&value);
}

Test(log_mend, what_is_sound_is_left_alone, .init = begin, .fini = end)
{
    cr_assert_eq(mend(1, 24), 0);
    cr_assert_eq(failures(), 0);
}

Test(log_mend, batches_that_are_gone_are_there_again, .init = begin, .fini = end)
{
    uint64_t first, range_end;
    for (uint64_t at = 3; at <= 6; at += 3) {
        struct log_key key = log_key_position(0, at);
        store_delete(&txn, LOG_BATCHES, log_key_bytes(&key));
    }
    cr_assert_eq(log_mend_range(fixture.logs, &txn, 0, 7, &first, &range_end), OK);
    cr_assert(first == 3 && range_end == 10);
    cr_assert_eq(mend(first, (uint32_t)(range_end - first)), 1);
    cr_assert_eq(failures(), 0);
}

Test(log_mend, what_is_to_be_asked_for_is_the_whole_batch, .init = begin, .fini = end)
{
    uint64_t first, range_end;
    struct buffer value = { 0 };
    cr_assert_eq(log_mend_range(fixture.logs, &txn, 0, 12, &first, &range_end), OK);
    cr_assert(first == BATCH_FIRST && range_end == BATCH_FIRST + BATCH_COUNT);
    value_get(BATCH_FIRST, &value);
    value.data[0] = 0; /* it cannot be read */
    value_put(BATCH_FIRST, buffer_bytes(&value));
    cr_assert_eq(log_mend_range(fixture.logs, &txn, 0, 12, &first, &range_end), OK);
    cr_assert(first == BATCH_FIRST && range_end == BATCH_FIRST + BATCH_COUNT);
    cr_assert_eq(log_mend_range(fixture.logs, &txn, 0, RECORD_COUNT, &first, &range_end),
                 ERR_NOT_FOUND);
    buffer_close(&value);
}

/* A package is a block at most, a batch may be four. */
Test(log_mend, of_a_batch_larger_than_what_comes_the_rest_is_served_meanwhile, .fini = end)
{
    struct buffer value = { 0 };
    log_fixture_open(&fixture);
    own = sample_log("ardabil", "hub", 1);
    fixture_create(&fixture, &own);
    fixture_append(&fixture, 0, &own, 600, true);
    fixture_append(&fixture, 0, &own, 1, true);
    txn = store_begin_write(log_store_environment(fixture.logs));
    value_get(0, &value);
    value.data[16 + 12 * 600 + 32 * 600 + 2000] ^= 1;   /* a record of the first block */
    value.data[16 + 12 * 600 + 32 * 300] ^= 1; /* a leaf hash of the second */
    value.data[value.size - 1] ^= 1;           /* a person part of the last one */
    value_put(0, buffer_bytes(&value));
    uint64_t before = failures();
    cr_assert_eq(mend(0, 256), 1);
    cr_assert(is_read(20) && is_read(280) && is_read(590));
    cr_assert_lt(failures(), before);
    cr_assert_eq(mend(256, 256), 1);
    cr_assert_eq(mend(512, 88), 1);
    cr_assert_eq(failures(), 0);
    for (uint64_t i = 0; i < 601; i++)
        cr_assert(is_read(i));
    buffer_close(&value);
}

/* D3. Whoever sends it may not know of the erasure yet. */
Test(log_mend, what_was_erased_stays_erased, .init = begin, .fini = end)
{
    struct buffer value = { 0 };
    struct log_key key = log_key_erasure(&own, 12);
    store_put(&txn, LOG_ERASURES, log_key_bytes(&key), BYTES_NONE);
    cr_assert_eq(log_erase_person(fixture.logs, &txn, 0, 12), OK);
    value_get(BATCH_FIRST, &value);
    value.data[0] = 0;
    value_put(BATCH_FIRST, buffer_bytes(&value));
    cr_assert_eq(mend(BATCH_FIRST, BATCH_COUNT), 1);
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    cr_assert_eq(log_read(fixture.logs, &txn, 0, 12, &scratch, &record, &header, &leaf), OK);
    cr_assert(record.person_absent);
    cr_assert_eq(failures(), 0);
    buffer_close(&scratch);
    buffer_close(&value);
}
