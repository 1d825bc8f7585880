/* The journal alone: what comes back after anything that can happen to its files (I1, I11; rows 5, 8,
 * 10, 12 of the fault matrix). What it does together with log/ is in test_restore.c. */
#include "tests/unit/storage/journal_fixture.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

/* Everything appended comes back, byte for byte. */
static void assert_all_there(struct journal_fixture *fixture, uint64_t size)
{
    struct buffer value = { 0 };
    for (uint64_t at = 0; at < size;) {
        struct batch_view view;
        cr_assert_eq(fixture_journal_read(fixture, at, &value), OK, "batch at %lu",
                     (unsigned long)at);
        cr_assert_eq(batch_open(&view, bytes_of(value.data, value.size)), OK);
        at += view.count;
        buffer_clear(&value);
    }
    buffer_close(&value);
}

Test(journal, what_was_appended_is_there_after_opening_again)
{
    struct journal_fixture fixture;
    struct buffer value = { 0 };
    journal_fixture_open(&fixture);
    cr_assert(fixture.report.is_new);
    for (uint32_t count = 1; count <= 5; count++)
        cr_assert_eq(fixture_journal_batch(&fixture, count, 50), OK);
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    cr_assert_eq(fixture.report.entries, 5);
    cr_assert_not(fixture.report.torn || fixture.report.is_new ||
                  journal_is_damaged(&fixture.report));
    for (uint64_t at = 0, step = 1; at < 15; at += step++)
        cr_assert_eq(fixture_journal_read(&fixture, at, &value), OK);
    cr_assert(bytes_equal(buffer_bytes(&value), buffer_bytes(&fixture.values)));
    buffer_close(&value);
    journal_fixture_close(&fixture);
}

Test(journal, receipts_notes_and_bases_come_back_and_the_largest_receipt_of_a_hub_counts)
{
    struct journal_fixture fixture;
    struct journal_entry entry = { 0 };
    journal_fixture_open(&fixture);
    journal_entry_receipt(&entry, &fixture.log, "hub-1", 5, bytes_of_string("five"));
    journal_entry_receipt(&entry, &fixture.log, "hub-1", 4, bytes_of_string("four"));
    journal_entry_receipt(&entry, &fixture.log, "hub-2", 3, bytes_of_string("three"));
    journal_entry_note(&entry, &fixture.log, 9, bytes_of_string("nine"));
    journal_entry_note(&entry, &fixture.log, 8, bytes_of_string("eight"));
    journal_entry_base(&entry, &fixture.log, 2);
    cr_assert_eq(journal_append(fixture.journal, &entry), OK);
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    const struct journal_log *log = journal_log_find(fixture.journal, &fixture.log);
    cr_assert_eq(log->receipt_count, 2);
    cr_assert_eq(log->receipts[0].size, 5);
    cr_assert(bytes_equal(buffer_bytes(&log->receipts[0].note), bytes_of_string("five")));
    cr_assert_str_eq(log->receipts[1].hub, "hub-2");
    cr_assert_eq(log->note_count, 2);
    cr_assert(log->notes[0].size == 8 && log->notes[1].size == 9);
    cr_assert_eq(log->base, 2);
    journal_entry_close(&entry);
    journal_fixture_close(&fixture);
}

/* Row 5: whatever part of the last entry reached the disk, the ones before are there, the torn one is
 * not, and the journal goes on. */
Test(journal, a_tail_torn_at_any_byte_is_cut_at_the_last_whole_entry)
{
    struct journal_fixture fixture;
    struct buffer whole = { 0 }, torn = { 0 }, value = { 0 };
    char path[FOLDER_PATH_SIZE];
    journal_fixture_open(&fixture);
    cr_assert_eq(fixture_journal_batch(&fixture, 2, 20), OK);
    struct journal_space before, after;
    journal_space_get(fixture.journal, &before);
    cr_assert_eq(fixture_journal_batch(&fixture, 2, 20), OK);
    journal_space_get(fixture.journal, &after);
    fixture_file_path(&fixture, 1, path);
    file_read_all(path, &whole);
    for (uint64_t cut = before.used_size; cut < after.used_size; cut++) {
        buffer_clear(&torn);
        buffer_append_bytes(&torn, buffer_bytes(&whole));
        memset(torn.data + cut, 0, after.used_size - cut);
        if (memcmp(torn.data, whole.data, whole.size) == 0)
            continue; /* zeros at the very end of the trailer would change nothing */
        file_write_all(path, buffer_bytes(&torn));
        cr_assert_eq(journal_fixture_reopen(&fixture), OK);
        cr_assert_eq(fixture.report.entries, 1, "cut at %lu", (unsigned long)cut);
        cr_assert_not(journal_is_damaged(&fixture.report));
        cr_assert_eq(fixture.report.torn, cut > before.used_size, "cut at %lu",
                     (unsigned long)cut);
        assert_all_there(&fixture, 2);
        cr_assert_eq(fixture_journal_read(&fixture, 2, &value), ERR_NOT_FOUND);
        if (cut % 64 != 0)
            continue;
        merkle_frontier_append(&fixture.frontier, &(struct hash){ { 0 } }, NULL, NULL);
        fixture.frontier.size = 2;
        cr_assert_eq(fixture_journal_batch(&fixture, 1, 20), OK);
        cr_assert_eq(journal_fixture_reopen(&fixture), OK);
        cr_assert_eq(fixture.report.entries, 2);
        cr_assert_not(fixture.report.torn);
    }
    buffer_close(&whole);
    buffer_close(&torn);
    buffer_close(&value);
    journal_fixture_close(&fixture);
}

/* Row 10, on the bytes of an entry. */
Test(journal, every_single_bit_flip_in_an_entry_is_detected)
{
    static const uint8_t key[JOURNAL_KEY_SIZE] = { 9 };
    static const struct seal_key data_key = { { 1 } };
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct merkle_frontier frontier = { 0 };
    struct batch_builder batch;
    struct buffer value = { 0 };
    struct journal_entry entry = { 0 };
    struct journal_view view;
    batch_begin(&batch, &frontier);
    sample_batch(&batch, &id, 7, 2, 20, &data_key);
    size_t size = batch_size(&batch, 0);
    batch_write(&batch, BYTES_NONE, buffer_reserve(&value, size));
    value.size = size;
    journal_entry_batch(&entry, &id, 0, buffer_bytes(&value));
    journal_entry_receipt(&entry, &id, "hub-1", 5, bytes_of_string("a receipt"));
    cr_assert_eq(journal_entry_seal(&entry, key, 77), OK);
    cr_assert_eq(journal_view_open(&view, buffer_bytes(&entry.bytes), key), OK);
    cr_assert_eq(view.sequence, 77);
    cr_assert_eq(view.persons_damaged, 0);
    size_t persons = 0;
    for (size_t bit = 0; bit < 8 * entry.bytes.size; bit++) {
        entry.bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum err err = journal_view_open(&view, buffer_bytes(&entry.bytes), key);
        cr_assert(err == ERR_CORRUPT || (err == OK && view.persons_damaged == 1), "bit %zu", bit);
        persons += err == OK;
        entry.bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_gt(persons, 0); /* a flip in a person part leaves the rest readable */
    uint8_t other[JOURNAL_KEY_SIZE] = { 8 };
    cr_assert_eq(journal_view_open(&view, buffer_bytes(&entry.bytes), other), ERR_CORRUPT);
    journal_entry_close(&entry);
    buffer_close(&value);
    batch_close(&batch);
}

/* And on the file: each byte once, the header with both its copies included. A flip in the last entry
 * looks like a torn end, one before it like damage; log/ has what is missing (test_restore.c). */
Test(journal, a_flip_in_any_byte_of_the_file_is_told_and_costs_at_most_one_entry)
{
    struct journal_fixture fixture;
    struct buffer whole = { 0 };
    char path[FOLDER_PATH_SIZE];
    journal_fixture_open(&fixture);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(fixture_journal_batch(&fixture, 1, 20), OK);
    struct journal_space space;
    journal_space_get(fixture.journal, &space);
    fixture_file_path(&fixture, 1, path);
    file_read_all(path, &whole);
    for (size_t at = 0; at < space.used_size + 64; at++) {
        whole.data[at] ^= (uint8_t)(1 << at % 8);
        file_write_all(path, buffer_bytes(&whole));
        whole.data[at] ^= (uint8_t)(1 << at % 8);
        cr_assert_eq(journal_fixture_reopen(&fixture), OK, "byte %zu", at);
        struct journal_report *report = &fixture.report;
        cr_assert(journal_is_damaged(report) || report->torn || report->persons_damaged > 0,
                  "byte %zu", at);
        cr_assert_geq(report->entries, at >= 4096 ? 2 : 3, "byte %zu", at);
    }
    buffer_close(&whole);
    journal_fixture_close(&fixture);
}

Test(journal, an_entry_taken_back_is_gone_and_its_place_is_used_again)
{
    struct journal_fixture fixture;
    struct buffer value = { 0 };
    journal_fixture_open(&fixture);
    cr_assert_eq(fixture_journal_batch(&fixture, 1, 20), OK);
    struct merkle_frontier before = fixture.frontier;
    cr_assert_eq(fixture_journal_batch(&fixture, 3, 200), OK);
    cr_assert_eq(journal_undo(fixture.journal), OK);
    cr_assert_eq(fixture_journal_read(&fixture, 1, &value), ERR_NOT_FOUND);
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    cr_assert_eq(fixture.report.entries, 1);
    cr_assert_not(fixture.report.torn);
    fixture.frontier = before;
    cr_assert_eq(fixture_journal_batch(&fixture, 1, 20), OK);
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    cr_assert_eq(fixture.report.entries, 2);
    cr_assert_not(fixture.report.torn || journal_is_damaged(&fixture.report));
    buffer_close(&value);
    journal_fixture_close(&fixture);
}

/* The sealed person part of a record as it stands in the batch. */
static void person_of(struct bytes value, uint32_t index, struct buffer *out)
{
    struct batch_view view;
    struct record sealed;
    struct hash leaf;
    cr_assert_eq(batch_open(&view, value), OK);
    cr_assert_eq(batch_record(&view, index, &sealed, &leaf), OK);
    cr_assert_gt(sealed.person.size, 0);
    buffer_clear(out);
    buffer_append_bytes(out, sealed.person);
}

Test(journal, an_erased_person_part_is_nowhere_in_the_files_and_the_rest_stands)
{
    struct journal_fixture fixture;
    struct buffer value = { 0 }, gone = { 0 }, kept = { 0 }, again = { 0 };
    journal_fixture_open(&fixture);
    cr_assert_eq(fixture_journal_batch(&fixture, 4, 50), OK);
    cr_assert_eq(fixture_journal_read(&fixture, 0, &value), OK);
    person_of(buffer_bytes(&value), 2, &gone);
    person_of(buffer_bytes(&value), 3, &kept);
    cr_assert(fixture_journal_contains(&fixture, buffer_bytes(&gone)));
    cr_assert_eq(journal_erase(fixture.journal, &fixture.log, 2), OK);
    cr_assert_eq(journal_erase(fixture.journal, &fixture.log, 2), OK); /* again: nothing */
    cr_assert_eq(journal_erase(fixture.journal, &fixture.log, 99), OK);
    for (size_t at = 0; at + 32 <= gone.size; at += 32)
        cr_assert_not(fixture_journal_contains(&fixture, bytes_of(gone.data + at, 32)));
    cr_assert(fixture_journal_contains(&fixture, buffer_bytes(&kept)));
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    cr_assert_not(journal_is_damaged(&fixture.report) || fixture.report.torn);
    cr_assert_eq(fixture.report.persons_damaged, 0);
    cr_assert_eq(fixture_journal_read(&fixture, 0, &again), OK);
    person_of(buffer_bytes(&again), 3, &value);
    cr_assert(bytes_equal(buffer_bytes(&value), buffer_bytes(&kept)));
    buffer_close(&value);
    buffer_close(&gone);
    buffer_close(&kept);
    buffer_close(&again);
    journal_fixture_close(&fixture);
}

Test(journal, an_erasure_torn_at_any_byte_spoils_that_part_alone_and_is_finished_by_the_next)
{
    struct journal_fixture fixture;
    struct buffer value = { 0 }, gone = { 0 }, file = { 0 };
    char path[FOLDER_PATH_SIZE];
    journal_fixture_open(&fixture);
    cr_assert_eq(fixture_journal_batch(&fixture, 3, 20), OK);
    cr_assert_eq(fixture_journal_read(&fixture, 0, &value), OK);
    person_of(buffer_bytes(&value), 1, &gone);
    fixture_file_path(&fixture, 1, path);
    file_read_all(path, &file);
    uint8_t *at = memmem(file.data, file.size, gone.data, gone.size);
    cr_assert(at);
    for (size_t done = 1; done < gone.size; done++) {
        memcpy(at, gone.data, gone.size);
        memset(at, 0, done);
        file_write_all(path, buffer_bytes(&file));
        cr_assert_eq(journal_fixture_reopen(&fixture), OK);
        cr_assert_eq(fixture.report.entries, 1);
        cr_assert_not(fixture.report.torn || journal_is_damaged(&fixture.report));
        cr_assert_eq(fixture.report.persons_damaged, 1);
        cr_assert_eq(journal_erase(fixture.journal, &fixture.log, 1), OK);
        cr_assert_eq(journal_fixture_reopen(&fixture), OK);
        cr_assert_eq(fixture.report.persons_damaged, 0);
    }
    buffer_close(&value);
    buffer_close(&gone);
    buffer_close(&file);
    journal_fixture_close(&fixture);
}

Test(journal, segments_follow_each_other_and_a_missing_one_is_told)
{
    struct journal_fixture fixture;
    char path[FOLDER_PATH_SIZE];
    journal_fixture_open(&fixture);
    struct journal_space space = { 0 };
    uint32_t count = 0;
    while (space.segments < 4) {
        cr_assert_eq(fixture_journal_batch(&fixture, 10, 500), OK);
        cr_assert_eq(journal_prepare(fixture.journal, 4096), OK);
        count += 10;
        journal_space_get(fixture.journal, &space);
    }
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    cr_assert_not(journal_is_damaged(&fixture.report) || fixture.report.torn);
    assert_all_there(&fixture, count);
    fixture_file_path(&fixture, 2, path);
    journal_close(fixture.journal);
    fixture.journal = NULL;
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    cr_assert_gt(fixture.report.missing_entries, 0);
    cr_assert(journal_is_damaged(&fixture.report));
    journal_fixture_close(&fixture);
}

Test(journal, an_entry_larger_than_a_segment_gets_a_segment_of_its_size)
{
    struct journal_fixture fixture;
    journal_fixture_open(&fixture);
    cr_assert_eq(fixture_journal_batch(&fixture, 1, 50), OK);
    cr_assert_eq(fixture_journal_batch(&fixture, 200, 1000), OK);
    cr_assert_eq(fixture_journal_batch(&fixture, 1, 50), OK);
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    cr_assert_eq(fixture.report.entries, 3);
    assert_all_there(&fixture, 202);
    journal_fixture_close(&fixture);
}

static uint64_t national_until(void *context, const struct log_id *log)
{
    (void)log;
    return *(const uint64_t *)context;
}

Test(journal, a_segment_is_recycled_when_all_its_records_are_national_and_not_before)
{
    struct journal_fixture fixture;
    struct journal_entry entry = { 0 };
    struct journal_space space = { 0 };
    uint32_t count = 0;
    journal_fixture_open(&fixture);
    fixture.options.keep_size = 1;
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    journal_entry_receipt(&entry, &fixture.log, "hub-1", 7, bytes_of_string("a receipt"));
    cr_assert_eq(journal_append(fixture.journal, &entry), OK);
    while (space.segments < 3) {
        cr_assert_eq(fixture_journal_batch(&fixture, 10, 500), OK);
        count += 10;
        journal_space_get(fixture.journal, &space);
    }
    uint64_t national = 9;
    cr_assert_eq(journal_recycle(fixture.journal, national_until, &national), OK);
    journal_space_get(fixture.journal, &space);
    cr_assert_eq(space.segments, 3, "nothing is national enough");
    national = count;
    cr_assert_eq(journal_recycle(fixture.journal, national_until, &national), OK);
    cr_assert_eq(journal_recycle(fixture.journal, national_until, &national), OK);
    cr_assert_eq(journal_recycle(fixture.journal, national_until, &national), OK);
    journal_space_get(fixture.journal, &space);
    cr_assert_eq(space.segments, 1, "the last one is being written");
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    cr_assert_not(journal_is_damaged(&fixture.report));
    const struct journal_log *log = journal_log_find(fixture.journal, &fixture.log);
    cr_assert_gt(log->base, 0);
    cr_assert_eq(log->places[0].first, log->base);
    cr_assert_eq(log->receipt_count, 1, "what is needed further was written again");
    journal_entry_close(&entry);
    journal_fixture_close(&fixture);
}

Test(journal, that_of_another_node_or_of_a_newer_program_is_left_alone)
{
    struct journal_fixture fixture;
    struct journal *second;
    struct journal_report report;
    journal_fixture_open(&fixture);
    cr_assert_eq(fixture_journal_batch(&fixture, 1, 50), OK);
    cr_assert_eq(journal_open(&second, &fixture.options, &report), ERR_BUSY);
    fixture.options.node = "tehran";
    cr_assert_eq(journal_fixture_reopen(&fixture), ERR_CONFLICT);
    fixture.options.node = "ardabil";
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    cr_assert_eq(fixture.report.entries, 1);
    fixture.options.path = "/nonexistent/of/a/disk/that/is/not/mounted";
    cr_assert_eq(journal_fixture_reopen(&fixture), ERR_NOT_FOUND);
    journal_fixture_close(&fixture);
}

Test(journal, a_remaking_replaces_what_was_there)
{
    struct journal_fixture fixture;
    struct journal_space space;
    journal_fixture_open(&fixture);
    cr_assert_eq(fixture_journal_batch(&fixture, 5, 50), OK);
    cr_assert_eq(journal_remake_begin(fixture.journal), OK);
    fixture.frontier = (struct merkle_frontier){ 0 };
    cr_assert_eq(fixture_journal_batch(&fixture, 5, 50), OK);
    cr_assert_eq(journal_remake_end(fixture.journal), OK);
    journal_space_get(fixture.journal, &space);
    cr_assert_eq(space.segments, 1);
    cr_assert_eq(journal_fixture_reopen(&fixture), OK);
    cr_assert_not(journal_is_damaged(&fixture.report));
    cr_assert_eq(fixture.report.entries, 1);
    assert_all_there(&fixture, 5);
    journal_fixture_close(&fixture);
}
