/* The tables beside the batches, made right at a start. */
#include "tests/unit/storage/restore_pair.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The row of `logs` under that key. */
static void copy_row(struct pair *pair, const struct log_key *key, struct buffer *row)
{
    struct bytes stored;
    struct store_txn txn = store_begin_read(log_store_environment(pair->logs));
    cr_assert_eq(store_get(&txn, LOG_LOGS, log_key_bytes(key), &stored), OK);
    buffer_append_bytes(row, stored);
    store_abort(&txn);
}

/* Without a journal a log under a wrong name would be there and not be folded. */
Test(restore, a_name_is_made_right_without_a_journal_too)
{
    struct pair pair;
    struct buffer row = { 0 };
    struct log_key key = log_key_number(0);
    pair_begin(&pair);
    pair_append(&pair, 6);
    struct hash before = content(&pair);
    copy_row(&pair, &key, &row);
    row.data[row.size - 1] ^= 1; /* of the incarnation */
    struct store_txn txn = store_begin_write(log_store_environment(pair.logs));
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
    struct store_txn txn;
    struct log_key key = log_key_number(0);
    pair_begin(&pair);
    pair_append(&pair, 6);
    struct hash before = content(&pair);
    copy_row(&pair, &key, &row);
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
