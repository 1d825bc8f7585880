#include "tests/unit/storage/views_case.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(views_order, .init = setup, .fini = teardown);

Test(views_order, a_rollback_gives_the_same_content_in_whatever_order_logs_arrive)
{
    static const int arrivals[][4] = { { 0, 1, 2, 3 }, { 0, 2, 1, 3 }, { 0, 2, 3, 1 },
                                       { 2, 3, 0, 1 }, { 3, 2, 1, 0 }, { 2, 0, 3, 1 } };
    char wanted[65] = "";
    for (size_t i = 0; i < sizeof arrivals / sizeof *arrivals; i++) {
        hold_all(arrivals[i], 50);
        expect_applied("A300 B40 C10 ");
        struct digest_text digest = views_fixture_digest(&fixture);
        if (i == 0)
            memcpy(wanted, digest.text, sizeof wanted);
        cr_assert_str_eq(digest.text, wanted);
        cr_assert_str_eq(views_fixture_rebuilt(logs.logs).text, wanted);
        teardown();
        setup();
    }
}

Test(views_order, readers_keep_the_old_content_until_the_new_one_is_whole)
{
    prepare_handback();
    struct digest_text old = views_fixture_digest(&fixture);
    struct digest_text new = views_fixture_rebuilt(logs.logs);
    cr_assert_str_neq(old.text, new.text);
    READER(reader);
    bool switched = false;
    while (views_fold(fixture.views, logs.logs, "ardabil", 25) == OK) {
        struct digest_text now = views_fixture_digest(&fixture);
        switched = switched || strcmp(now.text, new.text) == 0;
        cr_assert_str_eq(now.text, switched ? new.text : old.text);
    }
    cr_assert(switched);
    struct bytes value;
    cr_assert_eq(view_get(&reader.view, bytes_of_string("count"), &value), OK);
    cr_assert_eq(get_u64(value.data), 140, "an open reader keeps its state");
    views_reader_end(&reader);
}

Test(views_order, a_rebuild_goes_on_after_a_crash_at_any_step_and_leaves_nothing_behind)
{
    struct digest_text old, new;
    unsigned steps = 0;
    for (unsigned crash_at = 0; crash_at <= steps; crash_at++) {
        prepare_handback();
        old = views_fixture_digest(&fixture);
        new = views_fixture_rebuilt(logs.logs);
        for (unsigned i = 0; i < crash_at; i++)
            cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 60), OK);
        cr_assert_eq(views_fixture_reopen(&fixture), OK);
        struct digest_text now = views_fixture_digest(&fixture);
        cr_assert(strcmp(now.text, old.text) == 0 || strcmp(now.text, new.text) == 0);
        unsigned more = views_fixture_fold(&fixture, logs.logs, 60);
        if (crash_at == 0)
            steps = more;
        cr_assert_eq(crash_at + more, steps, "no step is done twice");
        cr_assert_str_eq(views_fixture_digest(&fixture).text, new.text);
        expect_applied("A300 B40 ");
        struct hash hash;
        uint64_t entries;
        cr_assert_eq(views_digest(fixture.views, "ardabil", &hash, &entries), OK);
        cr_assert_eq(views_fixture_entries(&fixture), entries, "V3");
        teardown();
        setup();
    }
    cr_assert_gt(steps, 6);
}

Test(views_order, an_order_that_changes_during_a_rebuild_begins_another_one)
{
    prepare_handback();
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 320), OK); /* all A, some B */
    history_hold(&logs, &LOG_A, 310, 1000);
    views_fixture_fold(&fixture, logs.logs, 100);
    expect_applied("A310 B40 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
    history_hold(&logs, &LOG_A, 320, 1000);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 10), OK);
    history_hold(&logs, &LOG_A, 330, 1000); /* still the last one of what is being folded */
    views_fixture_fold(&fixture, logs.logs, 100);
    expect_applied("A330 B40 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

Test(views_order, while_the_writer_is_open_only_the_next_generation_is_folded)
{
    prepare_handback();
    struct digest_text old = views_fixture_digest(&fixture);
    struct digest_text new = views_fixture_rebuilt(logs.logs);
    while (views_fold_aside(fixture.views, logs.logs, "ardabil", 50) == OK)
        cr_assert_str_eq(views_fixture_digest(&fixture).text, old.text);
    expect_applied("A100 B40 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, old.text);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 50), OK);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, new.text, "one step: the switch");
    views_fixture_fold(&fixture, logs.logs, 50);
    cr_assert_eq(views_fold_aside(fixture.views, logs.logs, "ardabil", 50), ERR_END);
}
