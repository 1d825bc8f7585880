/* Every checker is shown a good history and several that are bad in one thing each. Here the good one,
 * availability, convergence, time, replay and what is national; in the files beside, test_check_*.c, the
 * other guarantees. */
#include "tests/unit/check/sample.h"

#include "tests/check/check.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECOND UINT64_C(1000000000) /* ns */

Test(checkers, a_good_history_violates_nothing_and_every_checker_that_has_a_say_looked)
{
    struct history *history = sample_good();
    struct check_report *report = check_history(history, NULL);
    for (size_t i = 0; i < CHECK_GUARANTEE_COUNT; i++) {
        const char *id = CHECK_GUARANTEES[i].id;
        bool idle = strcmp(id, "I10") == 0 || strcmp(id, "I12") == 0 || strcmp(id, "I13") == 0;
        cr_assert(idle || report->judged[i] > 0, "%s looked at nothing", id);
    }
    check_report_free(report);
    sample_expect(history, NULL);
}

Test(checkers, one_guarantee_alone_can_be_judged)
{
    struct history *history = sample_good();
    sample_shorten(sample_final_log(history, ARDABIL, SAMPLE_LOG_2), 1);
    struct check_report *report = check_history(history, "I24");
    cr_assert_eq(report->violation_count, 0);
    check_report_free(report);
    history_free(history);
}

/* ---- I18, I22, I23, I24, I29, I30 ---------------------------------------------------------- */

Test(i18, a_replay_that_changes_a_state_is_seen)
{
    struct history *history = sample_good();
    sample_event(history, HISTORY_STATE, 1)->mark.digest = sample_hash(1);
    sample_expect(history, "I18");
}

Test(i22, a_registration_that_is_not_taken_during_a_cut_is_seen)
{
    struct history *history = sample_good();
    struct history_event *ok = sample_event(history, HISTORY_OK, 7);
    ok->kind = HISTORY_UNKNOWN;
    ok->answer.status = 503;
    sample_expect(history, "I22");
    history = sample_good();
    sample_event(history, HISTORY_FAIL, 0)->answer.status = 507;
    sample_expect(history, "I22");
}

Test(i22, a_good_request_that_is_refused_is_seen)
{
    struct history *history = sample_good();
    struct history_event *refused = sample_event(history, HISTORY_FAIL, 0);
    cr_assert_eq(refused->answer.status, 422);
    refused->answer.status = 400;
    sample_expect(history, "I22");
    history = sample_good();
    struct history_event *asked = sample_event(history, HISTORY_INVOKE, 0);
    struct history_event *misused = sample_event(history, HISTORY_INVOKE, 4);
    cr_assert_str_eq(asked->call.key, misused->call.key);
    misused->call.facts = asked->call.facts;
    misused->call.person = asked->call.person;
    sample_expect(history, "I22");
}

Test(i22, a_full_disk_or_a_stopping_process_excuses)
{
    struct history_event stopping = { .kind = HISTORY_STOPPING,
                                      .host = ARDABIL,
                                      .life.peer = HISTORY_NO_HOST };
    for (int full = 0; full <= 1; full++) {
        struct history *history = sample_good();
        sample_event(history, HISTORY_FAIL, 0)->answer.status = full ? 507 : 0;
        sample_insert(history, sample_event(history, HISTORY_UP, 1),
                      full ? sample_fault("disk.full", ARDABIL) : stopping);
        struct check_report *report = check_history(history, "I22");
        cr_assert_eq(report->violation_count, 0);
        check_report_free(report);
        history_free(history);
    }
}

Test(i22, a_registration_that_takes_too_long_is_seen)
{
    struct history *history = sample_good();
    for (struct history_event *event = sample_event(history, HISTORY_SENT, 1);
         event < history->events + history->event_count; event++)
        event->time_ns += 11 * SECOND;
    sample_expect(history, "I22");
}

Test(i23, holders_that_never_agree_are_seen)
{
    struct history *history = sample_good();
    sample_remove(history, sample_event(history, HISTORY_CONVERGED, 0));
    sample_expect(history, "I23");
}

Test(i23, convergence_that_takes_too_long_is_seen_and_a_backlog_excuses)
{
    for (uint64_t backlog = 0; backlog <= 80000; backlog += 80000) {
        struct history *history = sample_good();
        for (struct history_event *event = sample_event(history, HISTORY_CONVERGED, 0);
             event < history->events + history->event_count; event++)
            event->time_ns += 90 * SECOND;
        sample_event(history, HISTORY_CONVERGED, 0)->fault.number = backlog;
        sample_expect(history, backlog ? NULL : "I23");
    }
}

Test(i23, a_hub_that_lacks_records_and_a_receipt_that_lacks_are_seen)
{
    struct history *history = sample_good();
    sample_shorten(sample_final_log(history, HUB, SAMPLE_LOG_2), 1);
    sample_expect(history, "I23");
    history = sample_good();
    sample_final_log(history, ARDABIL, SAMPLE_LOG_2)->receipt_count = 0;
    sample_expect(history, "I23");
}

Test(i24, time_that_goes_back_within_a_log_is_seen)
{
    struct history *history = sample_good();
    for (uint32_t host = ARDABIL; host <= HUB; host++)
        sample_final_log(history, host, SAMPLE_LOG_2)->records[2].time_ms = 1;
    sample_expect(history, "I24");
}

Test(i29, another_trace_of_the_same_run_is_seen)
{
    struct history *history = sample_good();
    sample_event(history, HISTORY_TRACE, 1)->mark.digest = sample_hash(1);
    sample_expect(history, "I29");
}

Test(i30, national_before_any_receipt_is_seen)
{
    struct history *history = sample_good();
    struct history_event receipt = *sample_event(history, HISTORY_RECEIPT, 0);
    sample_insert(history, sample_event(history, HISTORY_CRASH, 0), receipt);
    sample_remove(history, sample_event(history, HISTORY_RECEIPT, 0));
    sample_expect(history, "I30");
}

Test(i30, one_receipt_is_not_national_where_two_are_asked_for)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].receipts_needed = 2;
    sample_expect(history, "I30");
}

/* Its receipts are not looked at, and nobody can know better than to count them. */
Test(i30, a_receipt_of_a_malicious_hub_counts)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].receipts_needed = 2;
    history_add_host(history, &(struct history_host){ .name = "hub-2",
                                                      .node = "hub-2",
                                                      .hub = true,
                                                      .malicious = true });
    struct check_report *report = check_history(history, "I30");
    cr_assert_eq(report->violation_count, 0);
    check_report_free(report);
    history_free(history);
}

Test(i30, a_hub_that_tells_of_more_than_anybody_holds_or_of_another_root_is_seen)
{
    struct history *history = sample_good();
    sample_event(history, HISTORY_SERVED, 0)->claim.size = 6;
    sample_expect(history, "I30");
    history = sample_good();
    sample_event(history, HISTORY_SERVED, 0)->claim.root = sample_hash(1);
    sample_expect(history, "I30");
}
