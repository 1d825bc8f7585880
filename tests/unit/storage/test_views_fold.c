#include "storage/log_private.h"
#include "tests/unit/storage/views_case.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

TestSuite(views_fold, .init = setup, .fini = teardown);

/* ---- positions and flushes ------------------------------------------------------------------- */

Test(views_fold, deciding_and_flushing_gives_what_folding_the_log_gives)
{
    record_group(&LOG_A, 1, 100);
    struct digest_text before = views_fixture_digest(&fixture);
    cr_assert_str_eq(before.text, views_fixture_rebuilt(logs.logs).text);
    expect_applied("");
    flush_log(&LOG_A, 1);
    cr_assert_str_eq(before.text, views_fixture_digest(&fixture).text);
    expect_applied("A100 ");
    record_group(&LOG_A, 2, 150);
    flush_log(&LOG_A, 2);
    expect_applied("A150 ");
    record_group(&LOG_B, 3, 40);
    flush_log(&LOG_B, 3);
    expect_applied("A150 B40 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 100), ERR_END);
}

Test(views_fold, what_a_crash_took_from_memory_is_folded_from_the_log_again)
{
    record_group(&LOG_A, 1, 100);
    flush_log(&LOG_A, 1);
    record_group(&LOG_A, 2, 170);
    struct digest_text before = views_fixture_digest(&fixture);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
    expect_applied("A100 ");
    cr_assert_str_neq(before.text, views_fixture_digest(&fixture).text);
    views_fixture_fold(&fixture, logs.logs, 30);
    expect_applied("A170 ");
    cr_assert_str_eq(before.text, views_fixture_digest(&fixture).text);
}

Test(views_fold, a_flush_never_takes_a_position_back)
{
    record_group(&LOG_A, 1, 100);
    flush_log(&LOG_A, 1);
    put(decide(2), "a", "b");
    struct log_head older = history_head(&logs, A);
    older.size = 99;
    cr_assert_eq(memory_freeze(views_memory(fixture.views), 2), OK);
    cr_assert_eq(views_flush(fixture.views, &older), ERR_STALE);
    cr_assert(memory_has_frozen(views_memory(fixture.views)));
}

Test(views_fold, a_flush_grows_the_map_as_needed)
{
    views_close(fixture.views);
    fixture.options.map_size = 1 << 20;
    cr_assert_eq(views_open(&fixture.views, &fixture.options), OK);
    char key[32], value[200];
    memset(value, 'v', sizeof value);
    for (uint64_t group = 1; group <= 4; group++) {
        struct view *view = decide(group);
        for (int i = 0; i < 5000; i++) {
            snprintf(key, sizeof key, "%d/%d", i * 7919 % 5000, (int)group);
            view_put(view, bytes_of_string(key), BYTES_OF_ARRAY(value));
        }
        cr_assert_eq(view->err, OK);
        views_decider_end(fixture.views);
        flush(group);
    }
    cr_assert_eq(views_fixture_entries(&fixture), 20000);
}

struct flusher {
    enum err err;
    struct log_head head;
};

static void *flusher_main(void *context)
{
    struct flusher *flusher = context;
    flusher->err = views_flush(fixture.views, &flusher->head);
    return NULL;
}

Test(views_fold, a_decider_that_never_pauses_does_not_keep_the_map_from_growing, .timeout = 60)
{
    views_close(fixture.views);
    fixture.options.map_size = 1 << 20;
    cr_assert_eq(views_open(&fixture.views, &fixture.options), OK);
    struct flusher flusher = { .head = some_head(1) };
    uint8_t key[8];
    char value[100] = "";
    for (uint64_t i = 0; i < 20000; i++) {
        put_u64(key, i * 7919 % 20000);
        view_put(decide(1), BYTES_OF_ARRAY(key), BYTES_OF_ARRAY(value));
    }
    cr_assert_eq(memory_freeze(views_memory(fixture.views), 1), OK);
    pthread_t thread;
    decide(2);
    cr_assert_eq(pthread_create(&thread, NULL, flusher_main, &flusher), 0);
    while (memory_has_frozen(views_memory(fixture.views))) {
        put(decide(2), "a", "b"); /* without an end */
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(flusher.err, OK);
    cr_assert_eq(views_fixture_entries(&fixture), 20000);
}

/* ---- folding --------------------------------------------------------------------------------- */

Test(views_fold, any_budget_folds_to_the_same_content)
{
    static const uint64_t budgets[] = { 1, 7, 64, 1000 };
    history_hold(&logs, &LOG_A, 100, 33);
    history_hold(&logs, &LOG_B, 40, 33);
    struct digest_text wanted = views_fixture_rebuilt(logs.logs);
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        cr_assert_eq(views_forget(fixture.views, "ardabil"), OK);
        views_fixture_fold(&fixture, logs.logs, budgets[i]);
        cr_assert_str_eq(views_fixture_digest(&fixture).text, wanted.text);
        expect_applied("A100 B40 ");
    }
}

Test(views_fold, a_growing_log_is_folded_from_where_it_was)
{
    for (uint64_t size = 1; size < 300; size += 37) {
        history_hold(&logs, &LOG_A, size, 1000);
        cr_assert_leq(views_fixture_fold(&fixture, logs.logs, 1000), 1);
    }
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

Test(views_fold, erased_persons_are_folded_as_absent)
{
    history_hold(&logs, &LOG_A, 50, 1000);
    struct store_txn txn = store_begin_write(log_store_environment(logs.logs));
    cr_assert_eq(log_erase_person(logs.logs, &txn, history_number(&logs, A), 17), OK);
    cr_assert_eq(store_commit(&txn), OK);
    views_fixture_fold(&fixture, logs.logs, 1000);
    READER(reader);
    struct bytes value;
    cr_assert_eq(view_get(&reader.view, bytes_of_string("absent"), &value), OK);
    cr_assert_eq(get_u64(value.data), 1);
    cr_assert_eq(view_get(&reader.view, bytes_of_string("person"), &value), OK);
    cr_assert_eq(get_u64(value.data), 48);
    views_reader_end(&reader);
}

/* A search that does not come to a batch would else be taken for the end, and half a view for the whole. */
Test(views_fold, a_log_whose_records_are_not_found_is_damage)
{
    history_hold(&logs, &LOG_A, 120, 40);
    views_fixture_fold(&fixture, logs.logs, 40);
    cr_assert_eq(views_forget(fixture.views, "ardabil"), OK);
    struct log_key key = log_key_position(history_number(&logs, A), 0);
    struct store_txn txn = store_begin_write(log_store_environment(logs.logs));
    store_delete(&txn, LOG_BATCHES, log_key_bytes(&key));
    cr_assert_eq(store_commit(&txn), OK);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 40), ERR_CORRUPT);
}

Test(views_fold, an_unknown_or_invalid_node_has_nothing_to_fold)
{
    struct hash digest;
    uint64_t entries;
    cr_assert_eq(views_fold(fixture.views, logs.logs, "hormozgan", 10), ERR_END);
    cr_assert_eq(views_digest(fixture.views, "hormozgan", &digest, &entries), OK);
    cr_assert_eq(entries, 0);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "Not A Name", 10), ERR_INVALID);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 0), ERR_INVALID);
}

Test(views_fold, nodes_do_not_see_each_other)
{
    struct log_id other = sample_log("ardabil2", "hub", A);
    fixture_append(&logs, fixture_create(&logs, &other), &other, 30, true);
    history_hold(&logs, &LOG_A, 20, 1000);
    struct digest_text alone = views_fixture_rebuilt(logs.logs);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil2", 1000), OK);
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, alone.text);
    cr_assert_eq(views_forget(fixture.views, "ardabil2"), OK);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, alone.text);
}
