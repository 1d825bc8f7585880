/* The checkers of what was promised about requests (I1-I4): histories that are bad in one thing each. */
#include "tests/unit/check/sample.h"

#include "tests/check/check.h"

#include <criterion/criterion.h>
#include <string.h>

/* ---- I1 ------------------------------------------------------------------------------------ */

Test(i01, a_lost_registration_is_seen)
{
    struct history *history = sample_good();
    sample_shorten(sample_final_log(history, ARDABIL, SAMPLE_LOG_2), 1);
    sample_expect(history, "I1");
}

Test(i01, a_registration_lost_at_once_is_seen_in_the_next_store)
{
    struct history *history = sample_good();
    sample_log(history, ARDABIL, "first", SAMPLE_LOG_1)->records[3].key = "another";
    sample_expect(history, "I1");
}

Test(i01, another_code_than_was_answered_is_seen)
{
    struct history *history = sample_good();
    sample_final_log(history, ARDABIL, SAMPLE_LOG_1)->records[1].code = "24000000000099";
    sample_expect(history, "I1");
}

Test(i01, an_answer_that_left_but_never_came_is_a_promise_too)
{
    struct history *history = sample_good();
    struct history_event *ok = sample_event(history, HISTORY_OK, 5);
    ok->kind = HISTORY_UNKNOWN;
    ok->answer.status = 0;
    sample_shorten(sample_final_log(history, ARDABIL, SAMPLE_LOG_2), 2);
    sample_expect(history, "I1");
}

Test(i01, personal_data_that_comes_back_after_an_erasure_is_seen)
{
    struct history *history = sample_good();
    sample_final_log(history, ARDABIL, SAMPLE_LOG_1)->records[2].person = PERSON_HELD;
    sample_expect(history, "I1");
}

Test(i01, a_host_put_back_may_lack_it_meanwhile_but_not_in_the_end)
{
    struct history *history = sample_good();
    struct history_event *cut = sample_event(history, HISTORY_FAULT_END, 0);
    sample_insert(history, cut, sample_life(HISTORY_RESTORE, ARDABIL, 1));
    sample_shorten(sample_final_log(history, ARDABIL, SAMPLE_LOG_2), 1);
    sample_expect(history, "I1");
}

/* A record of before the crash is nowhere in the end; what happened to the devices meanwhile? */
static size_t missing_after(bool journal, const char *lost, const char *failed)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].journal = journal;
    if (failed)
        sample_insert(history, sample_event(history, HISTORY_CRASH, 0) - 1,
                      (struct history_event){ .kind = HISTORY_IO_ERROR,
                                              .sync = { 99, failed, false, false } });
    struct history_event gone = sample_life(HISTORY_DISK_LOST, ARDABIL, 0);
    gone.life.name = lost;
    sample_insert(history, sample_event(history, HISTORY_CRASH, 0), gone);
    sample_final_log(history, ARDABIL, SAMPLE_LOG_1)->records[3].key = "another";
    sample_final_log(history, HUB, SAMPLE_LOG_1)->records[3].key = "another";
    struct check_report *report = check_history(history, "I1");
    size_t violations = report->violation_count;
    check_report_free(report);
    history_free(history);
    return violations;
}

Test(i01, the_loss_of_one_of_two_devices_excuses_nothing_that_of_both_does)
{
    cr_assert_eq(missing_after(false, "log", NULL), 0);
    cr_assert_gt(missing_after(true, "log", NULL), 0);
    cr_assert_gt(missing_after(true, "journal", NULL), 0);
    cr_assert_gt(missing_after(true, "views", NULL), 0);
    cr_assert_eq(missing_after(true, "all", NULL), 0);
    cr_assert_eq(missing_after(true, "log", "journal"), 0);
}

/* log/ was lost, and the newest record, which no hub has yet, is not in the store that is read
 * then. */
static size_t missing_while_it_waits(bool in_journal)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].journal = true;
    sample_remove(history, sample_event(history, HISTORY_RECEIPT, 0));
    struct history_event gone = sample_life(HISTORY_DISK_LOST, ARDABIL, 0);
    gone.life.name = "log";
    sample_insert(history, sample_event(history, HISTORY_OK, 2),
                  sample_life(HISTORY_UP, ARDABIL, 0));
    sample_insert(history, sample_event(history, HISTORY_OK, 2), gone);
    struct dump *dump = sample_dump(history, ARDABIL, "first");
    struct dump_record record = dump->logs[0].records[3];
    sample_shorten(&dump->logs[0], 2);
    dump->journal = dump_new("first");
    if (in_journal)
        dump_add_record(dump->journal, dump_add_log(dump->journal, SAMPLE_LOG_1, false), &record);
    struct check_report *report = check_history(history, "I1");
    size_t violations = report->violation_count;
    check_report_free(report);
    history_free(history);
    return violations;
}

Test(i01, what_waits_in_the_journal_is_not_lost_and_what_does_not_is)
{
    cr_assert_gt(missing_while_it_waits(false), 0);
    cr_assert_eq(missing_while_it_waits(true), 0);
}

Test(i01, in_the_end_the_journal_is_no_place_for_it)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].journal = true;
    struct history_event gone = sample_life(HISTORY_DISK_LOST, ARDABIL, 0);
    gone.life.name = "log";
    sample_insert(history, sample_event(history, HISTORY_CRASH, 0), gone);
    struct dump *dump = sample_dump(history, ARDABIL, "final");
    struct dump_record record = dump->logs[0].records[3];
    sample_shorten(&dump->logs[0], 2);
    dump->journal = dump_new("final");
    dump_add_record(dump->journal, dump_add_log(dump->journal, SAMPLE_LOG_1, false), &record);
    sample_expect(history, "I1");
}

Test(i01, a_disk_that_was_lost_with_the_only_copy_is_no_violation)
{
    struct history *history = sample_good();
    struct history_event *cut = sample_event(history, HISTORY_FAULT_END, 0);
    sample_insert(history, cut, sample_life(HISTORY_DISK_LOST, ARDABIL, 0));
    sample_shorten(sample_final_log(history, ARDABIL, SAMPLE_LOG_2), 1);
    sample_shorten(sample_final_log(history, HUB, SAMPLE_LOG_2), 1);
    struct check_report *report = check_history(history, "I1");
    cr_assert_eq(report->violation_count, 0);
    check_report_free(report);
    history_free(history);
}

/* What the first look-up, of a code that was acknowledged, is answered. */
static void answer_lookup(struct history *history, uint32_t status)
{
    struct history_event *ok = sample_event(history, HISTORY_OK, 5);
    struct history_event *sent = sample_event(history, HISTORY_SENT, 6);
    cr_assert(ok->answer.national && sent->answer.national);
    ok->kind = HISTORY_FAIL;
    ok->answer = sent->answer = (struct history_answer){ .call = ok->answer.call,
                                                         .status = status,
                                                         .code = "",
                                                         .case_id = "" };
}

Test(i01, a_look_up_that_does_not_find_what_was_acknowledged_is_seen)
{
    struct history *history = sample_good();
    answer_lookup(history, 404);
    sample_expect(history, "I1");
    history = sample_good();
    answer_lookup(history, 429);
    sample_expect(history, NULL);
}

Test(i01, after_the_node_was_put_back_a_look_up_may_find_nothing)
{
    struct history *history = sample_good();
    answer_lookup(history, 404);
    struct history_event *sent = sample_event(history, HISTORY_SENT, 5);
    sample_insert(history, sent, sample_life(HISTORY_RESTORE, ARDABIL, 1));
    struct check_report *report = check_history(history, "I1");
    cr_assert_eq(report->violation_count, 0);
    check_report_free(report);
    history_free(history);
}

/* ---- I2 ------------------------------------------------------------------------------------ */

Test(i02, a_hub_that_lacks_what_it_receipted_is_seen)
{
    struct history *history = sample_good();
    sample_shorten(sample_final_log(history, HUB, SAMPLE_LOG_1), 1);
    sample_expect(history, "I2");
}

Test(i02, a_hub_that_lacked_it_meanwhile_is_seen)
{
    struct history *history = sample_good();
    struct dump *dump = dump_new("meanwhile");
    dump->readable = true;
    history_add_dump(history, 0, HUB, dump);
    struct history_event read = history->events[--history->event_count];
    sample_insert(history, sample_event(history, HISTORY_RECEIPT, 0), read);
    sample_expect(history, "I2");
}

Test(i02, other_records_under_the_receipt_are_seen)
{
    struct history *history = sample_good();
    sample_final_log(history, HUB, SAMPLE_LOG_1)->records[4].hash = sample_hash(77);
    sample_expect(history, "I2");
}

Test(i02, a_record_called_national_that_no_hub_has_is_seen)
{
    struct history *history = sample_good();
    sample_final_log(history, HUB, SAMPLE_LOG_1)->records[3].code = "24000000000098";
    sample_expect(history, "I2");
}

Test(i02, a_hub_put_back_has_it_again_in_the_end)
{
    struct history *history = sample_good();
    struct history_event *cut = sample_event(history, HISTORY_FAULT_END, 0);
    sample_insert(history, cut, sample_life(HISTORY_RESTORE, HUB, 1));
    sample_shorten(sample_final_log(history, HUB, SAMPLE_LOG_1), 1);
    sample_expect(history, "I2");
}

/* ---- I3 ------------------------------------------------------------------------------------ */

Test(i03, a_record_that_nobody_asked_for_is_seen)
{
    struct history *history = sample_good();
    for (uint32_t host = ARDABIL; host <= HUB; host++)
        sample_final_log(history, host, SAMPLE_LOG_2)->records[2].key = "key-99";
    sample_expect(history, "I3");
}

Test(i03, altered_words_are_seen)
{
    struct history *history = sample_good();
    struct dump_record *record = &sample_final_log(history, HUB, SAMPLE_LOG_2)->records[1];
    record->person_content = sample_hash(3);
    record->hash = sample_hash(4);
    sample_expect(history, "I3");
}

Test(i03, altered_facts_are_seen)
{
    struct history *history = sample_good();
    sample_final_log(history, ARDABIL, SAMPLE_LOG_2)->records[3].facts_content = sample_hash(3);
    sample_final_log(history, ARDABIL, SAMPLE_LOG_2)->records[3].hash = sample_hash(4);
    sample_expect(history, "I3");
}

Test(i03, a_record_of_a_refused_call_is_seen)
{
    struct history *history = sample_good();
    struct history_event *ok = sample_event(history, HISTORY_OK, 7);
    ok->kind = HISTORY_FAIL;
    ok->answer.status = 507;
    sample_expect(history, "I3");
}

Test(i03, a_record_without_an_authorised_client_is_seen)
{
    struct history *history = sample_good();
    sample_event(history, HISTORY_INVOKE, 2)->call.client = "";
    sample_expect(history, "I3");
}

Test(i03, a_look_up_with_a_wrong_factor_that_is_answered_is_seen)
{
    struct history *history = sample_good();
    for (size_t i = 0; i < history->event_count; i++)
        if (history->events[i].kind == HISTORY_INVOKE &&
            strcmp(history->events[i].call.operation, "lookup") == 0)
            history->events[i].call.operation = "guess";
    sample_expect(history, "I3");
}

Test(i03, an_erasure_that_nobody_asked_for_is_seen)
{
    struct history *history = sample_good();
    sample_final_log(history, HUB, SAMPLE_LOG_1)->records[4].erased_position = 1;
    sample_log(history, ARDABIL, "first", SAMPLE_LOG_1)->records[4].erased_position = 1;
    sample_expect(history, "I3");
}

/* ---- I4 ------------------------------------------------------------------------------------ */

Test(i04, a_key_twice_in_one_log_is_seen)
{
    struct history *history = sample_good();
    sample_final_log(history, HUB, SAMPLE_LOG_1)->records[3].key = "key-1";
    sample_expect(history, "I4");
}

Test(i04, a_key_twice_in_two_logs_that_know_each_other_is_seen)
{
    struct history *history = sample_good();
    sample_final_log(history, HUB, SAMPLE_LOG_2)->records[1].key = "key-1";
    sample_expect(history, "I4");
}

Test(i04, a_key_twice_in_logs_that_could_not_know_each_other_is_none)
{
    struct history *history = sample_good();
    for (size_t i = 0; i < history->dump_count; i++)
        for (size_t k = 0; k < history->dumps[i]->log_count; k++)
            history->dumps[i]->logs[k].parent_count = 0;
    sample_final_log(history, HUB, SAMPLE_LOG_2)->records[1].key = "key-1";
    struct check_report *report = check_history(history, "I4");
    cr_assert_eq(report->violation_count, 0);
    check_report_free(report);
    history_free(history);
}

Test(i04, a_node_that_lost_its_disk_knows_only_what_its_log_names_itself)
{
    struct history *history = sample_good();
    struct dump *dump = sample_dump(history, HUB, "final");
    struct dump_log *third = dump_add_log(dump, "samad/ardabil/hub/33333333333333333333333333333333", false);
    struct dump_record incarnation = { .kind = 1, .hash = sample_hash(70) };
    struct dump_record again = sample_final_log(history, HUB, SAMPLE_LOG_1)->records[1];
    again.hash = sample_hash(71);
    dump_add_record(dump, third, &incarnation);
    dump_add_record(dump, third, &again);
    dump_add_parent(dump, third, &(struct dump_head){ .log = SAMPLE_LOG_2, .size = 1 });
    struct check_report *report = check_history(history, "I4");
    cr_assert_gt(report->violation_count, 0, "through log 2, which names log 1");
    check_report_free(report);
    sample_insert(history, sample_event(history, HISTORY_FAULT_END, 0),
                  sample_life(HISTORY_DISK_LOST, ARDABIL, 0));
    report = check_history(history, "I4");
    cr_assert_eq(report->violation_count, 0, "log 1 may not have come back by then");
    check_report_free(report);
    history_free(history);
}

Test(i04, another_code_for_a_retry_is_seen)
{
    struct history *history = sample_good();
    sample_event(history, HISTORY_SENT, 3)->answer.code = "24000000000097";
    sample_event(history, HISTORY_OK, 3)->answer.code = "24000000000097";
    sample_expect(history, "I4");
}

Test(i04, that_a_store_is_damaged_excuses_no_other_code)
{
    struct history *history = sample_good();
    sample_insert(history, sample_event(history, HISTORY_UP, 0), sample_fault("rest.flip", ARDABIL));
    sample_event(history, HISTORY_SENT, 3)->answer.code = "24000000000097";
    sample_event(history, HISTORY_OK, 3)->answer.code = "24000000000097";
    sample_expect(history, "I4");
}

/* A key that was acknowledged, and receipted, before log/ was lost gets another code after it. */
static size_t taken_again(bool lost, bool receipted, bool known)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].journal = true;
    if (!receipted)
        sample_remove(history, sample_event(history, HISTORY_RECEIPT, 0));
    struct history_event gone = sample_life(HISTORY_DISK_LOST, ARDABIL, 0);
    gone.life.name = "log";
    if (lost)
        sample_insert(history, sample_event(history, HISTORY_CRASH, 0), gone);
    sample_event(history, HISTORY_INVOKE, 7)->call.key = "key-1";
    for (size_t i = 0; i < history->dump_count; i++)
        for (size_t k = 0; k < history->dumps[i]->log_count; k++) {
            struct dump_log *log = &history->dumps[i]->logs[k];
            log->parent_count = known ? log->parent_count : 0;
            if (!receipted && strcmp(history->dumps[i]->label, "first") == 0)
                log->receipt_count = 0;
            if (strcmp(log->origin, SAMPLE_LOG_2) == 0)
                log->records[1].key = "key-1";
        }
    struct check_report *report = check_history(history, "I4");
    size_t violations = report->violation_count;
    check_report_free(report);
    history_free(history);
    return violations;
}

Test(i04, a_key_that_only_hubs_knew_may_get_another_code_and_no_other_key_may)
{
    cr_assert_eq(taken_again(true, true, false), 0);
    cr_assert_gt(taken_again(false, true, false), 0, "nothing was lost");
    cr_assert_gt(taken_again(true, false, false), 0, "it waited in the journal");
    cr_assert_gt(taken_again(true, true, true), 0, "its writer held the first");
}

Test(i04, other_content_that_is_accepted_is_seen)
{
    struct history *history = sample_good();
    struct history_answer same = sample_event(history, HISTORY_OK, 3)->answer;
    struct history_event *sent = sample_event(history, HISTORY_SENT, 4);
    struct history_event *refused = sample_event(history, HISTORY_FAIL, 0);
    same.call = refused->answer.call;
    sent->answer = refused->answer = same;
    refused->kind = HISTORY_OK;
    sample_expect(history, "I4");
}
