/* log/ and the journal against each other: either may be lost, behind or damaged, and what was
 * acknowledged is there afterwards (I1, I11; rows 5 to 12 of the fault matrix). */
#include "tests/unit/storage/restore_pair.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
