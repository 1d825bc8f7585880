/* Erasures in log/ and in the journal: what was erased stays so, and nothing else is. */
#include "tests/unit/storage/restore_pair.h"

#include "storage/erase.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
