/* The checkers of logs and their copies (I5-I8): histories that are bad in one thing each. */
#include "tests/unit/check/sample.h"

#include "tests/check/check.h"
#include "tests/check/tree.h"

#include <criterion/criterion.h>
#include <string.h>

/* ---- I5 ------------------------------------------------------------------------------------ */

Test(i05, a_problem_of_a_store_is_seen_unless_it_was_put_there)
{
    struct history *history = sample_good();
    dump_add_problem(sample_dump(history, HUB, "final"), SAMPLE_LOG_1, 2, "bad");
    sample_expect(history, "I5");
    history = sample_good();
    dump_add_problem(sample_dump(history, HUB, "final"), SAMPLE_LOG_1, 2, "bad");
    sample_insert(history, sample_event(history, HISTORY_FAULT, 0), sample_fault("rest.flip", HUB));
    sample_expect(history, NULL);
}

/* A record of a host with a journal is flipped while it is down. */
static size_t problems_after_a_flip(const char *label, uint64_t position)
{
    struct history *history = sample_good();
    history->hosts[ARDABIL].journal = true;
    sample_insert(history, sample_event(history, HISTORY_UP, 0), sample_fault("rest.flip", ARDABIL));
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
    struct dump_note *note = &sample_final_log(history, HUB, SAMPLE_LOG_1)->checkpoints[0];
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
    sample_final_log(history, HUB, SAMPLE_LOG_2)->records[0].kind = 4;
    sample_expect(history, "I5");
}

Test(i05, a_parent_with_another_root_is_seen)
{
    struct history *history = sample_good();
    sample_final_log(history, ARDABIL, SAMPLE_LOG_2)->parents[0].root = sample_hash(8);
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
    sample_final_log(history, ARDABIL, SAMPLE_LOG_2)->parents[0].root = tree_root(&tree);
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
    sample_shorten(sample_final_log(history, HUB, SAMPLE_LOG_1), 1);
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
    sample_insert(history, sample_event(history, HISTORY_FAULT, 0), sample_life(HISTORY_RESTORE, HUB, 1));
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
                  sample_life(HISTORY_CLONE, ARDABIL, 0));
    sample_insert(history, sample_event(history, HISTORY_FAULT, 0), loss);
    return history;
}

Test(i06, of_a_log_with_two_histories_a_host_that_lost_the_one_may_hold_the_other)
{
    cr_assert_not(sample_is_violated(other_branch(sample_life(HISTORY_DISK_LOST, HUB, 0)), "I6"));
    cr_assert(sample_is_violated(other_branch(sample_life(HISTORY_DISK_LOST, ARDABIL, 0)), "I6"));
    /* the copy that it was put back to is younger than the store that was read */
    cr_assert(sample_is_violated(other_branch(sample_life(HISTORY_RESTORE, HUB, UINT64_MAX)), "I6"));
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
    struct dump_log *log = sample_final_log(history, HUB, SAMPLE_LOG_1);
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

Test(i07, a_copy_of_a_log_that_its_author_has_no_more_is_seen)
{
    struct history *history = sample_good();
    static const char *const labels[] = { "first", "final" };
    for (size_t i = 0; i < 2; i++)
        sample_log(history, ARDABIL, labels[i], SAMPLE_LOG_1)->origin =
            "samad/ardabil/hub/33333333333333333333333333333333";
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
    struct dump_log *one = sample_final_log(history, ARDABIL, SAMPLE_LOG_1);
    struct dump_log *two = sample_final_log(history, ARDABIL, SAMPLE_LOG_2);
    struct dump_record late = two->records[3], early = one->records[3];
    two->records[3] = early;
    one->records[3] = late;
    sample_expect(history, "I8");
}

Test(i08, a_record_that_cites_a_later_one_is_seen)
{
    struct history *history = sample_good();
    for (uint32_t host = ARDABIL; host <= HUB; host++) {
        sample_final_log(history, host, SAMPLE_LOG_1)->records[4].cause_position = 4;
        sample_log(history, host, "first", SAMPLE_LOG_1)->records[4].cause_position = 4;
    }
    sample_expect(history, "I8");
}

Test(i08, a_record_that_cites_another_than_there_is_is_seen)
{
    struct history *history = sample_good();
    for (uint32_t host = ARDABIL; host <= HUB; host++) {
        sample_final_log(history, host, SAMPLE_LOG_1)->records[4].cause_hash = sample_hash(555);
        sample_log(history, host, "first", SAMPLE_LOG_1)->records[4].cause_hash = sample_hash(555);
    }
    sample_expect(history, "I8");
}
