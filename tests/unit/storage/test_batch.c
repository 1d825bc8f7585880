#include "storage/batch.h"

#include "tests/support/records.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct seal_key key = { { 42 } };

static struct buffer written(const struct batch_builder *batch, struct bytes note)
{
    struct buffer value = { 0 };
    size_t size = batch_size(batch, note.size);
    uint8_t *room = buffer_reserve(&value, size);
    batch_write(batch, note, room);
    value.size = size;
    return value;
}

static struct buffer sample_value(const struct log_id *id, uint32_t count)
{
    struct merkle_frontier empty = { 0 };
    struct batch_builder batch;
    batch_begin(&batch, &empty);
    sample_batch(&batch, id, 1, count, 50, &key);
    struct buffer value = written(&batch, bytes_of_string("a note\n"));
    batch_close(&batch);
    return value;
}

Test(batch, records_come_back_as_they_were_added)
{
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct buffer value = sample_value(&id, 20);
    struct batch_view view;
    struct merkle_frontier frontier;
    cr_assert_eq(batch_open(&view, buffer_bytes(&value)), OK);
    cr_assert_eq(view.count, 20);
    cr_assert(bytes_equal(view.note, bytes_of_string("a note\n")));
    cr_assert_eq(batch_frontier(&view, 20, &frontier), OK);
    for (uint32_t i = 0; i < 20; i++) {
        struct sample sample;
        struct record sealed;
        struct hash leaf;
        uint8_t person[4096];
        sample_request(&sample, &id, i, 1, 50);
        cr_assert_eq(batch_record(&view, i, &sealed, &leaf), OK);
        cr_assert(hash_equal(&leaf, &sample.leaf));
        cr_assert(bytes_equal(sealed.header, sample.record.header));
        cr_assert(bytes_equal(sealed.facts, sample.record.facts));
        if (i == 0) {
            cr_assert_eq(sealed.person.size, 0);
        } else {
            cr_assert_eq(seal_open(&key, &leaf, sealed.person, person), OK);
            cr_assert(bytes_equal(bytes_of(person, sealed.person.size - SEAL_OVERHEAD),
                                  sample.record.person));
        }
        sample_close(&sample);
    }
    struct record beyond;
    struct hash leaf;
    cr_assert_eq(batch_record(&view, 20, &beyond, &leaf), ERR_INVALID);
    buffer_close(&value);
}

Test(batch, its_frontier_is_the_one_of_the_whole_log)
{
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct merkle_frontier whole = { 0 }, stored;
    for (unsigned round = 0; round < 30; round++) {
        struct batch_builder batch;
        struct batch_view view;
        batch_begin(&batch, &whole);
        sample_batch(&batch, &id, 1, 1 + round % 7, 10, &key);
        for (uint32_t i = 0; i < batch.count; i++) {
            struct hash leaf;
            memcpy(leaf.bytes, batch.leaves.data + (size_t)i * HASH_SIZE, HASH_SIZE);
            merkle_frontier_append(&whole, &leaf, NULL, NULL);
        }
        struct buffer value = written(&batch, BYTES_NONE);
        cr_assert_eq(batch_open(&view, buffer_bytes(&value)), OK);
        cr_assert_eq(batch_frontier(&view, whole.size, &stored), OK);
        cr_assert_eq(stored.size, whole.size);
        cr_assert_eq(
            memcmp(stored.roots, whole.roots, HASH_SIZE * merkle_frontier_count(whole.size)), 0);
        cr_assert_eq(batch_frontier(&view, 0, &stored), ERR_CORRUPT);
        buffer_close(&value);
        batch_close(&batch);
    }
}

Test(batch, it_tells_every_subtree_of_level_eight_and_more_that_it_completed)
{
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct merkle_frontier at = { 0 };
    struct hash leaf = { { 1 } };
    for (unsigned i = 0; i < 250; i++)
        merkle_frontier_append(&at, &leaf, NULL, NULL);
    struct batch_builder batch;
    batch_begin(&batch, &at);
    sample_batch(&batch, &id, 1, 300, 10, &key);
    cr_assert_eq(batch.node_count, 3); /* two of level 8 and the one above them */
    cr_assert_eq(batch.nodes[0].level, 8);
    cr_assert_eq(batch.nodes[0].index, 0);
    cr_assert_eq(batch.nodes[1].index, 1);
    cr_assert_eq(batch.nodes[2].level, 9);
    batch_close(&batch);
}

Test(batch, it_refuses_a_record_too_many_and_a_part_too_large)
{
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct merkle_frontier empty = { 0 };
    struct batch_builder batch;
    struct sample sample;
    sample_request(&sample, &id, 1, 1, 10);
    batch_begin(&batch, &empty);
    for (unsigned i = 0; i < BATCH_RECORD_MAX; i++)
        batch_add(&batch, &sample.record, &sample.leaf, &key);
    cr_assert_eq(batch.err, OK);
    batch_add(&batch, &sample.record, &sample.leaf, &key);
    cr_assert_eq(batch.err, ERR_TOO_LARGE);
    batch_close(&batch);

    uint8_t *large = calloc(1, RECORD_PART_SIZE_MAX + 1);
    batch_begin(&batch, &empty);
    sample.record.facts = bytes_of(large, RECORD_PART_SIZE_MAX + 1);
    batch_add(&batch, &sample.record, &sample.leaf, &key);
    cr_assert_eq(batch.err, ERR_TOO_LARGE);
    batch_close(&batch);
    sample_close(&sample);
    free(large);
}

Test(batch, a_value_cut_or_lengthened_anywhere_is_refused)
{
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct buffer value = sample_value(&id, 3);
    struct batch_view view;
    for (size_t size = 0; size < value.size; size++) {
        uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees a read beyond it */
        memcpy(exact, value.data, size);
        cr_assert_eq(batch_open(&view, bytes_of(exact, size)), ERR_CORRUPT);
        free(exact);
    }
    buffer_append_u8(&value, 0);
    cr_assert_eq(batch_open(&view, buffer_bytes(&value)), ERR_CORRUPT);
    buffer_close(&value);
}

Test(batch, no_flipped_byte_makes_a_read_leave_the_value)
{
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct buffer value = sample_value(&id, 3);
    uint8_t *exact = malloc(value.size);
    for (size_t at = 0; at < value.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct batch_view view;
            struct record sealed;
            struct hash leaf;
            memcpy(exact, value.data, value.size);
            exact[at] ^= (uint8_t)(1u << bit);
            if (batch_open(&view, bytes_of(exact, value.size)) != OK)
                continue;
            struct batch_walk walk = batch_walk(&view);
            while (batch_next(&walk, &sealed, &leaf) == OK) {
                cr_assert(sealed.header.data >= exact);
                cr_assert(sealed.person.data + sealed.person.size <= exact + value.size);
            }
        }
    free(exact);
    buffer_close(&value);
}

Test(batch, a_newer_format_is_told_from_damage)
{
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct buffer value = sample_value(&id, 1);
    struct batch_view view;
    value.data[0] = 2;
    cr_assert_eq(batch_open(&view, buffer_bytes(&value)), ERR_VERSION);
    value.data[0] = 0;
    cr_assert_eq(batch_open(&view, buffer_bytes(&value)), ERR_CORRUPT);
    buffer_close(&value);
}

Test(batch, taking_a_person_away_leaves_all_else_as_it_was)
{
    struct log_id id = sample_log("ardabil", "hub", 1);
    struct buffer value = sample_value(&id, 5), erased = { 0 };
    struct batch_view before, after;
    cr_assert_eq(batch_open(&before, buffer_bytes(&value)), OK);
    cr_assert_eq(batch_without_person(&before, buffer_bytes(&value), 0, &erased), ERR_NOT_FOUND);
    cr_assert_eq(batch_without_person(&before, buffer_bytes(&value), 5, &erased), ERR_INVALID);
    cr_assert_eq(batch_without_person(&before, buffer_bytes(&value), 2, &erased), OK);
    cr_assert_eq(batch_open(&after, buffer_bytes(&erased)), OK);
    for (uint32_t i = 0; i < 5; i++) {
        struct record was, is;
        struct hash was_leaf, is_leaf;
        batch_record(&before, i, &was, &was_leaf);
        batch_record(&after, i, &is, &is_leaf);
        cr_assert(hash_equal(&was_leaf, &is_leaf));
        cr_assert(bytes_equal(was.header, is.header));
        cr_assert(bytes_equal(was.facts, is.facts));
        cr_assert_eq(is.person_absent, i == 2);
        cr_assert_eq(is.person.size, i == 2 ? 0 : was.person.size);
        if (i != 2)
            cr_assert(bytes_equal(was.person, is.person));
    }
    cr_assert(bytes_equal(before.note, after.note));
    buffer_close(&erased);
    buffer_close(&value);
}
