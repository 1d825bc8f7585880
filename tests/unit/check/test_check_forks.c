/* The checkers of forks, rollbacks and split views (I12-I14): histories that are bad in one thing each. */
#include "tests/unit/check/sample.h"

#include "tests/check/check.h"
#include "tests/check/tree.h"

#include <criterion/criterion.h>

#define SECOND UINT64_C(1000000000) /* ns */

/* ---- I12 ----------------------------------------------------------------------------------- */

/* The hub has log 1 in two histories, which differ in their last record. */
static void fork_log(struct history *history, bool frozen, bool branch, bool proof)
{
    struct dump *dump = sample_dump(history, HUB, "final");
    struct dump_log *main = sample_final_log(history, HUB, SAMPLE_LOG_1);
    struct tree a = { 0 }, b = { 0 };
    for (size_t i = 0; i < 5; i++) {
        struct check_hash other = i == 4 ? sample_hash(44) : main->records[i].hash;
        tree_append(&a, &main->records[i].hash);
        tree_append(&b, &other);
    }
    struct check_hash root_a = tree_root(&a), root_b = tree_root(&b);
    main->frozen = frozen;
    if (proof)
        dump_add_fork(dump, main, sample_fork_proof(history, 5, &root_a, &root_b));
    struct dump_log *from = branch ? dump_add_log(dump, SAMPLE_LOG_1, true) : NULL;
    main = sample_final_log(history, HUB, SAMPLE_LOG_1);
    struct dump_log *changed = from ? from : sample_final_log(history, ARDABIL, SAMPLE_LOG_1);
    for (size_t i = 0; i < 5 && from; i++)
        dump_add_record(dump, from, &main->records[i]);
    changed->records[4].hash = sample_hash(44);
}

static void expect_fork(bool frozen, bool branch, bool proof, size_t violations)
{
    struct history *history = sample_good();
    fork_log(history, frozen, branch, proof);
    struct check_report *report = check_history(history, "I12");
    cr_assert_eq(report->violation_count, violations, "%zu", report->violation_count);
    check_report_free(report);
    history_free(history);
}

Test(i12, a_fork_that_is_frozen_proven_and_kept_is_good)
{
    expect_fork(true, true, true, 0);
}

Test(i12, a_fork_that_goes_on_or_is_not_proven_or_not_kept_is_seen)
{
    expect_fork(false, true, true, 1);
    expect_fork(true, true, false, 1);
    expect_fork(true, false, true, 1);
}

Test(i12, a_history_that_nobody_holds_in_the_end_is_none)
{
    struct history *history = sample_good();
    sample_log(history, ARDABIL, "first", SAMPLE_LOG_1)->records[4].hash = sample_hash(44);
    struct check_report *report = check_history(history, "I12");
    cr_assert_eq(report->violation_count, 0);
    check_report_free(report);
    history_free(history);
}

Test(i12, a_proof_that_proves_nothing_is_seen)
{
    struct history *history = sample_good();
    struct check_hash root = sample_hash(1);
    struct dump *dump = sample_dump(history, HUB, "final");
    dump_add_fork(dump, sample_final_log(history, HUB, SAMPLE_LOG_1),
                  sample_fork_proof(history, 5, &root, &root));
    sample_expect(history, "I12");
}

Test(i12, a_log_that_was_frozen_for_nothing_is_seen)
{
    struct history *history = sample_good();
    sample_final_log(history, HUB, SAMPLE_LOG_2)->frozen = true;
    sample_expect(history, "I12");
    history = sample_good();
    sample_final_log(history, HUB, SAMPLE_LOG_2)->frozen = true;
    history->hosts[ARDABIL].malicious = true; /* its author may have brought it about */
    sample_expect(history, NULL);
}

/* ---- I13 ----------------------------------------------------------------------------------- */

/* Ardabil is put back to before its erasure when it crashes. */
static struct history *rolled_back(bool alarm, uint32_t host)
{
    struct history *history = sample_good();
    struct history_event *crash = sample_event(history, HISTORY_CRASH, 0);
    size_t at = (size_t)(crash - history->events);
    struct dump *dump = dump_new("restored");
    const struct dump *first = sample_dump(history, host, "first");
    struct dump_log *log = dump_add_log(dump, SAMPLE_LOG_1, false);
    for (size_t i = 0; i < 3; i++)
        dump_add_record(dump, log, &first->logs[0].records[i]);
    dump->readable = true;
    log->records[2].person = PERSON_HELD; /* it was not erased then */
    if (host == HUB)
        crash->host = HUB;
    sample_insert(history, &history->events[at], sample_life(HISTORY_RESTORE, host, 1));
    history_add_dump(history, 0, host, dump);
    struct history_event read = history->events[--history->event_count];
    sample_insert(history, &history->events[at + 1], read);
    cr_assert_eq(history->events[at + 3].kind, HISTORY_UP);
    history->events[at + 3].host = host;
    if (alarm)
        sample_insert(history, &history->events[at + 3],
                      (struct history_event){ .kind = HISTORY_ALARM,
                                              .host = HUB,
                                              .alarm = { host == HUB ? "HUB_ROLLBACK" : "rollback",
                                                         host == HUB ? "hub-1" : "ardabil", "" } });
    else
        sample_insert(history, &history->events[at + 3],
                      (struct history_event){ .kind = HISTORY_ALARM,
                                              .host = HUB,
                                              .alarm = { "limit", "", "" } });
    return history;
}

Test(i13, a_rollback_that_is_noticed_and_made_good_is_good)
{
    sample_expect(rolled_back(true, ARDABIL), NULL);
}

Test(i13, a_rollback_that_nobody_notices_is_seen)
{
    sample_expect(rolled_back(false, ARDABIL), "I13");
    sample_expect(rolled_back(false, HUB), "I13");
}

/* An alarm lasts: it is raised when the hub first shows that it lost the records, and not again. */
Test(i13, what_a_hub_had_lost_before_needs_no_other_alarm)
{
    for (int lost = 0; lost < 2; lost++) {
        struct history *history = rolled_back(false, HUB);
        struct history_event *crash = sample_event(history, HISTORY_CRASH, 0);
        size_t before = (size_t)(crash - history->events) - 1;
        sample_insert(history, &history->events[before], sample_life(HISTORY_UP, HUB, 0));
        if (lost)
            sample_insert(history, &history->events[before], sample_life(HISTORY_RESTORE, HUB, 1));
        cr_assert_eq(sample_is_violated(history, "I13"), lost == 0);
    }
}

/* Who held the receipt is gone; the one who is there in the end was given another, later. */
Test(i13, what_nobody_knew_of_when_the_hub_came_back_needs_no_alarm)
{
    static const char *const origins[] = { SAMPLE_LOG_1, SAMPLE_LOG_2 };
    struct history *history = rolled_back(false, HUB);
    char *later[8] = { 0 };
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        struct dump_log *log = sample_final_log(history, ARDABIL, origins[i]);
        for (size_t k = 0; k < log->receipt_count; k++) {
            char *text = later[count++] = strdup(log->receipts[k].text);
            char *line = strrchr(text, ' ');
            line[20] = line[20] == 'A' ? 'B' : 'A';
            log->receipts[k].text = text;
        }
    }
    cr_assert_gt(count, 0);
    cr_assert_not(sample_is_violated(history, "I13"));
    for (size_t i = 0; i < count; i++)
        free(later[i]);
}

Test(i13, that_there_are_no_alarms_at_all_excuses_only_who_does_not_record_them)
{
    for (int recorded = 0; recorded < 2; recorded++) {
        struct history *history = rolled_back(false, ARDABIL);
        sample_event(history, HISTORY_ALARM, 0)->kind = HISTORY_TOTAL;
        sample_event(history, HISTORY_TOTAL, 0)->mark =
            (struct history_mark){ recorded ? "alarms_recorded" : "other", 1, { { 0 } } };
        struct check_report *report = check_history(history, "I13");
        cr_assert_eq(report->violation_count, (size_t)recorded);
        check_report_free(report);
        history_free(history);
    }
}

Test(i13, what_came_back_and_is_named_by_no_incarnation_is_seen)
{
    struct history *history = rolled_back(true, ARDABIL);
    sample_final_log(history, ARDABIL, SAMPLE_LOG_2)->parent_count = 0;
    sample_final_log(history, HUB, SAMPLE_LOG_2)->parent_count = 0;
    sample_expect(history, "I13");
}

Test(i13, a_host_put_back_that_goes_on_with_its_old_log_is_seen)
{
    struct history *history = rolled_back(true, ARDABIL);
    struct dump *restored = sample_dump(history, ARDABIL, "restored");
    dump_add_log(restored, SAMPLE_LOG_2, false);
    sample_expect(history, "I13");
}

Test(i13, what_is_not_handed_back_is_seen)
{
    struct history *history = rolled_back(true, ARDABIL);
    sample_shorten(sample_final_log(history, ARDABIL, SAMPLE_LOG_1), 2);
    sample_expect(history, "I13");
}

/* ---- I14 ----------------------------------------------------------------------------------- */

static void show(struct history *history, uint64_t size, unsigned root_number, bool cosigned)
{
    struct check_hash root = sample_hash(root_number);
    const char *text = sample_note(history, SAMPLE_LOG_1, size, &root, cosigned);
    sample_insert(history, sample_event(history, HISTORY_CRASH, 0),
                  (struct history_event){ .kind = cosigned ? HISTORY_RECEIPT : HISTORY_CHECKPOINT,
                                          .host = cosigned ? HUB : ARDABIL,
                                          .note = { cosigned ? ARDABIL : HUB, text } });
}

Test(i14, a_checkpoint_with_a_root_of_no_records_is_seen)
{
    struct history *history = sample_good();
    show(history, 4, 1, false);
    sample_expect(history, "I14");
}

Test(i14, two_roots_of_one_size_beyond_what_anybody_holds_are_seen)
{
    struct history *history = sample_good();
    show(history, 9, 1, false);
    show(history, 9, 2, false);
    sample_expect(history, "I14");
}

Test(i14, a_hub_that_cosigns_two_histories_is_seen)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].malicious = true;
    show(history, 9, 1, true);
    show(history, 9, 2, true);
    sample_expect(history, "I14");
}

/* One receipt before the loss, the other after it, and again one of them at the end. */
static struct history *signed_twice(struct history_event loss, unsigned again)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].malicious = true;
    if (again)
        show(history, 9, again, true); /* each is put in behind one event, so from the last on */
    show(history, 9, 2, true);
    sample_insert(history, sample_event(history, HISTORY_CRASH, 0), loss);
    show(history, 9, 1, true);
    return history;
}

Test(i14, a_hub_that_lost_the_one_may_sign_the_other_and_none_that_has_it)
{
    uint64_t signed_at;
    struct history *history = signed_twice(sample_life(HISTORY_DISK_LOST, HUB, 0), 0);
    signed_at = sample_event(history, HISTORY_CRASH, 0)->time_ns;
    cr_assert_not(sample_is_violated(history, "I14"));
    cr_assert_not(sample_is_violated(signed_twice(sample_life(HISTORY_DISK_LOST, HUB, 0), 2), "I14"));
    cr_assert(sample_is_violated(signed_twice(sample_life(HISTORY_DISK_LOST, HUB, 0), 1), "I14"));
    cr_assert(sample_is_violated(signed_twice(sample_life(HISTORY_DISK_LOST, ARDABIL, 0), 0), "I14"));
    /* put back to a copy that was made when it had signed */
    cr_assert(sample_is_violated(signed_twice(sample_life(HISTORY_RESTORE, HUB, signed_at + SECOND), 0), "I14"));
    cr_assert_not(sample_is_violated(signed_twice(sample_life(HISTORY_RESTORE, HUB, 1), 0), "I14"));
}
