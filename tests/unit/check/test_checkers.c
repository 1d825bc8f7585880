/* Every checker is shown a good history and several that are bad in one thing each. */
#include "tests/unit/check/sample.h"

#include "tests/check/check.h"
#include "tests/check/tree.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint64_t SECOND = UINT64_C(1000000000);

static struct dump_log *final_log(struct history *history, uint32_t host, const char *origin)
{
    return sample_log(history, host, "final", origin);
}

/* The store ends `count` records earlier. */
static void shorten(struct dump_log *log, size_t count)
{
    log->record_count -= count;
    log->size -= count;
}

static struct history_event life(enum history_kind kind, uint32_t host, uint64_t since_ns)
{
    return (struct history_event){ .kind = kind,
                                   .host = host,
                                   .life = { "all", since_ns, 0, HISTORY_NO_HOST } };
}

static struct history_event fault(const char *name, uint32_t host)
{
    return (struct history_event){ .kind = HISTORY_FAULT,
                                   .host = host,
                                   .fault = { name, 0, HISTORY_NO_HOST } };
}

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
    shorten(final_log(history, ARDABIL, SAMPLE_LOG_2), 1);
    struct check_report *report = check_history(history, "I24");
    cr_assert_eq(report->violation_count, 0);
    check_report_free(report);
    history_free(history);
}

/* ---- I1 ------------------------------------------------------------------------------------ */

Test(i01, a_lost_registration_is_seen)
{
    struct history *history = sample_good();
    shorten(final_log(history, ARDABIL, SAMPLE_LOG_2), 1);
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
    final_log(history, ARDABIL, SAMPLE_LOG_1)->records[1].code = "24000000000099";
    sample_expect(history, "I1");
}

Test(i01, an_answer_that_left_but_never_came_is_a_promise_too)
{
    struct history *history = sample_good();
    struct history_event *ok = sample_event(history, HISTORY_OK, 5);
    ok->kind = HISTORY_UNKNOWN;
    ok->answer.status = 0;
    shorten(final_log(history, ARDABIL, SAMPLE_LOG_2), 2);
    sample_expect(history, "I1");
}

Test(i01, personal_data_that_comes_back_after_an_erasure_is_seen)
{
    struct history *history = sample_good();
    final_log(history, ARDABIL, SAMPLE_LOG_1)->records[2].person = PERSON_HELD;
    sample_expect(history, "I1");
}

Test(i01, a_host_put_back_may_lack_it_meanwhile_but_not_in_the_end)
{
    struct history *history = sample_good();
    struct history_event *cut = sample_event(history, HISTORY_FAULT_END, 0);
    sample_insert(history, cut, life(HISTORY_RESTORE, ARDABIL, 1));
    shorten(final_log(history, ARDABIL, SAMPLE_LOG_2), 1);
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
    struct history_event gone = life(HISTORY_DISK_LOST, ARDABIL, 0);
    gone.life.name = lost;
    sample_insert(history, sample_event(history, HISTORY_CRASH, 0), gone);
    final_log(history, ARDABIL, SAMPLE_LOG_1)->records[3].key = "another";
    final_log(history, HUB, SAMPLE_LOG_1)->records[3].key = "another";
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

Test(i01, a_disk_that_was_lost_with_the_only_copy_is_no_violation)
{
    struct history *history = sample_good();
    struct history_event *cut = sample_event(history, HISTORY_FAULT_END, 0);
    sample_insert(history, cut, life(HISTORY_DISK_LOST, ARDABIL, 0));
    shorten(final_log(history, ARDABIL, SAMPLE_LOG_2), 1);
    shorten(final_log(history, HUB, SAMPLE_LOG_2), 1);
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
    sample_insert(history, sent, life(HISTORY_RESTORE, ARDABIL, 1));
    struct check_report *report = check_history(history, "I1");
    cr_assert_eq(report->violation_count, 0);
    check_report_free(report);
    history_free(history);
}

/* ---- I2 ------------------------------------------------------------------------------------ */

Test(i02, a_hub_that_lacks_what_it_receipted_is_seen)
{
    struct history *history = sample_good();
    shorten(final_log(history, HUB, SAMPLE_LOG_1), 1);
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
    final_log(history, HUB, SAMPLE_LOG_1)->records[4].hash = sample_hash(77);
    sample_expect(history, "I2");
}

Test(i02, a_record_called_national_that_no_hub_has_is_seen)
{
    struct history *history = sample_good();
    final_log(history, HUB, SAMPLE_LOG_1)->records[3].code = "24000000000098";
    sample_expect(history, "I2");
}

Test(i02, a_hub_put_back_has_it_again_in_the_end)
{
    struct history *history = sample_good();
    struct history_event *cut = sample_event(history, HISTORY_FAULT_END, 0);
    sample_insert(history, cut, life(HISTORY_RESTORE, HUB, 1));
    shorten(final_log(history, HUB, SAMPLE_LOG_1), 1);
    sample_expect(history, "I2");
}

/* ---- I3 ------------------------------------------------------------------------------------ */

Test(i03, a_record_that_nobody_asked_for_is_seen)
{
    struct history *history = sample_good();
    for (uint32_t host = ARDABIL; host <= HUB; host++)
        final_log(history, host, SAMPLE_LOG_2)->records[2].key = "key-99";
    sample_expect(history, "I3");
}

Test(i03, altered_words_are_seen)
{
    struct history *history = sample_good();
    struct dump_record *record = &final_log(history, HUB, SAMPLE_LOG_2)->records[1];
    record->person_content = sample_hash(3);
    record->hash = sample_hash(4);
    sample_expect(history, "I3");
}

Test(i03, altered_facts_are_seen)
{
    struct history *history = sample_good();
    final_log(history, ARDABIL, SAMPLE_LOG_2)->records[3].facts_content = sample_hash(3);
    final_log(history, ARDABIL, SAMPLE_LOG_2)->records[3].hash = sample_hash(4);
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
    final_log(history, HUB, SAMPLE_LOG_1)->records[4].erased_position = 1;
    sample_log(history, ARDABIL, "first", SAMPLE_LOG_1)->records[4].erased_position = 1;
    sample_expect(history, "I3");
}

/* ---- I4 ------------------------------------------------------------------------------------ */

Test(i04, a_key_twice_in_one_log_is_seen)
{
    struct history *history = sample_good();
    final_log(history, HUB, SAMPLE_LOG_1)->records[3].key = "key-1";
    sample_expect(history, "I4");
}

Test(i04, a_key_twice_in_two_logs_that_know_each_other_is_seen)
{
    struct history *history = sample_good();
    final_log(history, HUB, SAMPLE_LOG_2)->records[1].key = "key-1";
    sample_expect(history, "I4");
}

Test(i04, a_key_twice_in_logs_that_could_not_know_each_other_is_none)
{
    struct history *history = sample_good();
    for (size_t i = 0; i < history->dump_count; i++)
        for (size_t k = 0; k < history->dumps[i]->log_count; k++)
            history->dumps[i]->logs[k].parent_count = 0;
    final_log(history, HUB, SAMPLE_LOG_2)->records[1].key = "key-1";
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
    struct dump_record again = final_log(history, HUB, SAMPLE_LOG_1)->records[1];
    again.hash = sample_hash(71);
    dump_add_record(dump, third, &incarnation);
    dump_add_record(dump, third, &again);
    dump_add_parent(dump, third, &(struct dump_head){ .log = SAMPLE_LOG_2, .size = 1 });
    struct check_report *report = check_history(history, "I4");
    cr_assert_gt(report->violation_count, 0, "through log 2, which names log 1");
    check_report_free(report);
    sample_insert(history, sample_event(history, HISTORY_FAULT_END, 0),
                  life(HISTORY_DISK_LOST, ARDABIL, 0));
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

/* ---- I5 ------------------------------------------------------------------------------------ */

Test(i05, a_problem_of_a_store_is_seen_unless_it_was_put_there)
{
    struct history *history = sample_good();
    dump_add_problem(sample_dump(history, HUB, "final"), SAMPLE_LOG_1, 2, "bad");
    sample_expect(history, "I5");
    history = sample_good();
    dump_add_problem(sample_dump(history, HUB, "final"), SAMPLE_LOG_1, 2, "bad");
    sample_insert(history, sample_event(history, HISTORY_FAULT, 0), fault("rest.flip", HUB));
    sample_expect(history, NULL);
}

/* A record of a host with a journal is flipped while it is down. */
static size_t problems_after_a_flip(const char *label, uint64_t position)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].journal = true;
    sample_insert(history, sample_event(history, HISTORY_UP, 0), fault("rest.flip", ARDABIL));
    dump_add_problem(sample_dump(history, ARDABIL, label), SAMPLE_LOG_1, position, "bad");
    struct check_report *report = check_history(history, "I5");
    size_t violations = report->violation_count;
    check_report_free(report);
    history_free(history);
    return violations;
}

Test(i05, a_start_that_compared_two_devices_left_no_damage_but_in_what_hubs_have_receipted)
{
    cr_assert_eq(problems_after_a_flip("first", 2), 0);
    cr_assert_gt(problems_after_a_flip("first", 5), 0, "no receipt reaches so far");
    cr_assert_gt(problems_after_a_flip("final", 2), 0, "it was to be found by then");
}

Test(i05, a_checkpoint_that_the_node_did_not_sign_is_seen)
{
    struct history *history = sample_good();
    struct dump_note *note = &final_log(history, HUB, SAMPLE_LOG_1)->checkpoints[0];
    char *changed = strdup(note->text);
    char *line = strrchr(changed, ' ');
    line[20] = line[20] == 'A' ? 'B' : 'A';
    note->text = changed;
    sample_expect(history, "I5");
    free(changed);
}

Test(i05, a_log_that_does_not_begin_with_an_incarnation_is_seen)
{
    struct history *history = sample_good();
    final_log(history, HUB, SAMPLE_LOG_2)->records[0].kind = 4;
    sample_expect(history, "I5");
}

Test(i05, a_parent_with_another_root_is_seen)
{
    struct history *history = sample_good();
    final_log(history, ARDABIL, SAMPLE_LOG_2)->parents[0].root = sample_hash(8);
    sample_expect(history, "I5");
}

/* A node cloned twice with the state of its random generator has three. */
Test(i05, a_parent_may_be_named_by_its_root_in_a_third_history)
{
    struct history *history = sample_good();
    struct dump_log *third = sample_log(history, HUB, "first", SAMPLE_LOG_1);
    sample_log(history, ARDABIL, "first", SAMPLE_LOG_1)->records[4].hash = sample_hash(44);
    third->records[4].hash = sample_hash(45);
    struct tree tree = { 0 };
    for (size_t i = 0; i < 5; i++)
        tree_append(&tree, &third->records[i].hash);
    final_log(history, ARDABIL, SAMPLE_LOG_2)->parents[0].root = tree_root(&tree);
    struct check_report *report = check_history(history, "I5");
    cr_assert_eq(report->violation_count, 0);
    check_report_free(report);
    history_free(history);
}

Test(i05, a_second_log_without_parents_is_seen)
{
    struct history *history = sample_good();
    for (size_t i = 0; i < history->dump_count; i++)
        for (size_t k = 0; k < history->dumps[i]->log_count; k++)
            history->dumps[i]->logs[k].parent_count = 0;
    sample_expect(history, "I5");
}

/* ---- I6 ------------------------------------------------------------------------------------ */

Test(i06, a_log_that_shrinks_is_seen)
{
    struct history *history = sample_good();
    shorten(final_log(history, HUB, SAMPLE_LOG_1), 1);
    sample_expect(history, "I6");
}

Test(i06, a_log_that_changes_is_seen)
{
    struct history *history = sample_good();
    sample_log(history, HUB, "first", SAMPLE_LOG_1)->records[2].hash = sample_hash(9);
    sample_expect(history, "I6");
}

Test(i06, a_host_put_back_may_shrink_and_may_not_change)
{
    struct history *history = sample_good();
    sample_insert(history, sample_event(history, HISTORY_FAULT, 0), life(HISTORY_RESTORE, HUB, 1));
    sample_log(history, HUB, "first", SAMPLE_LOG_1)->records[2].hash = sample_hash(9);
    sample_expect(history, "I6");
}

/* The author, two machines of one image, wrote two: the hub lost the one and holds the other. */
static struct history *other_branch(struct history_event loss)
{
    struct history *history = sample_good();
    struct dump_log *log = sample_log(history, HUB, "first", SAMPLE_LOG_1);
    for (size_t i = 1; i < log->record_count; i++)
        log->records[i].hash = sample_hash(90 + (unsigned)i);
    sample_insert(history, sample_event(history, HISTORY_FAULT, 0),
                  life(HISTORY_CLONE, ARDABIL, 0));
    sample_insert(history, sample_event(history, HISTORY_FAULT, 0), loss);
    return history;
}

static bool is_violated(struct history *history, const char *guarantee)
{
    struct check_report *report = check_history(history, guarantee);
    bool violated = report->violation_count > 0;
    check_report_free(report);
    history_free(history);
    return violated;
}

Test(i06, of_a_log_with_two_histories_a_host_that_lost_the_one_may_hold_the_other)
{
    cr_assert_not(is_violated(other_branch(life(HISTORY_DISK_LOST, HUB, 0)), "I6"));
    cr_assert(is_violated(other_branch(life(HISTORY_DISK_LOST, ARDABIL, 0)), "I6"));
    /* the copy that it was put back to is younger than the store that was read */
    cr_assert(is_violated(other_branch(life(HISTORY_RESTORE, HUB, UINT64_MAX)), "I6"));
}

Test(i06, a_head_that_was_told_and_is_not_there_is_seen)
{
    struct history *history = sample_good();
    sample_event(history, HISTORY_HEAD, 0)->claim.size = 5;
    sample_expect(history, "I6");
    history = sample_good();
    sample_event(history, HISTORY_HEAD, 0)->claim.size = 3;
    sample_expect(history, "I6");
}

/* ---- I7 ------------------------------------------------------------------------------------ */

Test(i07, a_hole_in_a_copy_is_seen)
{
    struct history *history = sample_good();
    struct dump_log *log = final_log(history, HUB, SAMPLE_LOG_1);
    memmove(&log->records[2], &log->records[3], 2 * sizeof *log->records);
    log->record_count--;
    sample_expect(history, "I7");
}

Test(i07, a_copy_that_differs_from_its_author_is_seen)
{
    struct history *history = sample_good();
    sample_log(history, HUB, "first", SAMPLE_LOG_1)->records[1].hash = sample_hash(9);
    sample_expect(history, "I7");
}

Test(i07, a_copy_with_more_than_its_author_ever_has_is_seen)
{
    struct history *history = sample_good();
    struct dump *dump = sample_dump(history, HUB, "first");
    struct dump_log *log = sample_log(history, HUB, "first", SAMPLE_LOG_1);
    dump_add_record(dump, log, &(struct dump_record){ .position = 5, .hash = sample_hash(1) });
    sample_expect(history, "I7");
}

/* ---- I8 ------------------------------------------------------------------------------------ */

static void swap_positions(struct history *history, uint32_t host, const char *label)
{
    struct dump_log *log = sample_log(history, host, label, SAMPLE_LOG_1);
    struct dump_record first = log->records[1];
    log->records[1] = log->records[3];
    log->records[3] = first;
    log->records[1].position = 1;
    log->records[3].position = 3;
}

Test(i08, a_later_request_before_an_acknowledged_one_is_seen)
{
    struct history *history = sample_good();
    swap_positions(history, ARDABIL, "final");
    sample_expect(history, "I8");
}

Test(i08, a_later_request_in_the_parent_of_an_earlier_ones_log_is_seen)
{
    struct history *history = sample_good();
    struct dump_log *one = final_log(history, ARDABIL, SAMPLE_LOG_1);
    struct dump_log *two = final_log(history, ARDABIL, SAMPLE_LOG_2);
    struct dump_record late = two->records[3], early = one->records[3];
    two->records[3] = early;
    one->records[3] = late;
    sample_expect(history, "I8");
}

Test(i08, a_record_that_cites_a_later_one_is_seen)
{
    struct history *history = sample_good();
    for (uint32_t host = ARDABIL; host <= HUB; host++) {
        final_log(history, host, SAMPLE_LOG_1)->records[4].cause_position = 4;
        sample_log(history, host, "first", SAMPLE_LOG_1)->records[4].cause_position = 4;
    }
    sample_expect(history, "I8");
}

Test(i08, a_record_that_cites_another_than_there_is_is_seen)
{
    struct history *history = sample_good();
    for (uint32_t host = ARDABIL; host <= HUB; host++) {
        final_log(history, host, SAMPLE_LOG_1)->records[4].cause_hash = sample_hash(555);
        sample_log(history, host, "first", SAMPLE_LOG_1)->records[4].cause_hash = sample_hash(555);
    }
    sample_expect(history, "I8");
}

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
    sample_insert(history, sample_event(history, HISTORY_UP, 1), fault("rest.flip", ARDABIL));
    sample_event(history, HISTORY_CHECKPOINT, 0)->note.text =
        sample_note(history, SAMPLE_LOG_1, 3, &root, false);
    sample_expect(history, "I11");
}

Test(i11, a_repair_that_is_not_the_same_is_seen)
{
    struct history *history = sample_good();
    sample_insert(history, sample_event(history, HISTORY_UP, 1), fault("rest.flip", ARDABIL));
    struct dump_log *log = final_log(history, ARDABIL, SAMPLE_LOG_1);
    log->records[1].hash = sample_hash(3);
    log->records[2].damaged = true; /* else its copy would be the one that counts */
    sample_expect(history, "I11");
}

Test(i11, a_look_up_that_answers_with_another_case_is_seen)
{
    struct history *history = sample_good();
    struct history_event *ok = sample_event(history, HISTORY_OK, 5);
    struct history_event *sent = sample_event(history, HISTORY_SENT, 6);
    cr_assert(ok->answer.national && sent->answer.national);
    ok->answer.case_id = sent->answer.case_id = "000000000000000000000000000000aa";
    sample_expect(history, "I11");
}

/* ---- I12 ----------------------------------------------------------------------------------- */

/* The hub has log 1 in two histories, which differ in their last record. */
static void fork_log(struct history *history, bool frozen, bool branch, bool proof)
{
    struct dump *dump = sample_dump(history, HUB, "final");
    struct dump_log *main = final_log(history, HUB, SAMPLE_LOG_1);
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
    main = final_log(history, HUB, SAMPLE_LOG_1);
    struct dump_log *changed = from ? from : final_log(history, ARDABIL, SAMPLE_LOG_1);
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
    dump_add_fork(dump, final_log(history, HUB, SAMPLE_LOG_1),
                  sample_fork_proof(history, 5, &root, &root));
    sample_expect(history, "I12");
}

Test(i12, a_log_that_was_frozen_for_nothing_is_seen)
{
    struct history *history = sample_good();
    final_log(history, HUB, SAMPLE_LOG_2)->frozen = true;
    sample_expect(history, "I12");
    history = sample_good();
    final_log(history, HUB, SAMPLE_LOG_2)->frozen = true;
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
    sample_insert(history, &history->events[at], life(HISTORY_RESTORE, host, 1));
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
        sample_insert(history, &history->events[before], life(HISTORY_UP, HUB, 0));
        if (lost)
            sample_insert(history, &history->events[before], life(HISTORY_RESTORE, HUB, 1));
        cr_assert_eq(is_violated(history, "I13"), lost == 0);
    }
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
    final_log(history, ARDABIL, SAMPLE_LOG_2)->parent_count = 0;
    final_log(history, HUB, SAMPLE_LOG_2)->parent_count = 0;
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
    shorten(final_log(history, ARDABIL, SAMPLE_LOG_1), 2);
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
    struct history *history = signed_twice(life(HISTORY_DISK_LOST, HUB, 0), 0);
    signed_at = sample_event(history, HISTORY_CRASH, 0)->time_ns;
    cr_assert_not(is_violated(history, "I14"));
    cr_assert_not(is_violated(signed_twice(life(HISTORY_DISK_LOST, HUB, 0), 2), "I14"));
    cr_assert(is_violated(signed_twice(life(HISTORY_DISK_LOST, HUB, 0), 1), "I14"));
    cr_assert(is_violated(signed_twice(life(HISTORY_DISK_LOST, ARDABIL, 0), 0), "I14"));
    /* put back to a copy that was made when it had signed */
    cr_assert(is_violated(signed_twice(life(HISTORY_RESTORE, HUB, signed_at + SECOND), 0), "I14"));
    cr_assert_not(is_violated(signed_twice(life(HISTORY_RESTORE, HUB, 1), 0), "I14"));
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

Test(i22, a_full_disk_or_a_stopping_process_excuses)
{
    struct history_event stopping = { .kind = HISTORY_STOPPING,
                                      .host = ARDABIL,
                                      .life.peer = HISTORY_NO_HOST };
    for (int full = 0; full <= 1; full++) {
        struct history *history = sample_good();
        sample_event(history, HISTORY_FAIL, 0)->answer.status = full ? 507 : 0;
        sample_insert(history, sample_event(history, HISTORY_UP, 1),
                      full ? fault("disk.full", ARDABIL) : stopping);
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
    shorten(final_log(history, HUB, SAMPLE_LOG_2), 1);
    sample_expect(history, "I23");
    history = sample_good();
    final_log(history, ARDABIL, SAMPLE_LOG_2)->receipt_count = 0;
    sample_expect(history, "I23");
}

Test(i24, time_that_goes_back_within_a_log_is_seen)
{
    struct history *history = sample_good();
    for (uint32_t host = ARDABIL; host <= HUB; host++)
        final_log(history, host, SAMPLE_LOG_2)->records[2].time_ms = 1;
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
