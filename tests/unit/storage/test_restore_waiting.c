/* What the journal does not have any more, and what waits in it until hubs have handed that back. */
#include "tests/unit/storage/restore_pair.h"

#include "storage/waiting.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
