#include "tests/unit/storage/views_case.h"

#include <criterion/criterion.h>

TestSuite(views, .init = setup, .fini = teardown);

/* ---- open ------------------------------------------------------------------------------------ */

Test(views, other_rules_or_another_node_find_nothing)
{
    history_hold(&logs, &LOG_A, 30, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
    expect_applied("A30 ");
    views_close(fixture.views);
    fixture.options.rules.version = 2;
    fixture.options.read_only = true;
    cr_assert_eq(views_open(&fixture.views, &fixture.options), ERR_VERSION);
    fixture.options.read_only = false;
    cr_assert_eq(views_open(&fixture.views, &fixture.options), OK);
    expect_applied("");
    cr_assert_eq(views_fixture_entries(&fixture), 0);
    views_fixture_fold(&fixture, logs.logs, 1000);
    expect_applied("A30 ");
    views_close(fixture.views);
    fixture.options.node = "hormozgan";
    cr_assert_eq(views_open(&fixture.views, &fixture.options), OK);
    cr_assert_eq(views_fixture_entries(&fixture), 0);
}

Test(views, a_read_only_store_reads_what_was_flushed_and_folds_nothing)
{
    history_hold(&logs, &LOG_A, 30, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    struct digest_text good = views_fixture_digest(&fixture);
    views_close(fixture.views);
    fixture.options.read_only = true;
    cr_assert_eq(views_open(&fixture.views, &fixture.options), OK);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
    expect_applied("A30 ");
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 10), ERR_INVALID);
    cr_assert_eq(views_forget(fixture.views, "ardabil"), ERR_INVALID);
}

/* ---- check ----------------------------------------------------------------------------------- */

Test(views, a_check_folds_again_up_to_what_is_applied)
{
    struct views_check result;
    uint64_t progress = 0;
    cr_assert_eq(check(&result, &progress), OK, "of nothing");
    cr_assert_eq(result.held_entries, 0);
    prepare_handback(); /* the order is about to change, what is applied is still A@100, B */
    put(decide(9), "not flushed", "yet");
    views_decider_end(fixture.views);
    cr_assert_eq(check(&result, &progress), OK);
    cr_assert_eq(result.records, 140);
    cr_assert_eq(progress, 140);
    cr_assert_eq(result.held_entries, result.rebuilt_entries);
    cr_assert_gt(result.held_entries, 280);
}

Test(views, a_check_finds_content_that_the_records_do_not_give)
{
    struct views_check result;
    uint64_t progress = 0;
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    put(decide(1), "record/0a/00000042", "forged");
    views_decider_end(fixture.views);
    flush_log(&LOG_A, 1);
    cr_assert_eq(check(&result, &progress), ERR_CONFLICT);
    cr_assert_not(hash_equal(&result.held, &result.rebuilt));
    cr_assert_eq(result.held_entries, result.rebuilt_entries);
}
