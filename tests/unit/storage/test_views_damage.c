#include "tests/unit/storage/views_case.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(views_damage, .init = setup, .fini = teardown);

Test(views_damage, views_that_are_ahead_of_the_log_store_are_folded_anew) /* D5 */
{
    char older[FOLDER_PATH_SIZE], from[FOLDER_PATH_SIZE], to[FOLDER_PATH_SIZE];
    folder_make(older);
    folder_path(from, logs.folder, "data.mdb");
    folder_path(to, older, "data.mdb");
    history_hold(&logs, &LOG_A, 80, 1000);
    file_copy(from, to);
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);

    log_store_close(logs.logs); /* an old backup of log/ beside the newest views/ */
    file_copy(to, from);
    cr_assert_eq(log_store_open(&logs.logs, &logs.options), OK);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
    views_fixture_fold(&fixture, logs.logs, 33);
    expect_applied("A80 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
    folder_remove(older);
}

Test(views_damage, views_of_other_records_at_the_same_positions_are_folded_anew)
{
    history_hold(&logs, &LOG_A, 50, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    log_fixture_close(&logs);
    log_fixture_open(&logs);
    struct log_id id = history_id(A); /* the same log, in a store where it went another way */
    fixture_append(&logs, fixture_create(&logs, &id), &id, 60, true);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
    views_fixture_fold(&fixture, logs.logs, 1000);
    expect_applied("A60 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

/* Flips a bit of the stored value whose key ends with `suffix`; counts back from its end. */
static void damage(enum views_table table, const char *suffix, size_t from_end)
{
    struct store_txn txn = store_begin_write(views_environment(fixture.views));
    struct store_cursor cursor = store_cursor_open(&txn, table);
    struct bytes key, value;
    size_t size = strlen(suffix);
    enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
    while (err == OK && (key.size < size || memcmp(key.data + key.size - size, suffix, size) != 0))
        err = store_cursor_next(&cursor, &key, &value);
    cr_assert_eq(err, OK);
    uint8_t name[512], content[512];
    struct bytes copy = bytes_of(content, value.size);
    cr_assert_leq(value.size, sizeof content);
    memcpy(name, key.data, key.size);
    memcpy(content, value.data, value.size);
    content[value.size - from_end] ^= 4;
    key.data = name;
    store_cursor_close(&cursor);
    store_put(&txn, table, key, copy);
    cr_assert_eq(store_commit(&txn), OK);
}

Test(views_damage, a_flipped_bit_is_never_served_and_the_view_is_made_anew) /* V4 */
{
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    struct digest_text good = views_fixture_digest(&fixture);
    for (size_t from_end = 1; from_end <= 16; from_end += 5) {
        damage(VIEWS_ENTRIES, "record/0a/00000042", from_end);
        READER(reader);
        struct bytes key, value, name = bytes_of_string("record/0a/00000042");
        cr_assert_eq(view_seek(&reader.view, name, false, &key, &value), ERR_CORRUPT);
        reader.view.err = OK;
        cr_assert_eq(view_get(&reader.view, name, &value), ERR_CORRUPT);
        cr_assert_eq(value.size, 0);
        reader.view.err = OK;
        expect(&reader.view, "spread/none", "-");
        views_reader_end(&reader);
        cr_assert(views_is_damaged(fixture.views, "ardabil"));
        views_fixture_fold(&fixture, logs.logs, 40);
        cr_assert_not(views_is_damaged(fixture.views, "ardabil"));
        cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
    }
}

Test(views_damage, damage_that_the_fold_itself_meets_is_repaired_too)
{
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    damage(VIEWS_ENTRIES, "count", 9);
    history_hold(&logs, &LOG_A, 150, 1000);
    views_fixture_fold(&fixture, logs.logs, 40);
    expect_applied("A150 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

Test(views_damage, damage_in_the_next_generation_is_said_and_another_one_begun)
{
    prepare_handback();
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 50), OK);
    char suffix[16] = { 0, 0, 0, 2 }; /* the next generation's */
    memcpy(suffix + 4, "count", 5);
    struct store_txn txn = store_begin_write(views_environment(fixture.views));
    uint8_t key[32];
    memcpy(key, "ardabil", 8);
    memcpy(key + 8, suffix, 9);
    store_put(&txn, VIEWS_ENTRIES, bytes_of(key, 17), bytes_of_string("not eight bytes' check"));
    cr_assert_eq(store_commit(&txn), OK);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 50), ERR_CORRUPT);
    views_fixture_fold(&fixture, logs.logs, 50);
    expect_applied("A300 B40 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

Test(views_damage, a_damaged_row_or_position_makes_the_view_anew)
{
    history_hold(&logs, &LOG_A, 100, 1000);
    history_hold(&logs, &LOG_B, 40, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    struct digest_text good = views_fixture_digest(&fixture);
    damage(VIEWS_NODES, "ardabil", 10);
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
    damage(VIEWS_HEADS, "", 20);
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
    expect_applied("A100 B40 ");
}

Test(views_damage, a_withheld_view_is_not_read_and_others_are)
{
    struct views_reader reader;
    views_withhold(fixture.views, true);
    cr_assert_eq(views_reader_begin(fixture.views, "ardabil", &reader), ERR_BUSY);
    cr_assert_eq(views_reader_begin(fixture.views, "hormozgan", &reader), OK);
    views_reader_end(&reader);
    views_withhold(fixture.views, false);
    cr_assert_eq(views_reader_begin(fixture.views, "ardabil", &reader), OK);
    views_reader_end(&reader);
}

/* An empty view would be served as if nothing had ever been registered. */
Test(views_damage, a_damaged_row_is_not_read_as_an_empty_view)
{
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    damage(VIEWS_NODES, "ardabil", 10);
    struct views_reader reader;
    cr_assert_eq(views_reader_begin(fixture.views, "ardabil", &reader), ERR_CORRUPT);
    cr_assert_eq(views_decider_begin(fixture.views, 1)->err, ERR_CORRUPT);
    views_decider_end(fixture.views);
}

/* It would write what is new under the numbers of a view that is whole. */
Test(views_damage, nothing_is_flushed_below_a_damaged_row)
{
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    struct digest_text good = views_fixture_digest(&fixture);
    struct log_head head = history_head(&logs, A);
    put(decide(1), "new", "x");
    views_decider_end(fixture.views);
    cr_assert_eq(memory_freeze(views_memory(fixture.views), 1), OK);
    damage(VIEWS_NODES, "ardabil", 10);
    cr_assert_eq(views_flush(fixture.views, &head), ERR_CORRUPT);
    cr_assert_eq(memory_clear(views_memory(fixture.views)), OK);
    views_fixture_fold(&fixture, logs.logs, 40);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
}

Test(views_damage, a_record_that_the_rules_refuse_outright_stops_the_fold_and_changes_nothing)
{
    struct log_id id = history_id(A);
    struct sample sample;
    struct merkle_frontier frontier = { 0 };
    struct batch_builder batch;
    uint32_t number = fixture_create(&logs, &id);
    batch_begin(&batch, &frontier);
    sample_batch(&batch, &id, 1, 5, 20, log_store_data_key(logs.logs));
    sample_request(&sample, &id, 5, 1, 20);
    memset(sample.header.actor, 0, sizeof sample.header.actor);
    memcpy(sample.header.actor, "refused", 7);
    buffer_clear(&sample.bytes);
    cr_assert_eq(record_header_encode(&sample.bytes, &sample.header), OK);
    sample.record.header = buffer_bytes(&sample.bytes);
    merkle_leaf_hash(&sample.leaf, sample.record.header);
    batch_add(&batch, &sample.record, &sample.leaf, log_store_data_key(logs.logs));
    struct store_txn txn = store_begin_write(log_store_environment(logs.logs));
    cr_assert_eq(log_append(logs.logs, &txn, number, &batch, BYTES_NONE), OK);
    cr_assert_eq(store_commit(&txn), OK);
    sample_close(&sample);
    batch_close(&batch);

    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 10), ERR_REFUSED);
    expect_applied("");
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 5), OK);
    expect_applied("A5 ");
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 10), ERR_REFUSED);
    expect_applied("A5 ");
}

/* ---- what is not met (V5) ----------------------------------------------------------------------- */

/* As a flipped bit in the key would: nobody who looks for it meets it. */
static void hide(const char *suffix)
{
    struct store_txn txn = store_begin_write(views_environment(fixture.views));
    struct store_cursor cursor = store_cursor_open(&txn, VIEWS_ENTRIES);
    struct bytes key, value;
    uint8_t name[512], content[512];
    size_t size = strlen(suffix);
    enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
    while (err == OK && (key.size < size || memcmp(key.data + key.size - size, suffix, size) != 0))
        err = store_cursor_next(&cursor, &key, &value);
    cr_assert_eq(err, OK);
    memcpy(name, key.data, key.size);
    memcpy(content, value.data, value.size);
    struct bytes other = bytes_of(name, key.size), copy = bytes_of(content, value.size);
    store_cursor_close(&cursor);
    store_delete(&txn, VIEWS_ENTRIES, other);
    name[other.size - 1] ^= 0x40;
    store_put(&txn, VIEWS_ENTRIES, other, copy);
    cr_assert_eq(store_commit(&txn), OK);
}

/* After a restart: nothing of what is there was looked at, or made by this process. */
static void history_of_a_former_process(uint64_t size)
{
    history_hold(&logs, &LOG_A, size, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
}

/* The key alone is damaged, so a new generation is enough. */
static void expect_made_anew(const struct digest_text *good)
{
    cr_assert(views_is_damaged(fixture.views, "ardabil"));
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, good->text);
}

Test(views_damage, an_entry_that_cannot_be_found_is_missed_and_not_said_to_be_absent)
{
    struct bytes value;
    history_of_a_former_process(600);
    struct digest_text good = views_fixture_rebuilt(logs.logs);
    hide("record/0a/00000042");
    READER(reader);
    expect(&reader.view, "spread/none", "-"); /* another range, which is whole */
    cr_assert_eq(view_get(&reader.view, bytes_of_string("record/0a/00000042"), &value), ERR_CORRUPT);
    views_reader_end(&reader);
    expect_made_anew(&good);
}

Test(views_damage, a_list_with_a_hole_is_not_given)
{
    struct bytes key, value;
    history_of_a_former_process(600);
    struct digest_text good = views_fixture_rebuilt(logs.logs);
    hide("record/0a/00000042");
    for (int backward = 0; backward < 2; backward++) {
        READER(reader);
        const char *from = backward ? "record/0a/00000043" : "record/0a/00000042";
        cr_assert_eq(view_seek(&reader.view, bytes_of_string(from), backward, &key, &value),
                     ERR_CORRUPT);
        views_reader_end(&reader);
        cr_assert_eq(views_fixture_reopen(&fixture), OK); /* found again, by whoever looks next */
    }
    cr_assert_eq(views_fixture_scrub(&fixture, 50), OK);
    expect_made_anew(&good);
}

Test(views_damage, the_scrub_finds_what_nobody_asked_for)
{
    static const char *const hidden[] = { "chain", "record/0a/00000000", "record/0a/00000599" };
    history_of_a_former_process(600);
    struct digest_text good = views_fixture_rebuilt(logs.logs);
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        cr_assert_eq(views_fixture_scrub(&fixture, 50), OK);
        hide(hidden[i]);
        cr_assert_not(views_is_damaged(fixture.views, "ardabil"));
        cr_assert_eq(views_fixture_scrub(&fixture, 50), OK);
        expect_made_anew(&good);
    }
}

/* No new generation would help: it would grow in the same tree. */
Test(views_damage, entries_that_are_gone_condemn_the_file_and_a_flush_does_not_make_them_good)
{
    history_of_a_former_process(300);
    struct store_txn txn = store_begin_write(views_environment(fixture.views));
    uint8_t key[64];
    size_t size = views_prefix((char *)key, "ardabil", 1);
    memcpy(key + size, "record/0a/00000042", 18);
    store_delete(&txn, VIEWS_ENTRIES, bytes_of(key, size + 18));
    cr_assert_eq(store_commit(&txn), OK);
    history_hold(&logs, &LOG_A, 310, 1000);
    views_fixture_fold(&fixture, logs.logs, 10);
    cr_assert_eq(views_fixture_scrub(&fixture, 1000), ERR_CORRUPT);
    cr_assert_eq(views_decider_begin(fixture.views, 1)->err, ERR_IO, "nothing is decided on it");
    views_decider_end(fixture.views);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
    expect_applied("");
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

Test(views_damage, ranges_are_kept_through_changes_and_deletions_of_every_size)
{
    history_hold(&logs, &LOG_A, 1500, 1000);
    for (uint64_t budget = 1; views_fold(fixture.views, logs.logs, "ardabil", budget) == OK; budget++)
        if (budget % 7 == 0)
            cr_assert_eq(views_fixture_scrub(&fixture, 1000), OK);
    struct store_txn txn = store_begin_read(views_environment(fixture.views));
    uint64_t ranges = store_count(&txn, VIEWS_RANGES);
    store_abort(&txn);
    cr_assert_geq(ranges, views_fixture_entries(&fixture) / 256);
    cr_assert_leq(ranges, views_fixture_entries(&fixture) / 32);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
    cr_assert_eq(views_fixture_scrub(&fixture, 10), OK);
}

Test(views_damage, a_position_that_cannot_be_found_does_not_count_everything_twice)
{
    history_of_a_former_process(100);
    struct digest_text good = views_fixture_rebuilt(logs.logs);
    struct store_txn txn = store_begin_write(views_environment(fixture.views));
    store_drop(&txn, VIEWS_HEADS);
    cr_assert_eq(store_commit(&txn), OK);
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
}
