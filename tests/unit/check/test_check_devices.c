/* The checkers of syncs, errors and damage (I9-I11): histories that are bad in one thing each. */
#include "tests/unit/check/sample.h"

#include "tests/check/check.h"

#include <criterion/criterion.h>

#define SECOND UINT64_C(1000000000) /* ns */

/* ---- I9 ------------------------------------------------------------------------------------ */

Test(i09, an_answer_before_the_data_are_synced_is_seen)
{
    struct history *history = sample_good();
    sample_event(history, HISTORY_SYNC_END, 0)->sync.ok = false;
    sample_expect(history, "I9");
}

Test(i09, an_answer_before_the_root_is_synced_is_seen)
{
    struct history *history = sample_good();
    struct history_event *end = sample_event(history, HISTORY_SYNC_END, 1);
    struct history_event late = *end;
    struct history_event *ok = sample_event(history, HISTORY_OK, 0);
    sample_insert(history, ok, late);
    sample_remove(history, sample_event(history, HISTORY_SYNC_END, 1));
    sample_expect(history, "I9");
}

Test(i09, a_sync_that_began_before_the_call_does_not_count)
{
    struct history *history = sample_good();
    for (size_t i = 0; i < 4; i++) /* the second registration's whole commit is gone */
        sample_remove(history, sample_event(history, i < 2 ? HISTORY_SYNC_BEGIN : HISTORY_SYNC_END, 2));
    sample_expect(history, "I9");
}

Test(i09, no_sync_at_all_is_seen_where_all_would_have_been_told)
{
    struct history *history = sample_good();
    for (size_t i = history->event_count; i-- > 0;)
        if (history->events[i].kind == HISTORY_SYNC_BEGIN ||
            history->events[i].kind == HISTORY_SYNC_END)
            sample_remove(history, &history->events[i]);
    sample_insert(history, sample_event(history, HISTORY_UP, 0),
                  (struct history_event){ .kind = HISTORY_TOTAL,
                                          .host = HISTORY_NO_HOST,
                                          .mark = { "syncs_recorded", 1, { { 0 } } } });
    sample_expect(history, "I9");
}

Test(i09, where_there_is_a_journal_it_must_be_synced)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].journal = true;
    sample_expect(history, "I9");
}

Test(i09, a_journal_that_has_failed_since_the_start_is_not_waited_for)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].journal = true;
    for (size_t start = 0; start < 2; start++)
        sample_insert(history, sample_event(history, HISTORY_UP, start ? 2 : 1),
                      (struct history_event){ .kind = HISTORY_IO_ERROR,
                                              .host = ARDABIL,
                                              .sync = { 99, "journal", false, false } });
    struct check_report *report = check_history(history, "I9");
    cr_assert_eq(report->violation_count, 0);
    check_report_free(report);
    history_free(history);
}

/* ---- I10 ----------------------------------------------------------------------------------- */

static struct history_event io_error(void)
{
    return (struct history_event){ .kind = HISTORY_IO_ERROR, .sync = { 99, "log", false, false } };
}

Test(i10, a_sync_after_an_error_is_seen)
{
    struct history *history = sample_good();
    sample_insert(history, sample_event(history, HISTORY_SENT, 1), io_error());
    sample_expect(history, "I10");
}

Test(i10, an_acknowledgement_after_an_error_is_seen)
{
    struct history *history = sample_good();
    sample_insert(history, sample_event(history, HISTORY_SENT, 1), io_error());
    for (size_t i = history->event_count; i-- > 0;)
        if (history->events[i].kind == HISTORY_SYNC_BEGIN)
            sample_remove(history, &history->events[i]);
    sample_expect(history, "I10");
}

Test(i10, a_process_that_goes_on_for_minutes_is_seen)
{
    struct history *history = sample_good();
    struct history_event *crash = sample_event(history, HISTORY_CRASH, 0);
    sample_insert(history, crash - 1, io_error());
    for (struct history_event *event = sample_event(history, HISTORY_CRASH, 0);
         event < history->events + history->event_count; event++)
        event->time_ns += 100 * SECOND;
    sample_expect(history, "I10");
}

Test(i10, a_process_that_stops_at_once_is_good)
{
    struct history *history = sample_good();
    sample_insert(history, sample_event(history, HISTORY_CRASH, 0) - 1, io_error());
    sample_expect(history, NULL);
}

Test(i10, a_journal_that_failed_without_an_alarm_is_seen_and_with_one_is_good)
{
    for (int alarmed = 0; alarmed < 2; alarmed++) {
        struct history *history = sample_good();
        struct history_event error = io_error();
        error.sync.device = "journal";
        sample_insert(history, sample_event(history, HISTORY_UP, 0) + 1, error);
        if (alarmed)
            sample_insert(history, sample_event(history, HISTORY_IO_ERROR, 0),
                          (struct history_event){ .kind = HISTORY_ALARM,
                                                  .alarm = { "journal", "", "" } });
        struct check_report *report = check_history(history, "I10");
        cr_assert_eq(report->violation_count > 0, !alarmed);
        check_report_free(report);
        history_free(history);
    }
}

/* ---- I11 ----------------------------------------------------------------------------------- */

Test(i11, a_damaged_host_that_signs_another_root_is_seen)
{
    struct history *history = sample_good();
    struct check_hash root = sample_hash(3);
    sample_insert(history, sample_event(history, HISTORY_UP, 1), sample_fault("rest.flip", ARDABIL));
    sample_event(history, HISTORY_CHECKPOINT, 0)->note.text =
        sample_note(history, SAMPLE_LOG_1, 3, &root, false);
    sample_expect(history, "I11");
}

Test(i11, a_repair_that_is_not_the_same_is_seen)
{
    struct history *history = sample_good();
    sample_insert(history, sample_event(history, HISTORY_UP, 1), sample_fault("rest.flip", ARDABIL));
    struct dump_log *log = sample_final_log(history, ARDABIL, SAMPLE_LOG_1);
    log->records[1].hash = sample_hash(3);
    log->records[2].damaged = true; /* else its copy would be the one that counts */
    sample_expect(history, "I11");
}

static struct history *other_case_looked_up(const char *fault)
{
    struct history *history = sample_good();
    if (fault)
        sample_insert(history, sample_event(history, HISTORY_UP, 0), sample_fault(fault, ARDABIL));
    struct history_event *ok = sample_event(history, HISTORY_OK, 5);
    struct history_event *sent = sample_event(history, HISTORY_SENT, 6);
    cr_assert(ok->answer.national && sent->answer.national);
    ok->answer.case_id = sent->answer.case_id = "000000000000000000000000000000aa";
    return history;
}

Test(i11, a_look_up_that_answers_with_another_case_is_seen)
{
    sample_expect(other_case_looked_up(NULL), "I11");
}

Test(i11, that_a_store_is_damaged_excuses_no_wrong_answer)
{
    sample_expect(other_case_looked_up("rest.flip"), "I11");
    struct history *history = other_case_looked_up("rest.lost_sync");
    cr_assert(!sample_is_violated(history, "I11"), "it may not know what it had told before");
}

/* Key 3 stands in log 2 once more, as the case that the look-up of the first is answered with. */
static size_t answered_with_the_other_case(bool lost)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].journal = true;
    struct history_event gone = sample_life(HISTORY_DISK_LOST, ARDABIL, 0);
    gone.life.name = "log";
    sample_event(history, HISTORY_OK, 5)->answer.case_id = "00000000000000000000000000000004";
    sample_event(history, HISTORY_SENT, 6)->answer.case_id = "00000000000000000000000000000004";
    if (lost)
        sample_insert(history, sample_event(history, HISTORY_RECEIPT, 0), gone);
    sample_final_log(history, ARDABIL, SAMPLE_LOG_2)->records[1].key = "key-3";
    sample_final_log(history, ARDABIL, SAMPLE_LOG_2)->parent_count = 0;
    sample_final_log(history, HUB, SAMPLE_LOG_2)->parent_count = 0;
    struct check_report *report = check_history(history, "I11");
    size_t violations = report->violation_count;
    check_report_free(report);
    history_free(history);
    return violations;
}

Test(i11, of_a_key_that_only_hubs_knew_both_cases_may_have_become_one)
{
    cr_assert_eq(answered_with_the_other_case(true), 0);
    cr_assert_gt(answered_with_the_other_case(false), 0, "nothing was lost");
}
